//! Appending batches, and beginning new segments.

use std::io::IoSlice;

use barnabas_protocol::batch::{Batch, BatchError, BatchHeader, HEADER_SIZE, NO_TIMESTAMP};
use barnabas_protocol::control::ControlRecordType;
use barnabas_protocol::{LeaderEpoch, Millis, Offset};
use smallvec::SmallVec;

use crate::error::{AppendError, LogError};
use crate::log::Log;
use crate::producer_snapshot;
use crate::producer_state::EndTxnMarker;
use crate::segment::Segment;
use crate::transaction_index::{self, AbortedTxn};

/// Decompressed bytes that a control batch may have; markers take less than a hundred.
const CONTROL_BATCH_BYTES_MAX: usize = 64 * 1024;

/// One batch to append: `header` as `Validated::header_bytes` gives it, and what follows it.
#[derive(Debug, Clone, Copy)]
pub struct AppendBatch<'a> {
    /// The header, with base offset and leader epoch as they are to be.
    pub header: [u8; HEADER_SIZE],
    /// The records section.
    pub records: &'a [u8],
}

impl<'a> AppendBatch<'a> {
    /// The batch at the beginning of `bytes`, as it lies there.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let batch = Batch::parse(bytes)?;
        Ok(Self { header: batch.header.to_bytes(), records: batch.records_bytes() })
    }
}

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendInfo {
    /// First offset.
    pub first_offset: Offset,
    /// Last offset.
    pub last_offset: Offset,
    /// Largest timestamp of the batches, -1 when they have none.
    pub max_timestamp: Millis,
    /// Where readers begin.
    pub log_start_offset: Offset,
    /// Bytes written.
    pub bytes: usize,
    /// Whether a new segment was begun.
    pub rolled: bool,
}

/// A batch on its way into the log.
struct Incoming<'a> {
    header: BatchHeader,
    records: &'a [u8],
    /// Present in control batches of a producer.
    marker: Option<(EndTxnMarker, Millis)>,
}

impl Incoming<'_> {
    fn new<'a>(header: BatchHeader, records: &'a [u8]) -> Incoming<'a> {
        let marker = (header.is_control() && header.has_producer_id())
            .then(|| end_txn_marker(&header, records))
            .flatten();
        Incoming { header, records, marker }
    }
}

/// The marker that a control batch holds, and its timestamp; None when it holds another control record.
pub(crate) fn end_txn_marker(header: &BatchHeader, records: &[u8]) -> Option<(EndTxnMarker, Millis)> {
    let bytes = [&header.to_bytes()[..], records].concat();
    let records = Batch::parse(&bytes).ok()?.records(CONTROL_BATCH_BYTES_MAX).ok()?;
    let record = records.iter().next()?.ok()?;
    let committed = match ControlRecordType::from_key(record.key?)? {
        ControlRecordType::Commit => true,
        ControlRecordType::Abort => false,
        _ => return None,
    };
    // version i16, coordinator epoch i32; later versions only add to it.
    let value = record.value?;
    let epoch = value.get(2..6)?;
    let coordinator_epoch = i32::from_be_bytes([epoch[0], epoch[1], epoch[2], epoch[3]]);
    Some((EndTxnMarker { committed, coordinator_epoch }, record.timestamp))
}

impl Log {
    /// Appends batches that were checked and whose headers have their leader epoch and base offset: dense,
    /// from `log_end_offset()` on.
    pub fn append_as_leader(
        &mut self,
        batches: &[AppendBatch<'_>],
        now: Millis,
    ) -> Result<AppendInfo, AppendError> {
        // One batch at a time is what a leader appends, as a rule.
        let mut incoming: SmallVec<[Incoming<'_>; 1]> = SmallVec::new();
        let mut expected = self.log_end_offset;
        for batch in batches {
            let header = BatchHeader::parse(&batch.header)?;
            let (need, have) = (header.size(), HEADER_SIZE + batch.records.len());
            if need != have {
                return Err(BatchError::Truncated { need, have }.into());
            }
            if header.base_offset != expected || header.last_offset_delta < 0 {
                return Err(AppendError::Offset { offset: header.base_offset, expected });
            }
            expected = header.next_offset();
            incoming.push(Incoming::new(header, batch.records));
        }
        self.append(&incoming, now)
    }

    /// Appends batches as another replica wrote them. Their checksums are verified; offsets may have gaps but
    /// grow. Bytes behind the last whole batch are ignored: a Fetch may end inside one.
    pub fn append_as_follower(&mut self, records: &[u8], now: Millis) -> Result<AppendInfo, AppendError> {
        let mut incoming = Vec::new();
        let mut expected = self.log_end_offset;
        for batch in barnabas_protocol::batch::batches(records) {
            let batch = match batch {
                Ok(batch) => batch,
                Err(BatchError::Truncated { .. }) => break,
                Err(error) => return Err(error.into()),
            };
            let (stored, computed) = (batch.header.crc, batch.computed_crc());
            if stored != computed {
                return Err(BatchError::Crc { stored, computed }.into());
            }
            if batch.header.base_offset < expected || batch.header.last_offset_delta < 0 {
                return Err(AppendError::Offset { offset: batch.header.base_offset, expected });
            }
            expected = batch.header.next_offset();
            incoming.push(Incoming::new(batch.header, batch.records_bytes()));
        }
        self.append(&incoming, now)
    }

    fn append(&mut self, batches: &[Incoming<'_>], now: Millis) -> Result<AppendInfo, AppendError> {
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else {
            return Ok(self.nothing_appended());
        };
        let bytes: usize = batches.iter().map(|batch| batch.header.size()).sum();
        if bytes as u64 > self.config.segment_bytes {
            return Err(AppendError::RecordListTooLarge { size: bytes, limit: self.config.segment_bytes });
        }
        let (first_offset, last_offset) = (first.header.base_offset, last.header.last_offset());
        let max_timestamp =
            batches.iter().map(|batch| batch.header.max_timestamp).max().unwrap_or(NO_TIMESTAMP);
        let rolled = self.must_roll(bytes as u64, max_timestamp, last_offset, now)?;
        if rolled {
            self.roll_at(first_offset.max(self.log_end_offset), now)?;
        }
        if !self.active().can_hold(last_offset) {
            return Err(AppendError::Offset { offset: last_offset, expected: first_offset });
        }
        // First, for an epoch without records does no harm, and records without their epoch would.
        self.note_leader_epochs(batches)?;
        self.write(batches)?;
        self.log_end_offset = last_offset + 1;
        self.note_producers(batches)?;
        let log_start_offset = self.log_start_offset;
        Ok(AppendInfo { first_offset, last_offset, max_timestamp, log_start_offset, bytes, rolled })
    }

    fn nothing_appended(&self) -> AppendInfo {
        AppendInfo {
            first_offset: self.log_end_offset,
            last_offset: self.log_end_offset - 1,
            max_timestamp: NO_TIMESTAMP,
            log_start_offset: self.log_start_offset,
            bytes: 0,
            rolled: false,
        }
    }

    fn write(&mut self, batches: &[Incoming<'_>]) -> Result<(), LogError> {
        let headers: SmallVec<[BatchHeader; 1]> = batches.iter().map(|batch| batch.header).collect();
        let bytes: SmallVec<[[u8; HEADER_SIZE]; 1]> = headers.iter().map(BatchHeader::to_bytes).collect();
        let mut parts: SmallVec<[IoSlice<'_>; 2]> = SmallVec::new();
        for (header, batch) in bytes.iter().zip(batches) {
            parts.push(IoSlice::new(header));
            parts.push(IoSlice::new(batch.records));
        }
        let interval = self.config.index_interval_bytes;
        let last = self.segments.len() - 1;
        self.segments[last].append(&self.place, &parts, &headers, interval)
    }

    fn note_leader_epochs(&mut self, batches: &[Incoming<'_>]) -> Result<(), LogError> {
        let mut changed = false;
        for batch in batches {
            changed |= self.epochs.assign(batch.header.partition_leader_epoch, batch.header.base_offset);
        }
        if changed {
            self.write_leader_epochs()?;
        }
        Ok(())
    }

    fn note_producers(&mut self, batches: &[Incoming<'_>]) -> Result<(), LogError> {
        let base_offset = self.active().base_offset;
        for batch in batches {
            self.verifications.appended(&batch.header);
            let aborted = note_producer(&mut self.producers, &batch.header, batch.marker.as_ref());
            if let Some(aborted) = aborted {
                transaction_index::append(&self.place, base_offset, aborted)?;
                let last = self.segments.len() - 1;
                self.segments[last].index_changes += 1;
            }
        }
        Ok(())
    }

    /// Notes that `epoch` begins at `start_offset`: a leader does so when it takes office.
    pub fn assign_epoch(&mut self, epoch: LeaderEpoch, start_offset: Offset) -> Result<(), LogError> {
        if self.epochs.assign(epoch, start_offset) {
            self.write_leader_epochs()?;
        }
        Ok(())
    }

    /// Whether batches of so many bytes must go into a new segment.
    fn must_roll(
        &self,
        bytes: u64,
        max_timestamp: Millis,
        last_offset: Offset,
        now: Millis,
    ) -> Result<bool, LogError> {
        let (active, config, place) = (self.active(), &self.config, &self.place);
        if active.size == 0 {
            return Ok(!active.can_hold(last_offset) && active.base_offset < self.log_end_offset);
        }
        Ok(active.size + bytes > config.segment_bytes
            || active.age(place, now, max_timestamp)? > config.segment_ms_max() - self.segment_jitter_ms()
            || !active.can_hold(last_offset)
            || active.offset_index.is_full(place, config.segment_index_bytes)?
            || active.time_index.is_full(place, config.segment_index_bytes)?)
    }

    /// What is taken off `segment.ms` for the active segment: the same each time it is asked for, but
    /// different from log to log and from segment to segment.
    fn segment_jitter_ms(&self) -> Millis {
        let most = self.config.segment_jitter_ms.min(self.config.segment_ms_max());
        if most <= 0 {
            return 0;
        }
        let seed = format!("{}-{}@{}", self.topic, self.partition, self.active().base_offset);
        barnabas_protocol::crc::crc32c(seed.as_bytes()) as Millis % most
    }

    /// Begins a new segment at the log's end. Nothing happens when the active segment is empty already.
    pub fn roll(&mut self, now: Millis) -> Result<(), LogError> {
        match self.active().size {
            0 if self.active().base_offset == self.log_end_offset => Ok(()),
            _ => self.roll_at(self.log_end_offset, now),
        }
    }

    /// Begins a new segment at `base_offset`, which is not below the log's end.
    pub(crate) fn roll_at(&mut self, base_offset: Offset, now: Millis) -> Result<(), LogError> {
        let preallocate = self.config.preallocate;
        let last = self.segments.len() - 1;
        self.segments[last].complete(&self.place, preallocate)?;
        if base_offset <= self.told_recovery_point {
            // Recovery has written this segment's indexes anew, and the next one would begin behind it.
            self.flush_everything(now)?;
        }
        let segment =
            Segment::create(&self.place, base_offset, preallocate.then_some(self.config.segment_bytes), now)?;
        self.segments.push(segment);
        self.changes.note_completed();
        self.unsynced.changed().directory = true;
        self.log_end_offset = self.log_end_offset.max(base_offset);
        self.take_snapshot(base_offset)
    }

    /// Writes the producers as of `offset`, unless that was done already.
    pub(crate) fn take_snapshot(&mut self, offset: Offset) -> Result<(), LogError> {
        if self.snapshots.last().copied().unwrap_or(0) >= offset {
            return Ok(());
        }
        let path = self.place.path(offset, crate::place::SNAPSHOT);
        let bytes = producer_snapshot::encode(self.producers.producers())
            .map_err(|error| LogError::corrupt(&path, 0, error.to_string()))?;
        self.place.replace_unsynced(&path, &bytes)?;
        self.snapshots.push(offset);
        self.unsynced.changed().snapshots.push(offset);
        Ok(())
    }

    /// Writes `leader-epoch-checkpoint`; the next flush syncs it.
    pub(crate) fn write_leader_epochs(&mut self) -> Result<(), LogError> {
        let path = self.place.dir.join(crate::checkpoints::LEADER_EPOCHS);
        self.place.replace_unsynced(&path, crate::checkpoints::format_epochs(&self.epochs).as_bytes())?;
        self.unsynced.changed().leader_epochs = true;
        Ok(())
    }
}

/// Brings `producers` up to a batch. Returns the transaction that the batch aborted.
pub(crate) fn note_producer(
    producers: &mut crate::producer_state::ProducerState,
    header: &BatchHeader,
    marker: Option<&(EndTxnMarker, Millis)>,
) -> Option<AbortedTxn> {
    if !header.has_producer_id() {
        return None;
    }
    if !header.is_control() {
        producers.note_batch(header);
        return None;
    }
    let (marker, timestamp) = marker?;
    let completed = producers.note_end_txn(header, marker, *timestamp)?;
    completed.aborted.then(|| AbortedTxn {
        producer_id: completed.producer_id,
        first_offset: completed.first_offset,
        last_offset: completed.last_offset,
        last_stable_offset: producers.last_stable_offset_after(&completed),
    })
}
