//! One segment: batches in a `.log` file, with its indexes.
//!
//! Always true:
//!   offsets of the batches grow and lie within `i32` of the base offset
//!   `size` is the length of what was written whole; bytes of the file behind it are never served
//!   no file is open before it is needed

use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use barnabas_disk::{File, LazyFile, Open};
use barnabas_protocol::batch::BatchHeader;
use barnabas_protocol::{Millis, Offset};

use crate::batch_scan::{BatchScan, ScanError};
use crate::error::{At, LogError};
use crate::log_files::SegmentFiles;
use crate::offset_index::OffsetIndex;
use crate::place::{Place, LOG};
use crate::recent::RecentBatches;
use crate::time_index::{MaxTimestamp, TimeIndex};
use crate::verified::Verified;

/// Space is taken ahead of appends once a segment is larger than this: a log of few records takes none.
const RESERVE_FROM_BYTES: u64 = 4 << 20;
/// Space taken at a time: as much as the segment holds, up to this.
const RESERVE_BYTES_MAX: u64 = 64 << 20;

/// One segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: Offset,
    /// Bytes of batches.
    pub(crate) size: u64,
    /// When it was created, or opened.
    pub(crate) created: Millis,
    /// Whether the files are as `complete` leaves them.
    pub(crate) is_complete: bool,
    /// Counts changes of the indexes; how many of them are on disk.
    pub(crate) index_changes: u64,
    pub(crate) index_changes_synced: u64,
    /// Kind of its `.log` file, which has a suffix while compaction puts the segment in place.
    log_kind: &'static str,
    file: LazyFile,
    pub(crate) verified: Verified,
    pub(crate) offset_index: OffsetIndex,
    pub(crate) time_index: TimeIndex,
    bytes_since_index_entry: u64,
    recent: RecentBatches,
    /// Where the space ends that was taken ahead; 0 when none was, or none is left.
    reserved: u64,
    /// Largest timestamp of the first batch, which the age of the segment counts from.
    first_timestamp: OnceLock<Millis>,
    max_timestamp: OnceLock<MaxTimestamp>,
}

impl Segment {
    /// A segment whose files exist; `size` is the length of its `.log` file.
    pub(crate) fn existing(base_offset: Offset, size: u64, now: Millis) -> Self {
        Self {
            base_offset,
            size,
            created: now,
            is_complete: false,
            index_changes: 0,
            index_changes_synced: 0,
            log_kind: LOG,
            file: LazyFile::new(),
            verified: Verified::new(size),
            offset_index: OffsetIndex::existing(base_offset),
            time_index: TimeIndex::existing(base_offset),
            bytes_since_index_entry: 0,
            recent: RecentBatches::default(),
            reserved: 0,
            first_timestamp: OnceLock::new(),
            max_timestamp: OnceLock::new(),
        }
    }

    /// A segment that a directory holds. Index files that are not there are not looked for.
    pub(crate) fn found(files: &SegmentFiles, size: u64, now: Millis) -> Self {
        let mut segment = Self::existing(files.base_offset, size, now);
        if !files.offset_index {
            segment.offset_index = OffsetIndex::empty(files.base_offset);
        }
        if !files.time_index {
            segment.time_index = TimeIndex::empty(files.base_offset);
        }
        segment
    }

    /// The node was killed: there may be space behind the end that was taken ahead.
    pub(crate) fn reclaim_reserved(&mut self) {
        self.reserved = self.size + 1;
    }

    /// Takes space ahead of appends. The file system then places a long run of blocks in one step, instead of
    /// some for each append, which costs a third of the time of an append and more of its CPU.
    fn reserve(&mut self, file: &dyn File, bytes: u64) {
        let end = self.size + bytes;
        if end <= self.reserved.max(RESERVE_FROM_BYTES) {
            return;
        }
        let ahead = self.size.clamp(RESERVE_FROM_BYTES, RESERVE_BYTES_MAX);
        file.reserve(end, ahead);
        self.reserved = end + ahead;
    }

    /// Creates an empty segment. Its index files appear with their first entries.
    pub(crate) fn create(
        place: &Place,
        base_offset: Offset,
        preallocate: Option<u64>,
        now: Millis,
    ) -> Result<Self, LogError> {
        let segment = Self {
            offset_index: OffsetIndex::empty(base_offset),
            time_index: TimeIndex::empty(base_offset),
            max_timestamp: OnceLock::from(MaxTimestamp { timestamp: -1, offset: base_offset }),
            ..Self::existing(base_offset, 0, now)
        };
        let path = segment.path(place);
        let file = place.disk().open(&path, Open::CreateNew).at("create", &path)?;
        if let Some(length) = preallocate {
            file.set_len(length).at("extend", &path)?;
        }
        Ok(segment)
    }

    pub(crate) fn path(&self, place: &Place) -> PathBuf {
        place.path(self.base_offset, self.log_kind)
    }

    /// The `.log` file.
    pub(crate) fn file(&self, place: &Place) -> Result<Arc<dyn File>, LogError> {
        self.file.get(&place.files, Open::Write, || self.path(place)).at_path("open", || self.path(place))
    }

    /// Whether `offset` can be written relative to the base offset.
    pub(crate) fn can_hold(&self, offset: Offset) -> bool {
        (0..=i32::MAX as i64).contains(&(offset - self.base_offset))
    }

    /// The largest timestamp of the segment.
    pub(crate) fn max_timestamp(&self, place: &Place) -> Result<MaxTimestamp, LogError> {
        if let Some(max) = self.max_timestamp.get() {
            return Ok(*max);
        }
        let mut max = self.time_index.last(place)?;
        if self.size > 0 && !self.has_timestamp(place, max)? {
            let path = self.time_index.entries.path(place);
            log::warn!("{} does not agree with its segment; reading the batches", path.display());
            max =
                self.scan_max_timestamp(place, 0, MaxTimestamp { timestamp: -1, offset: self.base_offset })?;
        }
        Ok(*self.max_timestamp.get_or_init(|| max))
    }

    /// Whether an entry of the time index is true: the batch that holds its offset has its timestamp. Without
    /// one, no batch has any.
    fn has_timestamp(&self, place: &Place, entry: MaxTimestamp) -> Result<bool, LogError> {
        match self.find(place, entry.offset) {
            Ok(Some((_, header))) if entry.timestamp < 0 => Ok(header.max_timestamp < 0),
            Ok(Some((position, header))) => {
                let same = header.max_timestamp == entry.timestamp && header.base_offset <= entry.offset;
                Ok(same || !self.is_right_at(place, position)?)
            }
            Ok(None) => Ok(false),
            // The batch is damaged, not the index.
            Err(LogError::Corrupt { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Whether the batch at `position` has the checksum that it should.
    fn is_right_at(&self, place: &Place, position: u64) -> Result<bool, LogError> {
        match self.scan(place, position)?.next_batch() {
            Ok(batch) => Ok(batch.is_some_and(|(_, batch)| batch.crc_is_valid())),
            Err(ScanError::Batch(_)) => Ok(false),
            Err(error) => Err(self.scan_error(place, position, error)),
        }
    }

    /// Offset from which on a record with at least this timestamp may be found.
    pub(crate) fn offset_before_timestamp(&self, place: &Place, wanted: Millis) -> Result<Offset, LogError> {
        match self.time_index.entry_before(place, wanted)? {
            Some(entry) if entry.timestamp >= 0 && self.has_timestamp(place, entry)? => Ok(entry.offset),
            _ => Ok(self.base_offset),
        }
    }

    /// The timestamp that retention goes by: the largest, or when the segment was created or opened if no
    /// record has any.
    pub(crate) fn retention_timestamp(&self, place: &Place) -> Result<Millis, LogError> {
        let max = self.max_timestamp(place)?.timestamp;
        Ok(if max >= 0 { max } else { self.created })
    }

    /// Largest timestamp of the first batch, if there is one.
    pub(crate) fn first_timestamp(&self, place: &Place) -> Result<Option<Millis>, LogError> {
        if self.size > 0 && self.first_timestamp.get().is_none() {
            let first =
                self.scan(place, 0)?.next_header().map_err(|error| self.scan_error(place, 0, error))?;
            if let Some((_, header)) = first {
                self.first_timestamp.get_or_init(|| header.max_timestamp);
            }
        }
        Ok(self.first_timestamp.get().copied())
    }

    /// How long the segment has been open for, if a batch with `timestamp` were next.
    pub(crate) fn age(&self, place: &Place, now: Millis, timestamp: Millis) -> Result<Millis, LogError> {
        Ok(match self.first_timestamp(place)? {
            Some(first) if first >= 0 => timestamp.saturating_sub(first),
            _ => now.saturating_sub(self.created),
        })
    }

    /// Walks over the batches from `position`, where one begins.
    pub(crate) fn scan(&self, place: &Place, position: u64) -> Result<BatchScan, LogError> {
        Ok(BatchScan::new(self.file(place)?, position, self.size))
    }

    /// Turns what a walk met into an error of this log.
    pub(crate) fn scan_error(&self, place: &Place, position: u64, error: ScanError) -> LogError {
        let path = self.path(place);
        match error {
            ScanError::Io(source) => LogError::Storage { action: "read", path, source },
            ScanError::Batch(reason) => LogError::corrupt(&path, position, reason.to_string()),
        }
    }

    /// Writes batches at the end. When the write fails, the segment is as before.
    pub(crate) fn append(
        &mut self,
        place: &Place,
        parts: &[IoSlice<'_>],
        batches: &[BatchHeader],
        index_interval_bytes: u64,
    ) -> Result<(), LogError> {
        let file = self.file(place)?;
        // Asked for first, so that nothing can fail once the bytes are there.
        self.max_timestamp(place)?;
        self.time_index.last(place)?;
        self.reserve(&*file, parts.iter().map(|part| part.len() as u64).sum());
        if let Err(source) = file.write_vectored_at(parts, self.size) {
            // What was written of it lies behind `size`, so it is not served; a disk that refuses to cut it
            // off too leaves that to recovery.
            if let Err(error) = file.set_len(self.size) {
                log::warn!("{}: cannot cut a failed append off: {error}", self.path(place).display());
            }
            return Err(LogError::Storage { action: "write", path: self.path(place), source });
        }
        for header in batches {
            self.recent.push(self.size, header);
            self.note(place, header, index_interval_bytes)?;
        }
        if self.offset_index.entries.is_worth_storing() {
            self.store_indexes(place).unwrap_or_else(|error| {
                // They stay in memory; the disk's trouble shows with the next append or flush.
                log::warn!("index entries are not written yet: {error}");
            });
        }
        Ok(())
    }

    /// Notes a batch that lies at the end of the segment.
    pub(crate) fn note(
        &mut self,
        place: &Place,
        batch: &BatchHeader,
        index_interval_bytes: u64,
    ) -> Result<(), LogError> {
        self.is_complete = false;
        self.index_changes += 1;
        let mut max = self.max_timestamp(place)?;
        if batch.max_timestamp > max.timestamp {
            max = MaxTimestamp { timestamp: batch.max_timestamp, offset: batch.last_offset() };
            self.max_timestamp = OnceLock::from(max);
        }
        if self.size == 0 {
            self.first_timestamp = OnceLock::from(batch.max_timestamp);
        }
        if self.bytes_since_index_entry > index_interval_bytes {
            self.offset_index.push(batch.last_offset(), self.size);
            self.time_index.maybe_push(place, max)?;
            self.bytes_since_index_entry = 0;
        }
        self.size += batch.size() as u64;
        self.bytes_since_index_entry += batch.size() as u64;
        Ok(())
    }

    /// Where the first batch whose last offset is at least `offset` lies, and its header.
    pub(crate) fn find(&self, place: &Place, offset: Offset) -> Result<Option<(u64, BatchHeader)>, LogError> {
        if self.size == 0 {
            return Ok(None);
        }
        if let Some(found) = self.recent.find(offset) {
            return Ok(Some(found));
        }
        let from = self.offset_index.position_before(place, offset)?;
        match self.find_from(place, offset, from) {
            // An index is only a shortcut: where it leads nowhere, the batches themselves decide.
            Err(LogError::Corrupt { reason, .. }) if from > 0 => {
                let path = self.offset_index.entries.path(place);
                log::warn!(
                    "{} leads to no batch at {from} ({reason}); reading from the start",
                    path.display()
                );
                self.find_from(place, offset, 0)
            }
            found => found,
        }
    }

    pub(crate) fn find_from(
        &self,
        place: &Place,
        offset: Offset,
        from: u64,
    ) -> Result<Option<(u64, BatchHeader)>, LogError> {
        if from > 0 && from >= self.size {
            return Err(LogError::corrupt(&self.path(place), from, "behind the end"));
        }
        let mut scan = self.scan(place, from)?;
        let mut previous = self.base_offset - 1;
        loop {
            let position = scan.position();
            let next = scan.next_header().map_err(|error| self.scan_error(place, position, error))?;
            let Some((position, header)) = next else { return Ok(None) };
            if header.base_offset <= previous || header.last_offset() < header.base_offset {
                return Err(LogError::corrupt(&self.path(place), position, "offsets do not grow"));
            }
            if from > 0 && position == from && header.base_offset > offset {
                return Err(LogError::corrupt(&self.path(place), position, "the index is ahead"));
            }
            if header.last_offset() >= offset {
                return Ok(Some((position, header)));
            }
            previous = header.last_offset();
        }
    }

    /// The offset after the last batch, found from the last index entry on. What is behind it is verified.
    pub(crate) fn read_next_offset(&self, place: &Place) -> Result<Offset, LogError> {
        if self.size == 0 {
            return Ok(self.base_offset);
        }
        match self.offset_index.last(place)?.position {
            from if from > 0 && from < self.size => match self.next_offset_from(place, from) {
                // The index may have led astray.
                Err(LogError::Corrupt { .. }) => self.next_offset_from(place, 0),
                found => found,
            },
            _ => self.next_offset_from(place, 0),
        }
    }

    fn next_offset_from(&self, place: &Place, from: u64) -> Result<Offset, LogError> {
        let mut scan = self.scan(place, from)?;
        let mut next_offset = self.base_offset;
        loop {
            let position = scan.position();
            match scan.next_batch().map_err(|error| self.scan_error(place, position, error))? {
                Some((_, batch)) if !batch.crc_is_valid() || batch.header.base_offset < next_offset => {
                    return Err(LogError::corrupt(&self.path(place), position, "the batch is damaged"));
                }
                Some((_, batch)) => next_offset = batch.header.next_offset(),
                None => return Ok(next_offset),
            }
        }
    }

    /// Writes index entries that are gathered in memory.
    pub(crate) fn store_indexes(&mut self, place: &Place) -> Result<(), LogError> {
        self.offset_index.entries.store(place)?;
        self.time_index.entries.store(place)
    }

    /// The segment is complete: the time index gets its last entry, files their true length.
    pub(crate) fn complete(&mut self, place: &Place, preallocated: bool) -> Result<(), LogError> {
        let max = self.max_timestamp(place)?;
        self.index_changes += 1;
        self.time_index.maybe_push(place, max)?;
        self.offset_index.entries.trim(place)?;
        self.time_index.entries.trim(place)?;
        if preallocated || self.reserved > 0 {
            self.reserved = 0;
            self.file(place)?.set_len(self.size).at("cut", &self.path(place))?;
        }
        self.recent.forget();
        self.is_complete = true;
        Ok(())
    }

    /// Removes batches from the one that contains `offset` on. Returns the first offset that is gone.
    pub(crate) fn truncate_to(
        &mut self,
        place: &Place,
        offset: Offset,
        now: Millis,
    ) -> Result<Offset, LogError> {
        let Some((position, header)) = self.find(place, offset)? else { return Ok(offset) };
        self.offset_index.truncate_to(place, offset)?;
        self.time_index.truncate_to(place, offset)?;
        self.cut(place, position, now)?;
        Ok(offset.min(header.base_offset))
    }

    /// Cuts the file at `position`, where a batch begins; the indexes do not point behind it any more.
    pub(crate) fn cut(&mut self, place: &Place, position: u64, now: Millis) -> Result<(), LogError> {
        self.file(place)?.set_len(position).at("cut", &self.path(place))?;
        self.size = position;
        self.reserved = 0;
        self.verified.cut(position);
        self.recent.forget();
        self.is_complete = false;
        self.index_changes += 1;
        self.bytes_since_index_entry = 0;
        self.max_timestamp = OnceLock::new();
        if position == 0 {
            self.created = now;
            self.first_timestamp = OnceLock::new();
        }
        self.learn_max_timestamp(place)
    }

    /// Finds the largest timestamp where the time index may not have it: behind its last entry.
    fn learn_max_timestamp(&mut self, place: &Place) -> Result<(), LogError> {
        let from = self.offset_index.last(place)?.position;
        let max = self.scan_max_timestamp(place, from, self.time_index.last(place)?)?;
        self.max_timestamp = OnceLock::from(max);
        Ok(())
    }

    /// The largest timestamp: `max`, or that of a batch from the position `from` on.
    fn scan_max_timestamp(
        &self,
        place: &Place,
        from: u64,
        mut max: MaxTimestamp,
    ) -> Result<MaxTimestamp, LogError> {
        let mut scan = self.scan(place, from)?;
        loop {
            let position = scan.position();
            let next = scan.next_header().map_err(|error| self.scan_error(place, position, error))?;
            let Some((_, header)) = next else { break };
            if header.max_timestamp > max.timestamp {
                max = MaxTimestamp { timestamp: header.max_timestamp, offset: header.last_offset() };
            }
        }
        Ok(max)
    }

    /// Begins to note the batches of the file anew, for recovery: `note` is then called for each.
    pub(crate) fn reset(&mut self, place: &Place) -> Result<(), LogError> {
        self.offset_index.entries.reset(place)?;
        self.time_index.entries.reset(place)?;
        self.size = 0;
        self.recent.forget();
        self.is_complete = false;
        self.index_changes += 1;
        self.bytes_since_index_entry = 0;
        self.first_timestamp = OnceLock::new();
        self.max_timestamp = OnceLock::from(MaxTimestamp { timestamp: -1, offset: self.base_offset });
        Ok(())
    }

    /// Says what its files are called: kinds of the `.log` file, the offset index and the time index.
    pub(crate) fn set_kinds(&mut self, [log, index, time_index]: [&'static str; 3]) {
        self.log_kind = log;
        self.offset_index.entries.set_kind(index);
        self.time_index.entries.set_kind(time_index);
    }

    /// Closes the files.
    pub(crate) fn close(&mut self) {
        self.file.close();
        self.recent.forget();
        self.offset_index.entries.close();
        self.time_index.entries.close();
    }
}
