//! Which part of a log may be compacted, and how much it needs it.
//!
//! A log is `[clean | dirty | not to be compacted yet]`: clean is what earlier passes went through. The active
//! segment is never compacted, nor what a transaction or the high watermark has not decided, nor what is younger
//! than `min.compaction.lag.ms`; all of these end at the beginning of a segment. Nor, other than in Kafka, what is
//! not on disk yet: a power failure could take the newer record of a key after the older one was removed for it.

use barnabas_protocol::{Millis, Offset};

use crate::error::LogError;
use crate::log::Log;

/// What could be compacted in a log now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cleanable {
    /// First offset that no pass has gone through.
    pub(crate) first_dirty_offset: Offset,
    /// Where a segment begins that must not be compacted yet.
    pub(crate) first_uncleanable_offset: Offset,
    /// Bytes of segments that begin below the first dirty offset.
    pub(crate) clean_bytes: u64,
    /// Bytes of the dirty segments that may be compacted.
    pub(crate) cleanable_bytes: u64,
    /// `max.compaction.lag.ms` is over for a dirty record.
    pub(crate) overdue: bool,
}

impl Cleanable {
    /// Share of what would be gone through that is dirty.
    pub(crate) fn dirty_ratio(&self) -> f64 {
        match self.clean_bytes + self.cleanable_bytes {
            0 => 0.0,
            total => self.cleanable_bytes as f64 / total as f64,
        }
    }
}

impl Log {
    /// First offset that compaction has not gone through; None before the first pass.
    pub fn cleaned_to(&self) -> Option<Offset> {
        self.cleaned_to
    }

    /// What could be compacted now; None when that is nothing or not worth it yet.
    pub(crate) fn cleanable(&self, now: Millis) -> Result<Option<Cleanable>, LogError> {
        if !self.config.compact || self.segments.len() < 2 {
            return Ok(None);
        }
        let dirty_from = self.first_dirty_offset();
        let bound = self.uncleanable_from(dirty_from, now)?.max(dirty_from);
        let bound = self.segment_index(bound).unwrap_or(0);
        let first_uncleanable_offset = self.segments[bound].base_offset;
        if first_uncleanable_offset <= dirty_from {
            return Ok(None);
        }
        // The segment that the dirty offset lies in counts with the clean ones and with the dirty ones, as in
        // Kafka: a pass goes through it either way.
        let clean = self.segments.partition_point(|segment| segment.base_offset < dirty_from);
        let dirty = self.segment_index(dirty_from).unwrap_or(0);
        let bytes = |segments: &[crate::segment::Segment]| segments.iter().map(|segment| segment.size).sum();
        let cleanable = Cleanable {
            first_dirty_offset: dirty_from,
            first_uncleanable_offset,
            clean_bytes: bytes(&self.segments[..clean]),
            cleanable_bytes: bytes(&self.segments[dirty..bound.max(dirty)]),
            overdue: self.is_overdue(dirty, now)?,
        };
        let worth_it = cleanable.dirty_ratio() > self.config.min_cleanable_dirty_ratio;
        Ok(Some(cleanable).filter(|_| cleanable.cleanable_bytes > 0 && (cleanable.overdue || worth_it)))
    }

    pub(super) fn first_dirty_offset(&self) -> Offset {
        match self.cleaned_to {
            // The end was lost that a pass had gone through: nothing is known of the rest.
            Some(cleaned_to) if cleaned_to > self.log_end_offset => self.log_start_offset,
            Some(cleaned_to) => cleaned_to.max(self.log_start_offset),
            None => self.log_start_offset,
        }
    }

    /// The first offset that must not be compacted yet.
    fn uncleanable_from(&self, dirty_from: Offset, now: Millis) -> Result<Offset, LogError> {
        let bound = self.last_stable_offset().min(self.recovery_point()).min(self.active().base_offset);
        let lag_ms = self.config.min_compaction_lag_ms;
        if lag_ms > 0 {
            let dirty = self.segment_index(dirty_from).unwrap_or(0);
            for segment in &self.segments[dirty..self.segments.len() - 1] {
                if segment.retention_timestamp(&self.place)? > now.saturating_sub(lag_ms) {
                    return Ok(bound.min(segment.base_offset));
                }
            }
        }
        Ok(bound)
    }

    /// Whether a segment from `dirty` on, the active one excepted, began more than `max.compaction.lag.ms` ago.
    fn is_overdue(&self, dirty: usize, now: Millis) -> Result<bool, LogError> {
        let Some(until) = now.checked_sub(self.config.max_compaction_lag_ms).filter(|until| *until > 0)
        else {
            return Ok(false);
        };
        for segment in &self.segments[dirty..self.segments.len() - 1] {
            let first = segment.first_timestamp(&self.place)?;
            if first.is_some_and(|first| first > 0 && first < until) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
