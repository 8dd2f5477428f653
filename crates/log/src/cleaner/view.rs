//! What a compaction sees of a log without holding it: names and sizes of segments that nobody writes to, and
//! a counter that tells when somebody removes or moves any of them.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use barnabas_disk::Open;
use barnabas_protocol::Offset;

use crate::batch_scan::BatchScan;
use crate::config::LogConfig;
use crate::error::{At, LogError};
use crate::log::Log;
use crate::place::{Place, INDEX, LOG, TIME_INDEX};
use crate::transaction_index::{self, AbortedTxn};

/// The segments of a log below some offset.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) place: Place,
    pub(crate) config: Arc<LogConfig>,
    /// Oldest first.
    pub(crate) segments: Vec<SegmentView>,
    /// Base offsets of those that follow, which may have markers of transactions that begin in `segments`.
    following: Vec<Offset>,
    disturbances: Arc<AtomicU64>,
    disturbances_seen: u64,
}

/// One segment.
#[derive(Debug)]
pub(crate) struct SegmentView {
    pub(crate) base_offset: Offset,
    pub(crate) size: u64,
}

impl Log {
    /// The segments that begin below `end`, where one begins.
    pub(crate) fn view(&self, end: Offset) -> View {
        let (below, following) =
            self.segments.split_at(self.segments.partition_point(|segment| segment.base_offset < end));
        let view = |segment: &crate::segment::Segment| SegmentView {
            base_offset: segment.base_offset,
            size: segment.size,
        };
        View {
            place: self.place.clone(),
            config: self.config.clone(),
            segments: below.iter().map(view).collect(),
            following: following.iter().map(|segment| segment.base_offset).collect(),
            disturbances: self.disturbances.clone(),
            disturbances_seen: self.disturbances.load(Ordering::Acquire),
        }
    }
}

impl View {
    /// Whether everything is still as it was seen. What was read counts only if this holds afterwards.
    pub(crate) fn holds(&self) -> bool {
        self.disturbances.load(Ordering::Acquire) == self.disturbances_seen
    }

    pub(crate) fn path(&self, segment: &SegmentView) -> PathBuf {
        self.place.path(segment.base_offset, LOG)
    }

    /// A walk over the batches of a segment.
    pub(crate) fn scan(&self, segment: &SegmentView, block: usize) -> Result<BatchScan, LogError> {
        let path = self.path(segment);
        let file = self.place.disk().open(&path, Open::Read).at("open", &path)?;
        Ok(BatchScan::new(file, 0, segment.size).with_block(block))
    }

    /// Where the segment after this one begins; `end` after the last one.
    pub(crate) fn next_base_offset(&self, index: usize, end: Offset) -> Offset {
        self.segments.get(index + 1).map_or(end, |next| next.base_offset)
    }

    /// Aborted transactions that have records in `from..to`.
    pub(crate) fn aborted(&self, from: Offset, to: Offset) -> Result<Vec<AbortedTxn>, LogError> {
        let first = self.segments.partition_point(|segment| segment.base_offset <= from).saturating_sub(1);
        let bases = self.segments[first..].iter().map(|segment| segment.base_offset);
        transaction_index::find(&self.place, bases.chain(self.following.iter().copied()), from, to)
    }

    /// Neighbours among the segments that begin below `end`, which become one segment each: as many as fit
    /// into `segment.bytes`, into its indexes, and into the reach of offsets relative to the first.
    pub(crate) fn groups(&self, end: Offset, upper_bound: Offset) -> Result<Vec<Range<usize>>, LogError> {
        let count = self.segments.partition_point(|segment| segment.base_offset < end);
        let mut groups = Vec::new();
        let mut first = 0;
        while first < count {
            let mut sizes = self.sizes(first)?;
            let mut next = first + 1;
            while next < count {
                let added = self.sizes(next)?;
                let sum = [sizes[0] + added[0], sizes[1] + added[1], sizes[2] + added[2]];
                let index_bytes = u64::from(self.config.segment_index_bytes);
                let last_offset = match next + 1 < count {
                    true => self.segments[next + 1].base_offset - 1,
                    false => upper_bound - 1,
                };
                let in_reach = last_offset - self.segments[first].base_offset <= i64::from(i32::MAX);
                let fits = sum[0] <= self.config.segment_bytes && sum[1].max(sum[2]) <= index_bytes;
                if !fits || !(in_reach || added[0] == 0) {
                    break;
                }
                (sizes, next) = (sum, next + 1);
            }
            groups.push(first..next);
            first = next;
        }
        Ok(groups)
    }

    /// Bytes of a segment's batches, offset index and time index.
    fn sizes(&self, index: usize) -> Result<[u64; 3], LogError> {
        let segment = &self.segments[index];
        let length = |kind| {
            let path = self.place.path(segment.base_offset, kind);
            match self.place.disk().file_len(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
                length => length.at("look at", &path),
            }
        };
        Ok([segment.size, length(INDEX)?, length(TIME_INDEX)?])
    }
}
