//! What a partition knows of its idempotent and transactional producers.
//!
//! Always true:
//!   a producer has at most `BATCHES_RETAINED` batches, all of its current epoch, newest last
//!   every open transaction of `ongoing` belongs to a producer whose `current_txn_first_offset` is its key
//!   a producer with an open transaction never expires

use std::collections::{BTreeMap, VecDeque};

use barnabas_protocol::batch::{sequence_after, BatchHeader, NO_PRODUCER_EPOCH, NO_SEQUENCE, NO_TIMESTAMP};
use barnabas_protocol::{Millis, Offset, ProducerEpoch, ProducerId};

use crate::verification::Verification;

/// How many batches of a producer are remembered, to recognise what it sends again.
pub const BATCHES_RETAINED: usize = 5;

/// Who appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendOrigin {
    /// A producer's request to the leader.
    Client,
    /// A coordinator on this node: its batches have no sequences to check.
    Coordinator,
    /// The leader's log, copied by a follower: what the leader took is right.
    Replication,
}

/// Where a batch stands to what its producer wrote before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// To be appended.
    New,
    /// In the log already: answer with these and append nothing.
    Duplicate {
        /// First offset that the batch got then.
        first_offset: Offset,
        /// Last offset that the batch got then.
        last_offset: Offset,
        /// Its largest timestamp.
        timestamp: Millis,
    },
}

/// Why a producer's batch is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProducerError {
    /// OUT_OF_ORDER_SEQUENCE_NUMBER.
    #[error("out of order sequence number for producer {producer_id}: {sequence} follows {last_sequence} (epoch {epoch}, last epoch {last_epoch})")]
    OutOfOrderSequence {
        /// The producer.
        producer_id: ProducerId,
        /// Its epoch in the batch.
        epoch: ProducerEpoch,
        /// First sequence of the batch.
        sequence: i32,
        /// Epoch of what was appended before.
        last_epoch: ProducerEpoch,
        /// Last sequence appended before, -1 when there is none in this epoch.
        last_sequence: i32,
    },
    /// INVALID_PRODUCER_EPOCH.
    #[error("epoch {epoch} of producer {producer_id} is older than {last_epoch}")]
    InvalidProducerEpoch {
        /// The producer.
        producer_id: ProducerId,
        /// Its epoch in the batch.
        epoch: ProducerEpoch,
        /// The epoch known already.
        last_epoch: ProducerEpoch,
    },
    /// INVALID_TXN_STATE: a batch outside a transaction while one is open.
    #[error("producer {producer_id} has a transaction open here: its batches must be transactional")]
    TransactionalWriteExpected {
        /// The producer.
        producer_id: ProducerId,
    },
    /// INVALID_TXN_STATE: a batch that would begin a transaction, and was not verified, or too long ago.
    #[error("producer {producer_id} has no transaction open here, and its batch was not verified")]
    NotVerified {
        /// The producer.
        producer_id: ProducerId,
    },
    /// TRANSACTION_COORDINATOR_FENCED.
    #[error("coordinator epoch {epoch} for producer {producer_id} is older than {last_epoch}")]
    TransactionCoordinatorFenced {
        /// The producer.
        producer_id: ProducerId,
        /// Epoch in the marker.
        epoch: i32,
        /// The epoch known already.
        last_epoch: i32,
    },
}

/// The end of a transaction, as its control record says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndTxnMarker {
    /// Whether the transaction was committed; otherwise it was aborted.
    pub committed: bool,
    /// Epoch of the coordinator that decided.
    pub coordinator_epoch: i32,
}

/// One batch that a producer wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerBatch {
    /// Sequence of its last record.
    pub last_sequence: i32,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// Last offset less first offset; the same for sequences.
    pub offset_delta: i32,
    /// Its largest timestamp.
    pub timestamp: Millis,
}

impl ProducerBatch {
    /// Sequence of its first record.
    pub fn first_sequence(&self) -> i32 {
        sequence_after(self.last_sequence, -self.offset_delta)
    }

    /// Offset of its first record.
    pub fn first_offset(&self) -> Offset {
        self.last_offset - self.offset_delta as Offset
    }
}

/// What is known of one producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerEntry {
    /// Epoch of its last batch or marker.
    pub epoch: ProducerEpoch,
    /// Epoch of the transaction coordinator that ended its last transaction, -1 before.
    pub coordinator_epoch: i32,
    /// Timestamp of its last batch or marker.
    pub last_timestamp: Millis,
    /// First offset of its open transaction.
    pub current_txn_first_offset: Option<Offset>,
    /// Its last batches, oldest first.
    pub batches: VecDeque<ProducerBatch>,
}

impl ProducerEntry {
    fn new() -> Self {
        Self {
            epoch: NO_PRODUCER_EPOCH,
            coordinator_epoch: -1,
            last_timestamp: NO_TIMESTAMP,
            current_txn_first_offset: None,
            batches: VecDeque::new(),
        }
    }

    /// Sequence of its last record in this epoch, -1 when there is none.
    pub fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    fn move_to_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.batches.clear();
            self.epoch = epoch;
        }
    }
}

/// A producer as DescribeProducers shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveProducer {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// Sequence of its last record, -1 when there is none.
    pub last_sequence: i32,
    /// Timestamp of its last batch or marker.
    pub last_timestamp: Millis,
    /// Epoch of the coordinator that ended its last transaction, -1 before.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction, -1 when there is none.
    pub current_txn_first_offset: Offset,
}

/// A transaction that a marker has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompletedTxn {
    /// The producer.
    pub producer_id: ProducerId,
    /// First offset of the transaction.
    pub first_offset: Offset,
    /// Offset of the marker.
    pub last_offset: Offset,
    /// Whether it was aborted.
    pub aborted: bool,
}

/// What is known of a batch's verification (KIP-890).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Verified<'a> {
    /// Whether the batch may not begin a transaction.
    pub(crate) missing: bool,
    /// The verification of its producer that is under way.
    pub(crate) verification: Option<&'a Verification>,
}

/// All producers of one partition.
#[derive(Debug, Default)]
pub struct ProducerState {
    producers: BTreeMap<ProducerId, ProducerEntry>,
    /// First offset of each open transaction, with its producer.
    ongoing: BTreeMap<Offset, ProducerId>,
    /// First and last offset of each ended transaction whose marker is not below the high watermark yet.
    unreplicated: BTreeMap<Offset, Offset>,
}

impl ProducerState {
    /// Compares a data batch with what its producer wrote before. Batches without a producer id and control
    /// batches are always new. Nothing changes.
    pub(crate) fn check(
        &self,
        header: &BatchHeader,
        origin: AppendOrigin,
        verified: Verified<'_>,
    ) -> Result<Checked, ProducerError> {
        if !header.has_producer_id() || header.is_control() {
            return Ok(Checked::New);
        }
        let producer_id = header.producer_id;
        let known = self.producers.get(&producer_id);
        if origin == AppendOrigin::Client {
            if let Some(duplicate) = known.and_then(|entry| find_duplicate(entry, header)) {
                return Ok(duplicate);
            }
        }
        if origin != AppendOrigin::Replication {
            self.check_epoch(producer_id, header.producer_epoch)?;
            let begins = header.is_transactional()
                && !self.has_ongoing_transaction(producer_id, header.producer_epoch);
            if begins && verified.missing {
                return Err(ProducerError::NotVerified { producer_id });
            }
        }
        if let Some(verification) = verified.verification.filter(|_| origin == AppendOrigin::Client) {
            check_begin(known, header, verification)?;
        }
        let Some(entry) = known else {
            // Unknown producers may start anywhere: retention may have removed what they wrote before.
            return Ok(Checked::New);
        };
        if origin == AppendOrigin::Client {
            check_sequence(entry, header)?;
        }
        if entry.current_txn_first_offset.is_some() && !header.is_transactional() {
            return Err(ProducerError::TransactionalWriteExpected { producer_id });
        }
        Ok(Checked::New)
    }

    /// Refuses a producer that has been followed by one with a higher epoch.
    pub(crate) fn check_epoch(
        &self,
        producer_id: ProducerId,
        epoch: ProducerEpoch,
    ) -> Result<(), ProducerError> {
        match self.producers.get(&producer_id).map(|entry| entry.epoch) {
            Some(last_epoch) if epoch < last_epoch => {
                Err(ProducerError::InvalidProducerEpoch { producer_id, epoch, last_epoch })
            }
            _ => Ok(()),
        }
    }

    /// Compares the marker that a leader is about to write with what is known of its producer.
    /// `transaction_version` is that of the WriteTxnMarkers request; from 2 on each transaction has an epoch
    /// of its own, so that a late marker can't end the next one (KIP-890).
    pub fn check_end_txn(
        &self,
        header: &BatchHeader,
        marker: &EndTxnMarker,
        transaction_version: i16,
    ) -> Result<(), ProducerError> {
        let producer_id = header.producer_id;
        let Some(entry) = self.producers.get(&producer_id) else { return Ok(()) };
        let (epoch, last_epoch) = (header.producer_epoch, entry.epoch);
        let old = if transaction_version >= 2 { epoch <= last_epoch } else { epoch < last_epoch };
        // A marker sent again ends nothing. An epoch that has reached its maximum can't be raised further.
        let repeated = transaction_version >= 2
            && epoch == last_epoch
            && (entry.current_txn_first_offset.is_none() || epoch == ProducerEpoch::MAX);
        if old && !repeated {
            return Err(ProducerError::InvalidProducerEpoch { producer_id, epoch, last_epoch });
        }
        if entry.coordinator_epoch > marker.coordinator_epoch {
            let (epoch, last_epoch) = (marker.coordinator_epoch, entry.coordinator_epoch);
            return Err(ProducerError::TransactionCoordinatorFenced { producer_id, epoch, last_epoch });
        }
        Ok(())
    }

    /// Notes a data batch that was appended.
    pub fn note_batch(&mut self, header: &BatchHeader) {
        let entry = self.producers.entry(header.producer_id).or_insert_with(ProducerEntry::new);
        entry.move_to_epoch(header.producer_epoch);
        if entry.batches.len() == BATCHES_RETAINED {
            entry.batches.pop_front();
        }
        entry.batches.push_back(ProducerBatch {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        });
        entry.last_timestamp = header.max_timestamp;
        if header.is_transactional() && entry.current_txn_first_offset.is_none() {
            entry.current_txn_first_offset = Some(header.base_offset);
            self.ongoing.insert(header.base_offset, header.producer_id);
        }
    }

    /// Notes a marker that was appended. Returns the transaction that it ended, if one was open.
    pub fn note_end_txn(
        &mut self,
        header: &BatchHeader,
        marker: &EndTxnMarker,
        timestamp: Millis,
    ) -> Option<CompletedTxn> {
        let producer_id = header.producer_id;
        let entry = self.producers.entry(producer_id).or_insert_with(ProducerEntry::new);
        entry.move_to_epoch(header.producer_epoch);
        entry.coordinator_epoch = marker.coordinator_epoch;
        entry.last_timestamp = timestamp;
        let first_offset = entry.current_txn_first_offset.take()?;
        let last_offset = header.base_offset;
        self.ongoing.remove(&first_offset);
        self.unreplicated.insert(first_offset, last_offset);
        Some(CompletedTxn { producer_id, first_offset, last_offset, aborted: !marker.committed })
    }

    /// The last stable offset as it is once `completed` counts: the first offset of the next transaction
    /// that another producer has open, or the one after the marker. It is kept with an aborted transaction.
    pub fn last_stable_offset_after(&self, completed: &CompletedTxn) -> Offset {
        let others = self.ongoing.iter().find(|(_, producer_id)| **producer_id != completed.producer_id);
        others.map_or(completed.last_offset + 1, |(first_offset, _)| *first_offset)
    }

    /// First offset that readers of committed records must not see yet: of an open transaction, or of one
    /// whose marker may still be lost.
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let ongoing = self.ongoing.keys().next();
        let unreplicated = self.unreplicated.keys().next();
        ongoing.into_iter().chain(unreplicated).min().copied()
    }

    /// Whether this producer has a transaction open in this epoch.
    pub fn has_ongoing_transaction(&self, producer_id: ProducerId, epoch: ProducerEpoch) -> bool {
        let entry = self.producers.get(&producer_id);
        entry.is_some_and(|entry| entry.current_txn_first_offset.is_some() && entry.epoch == epoch)
    }

    /// Markers below `offset` are safe: their transactions are stable.
    pub fn forget_replicated_below(&mut self, offset: Offset) {
        self.unreplicated.retain(|_, last_offset| *last_offset >= offset);
    }

    /// First and last offset of the ended transactions whose marker is not safe yet, but for those whose marker
    /// is at `end` or behind it.
    pub(crate) fn unreplicated_below(&self, end: Offset) -> BTreeMap<Offset, Offset> {
        self.unreplicated
            .iter()
            .map(|(first, last)| (*first, *last))
            .filter(|(_, last)| *last < end)
            .collect()
    }

    /// Notes such transactions again: a snapshot does not tell of them.
    pub(crate) fn note_unreplicated(&mut self, transactions: BTreeMap<Offset, Offset>) {
        self.unreplicated.extend(transactions);
    }

    /// Forgets producers that have not written for `expiration_ms`. Returns how many.
    pub fn remove_expired(&mut self, now: Millis, expiration_ms: Millis) -> usize {
        let before = self.producers.len();
        self.producers.retain(|_, entry| !is_expired(entry, now, expiration_ms));
        before - self.producers.len()
    }

    /// What is known of one producer.
    pub fn producer(&self, producer_id: ProducerId) -> Option<&ProducerEntry> {
        self.producers.get(&producer_id)
    }

    /// Everything that is known, by producer id.
    pub fn producers(&self) -> &BTreeMap<ProducerId, ProducerEntry> {
        &self.producers
    }

    /// Number of producers known.
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    /// Whether no producer is known.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// Producers as DescribeProducers shows them, by id.
    pub fn active_producers(&self) -> impl Iterator<Item = ActiveProducer> + '_ {
        self.producers.iter().map(|(producer_id, entry)| ActiveProducer {
            producer_id: *producer_id,
            epoch: entry.epoch,
            last_sequence: entry.last_sequence(),
            last_timestamp: entry.last_timestamp,
            coordinator_epoch: entry.coordinator_epoch,
            current_txn_first_offset: entry.current_txn_first_offset.unwrap_or(-1),
        })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes over an entry of a snapshot, unless it has expired meanwhile.
    pub(crate) fn restore(
        &mut self,
        producer_id: ProducerId,
        entry: ProducerEntry,
        now: Millis,
        expiration_ms: Millis,
    ) {
        if is_expired(&entry, now, expiration_ms) {
            return;
        }
        if let Some(first_offset) = entry.current_txn_first_offset {
            self.ongoing.insert(first_offset, producer_id);
        }
        self.producers.insert(producer_id, entry);
    }
}

fn is_expired(entry: &ProducerEntry, now: Millis, expiration_ms: Millis) -> bool {
    entry.current_txn_first_offset.is_none() && now.saturating_sub(entry.last_timestamp) >= expiration_ms
}

fn find_duplicate(entry: &ProducerEntry, header: &BatchHeader) -> Option<Checked> {
    if header.producer_epoch != entry.epoch {
        return None;
    }
    let range = (header.base_sequence, header.last_sequence());
    let same = entry.batches.iter().find(|batch| (batch.first_sequence(), batch.last_sequence) == range)?;
    Some(Checked::Duplicate {
        first_offset: same.first_offset(),
        last_offset: same.last_offset,
        timestamp: same.timestamp,
    })
}

/// Whether the batch may be the next one while its producer's transaction is verified: what it sent before
/// comes first, and with an epoch for each transaction that begins with sequence 0.
fn check_begin(
    known: Option<&ProducerEntry>,
    header: &BatchHeader,
    verification: &Verification,
) -> Result<(), ProducerError> {
    let sequence = header.base_sequence;
    let nothing_before = known.is_none_or(|entry| entry.batches.is_empty());
    let after_nothing = verification.epoch_per_transaction && sequence != 0 && nothing_before;
    if !after_nothing && sequence <= verification.lowest_sequence {
        return Ok(());
    }
    Err(ProducerError::OutOfOrderSequence {
        producer_id: header.producer_id,
        epoch: header.producer_epoch,
        sequence,
        last_epoch: known.map_or(NO_PRODUCER_EPOCH, |entry| entry.epoch),
        last_sequence: known.map_or(NO_SEQUENCE, ProducerEntry::last_sequence),
    })
}

fn check_sequence(entry: &ProducerEntry, header: &BatchHeader) -> Result<(), ProducerError> {
    let sequence = header.base_sequence;
    let last_sequence = entry.last_sequence();
    let follows = if header.producer_epoch != entry.epoch {
        sequence == 0 || entry.epoch == NO_PRODUCER_EPOCH
    } else {
        sequence as i64 == last_sequence as i64 + 1 || (sequence == 0 && last_sequence == i32::MAX)
    };
    if follows {
        return Ok(());
    }
    Err(ProducerError::OutOfOrderSequence {
        producer_id: header.producer_id,
        epoch: header.producer_epoch,
        sequence,
        last_epoch: entry.epoch,
        last_sequence,
    })
}
