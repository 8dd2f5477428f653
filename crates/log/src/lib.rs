//! One partition's log in Kafka's own files, and the directories that hold logs.
//!
//! [`LogManager`] holds the log directories of a node and all logs in them. [`Log`] is the log of one
//! partition; it reads no clock and starts no thread. Of its modules each holds one
//! thing that it does (`append`, `read`, `truncate`, `flush`, `retention`, `recovery`) or one kind of file
//! (`segment`, `offset_index`, `time_index`, `transaction_index`, `producer_snapshot`, `checkpoints`).

mod append;
mod batch_scan;
mod cached;
mod changes;
pub mod checkpoints;
mod cleaner;
mod config;
mod directory_names;
mod entry_file;
mod error;
mod flush;
mod flush_times;
mod leader_epochs;
mod log;
mod log_directory;
mod log_files;
mod log_manager;
mod log_manager_run;
mod meta_properties;
mod offset_index;
mod offsets;
mod overflow;
mod place;
mod producer_snapshot;
mod producer_state;
mod read;
mod recent;
mod recovered_epochs;
mod recovery;
mod retention;
mod segment;
mod time_index;
mod transaction_index;
mod truncate;
mod verification;
mod verified;

pub use crate::log::{Log, LogPosition};
pub use append::{AppendBatch, AppendInfo};
pub use changes::LogChanges;
pub use cleaner::{
    CleanerFigures, CleanerHost, CleanerRound, CleanerSettings, HashKey, LogCleaner, Uncleanable,
};
pub use config::{
    CompressionType, ConfigError, Durability, LogConfig, MessageTimestampType, SchemaRule, SchemaValidation,
    SubjectNameStrategy,
};
pub use error::{AppendError, LogError};
pub use flush::Flush;
pub use flush_times::Stopwatch;
pub use leader_epochs::{EpochEntry, LeaderEpochs};
pub use log_directory::{lock, LOCK};
pub use log_manager::{
    DirectoryFailure, DirectoryInfo, LogManager, LogManagerSettings, LogRef, TopicPartition,
};
pub use log_manager_run::{ConfigOf, LoadProgress, OnLoadProgress};
pub use meta_properties::{DirectoryError, MetaProperties, META_PROPERTIES};
pub use offsets::TimestampedOffset;
pub use producer_state::{
    ActiveProducer, AppendOrigin, Checked, CompletedTxn, EndTxnMarker, ProducerBatch, ProducerEntry,
    ProducerError, ProducerState, BATCHES_RETAINED,
};
pub use read::{BatchFacts, ReadResult};
pub use recovery::{OpenOptions, Recovery, RecoveryProgress};
pub use retention::FileDeletion;
pub use transaction_index::AbortedTxn;
pub use verification::{Unverified, VerificationGuard, NO_GUARD, VERIFICATIONS_MAX};
