//! Primitives of Kafka's wire: a bounded reader that borrows, and a writer that appends.
//!
//! Always true:
//!   nothing is allocated for a length before that many bytes are known to be there
//!   every read either advances inside the buffer or returns an error; no input panics
//!   a string is valid UTF-8 and at most 32,767 bytes long
//!   an array has at most [`ARRAY_ELEMENTS_MAX`] elements, a tagged section at most [`TAGGED_FIELDS_MAX`]
//!   all arrays of a buffer together take at most [`MEMORY_FACTOR_MAX`] times its size, and a constant, in memory

mod error;
mod reader;
mod writer;

pub use error::{DecodeError, EncodeError};
pub use reader::Reader;
pub use writer::{Splice, Writer};

/// Largest number of elements of one array that Apache Kafka 4.4.0 reads.
pub const ARRAY_ELEMENTS_MAX: usize = 1_000_000;
/// Largest number of fields of one tagged section that Apache Kafka 4.4.0 reads.
pub const TAGGED_FIELDS_MAX: usize = 10_000;
/// Elements read from a buffer take at most this many times its size in memory …
pub const MEMORY_FACTOR_MAX: usize = 4;
/// … and this many bytes more, so that short messages of short names are never refused.
pub const MEMORY_EXTRA_MAX: usize = 1 << 20;
/// Largest length of a string in bytes, in both encodings.
pub const STRING_BYTES_MAX: usize = 0x7fff;

/// The value of a field that holds record batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Records<'a> {
    /// No batches, not even an empty sequence.
    #[default]
    Null,
    /// Batches in memory.
    Bytes(&'a [u8]),
    /// Batches that are elsewhere, in a file say. Only their length is written; where they belong is noted
    /// in [`Writer::splices`].
    External {
        /// Chosen by the caller, repeated in the splice.
        index: u32,
        /// Their size in bytes.
        length: usize,
    },
}

impl<'a> Records<'a> {
    /// Size in bytes; 0 when null.
    pub fn len(&self) -> usize {
        match self {
            Records::Null => 0,
            Records::Bytes(bytes) => bytes.len(),
            Records::External { length, .. } => *length,
        }
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, when they are in memory.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Records::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
