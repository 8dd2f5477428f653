//! The last batches that were appended to a segment, so that whoever reads at the head of a log finds them without
//! looking into its files.
//!
//! Always true: the batches follow one another, and the last one ends the segment.

use std::collections::VecDeque;

use barnabas_protocol::batch::BatchHeader;
use barnabas_protocol::Offset;

/// Batches that are remembered.
const BATCHES_MAX: usize = 8;

/// Positions and headers of batches, oldest first. Takes no memory before the first append.
#[derive(Debug, Default)]
pub(crate) struct RecentBatches(VecDeque<(u64, BatchHeader)>);

impl RecentBatches {
    /// A batch was appended at `position`.
    pub(crate) fn push(&mut self, position: u64, header: &BatchHeader) {
        if self.0.len() == BATCHES_MAX {
            self.0.pop_front();
        }
        self.0.push_back((position, *header));
    }

    /// The first batch whose last offset is at least `offset`, if it is sure to be among these.
    pub(crate) fn find(&self, offset: Offset) -> Option<(u64, BatchHeader)> {
        let (_, oldest) = self.0.front()?;
        if offset < oldest.base_offset {
            return None;
        }
        self.0.iter().rev().take_while(|(_, header)| header.last_offset() >= offset).last().copied()
    }

    /// The segment was changed otherwise than by an append, or has got its last.
    pub(crate) fn forget(&mut self) {
        self.0 = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barnabas_protocol::batch::{Attributes, MAGIC};

    fn header(base_offset: Offset, last_offset_delta: i32) -> BatchHeader {
        BatchHeader {
            base_offset,
            batch_length: 49,
            partition_leader_epoch: 0,
            magic: MAGIC,
            crc: 0,
            attributes: Attributes::default(),
            last_offset_delta,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            records_count: last_offset_delta + 1,
        }
    }

    fn position_of(recent: &RecentBatches, offset: Offset) -> Option<u64> {
        recent.find(offset).map(|(position, _)| position)
    }

    #[test]
    fn an_offset_is_found_in_the_first_batch_that_ends_at_it_or_behind_it() {
        let mut recent = RecentBatches::default();
        assert_eq!(position_of(&recent, 0), None);
        recent.push(100, &header(10, 4));
        recent.push(200, &header(15, 0));
        // Offsets 16 to 19 are missing: a replica appends what compaction has left.
        recent.push(300, &header(20, 2));
        let found = [9, 10, 14, 15, 16, 19, 20, 22, 23].map(|offset| position_of(&recent, offset));
        let expected =
            [None, Some(100), Some(100), Some(200), Some(300), Some(300), Some(300), Some(300), None];
        assert_eq!(found, expected);
        recent.forget();
        assert_eq!(position_of(&recent, 20), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut recent = RecentBatches::default();
        (0..100).for_each(|offset| recent.push(offset as u64, &header(offset, 0)));
        assert_eq!(position_of(&recent, 99 - BATCHES_MAX as Offset), None);
        assert_eq!(position_of(&recent, 100 - BATCHES_MAX as Offset), Some(100 - BATCHES_MAX as u64));
    }
}
