//! Transactional ids that their coordinator has *lent* to the data plane: their plain steps (`plain_transactions`)
//! are made here, without the coordinator.
//!
//! The coordinator lends an id when all that it has decided about it is committed, and *takes it back*, with what
//! has become of it, before it decides anything about it again. So an id has one owner at any moment, who alone
//! writes its records, and the log is right whoever that is.
//!
//! Always true:
//!   what is lent says what the last committed record of the id says, but between the records of one step, which
//!   is made under the id's lock
//!   whoever waits for that lock while the id is taken back finds it empty, and leaves the id alone
//!   what a leadership of the coordinator has lent is worth nothing in another: its records are refused

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use barnabas_protocol::{LeaderEpoch, Millis, PartitionIndex};
use parking_lot::{Mutex, RwLock};

use crate::broker::Broker;
use crate::transaction::Transaction;

/// A transactional id on loan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LentTransaction {
    /// Partition of `__transaction_state` that the id belongs to.
    pub index: PartitionIndex,
    /// The leadership of its coordinator.
    pub leader_epoch: LeaderEpoch,
    /// What is known of it.
    pub transaction: Transaction,
    /// Number of the latest connection that its producer has used below transaction version 2; 0 for none. Of an
    /// older one no request counts any more.
    pub connection: u64,
}

/// The place of one id; empty once it was taken back.
pub(crate) type Slot = Mutex<Option<LentTransaction>>;

/// All ids on loan.
#[derive(Debug, Default)]
pub(crate) struct LentTransactions {
    by_id: RwLock<HashMap<String, Arc<Slot>>>,
    latest_connection: AtomicU64,
}

impl LentTransactions {
    pub(crate) fn slot(&self, transactional_id: &str) -> Option<Arc<Slot>> {
        self.by_id.read().get(transactional_id).cloned()
    }

    /// A connection has asked something of a transaction.
    pub(crate) fn note_connection(&self, connection: u64) {
        self.latest_connection.fetch_max(connection, Ordering::Relaxed);
    }
}

impl Broker {
    /// Lends transactional ids to the data plane. Each is at rest or ongoing, and the caller decides nothing about
    /// it before it has taken it back.
    pub fn lend_transactions(&self, lent: impl IntoIterator<Item = LentTransaction>) {
        let mut by_id = self.lent.by_id.write();
        for lent in lent {
            assert!(!lent.transaction.state.is_ending(), "{lent:?}");
            let transactional_id = lent.transaction.transactional_id.clone();
            by_id.insert(transactional_id, Arc::new(Mutex::new(Some(lent))));
        }
    }

    /// Takes an id back, as it is now; None when it is not lent. Waits for a step that is being made. The id is
    /// in a state of preparation when its markers could not be written: the caller goes on with them. What was
    /// published of its transaction is withdrawn.
    pub fn take_back_transaction(&self, transactional_id: &str) -> Option<LentTransaction> {
        let slot = self.lent.by_id.write().remove(transactional_id)?;
        let taken = slot.lock().take()?;
        self.publish_transactions(&[taken.transaction.producer_id], &[]);
        Some(taken)
    }

    /// Takes back whatever a partition's coordinator has lent: its log says all. Returns the highest number of a
    /// connection that has asked something of a transaction here.
    pub fn forget_lent_transactions(&self, index: PartitionIndex) -> u64 {
        let mut producer_ids = Vec::new();
        self.lent.by_id.write().retain(|_, slot| {
            let mut slot = slot.lock();
            match slot.take_if(|lent| lent.index == index) {
                Some(taken) => producer_ids.push(taken.transaction.producer_id),
                None => return slot.is_some(),
            }
            false
        });
        self.publish_transactions(&producer_ids, &[]);
        self.lent.latest_connection.load(Ordering::Relaxed)
    }

    /// Lent ids whose transactions are open for longer than they may be.
    pub fn overdue_transactions(&self, now: Millis) -> Vec<String> {
        let by_id = self.lent.by_id.read();
        let is_overdue =
            |slot: &Slot| slot.lock().as_ref().is_some_and(|lent| lent.transaction.is_overdue(now));
        by_id.iter().filter(|(_, slot)| is_overdue(slot)).map(|(id, _)| id.clone()).collect()
    }
}
