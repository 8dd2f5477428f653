//! Finding offsets by time, for ListOffsets.

use barnabas_protocol::batch::Batch;
use barnabas_protocol::{LeaderEpoch, Millis, Offset};

use crate::batch_scan::ScanError;
use crate::error::LogError;
use crate::log::Log;
use crate::segment::Segment;

/// An offset found by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampedOffset {
    /// Timestamp of the record.
    pub timestamp: Millis,
    /// Its offset.
    pub offset: Offset,
    /// Epoch of the leader that wrote it, -1 if unknown.
    pub leader_epoch: LeaderEpoch,
}

impl Log {
    /// The first record whose timestamp is at least `timestamp`.
    pub fn offset_for_timestamp(&self, timestamp: Millis) -> Result<Option<TimestampedOffset>, LogError> {
        for (index, segment) in self.segments.iter().enumerate() {
            if segment.max_timestamp(&self.place)?.timestamp < timestamp {
                continue;
            }
            let from = segment.offset_before_timestamp(&self.place, timestamp)?.max(self.log_start_offset);
            let Some((position, _)) = self.find(index, from)? else { continue };
            let wanted = |found: &TimestampedOffset| {
                found.timestamp >= timestamp && found.offset >= self.log_start_offset
            };
            if let Some(found) = self.first_record(segment, position, timestamp, wanted)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first of the records with the largest timestamp; where none has any, the first record, as in Kafka.
    pub fn max_timestamp(&self) -> Result<Option<TimestampedOffset>, LogError> {
        let mut latest: Option<(usize, Millis, Offset)> = None;
        for (index, segment) in self.segments.iter().enumerate() {
            let max = segment.max_timestamp(&self.place)?;
            if latest.is_none_or(|(_, timestamp, _)| max.timestamp > timestamp) {
                latest = Some((index, max.timestamp, max.offset));
            }
        }
        let Some((index, timestamp, offset)) = latest else { return Ok(None) };
        let position = self.find(index, offset)?.map_or(0, |(position, _)| position);
        let segment = &self.segments[index];
        let wanted = |found: &TimestampedOffset| found.timestamp == timestamp;
        match self.first_record(segment, position, timestamp, wanted)? {
            // It must be there: a damaged batch has led astray, and is met on the way.
            None => self.first_record(segment, 0, timestamp, wanted),
            found => Ok(found),
        }
    }

    /// The first record from `position` on that is `wanted`; batches below `timestamp` are passed over.
    fn first_record(
        &self,
        segment: &Segment,
        position: u64,
        timestamp: Millis,
        wanted: impl Fn(&TimestampedOffset) -> bool,
    ) -> Result<Option<TimestampedOffset>, LogError> {
        let next_base = self.segment_index(segment.base_offset).map_or(0, |index| self.next_base(index));
        let mut scan = segment.scan(&self.place, position)?;
        loop {
            let position = scan.position();
            let next =
                scan.next_header().map_err(|error| segment.scan_error(&self.place, position, error))?;
            let Some((position, header)) = next else { return Ok(None) };
            // A header that is damaged must not be passed over either.
            segment.verify(&self.place, &self.epochs, position, position + 1, next_base)?;
            if header.max_timestamp < timestamp {
                continue;
            }
            let mut bytes = vec![0; header.size()];
            let file = segment.file(&self.place)?;
            let read = file.read_exact_at(&mut bytes, position).map_err(ScanError::Io);
            let found = read.and_then(|()| self.record_in(&bytes, &wanted));
            if let Some(found) = found.map_err(|error| segment.scan_error(&self.place, position, error))? {
                return Ok(Some(found));
            }
        }
    }

    fn record_in(
        &self,
        bytes: &[u8],
        wanted: &impl Fn(&TimestampedOffset) -> bool,
    ) -> Result<Option<TimestampedOffset>, ScanError> {
        let batch = Batch::parse(bytes)?;
        let records = batch.records(self.config.max_decompressed_message_bytes)?;
        for record in &records {
            let record = record.map_err(barnabas_protocol::batch::BatchError::from)?;
            let found = TimestampedOffset {
                timestamp: record.timestamp,
                offset: record.offset,
                leader_epoch: batch.header.partition_leader_epoch,
            };
            if wanted(&found) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
