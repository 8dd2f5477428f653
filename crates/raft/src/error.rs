//! What can go wrong with the metadata log, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use barnabas_image::ReplayError;
use barnabas_log::{AppendError, LogError};
use barnabas_protocol::batch_builder::BuildError;
use barnabas_protocol::wire::EncodeError;
use barnabas_protocol::{LeaderEpoch, NodeId, Offset, Uuid};

/// Why the metadata log could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RaftError {
    /// The disk refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Storage {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The log itself failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log did not take a batch.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// Records do not make a batch.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A record cannot be written in its version.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A file is not what Kafka or barnabas would have written.
    #[error("{} is corrupt: {reason}; restore the directory from a backup", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A record cannot be applied.
    #[error(
        "the metadata record at offset {offset} cannot be applied: {source}; it was written by another \
             release, or the log is damaged"
    )]
    Replay {
        /// Where it is.
        offset: Offset,
        /// Why not.
        source: ReplayError,
    },
    /// Neither log nor snapshots hold what lies between them.
    #[error("the metadata log in {} begins at offset {log_start_offset}, but the newest readable snapshot ends \
             at {snapshot_end_offset}: records between them are lost; restore the directory from a backup",
            path.display())]
    Gap {
        /// The directory.
        path: PathBuf,
        /// First offset of the log.
        log_start_offset: Offset,
        /// First offset that is not in the snapshot.
        snapshot_end_offset: Offset,
    },
    /// The directory was not formatted for a controller.
    #[error("{} has no voters: format the directory first", path.display())]
    NoVoters {
        /// The directory.
        path: PathBuf,
    },
    /// The quorum has other voters.
    #[error("the metadata quorum has the voters {voters:?}; barnabas runs quorums of one voter")]
    SeveralVoters {
        /// Ids of the voters.
        voters: Vec<NodeId>,
    },
    /// This node is not the quorum's voter.
    #[error(
        "node {node} with directory {directory} is not the quorum's voter {voter} with directory \
             {voter_directory}: check node.id and log.dirs"
    )]
    NotVoter {
        /// This node.
        node: NodeId,
        /// Its directory.
        directory: Uuid,
        /// The voter.
        voter: NodeId,
        /// Its directory.
        voter_directory: Uuid,
    },
    /// This node does not lead, or not in this epoch.
    #[error("not the leader of epoch {epoch}; the current epoch is {current}")]
    NotLeader {
        /// Epoch of the request.
        epoch: LeaderEpoch,
        /// Epoch of the quorum.
        current: LeaderEpoch,
    },
    /// More bytes than one atomic batch may have.
    #[error("{size} bytes of metadata records are over {limit}, the most that one change may have")]
    BatchTooLarge {
        /// Bytes of the batch.
        size: usize,
        /// The limit.
        limit: usize,
    },
}

impl RaftError {
    /// Whether the disk refused, and it is not what the files hold.
    pub fn is_storage_failure(&self) -> bool {
        match self {
            Self::Storage { .. } => true,
            Self::Log(error) => error.is_storage_failure(),
            _ => false,
        }
    }
}

/// Gives a disk's refusal its file name.
pub(crate) trait At<T> {
    /// Names what was tried (a verb) and on which path.
    fn at(self, action: &'static str, path: &Path) -> Result<T, RaftError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, RaftError> {
        self.map_err(|source| RaftError::Storage { action, path: path.to_path_buf(), source })
    }
}
