//! Why records are refused, and what the client is told.

use crate::batch::BatchError;
use crate::compression::CompressionError;
use crate::error::ErrorCode;
use crate::types::Millis;

/// So many records at most are named in one answer; the rest is only counted.
pub const RECORD_ERRORS_MAX: usize = 1_000;

/// What is wrong, in the terms of Kafka's error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidKind {
    /// The checksum is wrong, or the bytes make no batch at all.
    Corrupt,
    /// The batch is over `max.message.bytes`.
    TooLarge,
    /// Timestamps are out of bounds or of the wrong type.
    Timestamp,
    /// The codec is not known, or not to this version of Produce.
    UnsupportedCompressionType,
    /// Anything else.
    Record,
}

/// Records that are not appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidRecords {
    /// What is wrong.
    pub kind: InvalidKind,
    /// For the `error_message` of the answer.
    pub message: String,
    /// For the `record_errors` of the answer: position in the batch, and what is wrong there.
    pub record_errors: Vec<(i32, String)>,
}

impl InvalidRecords {
    pub(super) fn new(kind: InvalidKind, message: impl Into<String>) -> Self {
        InvalidRecords { kind, message: message.into(), record_errors: Vec::new() }
    }

    pub(super) fn too_large(size: usize, limit: usize) -> Self {
        Self::new(InvalidKind::TooLarge, format!("batch of {size} bytes is over max.message.bytes={limit}"))
    }

    /// Kafka's error code.
    pub fn code(&self) -> i16 {
        let code = match self.kind {
            InvalidKind::Corrupt => ErrorCode::CORRUPT_MESSAGE,
            InvalidKind::TooLarge => ErrorCode::MESSAGE_TOO_LARGE,
            InvalidKind::Timestamp => ErrorCode::INVALID_TIMESTAMP,
            InvalidKind::UnsupportedCompressionType => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            InvalidKind::Record => ErrorCode::INVALID_RECORD,
        };
        code.code()
    }
}

impl From<BatchError> for InvalidRecords {
    fn from(error: BatchError) -> Self {
        let kind = match &error {
            BatchError::Crc { .. } | BatchError::Truncated { .. } | BatchError::Length { .. } => {
                InvalidKind::Corrupt
            }
            // Kafka 4.3.1 answers UNKNOWN_SERVER_ERROR for a codec without a name and for data that its codec
            // can't read, which says less and which some clients retry.
            BatchError::Compression(CompressionError::UnknownCodec { .. }) => {
                InvalidKind::UnsupportedCompressionType
            }
            BatchError::Magic { .. } | BatchError::Compression(_) | BatchError::Record(_) => {
                InvalidKind::Record
            }
        };
        InvalidRecords::new(kind, error.to_string())
    }
}

/// Collects what is wrong with single records; the walk goes on, so that one answer names them all.
#[derive(Debug, Default)]
pub(super) struct RecordErrors {
    listed: Vec<(i32, String)>,
    count: usize,
    /// The record that was counted last.
    last: Option<u32>,
    timestamp: bool,
}

impl RecordErrors {
    #[cold]
    pub(super) fn no_key(&mut self, index: u32) {
        self.add(index, || "a record of a compacted topic needs a key".to_owned());
    }

    #[cold]
    pub(super) fn timestamp(&mut self, index: u32, timestamp: Millis, earliest: Millis, latest: Millis) {
        self.timestamp = true;
        self.add(index, || format!("timestamp {timestamp} is not within {earliest} and {latest}"));
    }

    #[cold]
    pub(super) fn timestamp_type(&mut self, index: u32) {
        self.timestamp = true;
        self.add(index, || "a producer can't set the timestamp type to LogAppendTime".to_owned());
    }

    /// Has no effect on a record of which something else is wrong.
    #[cold]
    pub(super) fn schema(&mut self, index: u32, message: String) {
        self.add(index, || message);
    }

    fn add(&mut self, index: u32, message: impl FnOnce() -> String) {
        if self.last == Some(index) {
            return;
        }
        self.last = Some(index);
        self.count += 1;
        if self.listed.len() < RECORD_ERRORS_MAX {
            self.listed.push((index as i32, message()));
        }
    }

    pub(super) fn finish(self) -> Result<(), InvalidRecords> {
        if self.count == 0 {
            return Ok(());
        }
        let (kind, what) = match self.timestamp {
            true => (InvalidKind::Timestamp, "invalid timestamps"),
            false => (InvalidKind::Record, "invalid records"),
        };
        let message = format!("the batch is refused because of {what}: {} in all", self.count);
        Err(InvalidRecords { kind, message, record_errors: self.listed })
    }
}
