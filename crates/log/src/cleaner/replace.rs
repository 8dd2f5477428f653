//! Putting a compacted segment in the place of those that it was made of, so that a crash at any instant
//! leaves the old ones or the new one.
//!
//! 1. Its files are written under `.cleaned` and synced. A crash: they are removed.
//! 2. Offered: they are renamed to `.swap`, the `.log` first, as in Kafka, and the directory is synced. A crash
//!    in between: what is left of `.cleaned` says that the `.swap` files are not all there; they are removed. A
//!    crash afterwards: the swap is completed.
//! 3. Swapped in: the old files are renamed to `.deleted`, oldest first, then `.swap` loses its suffix.
//!
//! Steps 2 and 3 hold the log's lock for renames only. Between them somebody may remove or move segments, and
//! by that withdraws the offer first: else a crash would bring removed records back.

use std::sync::atomic::Ordering;

use barnabas_protocol::{Millis, Offset};

use super::view::{SegmentView, View};
use crate::error::LogError;
use crate::log::Log;
use crate::place::{CLEANED, INDEX, LOG, SNAPSHOT, SWAP, TIME_INDEX, TXN_INDEX};
use crate::segment::Segment;

/// In Kafka's order of renaming.
const KINDS: [&str; 4] = [LOG, INDEX, TIME_INDEX, TXN_INDEX];

impl Log {
    /// Says that everything below `offset` was compacted, as it was read from `cleaner-offset-checkpoint`. An
    /// offset that the log does not reach says nothing.
    pub(crate) fn set_cleaned_to(&mut self, offset: Option<Offset>) {
        self.cleaned_to = offset.filter(|offset| *offset <= self.log_end_offset);
    }

    /// Segments are about to be removed or moved: whoever compacts them must begin again.
    pub(crate) fn disturb_cleaning(&mut self) -> Result<(), LogError> {
        self.disturbances.fetch_add(1, Ordering::AcqRel);
        let Some(base_offset) = self.offered.take() else { return Ok(()) };
        // The `.log` file last: without it nobody could tell what the others belong to.
        for kind in KINDS.iter().rev() {
            self.place.remove(&self.place.path(base_offset, &format!("{kind}{SWAP}")))?;
        }
        self.unsynced.changed().directory = true;
        Ok(())
    }

    /// Step 2, but for the sync of the directory. Returns false when the log is not as it was seen any more.
    pub(crate) fn offer_cleaned(&mut self, view: &View, base_offset: Offset) -> Result<bool, LogError> {
        if !view.holds() || !self.config.compact {
            return Ok(false);
        }
        for kind in KINDS {
            let cleaned = self.place.path(base_offset, &format!("{kind}{CLEANED}"));
            self.place.rename(&cleaned, &self.place.path(base_offset, &format!("{kind}{SWAP}")))?;
        }
        self.offered = Some(base_offset);
        Ok(true)
    }

    /// Step 3, but for the sync of the directory: the segment of `size` bytes that was offered takes the place
    /// of `replaced`. Returns false when the offer was withdrawn.
    pub(crate) fn swap_in_cleaned(
        &mut self,
        replaced: &[SegmentView],
        size: u64,
        now: Millis,
    ) -> Result<bool, LogError> {
        let Some(base_offset) = self.offered.take() else { return Ok(false) };
        let first = self.segments.partition_point(|segment| segment.base_offset < base_offset);
        let old = first..first + replaced.len();
        let same = |(ours, seen): (&Segment, &SegmentView)| ours.base_offset == seen.base_offset;
        assert!(
            old.end < self.segments.len() && self.segments[old.clone()].iter().zip(replaced).all(same),
            "segments that are being compacted were removed"
        );
        let created = self.segments[old.clone()].iter().map(|segment| segment.created).max();
        let mut segment = Segment::existing(base_offset, size, created.unwrap_or(now));
        segment.is_complete = true;
        let old: Vec<Segment> = self.segments.splice(old, [segment]).collect();
        for old in old {
            // The snapshot of producers at the first offset is still right.
            let snapshot = (old.base_offset != base_offset).then_some(SNAPSHOT);
            let kinds: Vec<&str> = KINDS.into_iter().chain(snapshot).collect();
            self.remove_later(old, &kinds, now)?;
        }
        for kind in KINDS {
            let swap = self.place.path(base_offset, &format!("{kind}{SWAP}"));
            self.place.rename(&swap, &self.place.path(base_offset, kind))?;
        }
        self.unsynced.changed().directory = true;
        Ok(true)
    }

    /// A pass has gone through everything below `end`.
    pub(crate) fn note_cleaned(&mut self, view: &View, end: Offset) {
        if view.holds() {
            self.cleaned_to = self.cleaned_to.max(Some(end));
        }
    }
}
