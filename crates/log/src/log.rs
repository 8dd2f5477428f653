//! The log of one partition: its parts and what can be said of it without touching a file.
//!
//! What it does is in the modules named after it: `append`, `read`, `offsets`, `truncate`, `flush`,
//! `retention`, `recovery`.
//!
//! Always true:
//!   log_start_offset <= high_watermark <= log_end_offset, recovery_point <= durable_end <= log_end_offset
//!   there is at least one segment; base offsets grow; the last segment is the one that is written to
//!   producers and leader epochs are those of everything below log_end_offset

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::Arc;

use barnabas_protocol::batch::BatchHeader;
use barnabas_protocol::{LeaderEpoch, Millis, Offset, PartitionIndex, TopicId};

use crate::changes::LogChanges;
use crate::cleaner::Replacing;
use crate::config::LogConfig;
use crate::leader_epochs::LeaderEpochs;
use crate::place::Place;
use crate::producer_state::{
    ActiveProducer, AppendOrigin, Checked, EndTxnMarker, ProducerError, ProducerState, Verified,
};
use crate::retention::FileDeletion;
use crate::segment::Segment;
use crate::verification::{Unverified, VerificationGuard, Verifications, NO_GUARD};

/// The log of one partition.
#[derive(Debug)]
pub struct Log {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: PartitionIndex,
    pub(crate) topic_id: TopicId,
    pub(crate) place: Place,
    pub(crate) config: Arc<LogConfig>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) log_start_offset: Offset,
    pub(crate) log_end_offset: Offset,
    pub(crate) high_watermark: Offset,
    pub(crate) durable_end: Offset,
    /// The recovery point as it was told when the log was opened: recovery may begin there until another one is
    /// written down.
    pub(crate) told_recovery_point: Offset,
    pub(crate) epochs: LeaderEpochs,
    pub(crate) producers: ProducerState,
    pub(crate) verifications: Verifications,
    pub(crate) producer_id_expiration_ms: Millis,
    /// Offsets of the producer snapshots on disk, ascending.
    pub(crate) snapshots: Vec<Offset>,
    /// Files that were written without a sync since the last flush.
    pub(crate) unsynced: Unsynced,
    pub(crate) last_flush: Millis,
    pub(crate) deletions: Vec<FileDeletion>,
    /// Counts truncations, so that a flush that ran meanwhile is not believed.
    pub(crate) truncations: u64,
    /// Compaction has gone through everything below.
    pub(crate) cleaned_to: Option<Offset>,
    /// How far a compacted segment has come on its way to the place of others.
    pub(crate) replacing: Option<Replacing>,
    /// Counts removals of segments and moves of the directory, so that a compaction that ran meanwhile is not
    /// believed.
    pub(crate) disturbances: Arc<AtomicU64>,
    /// Marks for those who look after all logs.
    pub(crate) changes: Arc<LogChanges>,
}

/// What besides records and indexes was written since it was last on disk.
#[derive(Debug, Default)]
pub(crate) struct Unsynced {
    pub(crate) leader_epochs: bool,
    pub(crate) partition_metadata: bool,
    pub(crate) snapshots: Vec<Offset>,
    /// A file was created, renamed or removed.
    pub(crate) directory: bool,
    /// The log's directory itself was created.
    pub(crate) parent: bool,
    /// Counts changes, so that a flush forgets only what it has synced.
    pub(crate) changes: u64,
}

impl Unsynced {
    /// For every change: counts it.
    pub(crate) fn changed(&mut self) -> &mut Self {
        self.changes += 1;
        self
    }
}

/// Where an offset is: in which segment, and where in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPosition {
    /// The offset.
    pub offset: Offset,
    /// First offset of the segment.
    pub segment_base_offset: Offset,
    /// Bytes from the beginning of the segment.
    pub position: u64,
}

impl Log {
    /// Name of the topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Number of the partition.
    pub fn partition(&self) -> PartitionIndex {
        self.partition
    }

    /// Id of the topic; zero when it has none on disk.
    pub fn topic_id(&self) -> TopicId {
        self.topic_id
    }

    /// Directory of the log.
    pub fn dir(&self) -> &Path {
        &self.place.dir
    }

    /// Its configuration.
    pub fn config(&self) -> &Arc<LogConfig> {
        &self.config
    }

    /// Replaces the configuration, from the next append on.
    pub fn update_config(&mut self, config: Arc<LogConfig>) {
        self.changes.note_config(&config);
        self.config = config;
    }

    /// First offset that may be read.
    pub fn log_start_offset(&self) -> Offset {
        self.log_start_offset
    }

    /// Offset of the next append.
    pub fn log_end_offset(&self) -> Offset {
        self.log_end_offset
    }

    /// Where the next append goes.
    pub fn log_end_position(&self) -> LogPosition {
        let active = self.active();
        LogPosition {
            offset: self.log_end_offset,
            segment_base_offset: active.base_offset,
            position: active.size,
        }
    }

    /// First offset that is in files of this node (the same as the log start offset without tiered storage).
    pub fn local_log_start_offset(&self) -> Offset {
        self.log_start_offset.max(self.segments[0].base_offset)
    }

    /// Where the oldest segment begins.
    pub fn first_segment_base_offset(&self) -> Offset {
        self.segments[0].base_offset
    }

    /// Everything below was synced: a power failure does not take it back.
    pub fn durable_end(&self) -> Offset {
        self.durable_end
    }

    /// Where recovery has to begin: in the first segment that is not complete and on disk with its indexes. That
    /// must be true of this offset after a roll, too: so it is before the end of the active segment, not at it.
    pub fn recovery_point(&self) -> Offset {
        let unsynced = |segment: &&Segment| segment.index_changes > segment.index_changes_synced;
        let (active, complete) = (self.active(), &self.segments[..self.segments.len() - 1]);
        match complete.iter().rev().take_while(unsynced).last() {
            Some(first) => self.durable_end.min(first.base_offset),
            None if active.size > 0 && (!active.is_complete || unsynced(&active)) => {
                self.durable_end.min(self.log_end_offset - 1)
            }
            None => self.durable_end,
        }
    }

    /// Everything below is on all in-sync replicas. Kept here for readers, checkpoints and retention; the
    /// partition's leader or follower moves it.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Moves the high watermark, to the log's start or end where it lies outside. Returns what it is now.
    pub fn update_high_watermark(&mut self, high_watermark: Offset) -> Offset {
        let high_watermark = high_watermark.clamp(self.log_start_offset, self.log_end_offset);
        if high_watermark != self.high_watermark {
            self.high_watermark = high_watermark;
            self.changes.note_high_watermark();
        }
        self.producers.forget_replicated_below(self.high_watermark);
        self.high_watermark
    }

    /// Everything below is decided: the high watermark, or the first offset of an open transaction below it.
    pub fn last_stable_offset(&self) -> Offset {
        match self.producers.first_unstable_offset() {
            Some(offset) => offset.clamp(self.log_start_offset, self.high_watermark),
            None => self.high_watermark,
        }
    }

    /// Bytes of all segments.
    pub fn size(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size).sum()
    }

    /// Number of segments, and base offset of the one that is written to.
    pub fn segments(&self) -> (usize, Offset) {
        (self.segments.len(), self.active().base_offset)
    }

    /// Compares a data batch with what its producer wrote before; to be called before the append.
    pub fn check_producer(
        &self,
        header: &BatchHeader,
        origin: AppendOrigin,
    ) -> Result<Checked, ProducerError> {
        self.producers.check(header, origin, Verified::default())
    }

    /// As `check_producer`, where a batch that begins a transaction must have been verified: `guard` is what
    /// `begin_verification` gave for it.
    pub fn check_verified(
        &self,
        header: &BatchHeader,
        origin: AppendOrigin,
        guard: VerificationGuard,
    ) -> Result<Checked, ProducerError> {
        let missing = !self.verifications.is_valid(header.producer_id, guard);
        let verification = self.verifications.of(header.producer_id);
        self.producers.check(header, origin, Verified { missing, verification })
    }

    /// The guard for a batch of a transaction that is about to be verified; `NO_GUARD` when the transaction is
    /// open here, so that nothing is to be verified. An error when the batch will be refused all the same: it
    /// leaves no trace, for the producer's own batches are compared with what was verified.
    pub fn begin_verification(
        &mut self,
        batch: &Unverified,
        now: Millis,
    ) -> Result<VerificationGuard, ProducerError> {
        self.producers.check_epoch(batch.producer_id, batch.producer_epoch)?;
        Ok(match self.producers.has_ongoing_transaction(batch.producer_id, batch.producer_epoch) {
            true => NO_GUARD,
            false => self.verifications.begin(batch, now),
        })
    }

    /// Compares a transaction marker with what is known of its producer; to be called before the append.
    pub fn check_end_txn(
        &self,
        header: &BatchHeader,
        marker: &EndTxnMarker,
        transaction_version: i16,
    ) -> Result<(), ProducerError> {
        self.producers.check_end_txn(header, marker, transaction_version)
    }

    /// What is known of the producers.
    pub fn producers(&self) -> &ProducerState {
        &self.producers
    }

    /// Producers as DescribeProducers shows them, by id.
    pub fn active_producers(&self) -> Vec<ActiveProducer> {
        self.producers.active_producers().collect()
    }

    /// Changes `producer.id.expiration.ms`.
    pub fn set_producer_id_expiration_ms(&mut self, expiration_ms: Millis) {
        self.producer_id_expiration_ms = expiration_ms;
    }

    /// Forgets producers that have been silent for `producer.id.expiration.ms`. Returns how many.
    pub fn remove_expired_producers(&mut self, now: Millis) -> usize {
        self.verifications.remove_expired(now, self.producer_id_expiration_ms);
        self.producers.remove_expired(now, self.producer_id_expiration_ms)
    }

    /// The leader epochs of the log.
    pub fn leader_epochs(&self) -> &LeaderEpochs {
        &self.epochs
    }

    /// OffsetForLeaderEpoch: the largest epoch of the log that is at most `epoch`, and where it ends.
    pub fn end_offset_for(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.epochs.end_offset_for(epoch, self.log_end_offset)
    }

    /// The epoch that wrote `offset`.
    pub fn epoch_for_offset(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs.epoch_for_offset(offset)
    }

    /// The segment that is written to.
    pub(crate) fn active(&self) -> &Segment {
        &self.segments[self.segments.len() - 1]
    }

    /// Index of the segment that `offset` lies in: the last one that begins at or before it.
    pub(crate) fn segment_index(&self, offset: Offset) -> Option<usize> {
        self.segments.partition_point(|segment| segment.base_offset <= offset).checked_sub(1)
    }
}
