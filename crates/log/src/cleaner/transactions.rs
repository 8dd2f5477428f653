//! Which transactions the cleaner is passing through, and whether their batches and markers are still needed.
//!
//! A data batch of an aborted transaction may go. A marker may go once no batch of its transaction was met on
//! the way to it; the first pass that finds that out sets its delete horizon, a later one removes it (KIP-534).

use std::collections::{BTreeMap, BTreeSet};

use barnabas_protocol::batch::BatchHeader;
use barnabas_protocol::control::ControlRecordType;
use barnabas_protocol::{Offset, ProducerId};

use crate::transaction_index::AbortedTxn;

/// What is known at one place of the log. Batches are shown to it in their order.
#[derive(Debug, Default)]
pub(crate) struct PassedTransactions {
    /// Those that begin behind the place that was reached, by first offset and producer.
    aborted_ahead: BTreeMap<(Offset, ProducerId), AbortedTxn>,
    /// Aborted ones that have begun, and whether a batch of them was met.
    aborted: BTreeMap<ProducerId, (AbortedTxn, bool)>,
    /// Producers with a transaction that was not aborted, of which a batch was met.
    other: BTreeSet<ProducerId>,
    /// Aborted ones whose marker is still needed: for the index of the compacted segment.
    kept: Vec<AbortedTxn>,
}

impl PassedTransactions {
    /// Adds aborted transactions that reach into what comes next. Those known already are no news.
    pub(crate) fn add_aborted(&mut self, aborted: impl IntoIterator<Item = AbortedTxn>) {
        self.aborted_ahead.extend(aborted.into_iter().map(|txn| ((txn.first_offset, txn.producer_id), txn)));
    }

    /// Passes a batch; `control` is the type of the marker in a control batch that is not empty. Returns
    /// whether what is in it may go: the records of an aborted transaction, or a marker that ends nothing.
    pub(crate) fn pass(&mut self, header: &BatchHeader, control: Option<ControlRecordType>) -> bool {
        self.begin_up_to(header.last_offset());
        if header.is_control() {
            return self.pass_marker(header.producer_id, header.records_count, control);
        }
        if !header.is_transactional() {
            return false;
        }
        match self.aborted.get_mut(&header.producer_id) {
            Some((_, met)) => {
                *met = true;
                true
            }
            None => {
                self.other.insert(header.producer_id);
                false
            }
        }
    }

    fn pass_marker(
        &mut self,
        producer_id: ProducerId,
        records_count: i32,
        control: Option<ControlRecordType>,
    ) -> bool {
        match control {
            _ if records_count == 0 => true, // A marker that was removed already.
            Some(ControlRecordType::Abort) => match self.aborted.remove(&producer_id) {
                Some((txn, true)) => {
                    self.kept.push(txn);
                    false
                }
                _ => true,
            },
            Some(ControlRecordType::Commit) => !self.other.remove(&producer_id),
            _ => false,
        }
    }

    fn begin_up_to(&mut self, offset: Offset) {
        while let Some(first) = self.aborted_ahead.first_entry().filter(|first| first.key().0 <= offset) {
            let txn = first.remove();
            self.aborted.entry(txn.producer_id).or_insert((txn, false));
        }
    }

    /// The aborted transactions whose markers were passed since this was asked last and must stay.
    pub(crate) fn take_kept(&mut self) -> Vec<AbortedTxn> {
        std::mem::take(&mut self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barnabas_protocol::batch::Attributes;

    fn header(
        producer_id: ProducerId,
        base_offset: Offset,
        control: bool,
        transactional: bool,
    ) -> BatchHeader {
        BatchHeader {
            base_offset,
            batch_length: 0,
            partition_leader_epoch: 0,
            magic: 2,
            crc: 0,
            attributes: Attributes::default().with_control(control).with_transactional(transactional),
            last_offset_delta: 0,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id,
            producer_epoch: 0,
            base_sequence: 0,
            records_count: 1,
        }
    }

    fn aborted(producer_id: ProducerId, first_offset: Offset, last_offset: Offset) -> AbortedTxn {
        AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset: last_offset + 1 }
    }

    #[test]
    fn records_of_an_aborted_transaction_go_and_its_marker_stays_for_one_more_pass() {
        let mut passed = PassedTransactions::default();
        passed.add_aborted([aborted(1, 5, 7)]);
        assert!(!passed.pass(&header(1, 4, false, true), None), "an earlier transaction");
        assert!(!passed.pass(&header(1, 4, true, true), Some(ControlRecordType::Commit)));
        assert!(passed.pass(&header(1, 5, false, true), None));
        assert!(!passed.pass(&header(2, 6, false, true), None));
        assert!(!passed.pass(&header(1, 7, true, true), Some(ControlRecordType::Abort)));
        assert_eq!(passed.take_kept(), [aborted(1, 5, 7)]);
        assert!(!passed.pass(&header(1, 8, false, true), None), "the next transaction");
    }

    #[test]
    fn a_marker_without_batches_may_go() {
        let mut passed = PassedTransactions::default();
        passed.add_aborted([aborted(1, 5, 7)]);
        assert!(passed.pass(&header(1, 7, true, true), Some(ControlRecordType::Abort)));
        assert!(passed.pass(&header(2, 8, true, true), Some(ControlRecordType::Commit)));
        assert!(passed.pass(&BatchHeader { records_count: 0, ..header(2, 9, true, true) }, None));
        assert!(!passed.pass(&header(3, 10, true, false), Some(ControlRecordType::LeaderChange)));
        assert!(passed.take_kept().is_empty());
    }
}
