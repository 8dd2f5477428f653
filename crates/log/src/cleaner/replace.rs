//! Putting a compacted segment in the place of those that it was made of, so that a crash at any instant
//! leaves the old ones or the new one.
//!
//! 1. Its files are written under `.cleaned` and synced. A crash: they are removed.
//! 2. Offered: they are renamed to `.swap`, the `.log` first, as in Kafka, and the directory is synced. A crash
//!    in between: what is left of `.cleaned` says that the `.swap` files are not all there; they are removed. A
//!    crash afterwards: the swap is completed.
//! 3. Swapped: the old files are renamed to `.deleted`, oldest first, and the directory is synced. Readers find
//!    the new segment under `.swap`.
//! 4. Then its files lose the suffix, which before that sync might outlive a power failure that the removal of
//!    the old ones does not.
//!
//! The log's lock is held for renames only. Somebody may remove or move segments between the steps, and takes
//! back or completes what was begun first: else a crash would bring removed records back.

use std::sync::atomic::Ordering;

use barnabas_protocol::{Millis, Offset};

use super::view::{SegmentView, View};
use crate::error::{At, LogError};
use crate::log::Log;
use crate::place::{
    CLEANED_INDEX, CLEANED_LOG, CLEANED_TIME_INDEX, CLEANED_TXN_INDEX, INDEX, LOG, SNAPSHOT, SWAP_INDEX,
    SWAP_LOG, SWAP_TIME_INDEX, SWAP_TXN_INDEX, TIME_INDEX, TXN_INDEX,
};
use crate::segment::Segment;

/// The files of a segment, in Kafka's order of renaming.
const PLAIN: [&str; 4] = [LOG, INDEX, TIME_INDEX, TXN_INDEX];
const CLEANED: [&str; 4] = [CLEANED_LOG, CLEANED_INDEX, CLEANED_TIME_INDEX, CLEANED_TXN_INDEX];
const SWAP: [&str; 4] = [SWAP_LOG, SWAP_INDEX, SWAP_TIME_INDEX, SWAP_TXN_INDEX];

/// How far the segment with this base offset has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replacing {
    /// Its files lie ready.
    Offered(Offset),
    /// It is part of the log, its files still bear `.swap`.
    Swapped(Offset),
}

impl Log {
    /// Says that everything below `offset` was compacted, as it was read from `cleaner-offset-checkpoint`. An
    /// offset that the log does not reach says nothing.
    pub(crate) fn set_cleaned_to(&mut self, offset: Option<Offset>) {
        self.cleaned_to = offset.filter(|offset| *offset <= self.log_end_offset);
    }

    /// Segments are about to be removed or moved: whoever compacts them must begin again.
    pub(crate) fn disturb_cleaning(&mut self) -> Result<(), LogError> {
        self.disturbances.fetch_add(1, Ordering::AcqRel);
        match self.replacing {
            None => Ok(()),
            Some(Replacing::Offered(base_offset)) => {
                // The `.log` file last: without it nobody could tell what the others belong to.
                for kind in SWAP.iter().rev() {
                    self.place.remove(&self.place.path(base_offset, kind))?;
                }
                self.unsynced.changed().directory = true;
                self.replacing = None;
                Ok(())
            }
            Some(Replacing::Swapped(_)) => {
                self.place.disk().sync_dir(&self.place.dir).at("sync", &self.place.dir)?;
                self.complete_swap()
            }
        }
    }

    /// Step 2, but for the sync of the directory. Returns false when the log is not as it was seen any more.
    pub(crate) fn offer_cleaned(&mut self, view: &View, base_offset: Offset) -> Result<bool, LogError> {
        if !view.holds() || !self.config.compact {
            return Ok(false);
        }
        self.rename_files(base_offset, CLEANED, SWAP)?;
        self.replacing = Some(Replacing::Offered(base_offset));
        Ok(true)
    }

    /// Step 3, but for the sync of the directory: the segment of `size` bytes that was offered takes the place
    /// of `replaced`. Returns false when the offer was taken back.
    pub(crate) fn swap_in_cleaned(
        &mut self,
        replaced: &[SegmentView],
        size: u64,
        now: Millis,
    ) -> Result<bool, LogError> {
        let Some(Replacing::Offered(base_offset)) = self.replacing else { return Ok(false) };
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
        segment.set_kinds([SWAP_LOG, SWAP_INDEX, SWAP_TIME_INDEX]);
        let old: Vec<Segment> = self.segments.splice(old, [segment]).collect();
        self.replacing = Some(Replacing::Swapped(base_offset));
        for old in old {
            // The snapshot of producers at the first offset is still right.
            let snapshot = (old.base_offset != base_offset).then_some(SNAPSHOT);
            let kinds: Vec<&str> = PLAIN.into_iter().chain(snapshot).collect();
            self.remove_later(old, &kinds, now)?;
        }
        self.unsynced.changed().directory = true;
        Ok(true)
    }

    /// Step 4, once the directory was synced; that somebody else has done it is fine.
    pub(crate) fn complete_swap(&mut self) -> Result<(), LogError> {
        let Some(Replacing::Swapped(base_offset)) = self.replacing else { return Ok(()) };
        self.rename_files(base_offset, SWAP, PLAIN)?;
        let found = self.segments.binary_search_by_key(&base_offset, |segment| segment.base_offset);
        if let Ok(index) = found {
            self.segments[index].set_kinds([LOG, INDEX, TIME_INDEX]);
        }
        self.unsynced.changed().directory = true;
        self.replacing = None;
        Ok(())
    }

    fn rename_files(&self, base_offset: Offset, from: [&str; 4], to: [&str; 4]) -> Result<(), LogError> {
        for (from, to) in from.iter().zip(to) {
            let (from, to) = (self.place.path(base_offset, from), self.place.path(base_offset, to));
            self.place.rename(&from, &to)?;
        }
        Ok(())
    }

    /// A pass has gone through everything below `end`.
    pub(crate) fn note_cleaned(&mut self, view: &View, end: Offset) {
        if view.holds() {
            self.cleaned_to = self.cleaned_to.max(Some(end));
        }
    }
}
