//! Which partitions are part of open transactions, as their coordinator on this node has said: who produces to
//! them need not ask it (KIP-890).
//!
//! The coordinator *publishes* partitions when their addition to a transaction is committed, before it answers
//! who has added them, and *withdraws* a producer's before it has the first marker of the transaction written.
//! Whoever looks here has its guard already: a marker that is written after the look makes the guard invalid, so
//! that a look is as good as the coordinator's word.
//!
//! Always true:
//!   what was published by a leadership of the coordinator counts in this leadership only
//!   a producer has at most one entry; entries that nobody withdraws (the coordinator has moved away) are
//!   forgotten, so that there are at most about twice as many as there are open transactions

use std::collections::{HashMap, HashSet};

use barnabas_protocol::{LeaderEpoch, PartitionIndex, ProducerEpoch, ProducerId};
use parking_lot::RwLock;

use crate::broker::Broker;
use crate::coordinator::{TransactionCheck, TRANSACTION_STATE};

/// Entries below which it is not worth looking for forgotten ones.
const SWEEP_FROM: usize = 1_000;

/// Partitions that have become part of an open transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTransaction<'a> {
    /// Partition of `__transaction_state` that the transaction belongs to.
    pub index: PartitionIndex,
    /// The leadership of its coordinator.
    pub leader_epoch: LeaderEpoch,
    /// Whose transaction it is.
    pub transactional_id: &'a str,
    /// The producer.
    pub producer_id: ProducerId,
    /// Its epoch in this transaction.
    pub producer_epoch: ProducerEpoch,
    /// What has become part of it, topic by topic; what was published before stays.
    pub partitions: Vec<(&'a str, PartitionIndex)>,
}

#[derive(Debug)]
struct Entry {
    index: PartitionIndex,
    leader_epoch: LeaderEpoch,
    transactional_id: String,
    producer_epoch: ProducerEpoch,
    topics: HashMap<String, HashSet<PartitionIndex>>,
}

impl Entry {
    fn new(open: &OpenTransaction<'_>) -> Entry {
        Entry {
            index: open.index,
            leader_epoch: open.leader_epoch,
            transactional_id: open.transactional_id.to_owned(),
            producer_epoch: open.producer_epoch,
            topics: HashMap::new(),
        }
    }

    /// Whether this is an earlier word on the same transaction.
    fn is_of(&self, open: &OpenTransaction<'_>) -> bool {
        self.index == open.index
            && self.leader_epoch == open.leader_epoch
            && self.producer_epoch == open.producer_epoch
            && self.transactional_id == open.transactional_id
    }

    fn covers(&self, asked: &TransactionCheck) -> bool {
        let has = |topic: &str, index| self.topics.get(topic).is_some_and(|known| known.contains(&index));
        self.producer_epoch == asked.producer_epoch
            && self.transactional_id == asked.transactional_id
            && asked.partitions.iter().all(|(topic, index)| has(topic, *index))
    }
}

/// All of them, by producer.
#[derive(Debug, Default)]
pub(crate) struct OpenTransactions {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    by_producer: HashMap<ProducerId, Entry>,
    /// Entries at which forgotten ones are looked for next.
    sweep_at: usize,
}

impl State {
    fn publish(&mut self, open: &OpenTransaction<'_>) {
        let entry = self.by_producer.entry(open.producer_id).or_insert_with(|| Entry::new(open));
        if !entry.is_of(open) {
            *entry = Entry::new(open);
        }
        for (topic, index) in &open.partitions {
            match entry.topics.get_mut(*topic) {
                Some(known) => _ = known.insert(*index),
                None => _ = entry.topics.insert((*topic).to_owned(), HashSet::from([*index])),
            }
        }
    }

    fn sweep(&mut self, leads: impl Fn(PartitionIndex, LeaderEpoch) -> bool) {
        if self.by_producer.len() < self.sweep_at.max(SWEEP_FROM) {
            return;
        }
        self.by_producer.retain(|_, entry| leads(entry.index, entry.leader_epoch));
        self.sweep_at = 2 * self.by_producer.len();
    }
}

impl Broker {
    /// Forgets what is known of these producers' transactions, then takes note of open ones.
    pub fn publish_transactions(&self, ended: &[ProducerId], open: &[OpenTransaction<'_>]) {
        let mut state = self.open_transactions.state.write();
        for producer_id in ended {
            state.by_producer.remove(producer_id);
        }
        for open in open {
            state.publish(open);
        }
        state.sweep(|index, leader_epoch| self.leads_transactions(index, leader_epoch));
    }

    /// Whether all partitions of a question are part of the transaction, as the coordinator has said.
    pub(crate) fn is_answered(&self, asked: &TransactionCheck) -> bool {
        let state = self.open_transactions.state.read();
        let Some(entry) = state.by_producer.get(&asked.producer_id) else { return false };
        entry.covers(asked) && self.leads_transactions(entry.index, entry.leader_epoch)
    }

    fn leads_transactions(&self, index: PartitionIndex, leader_epoch: LeaderEpoch) -> bool {
        let partition = self.partition_by_name(&self.image.load(), TRANSACTION_STATE, index);
        partition.is_ok_and(|partition| partition.role.read().leader(leader_epoch).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_coordinators_that_have_moved_away_do_not_pile_up() {
        let mut state = State::default();
        for producer_id in 0..5_000 {
            let stale = OpenTransaction {
                index: 0,
                leader_epoch: i32::from(producer_id < 10),
                transactional_id: "t",
                producer_id,
                producer_epoch: 0,
                partitions: vec![("orders", 0)],
            };
            state.publish(&stale);
            state.sweep(|_, leader_epoch| leader_epoch == 1);
            assert!(state.by_producer.len() <= SWEEP_FROM);
        }
        assert!((0..10).all(|producer_id| state.by_producer.contains_key(&producer_id)));
    }
}
