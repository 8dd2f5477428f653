//! Making the log durable, and closing it.
//!
//! A *commit* makes records durable and is what an acknowledgement under `barnabas.durability=fsync` waits for:
//! one sync of the active segment's `.log` file as a rule. Its indexes may stay behind, because recovery writes
//! them anew: it begins with the segment that the recovery point lies in. A *flush* syncs them too.
//!
//! Always true:
//!   everything below the durable end is on disk, with the directory entries that lead to it; so are the indexes
//!   of all segments before the one that the recovery point lies in
//!   what was written while a flush ran is never taken for synced by it

use std::sync::Arc;

use barnabas_disk::{Disk, File, Open};
use barnabas_protocol::{Millis, Offset};

use crate::checkpoints::{LEADER_EPOCHS, PARTITION_METADATA};
use crate::error::{At, LogError};
use crate::log::{Log, Unsynced};
use crate::place::{Place, SNAPSHOT};

/// Files to sync, detached from the log: nobody who needs the log has to wait for the disk.
#[derive(Debug)]
pub struct Flush {
    up_to: Offset,
    truncations: u64,
    place: Place,
    files: Vec<Arc<dyn File>>,
    directory: bool,
    parent: bool,
    /// `Unsynced::changes` when the flush began.
    changes: u64,
    /// Base offset and `index_changes` of the segments whose indexes are synced.
    indexes: Vec<(Offset, u64)>,
}

impl Flush {
    /// Everything below is on stable storage once `run` has returned.
    pub fn up_to(&self) -> Offset {
        self.up_to
    }

    /// Syncs the files.
    pub fn run(&self) -> Result<(), LogError> {
        for file in &self.files {
            file.sync_data().at("sync a file of", &self.place.dir)?;
        }
        if self.directory {
            self.place.disk().sync_dir(&self.place.dir).at("sync", &self.place.dir)?;
        }
        if let Some(parent) = self.place.dir.parent().filter(|_| self.parent) {
            self.place.disk().sync_dir(parent).at("sync", parent)?;
        }
        Ok(())
    }
}

impl Log {
    /// Offset below which a flush is due: there are segments that were completed since the last one, or
    /// `flush.messages` or `flush.ms` ask for it.
    pub fn flush_due(&self, now: Millis) -> Option<Offset> {
        let unflushed = self.log_end_offset - self.durable_end;
        if unflushed <= 0 {
            return None;
        }
        if unflushed >= self.config.flush_messages
            || now.saturating_sub(self.last_flush) >= self.config.flush_ms
        {
            return Some(self.log_end_offset);
        }
        let completed = self.active().base_offset;
        (completed > self.durable_end).then_some(completed)
    }

    /// Gathers what must be synced so that everything below `up_to` is durable, indexes included; None when all
    /// records are.
    pub fn start_flush(&mut self, up_to: Offset, now: Millis) -> Result<Option<Flush>, LogError> {
        let up_to = up_to.min(self.log_end_offset);
        self.last_flush = now;
        if up_to <= self.durable_end {
            return Ok(None);
        }
        self.gather(up_to, true).map(Some)
    }

    /// Gathers what must be synced so that a power failure takes no record back that is in the log now; None
    /// when nothing must.
    pub fn start_commit(&mut self, now: Millis) -> Result<Option<Flush>, LogError> {
        self.last_flush = now;
        if self.log_end_offset <= self.durable_end {
            return Ok(None);
        }
        self.gather(self.log_end_offset, false).map(Some)
    }

    fn gather(&mut self, up_to: Offset, active_indexes: bool) -> Result<Flush, LogError> {
        let (mut files, mut indexes) = (Vec::new(), Vec::new());
        let mut end = self.log_end_offset;
        let mut is_active = true;
        // Segments are synced in their order, so that all are before one that is.
        for segment in self.segments.iter_mut().rev() {
            let records = segment.size > 0 && end > self.durable_end && segment.base_offset < up_to;
            let unsynced_indexes = segment.index_changes > segment.index_changes_synced;
            if !is_active && !records && !unsynced_indexes {
                break;
            }
            let whole = unsynced_indexes && (!is_active || active_indexes);
            // Completing a preallocated segment has cut its file, too.
            if records || whole {
                files.push(segment.file(&self.place)?);
            }
            if whole {
                segment.store_indexes(&self.place)?;
                files.push(segment.offset_index.entries.file(&self.place)?);
                files.push(segment.time_index.entries.file(&self.place)?);
                let txn_index = self.place.path(segment.base_offset, crate::place::TXN_INDEX);
                open_if_there(self.place.disk(), &txn_index, &mut files)?;
                indexes.push((segment.base_offset, segment.index_changes));
            }
            (end, is_active) = (segment.base_offset, false);
        }
        self.gather_small_files(&mut files)?;
        let unsynced = &self.unsynced;
        Ok(Flush {
            up_to,
            truncations: self.truncations,
            place: self.place.clone(),
            files,
            directory: unsynced.directory
                || unsynced.leader_epochs
                || unsynced.partition_metadata
                || !unsynced.snapshots.is_empty()
                || !indexes.is_empty(),
            parent: unsynced.parent,
            changes: unsynced.changes,
            indexes,
        })
    }

    fn gather_small_files(&self, files: &mut Vec<Arc<dyn File>>) -> Result<(), LogError> {
        let (place, unsynced) = (&self.place, &self.unsynced);
        for snapshot in &unsynced.snapshots {
            open_if_there(place.disk(), &place.path(*snapshot, SNAPSHOT), files)?;
        }
        if unsynced.leader_epochs {
            open_if_there(place.disk(), &place.dir.join(LEADER_EPOCHS), files)?;
        }
        if unsynced.partition_metadata {
            open_if_there(place.disk(), &place.dir.join(PARTITION_METADATA), files)?;
        }
        Ok(())
    }

    /// Notes that a flush has run. It does not count if the log was truncated meanwhile, for other records may
    /// have taken the offsets.
    pub fn finish_flush(&mut self, flush: &Flush) {
        if flush.truncations != self.truncations {
            return;
        }
        self.durable_end = self.durable_end.max(flush.up_to);
        for (base_offset, changes) in &flush.indexes {
            let found = self.segments.binary_search_by_key(base_offset, |segment| segment.base_offset);
            if let Ok(index) = found {
                self.segments[index].index_changes_synced = *changes;
            }
        }
        if flush.changes == self.unsynced.changes {
            self.unsynced = Unsynced { changes: flush.changes, ..Unsynced::default() };
        }
    }

    /// Makes everything below `up_to` durable, and waits for it.
    pub fn flush(&mut self, up_to: Offset, now: Millis) -> Result<(), LogError> {
        if let Some(flush) = self.start_flush(up_to, now)? {
            flush.run()?;
            self.finish_flush(&flush);
        }
        Ok(())
    }

    /// As `flush`, where records may be durable already and indexes or small files not.
    pub(crate) fn flush_everything(&mut self, now: Millis) -> Result<(), LogError> {
        let (last, small) = (self.active(), &self.unsynced);
        let indexes = last.index_changes > last.index_changes_synced;
        let others = small.leader_epochs || small.partition_metadata || !small.snapshots.is_empty();
        // A log that has never held a record loses nothing with its files, and there may be very many such logs.
        let used = self.log_end_offset > 0;
        if self.log_end_offset > self.durable_end || (used && (indexes || others || small.directory)) {
            self.last_flush = now;
            let flush = self.gather(self.log_end_offset, true)?;
            flush.run()?;
            self.finish_flush(&flush);
        }
        Ok(())
    }

    /// Closes the log. When `clean`, everything is synced and the producers are written, so that opening it
    /// again needs no checking.
    pub fn close(&mut self, clean: bool, now: Millis) -> Result<(), LogError> {
        if clean {
            let last = self.segments.len() - 1;
            // The very many logs that nobody has touched cost nothing here.
            if !self.segments[last].is_complete {
                self.segments[last].complete(&self.place, self.config.preallocate)?;
            }
            self.take_snapshot(self.log_end_offset)?;
            self.flush_everything(now)?;
        }
        for segment in &mut self.segments {
            segment.close();
        }
        Ok(())
    }
}

fn open_if_there(
    disk: &dyn Disk,
    path: &std::path::Path,
    files: &mut Vec<Arc<dyn File>>,
) -> Result<(), LogError> {
    match disk.open(path, Open::Write) {
        Ok(file) => files.push(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).at("open", path),
    }
    Ok(())
}
