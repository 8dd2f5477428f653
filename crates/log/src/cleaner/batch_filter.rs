//! What compaction makes of one batch, byte for byte what Kafka makes of it.

use std::collections::HashMap;

use barnabas_protocol::batch::{Batch, BatchError, BatchHeader};
use barnabas_protocol::batch_remainder::{empty, remainder, RemainderError};
use barnabas_protocol::record::{BatchRecords, Record};
use barnabas_protocol::{Millis, Offset, ProducerEpoch, ProducerId};

use super::offset_map::OffsetMap;
use crate::producer_state::ProducerState;

/// The last batch of each active producer: it stays, if need be without records, because it has the sequence
/// that the producer goes on from.
#[derive(Debug, Default)]
pub(crate) struct LastBatches(HashMap<ProducerId, (Option<Offset>, ProducerEpoch)>);

impl LastBatches {
    pub(crate) fn of(producers: &ProducerState) -> Self {
        let last = |entry: &crate::producer_state::ProducerEntry| {
            (entry.batches.back().map(|batch| batch.last_offset), entry.epoch)
        };
        Self(producers.producers().iter().map(|(id, entry)| (*id, last(entry))).collect())
    }

    fn contains(&self, header: &BatchHeader) -> bool {
        match self.0.get(&header.producer_id) {
            Some((Some(last_offset), _)) => header.last_offset() == *last_offset,
            // Its last batch is a marker, which has the epoch that fences older ones.
            Some((None, epoch)) => header.is_control() && header.producer_epoch == *epoch,
            None => false,
        }
    }
}

/// What is the same for all batches of a pass.
#[derive(Debug)]
pub(crate) struct BatchFilter<'a> {
    pub(crate) map: &'a OffsetMap,
    pub(crate) last_batches: &'a LastBatches,
    /// The pass ends before this offset; the last batch below it stays, so that the offset does not get lost.
    pub(crate) upper_bound: Offset,
    pub(crate) now: Millis,
    pub(crate) delete_retention_ms: Millis,
    /// Bytes that a batch may have after decompression.
    pub(crate) decompressed_bytes_max: usize,
}

/// What becomes of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Filtered {
    /// It stays as it is.
    Kept,
    /// These bytes take its place.
    Rewritten(Vec<u8>),
    /// It goes.
    Dropped,
}

impl BatchFilter<'_> {
    /// Decides one batch; `discardable` is what `PassedTransactions::pass` said of it.
    pub(crate) fn filter(&self, batch: &Batch<'_>, discardable: bool) -> Result<Filtered, RemainderError> {
        let header = &batch.header;
        let horizon = header.delete_horizon_ms();
        let discard = match header.is_control() {
            true => discardable && horizon.is_some_and(|horizon| horizon <= self.now),
            false => discardable,
        };
        let keep_empty = (header.has_producer_id() && self.last_batches.contains(header))
            || header.next_offset() == self.upper_bound;
        let none_left = || if keep_empty { Filtered::Rewritten(empty(header)) } else { Filtered::Dropped };
        if discard {
            return Ok(none_left());
        }
        let records = batch.records(self.decompressed_bytes_max)?;
        let kept = self.choose(header, &records)?;
        if kept.count == 0 {
            return Ok(none_left());
        }
        let sets_horizon = horizon.is_none() && (kept.tombstones || (discardable && header.is_control()));
        if kept.all && !sets_horizon {
            return Ok(Filtered::Kept);
        }
        let horizon =
            if sets_horizon { Some(self.now.saturating_add(self.delete_retention_ms)) } else { horizon };
        Ok(Filtered::Rewritten(remainder(header, &records, &kept.which, horizon)?))
    }

    fn choose(&self, header: &BatchHeader, records: &BatchRecords<'_>) -> Result<Kept, BatchError> {
        let mut kept = Kept { which: Vec::new(), count: 0, all: true, tombstones: false };
        for record in records {
            let record = record?;
            let stays = header.is_control() || self.stays(header, &record);
            kept.which.push(stays);
            kept.count += usize::from(stays);
            kept.all &= stays;
            kept.tombstones |= stays && record.value.is_none();
        }
        Ok(kept)
    }

    fn stays(&self, header: &BatchHeader, record: &Record<'_>) -> bool {
        if self.map.latest_offset().is_none_or(|latest| record.offset > latest) {
            return true; // Not looked at yet.
        }
        // A record without a key is nothing that a newer one could replace: a compacted log has no place for it.
        let Some(key) = record.key else { return false };
        let is_newest = self.map.get(key).is_none_or(|newest| record.offset >= newest);
        let in_time = header.delete_horizon_ms().is_none_or(|horizon| self.now < horizon);
        is_newest && (record.value.is_some() || in_time)
    }
}

/// Which records of a batch stay.
struct Kept {
    which: Vec<bool>,
    count: usize,
    all: bool,
    /// A tombstone is among them.
    tombstones: bool,
}

#[cfg(test)]
mod tests;
