//! Partitions of this node: Produce, Fetch, ListOffsets, Metadata and their kin, answered without Python.
//!
//! [`Broker`] is shared by all threads. A request comes as [`BrokerRequest`] and leaves as [`Handled`]; the crate
//! knows no socket, no clock and no interpreter, so whoever has a mailbox and a time can drive it. Where things
//! are: `partition` is a replica (its `leader` counts who is in sync, `append` and `read` are what a leader does),
//! `waiters` is what parked requests hang on, a file for each API, `apply` follows the image, `housekeeping` and
//! `log_dirs` do what comes back or moves.
//!
//! Locks, in the order in which they may be taken; none is held while a disk syncs, but by `apply` and `tick`:
//!
//! 1. `Broker::applying` and `Broker::timers` (threads that own no connection)
//! 2. a lent transactional id, while a step of it is made, or a lent group, while it is committed to
//! 3. a partition's role, held for reading while its log is read or appended to
//! 4. a partition's log
//! 5. leaves: the lists of waiters, the queues of syncs and of cold reads, the log manager's maps, the fetch session
//!    cache (then one session in it), effects, failed directories

mod api_versions;
mod append;
mod apply;
mod authorize;
mod broker;
mod cluster_view;
mod cold_reads;
mod coordinator;
mod coordinator_log;
mod coordinator_markers;
mod current_leader;
mod dead_letters;
mod delete_records;
mod describe_producers;
pub mod error_code;
mod exposition;
mod fetch;
mod fetch_session;
mod housekeeping;
pub mod leader;
mod lent_groups;
mod lent_transactions;
mod list_offsets;
mod log_dirs;
mod markers;
mod metadata;
mod metrics;
mod offset_commit;
mod offset_for_leader_epoch;
mod open_transactions;
mod partition;
mod plain_transactions;
mod produce;
mod read;
mod request;
mod schema_table;
mod settings;
mod share_read;
mod share_records;
mod steady;
mod syncs;
mod topic_name;
mod topic_partitions;
mod transaction;
mod transaction_checks;
mod verify;
mod waiters;

pub use broker::{Broker, Effect};
pub use cold_reads::COLD_READ_THREADS;
pub use coordinator::{
    CoordinatorEvent, CoordinatorEvents, NamedSchema, SchemaCheck, SchemaField, SchemaVerdict,
    TransactionCheck,
};
pub use coordinator_log::{CoordinatorAppended, CoordinatorBatch, CoordinatorRead, CoordinatorRecord};
pub use coordinator_markers::MarkersWritten;
pub use dead_letters::DeadLetters;
pub use exposition::{PARTITIONS_MAX, TOPICS_MAX};
pub use lent_groups::{LentGroup, TakenBack};
pub use lent_transactions::LentTransaction;
pub use log_dirs::{LogDirInfo, ReplicaInfo};
pub use markers::TransactionMarker;
pub use metrics::TrafficCounts;
pub use open_transactions::OpenTransaction;
pub use request::{Answer, BrokerRequest, Chunk, Endpoint, Handled, Parked, Ticket};
pub use settings::{ApiRange, BrokerSettings, SupportedFeature};
pub use share_read::{ShareBatch, ShareRead};
pub use share_records::{share_records, ShareRecord};
pub use steady::SteadyMember;
pub use transaction::{Transaction, TransactionState};
pub use waiters::Wake;
