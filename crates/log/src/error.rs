//! What can go wrong with a log.

use std::io;
use std::path::{Path, PathBuf};

use barnabas_protocol::Offset;

/// Why a log could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk refused. The directory that holds `path` must be taken offline.
    #[error("cannot {action} {}: {source}", path.display())]
    Storage {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The log does not hold the offset.
    #[error("offset {offset} is outside the log, which holds {log_start_offset} to {log_end_offset}")]
    OffsetOutOfRange {
        /// What was asked for.
        offset: Offset,
        /// First offset that may be read.
        log_start_offset: Offset,
        /// Offset of the next append.
        log_end_offset: Offset,
    },
    /// A file's content is not what this log or Kafka would have written, and cannot be mended.
    #[error("{} is corrupt at byte {position}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where, in bytes from its beginning.
        position: u64,
        /// What is wrong there.
        reason: String,
    },
    /// The directory holds the log of another topic of the same name.
    #[error("{} belongs to topic id {found}, not {expected}", path.display())]
    TopicId {
        /// The directory.
        path: PathBuf,
        /// Id in its `partition.metadata`.
        found: barnabas_protocol::TopicId,
        /// Id that was asked for.
        expected: barnabas_protocol::TopicId,
    },
    /// No log directory of this id is online, or none at all.
    #[error("log directory {directory} is offline")]
    DirectoryOffline {
        /// The directory asked for; zero for any.
        directory: barnabas_protocol::Uuid,
    },
    /// The partition has no such log here.
    #[error("{topic}-{partition} has no such log on this node")]
    UnknownLog {
        /// Its topic.
        topic: String,
        /// Its number.
        partition: barnabas_protocol::PartitionIndex,
    },
}

impl LogError {
    /// Whether the disk failed, so that the whole directory must go offline.
    pub fn is_storage_failure(&self) -> bool {
        matches!(self, Self::Storage { .. })
    }

    pub(crate) fn corrupt(path: &Path, position: u64, reason: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_path_buf(), position, reason: reason.into() }
    }
}

/// Why batches were not appended. The log is as it was before, unless the disk failed: then its directory goes
/// offline, and what became of the batches is seen when it is opened again.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk refused, or the log is damaged.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The bytes are not whole batches of message format 2.
    #[error("invalid batch: {0}")]
    Batch(#[from] barnabas_protocol::batch::BatchError),
    /// The first offset is not the next one, or offsets do not grow.
    #[error("append at offset {offset} where {expected} or more is next")]
    Offset {
        /// Offset in the batch.
        offset: Offset,
        /// The log's next offset.
        expected: Offset,
    },
    /// The batches are larger than a segment may be.
    #[error("{size} bytes at once are over segment.bytes={limit}")]
    RecordListTooLarge {
        /// Bytes of all batches.
        size: usize,
        /// The limit.
        limit: u64,
    },
}

/// Gives a disk's refusal its file name.
pub(crate) trait At<T> {
    /// Names what was tried (a verb) and on which path.
    fn at(self, action: &'static str, path: &Path) -> Result<T, LogError>;
    /// The same, where the path is made only for an error: on the way of every append and read.
    fn at_path(self, action: &'static str, path: impl FnOnce() -> PathBuf) -> Result<T, LogError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, LogError> {
        self.at_path(action, || path.to_path_buf())
    }

    fn at_path(self, action: &'static str, path: impl FnOnce() -> PathBuf) -> Result<T, LogError> {
        self.map_err(|source| LogError::Storage { action, path: path(), source })
    }
}
