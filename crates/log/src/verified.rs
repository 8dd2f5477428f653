//! Which bytes of a segment are known to be right.
//!
//! What this process has written or recovered is. The rest is read through once, when somebody first asks for
//! it: checksums, and what they do not cover, offsets and leader epochs, which must follow one another. So a bit
//! that has flipped on the disk is never served, and readers at the head of a log pay nothing.
//!
//! Always true: ranges are ascending, apart from one another, and each begins and ends where a batch does.

use parking_lot::Mutex;

use barnabas_protocol::batch::BatchHeader;
use barnabas_protocol::Offset;

use crate::batch_scan::{BatchScan, ScanError};
use crate::error::LogError;
use crate::leader_epochs::LeaderEpochs;
use crate::place::Place;
use crate::segment::Segment;

/// Ranges that are remembered for one segment; beyond that the oldest bytes are read through again.
const RANGES_MAX: usize = 64;
/// Bytes that one read verifies, more only where a batch is larger: the rest comes with the next read.
pub(crate) const VERIFY_BYTES_MAX: u64 = 1 << 20;

/// What is known of one segment.
#[derive(Debug)]
pub(crate) struct Verified {
    /// From here on everything was written or recovered by this process.
    trusted_from: u64,
    ranges: Mutex<Vec<(u64, u64)>>,
    /// Where damage was found and told first.
    damage: Mutex<Option<u64>>,
}

impl Verified {
    /// Of a segment whose first `cold` bytes somebody else has written.
    pub(crate) fn new(cold: u64) -> Self {
        Self { trusted_from: cold, ranges: Mutex::default(), damage: Mutex::default() }
    }

    /// The whole segment has been read through.
    pub(crate) fn trust(&mut self) {
        *self = Self::new(0);
    }

    /// Bytes from `position` on are gone.
    pub(crate) fn cut(&mut self, position: u64) {
        self.trusted_from = self.trusted_from.min(position);
        let ranges = self.ranges.get_mut();
        ranges.retain(|(from, _)| *from < position);
        if let Some((_, to)) = ranges.last_mut() {
            *to = (*to).min(position);
        }
        self.damage.get_mut().take();
    }

    /// Up to where everything from `from` on is known to be right; `from` itself when nothing is.
    pub(crate) fn known_to(&self, from: u64) -> u64 {
        if from >= self.trusted_from {
            return u64::MAX;
        }
        let ranges = self.ranges.lock();
        let found = ranges.iter().find(|(start, end)| *start <= from && from < *end);
        match found {
            Some((_, end)) if *end >= self.trusted_from => u64::MAX,
            Some((_, end)) => *end,
            None => from,
        }
    }

    fn add(&self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        let mut ranges = self.ranges.lock();
        let first = ranges.partition_point(|(_, end)| *end < from);
        let last = ranges.partition_point(|(start, _)| *start <= to);
        let joined = ranges[first..last].iter().fold((from, to), |(a, b), (c, d)| (a.min(*c), b.max(*d)));
        ranges.splice(first..last, [joined]);
        if ranges.len() > RANGES_MAX {
            ranges.remove(0);
        }
    }
}

/// Follows batches and says which of them can't be.
struct Chain<'a> {
    epochs: &'a LeaderEpochs,
    /// The offset after the batch before; None when that is not known.
    next_offset: Option<Offset>,
    /// The batch before did not follow the one before it: it must lie before the next one, or it is wrong.
    gap_at: Option<u64>,
}

impl Chain<'_> {
    /// Position and reason of what is wrong once the batch at `position` is seen.
    fn follow(&mut self, position: u64, header: &BatchHeader) -> Result<(), (u64, String)> {
        let (base, expected) = (header.base_offset, self.next_offset.unwrap_or(header.base_offset));
        if base < expected {
            let wrong = self.gap_at.unwrap_or(position);
            return Err((wrong, format!("offset {base} follows {}", expected - 1)));
        }
        let epoch = header.partition_leader_epoch;
        if let Some(known) = self.epochs.epoch_for_offset(base).filter(|known| *known != epoch) {
            return Err((position, format!("offset {base} has leader epoch {epoch}, not {known}")));
        }
        self.gap_at = (base > expected).then_some(position);
        self.next_offset = Some(header.next_offset());
        Ok(())
    }

    /// As `follow`, where nothing is known but the offset that comes next.
    fn end(&self, next: Offset) -> Result<(), (u64, String)> {
        match (self.gap_at, self.next_offset) {
            (Some(position), Some(end)) if end > next => {
                Err((position, format!("offset {} is not before {next}", end - 1)))
            }
            _ => Ok(()),
        }
    }
}

impl Segment {
    /// Reads batches through from `from`, where one begins, unless that was done: up to `to`, or less. Returns up
    /// to where they are right, which is behind `from`; where the first is damaged, an error that says how.
    /// `next_base` is the offset after the segment.
    pub(crate) fn verify(
        &self,
        place: &Place,
        epochs: &LeaderEpochs,
        from: u64,
        to: u64,
        next_base: Offset,
    ) -> Result<u64, LogError> {
        let known = self.verified.known_to(from);
        if known > from {
            return Ok(known.min(to));
        }
        let to = to.min(from + VERIFY_BYTES_MAX);
        let mut chain = Chain { epochs, next_offset: self.offset_before(place, from)?, gap_at: None };
        let mut scan = self.scan(place, from)?;
        let found = self.follow_batches(place, &mut scan, &mut chain, to, next_base)?;
        let end = found.as_ref().map_or(scan.position(), |(position, _)| *position);
        self.verified.add(from, end);
        match found {
            Some((position, reason)) if position <= from => {
                Err(LogError::corrupt(&self.path(place), position, reason))
            }
            _ => Ok(end),
        }
    }

    /// Walks to `to`. Returns position and reason of the first batch that is not right.
    fn follow_batches(
        &self,
        place: &Place,
        scan: &mut BatchScan,
        chain: &mut Chain<'_>,
        to: u64,
        next_base: Offset,
    ) -> Result<Option<(u64, String)>, LogError> {
        while scan.position() < to {
            let position = scan.position();
            let batch = match scan.next_batch() {
                Ok(Some((_, batch))) => batch,
                Ok(None) => break,
                Err(ScanError::Batch(error)) => return Ok(Some((position, error.to_string()))),
                Err(error) => return Err(self.scan_error(place, position, error)),
            };
            if !batch.crc_is_valid() {
                let base_offset = batch.header.base_offset;
                return Ok(Some((
                    position,
                    format!("the checksum of the batch at offset {base_offset} is wrong"),
                )));
            }
            if let Err(wrong) = chain.follow(position, &batch.header) {
                return Ok(Some(wrong));
            }
        }
        if chain.gap_at.is_none() {
            return Ok(None);
        }
        // What comes next says whether the last batch can be where it claims to be.
        let mut ahead = self.scan(place, scan.position())?;
        let next = match ahead.next_header() {
            Ok(Some((_, header))) => header.base_offset,
            Ok(None) => next_base,
            Err(ScanError::Batch(_)) => return Ok(None),
            Err(error) => return Err(self.scan_error(place, scan.position(), error)),
        };
        Ok(chain.end(next).err())
    }

    /// The offset after the batch that ends at `position`; None when no walk from an index entry comes there.
    fn offset_before(&self, place: &Place, position: u64) -> Result<Option<Offset>, LogError> {
        let index = self.offset_index.entry_before(place, position)?;
        for from in [index, 0] {
            let mut scan = self.scan(place, from)?;
            let mut next_offset = if from == 0 { Some(self.base_offset) } else { None };
            while scan.position() < position {
                match scan.next_header() {
                    Ok(Some((_, header))) => next_offset = Some(header.next_offset()),
                    Ok(None) | Err(ScanError::Batch(_)) => break,
                    Err(error) => return Err(self.scan_error(place, position, error)),
                }
            }
            if scan.position() == position {
                return Ok(next_offset);
            }
        }
        Ok(None)
    }

    /// Whether the batch at `position` was found damaged before.
    pub(crate) fn is_known_as_damaged(&self, position: u64) -> bool {
        *self.verified.damage.lock() == Some(position)
    }

    /// Tells of damage, once.
    pub(crate) fn note_damage(&self, position: u64, error: LogError) -> LogError {
        if self.verified.damage.lock().replace(position) != Some(position) {
            log::error!("{error}; whoever reads it is told CORRUPT_MESSAGE");
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_where_they_meet_and_end_where_the_segment_is_cut() {
        let mut verified = Verified::new(1000);
        assert_eq!((verified.known_to(0), verified.known_to(1000)), (0, u64::MAX));
        verified.add(100, 200);
        verified.add(300, 400);
        assert_eq!((verified.known_to(150), verified.known_to(200), verified.known_to(300)), (200, 200, 400));
        verified.add(200, 300);
        assert_eq!(verified.known_to(100), 400);
        verified.add(400, 1000);
        assert_eq!(verified.known_to(100), u64::MAX);
        verified.cut(250);
        assert_eq!((verified.known_to(100), verified.known_to(250)), (u64::MAX, u64::MAX));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let verified = Verified::new(u64::MAX);
        for index in 0..200 {
            verified.add(index * 10, index * 10 + 5);
        }
        assert_eq!(verified.ranges.lock().len(), RANGES_MAX);
        assert_eq!(verified.known_to(1990), 1995);
    }
}
