//! One transactional id as its log has it, and the plain steps from one transaction to the next: partitions are
//! added, its producer ends it, its markers are written. Each step gives the value that becomes true with its
//! record. All other steps are the coordinator's.

use std::collections::BTreeSet;

use barnabas_protocol::generated::transaction_log_key::TransactionLogKey;
use barnabas_protocol::generated::transaction_log_value::{PartitionsSchema, TransactionLogValue};
use barnabas_protocol::wire::{EncodeError, Writer};
use barnabas_protocol::{Millis, PartitionIndex, ProducerEpoch, ProducerId};

/// From this transaction version on, the end of each transaction raises the epoch (KIP-890).
pub(crate) const EPOCH_BUMP_VERSION: i16 = 2;
/// Highest epoch that a producer is given; the one above it is left for fencing it.
const EPOCH_GIVEN_MAX: ProducerEpoch = ProducerEpoch::MAX - 1;

/// Kafka's states that plain steps know, with their numbers in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum TransactionState {
    /// The producer has begun none.
    Empty = 0,
    /// A transaction is open.
    Ongoing = 1,
    /// It is committed, and not all partitions know.
    PrepareCommit = 2,
    /// It is aborted, and not all partitions know.
    PrepareAbort = 3,
    /// It was committed.
    CompleteCommit = 4,
    /// It was aborted.
    CompleteAbort = 5,
}

impl TransactionState {
    /// The state of a number in the log.
    pub fn of(code: i8) -> Option<TransactionState> {
        use TransactionState::{CompleteAbort, CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit};
        [Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort]
            .into_iter()
            .find(|state| *state as i8 == code)
    }

    /// Whether the outcome is decided and the markers are not all written.
    pub(crate) fn is_ending(self) -> bool {
        matches!(self, TransactionState::PrepareCommit | TransactionState::PrepareAbort)
    }
}

/// What is known of one transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its name.
    pub transactional_id: String,
    /// Its producer.
    pub producer_id: ProducerId,
    /// The producer's epoch.
    pub producer_epoch: ProducerEpoch,
    /// The epoch before, if the producer itself has had it raised; -1 otherwise.
    pub last_producer_epoch: ProducerEpoch,
    /// The producer before the last step.
    pub previous_producer_id: ProducerId,
    /// How long a transaction may be open, in milliseconds; `i32::MAX` for ever (KIP-939).
    pub timeout_ms: i32,
    /// What it is doing.
    pub state: TransactionState,
    /// Of the open or ending transaction.
    pub partitions: BTreeSet<(String, PartitionIndex)>,
    /// When the transaction began; -1 for none.
    pub start_timestamp: Millis,
    /// When the last step was made.
    pub last_update_timestamp: Millis,
    /// transaction.version that the last step was made with.
    pub transaction_version: i16,
}

impl Transaction {
    pub(crate) fn is_of(&self, producer_id: ProducerId, producer_epoch: ProducerEpoch) -> bool {
        self.producer_id == producer_id && self.producer_epoch == producer_epoch
    }

    pub(crate) fn is_ongoing(&self) -> bool {
        self.state == TransactionState::Ongoing
    }

    /// Whether the outcome is that what was written counts.
    pub(crate) fn is_committed(&self) -> bool {
        matches!(self.state, TransactionState::PrepareCommit | TransactionState::CompleteCommit)
    }

    /// Whether the producer id has no further epoch to give.
    pub(crate) fn is_epoch_exhausted(&self) -> bool {
        self.producer_epoch >= EPOCH_GIVEN_MAX
    }

    /// Whether it is open for longer than it may be.
    pub(crate) fn is_overdue(&self, now: Millis) -> bool {
        self.is_ongoing()
            && self.timeout_ms != i32::MAX
            && self.start_timestamp + Millis::from(self.timeout_ms) < now
    }

    /// The transaction begins, or takes in more partitions.
    pub(crate) fn with_partitions(
        &self,
        added: &BTreeSet<(String, PartitionIndex)>,
        transaction_version: i16,
        now: Millis,
    ) -> Transaction {
        assert!(!self.state.is_ending(), "{self:?}");
        let mut next = self.step(TransactionState::Ongoing, transaction_version, now);
        if !self.is_ongoing() {
            next.partitions.clear();
            next.start_timestamp = now;
        }
        next.partitions.extend(added.iter().cloned());
        next
    }

    /// The outcome is decided; from transaction version 2 on the epoch is raised with it.
    pub(crate) fn prepared(&self, committed: bool, transaction_version: i16, now: Millis) -> Transaction {
        assert!(self.is_ongoing(), "{self:?}");
        let state = match committed {
            true => TransactionState::PrepareCommit,
            false => TransactionState::PrepareAbort,
        };
        let mut next = self.step(state, transaction_version, now);
        if transaction_version >= EPOCH_BUMP_VERSION {
            assert!(!self.is_epoch_exhausted(), "{self:?}");
            next.producer_epoch = self.producer_epoch + 1;
            next.last_producer_epoch = self.producer_epoch;
        }
        next
    }

    /// All markers are written.
    pub(crate) fn completed(&self, now: Millis) -> Transaction {
        assert!(self.state.is_ending(), "{self:?}");
        let state = match self.state {
            TransactionState::PrepareCommit => TransactionState::CompleteCommit,
            _ => TransactionState::CompleteAbort,
        };
        let mut next = self.step(state, self.transaction_version, now);
        next.partitions.clear();
        next
    }

    fn step(&self, state: TransactionState, transaction_version: i16, now: Millis) -> Transaction {
        Transaction {
            state,
            previous_producer_id: self.producer_id,
            last_update_timestamp: now,
            transaction_version,
            ..self.clone()
        }
    }

    /// Key and value of the record that makes this true.
    pub(crate) fn record(&self, value_version: i16) -> Result<(Vec<u8>, Vec<u8>), EncodeError> {
        let mut key = Writer::new();
        key.i16(TransactionLogKey::KEY);
        TransactionLogKey { transactional_id: &self.transactional_id }.encode(&mut key, 0)?;
        let mut log_value = TransactionLogValue {
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            transaction_timeout_ms: self.timeout_ms,
            transaction_status: self.state as i8,
            transaction_partitions: self.schema(),
            transaction_last_update_timestamp_ms: self.last_update_timestamp,
            transaction_start_timestamp_ms: self.start_timestamp,
            ..TransactionLogValue::default()
        };
        if value_version >= 1 {
            log_value.previous_producer_id = self.previous_producer_id;
            log_value.client_transaction_version = self.transaction_version;
        }
        let mut value = Writer::new();
        value.i16(value_version);
        log_value.encode(&mut value, value_version)?;
        Ok((key.into_bytes(), value.into_bytes()))
    }

    fn schema(&self) -> Option<Vec<PartitionsSchema<'_>>> {
        if self.state == TransactionState::Empty {
            return None;
        }
        let mut topics: Vec<PartitionsSchema<'_>> = Vec::new();
        for (topic, index) in &self.partitions {
            match topics.last_mut() {
                Some(last) if last.topic == topic => last.partition_ids.push(*index),
                _ => topics.push(PartitionsSchema { topic, partition_ids: vec![*index] }),
            }
        }
        Some(topics)
    }
}
