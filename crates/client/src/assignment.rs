//! The partitions that a consumer reads, where it is in each of them, and what was fetched but not yet taken.
//!
//! The user's threads and the fetcher share it. Always true:
//!   what is queued of a partition follows `position` without a gap, and ends before `fetch_offset`
//!   an answer counts only if nobody has moved the partition since it was asked for (`generation`)

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use barnabas_protocol::{LeaderEpoch, Millis, Offset};

use crate::error::ClientError;
use crate::fetch_session::Partition;
use crate::fetched::FetchedBatch;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At an offset.
    Offset(Offset),
    /// At the first record there is.
    Earliest,
    /// After the last one.
    Latest,
    /// At the first record that is not older, in milliseconds since the Unix epoch; after the last when all are.
    Timestamp(Millis),
    /// As [`Start::Timestamp`], this long before the moment at which it is looked for.
    Ago(Millis),
    /// Where the group has committed; the group says where to begin when it has committed nothing.
    Committed,
    /// Nowhere: it is an error.
    None,
}

/// One partition.
#[derive(Debug)]
pub struct Slot {
    /// Changes whenever somebody moves the partition.
    pub generation: u64,
    /// Where to begin, while that is not an offset yet.
    pub start: Option<Start>,
    /// Why it has to begin anew, for errors.
    pub reason: &'static str,
    /// What is to be fetched next.
    pub fetch_offset: Option<Offset>,
    /// Leader epoch of the last batch that was fetched, or -1.
    pub last_epoch: LeaderEpoch,
    /// Offset of the record that the user gets next.
    pub position: Option<Offset>,
    /// Leader epoch of the batch that the user got last, or -1.
    pub position_epoch: LeaderEpoch,
    /// Behind the last batch that was fetched for the user: what follows up to `fetch_offset` is not for users.
    pub visible_end: Option<Offset>,
    /// Batches that wait, with their share of bytes.
    pub queue: VecDeque<(Arc<FetchedBatch>, usize)>,
    /// Bytes that wait.
    pub buffered: usize,
    /// Whether the user wants nothing of it at the moment.
    pub paused: bool,
    /// The leader's, as it said last; -1 before.
    pub high_watermark: Offset,
    /// What the user is told instead of records, once the queue is empty.
    pub error: Option<ClientError>,
}

/// A batch that the user got.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its partition.
    pub partition: Partition,
    /// As in [`Slot::generation`].
    pub generation: u64,
    /// The first record that counts: those before it were read already.
    pub from: Offset,
    /// The records.
    pub batch: Arc<FetchedBatch>,
}

/// All partitions of a consumer.
#[derive(Debug, Default)]
pub struct Assignment {
    slots: BTreeMap<Partition, Slot>,
    generation: u64,
    /// Whose turn it is: batches are taken from one partition after another.
    turn: Option<Partition>,
    /// Topics whose partitions somebody asks for; None until they are known.
    topics: BTreeMap<Arc<str>, Option<Result<usize, ClientError>>>,
    /// Why a broker does not let the consumer in, until somebody is told or it is let in.
    pub refusal: Option<ClientError>,
    /// Questions about offsets, answered by the fetcher.
    pub lookups: Vec<Lookup>,
    /// A bound for what is fetched ahead of the user, for each partition.
    buffered_max: usize,
    closed: bool,
}

/// A question about an offset, with its answer.
#[derive(Debug)]
pub struct Lookup {
    /// Number of the question.
    pub id: u64,
    /// The partition.
    pub partition: Partition,
    /// What is looked for.
    pub start: Start,
    /// Offset and timestamp; None when no record is that new.
    pub answer: Option<Result<Option<(Offset, Millis)>, ClientError>>,
}

impl Assignment {
    /// Nothing is read; `buffered_max` are the bytes that may wait for each partition.
    pub fn new(buffered_max: usize) -> Assignment {
        Assignment { buffered_max, ..Default::default() }
    }

    /// Reads exactly these partitions from now on; those that it reads already go on where they are, unless a
    /// start is given.
    pub fn assign(&mut self, partitions: Vec<(Partition, Option<Start>)>, reset: Start) {
        let mut before = std::mem::take(&mut self.slots);
        for (partition, start) in partitions {
            let kept = before.remove(&partition).filter(|_| start.is_none());
            let slot = match kept {
                Some(slot) => slot,
                None => self.slot(start.unwrap_or(reset)),
            };
            self.slots.insert(partition, slot);
        }
    }

    /// Reads these partitions too. Those that it reads already go on where they are.
    pub fn add(&mut self, partitions: &BTreeSet<Partition>, start: Start) {
        for partition in partitions {
            if !self.slots.contains_key(partition) {
                let slot = self.slot(start);
                self.slots.insert(partition.clone(), slot);
            }
        }
    }

    /// Does not read these any more.
    pub fn remove(&mut self, partitions: &BTreeSet<Partition>) {
        self.slots.retain(|partition, _| !partitions.contains(partition));
    }

    fn slot(&mut self, start: Start) -> Slot {
        self.generation += 1;
        let mut slot = Slot {
            generation: self.generation,
            start: None,
            reason: "nothing says where to begin",
            fetch_offset: None,
            last_epoch: -1,
            position: None,
            position_epoch: -1,
            visible_end: None,
            queue: VecDeque::new(),
            buffered: 0,
            paused: false,
            high_watermark: -1,
            error: None,
        };
        slot.begin(start);
        slot
    }

    /// Goes to another place. False when the partition is not read.
    pub fn seek(&mut self, partition: &Partition, start: Start) -> bool {
        let Some(paused) = self.slots.get(partition).map(|slot| slot.paused) else { return false };
        let slot = self.slot(start);
        self.slots.insert(partition.clone(), Slot { paused, ..slot });
        true
    }

    /// Stops or goes on giving out records. False when the partition is not read.
    pub fn pause(&mut self, partition: &Partition, paused: bool) -> bool {
        match self.slots.get_mut(partition) {
            Some(slot) => {
                slot.paused = paused;
                true
            }
            None => false,
        }
    }

    /// The partitions that are read.
    pub fn partitions(&self) -> impl Iterator<Item = (&Partition, &Slot)> {
        self.slots.iter()
    }

    /// The partitions, to be changed.
    pub fn slots_mut(&mut self) -> impl Iterator<Item = (&Partition, &mut Slot)> {
        self.slots.iter_mut()
    }

    /// One partition.
    pub fn get(&self, partition: &Partition) -> Option<&Slot> {
        self.slots.get(partition)
    }

    /// The partition, if nobody has moved it since `generation`.
    pub fn current(&mut self, partition: &Partition, generation: u64) -> Option<&mut Slot> {
        self.slots.get_mut(partition).filter(|slot| slot.generation == generation)
    }

    /// One partition, to be changed.
    pub fn slot_mut(&mut self, partition: &Partition) -> Option<&mut Slot> {
        self.slots.get_mut(partition)
    }

    /// Whether more of the partition is to be fetched.
    pub fn is_hungry(&self, slot: &Slot) -> bool {
        !slot.paused && slot.error.is_none() && slot.buffered < self.buffered_max
    }

    /// The next batch, of the partitions in turn; an error of a partition comes once. The second value says that
    /// the fetcher has to be woken, for there is room again.
    pub fn take(&mut self) -> (Option<Result<Taken, ClientError>>, bool) {
        let ready = |slot: &Slot| !slot.paused && (!slot.queue.is_empty() || slot.error.is_some());
        let after = self.turn.take();
        let mut keys = self.slots.iter().filter(|(_, slot)| ready(slot)).map(|(key, _)| key);
        let next = match &after {
            Some(after) => keys.clone().find(|key| *key > after).or_else(|| keys.next()),
            None => keys.next(),
        };
        let Some(key) = next.cloned() else { return (None, false) };
        let max = self.buffered_max;
        let Some(slot) = self.slots.get_mut(&key) else { return (None, false) };
        let Some((batch, share)) = slot.queue.pop_front() else {
            self.turn = Some(key);
            return (slot.error.take().map(Err), true);
        };
        let was_full = slot.buffered >= max;
        slot.buffered -= share;
        let wake = was_full && slot.buffered < max;
        let from = slot.position.unwrap_or(batch.header.base_offset);
        slot.position_epoch = batch.header.partition_leader_epoch;
        // Stays with a partition until what was fetched of it at once is taken.
        self.turn = slot.queue.is_empty().then(|| key.clone()).or(after);
        let taken = Taken { partition: key, generation: slot.generation, from, batch };
        (Some(Ok(taken)), wake)
    }

    /// The user has everything before `offset`. False when somebody has moved the partition.
    pub fn advance(&mut self, partition: &Partition, generation: u64, offset: Offset) -> bool {
        match self.current(partition, generation) {
            Some(slot) => {
                // As in Java's client: markers and what was aborted behind the last record are passed with it.
                slot.position = Some(offset);
                if slot.queue.is_empty() && slot.visible_end == Some(offset) && slot.fetch_offset.is_some() {
                    (slot.position, slot.position_epoch) = (slot.fetch_offset, slot.last_epoch);
                }
                true
            }
            None => false,
        }
    }

    /// Gives back what was taken and not used up. Nothing, if somebody has moved the partition.
    pub fn put_back(&mut self, taken: Taken) {
        if let Some(slot) = self.current(&taken.partition, taken.generation) {
            slot.queue.push_front((taken.batch, 0));
        }
    }

    /// The next batch of one partition, as [`Assignment::take`] gives it; None when there is none, or somebody has
    /// moved the partition.
    pub fn take_of(&mut self, partition: &Partition, generation: u64) -> Option<(Taken, bool)> {
        let slot = self.current(partition, generation)?;
        if slot.paused || slot.queue.is_empty() {
            return None;
        }
        // It is its turn again.
        self.turn = self.slots.range(..partition.clone()).next_back().map(|(before, _)| before.clone());
        match self.take() {
            (Some(Ok(taken)), wake) => Some((taken, wake)),
            _ => None,
        }
    }

    /// How many partitions a topic has; None while that is not known, which asks for it.
    pub fn partition_count(&mut self, topic: &str) -> Option<Result<usize, ClientError>> {
        match self.topics.get(topic) {
            Some(known) => known.clone(),
            None => {
                self.topics.insert(topic.into(), None);
                None
            }
        }
    }

    /// Topics that somebody asks for.
    pub fn topics_mut(
        &mut self,
    ) -> impl Iterator<Item = (&Arc<str>, &mut Option<Result<usize, ClientError>>)> {
        self.topics.iter_mut()
    }

    /// Asks for an offset; the number under which the answer is found in `lookups`.
    pub fn look_up(&mut self, partition: Partition, start: Start) -> u64 {
        self.generation += 1;
        let id = self.generation;
        self.lookups.push(Lookup { id, partition, start, answer: None });
        id
    }

    /// The answer to a question, which is forgotten then.
    pub fn take_lookup(&mut self, id: u64) -> Option<Result<Option<(Offset, Millis)>, ClientError>> {
        let index = self.lookups.iter().position(|lookup| lookup.id == id && lookup.answer.is_some())?;
        self.lookups.swap_remove(index).answer
    }

    /// Nobody waits for the answer to a question any more.
    pub fn forget_lookup(&mut self, id: u64) {
        self.lookups.retain(|lookup| lookup.id != id);
    }

    /// Nothing is read any more.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}

impl Slot {
    /// Begins at another place.
    pub fn begin(&mut self, start: Start) {
        (self.start, self.fetch_offset) = match start {
            Start::Offset(offset) => (None, Some(offset)),
            other => (Some(other), None),
        };
        self.position = self.fetch_offset;
        self.visible_end = None;
        self.last_epoch = -1;
        self.position_epoch = -1;
        self.queue.clear();
        self.buffered = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_last_record_has_passed_what_is_not_for_users_behind_it() {
        let mut assignment = Assignment::new(1);
        let partition: Partition = (Arc::from("t"), 0);
        assignment.assign(vec![(partition.clone(), Some(Start::Offset(0)))], Start::None);
        let generation = assignment.get(&partition).map(|slot| slot.generation).unwrap();
        let slot = assignment.slot_mut(&partition).unwrap();
        (slot.fetch_offset, slot.visible_end, slot.last_epoch) = (Some(7), Some(5), 3);
        assert!(assignment.advance(&partition, generation, 4));
        assert_eq!(assignment.get(&partition).unwrap().position, Some(4));
        assert!(assignment.advance(&partition, generation, 5));
        let slot = assignment.get(&partition).unwrap();
        assert_eq!((slot.position, slot.position_epoch), (Some(7), 3));
    }

    #[test]
    fn a_question_that_nobody_waits_for_is_gone() {
        let mut assignment = Assignment::new(1);
        let id = assignment.look_up((Arc::from("t"), 0), Start::Latest);
        assignment.forget_lookup(id);
        assert!(assignment.lookups.is_empty());
    }
}
