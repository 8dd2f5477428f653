//! The segment that a compaction writes: files with the suffix `.cleaned` until it is put in place.
//!
//! Always true: the indexes are those that appending the same batches to a segment would have made.

use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

use barnabas_disk::{Disk, File, Open, OpenFiles};
use barnabas_protocol::batch::{BatchHeader, NO_TIMESTAMP};
use barnabas_protocol::Offset;

use crate::error::{At, LogError};
use crate::offset_index::OffsetIndex;
use crate::place::{Place, CLEANED_INDEX, CLEANED_LOG, CLEANED_TIME_INDEX, CLEANED_TXN_INDEX};
use crate::time_index::{MaxTimestamp, TimeIndex};
use crate::transaction_index::{self, AbortedTxn};

/// Files that it holds open, apart from those of the node: a cleaner waits for nobody.
const OPEN_FILES: usize = 4;

/// A segment in the making.
#[derive(Debug)]
pub(crate) struct CleanedSegment {
    pub(crate) base_offset: Offset,
    pub(crate) size: u64,
    place: Place,
    file: Arc<dyn File>,
    offset_index: OffsetIndex,
    time_index: TimeIndex,
    index_interval_bytes: u64,
    bytes_since_index_entry: u64,
    max_timestamp: MaxTimestamp,
    /// Batches that wait to be written.
    buffer: Vec<u8>,
    buffer_bytes: usize,
}

impl CleanedSegment {
    /// Begins a segment; what an earlier attempt has left of one is removed. `buffer_bytes` are gathered before
    /// each write.
    pub(crate) fn create(
        disk: Arc<dyn Disk>,
        dir: Arc<Path>,
        base_offset: Offset,
        index_interval_bytes: u64,
        buffer_bytes: usize,
    ) -> Result<Self, LogError> {
        let place = Place { files: Arc::new(OpenFiles::new(disk, OPEN_FILES)), dir };
        remove(&place, base_offset)?;
        let path = place.path(base_offset, CLEANED_LOG);
        Ok(Self {
            base_offset,
            size: 0,
            file: place.disk().open(&path, Open::CreateNew).at("create", &path)?,
            offset_index: OffsetIndex::cleaned(base_offset),
            time_index: TimeIndex::cleaned(base_offset),
            index_interval_bytes,
            bytes_since_index_entry: 0,
            max_timestamp: MaxTimestamp { timestamp: NO_TIMESTAMP, offset: base_offset },
            buffer: Vec::new(),
            buffer_bytes,
            place,
        })
    }

    /// Adds a batch. Returns how many bytes were written to the file.
    pub(crate) fn append(&mut self, batch: &[u8], header: &BatchHeader) -> Result<u64, LogError> {
        let last_offset = header.last_offset();
        if last_offset - self.base_offset > i64::from(i32::MAX) || self.size > i32::MAX as u64 {
            let path = self.place.path(self.base_offset, CLEANED_LOG);
            return Err(LogError::corrupt(
                &path,
                self.size,
                "the segment has no room for what is left of it",
            ));
        }
        if header.max_timestamp > self.max_timestamp.timestamp {
            self.max_timestamp = MaxTimestamp { timestamp: header.max_timestamp, offset: last_offset };
        }
        if self.bytes_since_index_entry > self.index_interval_bytes {
            self.offset_index.push(last_offset, self.size);
            self.time_index.maybe_push(&self.place, self.max_timestamp)?;
            self.bytes_since_index_entry = 0;
            if self.offset_index.entries.is_worth_storing() {
                self.offset_index.entries.store(&self.place)?;
                self.time_index.entries.store(&self.place)?;
            }
        }
        self.size += batch.len() as u64;
        self.bytes_since_index_entry += batch.len() as u64;
        self.buffer.extend_from_slice(batch);
        if self.buffer.len() < self.buffer_bytes {
            return Ok(0);
        }
        self.write()
    }

    fn write(&mut self) -> Result<u64, LogError> {
        let written = self.buffer.len() as u64;
        let path = self.place.path(self.base_offset, CLEANED_LOG);
        let parts = [IoSlice::new(&self.buffer)];
        self.file.write_vectored_at(&parts, self.size - written).at("write", &path)?;
        self.buffer.clear();
        Ok(written)
    }

    /// Notes aborted transactions whose markers are in it.
    pub(crate) fn append_aborted(&mut self, aborted: &[AbortedTxn]) -> Result<(), LogError> {
        let path = self.place.path(self.base_offset, CLEANED_TXN_INDEX);
        aborted.iter().try_for_each(|txn| transaction_index::append_to(self.place.disk(), &path, *txn))
    }

    /// Completes all files and makes their content durable; their names are not yet.
    pub(crate) fn finish(mut self) -> Result<u64, LogError> {
        self.write()?;
        self.time_index.maybe_push(&self.place, self.max_timestamp)?;
        self.offset_index.entries.trim(&self.place)?;
        self.time_index.entries.trim(&self.place)?;
        for kind in [CLEANED_LOG, CLEANED_INDEX, CLEANED_TIME_INDEX, CLEANED_TXN_INDEX] {
            let path = self.place.path(self.base_offset, kind);
            match self.place.disk().open(&path, Open::Write) {
                Ok(file) => file.sync_data().at("sync", &path)?,
                Err(error) if kind == CLEANED_TXN_INDEX && error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).at("open", &path),
            }
        }
        Ok(self.size)
    }
}

/// Removes what a compaction that was given up has written of the segment at `base_offset`.
pub(crate) fn remove(place: &Place, base_offset: Offset) -> Result<(), LogError> {
    let kinds = [CLEANED_LOG, CLEANED_INDEX, CLEANED_TIME_INDEX, CLEANED_TXN_INDEX];
    kinds.iter().try_for_each(|kind| place.remove(&place.path(base_offset, kind)))
}
