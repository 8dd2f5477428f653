//! The metadata quorum's log, epochs, votes and snapshots (KRaft).
//!
//! [`Quorum`] is the pure state machine of epochs and votes. [`MetadataLog`] is what a node runs: the log of
//! `__cluster_metadata`, its snapshots and the quorum's state on disk. Quorums have one voter today; the seams
//! are those of a quorum of any size.
//!
//! Always true:
//!   what counts as committed is on stable storage
//!   one batch of records is applied as a whole or, after a crash, not at all
//!   the files are Apache Kafka's: either can go on where the other stopped

mod control;
mod damage;
mod error;
mod format;
mod metadata_log;
mod quorum;
mod quorum_state;
mod replay;
mod snapshot;
mod start;
mod voters;

pub use error::RaftError;
pub use format::{format, FormatOptions};
pub use metadata_log::{MetadataLog, MetadataLogConfig};
pub use quorum::{Effects, Event, Quorum, Role, VoteRequests};
pub use quorum_state::QuorumState;
pub use snapshot::{Snapshot, SnapshotId, SnapshotTask};
pub use start::{load, start, StartOptions, Started};
pub use voters::{ReplicaKey, Voter, VoterEndpoint, VoterSet};

/// Name of the topic that holds the metadata.
pub const METADATA_TOPIC: &str = "__cluster_metadata";
/// Directory of its only partition inside a log directory.
pub const METADATA_DIRECTORY: &str = "__cluster_metadata-0";
