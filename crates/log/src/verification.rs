//! Which producers' transactions are being verified before their first batch is appended (KIP-890).
//!
//! A batch that would begin a transaction in this log is taken only when the transaction coordinator has said
//! that the partition is part of one. While the coordinator is asked, the batch holds a guard; whatever of the
//! producer's transactions is appended meanwhile, a marker above all, makes the guard invalid. So a batch that
//! was verified can't come behind the end of the transaction it was verified for, and begin one that hangs.
//!
//! Always true: a producer has at most one guard; a guard is never given twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use barnabas_protocol::batch::BatchHeader;
use barnabas_protocol::{Millis, ProducerEpoch, ProducerId};

/// Producers whose verification is remembered for one log; beyond it the oldest are forgotten, whose batches
/// must be verified again.
pub const VERIFICATIONS_MAX: usize = 10_000;

/// Shows that the transaction coordinator was asked after the guard was given; 0 is no guard.
pub type VerificationGuard = u64;

/// The guard of those that were not verified.
pub const NO_GUARD: VerificationGuard = 0;

/// What asks for a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unverified {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its epoch in the batch.
    pub producer_epoch: ProducerEpoch,
    /// Sequence of the batch's first record; -1 for a coordinator's batch.
    pub base_sequence: i32,
    /// Whether the producer gets a new epoch with each transaction (transaction version 2).
    pub epoch_per_transaction: bool,
}

/// One producer's verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verification {
    guard: VerificationGuard,
    since: Millis,
    epoch: ProducerEpoch,
    /// Of the batches that asked in this epoch: those behind it wait for it.
    pub(crate) lowest_sequence: i32,
    pub(crate) epoch_per_transaction: bool,
}

/// All verifications of one log.
#[derive(Debug, Default)]
pub(crate) struct Verifications {
    by_producer: HashMap<ProducerId, Verification>,
    /// The producer of each guard: oldest first, for guards grow.
    by_guard: BTreeMap<VerificationGuard, ProducerId>,
}

// Counts for the whole process, so that a guard of one log is never one of the log that takes its place.
static LAST_GUARD: AtomicU64 = AtomicU64::new(NO_GUARD);

impl Verifications {
    /// The guard for a batch that is about to be verified.
    pub(crate) fn begin(&mut self, batch: &Unverified, now: Millis) -> VerificationGuard {
        if let Some(verification) = self.by_producer.get_mut(&batch.producer_id) {
            let lower = batch.base_sequence < verification.lowest_sequence;
            if batch.producer_epoch > verification.epoch
                || (batch.producer_epoch == verification.epoch && lower)
            {
                verification.epoch = batch.producer_epoch;
                verification.lowest_sequence = batch.base_sequence;
            }
            return verification.guard;
        }
        if self.by_producer.len() >= VERIFICATIONS_MAX {
            if let Some((_, oldest)) = self.by_guard.pop_first() {
                self.by_producer.remove(&oldest);
            }
        }
        let guard = LAST_GUARD.fetch_add(1, Ordering::Relaxed) + 1;
        self.by_guard.insert(guard, batch.producer_id);
        self.by_producer.insert(
            batch.producer_id,
            Verification {
                guard,
                since: now,
                epoch: batch.producer_epoch,
                lowest_sequence: batch.base_sequence,
                epoch_per_transaction: batch.epoch_per_transaction,
            },
        );
        guard
    }

    /// The producer's verification.
    pub(crate) fn of(&self, producer_id: ProducerId) -> Option<&Verification> {
        self.by_producer.get(&producer_id)
    }

    /// Whether `guard` is the producer's, and nothing has made it invalid.
    pub(crate) fn is_valid(&self, producer_id: ProducerId, guard: VerificationGuard) -> bool {
        self.of(producer_id).is_some_and(|verification| verification.guard == guard)
    }

    /// A batch of a transaction was appended.
    pub(crate) fn appended(&mut self, header: &BatchHeader) {
        // With an epoch for each transaction, a marker has the epoch of the next one: if that is the epoch
        // whose verification is under way, the marker ends the transaction before it.
        let ends_the_one_before = |verification: &Verification| {
            verification.epoch_per_transaction
                && header.is_control()
                && header.producer_epoch == verification.epoch
        };
        if !header.is_transactional() || self.of(header.producer_id).is_some_and(ends_the_one_before) {
            return;
        }
        if let Some(verification) = self.by_producer.remove(&header.producer_id) {
            self.by_guard.remove(&verification.guard);
        }
    }

    /// Forgets those that nobody has come back for.
    pub(crate) fn remove_expired(&mut self, now: Millis, expiration_ms: Millis) {
        let by_guard = &mut self.by_guard;
        self.by_producer.retain(|_, verification| {
            let keep = now.saturating_sub(verification.since) < expiration_ms;
            if !keep {
                by_guard.remove(&verification.guard);
            }
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barnabas_protocol::batch::{Attributes, MAGIC};

    fn batch(producer_epoch: ProducerEpoch, base_sequence: i32) -> Unverified {
        Unverified { producer_id: 7, producer_epoch, base_sequence, epoch_per_transaction: true }
    }

    fn header(producer_epoch: ProducerEpoch, control: bool) -> BatchHeader {
        BatchHeader {
            base_offset: 0,
            batch_length: 49,
            partition_leader_epoch: 0,
            magic: MAGIC,
            crc: 0,
            attributes: Attributes::default().with_transactional(true).with_control(control),
            last_offset_delta: 0,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id: 7,
            producer_epoch,
            base_sequence: -1,
            records_count: 1,
        }
    }

    #[test]
    fn a_producer_has_one_guard_and_its_lowest_sequence_is_remembered() {
        let mut verifications = Verifications::default();
        let guard = verifications.begin(&batch(1, 5), 0);
        assert_eq!(verifications.begin(&batch(1, 0), 0), guard);
        assert_eq!(verifications.begin(&batch(1, 9), 0), guard);
        assert_eq!(verifications.of(7).map(|known| known.lowest_sequence), Some(0));
        assert_eq!(verifications.begin(&batch(2, 3), 0), guard);
        assert_eq!(verifications.of(7).map(|known| known.lowest_sequence), Some(3));
        assert!(verifications.is_valid(7, guard));
        assert!(!verifications.is_valid(7, NO_GUARD));
        assert!(!verifications.is_valid(8, guard));
    }

    #[test]
    fn a_marker_makes_the_guard_invalid_unless_it_ends_the_transaction_before() {
        let mut verifications = Verifications::default();
        let guard = verifications.begin(&batch(4, 0), 0);
        verifications.appended(&header(4, true));
        assert!(verifications.is_valid(7, guard), "the marker of epoch 4 ends the transaction of epoch 3");
        verifications.appended(&header(5, true));
        assert!(!verifications.is_valid(7, guard));

        let old = Unverified { epoch_per_transaction: false, ..batch(4, 0) };
        let guard = verifications.begin(&old, 0);
        verifications.appended(&header(4, true));
        assert!(!verifications.is_valid(7, guard));
        assert_ne!(verifications.begin(&old, 0), guard);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_expires() {
        let mut verifications = Verifications::default();
        let of = |producer_id| Unverified { producer_id, ..batch(0, 0) };
        let first = verifications.begin(&of(0), 0);
        for producer_id in 1..=VERIFICATIONS_MAX as ProducerId {
            verifications.begin(&of(producer_id), 10);
        }
        assert!(!verifications.is_valid(0, first));
        assert_eq!(verifications.by_producer.len(), VERIFICATIONS_MAX);
        verifications.remove_expired(19, 10);
        assert_eq!(verifications.by_guard.len(), VERIFICATIONS_MAX);
        verifications.remove_expired(20, 10);
        assert!(verifications.by_producer.is_empty() && verifications.by_guard.is_empty());
    }
}
