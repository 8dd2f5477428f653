//! Removing old segments, and their files some time later.

use std::path::PathBuf;

use barnabas_protocol::{Millis, Offset};

use crate::error::{At, LogError};
use crate::log::Log;
use crate::place::{suffixed, Place, DELETED, INDEX, LOG, SNAPSHOT, TIME_INDEX, TXN_INDEX};
use crate::segment::Segment;

/// Files that are to be removed, detached from the log. They bear the suffix `.deleted`; whoever holds a slice
/// of one goes on reading it.
#[derive(Debug)]
pub struct FileDeletion {
    due: Millis,
    place: Place,
    paths: Vec<PathBuf>,
}

impl FileDeletion {
    /// Removes the files; some may be gone already.
    pub fn run(&self) -> Result<(), LogError> {
        self.paths.iter().try_for_each(|path| self.place.remove(path))
    }
}

impl Log {
    /// Removes segments from the oldest on: below the log start offset, and if `cleanup.policy` says so,
    /// over `retention.bytes` or `retention.ms`. Nothing goes that is not below the high watermark. A segment
    /// whose timestamps lie in the future stays until they have passed, as in Kafka. Returns the base offsets
    /// of what was removed.
    pub fn delete_old_segments(&mut self, now: Millis) -> Result<Vec<Offset>, LogError> {
        let mut deleted = Vec::new();
        loop {
            let count = self.expired_segments(now)?;
            if count == 0 {
                return Ok(deleted);
            }
            if count == self.segments.len() {
                self.roll(now)?; // There is always one segment.
            }
            if self.unsynced.directory {
                // Without the segments that stay, a power failure would leave none, and offsets began anew.
                self.place.disk().sync_dir(&self.place.dir).at("sync", &self.place.dir)?;
            }
            self.disturb_cleaning()?;
            let removed: Vec<Segment> = self.segments.drain(..count).collect();
            for segment in removed {
                deleted.push(segment.base_offset);
                self.remove_later(segment, &[LOG, INDEX, TIME_INDEX, TXN_INDEX, SNAPSHOT], now)?;
            }
            let first = self.segments[0].base_offset;
            self.high_watermark = self.high_watermark.max(first);
            self.changes.note_high_watermark();
            self.advance_log_start_offset(first)?;
        }
    }

    /// How many of the oldest segments may go for one reason.
    fn expired_segments(&self, now: Millis) -> Result<usize, LogError> {
        let started = |index: usize| {
            self.segments.get(index + 1).is_some_and(|next| next.base_offset <= self.log_start_offset)
        };
        let mut count = self.removable_while(|index, _| Ok(started(index)))?;
        if self.config.delete {
            let mut excess = match self.config.retention_bytes {
                Some(limit) => self.size().saturating_sub(limit),
                None => 0,
            };
            count = count.max(self.removable_while(|_, segment| match excess.checked_sub(segment.size) {
                Some(rest) if excess > 0 => {
                    excess = rest;
                    Ok(true)
                }
                _ => Ok(false),
            })?);
            if let Some(retention_ms) = self.config.retention_ms {
                count = count.max(self.removable_while(|_, segment| {
                    Ok(now.saturating_sub(segment.retention_timestamp(&self.place)?) > retention_ms)
                })?);
            }
        }
        Ok(count)
    }

    /// How many segments, from the oldest on, `expired` holds for and are below the high watermark.
    fn removable_while(
        &self,
        mut expired: impl FnMut(usize, &Segment) -> Result<bool, LogError>,
    ) -> Result<usize, LogError> {
        for (index, segment) in self.segments.iter().enumerate() {
            let next = self.segments.get(index + 1);
            let end = next.map_or(self.log_end_offset, |next| next.base_offset);
            let last_and_empty = next.is_none() && segment.size == 0;
            if last_and_empty || end > self.high_watermark || !expired(index, segment)? {
                return Ok(index);
            }
        }
        Ok(self.segments.len())
    }

    /// Renames files of a segment that is no part of the log any more, and removes them after
    /// `file.delete.delay.ms`.
    pub(crate) fn remove_later(
        &mut self,
        mut segment: Segment,
        kinds: &[&str],
        now: Millis,
    ) -> Result<(), LogError> {
        segment.close();
        let mut paths = Vec::new();
        for kind in kinds {
            let path = self.place.path(segment.base_offset, kind);
            let renamed = suffixed(&path, DELETED);
            if *kind == TXN_INDEX && self.place.disk().exists(&path) {
                // A power failure must not bring the batches back without what was aborted of them: nobody would
                // note it anew.
                self.place.disk().sync_dir(&self.place.dir).at("sync", &self.place.dir)?;
            }
            if self.place.rename(&path, &renamed)? {
                paths.push(renamed);
            }
        }
        if kinds.contains(&SNAPSHOT) {
            self.snapshots.retain(|snapshot| *snapshot != segment.base_offset);
            self.unsynced.snapshots.retain(|snapshot| *snapshot != segment.base_offset);
        }
        let due = now.saturating_add(self.config.file_delete_delay_ms);
        self.deletions.push(FileDeletion { due, place: self.place.clone(), paths });
        Ok(())
    }

    /// Files whose `file.delete.delay.ms` is over; the caller runs the removal without holding the log.
    pub fn take_due_deletions(&mut self, now: Millis) -> Vec<FileDeletion> {
        let (due, later): (Vec<_>, Vec<_>) =
            self.deletions.drain(..).partition(|deletion| deletion.due <= now);
        self.deletions = later;
        due
    }
}
