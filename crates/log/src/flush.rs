//! Making the log durable, and closing it.

use std::sync::Arc;

use barnabas_disk::{Disk, File, Open};
use barnabas_protocol::{Millis, Offset};

use crate::error::{At, LogError};
use crate::log::Log;
use crate::place::{Place, SNAPSHOT};

/// Files to sync, detached from the log: nobody who needs the log has to wait for the disk.
#[derive(Debug)]
pub struct Flush {
    up_to: Offset,
    truncations: u64,
    place: Place,
    files: Vec<Arc<dyn File>>,
    directory: bool,
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
        Ok(())
    }
}

impl Log {
    /// Offset below which a flush is due: there are segments that were completed since the last one, or
    /// `flush.messages` or `flush.ms` ask for it.
    pub fn flush_due(&self, now: Millis) -> Option<Offset> {
        let unflushed = self.log_end_offset - self.recovery_point;
        if unflushed <= 0 {
            return None;
        }
        if unflushed >= self.config.flush_messages
            || now.saturating_sub(self.last_flush) >= self.config.flush_ms
        {
            return Some(self.log_end_offset);
        }
        let completed = self.active().base_offset;
        (completed > self.recovery_point).then_some(completed)
    }

    /// Gathers what must be synced so that everything below `up_to` is durable; None when it is.
    pub fn start_flush(&mut self, up_to: Offset, now: Millis) -> Result<Option<Flush>, LogError> {
        let up_to = up_to.min(self.log_end_offset);
        self.last_flush = now;
        if up_to <= self.recovery_point {
            return Ok(None);
        }
        let mut files = Vec::new();
        let first = self.segment_index(self.recovery_point).unwrap_or(0);
        for segment in self.segments[first..].iter_mut().filter(|segment| segment.base_offset < up_to) {
            segment.store_indexes(&self.place)?;
            files.push(segment.file(&self.place)?);
            files.push(segment.offset_index.entries.file(&self.place)?);
            files.push(segment.time_index.entries.file(&self.place)?);
            let txn_index = self.place.path(segment.base_offset, crate::place::TXN_INDEX);
            open_if_there(self.place.disk(), &txn_index, &mut files)?;
        }
        let unsynced = std::mem::take(&mut self.unsynced);
        for snapshot in &unsynced.snapshots {
            open_if_there(self.place.disk(), &self.place.path(*snapshot, SNAPSHOT), &mut files)?;
        }
        if unsynced.leader_epochs {
            open_if_there(
                self.place.disk(),
                &self.place.dir.join(crate::checkpoints::LEADER_EPOCHS),
                &mut files,
            )?;
        }
        let directory = unsynced.directory || unsynced.leader_epochs || !unsynced.snapshots.is_empty();
        let truncations = self.truncations;
        Ok(Some(Flush { up_to, truncations, place: self.place.clone(), files, directory }))
    }

    /// Notes that a flush has run. It does not count if the log was truncated meanwhile, for other records may
    /// have taken the offsets.
    pub fn finish_flush(&mut self, flush: &Flush) {
        if flush.truncations == self.truncations {
            self.recovery_point = self.recovery_point.max(flush.up_to);
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
            self.flush(self.log_end_offset, now)?;
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
