//! `.index`: where in the segment an offset is found, for a batch about every `index.interval.bytes`.
//!
//! Entry: offset less the segment's base offset i32, position of the batch i32. The offset is the last one
//! of the batch.

use barnabas_protocol::Offset;

use crate::entry_file::EntryFile;
use crate::error::LogError;
use crate::place::{Place, CLEANED_INDEX, INDEX};

const ENTRY_BYTES: usize = 8;

/// The offset index of one segment.
#[derive(Debug)]
pub(crate) struct OffsetIndex {
    base_offset: Offset,
    pub(crate) entries: EntryFile<ENTRY_BYTES>,
}

/// An entry: the batch at `position` ends with `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OffsetPosition {
    pub(crate) offset: Offset,
    pub(crate) position: u64,
}

fn relative_offset(entry: &[u8; ENTRY_BYTES]) -> i64 {
    i32::from_be_bytes([entry[0], entry[1], entry[2], entry[3]]) as i64
}

fn position(entry: &[u8; ENTRY_BYTES]) -> u64 {
    u32::from_be_bytes([entry[4], entry[5], entry[6], entry[7]]) as u64
}

impl OffsetIndex {
    pub(crate) fn existing(base_offset: Offset) -> Self {
        Self { base_offset, entries: EntryFile::existing(base_offset, INDEX) }
    }

    pub(crate) fn empty(base_offset: Offset) -> Self {
        Self { base_offset, entries: EntryFile::empty(base_offset, INDEX) }
    }

    /// The index of a segment that compaction is writing.
    pub(crate) fn cleaned(base_offset: Offset) -> Self {
        Self { base_offset, entries: EntryFile::empty(base_offset, CLEANED_INDEX) }
    }

    fn decode(&self, entry: &[u8; ENTRY_BYTES]) -> OffsetPosition {
        OffsetPosition { offset: self.base_offset + relative_offset(entry), position: position(entry) }
    }

    /// Whether no entry has room in a file of `segment.index.bytes`.
    pub(crate) fn is_full(&self, place: &Place, segment_index_bytes: u32) -> Result<bool, LogError> {
        Ok(self.entries.len(place)? >= segment_index_bytes as usize / ENTRY_BYTES)
    }

    /// The last entry; the beginning of the segment when there is none.
    pub(crate) fn last(&self, place: &Place) -> Result<OffsetPosition, LogError> {
        let beginning = OffsetPosition { offset: self.base_offset, position: 0 };
        Ok(self.entries.last(place)?.map_or(beginning, |entry| self.decode(&entry)))
    }

    /// Notes that the batch at `position` ends with `offset`, in memory for now. `offset` is above that of
    /// the last entry and within `i32` of the base offset, `position` within `i32`.
    pub(crate) fn push(&mut self, offset: Offset, position: u64) {
        let mut entry = [0; ENTRY_BYTES];
        entry[..4].copy_from_slice(&((offset - self.base_offset) as i32).to_be_bytes());
        entry[4..].copy_from_slice(&(position as u32).to_be_bytes());
        self.entries.push(entry);
    }

    /// Whether the last entry is not behind `offset`, as far as that is known without a look at the file.
    pub(crate) fn is_known_to_end_before(&self, offset: Offset) -> bool {
        self.entries.known_last().is_some_and(|last| self.decode(&last).offset <= offset)
    }

    /// A position that is not behind the batch that contains `offset`: of the last entry with an offset up
    /// to it, or the beginning.
    pub(crate) fn position_before(&self, place: &Place, offset: Offset) -> Result<u64, LogError> {
        // Readers at the head of the log, the most frequent ones, need no search.
        let last = self.last(place)?;
        if last.offset <= offset {
            return Ok(last.position);
        }
        let relative = offset - self.base_offset;
        let count = self.entries.count_while(place, |entry| relative_offset(entry) <= relative)?;
        match count.checked_sub(1) {
            Some(index) => Ok(position(&self.entries.get(place, index)?)),
            None => Ok(0),
        }
    }

    /// Position of the last entry before `position`, or the beginning.
    pub(crate) fn entry_before(&self, place: &Place, before: u64) -> Result<u64, LogError> {
        let count = self.entries.count_while(place, |entry| position(entry) < before)?;
        match count.checked_sub(1) {
            Some(index) => Ok(position(&self.entries.get(place, index)?)),
            None => Ok(0),
        }
    }

    /// Offset of the first entry at or behind `position`: an upper bound for what lies before it.
    pub(crate) fn offset_after(&self, place: &Place, after: u64) -> Result<Option<Offset>, LogError> {
        let count = self.entries.count_while(place, |entry| position(entry) < after)?;
        if count == self.entries.len(place)? {
            return Ok(None);
        }
        Ok(Some(self.decode(&self.entries.get(place, count)?).offset))
    }

    /// Drops entries from `offset` on.
    pub(crate) fn truncate_to(&mut self, place: &Place, offset: Offset) -> Result<(), LogError> {
        let relative = offset - self.base_offset;
        let count = self.entries.count_while(place, |entry| relative_offset(entry) < relative)?;
        self.entries.truncate(place, count)
    }
}
