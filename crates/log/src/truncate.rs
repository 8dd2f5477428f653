//! Removing records at either end, other than by retention.

use barnabas_protocol::{Millis, Offset};

use crate::error::{At, LogError};
use crate::log::Log;
use crate::place::{INDEX, LOG, SNAPSHOT, TIME_INDEX, TXN_INDEX};
use crate::segment::Segment;
use crate::transaction_index;

impl Log {
    /// Removes everything from the batch that contains `offset` on, as a follower does whose log has left the
    /// leader's. The log then ends at `offset`, or where that batch began. Returns whether anything was removed.
    pub fn truncate_to(&mut self, offset: Offset, now: Millis) -> Result<bool, LogError> {
        if offset >= self.log_end_offset {
            if self.epochs.truncate_from_end(offset) {
                self.write_leader_epochs()?;
            }
            return Ok(false);
        }
        if offset < self.segments[0].base_offset {
            self.truncate_fully_and_start_at(offset, now)?;
            return Ok(true);
        }
        self.disturb_cleaning()?;
        self.truncations += 1;
        let keep = self.segments.partition_point(|segment| segment.base_offset <= offset);
        while self.segments.len() > keep {
            self.remove_last_segment()?;
        }
        let last = self.segments.len() - 1;
        let offset = self.segments[last].truncate_to(&self.place, offset, now)?;
        transaction_index::truncate_to(&self.place, self.segments[last].base_offset, offset)?;
        self.log_end_offset = offset;
        self.durable_end = self.durable_end.min(offset);
        self.log_start_offset = self.log_start_offset.min(offset);
        self.cleaned_to = self.cleaned_to.map(|cleaned_to| cleaned_to.min(offset));
        if self.epochs.truncate_from_end(offset) {
            self.write_leader_epochs()?;
        }
        // Their markers may still be lost, and the cleaner must not take what they commit for committed.
        let unreplicated = self.producers.unreplicated_below(offset);
        self.rebuild_producers(now)?;
        self.producers.note_unreplicated(unreplicated);
        self.update_high_watermark(self.high_watermark);
        self.sync_truncation()?;
        Ok(true)
    }

    /// At once: a power failure that brings back what was removed must not bring it back between newer records.
    fn sync_truncation(&self) -> Result<(), LogError> {
        let active = self.active();
        active.file(&self.place)?.sync_data().at("sync", &active.path(&self.place))?;
        self.place.disk().sync_dir(&self.place.dir).at("sync", &self.place.dir)
    }

    /// Removes everything; the next append is at `offset`.
    pub fn truncate_fully_and_start_at(&mut self, offset: Offset, now: Millis) -> Result<(), LogError> {
        self.disturb_cleaning()?;
        self.truncations += 1;
        while !self.segments.is_empty() {
            self.remove_last_segment()?;
        }
        for snapshot in std::mem::take(&mut self.snapshots) {
            self.place.remove(&self.place.path(snapshot, SNAPSHOT))?;
        }
        let preallocate = self.config.preallocate.then_some(self.config.segment_bytes);
        let created = Segment::create(&self.place, offset, preallocate, now);
        // There is always a segment, even one that a failing disk did not create.
        self.segments.push(Segment::existing(offset, 0, now));
        let last = self.segments.len() - 1;
        self.segments[last] = created?;
        self.log_start_offset = offset;
        self.log_end_offset = offset;
        self.durable_end = offset;
        self.high_watermark = offset;
        self.changes.note_high_watermark();
        self.cleaned_to = None;
        self.producers.clear();
        self.unsynced.snapshots.clear();
        self.unsynced.changed().directory = true;
        if self.epochs.clear() {
            self.write_leader_epochs()?;
        }
        self.sync_truncation()
    }

    /// DeleteRecords, and what a follower hears from its leader: readers begin at `offset` from now on. Whole
    /// segments below it go with the next `delete_old_segments`. Returns whether the start has moved.
    pub fn advance_log_start_offset(&mut self, offset: Offset) -> Result<bool, LogError> {
        if offset > self.high_watermark {
            let (log_start_offset, log_end_offset) = (self.log_start_offset, self.high_watermark);
            return Err(LogError::OffsetOutOfRange { offset, log_start_offset, log_end_offset });
        }
        if offset <= self.log_start_offset {
            return Ok(false);
        }
        self.log_start_offset = offset;
        self.producers.forget_replicated_below(offset);
        if self.epochs.truncate_from_start(offset) {
            self.write_leader_epochs()?;
        }
        Ok(true)
    }

    /// Removes the last segment with its files, and the snapshot that was taken when it was begun.
    pub(crate) fn remove_last_segment(&mut self) -> Result<(), LogError> {
        let Some(base_offset) = self.segments.last().map(|segment| segment.base_offset) else {
            return Ok(());
        };
        for kind in [LOG, INDEX, TIME_INDEX, TXN_INDEX, SNAPSHOT] {
            self.place.remove(&self.place.path(base_offset, kind))?;
        }
        self.segments.pop();
        self.unsynced.changed().directory = true;
        self.snapshots.retain(|snapshot| *snapshot != base_offset);
        self.unsynced.snapshots.retain(|snapshot| *snapshot != base_offset);
        Ok(())
    }
}
