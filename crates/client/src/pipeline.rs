//! Batches of one partition on their way to its leader: sequence numbers, what is in flight, what is to be
//! sent again.
//!
//! Always true:
//!   batches are in the order in which their records came, and their sequences follow one another
//!   no batch is sent while a later one is in flight
//!   a batch that is sent again is sent alone, so that it lies where it belongs
//!   a batch gets another place in a sequence only when the broker is known not to have it at the old one

use std::collections::VecDeque;
use std::sync::Arc;

use barnabas_protocol::batch::{self, sequence_after, BatchHeader, NO_SEQUENCE};
use barnabas_protocol::batch_builder::{BatchBuilder, BuildError, BuilderConfig};
use barnabas_protocol::{Millis, ProducerEpoch, ProducerId};

use crate::accumulator::Batch;
use crate::link::Chunk;

/// Brokers remember so many batches of a producer for each partition, to tell which ones they have.
pub const IN_FLIGHT_MAX: usize = 5;

/// An idempotent producer, as the cluster knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its id.
    pub id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
}

/// The records of a batch: still open to be stamped, or as they go out.
#[derive(Debug)]
enum Content {
    Builder(Option<BatchBuilder>),
    Sealed(Chunk),
}

/// A batch that is being sent.
#[derive(Debug)]
pub struct Pending {
    /// As in [`Batch::id`].
    pub id: u64,
    /// As in [`Batch::order`].
    pub order: u64,
    /// As in [`Batch::created`].
    pub created: Millis,
    /// As in [`Batch::memory`].
    pub memory: usize,
    /// As in [`Batch::reports`].
    pub reports: Vec<(i32, u64)>,
    /// How many records.
    pub count: i32,
    /// How often it was sent and failed.
    pub attempts: u32,
    /// Not to be sent before.
    pub retry_at: Millis,
    /// Whether an answer is awaited.
    pub in_flight: bool,
    /// It was sent, and the broker may have it although it has not said so.
    pub unsure: bool,
    /// Place of its first record in the producer's sequence, once it has one.
    sequence: Option<i32>,
    content: Content,
}

impl Pending {
    /// From what was collected.
    pub fn new(batch: Batch) -> Pending {
        Pending {
            id: batch.id,
            order: batch.order,
            created: batch.created,
            memory: batch.memory,
            reports: batch.reports,
            count: batch.builder.records_count(),
            attempts: 0,
            retry_at: Millis::MIN,
            in_flight: false,
            unsure: false,
            sequence: None,
            content: Content::Builder(Some(batch.builder)),
        }
    }

    /// Whether it was given a place in the producer's sequence, so that the broker may have it.
    pub fn is_stamped(&self) -> bool {
        self.sequence.is_some()
    }

    /// Bytes to send; compresses and writes the header the first time.
    pub fn seal(&mut self, identity: Option<Identity>, sequence: i32) -> Result<Chunk, BuildError> {
        if let Content::Builder(builder) = &mut self.content {
            let Some(mut builder) = builder.take() else { return Ok(Chunk::default()) };
            if let Some(identity) = identity {
                builder.set_producer(identity.id, identity.epoch, sequence);
            }
            self.content = Content::Sealed(Arc::new(builder.finish()?));
        }
        if identity.is_some() {
            self.sequence = Some(sequence);
        }
        match &self.content {
            Content::Sealed(chunk) => Ok(chunk.clone()),
            Content::Builder(_) => Ok(Chunk::default()),
        }
    }

    /// Gives it another place in a sequence; what is not sealed yet gets it when it is.
    fn stamp(&mut self, identity: Identity, sequence: i32) {
        self.sequence = Some(sequence);
        let Content::Sealed(chunk) = &mut self.content else { return };
        batch::set_producer(Arc::make_mut(chunk).as_mut_slice(), identity.id, identity.epoch, sequence);
    }

    /// The buffer, when nobody else holds it.
    pub fn into_buffer(self) -> Option<Vec<u8>> {
        match self.content {
            Content::Sealed(chunk) => Arc::try_unwrap(chunk).ok(),
            Content::Builder(builder) => builder.map(BatchBuilder::into_buffer),
        }
    }

    /// The batch as two, if it has more than one record: for brokers that find it too large.
    pub fn split(&self, bytes_max: usize) -> Option<(Pending, Pending)> {
        let Content::Sealed(chunk) = &self.content else { return None };
        if self.count < 2 {
            return None;
        }
        let whole = batch::Batch::parse(chunk).ok()?;
        let records = whole.records(bytes_max).ok()?;
        let half = self.count / 2;
        let (mut first, mut second) = (builder_like(&whole.header)?, builder_like(&whole.header)?);
        for (index, record) in (0..).zip(records.iter()) {
            let record = record.ok()?;
            let (to, offset) = if index < half { (&mut first, index) } else { (&mut second, index - half) };
            to.append_record(i64::from(offset), &record).ok()?;
        }
        let part = |builder: BatchBuilder, sequence: Option<i32>, reports: Vec<(i32, u64)>| Pending {
            memory: builder.capacity(),
            count: builder.records_count(),
            sequence,
            reports,
            content: Content::Builder(Some(builder)),
            ..*self
        };
        let (low, high): (Vec<_>, Vec<_>) = self.reports.iter().partition(|(index, _)| *index < half);
        let high = high.into_iter().map(|(index, report)| (index - half, report)).collect();
        let second_sequence = self.sequence.map(|sequence| sequence_after(sequence, half));
        Some((part(first, self.sequence, low), part(second, second_sequence, high)))
    }
}

fn builder_like(header: &BatchHeader) -> Option<BatchBuilder> {
    let compression = header.compression().ok()?;
    let transactional = header.is_transactional();
    let config = BuilderConfig { compression, transactional, ..Default::default() };
    Some(BatchBuilder::new(config))
}

/// The way of one partition.
#[derive(Debug, Default)]
pub struct Pipeline {
    /// In order; the first ones are in flight.
    pub pending: VecDeque<Pending>,
    /// As whom its records are sent; None before the first.
    identity: Option<Identity>,
    next_sequence: i32,
    /// A batch was given up whose place in the sequence may be empty: begin a new sequence.
    broken: bool,
}

impl Pipeline {
    /// How many batches await answers.
    pub fn in_flight(&self) -> usize {
        self.pending.iter().filter(|pending| pending.in_flight).count()
    }

    /// Whether everything that is here is in flight, and one more may be.
    pub fn has_room(&self, in_flight_max: usize) -> bool {
        self.pending.len() < in_flight_max.min(IN_FLIGHT_MAX)
            && self.pending.iter().all(|pending| pending.in_flight && pending.attempts == 0)
            && !self.broken
    }

    /// Index of the batch that may be sent now.
    pub fn next(&self, now: Millis, in_flight_max: usize) -> Option<usize> {
        let first = self.pending.iter().position(|pending| !pending.in_flight)?;
        let later = self.pending.iter().skip(first);
        let alone = self.pending.iter().any(|pending| pending.attempts > 0);
        let wrong_order = later.clone().any(|pending| pending.in_flight);
        let waits = self.broken && !self.is_unsure() || self.pending[first].retry_at > now;
        let full = first >= in_flight_max.min(IN_FLIGHT_MAX);
        (!wrong_order && !waits && !full && (!alone || first == 0)).then_some(first)
    }

    /// When a batch that failed is to be sent again, if that is all it waits for.
    pub fn retry_at(&self) -> Option<Millis> {
        let first = self.pending.front()?;
        (!first.in_flight && first.attempts > 0).then_some(first.retry_at)
    }

    /// Bytes of the batch at `index`, which is in flight from now on.
    pub fn send(&mut self, index: usize, identity: Option<Identity>) -> Result<Chunk, BuildError> {
        self.identity = self.identity.or(identity);
        let pending = &mut self.pending[index];
        let is_new = pending.sequence.is_none();
        let sequence = match self.identity {
            None => NO_SEQUENCE,
            Some(_) => pending.sequence.unwrap_or(self.next_sequence),
        };
        let chunk = pending.seal(self.identity, sequence)?;
        if is_new && self.identity.is_some() {
            self.next_sequence = sequence_after(sequence, pending.count);
        }
        self.pending[index].in_flight = true;
        Ok(chunk)
    }

    /// Takes a batch out for good.
    pub fn remove(&mut self, id: u64) -> Option<Pending> {
        let index = self.pending.iter().position(|pending| pending.id == id)?;
        self.pending.remove(index)
    }

    /// The batch with this number, and whether it is the first.
    pub fn find(&mut self, id: u64) -> Option<(&mut Pending, bool)> {
        let index = self.pending.iter().position(|pending| pending.id == id)?;
        self.pending.get_mut(index).map(|pending| (pending, index == 0))
    }

    /// Puts two batches where one was.
    pub fn replace(&mut self, id: u64, first: Pending, second: Pending) {
        if let Some(index) = self.pending.iter().position(|pending| pending.id == id) {
            self.pending[index] = first;
            self.pending.insert(index + 1, second);
        }
    }

    fn is_unsure(&self) -> bool {
        self.pending.iter().any(|pending| pending.unsure)
    }

    /// The broker has no place for this batch: it has neither it nor a later one.
    pub fn is_absent(&mut self, id: u64) {
        let from = self.pending.iter_mut().skip_while(|pending| pending.id != id);
        from.for_each(|pending| pending.unsure = false);
    }

    /// The sequence has a gap, or the broker has forgotten it: it begins anew once nothing is in flight, and of
    /// everything it is known whether the broker has it.
    pub fn break_off(&mut self) {
        self.broken = self.identity.is_some();
    }

    /// Whether a new sequence can begin now.
    pub fn wants_restart(&self) -> bool {
        self.broken && self.in_flight() == 0 && !self.is_unsure()
    }

    /// As whom the records are sent.
    pub fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Begins a new sequence as `identity`, whose epoch is new to the partition.
    pub fn restart(&mut self, identity: Identity) {
        assert!(self.wants_restart(), "a new sequence while batches of the old one are in flight");
        self.broken = false;
        self.identity = Some(identity);
        let mut sequence = 0;
        for pending in &mut self.pending {
            if pending.sequence.is_some() {
                pending.stamp(identity, sequence);
                sequence = sequence_after(sequence, pending.count);
            }
        }
        self.next_sequence = sequence;
    }
}
