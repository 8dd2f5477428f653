//! What of a read would have to wait for the disk.
//!
//! Whoever answers many clients on one thread asks only for what is in the page cache (`Log::read_cached`),
//! and lets another thread bring the rest there. Between question and answer pages may leave the cache: then
//! somebody waits once.

use barnabas_disk::FileSlice;
use barnabas_protocol::Offset;

use crate::batch_scan::HEADERS_BLOCK;
use crate::error::LogError;
use crate::log::Log;
use crate::place::Place;
use crate::segment::Segment;
use crate::verified::VERIFY_BYTES_MAX;

/// What verifying reads from where it begins: a block, and another one for the batch that leads out of it.
const VERIFY_REACH: u64 = 2 * VERIFY_BYTES_MAX;

impl Segment {
    /// What must be read before it is known where the batch with `offset` begins; None when it is cached.
    pub(crate) fn cold_way_to(&self, place: &Place, offset: Offset) -> Result<Option<FileSlice>, LogError> {
        if self.size == 0 || self.offset_index.is_known_to_end_before(offset) {
            return Ok(None); // Near the end, where everybody reads.
        }
        if let Some(cold) = self.offset_index.entries.cold(place)? {
            return Ok(Some(cold));
        }
        let to = self.offset_index.position_before(place, offset)?;
        // Verifying begins with a look at the batch before.
        let from = if self.is_verified(to) { to } else { self.offset_index.entry_before(place, to)? };
        let length = (to - from) as usize + HEADERS_BLOCK;
        Ok(FileSlice { file: self.file(place)?, position: from, length }.uncached())
    }

    fn is_verified(&self, position: u64) -> bool {
        self.verified.known_to(position) > position
    }
}

impl Log {
    /// How many of the `length` bytes at `position` of a segment can be given out without waiting for the
    /// disk, and what is missing. Bytes that must be verified first can't be given out before all are there
    /// that verifying reads.
    pub(crate) fn cached_part(
        &self,
        index: usize,
        position: u64,
        length: usize,
    ) -> Result<(usize, Option<FileSlice>), LogError> {
        let segment = &self.segments[index];
        let is_verified = segment.is_verified(position);
        let is_active = index + 1 == self.segments.len();
        if is_verified && is_active && position >= segment.offset_index.last(&self.place)?.position {
            return Ok((length, None)); // Written just now.
        }
        let reach = (segment.size - position).min(VERIFY_REACH) as usize;
        let needed = if is_verified { length } else { length.max(reach) };
        let cold = FileSlice { file: segment.file(&self.place)?, position, length: needed }.uncached();
        let given = match &cold {
            Some(cold) if is_verified => (cold.position - position) as usize,
            Some(_) => 0,
            None => length,
        };
        Ok((given, cold))
    }
}
