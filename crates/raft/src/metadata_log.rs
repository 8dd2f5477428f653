//! The metadata log of a node that leads: append, commit, snapshot, trim.
//!
//! Always true:
//!   log_start_offset <= high_watermark <= log_end_offset
//!   with one voter, what is on this disk is committed: the high watermark is the end of the last flush
//!   there is a snapshot for the offset where the log begins, unless it begins at 0

use std::path::PathBuf;
use std::sync::Arc;

use barnabas_disk::Disk;
use barnabas_image::MetadataImage;
use barnabas_log::{AppendBatch, FileDeletion, Flush, Log, LogConfig, ReadResult};
use barnabas_protocol::{LeaderEpoch, Millis, Offset};

use crate::control::data_batch;
use crate::error::{At, RaftError};
use crate::quorum::{Event, Quorum};
use crate::snapshot::{Snapshot, SnapshotId, SnapshotTask};

/// How the metadata log is kept. `Default` is what Kafka uses when nothing is set.
#[derive(Debug, Clone)]
pub struct MetadataLogConfig {
    /// `metadata.log.segment.bytes`.
    pub segment_bytes: u64,
    /// `metadata.log.segment.ms`.
    pub segment_ms: Millis,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub max_record_bytes_between_snapshots: u64,
    /// `metadata.log.max.snapshot.interval.ms`; 0 takes snapshots by bytes alone.
    pub max_snapshot_interval_ms: Millis,
    /// `metadata.max.retention.bytes`: log and snapshots together; None keeps any number.
    pub max_retention_bytes: Option<u64>,
    /// `metadata.max.retention.ms`; None keeps them for ever.
    pub max_retention_ms: Option<Millis>,
    /// Bytes that one atomic batch may have; Kafka's readers take 8 MiB.
    pub batch_bytes_max: usize,
}

impl Default for MetadataLogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 60 * 60 * 1000,
            max_record_bytes_between_snapshots: 20 << 20,
            max_snapshot_interval_ms: 60 * 60 * 1000,
            max_retention_bytes: Some(100 << 20),
            max_retention_ms: Some(7 * 24 * 60 * 60 * 1000),
            batch_bytes_max: 8 << 20,
        }
    }
}

impl MetadataLogConfig {
    /// The configuration of the log underneath. What may be deleted is decided here, by snapshots.
    pub(crate) fn log_config(&self) -> LogConfig {
        LogConfig {
            segment_bytes: self.segment_bytes,
            segment_ms: self.segment_ms,
            max_message_bytes: self.batch_bytes_max,
            retention_ms: None,
            retention_bytes: None,
            delete: true,
            ..LogConfig::default()
        }
    }
}

/// The metadata log of this node.
#[derive(Debug)]
pub struct MetadataLog {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) log: Log,
    pub(crate) config: MetadataLogConfig,
    pub(crate) quorum: Quorum,
    pub(crate) kraft_version: i16,
    /// Oldest first.
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) snapshot_running: bool,
    pub(crate) bytes_since_snapshot: u64,
    pub(crate) last_snapshot_at: Millis,
    pub(crate) last_timestamp: Millis,
}

impl MetadataLog {
    /// The epochs and votes.
    pub fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    /// The epoch that this node leads.
    pub fn epoch(&self) -> LeaderEpoch {
        self.quorum.epoch()
    }

    /// The finalized `kraft.version`.
    pub fn kraft_version(&self) -> i16 {
        self.kraft_version
    }

    /// Offset of the next record.
    pub fn log_end_offset(&self) -> Offset {
        self.log.log_end_offset()
    }

    /// First offset that is still in the log.
    pub fn log_start_offset(&self) -> Offset {
        self.log.log_start_offset()
    }

    /// Everything below is committed.
    pub fn high_watermark(&self) -> Offset {
        self.log.high_watermark()
    }

    /// Bytes of the log's segments.
    pub fn size(&self) -> u64 {
        self.log.size()
    }

    /// Snapshots on disk, oldest first.
    pub fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }

    /// Appends records, each with its frame, as one atomic batch; gives the offset of the last. They count as
    /// committed once the high watermark is above it.
    pub fn append(
        &mut self,
        records: &[Vec<u8>],
        epoch: LeaderEpoch,
        now: Millis,
    ) -> Result<Offset, RaftError> {
        if !self.quorum.is_leader() || epoch != self.quorum.epoch() {
            return Err(RaftError::NotLeader { epoch, current: self.quorum.epoch() });
        }
        let size: usize = records.iter().map(Vec::len).sum();
        let limit = self.config.batch_bytes_max;
        if size > limit {
            return Err(RaftError::BatchTooLarge { size, limit });
        }
        if records.is_empty() {
            return Ok(self.log_end_offset() - 1);
        }
        let batch = data_batch(self.log_end_offset(), epoch, now, records.iter().map(Vec::as_slice))?;
        if batch.len() > limit {
            return Err(RaftError::BatchTooLarge { size: batch.len(), limit });
        }
        self.append_batch(&batch, now)
    }

    /// Appends records that `head` can take; gives the head with them and the offset of the last. Records that
    /// can't be applied are refused before they reach the log, for no node could go on behind them.
    pub fn propose(
        &mut self,
        head: &MetadataImage,
        records: &[Vec<u8>],
        epoch: LeaderEpoch,
        now: Millis,
    ) -> Result<(MetadataImage, Offset), RaftError> {
        let mut image = head.clone();
        for (record, offset) in records.iter().zip(self.log_end_offset()..) {
            let replayed = image.replay_bytes(record, offset, epoch);
            replayed.map_err(|source| RaftError::Replay { offset, source })?;
        }
        let last_offset = self.append(records, epoch, now)?;
        Ok((image, last_offset))
    }

    pub(crate) fn append_batch(&mut self, batch: &[u8], now: Millis) -> Result<Offset, RaftError> {
        let batch = AppendBatch::from_bytes(batch).map_err(barnabas_log::AppendError::from)?;
        let appended = self.log.append_as_leader(&[batch], now)?;
        self.bytes_since_snapshot += appended.bytes as u64;
        self.last_timestamp = now;
        Ok(appended.last_offset)
    }

    /// Makes everything appended durable and thereby committed; gives the new high watermark.
    pub fn flush(&mut self, now: Millis) -> Result<Offset, RaftError> {
        if let Some(flush) = self.start_flush(now)? {
            flush.run()?;
            self.finish_flush(flush);
        }
        Ok(self.high_watermark())
    }

    /// The sync that `flush` would do, to be run while others use the log; None when all is durable.
    pub fn start_flush(&mut self, now: Millis) -> Result<Option<Flush>, RaftError> {
        // The records alone: the next start writes the indexes anew from the newest snapshot on.
        let flush = self.log.start_commit(now)?;
        if flush.is_none() {
            self.commit();
        }
        Ok(flush)
    }

    /// With one voter, what is on this disk is committed.
    fn commit(&mut self) -> Offset {
        let durable = self.log.durable_end().max(self.high_watermark());
        self.log.update_high_watermark(durable)
    }

    /// Notes that the sync has run; gives the new high watermark.
    pub fn finish_flush(&mut self, flush: Flush) -> Offset {
        self.log.finish_flush(&flush);
        self.commit()
    }

    /// Bytes of the log from the batch that holds `offset` on, committed or not: what other replicas fetch.
    pub fn read(&self, offset: Offset, max_bytes: usize) -> Result<ReadResult, RaftError> {
        Ok(self.log.read(offset, max_bytes, self.log_end_offset(), true)?)
    }

    /// Whether so much was written, or so long ago, that a snapshot is due.
    pub fn snapshot_due(&self, now: Millis) -> bool {
        if self.snapshot_running || self.bytes_since_snapshot == 0 {
            return false;
        }
        let interval = self.config.max_snapshot_interval_ms;
        self.bytes_since_snapshot >= self.config.max_record_bytes_between_snapshots
            || (interval > 0 && now.saturating_sub(self.last_snapshot_at) >= interval)
    }

    /// A snapshot of `image` to be written while others use the log. None while another is being written, and
    /// when the image can't be one: with uncommitted records, inside a transaction, or on disk already.
    pub fn start_snapshot(&mut self, image: &MetadataImage, now: Millis) -> Option<SnapshotTask> {
        let id = SnapshotId { end_offset: image.offset() + 1, epoch: image.epoch() };
        let newest = self.snapshots.last().map_or(0, |snapshot| snapshot.id.end_offset);
        let committed = id.end_offset <= self.high_watermark();
        if self.snapshot_running || image.in_transaction() || !committed || id.end_offset <= newest {
            return None;
        }
        self.snapshot_running = true;
        self.bytes_since_snapshot = 0;
        self.last_snapshot_at = now;
        Some(SnapshotTask {
            disk: self.disk.clone(),
            dir: self.dir.clone(),
            id,
            image: image.clone(),
            voters: self.quorum.voters().clone(),
            kraft_version: self.kraft_version,
            last_contained_log_timestamp: self.last_timestamp,
            now,
        })
    }

    /// Takes the outcome of a snapshot task, and removes what is not needed any more.
    pub fn finish_snapshot(
        &mut self,
        outcome: Result<Snapshot, RaftError>,
        now: Millis,
    ) -> Result<(), RaftError> {
        self.snapshot_running = false;
        self.snapshots.push(outcome?);
        self.trim(now)
    }

    /// Writes a snapshot if `image` can be one; whether it did.
    pub fn snapshot(&mut self, image: &MetadataImage, now: Millis) -> Result<bool, RaftError> {
        let Some(task) = self.start_snapshot(image, now) else { return Ok(false) };
        self.finish_snapshot(task.run(), now)?;
        Ok(true)
    }

    /// Deletes the oldest snapshots, and the log before the snapshot after them, as long as log and snapshots
    /// are larger than `metadata.max.retention.bytes` or older than `metadata.max.retention.ms`. The newest
    /// snapshot always stays.
    pub fn trim(&mut self, now: Millis) -> Result<(), RaftError> {
        while let [oldest, next, ..] = self.snapshots[..] {
            let bytes = self.log.size() + self.snapshots.iter().map(|snapshot| snapshot.size).sum::<u64>();
            let age = now.saturating_sub(oldest.last_contained_log_timestamp);
            let too_large = self.config.max_retention_bytes.is_some_and(|limit| bytes > limit);
            let too_old = self.config.max_retention_ms.is_some_and(|limit| age > limit);
            if !too_large && !too_old {
                break;
            }
            // First the log's start, then the file: the log never begins at an offset without a snapshot.
            if self.log.advance_log_start_offset(next.id.end_offset)? {
                self.log.delete_old_segments(now)?;
            }
            let path = self.dir.join(oldest.id.file_name());
            self.disk.remove_file(&path).at("remove", &path)?;
            self.snapshots.remove(0);
        }
        Ok(self.log.take_due_deletions(now).iter().try_for_each(FileDeletion::run)?)
    }

    /// Gives up the leadership and closes the files. Everything appended is durable afterwards.
    pub fn close(mut self, now: Millis) -> Result<(), RaftError> {
        self.flush(now)?;
        self.quorum.step(now, Event::Resign);
        Ok(self.log.close(true, now)?)
    }
}
