//! The writing half: appends to a buffer, and notes where slices of files go.

use super::{EncodeError, Records, STRING_BYTES_MAX};
use crate::error_tally::ErrorTally;
use crate::types::Uuid;

/// A place in written bytes where bytes from elsewhere belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Splice {
    /// They come before the byte at this position of [`Writer::bytes`].
    pub position: usize,
    /// Which of the caller's pieces.
    pub index: u32,
    /// Their size in bytes.
    pub length: usize,
}

/// Appends values to bytes.
#[derive(Debug, Default)]
pub struct Writer {
    /// What was written.
    pub bytes: Vec<u8>,
    /// Where pieces belong that were announced as [`Records::External`], by growing position.
    pub splices: Vec<Splice>,
    /// Error codes of the responses that were written.
    pub errors: ErrorTally,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer that appends to `bytes`.
    pub fn append_to(bytes: Vec<u8>) -> Self {
        Writer { bytes, ..Writer::default() }
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// One signed byte.
    #[inline]
    pub fn i8(&mut self, value: i8) {
        self.bytes.push(value as u8);
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Two bytes, signed.
    #[inline]
    pub fn i16(&mut self, value: i16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Four bytes, signed.
    #[inline]
    pub fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Eight bytes, signed.
    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Two bytes, unsigned.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Four bytes, unsigned.
    #[inline]
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Eight bytes, IEEE 754.
    #[inline]
    pub fn f64(&mut self, value: f64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// One byte, 0 or 1.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// Sixteen bytes.
    #[inline]
    pub fn uuid(&mut self, value: Uuid) {
        self.bytes.extend_from_slice(&value.0);
    }

    /// An unsigned number of 1 to 5 bytes.
    #[inline]
    pub fn uvarint(&mut self, value: u32) {
        self.uvarlong(u64::from(value));
    }

    /// A signed number of 1 to 5 bytes, zigzag.
    pub fn varint(&mut self, value: i32) {
        self.uvarint(((value << 1) ^ (value >> 31)) as u32);
    }

    /// An unsigned number of 1 to 10 bytes.
    #[inline]
    pub fn uvarlong(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// A signed number of 1 to 10 bytes, zigzag.
    pub fn varlong(&mut self, value: i64) {
        self.uvarlong(((value << 1) ^ (value >> 63)) as u64);
    }

    /// A string. `flexible` chooses the compact encoding.
    #[inline]
    pub fn string(&mut self, flexible: bool, value: &str) -> Result<(), EncodeError> {
        let length = value.len();
        if length > STRING_BYTES_MAX {
            return Err(EncodeError::StringTooLong { length });
        }
        if flexible {
            self.uvarint(length as u32 + 1);
        } else {
            self.i16(length as i16);
        }
        self.bytes.extend_from_slice(value.as_bytes());
        Ok(())
    }

    /// A string that may be null.
    #[inline]
    pub fn nullable_string(&mut self, flexible: bool, value: Option<&str>) -> Result<(), EncodeError> {
        match value {
            Some(value) => self.string(flexible, value)?,
            None if flexible => self.u8(0),
            None => self.i16(-1),
        }
        Ok(())
    }

    /// Bytes.
    #[inline]
    pub fn bytes(&mut self, flexible: bool, value: &[u8]) -> Result<(), EncodeError> {
        self.array_length(flexible, value.len())?;
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    /// Bytes that may be null.
    #[inline]
    pub fn nullable_bytes(&mut self, flexible: bool, value: Option<&[u8]>) -> Result<(), EncodeError> {
        match value {
            Some(value) => self.bytes(flexible, value),
            None => {
                self.null_length(flexible);
                Ok(())
            }
        }
    }

    /// Record batches, or the announcement of some that are elsewhere.
    pub fn records(&mut self, flexible: bool, value: Records<'_>) -> Result<(), EncodeError> {
        match value {
            Records::Null => self.null_length(flexible),
            Records::Bytes(bytes) => self.bytes(flexible, bytes)?,
            Records::External { index, length } => {
                self.array_length(flexible, length)?;
                self.splices.push(Splice { position: self.bytes.len(), index, length });
            }
        }
        Ok(())
    }

    /// The length of an array or of bytes.
    #[inline]
    pub fn array_length(&mut self, flexible: bool, length: usize) -> Result<(), EncodeError> {
        let Ok(signed) = i32::try_from(length) else { return Err(EncodeError::TooLong { length }) };
        if flexible {
            self.uvarint(signed as u32 + 1);
        } else {
            self.i32(signed);
        }
        Ok(())
    }

    /// The length that stands for null, of an array or of bytes.
    #[inline]
    pub fn null_length(&mut self, flexible: bool) {
        if flexible {
            self.u8(0);
        } else {
            self.i32(-1);
        }
    }

    /// An array of elements that `write` writes.
    #[inline]
    pub fn array<T, F>(&mut self, flexible: bool, elements: &[T], mut write: F) -> Result<(), EncodeError>
    where
        F: FnMut(&mut Self, &T) -> Result<(), EncodeError>,
    {
        self.array_length(flexible, elements.len())?;
        elements.iter().try_for_each(|element| write(self, element))
    }

    /// An array that may be null.
    #[inline]
    pub fn nullable_array<T, F>(
        &mut self,
        flexible: bool,
        elements: Option<&[T]>,
        write: F,
    ) -> Result<(), EncodeError>
    where
        F: FnMut(&mut Self, &T) -> Result<(), EncodeError>,
    {
        match elements {
            Some(elements) => self.array(flexible, elements, write),
            None => {
                self.null_length(flexible);
                Ok(())
            }
        }
    }

    /// The byte in front of a struct that may be null.
    #[inline]
    pub fn present(&mut self, present: bool) {
        self.i8(if present { 1 } else { -1 });
    }

    /// One field of a tagged section: its tag, its size, and what `write` appends.
    pub fn tagged<F>(&mut self, tag: u32, write: F) -> Result<(), EncodeError>
    where
        F: FnOnce(&mut Writer) -> Result<(), EncodeError>,
    {
        self.uvarint(tag);
        let splices = self.splices.len();
        let start = self.bytes.len();
        write(self)?;
        assert!(splices == self.splices.len(), "external records can't be inside a tagged field");
        let end = self.bytes.len();
        let Ok(size) = u32::try_from(end - start) else {
            return Err(EncodeError::TooLong { length: end - start });
        };
        self.uvarint(size);
        // The size is known only now: it is written behind the field and turned to its front.
        let written = self.bytes.len() - end;
        if let Some(field) = self.bytes.get_mut(start..) {
            field.rotate_right(written);
        }
        Ok(())
    }
}
