//! One partition's replica on this node: its log, its role, and who waits for it.
//!
//! Always true:
//!   log_start_offset <= last_stable_offset <= high_watermark <= log_end_offset, while this node leads
//!   only a leader appends what clients send, under the role's read lock, so that nothing is appended with the
//!   epoch of a leadership that is over
//!   locks are taken in this order: role, log, waiters; each is held for memory and page cache, not for syncs

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use barnabas_log::{CompressionType, Durability, Log, LogConfig, LogError, LogRef, MessageTimestampType};
use barnabas_protocol::batch::TimestampType;
use barnabas_protocol::batch_validate::{TopicCompression, ValidationConfig, DECOMPRESSED_BATCH_BYTES_MAX};
use barnabas_protocol::compression::Compression;
use barnabas_protocol::{LeaderEpoch, Millis, NodeId, Offset, PartitionIndex, TopicId};
use parking_lot::RwLock;

use crate::coordinator::{CoordinatorEvent, CoordinatorEvents};
use crate::error_code;
use crate::leader::{Assignment, Leader};
use crate::metrics::PartitionMetrics;
use crate::schema_table::SchemaTable;
use crate::syncs::{SyncQueues, SyncState};
use crate::waiters::{HasWaiters, Move, Waiters};

/// What a client says that does not know the leader epoch. Any other number below the current one is fenced.
pub(crate) const NO_EPOCH: LeaderEpoch = -1;

/// What this node does for the partition.
#[derive(Debug)]
pub(crate) enum Role {
    /// Leads it.
    Leader(Leader),
    /// Follows `leader` (-1: there is none).
    Follower { leader_epoch: LeaderEpoch, partition_epoch: i32 },
    /// Nothing: the directory that holds the log has failed, or the replica is being removed.
    Offline { error: i16 },
}

/// The configuration of the topic, in the forms in which it is used.
#[derive(Debug)]
pub(crate) struct PartitionConfig {
    pub(crate) log: Arc<LogConfig>,
    pub(crate) validation: ValidationConfig,
    /// Which schemas records may have; None where nothing is asked of them.
    pub(crate) schemas: Option<Arc<SchemaTable>>,
}

impl PartitionConfig {
    pub(crate) fn new(config: Arc<LogConfig>, schemas: Option<Arc<SchemaTable>>) -> PartitionConfig {
        let codec = |codec, level| TopicCompression::Codec(codec, level);
        let validation = ValidationConfig {
            compacted: config.compact,
            compression_type: match config.compression_type {
                CompressionType::Producer => TopicCompression::Producer,
                CompressionType::Uncompressed => codec(Compression::None, None),
                CompressionType::Gzip => codec(Compression::Gzip, Some(config.compression_gzip_level)),
                CompressionType::Snappy => codec(Compression::Snappy, None),
                CompressionType::Lz4 => codec(Compression::Lz4, Some(config.compression_lz4_level)),
                CompressionType::Zstd => codec(Compression::Zstd, Some(config.compression_zstd_level)),
            },
            timestamp_type: match config.message_timestamp_type {
                MessageTimestampType::CreateTime => TimestampType::CreateTime,
                MessageTimestampType::LogAppendTime => TimestampType::LogAppendTime,
            },
            timestamp_before_max_ms: config.message_timestamp_before_max_ms,
            timestamp_after_max_ms: config.message_timestamp_after_max_ms,
            max_message_bytes: config.max_message_bytes,
            max_decompressed_bytes: config.max_decompressed_message_bytes,
            max_decompressed_batch_bytes: DECOMPRESSED_BATCH_BYTES_MAX,
            // Written into each batch under the role's lock.
            leader_epoch: -1,
        };
        PartitionConfig { log: config, validation, schemas }
    }
}

/// A replica on this node.
pub(crate) struct Partition {
    /// Name of the topic.
    pub(crate) topic: Arc<str>,
    /// Id of the topic.
    pub(crate) topic_id: TopicId,
    /// Number in the topic.
    pub(crate) index: PartitionIndex,
    /// This node.
    pub(crate) node: NodeId,
    /// `replica.lag.time.max.ms`.
    pub(crate) lag_max_ms: Millis,
    pub(crate) config: ArcSwap<PartitionConfig>,
    pub(crate) role: RwLock<Role>,
    /// The log as it lies now; another one after the replica has moved between directories.
    pub(crate) log: ArcSwap<RwLock<Log>>,
    pub(crate) waiters: Waiters,
    pub(crate) sync: SyncState,
    pub(crate) metrics: PartitionMetrics,
    /// Who hears of a coordinator's partition; nobody of any other.
    events: OnceLock<Arc<dyn CoordinatorEvents>>,
}

impl HasWaiters for Partition {
    fn waiters(&self) -> &Waiters {
        &self.waiters
    }
}

impl std::fmt::Debug for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}

impl Partition {
    /// A replica that has no role yet.
    pub(crate) fn new(
        node: NodeId,
        topic: Arc<str>,
        topic_id: TopicId,
        index: PartitionIndex,
        config: Arc<PartitionConfig>,
        log: LogRef,
        lag_max_ms: Millis,
    ) -> Partition {
        Partition {
            topic,
            topic_id,
            index,
            node,
            lag_max_ms,
            config: ArcSwap::new(config),
            role: RwLock::new(Role::Follower { leader_epoch: -1, partition_epoch: -1 }),
            log: ArcSwap::new(log),
            waiters: Waiters::default(),
            sync: SyncState::default(),
            metrics: PartitionMetrics::default(),
            events: OnceLock::new(),
        }
    }

    /// The same, for use: its syncs go through `syncs`.
    pub(crate) fn shared(self, syncs: Arc<SyncQueues>) -> Arc<Partition> {
        let partition = Arc::new(self);
        partition.sync.attach(syncs, &partition);
        partition
    }

    /// Has `events` hear of it from now on: first of a leadership that has begun already, whose log can be read.
    pub(crate) fn tell_to(&self, events: Arc<dyn CoordinatorEvents>) {
        let role = self.role.write();
        if self.events.set(events).is_err() {
            return;
        }
        if let Role::Leader(leader) = &*role {
            self.tell_leadership(Some(leader.leader_epoch));
        }
    }

    /// Tells the coordinators, if they care for this partition. The caller holds its role, or its log.
    pub(crate) fn tell(&self, event: impl FnOnce(Arc<str>, PartitionIndex) -> CoordinatorEvent) {
        if let Some(events) = self.events.get() {
            events.tell(event(self.topic.clone(), self.index));
        }
    }

    fn tell_leadership(&self, leader_epoch: Option<LeaderEpoch>) {
        self.tell(|topic, index| CoordinatorEvent::Leadership { topic, index, leader_epoch });
    }

    /// Tells that the high watermark was moved. The caller holds the log, so that moves are told in order.
    pub(crate) fn tell_committed(&self, high_watermark: Offset) {
        self.tell(|topic, index| CoordinatorEvent::Committed { topic, index, high_watermark });
    }

    /// Uses another configuration from now on.
    pub(crate) fn set_config(&self, config: Arc<PartitionConfig>) {
        self.log.load().write().update_config(config.log.clone());
        self.config.store(config);
    }

    /// Takes the role that the image gives to this node, if the image is newer than what is known.
    pub(crate) fn take_role(
        &self,
        leader: NodeId,
        assignment: &Assignment,
        now: Millis,
    ) -> Result<(), LogError> {
        let mut role = self.role.write();
        let (leader_epoch, partition_epoch) = match &*role {
            Role::Leader(leading) => (leading.leader_epoch, leading.partition_epoch()),
            Role::Follower { leader_epoch, partition_epoch } => (*leader_epoch, *partition_epoch),
            Role::Offline { .. } => return Ok(()),
        };
        if (assignment.leader_epoch, assignment.partition_epoch) <= (leader_epoch, partition_epoch) {
            return Ok(());
        }
        match &mut *role {
            Role::Leader(leading) if leader == self.node && assignment.leader_epoch == leader_epoch => {
                leading.set_assignment(assignment, now);
            }
            _ if leader == self.node => {
                // Recorded before anything is appended in it, so that followers find where it began.
                let log = self.log.load();
                let mut log = log.write();
                let log_end_offset = log.log_end_offset();
                log.assign_epoch(assignment.leader_epoch, log_end_offset)?;
                *role = Role::Leader(Leader::new(self.node, assignment, log_end_offset, now));
                self.tell_leadership(Some(assignment.leader_epoch));
            }
            _ => {
                if matches!(*role, Role::Leader(_)) {
                    self.tell_leadership(None);
                }
                let (leader_epoch, partition_epoch) = (assignment.leader_epoch, assignment.partition_epoch);
                *role = Role::Follower { leader_epoch, partition_epoch };
            }
        }
        drop(role);
        self.advance_high_watermark(now);
        self.waiters.moved(Move::EVERYTHING);
        Ok(())
    }

    /// The replica answers everything with `error` from now on.
    pub(crate) fn take_offline(&self, error: i16) {
        let mut role = self.role.write();
        if matches!(*role, Role::Leader(_)) {
            self.tell_leadership(None);
        }
        *role = Role::Offline { error };
        drop(role);
        self.waiters.moved(Move::EVERYTHING);
    }

    /// Moves the high watermark to where it should be and wakes whom that concerns.
    pub(crate) fn advance_high_watermark(&self, now: Millis) {
        let role = self.role.read();
        let Role::Leader(leader) = &*role else { return };
        let log = self.log.load();
        let mut log = log.write();
        let (before, after) = self.raise_high_watermark(leader, &mut log, now);
        let low_watermark = leader.low_watermark(log.log_start_offset());
        if after > before {
            self.tell_committed(after);
        }
        drop(log);
        if after > before {
            let moved = Move { bytes: i64::MAX, high_watermark: after, low_watermark, durable_end: 0 };
            self.waiters.moved(moved);
        }
    }

    /// The log was synced: what waited for that goes on.
    pub(crate) fn synced(&self, now: Millis) {
        self.advance_high_watermark(now);
        let durable_end = self.log.load().read().durable_end();
        self.waiters.moved(Move { bytes: 0, high_watermark: 0, low_watermark: 0, durable_end });
    }

    /// The high watermark before and after it was set to what the replicas hold.
    pub(crate) fn raise_high_watermark(
        &self,
        leader: &Leader,
        log: &mut Log,
        now: Millis,
    ) -> (Offset, Offset) {
        let before = log.high_watermark();
        let min_isr = self.config.load().log.min_insync_replicas;
        let end = log.log_end_offset();
        let mut wanted = leader.high_watermark(before, end, min_isr, self.lag_max_ms, now);
        if log.config().durability == Durability::Fsync {
            // Consumers must not act on records that a power failure would take back.
            wanted = wanted.min(log.durable_end());
            self.sync.want(log);
        }
        if wanted <= before {
            return (before, before);
        }
        (before, log.update_high_watermark(wanted))
    }
}

impl Role {
    /// The leadership, if there is one of the epoch that the client knows (-1: it does not say).
    pub(crate) fn leader(&self, current_leader_epoch: LeaderEpoch) -> Result<&Leader, i16> {
        self.check_epoch(current_leader_epoch)?;
        match self {
            Role::Leader(leader) => Ok(leader),
            _ => Err(error_code::NOT_LEADER_OR_FOLLOWER),
        }
    }

    /// As `leader`, to change it.
    pub(crate) fn leader_mut(&mut self, current_leader_epoch: LeaderEpoch) -> Result<&mut Leader, i16> {
        self.check_epoch(current_leader_epoch)?;
        match self {
            Role::Leader(leader) => Ok(leader),
            _ => Err(error_code::NOT_LEADER_OR_FOLLOWER),
        }
    }

    fn check_epoch(&self, current_leader_epoch: LeaderEpoch) -> Result<(), i16> {
        let known = match self {
            Role::Leader(leader) => leader.leader_epoch,
            Role::Follower { leader_epoch, .. } => *leader_epoch,
            Role::Offline { error } => return Err(*error),
        };
        match current_leader_epoch {
            given if given == NO_EPOCH || given == known => Ok(()),
            given if given < known => Err(error_code::FENCED_LEADER_EPOCH),
            _ => Err(error_code::UNKNOWN_LEADER_EPOCH),
        }
    }
}
