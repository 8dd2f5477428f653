//! The coordinator of one transactional id, in transaction version 1 or 2.

use std::collections::BTreeSet;

use barnabas_protocol::error::ErrorCode;

/// What a transaction's end does to the logs: who, whether it counts, and the epoch that is to follow.
pub type Marker = (i16, bool, i16);

/// As far as a producer can tell.
#[derive(Default)]
pub struct Coordinator {
    /// Whether each transaction has an epoch of its own (KIP-890).
    pub epoch_each: bool,
    pub epoch: i16,
    pub partitions: BTreeSet<usize>,
    is_open: bool,
    last: Option<bool>,
}

impl Coordinator {
    pub fn new(epoch_each: bool) -> Coordinator {
        Coordinator { epoch_each, epoch: -1, ..Default::default() }
    }

    /// InitProducerId: an unknown producer, or one that wants another epoch. What is open is aborted.
    pub fn init(&mut self, epoch: i16) -> (ErrorCode, Option<Marker>) {
        let is_repeated = epoch >= 0 && epoch + 1 == self.epoch && !self.is_open;
        if is_repeated {
            return (ErrorCode::NONE, None);
        }
        if epoch >= 0 && epoch != self.epoch {
            return (ErrorCode::PRODUCER_FENCED, None);
        }
        let before = self.epoch;
        self.epoch += 1;
        let marker = self.is_open.then_some((before, false, self.epoch));
        (self.is_open, self.last) = (false, None);
        self.partitions.clear();
        (ErrorCode::NONE, marker)
    }

    /// AddPartitionsToTxn, or the first batch in transaction version 2.
    pub fn add(&mut self, epoch: i16, partition: usize) -> ErrorCode {
        if epoch != self.epoch {
            return ErrorCode::INVALID_PRODUCER_EPOCH;
        }
        self.is_open = true;
        self.partitions.insert(partition);
        ErrorCode::NONE
    }

    /// EndTxn.
    pub fn end(&mut self, epoch: i16, commit: bool) -> (ErrorCode, Option<Marker>) {
        let is_repeated = match self.epoch_each {
            true => epoch + 1 == self.epoch,
            false => epoch == self.epoch,
        };
        if is_repeated && !self.is_open {
            let same = self.last == Some(commit);
            return (if same { ErrorCode::NONE } else { ErrorCode::INVALID_TXN_STATE }, None);
        }
        if epoch != self.epoch {
            return (ErrorCode::PRODUCER_FENCED, None);
        }
        (self.is_open, self.last) = (false, Some(commit));
        self.partitions.clear();
        self.epoch += i16::from(self.epoch_each);
        (ErrorCode::NONE, Some((epoch, commit, self.epoch)))
    }
}
