//! The share session with one broker: which partitions it gives records of, and what it is told next.
//!
//! Always true:
//!   one request of a session is under way at a time, for its epochs have an order
//!   a session that is not open has nothing to tell: what the member had there is others' by now

use std::collections::{BTreeMap, BTreeSet};

use barnabas_protocol::{Offset, TopicId};

use crate::share::acknowledgements::{renews, Acknowledgements};

/// The epoch that opens a session, and the one that closes it.
const INITIAL_EPOCH: i32 = 0;
/// The epoch of the last request.
pub const FINAL_EPOCH: i32 = -1;

/// A partition of a topic, by the topic's id.
pub type Place = (TopicId, i32);

/// What a request tells, and of what the user wants to hear.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Told {
    /// As it goes out.
    pub said: BTreeMap<Place, Acknowledgements>,
    /// What of it the user has said.
    pub reported: BTreeMap<Place, Vec<Offset>>,
}

impl Told {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// Whether a lock is to be renewed, which is not done along with a fetch.
    pub fn renews(&self) -> bool {
        self.said.values().any(renews)
    }

    /// Adds what the user has said of records, or what is said without being asked.
    pub fn add(&mut self, place: Place, said: Acknowledgements, is_reported: bool) {
        if is_reported {
            self.reported.entry(place).or_default().extend(said.keys());
        }
        self.said.entry(place).or_default().extend(said);
    }
}

/// The session with one broker.
#[derive(Debug, Default)]
pub struct ShareSession {
    epoch: i32,
    partitions: BTreeSet<Place>,
    /// What is said with the next request.
    waiting: Told,
    is_asking: bool,
}

/// What a ShareFetch has to say.
#[derive(Debug, PartialEq, Eq)]
pub struct FetchOrder {
    /// Epoch of the session.
    pub epoch: i32,
    /// Partitions that are new.
    pub added: BTreeSet<Place>,
    /// Partitions that nothing is wanted of any more.
    pub forgotten: BTreeSet<Place>,
    /// What the broker is told.
    pub told: Told,
}

impl ShareSession {
    /// Whether the broker has it.
    pub fn is_open(&self) -> bool {
        self.epoch != INITIAL_EPOCH
    }

    /// Whether a request is under way.
    pub fn is_asking(&self) -> bool {
        self.is_asking
    }

    /// Notes what the broker is to be told.
    pub fn say(&mut self, place: Place, said: Acknowledgements, is_reported: bool) {
        self.waiting.add(place, said, is_reported);
    }

    /// Whether the user waits for something to be told.
    pub fn has_to_tell(&self) -> bool {
        !self.waiting.reported.is_empty()
    }

    /// Whether what is to be told can go with a fetch of `wanted`.
    pub fn tells_with(&self, wanted: &BTreeSet<Place>) -> bool {
        self.waiting.said.keys().all(|place| wanted.contains(place)) && !self.waiting.renews()
    }

    /// The request that asks for records of `wanted`.
    pub fn fetch(&mut self, wanted: BTreeSet<Place>) -> FetchOrder {
        let order = FetchOrder {
            epoch: self.epoch,
            added: wanted.difference(&self.partitions).copied().collect(),
            forgotten: self.partitions.difference(&wanted).copied().collect(),
            told: std::mem::take(&mut self.waiting),
        };
        self.partitions = wanted;
        self.is_asking = true;
        order
    }

    /// The request that only tells: its epoch, and what.
    pub fn tell(&mut self, is_last: bool) -> (i32, Told) {
        self.is_asking = true;
        let epoch = if is_last { FINAL_EPOCH } else { self.epoch };
        (epoch, std::mem::take(&mut self.waiting))
    }

    /// The request was answered without an error of the whole.
    pub fn answered(&mut self) {
        self.is_asking = false;
        self.epoch = if self.epoch == i32::MAX { 1 } else { self.epoch + 1 };
    }

    /// The session is over, or was never there. What was to be told, in vain.
    pub fn end(&mut self) -> Told {
        std::mem::take(self).waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(index: i32) -> Place {
        (TopicId::default(), index)
    }

    #[test]
    fn only_what_changes_is_said_again_and_what_is_told_goes_along() {
        let mut session = ShareSession::default();
        let first = session.fetch(BTreeSet::from([place(0), place(1)]));
        assert_eq!((first.epoch, first.added.len(), first.forgotten.len()), (0, 2, 0));
        assert!(session.is_asking());
        session.answered();
        session.say(place(1), Acknowledgements::from([(4, 1)]), true);
        session.say(place(1), Acknowledgements::from([(5, 0)]), false);
        assert!(session.tells_with(&BTreeSet::from([place(1)])));
        assert!(!session.tells_with(&BTreeSet::from([place(2)])));
        let second = session.fetch(BTreeSet::from([place(1), place(2)]));
        assert_eq!((second.epoch, second.added), (1, BTreeSet::from([place(2)])));
        assert_eq!(second.forgotten, BTreeSet::from([place(0)]));
        assert_eq!(second.told.said[&place(1)].len(), 2);
        assert_eq!(second.told.reported[&place(1)], [4]);
    }

    #[test]
    fn epochs_go_round_and_an_ended_session_begins_anew() {
        let mut session = ShareSession { epoch: i32::MAX, ..ShareSession::default() };
        session.answered();
        assert_eq!(session.fetch(BTreeSet::new()).epoch, 1);
        session.say(place(1), Acknowledgements::from([(4, 4)]), true);
        assert_eq!(session.end().reported.len(), 1);
        assert!(!session.is_open() && !session.has_to_tell());
        assert_eq!(session.tell(true).0, FINAL_EPOCH);
    }
}
