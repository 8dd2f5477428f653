//! What a share consumer's threads and its engine tell each other, under one lock.
//!
//! Always true:
//!   a record that the user has is in `held` until what became of it is handed over; one whose lock is renewed stays
//!   `unanswered` counts the offsets that were handed over and of which no broker has said anything yet

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use barnabas_protocol::{Millis, NodeId, Offset};

use crate::error::ClientError;
use crate::fetch_session::Partition;
use crate::share::acknowledgements::{AcknowledgeType, Acknowledgements};
use crate::share::acquired::AcquiredBatch;
use crate::share::session::Place;

/// Results that wait for the user; older ones are forgotten.
const RESULTS_MAX: usize = 10_000;

/// A batch on its way to the user.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Its partition.
    pub partition: Partition,
    /// The same, by the topic's id.
    pub place: Place,
    /// Who gave it.
    pub node: NodeId,
    /// The records.
    pub acquired: AcquiredBatch,
}

/// A record that the user has.
#[derive(Debug, Clone, Copy)]
struct Held {
    node: NodeId,
    place: Place,
    said: Option<AcknowledgeType>,
    is_renewed: bool,
}

/// What became of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// The partition.
    pub partition: Partition,
    /// Offsets of the records.
    pub offsets: Vec<Offset>,
    /// Why it does not count; None when it does.
    pub error: Option<ClientError>,
}

/// Whether the user may ask for more records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asking {
    /// It may.
    Fine,
    /// So many records were given out of which nothing was said.
    Unsaid(usize),
}

/// The desk between the user's threads and the engine.
#[derive(Debug, Default)]
pub struct Desk {
    /// Whether the user says of each record what became of it.
    is_explicit: bool,
    /// What it is subscribed to.
    pub wanted: Option<BTreeSet<Arc<str>>>,
    /// The last time at which the user asked for records.
    pub polled_at: Millis,
    /// Begins to leave.
    pub leaving: bool,
    /// Has left.
    pub has_left: bool,
    /// Why a broker does not let the consumer in, until somebody is told or it is let in.
    pub refusal: Option<ClientError>,
    /// How long records are the member's, as a broker has said last.
    pub lock_timeout_ms: Option<i32>,
    /// It is over.
    pub is_closed: bool,
    pub(super) ready: VecDeque<Ready>,
    pub(super) pending: Vec<(NodeId, Place, Acknowledgements)>,
    held: BTreeMap<Partition, BTreeMap<Offset, Held>>,
    unanswered: usize,
    results: VecDeque<Acknowledged>,
    error: Option<ClientError>,
}

impl Desk {
    /// Nothing is wanted yet.
    pub fn new(is_explicit: bool) -> Desk {
        Desk { is_explicit, ..Desk::default() }
    }

    /// Wants these topics from now on.
    pub fn subscribe(&mut self, topics: BTreeSet<Arc<str>>, now: Millis) {
        self.wanted = Some(topics);
        self.polled_at = now;
    }

    /// The user asks for records: says of those it has what became of them, as far as that is left to it.
    pub fn ask(&mut self, now: Millis) -> Asking {
        self.polled_at = now;
        if self.is_explicit {
            let open = |held: &&Held| held.said.is_none() && !held.is_renewed;
            let unsaid = self.held.values().flat_map(BTreeMap::values).filter(open).count();
            if unsaid > 0 {
                return Asking::Unsaid(unsaid);
            }
        }
        self.commit(&BTreeMap::new());
        Asking::Fine
    }

    /// Hands over what was said. Where nothing need be said, all that was given out is accepted, but for `unseen`
    /// records and those of which something else was said (that they could not be read).
    pub fn commit(&mut self, unseen: &BTreeMap<Partition, BTreeSet<Offset>>) {
        if !self.is_explicit {
            for (partition, records) in &mut self.held {
                let unseen = unseen.get(partition);
                for (offset, held) in records {
                    if unseen.is_none_or(|unseen| !unseen.contains(offset)) {
                        held.said.get_or_insert(AcknowledgeType::Accept);
                    }
                }
            }
        }
        self.hand_over();
    }

    fn hand_over(&mut self) {
        let mut said: BTreeMap<(NodeId, Place), Acknowledgements> = BTreeMap::new();
        for records in self.held.values_mut() {
            records.retain(|&offset, held| {
                let Some(word) = held.said.take() else { return true };
                said.entry((held.node, held.place)).or_default().insert(offset, word.code());
                held.is_renewed |= word == AcknowledgeType::Renew;
                word == AcknowledgeType::Renew
            });
        }
        self.held.retain(|_, records| !records.is_empty());
        for ((node, place), said) in said {
            self.unanswered += said.len();
            self.pending.push((node, place, said));
        }
    }

    /// Notes what became of a record. False when the user does not have it.
    pub fn acknowledge(&mut self, partition: &Partition, offset: Offset, word: AcknowledgeType) -> bool {
        match self.held.get_mut(partition).and_then(|records| records.get_mut(&offset)) {
            Some(held) => {
                held.said = Some(word);
                true
            }
            None => false,
        }
    }

    /// Up to `max` records that are there; the user has them from now on.
    pub fn take(&mut self, max: usize) -> Vec<Ready> {
        let mut taken = Vec::new();
        let mut left = max;
        while left > 0 {
            let Some(front) = self.ready.front_mut() else { break };
            let offsets = &mut front.acquired.offsets;
            let rest = offsets.split_off(left.min(offsets.len()));
            let given = front.clone();
            left -= given.acquired.offsets.len();
            if rest.is_empty() {
                self.ready.pop_front();
            } else {
                front.acquired.offsets = rest;
            }
            let records = self.held.entry(given.partition.clone()).or_default();
            for &(offset, _) in &given.acquired.offsets {
                let (node, place) = (given.node, given.place);
                records.insert(offset, Held { node, place, said: None, is_renewed: false });
            }
            taken.push(given);
        }
        taken
    }

    /// Whether there is something to tell the user who asks.
    pub fn has_something(&self) -> bool {
        !self.ready.is_empty() || self.error.is_some() || self.is_closed
    }

    /// Whether brokers have answered to all that was handed over.
    pub fn is_settled(&self) -> bool {
        self.unanswered == 0
    }

    /// What became of acknowledgements since the last call.
    pub fn take_results(&mut self) -> Vec<Acknowledged> {
        self.results.drain(..).collect()
    }

    /// What the consumer can't get over by itself; told once.
    pub fn take_error(&mut self) -> Option<ClientError> {
        self.error.take()
    }

    /// Begins to leave: what was said is handed over, everything else is given back.
    pub fn leave(&mut self) {
        self.hand_over();
        self.held.clear();
        self.ready.clear();
        self.wanted = None;
        (self.leaving, self.has_left) = (true, false);
    }

    pub(super) fn fail(&mut self, error: ClientError) {
        self.error = Some(error);
    }

    /// What the member had of a broker is others' by now.
    pub(super) fn lose(&mut self, node: NodeId) {
        self.ready.retain(|ready| ready.node != node);
    }

    pub(super) fn answer(&mut self, result: Acknowledged) {
        self.unanswered -= result.offsets.len();
        if result.error.is_some() {
            // A lock that could not be renewed is not the user's any more.
            if let Some(records) = self.held.get_mut(&result.partition) {
                records.retain(|offset, held| !(held.is_renewed && result.offsets.contains(offset)));
            }
            self.held.retain(|_, records| !records.is_empty());
        }
        if self.results.len() == RESULTS_MAX {
            self.results.pop_front();
        }
        self.results.push_back(result);
    }
}
