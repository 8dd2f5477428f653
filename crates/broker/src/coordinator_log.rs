//! Coordinators append to their partitions and read them.

use std::ops::Range;

use barnabas_log::{AppendOrigin, Durability, Unverified, VerificationGuard};
use barnabas_protocol::batch::{self, Batch, BatchError, BatchHeader, HEADER_SIZE};
use barnabas_protocol::batch_builder::{BatchBuilder, BuildError, BuilderConfig};
use barnabas_protocol::batch_validate::{TopicCompression, DECOMPRESSED_BATCH_BYTES_MAX};
use barnabas_protocol::compression::Compression;
use barnabas_protocol::control::ControlRecordType;
use barnabas_protocol::record::Record;
use barnabas_protocol::{LeaderEpoch, Millis, Offset, PartitionIndex, ProducerEpoch, ProducerId};

use crate::append::{producer_error_code, ProduceError};
use crate::broker::Broker;
use crate::coordinator::{CONSUMER_OFFSETS, SHARE_GROUP_STATE};
use crate::error_code;
use crate::leader::Leader;
use crate::partition::{Partition, PartitionConfig, NO_EPOCH};
use crate::read::ReadFailure;

/// What a coordinator appends at once.
#[derive(Debug, Clone)]
pub struct CoordinatorBatch<'a> {
    /// One of the internal topics.
    pub topic: &'a str,
    /// The partition.
    pub index: PartitionIndex,
    /// The leadership that the coordinator knows of.
    pub leader_epoch: LeaderEpoch,
    /// Key and value of each record; no value is a tombstone.
    pub records: Vec<(&'a [u8], Option<&'a [u8]>)>,
    /// Of all records.
    pub timestamp: Millis,
    /// The producer in whose transaction the records are, or -1.
    pub producer_id: ProducerId,
    /// Its epoch, or -1.
    pub producer_epoch: ProducerEpoch,
    /// What `begin_verification` gave, for a batch that begins a transaction in the partition.
    pub guard: VerificationGuard,
}

/// Where a coordinator's batch is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoordinatorAppended {
    /// First offset.
    pub base_offset: Offset,
    /// Offset of the next append.
    pub log_end_offset: Offset,
    /// Everything below is committed.
    pub high_watermark: Offset,
}

/// A record as it lies in a coordinator's partition; key and value are ranges of [`CoordinatorRead::bytes`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoordinatorRecord {
    /// Position in the partition.
    pub offset: Offset,
    /// Its own time, or the time of append.
    pub timestamp: Millis,
    /// The producer in whose transaction it is, -1 for none.
    pub producer_id: ProducerId,
    /// Its epoch, -1 for none.
    pub producer_epoch: ProducerEpoch,
    /// Key, if it has one.
    pub key: Option<Range<usize>>,
    /// Value; none is a tombstone.
    pub value: Option<Range<usize>>,
    /// Whether a marker commits; None when the record is data.
    pub control: Option<bool>,
}

/// What was read from a coordinator's partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CoordinatorRead {
    /// Where to go on.
    pub next_offset: Offset,
    /// Keys and values, one after another.
    pub bytes: Vec<u8>,
    /// The records, by offset.
    pub records: Vec<CoordinatorRecord>,
}

impl Broker {
    /// Appends a batch for a coordinator on this node. An error code otherwise, and nothing is appended.
    pub fn append_as_coordinator(
        &self,
        batch: &CoordinatorBatch<'_>,
        now: Millis,
    ) -> Result<CoordinatorAppended, i16> {
        self.append_batch(batch, now, false)
    }

    /// Appends a batch that is committed at once; an error where it would have to wait, for other replicas or for
    /// the disk, and nothing is appended.
    pub(crate) fn append_committed(
        &self,
        batch: &CoordinatorBatch<'_>,
        now: Millis,
    ) -> Result<CoordinatorAppended, i16> {
        self.append_batch(batch, now, true)
    }

    /// Whether what is appended to the partition now is committed at once.
    pub(crate) fn commits_at_once(&self, topic: &str, index: PartitionIndex) -> bool {
        let partition = self.partition_by_name(&self.image.load(), topic, index);
        partition.is_ok_and(|partition| {
            let role = partition.role.read();
            let config = partition.config.load();
            role.leader(NO_EPOCH).is_ok_and(|leader| commits_at_once(leader, &config))
        })
    }

    fn append_batch(
        &self,
        batch: &CoordinatorBatch<'_>,
        now: Millis,
        at_once: bool,
    ) -> Result<CoordinatorAppended, i16> {
        let partition = self.partition_by_name(&self.image.load(), batch.topic, batch.index)?;
        let codec = match batch.topic {
            CONSUMER_OFFSETS => self.settings().offsets_codec,
            SHARE_GROUP_STATE => self.settings().share_state_codec,
            _ => Compression::None,
        };
        partition.append_as_coordinator(batch, codec, now, at_once).map_err(|error| {
            if let Some(failure) = error.storage_failure() {
                self.storage_failed(&partition, failure);
            }
            error.code()
        })
    }

    /// The guard for a batch that is to be part of the producer's transaction; `NO_GUARD` when that is open
    /// in the partition already, so that no coordinator of transactions is to be asked.
    pub fn begin_verification(
        &self,
        topic: &str,
        index: PartitionIndex,
        batch: &Unverified,
        now: Millis,
    ) -> Result<VerificationGuard, i16> {
        self.partition_by_name(&self.image.load(), topic, index)?.begin_verification(batch, now)
    }

    /// Reads whole batches from `offset` on (or from the log's start, where that is behind it): about
    /// `bytes_max` bytes and at least one batch, up to the log's end. Without records the end is reached.
    pub fn read_as_coordinator(
        &self,
        topic: &str,
        index: PartitionIndex,
        offset: Offset,
        bytes_max: usize,
    ) -> Result<CoordinatorRead, i16> {
        let partition = self.partition_by_name(&self.image.load(), topic, index)?;
        let mut offset = offset;
        loop {
            let read = partition.read_as_coordinator(offset, bytes_max);
            let (end, read) = read.map_err(|failure| self.code_of(&partition, failure))?;
            // Batches that compaction has emptied, or whose control records mean nothing here.
            if !read.records.is_empty() || read.next_offset >= end {
                return Ok(read);
            }
            offset = read.next_offset;
        }
    }
}

impl Partition {
    pub(crate) fn begin_verification(
        &self,
        batch: &Unverified,
        now: Millis,
    ) -> Result<VerificationGuard, i16> {
        let role = self.role.read();
        role.leader(NO_EPOCH)?;
        let guard = self.log.load().write().begin_verification(batch, now);
        guard.map_err(|error| producer_error_code(&error))
    }

    fn append_as_coordinator(
        &self,
        batch: &CoordinatorBatch<'_>,
        codec: Compression,
        now: Millis,
        at_once: bool,
    ) -> Result<CoordinatorAppended, ProduceError> {
        self.append_own(batch.leader_epoch, batch.guard, now, |leader, config| {
            if at_once && !commits_at_once(leader, config) {
                return Err(ProduceError::Code(error_code::NOT_ENOUGH_REPLICAS));
            }
            match batch.records.is_empty() {
                true => Err(ProduceError::Code(error_code::INVALID_RECORD)),
                false => build(batch, config, codec, now),
            }
        })
    }

    /// Appends a batch of this node's own, with base offset 0, that is built once it is known to be welcome.
    pub(crate) fn append_own(
        &self,
        leader_epoch: LeaderEpoch,
        guard: VerificationGuard,
        now: Millis,
        build: impl FnOnce(&Leader, &PartitionConfig) -> Result<Vec<u8>, ProduceError>,
    ) -> Result<CoordinatorAppended, ProduceError> {
        let role = self.role.read();
        let leader = role.leader(leader_epoch).map_err(ProduceError::Code)?;
        let config = self.config.load();
        // What a node has said itself must not be lost: as with acks=all.
        if leader.is_under_min_isr(config.log.min_insync_replicas) {
            return Err(ProduceError::Code(error_code::NOT_ENOUGH_REPLICAS));
        }
        let mut bytes = build(leader, &config)?;
        if bytes.len() > config.validation.max_message_bytes {
            return Err(ProduceError::Code(error_code::MESSAGE_TOO_LARGE));
        }
        let log = self.log.load();
        let mut log = log.write();
        let somebody_waits = log.high_watermark() < log.log_end_offset();
        batch::set_base_offset(&mut bytes, log.log_end_offset());
        let header =
            BatchHeader::parse(&bytes).map_err(|_| ProduceError::Code(error_code::INVALID_RECORD))?;
        log.check_verified(&header, AppendOrigin::Coordinator, guard)?;
        let written = self.write(leader, &mut log, header.to_bytes(), &bytes[HEADER_SIZE..], now)?;
        let appended = CoordinatorAppended {
            base_offset: written.info.first_offset,
            log_end_offset: log.log_end_offset(),
            high_watermark: log.high_watermark(),
        };
        if somebody_waits && written.high_watermark_moved {
            self.tell_committed(appended.high_watermark);
        }
        drop(log);
        self.waiters.moved(written.moved);
        Ok(appended)
    }

    /// The log's end, and what was read of one segment.
    fn read_as_coordinator(
        &self,
        offset: Offset,
        bytes_max: usize,
    ) -> Result<(Offset, CoordinatorRead), ReadFailure> {
        let (offset, end, slice) = {
            let role = self.role.read();
            role.leader(NO_EPOCH)?;
            let log = self.log.load();
            let log = log.read();
            let offset = offset.max(log.log_start_offset());
            let end = log.log_end_offset();
            let found = log.read(offset, bytes_max, end, true)?;
            let Some(slice) = found.slice else {
                return Ok((end, CoordinatorRead { next_offset: end, ..CoordinatorRead::default() }));
            };
            (offset, end, slice)
        };
        // The file stays open for as long as the slice is held, whatever becomes of the segment.
        let bytes = slice.read().map_err(|error| {
            log::error!("{self:?} can't be read at offset {offset}: {error}");
            error_code::KAFKA_STORAGE_ERROR
        })?;
        let read = decode(&bytes, offset).map_err(|error| {
            log::error!("{self:?} has a batch at offset {offset} or behind it that can't be read: {error}");
            ReadFailure::Code(error_code::CORRUPT_MESSAGE)
        })?;
        Ok((end, read))
    }
}

/// Whether the leader waits for nobody before an append counts: no other replica, and not for its disk.
fn commits_at_once(leader: &Leader, config: &PartitionConfig) -> bool {
    leader.followers().is_empty() && config.log.durability != Durability::Fsync
}

/// The batch, with base offset 0.
fn build(
    batch: &CoordinatorBatch<'_>,
    config: &PartitionConfig,
    codec: Compression,
    now: Millis,
) -> Result<Vec<u8>, ProduceError> {
    let mut builder = BatchBuilder::new(BuilderConfig {
        producer_id: batch.producer_id,
        producer_epoch: batch.producer_epoch,
        transactional: batch.producer_id >= 0,
        ..builder_config(config, codec, now)
    });
    let added = batch
        .records
        .iter()
        .try_for_each(|(key, value)| builder.append(batch.timestamp, Some(key), *value, &[]));
    added.and_then(|()| builder.finish()).map_err(build_error)
}

/// How a partition wants its batches; `codec` is that of this node, as if it were a producer.
pub(crate) fn builder_config(config: &PartitionConfig, codec: Compression, now: Millis) -> BuilderConfig {
    let (compression, level) = match config.validation.compression_type {
        TopicCompression::Producer => (codec, None),
        TopicCompression::Codec(codec, level) => (codec, level),
    };
    BuilderConfig {
        compression,
        level,
        timestamp_type: config.validation.timestamp_type,
        log_append_time: now,
        ..BuilderConfig::default()
    }
}

pub(crate) fn build_error(error: BuildError) -> ProduceError {
    ProduceError::Code(match error {
        BuildError::TooLarge { .. } => error_code::MESSAGE_TOO_LARGE,
        _ => error_code::UNKNOWN_SERVER_ERROR,
    })
}

/// The records of whole batches from `offset` on; what follows the last whole batch is left.
fn decode(bytes: &[u8], offset: Offset) -> Result<CoordinatorRead, BatchError> {
    let mut read = CoordinatorRead { next_offset: offset, ..CoordinatorRead::default() };
    for batch in batch::batches(bytes) {
        let batch = match batch {
            Ok(batch) => batch,
            Err(BatchError::Truncated { .. }) if read.next_offset > offset => break,
            Err(error) => return Err(error),
        };
        for record in &batch.records(DECOMPRESSED_BATCH_BYTES_MAX)? {
            read.push(&batch, &record?, offset);
        }
        read.next_offset = batch.header.next_offset();
    }
    Ok(read)
}

impl CoordinatorRead {
    fn push(&mut self, batch: &Batch<'_>, record: &Record<'_>, offset: Offset) {
        let header = &batch.header;
        let control = match header.is_control() {
            false => None,
            true => match record.key.and_then(ControlRecordType::from_key) {
                Some(ControlRecordType::Commit) => Some(true),
                Some(ControlRecordType::Abort) => Some(false),
                _ => return, // Control records of later releases mean nothing to coordinators.
            },
        };
        if record.offset < offset {
            return;
        }
        let (producer_id, producer_epoch) = match header.is_transactional() {
            true => (header.producer_id, header.producer_epoch),
            false => (-1, -1),
        };
        let key = record.key.map(|key| self.put(key));
        let value = record.value.map(|value| self.put(value));
        self.records.push(CoordinatorRecord {
            offset: record.offset,
            timestamp: record.timestamp,
            producer_id,
            producer_epoch,
            key,
            value,
            control,
        });
    }

    /// Adds a record that is part of no transaction.
    pub(crate) fn push_data(&mut self, offset: Offset, timestamp: Millis, key: &[u8], value: &[u8]) {
        let (key, value) = (Some(self.put(key)), Some(self.put(value)));
        let (producer_id, producer_epoch, control) = (-1, -1, None);
        let record =
            CoordinatorRecord { offset, timestamp, producer_id, producer_epoch, key, value, control };
        self.records.push(record);
    }

    fn put(&mut self, part: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(part);
        start..self.bytes.len()
    }
}
