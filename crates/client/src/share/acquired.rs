//! From an answer to ShareFetch to records for the user: those that were acquired, and what is to be said of the
//! offsets where there are none.

use std::ops::Range;
use std::sync::Arc;

use barnabas_protocol::generated::share_fetch_response::AcquiredRecords;
use barnabas_protocol::Offset;

use crate::error::ClientError;
use crate::fetched::{decode, FetchedBatch};
use crate::share::acknowledgements::{AcknowledgeType, Acknowledgements, GAP};

/// Offsets that a broker may give for one partition at once.
const OFFSETS_MAX: i64 = 1 << 20;

/// A batch with records that the member has.
#[derive(Debug, Clone)]
pub struct AcquiredBatch {
    /// The records; not all of them need be the member's.
    pub batch: Arc<FetchedBatch>,
    /// Offsets of those that are, ascending, and how often each was delivered, this time included.
    pub offsets: Vec<(Offset, i16)>,
}

/// What was acquired of one partition.
#[derive(Debug, Default)]
pub struct Acquired {
    /// In order.
    pub batches: Vec<AcquiredBatch>,
    /// What is to be said of acquired offsets that hold nothing for the user.
    pub spare: Acknowledgements,
    /// What is wrong with the records behind those; they are released.
    pub error: Option<ClientError>,
}

/// Reads what was acquired: `range` of a response's frame has the batches. None when the answer names more offsets
/// than any broker gives.
pub fn read(
    frame: &Arc<Vec<u8>>,
    range: Range<usize>,
    acquired: &[AcquiredRecords],
    check_crcs: bool,
) -> Option<Acquired> {
    let mut left = OFFSETS_MAX;
    for run in acquired {
        let count = run.last_offset.checked_sub(run.first_offset)?.checked_add(1)?;
        left = left.checked_sub(count).filter(|&left| left >= 0 && count > 0)?;
    }
    let decoded = decode(frame, range, 0, None, check_crcs);
    let mut result = Acquired { error: decoded.error, ..Acquired::default() };
    // Behind this offset nothing is known of what there is.
    let mut known_to = decoded.next_offset.unwrap_or(0);
    let mut runs = Runs { runs: acquired, index: 0 };
    let mut present = Acknowledgements::new();
    'batches: for batch in decoded.batches {
        let mut offsets = Vec::new();
        for record in batch.records() {
            let Ok(record) = record else {
                let base = batch.header.base_offset;
                result.error =
                    Some(ClientError::Corrupt(format!("a record of the batch at {base} is corrupt")));
                known_to = base;
                break 'batches;
            };
            if let Some(count) = runs.delivery_count(record.offset) {
                offsets.push((record.offset, count));
                present.insert(record.offset, GAP);
            }
        }
        if !offsets.is_empty() {
            result.batches.push(AcquiredBatch { batch, offsets });
        }
    }
    let all = acquired.iter().flat_map(|run| run.first_offset..=run.last_offset);
    for offset in all.filter(|offset| !present.contains_key(offset)) {
        let known = result.error.is_none() || offset < known_to;
        result.spare.insert(offset, if known { GAP } else { AcknowledgeType::Release.code() });
    }
    Some(result)
}

/// Acquired runs, looked at with ascending offsets.
struct Runs<'a> {
    runs: &'a [AcquiredRecords],
    index: usize,
}

impl Runs<'_> {
    fn delivery_count(&mut self, offset: Offset) -> Option<i16> {
        while self.runs.get(self.index).is_some_and(|run| run.last_offset < offset) {
            self.index += 1;
        }
        let run = self.runs.get(self.index)?;
        (run.first_offset <= offset).then_some(run.delivery_count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};

    fn batch(base_offset: Offset, count: usize) -> Vec<u8> {
        let mut builder = BatchBuilder::new(BuilderConfig { base_offset, ..Default::default() });
        for _ in 0..count {
            builder.append(5, None, Some(b"v"), &[]).unwrap();
        }
        builder.finish().unwrap()
    }

    fn run(first_offset: Offset, last_offset: Offset, delivery_count: i16) -> AcquiredRecords {
        AcquiredRecords { first_offset, last_offset, delivery_count }
    }

    fn offsets(acquired: &Acquired) -> Vec<(Offset, i16)> {
        acquired.batches.iter().flat_map(|batch| batch.offsets.clone()).collect()
    }

    #[test]
    fn only_acquired_records_are_given_and_offsets_without_one_are_gaps() {
        let frame = Arc::new([batch(0, 3), batch(5, 3)].concat());
        let runs = [run(1, 3, 1), run(5, 6, 2)];
        let acquired = read(&frame, 0..frame.len(), &runs, true).unwrap();
        assert_eq!(offsets(&acquired), [(1, 1), (2, 1), (5, 2), (6, 2)]);
        assert_eq!(acquired.spare, Acknowledgements::from([(3, GAP)]));
        assert!(acquired.error.is_none());
    }

    #[test]
    fn records_behind_a_corrupt_batch_are_released() {
        let mut bytes = [batch(0, 2), batch(2, 2)].concat();
        *bytes.last_mut().unwrap() ^= 1;
        let frame = Arc::new(bytes);
        let acquired = read(&frame, 0..frame.len(), &[run(0, 3, 1)], true).unwrap();
        assert_eq!(offsets(&acquired), [(0, 1), (1, 1)]);
        assert_eq!(acquired.spare, Acknowledgements::from([(2, 2), (3, 2)]));
        assert!(acquired.error.is_some());
    }

    #[test]
    fn an_answer_that_names_too_many_offsets_costs_no_memory() {
        let frame = Arc::new(batch(0, 1));
        let bytes = 0..frame.len();
        for wrong in [[run(0, i64::MAX, 1)], [run(i64::MIN, i64::MAX, 1)], [run(5, 4, 1)]] {
            assert!(read(&frame, bytes.clone(), &wrong, true).is_none());
        }
    }
}
