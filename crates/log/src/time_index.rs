//! `.timeindex`: the largest timestamp so far and the offset of the batch that has it, noted with each entry
//! of the offset index and when the segment is closed.
//!
//! Entry: timestamp i64, offset less the segment's base offset i32. Timestamps grow from entry to entry.

use barnabas_protocol::batch::NO_TIMESTAMP;
use barnabas_protocol::{Millis, Offset};

use crate::entry_file::EntryFile;
use crate::error::LogError;
use crate::place::{Place, CLEANED_TIME_INDEX, TIME_INDEX};

const ENTRY_BYTES: usize = 12;

/// The time index of one segment.
#[derive(Debug)]
pub(crate) struct TimeIndex {
    base_offset: Offset,
    pub(crate) entries: EntryFile<ENTRY_BYTES>,
}

/// The largest timestamp up to some place, and the last offset of the batch that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaxTimestamp {
    pub(crate) timestamp: Millis,
    pub(crate) offset: Offset,
}

fn timestamp(entry: &[u8; ENTRY_BYTES]) -> Millis {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&entry[..8]);
    i64::from_be_bytes(bytes)
}

fn relative_offset(entry: &[u8; ENTRY_BYTES]) -> i64 {
    i32::from_be_bytes([entry[8], entry[9], entry[10], entry[11]]) as i64
}

impl TimeIndex {
    pub(crate) fn existing(base_offset: Offset) -> Self {
        Self { base_offset, entries: EntryFile::existing(base_offset, TIME_INDEX) }
    }

    pub(crate) fn empty(base_offset: Offset) -> Self {
        Self { base_offset, entries: EntryFile::empty(base_offset, TIME_INDEX) }
    }

    /// The index of a segment that compaction is writing.
    pub(crate) fn cleaned(base_offset: Offset) -> Self {
        Self { base_offset, entries: EntryFile::empty(base_offset, CLEANED_TIME_INDEX) }
    }

    /// Whether no entry has room in a file of `segment.index.bytes`; the last place is kept for closing.
    pub(crate) fn is_full(&self, place: &Place, segment_index_bytes: u32) -> Result<bool, LogError> {
        Ok(self.entries.len(place)? + 1 >= segment_index_bytes as usize / ENTRY_BYTES)
    }

    /// The last entry; no timestamp at the base offset when there is none.
    pub(crate) fn last(&self, place: &Place) -> Result<MaxTimestamp, LogError> {
        let none = MaxTimestamp { timestamp: NO_TIMESTAMP, offset: self.base_offset };
        Ok(self.entries.last(place)?.map_or(none, |entry| MaxTimestamp {
            timestamp: timestamp(&entry),
            offset: self.base_offset + relative_offset(&entry),
        }))
    }

    /// Notes the largest timestamp so far, in memory for now, unless the last entry has it already.
    pub(crate) fn maybe_push(&mut self, place: &Place, max: MaxTimestamp) -> Result<(), LogError> {
        if max.timestamp > self.last(place)?.timestamp {
            let mut entry = [0; ENTRY_BYTES];
            entry[..8].copy_from_slice(&max.timestamp.to_be_bytes());
            entry[8..].copy_from_slice(&((max.offset - self.base_offset) as i32).to_be_bytes());
            self.entries.push(entry);
        }
        Ok(())
    }

    /// The last entry with a timestamp up to `wanted`.
    pub(crate) fn entry_before(
        &self,
        place: &Place,
        wanted: Millis,
    ) -> Result<Option<MaxTimestamp>, LogError> {
        let count = self.entries.count_while(place, |entry| timestamp(entry) <= wanted)?;
        match count.checked_sub(1) {
            Some(index) => {
                let entry = self.entries.get(place, index)?;
                let offset = self.base_offset + relative_offset(&entry);
                Ok(Some(MaxTimestamp { timestamp: timestamp(&entry), offset }))
            }
            None => Ok(None),
        }
    }

    /// Drops entries from `offset` on.
    pub(crate) fn truncate_to(&mut self, place: &Place, offset: Offset) -> Result<(), LogError> {
        let relative = offset - self.base_offset;
        let count = self.entries.count_while(place, |entry| relative_offset(entry) < relative)?;
        self.entries.truncate(place, count)
    }
}
