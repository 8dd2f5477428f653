//! Leaders of share partitions read whole batches, and hear when there is more to read.
//!
//! Always true: a watch that was set anew before a read misses nothing that the read did not see, and is told
//! of once until it is set anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use barnabas_log::AbortedTxn;
use barnabas_protocol::batch::{self, BatchError, BatchHeader};
use barnabas_protocol::{Millis, Offset, PartitionIndex, TopicId};
use parking_lot::Mutex;

use crate::broker::Broker;
use crate::coordinator::{CoordinatorEvent, CoordinatorEvents};
use crate::error_code;
use crate::list_offsets::Bound;
use crate::partition::{Partition, NO_EPOCH};
use crate::read::ReadFailure;
use crate::waiters::{Registration, Wake, Want};

/// A batch of [`ShareRead::bytes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareBatch {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// Where it ends in the bytes.
    pub end: usize,
    /// Whether it is part of a transaction that was aborted; known only of reads of committed records.
    pub aborted: bool,
}

/// What was read of a share partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShareRead {
    /// First offset of the log.
    pub log_start_offset: Offset,
    /// Where readers' sight ends: the high watermark, or the last stable offset.
    pub end_offset: Offset,
    /// Whole batches, one after another, from the one that holds the offset on.
    pub bytes: Vec<u8>,
    /// These batches.
    pub batches: Vec<ShareBatch>,
}

/// Share partitions whose growth is told.
#[derive(Default)]
pub(crate) struct ShareWatches {
    watched: Mutex<HashMap<(TopicId, PartitionIndex), Watch>>,
}

struct Watch {
    teller: Arc<Teller>,
    /// Stands in the partition's list for as long as it lives.
    _registration: Registration,
}

struct Teller {
    topic_id: TopicId,
    index: PartitionIndex,
    told: AtomicBool,
    events: Arc<dyn CoordinatorEvents>,
}

impl Wake for Teller {
    fn wake(&self) {
        if !self.told.swap(true, Ordering::AcqRel) {
            let (topic_id, index) = (self.topic_id, self.index);
            self.events.tell(CoordinatorEvent::Readable { topic_id, index });
        }
    }
}

impl Broker {
    /// Reads whole batches from the one that holds `offset` on: about `bytes_max` bytes and at least one
    /// batch, as far as consumers may see; with `committed` up to the last stable offset.
    pub fn read_for_share(
        &self,
        topic_id: TopicId,
        index: PartitionIndex,
        offset: Offset,
        bytes_max: usize,
        committed: bool,
    ) -> Result<ShareRead, i16> {
        let partition = self.partition(topic_id, index)?;
        let read = partition.read_for_share(offset, bytes_max, committed);
        read.map_err(|failure| self.code_of(&partition, failure))
    }

    /// The offset that a consumer's ListOffsets finds for a timestamp (-1 the end, -2 the start); -1 for none.
    pub fn share_offset(
        &self,
        topic_id: TopicId,
        index: PartitionIndex,
        timestamp: Millis,
        committed: bool,
    ) -> Result<Offset, i16> {
        let partition = self.partition(topic_id, index)?;
        let bound = if committed { Bound::LastStableOffset } else { Bound::HighWatermark };
        let found = partition.list_offset(timestamp, NO_EPOCH, bound);
        found.map(|found| found.offset).map_err(|failure| self.code_of(&partition, failure))
    }

    /// Has [`CoordinatorEvent::Readable`] told once there is more to read than now.
    pub fn watch_for_share(&self, topic_id: TopicId, index: PartitionIndex) -> Result<(), i16> {
        let partition = self.partition(topic_id, index)?;
        let mut watched = self.share_watches.watched.lock();
        if let Some(watch) = watched.get(&(topic_id, index)) {
            watch.teller.told.store(false, Ordering::Release);
            return Ok(());
        }
        let (told, events) = (AtomicBool::new(false), self.events.clone());
        let teller = Arc::new(Teller { topic_id, index, told, events });
        let mut registration = Registration::new(teller.clone(), 1);
        registration.wait(partition, Want::Bytes);
        watched.insert((topic_id, index), Watch { teller, _registration: registration });
        Ok(())
    }

    /// Nobody wants to hear of the partition any more.
    pub fn unwatch_for_share(&self, topic_id: TopicId, index: PartitionIndex) {
        let watch = self.share_watches.watched.lock().remove(&(topic_id, index));
        drop(watch);
    }
}

impl Partition {
    fn read_for_share(
        &self,
        offset: Offset,
        bytes_max: usize,
        committed: bool,
    ) -> Result<ShareRead, ReadFailure> {
        let (mut read, slice, aborted) = {
            let role = self.role.read();
            role.leader(NO_EPOCH)?;
            let log = self.log.load();
            let log = log.read();
            let end_offset = if committed { log.last_stable_offset() } else { log.high_watermark() };
            let log_start_offset = log.log_start_offset();
            let read = ShareRead { log_start_offset, end_offset, ..ShareRead::default() };
            if offset < log_start_offset || offset > log.log_end_offset() {
                return Err(error_code::OFFSET_OUT_OF_RANGE.into());
            }
            let found = log.read(offset, bytes_max, end_offset, true)?;
            let aborted = match committed {
                true => log.aborted_transactions(offset, log.read_end_offset(&found)?.min(end_offset))?,
                false => Vec::new(),
            };
            match found.slice {
                Some(slice) => (read, slice, aborted),
                None => return Ok(read),
            }
        };
        // The file stays open for as long as the slice is held, whatever becomes of the segment.
        read.bytes = slice.read().map_err(|error| {
            log::error!("{self:?} can't be read at offset {offset}: {error}");
            error_code::KAFKA_STORAGE_ERROR
        })?;
        read.batches = whole_batches(&read.bytes, &aborted).map_err(|error| {
            log::error!("{self:?} has a batch at offset {offset} or behind it that can't be read: {error}");
            error_code::CORRUPT_MESSAGE
        })?;
        read.bytes.truncate(read.batches.last().map_or(0, |batch| batch.end));
        Ok(read)
    }
}

fn whole_batches(bytes: &[u8], aborted: &[AbortedTxn]) -> Result<Vec<ShareBatch>, BatchError> {
    let mut found = Vec::new();
    let mut end = 0;
    for batch in batch::batches(bytes) {
        let header = match batch {
            Ok(batch) => batch.header,
            Err(BatchError::Truncated { .. }) => break,
            Err(error) => return Err(error),
        };
        end += header.size();
        found.push(ShareBatch {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            end,
            aborted: is_aborted(&header, aborted),
        });
    }
    Ok(found)
}

fn is_aborted(header: &BatchHeader, aborted: &[AbortedTxn]) -> bool {
    header.is_transactional()
        && !header.is_control()
        && aborted.iter().any(|transaction| {
            transaction.producer_id == header.producer_id
                && (transaction.first_offset..=transaction.last_offset).contains(&header.base_offset)
        })
}
