//! Records (magic 2): one frame reader for bytes at hand and for bytes that are still being decompressed.
//!
//! ```text
//! length varint, of what follows
//! attributes i8, unused
//! timestamp_delta varlong, offset_delta varint
//! key length varint (-1: null), key; value length varint (-1: null), value
//! headers count varint; for each: key length varint, key, value length varint (-1: null), value
//! ```
//!
//! Always true of a record that came out: its fields fill its length exactly, so do the records their batch,
//! and there are as many as the batch says. Nothing is allocated for a length or a count.

use std::borrow::Cow;

use crate::batch::{sequence_after, Batch, BatchError, BatchHeader, TimestampType};
use crate::compression::{decompress, Compression, CompressionError};
use crate::types::{Millis, Offset};
use crate::wire::{DecodeError, Reader};

mod plain;

/// Largest encoded size of a record's fields up to and including the length of its key.
const PREFIX_BYTES_MAX: usize = 5 + 1 + 10 + 5 + 5;
/// Largest encoded size of a length.
const LENGTH_BYTES_MAX: usize = 5;

/// Why bytes are not the records that a batch promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The records section ends inside a record.
    #[error("the records end inside record {index}")]
    Truncated {
        /// Position of the record in its batch.
        index: u32,
    },
    /// A variable-length number of more bytes than its type can have.
    #[error("record {index} has a variable-length number that is too long")]
    Varint {
        /// Position of the record in its batch.
        index: u32,
    },
    /// A length or count that the record has no room for, or that no value has.
    #[error("record {index} has an invalid {what} of {length}")]
    Length {
        /// Position of the record in its batch.
        index: u32,
        /// Which of the lengths.
        what: &'static str,
        /// What was read.
        length: i32,
    },
    /// The fields end before the record does.
    #[error("record {index} has {count} bytes after its headers")]
    Unread {
        /// Position of the record in its batch.
        index: u32,
        /// How many.
        count: usize,
    },
    /// The batch says that it has a negative number of records.
    #[error("a batch can't have {count} records")]
    Count {
        /// Count in the header.
        count: i32,
    },
    /// The section goes on after the last record.
    #[error("bytes follow the last of {count} records")]
    Trailing {
        /// Count in the header.
        count: i32,
    },
    /// The section can't be decompressed.
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

/// One record, borrowed from its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Position in the partition.
    pub offset: Offset,
    /// Its own time, or the time of append where the batch says so.
    pub timestamp: Millis,
    /// Position in the sequence of its idempotent producer, or -1.
    pub sequence: i32,
    /// Key, if it has one.
    pub key: Option<&'a [u8]>,
    /// Value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers, in the order they were written.
    pub headers: Headers<'a>,
}

/// One header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Name; meant to be UTF-8, which no broker checks.
    pub key: &'a [u8],
    /// Value, if it has one.
    pub value: Option<&'a [u8]>,
}

/// The headers of a record: an iterator over bytes that were checked when the record was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Headers<'a> {
    bytes: &'a [u8],
    count: u32,
}

impl<'a> Headers<'a> {
    /// Headers whose bytes were checked before, as [`Headers::bytes`] gave them.
    pub fn new(bytes: &'a [u8], count: u32) -> Headers<'a> {
        Headers { bytes, count }
    }

    /// The bytes that are still to be read.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.count = self.count.checked_sub(1)?;
        let mut reader = Reader::new(self.bytes);
        let key = part(&mut reader)?.unwrap_or_default();
        let value = part(&mut reader)?;
        self.bytes = reader.rest();
        Some(Header { key, value })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count as usize, Some(self.count as usize))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// A length and that many bytes; the outer None can't happen in bytes that were checked.
fn part<'a>(reader: &mut Reader<'a>) -> Option<Option<&'a [u8]>> {
    match usize::try_from(reader.varint().ok()?) {
        Ok(length) => reader.take(length).ok().map(Some),
        Err(_) => Some(None),
    }
}

/// The records section of one batch, decompressed if it was compressed.
#[derive(Clone, Debug)]
pub struct BatchRecords<'a> {
    header: BatchHeader,
    bytes: Cow<'a, [u8]>,
}

impl<'a> BatchRecords<'a> {
    pub(crate) fn new(batch: &Batch<'a>, max_decompressed: usize) -> Result<Self, BatchError> {
        let section = batch.records_bytes();
        let bytes = match batch.header.compression()? {
            Compression::None => Cow::Borrowed(section),
            codec => {
                let mut bytes = Vec::new();
                decompress(codec, section, max_decompressed, &mut bytes)?;
                Cow::Owned(bytes)
            }
        };
        Ok(BatchRecords { header: batch.header, bytes })
    }

    /// The records, first to last.
    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter::new(&self.header, &self.bytes)
    }

    /// The bytes of the records, without compression.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<'b> IntoIterator for &'b BatchRecords<'_> {
    type Item = Result<Record<'b>, RecordError>;
    type IntoIter = RecordIter<'b>;

    fn into_iter(self) -> RecordIter<'b> {
        self.iter()
    }
}

/// Reads the records of one batch. Ends after the first error; a section that goes on after the last record
/// is one.
#[derive(Clone, Debug)]
pub struct RecordIter<'a> {
    header: BatchHeader,
    rest: &'a [u8],
    index: u32,
    done: bool,
}

impl<'a> RecordIter<'a> {
    /// Reads `bytes`, the records section of a batch with `header`, not compressed.
    pub fn new(header: &BatchHeader, bytes: &'a [u8]) -> Self {
        RecordIter { header: *header, rest: bytes, index: 0, done: false }
    }

    /// The bytes of the records that are still to come.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Records that are still to come, if the header is right.
    pub fn remaining(&self) -> usize {
        usize::try_from(self.header.records_count).unwrap_or(0).saturating_sub(self.index as usize)
    }

    fn read(&mut self) -> Result<Option<Record<'a>>, RecordError> {
        let count = self.header.records_count;
        if count < 0 {
            return Err(RecordError::Count { count });
        }
        if self.index == count as u32 {
            return match self.rest {
                [] => Ok(None),
                _ => Err(RecordError::Trailing { count }),
            };
        }
        let bytes = self.rest;
        let frame = frame_at(bytes, self.index)?;
        let (record, rest) = bytes.split_at(frame.size);
        self.rest = rest;
        self.index += 1;
        Ok(Some(self.record(&frame, record)))
    }

    fn record(&self, frame: &Frame, bytes: &'a [u8]) -> Record<'a> {
        let header = &self.header;
        let (key, value, headers) = frame.parts(bytes);
        Record {
            offset: header.base_offset.wrapping_add(frame.offset_delta as i64),
            timestamp: match header.timestamp_type() {
                TimestampType::CreateTime => header.base_timestamp.wrapping_add(frame.timestamp_delta),
                TimestampType::LogAppendTime => header.max_timestamp,
            },
            sequence: match header.base_sequence {
                sequence if sequence >= 0 => sequence_after(sequence, frame.offset_delta),
                _ => crate::batch::NO_SEQUENCE,
            },
            key,
            value,
            headers,
        }
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let record = self.read().transpose();
        self.done = !matches!(record, Some(Ok(_)));
        record
    }
}

/// Bytes of records that may still have to be produced.
pub(crate) trait Source {
    /// The bytes that come next: at least `wanted`, or all there are.
    fn peek(&mut self, wanted: usize) -> Result<&[u8], CompressionError>;
    /// Moves on; false when the bytes end before.
    fn skip(&mut self, count: usize) -> Result<bool, CompressionError>;
}

/// Bytes at hand.
pub(crate) struct Slice<'a> {
    pub(crate) rest: &'a [u8],
}

impl Source for Slice<'_> {
    #[inline]
    fn peek(&mut self, _wanted: usize) -> Result<&[u8], CompressionError> {
        Ok(self.rest)
    }

    #[inline]
    fn skip(&mut self, count: usize) -> Result<bool, CompressionError> {
        match self.rest.get(count..) {
            Some(rest) => {
                self.rest = rest;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

/// What a record consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
    HeaderKey,
    HeaderValue,
}

/// Sees the beginnings of a record's parts while the record is read. What it has seen counts only once the
/// whole record has turned out to be one.
pub(crate) trait Glance {
    /// So many bytes of a part at most are shown.
    const BYTES: usize;
    /// `length` is the part's (-1: there is none), `head` what it begins with.
    fn see(&mut self, part: Part, length: i32, head: &[u8]);
}

/// Looks at nothing.
pub(crate) struct Blind;

impl Glance for Blind {
    const BYTES: usize = 0;

    #[inline]
    fn see(&mut self, _part: Part, _length: i32, _head: &[u8]) {}
}

/// The numbers of one record; positions count from the record's first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    /// Bytes of the key, -1 when there is none.
    pub(crate) key_length: i32,
    key_at: usize,
    /// Bytes of the value, -1 when there is none.
    pub(crate) value_length: i32,
    value_at: usize,
    headers_count: u32,
    headers_at: usize,
    /// Bytes of the record, its length included.
    pub(crate) size: usize,
}

/// The record that `bytes` begin with, read by the short way; None where they end before it does, or where it is
/// another one than most are, or none at all: [`read_frame`] tells which.
#[inline(always)]
pub(crate) fn plain_frame(bytes: &[u8]) -> Option<Frame> {
    plain::read(bytes)
}

impl Frame {
    /// Key, value and headers of the record, which `bytes` are.
    #[inline]
    pub(crate) fn parts<'r>(&self, bytes: &'r [u8]) -> (Option<&'r [u8]>, Option<&'r [u8]>, Headers<'r>) {
        let part = |at: usize, length: i32| usize::try_from(length).ok().map(|n| &bytes[at..at + n]);
        let headers = Headers { bytes: &bytes[self.headers_at..self.size], count: self.headers_count };
        (part(self.key_at, self.key_length), part(self.value_at, self.value_length), headers)
    }
}

/// Reads and checks the record that `bytes` begin with; `index` is its place in the batch.
#[inline]
pub(crate) fn frame_at(bytes: &[u8], index: u32) -> Result<Frame, RecordError> {
    match plain::read(bytes) {
        Some(frame) => Ok(frame),
        None => read_frame(&mut Slice { rest: bytes }, index, &mut Blind),
    }
}

/// How long the record says to be that comes next in `source`, its length included; None where it says nothing
/// that could be.
#[inline]
pub(crate) fn claimed_size<S: Source>(source: &mut S) -> Result<Option<usize>, CompressionError> {
    let mut reader = Reader::new(source.peek(LENGTH_BYTES_MAX)?);
    let length = reader.varint().ok().and_then(|length| usize::try_from(length).ok());
    Ok(length.map(|length| reader.position() + length))
}

/// Reads and checks the record that comes next in `source`; `index` is its place in the batch.
#[inline]
pub(crate) fn read_frame<S: Source, G: Glance>(
    source: &mut S,
    index: u32,
    glance: &mut G,
) -> Result<Frame, RecordError> {
    let mut reader = Reader::new(source.peek(PREFIX_BYTES_MAX)?);
    let wrong = |error| wrong_number(error, index);
    let length = reader.varint().map_err(wrong)?;
    let body_at = reader.position();
    reader.i8().map_err(wrong)?; // Attributes of a record: none is defined.
    let timestamp_delta = reader.varlong().map_err(wrong)?;
    let offset_delta = reader.varint().map_err(wrong)?;
    let key_length = reader.varint().map_err(wrong)?;
    let key_at = reader.position();
    let Some(left) = usize::try_from(length).ok().and_then(|length| length.checked_sub(key_at - body_at))
    else {
        return Err(RecordError::Length { index, what: "length", length });
    };
    let mut body = Body { source, left, at: key_at, index };
    body.skip_unchecked(key_at)?;
    body.show(Part::Key, key_length, glance)?;
    body.part(key_length, "key length", true)?;
    let value_length = body.length()?;
    let value_at = body.at;
    body.show(Part::Value, value_length, glance)?;
    body.part(value_length, "value length", true)?;
    let headers_count = body.length()?;
    let headers_at = body.at;
    // A header takes two bytes at least.
    let Some(count) = usize::try_from(headers_count).ok().filter(|&count| count <= body.left / 2) else {
        return Err(RecordError::Length { index, what: "number of headers", length: headers_count });
    };
    for _ in 0..count {
        let key_length = body.length()?;
        body.show(Part::HeaderKey, key_length, glance)?;
        body.part(key_length, "header key length", false)?;
        let value_length = body.length()?;
        body.show(Part::HeaderValue, value_length, glance)?;
        body.part(value_length, "header value length", true)?;
    }
    match body.left {
        0 => Ok(Frame {
            timestamp_delta,
            offset_delta,
            key_length,
            key_at,
            value_length,
            value_at,
            headers_count: count as u32,
            headers_at,
            size: body.at,
        }),
        count => Err(RecordError::Unread { index, count }),
    }
}

#[cold]
fn wrong_number(error: DecodeError, index: u32) -> RecordError {
    match error {
        DecodeError::Varint { .. } => RecordError::Varint { index },
        _ => RecordError::Truncated { index },
    }
}

/// What is left of a record while it is being read.
struct Body<'s, S> {
    source: &'s mut S,
    /// Bytes until the end that the record's length promises.
    left: usize,
    /// Bytes from the beginning of the record.
    at: usize,
    index: u32,
}

impl<S: Source> Body<'_, S> {
    /// Moves over bytes that `left` does not count.
    #[inline]
    fn skip_unchecked(&mut self, count: usize) -> Result<(), RecordError> {
        match self.source.skip(count)? {
            true => Ok(()),
            false => Err(RecordError::Truncated { index: self.index }),
        }
    }

    /// Reads a length or a count.
    #[inline]
    fn length(&mut self) -> Result<i32, RecordError> {
        let mut reader = Reader::new(self.source.peek(LENGTH_BYTES_MAX)?);
        let length = reader.varint().map_err(|error| wrong_number(error, self.index))?;
        let size = reader.position();
        self.advance(size, "length", length)?;
        Ok(length)
    }

    /// Shows how the part begins that comes next.
    #[inline]
    fn show<G: Glance>(&mut self, part: Part, length: i32, glance: &mut G) -> Result<(), RecordError> {
        if G::BYTES > 0 {
            let wanted = usize::try_from(length).unwrap_or(0).min(G::BYTES);
            let head = self.source.peek(wanted)?;
            glance.see(part, length, &head[..wanted.min(head.len())]);
        }
        Ok(())
    }

    /// Moves over a key or a value.
    #[inline]
    fn part(&mut self, length: i32, what: &'static str, nullable: bool) -> Result<(), RecordError> {
        match usize::try_from(length) {
            Ok(size) => self.advance(size, what, length),
            Err(_) if length == -1 && nullable => Ok(()),
            Err(_) => Err(RecordError::Length { index: self.index, what, length }),
        }
    }

    #[inline]
    fn advance(&mut self, count: usize, what: &'static str, length: i32) -> Result<(), RecordError> {
        let Some(left) = self.left.checked_sub(count) else {
            return Err(RecordError::Length { index: self.index, what, length });
        };
        self.left = left;
        self.at += count;
        self.skip_unchecked(count)
    }
}

#[cfg(test)]
mod tests;
