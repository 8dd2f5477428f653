//! Where records wait to be sent: an open batch for each partition, filled by the user's threads.
//!
//! Always true:
//!   `used` is what the buffers of all batches take that are not done, and at most `buffer.memory` plus the growth
//!   of one buffer
//!   records of a partition leave in the order in which they came
//!   a record is in exactly one batch, and every batch is given to [`Accumulator::complete`] exactly once

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::compression::Compression;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::record::Header;
use barnabas_protocol::{Millis, Offset};

use crate::error::ClientError;
use crate::partitioner::{Partitioner, Strategy};
use crate::transaction::Transaction;

mod together;

/// What a record takes besides its key, value and headers, at most.
const RECORD_OVERHEAD: usize = 5 + 1 + 10 + 5 + 5 + 5 + 5;
/// What a header takes besides its key and value, at most.
const HEADER_OVERHEAD: usize = 10;
/// What a batch's buffer begins with; it doubles up to `batch.size`.
const FIRST_BYTES: usize = 16 * 1024;
/// Buffers of batches that are done are kept for others: this many bytes of them at most.
const SPARE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Number of a topic in this client.
pub type TopicIndex = usize;

/// The configs of a producer that decide how records wait.
#[derive(Debug, Clone)]
pub struct AccumulatorConfig {
    /// `batch.size`.
    pub batch_size: usize,
    /// `linger.ms`.
    pub linger_ms: Millis,
    /// `buffer.memory`.
    pub buffer_memory: usize,
    /// `max.request.size`.
    pub max_request_size: usize,
    /// `compression.type`.
    pub compression: Compression,
    /// `compression.<codec>.level`; None is the codec's default.
    pub level: Option<i32>,
    /// How records without a partition find theirs.
    pub strategy: Strategy,
    /// `partitioner.ignore.keys`.
    pub ignore_keys: bool,
    /// Decides where partitioners begin.
    pub seed: u64,
    /// Whether records are parts of transactions.
    pub transactional: bool,
}

/// A record as it is handed in.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewRecord<'a> {
    /// The partition, or None for the partitioner to choose.
    pub partition: Option<i32>,
    /// Milliseconds since the Unix epoch.
    pub timestamp: Millis,
    /// Key, if it has one.
    pub key: Option<&'a [u8]>,
    /// Value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers in order.
    pub headers: &'a [Header<'a>],
    /// What the result is reported under; None when nobody asks.
    pub report: Option<u64>,
}

impl NewRecord<'_> {
    /// Bytes that it takes at most.
    #[inline]
    fn size_max(&self) -> usize {
        let headers =
            self.headers.iter().map(|h| h.key.len() + h.value.map_or(0, <[u8]>::len) + HEADER_OVERHEAD);
        let headers: usize = headers.sum();
        RECORD_OVERHEAD + self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len) + headers
    }
}

/// Why a record was not taken yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The topic's partitions are not known yet: wait for [`Accumulator::set_partitions`].
    NoMetadata,
    /// No room: wait until something is done.
    Full,
    /// It will never be taken.
    Failed(ClientError),
}

/// Records of one partition on their way.
#[derive(Debug)]
pub struct Batch {
    /// Grows from batch to batch.
    pub id: u64,
    /// Its place among all batches: the parts of a batch that was split share it.
    pub order: u64,
    /// When its first record came, by the client's clock.
    pub created: Millis,
    /// The records.
    pub builder: BatchBuilder,
    /// What it counts for in `used`.
    pub memory: usize,
    /// Which records somebody waits for: index in the batch, and what the result is reported under.
    pub reports: Vec<(i32, u64)>,
}

/// What became of a batch, for those who asked.
#[derive(Debug)]
pub struct Completed {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// Offset of the batch's first record, or -1 where the broker does not say; or why it failed.
    pub result: Result<Offset, ClientError>,
    /// The time of append, where the topic stamps records; else -1.
    pub log_append_time: Millis,
    /// As in [`Batch::reports`].
    pub reports: Vec<(i32, u64)>,
}

/// The batches of one partition that nobody has begun to send.
#[derive(Debug, Default)]
struct Queue {
    full: VecDeque<Batch>,
    open: Option<Batch>,
    /// Whether the open batch gathers records until one that is on its way has come to its end.
    gathers: bool,
}

/// One topic that records were handed in for.
#[derive(Debug)]
struct Topic {
    name: Arc<str>,
    queues: Vec<Queue>,
    available: Vec<usize>,
    partitioner: Partitioner,
    error: ErrorCode,
}

/// All records that wait.
#[derive(Debug)]
pub struct Accumulator {
    config: AccumulatorConfig,
    by_name: HashMap<Arc<str>, TopicIndex>,
    topics: Vec<Topic>,
    /// Partitions that have batches.
    active: BTreeSet<(TopicIndex, usize)>,
    used: usize,
    next_id: u64,
    /// Batches that are not done: how many parts, by their order.
    incomplete: BTreeMap<u64, u32>,
    spare: Vec<Vec<u8>>,
    spare_bytes: usize,
    /// When the sender looks again by itself.
    wake_at: Millis,
    /// Whether batches gather records while one of their partition is on its way.
    gathering: bool,
    /// How many wait for a flush.
    flushing: usize,
    /// Whether a record was refused that may be handed in again.
    turned_away: bool,
    /// Results that somebody asked for.
    completed: Vec<Completed>,
    /// The first failure of a record that nobody asked about.
    unreported: Option<ClientError>,
    /// Of a transactional producer.
    transaction: Option<Transaction>,
    closed: bool,
    /// Why brokers don't let this client in, for whoever waits for the metadata.
    refusal: Option<ClientError>,
}

impl Accumulator {
    /// Nothing waits.
    pub fn new(config: AccumulatorConfig) -> Accumulator {
        Accumulator {
            transaction: config.transactional.then(Transaction::default),
            config,
            by_name: HashMap::new(),
            topics: Vec::new(),
            active: BTreeSet::new(),
            used: 0,
            next_id: 0,
            incomplete: BTreeMap::new(),
            spare: Vec::new(),
            spare_bytes: 0,
            wake_at: Millis::MAX,
            gathering: false,
            flushing: 0,
            turned_away: false,
            completed: Vec::new(),
            unreported: None,
            closed: false,
            refusal: None,
        }
    }

    /// The number of a topic; a new one is asked for from now on.
    pub fn topic(&mut self, name: &str) -> TopicIndex {
        if let Some(&index) = self.by_name.get(name) {
            return index;
        }
        let index = self.topics.len();
        let name: Arc<str> = name.into();
        let config = &self.config;
        let seed = config.seed.wrapping_add(index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let partitioner = Partitioner::new(config.strategy, config.ignore_keys, config.batch_size, seed);
        let (queues, available) = (Vec::new(), Vec::new());
        let error = ErrorCode::NONE;
        self.topics.push(Topic { name: name.clone(), queues, available, partitioner, error });
        self.by_name.insert(name, index);
        index
    }

    /// All topics by number.
    pub fn topic_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.topics.iter().map(|topic| &topic.name)
    }

    /// Name of a topic.
    pub fn topic_name(&self, topic: TopicIndex) -> Arc<str> {
        self.topics[topic].name.clone()
    }

    /// How many partitions a topic has; 0 while that is not known.
    pub fn partition_count(&self, topic: TopicIndex) -> usize {
        self.topics[topic].queues.len()
    }

    /// What the cluster said of a topic last.
    pub fn topic_error(&self, topic: TopicIndex) -> ErrorCode {
        self.topics[topic].error
    }

    /// Notes what the cluster says of a topic; `available` are its partitions with a leader.
    pub fn set_partitions(
        &mut self,
        topic: TopicIndex,
        count: usize,
        available: Vec<usize>,
        error: ErrorCode,
    ) {
        let topic = &mut self.topics[topic];
        topic.error = error;
        if count > topic.queues.len() {
            topic.queues.resize_with(count, Queue::default);
        }
        topic.available = available;
    }

    /// Takes a record. True when the sender must be woken. `now` is asked only when a batch is opened.
    #[inline]
    pub fn append<N>(&mut self, topic: TopicIndex, record: &NewRecord<'_>, now: N) -> Result<bool, Refused>
    where
        N: Fn() -> Millis,
    {
        let size = record.size_max();
        let count = self.topics[topic].queues.len();
        if count == 0 {
            return Err(self.no_partitions(topic));
        }
        if self.used.saturating_add(size) > self.config.buffer_memory || size > self.config.max_request_size {
            return Err(self.no_room(size));
        }
        if self.closed {
            return Err(Refused::Failed(ClientError::Closed));
        }
        if let Some(error) = self.transaction.as_ref().and_then(Transaction::refuses_records) {
            return Err(Refused::Failed(error));
        }
        match record.partition {
            Some(partition) if !is_partition(partition, count) => {
                Err(no_partition(&self.topics[topic].name, partition, count))
            }
            _ => self.place(topic, record, size, now),
        }
    }

    /// Puts a record that there is room for into a batch. True when the sender must be woken.
    #[inline]
    fn place<N>(
        &mut self,
        topic: TopicIndex,
        record: &NewRecord<'_>,
        size: usize,
        now: N,
    ) -> Result<bool, Refused>
    where
        N: Fn() -> Millis,
    {
        let slot = &mut self.topics[topic];
        let count = slot.queues.len();
        let partition = match record.partition {
            None => slot.partitioner.choose(record.key, size, count, &slot.available),
            Some(partition) => partition as usize,
        };
        match &mut slot.queues[partition].open {
            Some(batch) if batch.builder.uncompressed_size() + size <= self.config.batch_size => {
                self.used += add(batch, record)?;
                Ok(false)
            }
            _ => self.open(topic, partition, record, now()),
        }
    }

    /// Opens a batch with its first record; the open one, if there is one, is full.
    #[cold]
    fn open(
        &mut self,
        topic: TopicIndex,
        partition: usize,
        record: &NewRecord<'_>,
        now: Millis,
    ) -> Result<bool, Refused> {
        let buffer = match self.spare.pop() {
            Some(buffer) => {
                self.spare_bytes -= buffer.capacity();
                buffer
            }
            None => Vec::with_capacity(FIRST_BYTES.min(self.config.batch_size)),
        };
        let config = BuilderConfig {
            compression: self.config.compression,
            level: self.config.level,
            transactional: self.config.transactional,
            ..Default::default()
        };
        let memory = buffer.capacity();
        let builder = BatchBuilder::with_buffer(config, buffer);
        let reports = Vec::new();
        let mut batch =
            Batch { id: self.next_id, order: self.next_id, created: now, builder, memory, reports };
        self.used += memory + add(&mut batch, record)?;
        self.incomplete.insert(batch.order, 1);
        self.next_id += 1;
        let queue = &mut self.topics[topic].queues[partition];
        let full = queue.open.replace(batch);
        let at = match full.is_some() || self.flushing > 0 {
            true => Millis::MIN,
            false if queue.gathers => Millis::MAX,
            false => now + self.config.linger_ms,
        };
        queue.full.extend(full);
        self.active.insert((topic, partition));
        Ok(self.wake_before(at))
    }

    /// Notes that the sender has to look at `at`; true when it must be told.
    fn wake_before(&mut self, at: Millis) -> bool {
        let earlier = at < self.wake_at;
        if earlier {
            self.wake_at = at;
        }
        earlier
    }

    /// Brokers don't let this client in: the next record that waits for the metadata fails with this.
    pub fn refuse(&mut self, refusal: ClientError) {
        self.refusal = Some(refusal);
    }

    #[cold]
    fn no_partitions(&mut self, topic: TopicIndex) -> Refused {
        let refusal = self.refusal.take();
        self.turned_away = true;
        let topic = &self.topics[topic];
        let hopeless = [ErrorCode::INVALID_TOPIC_EXCEPTION, ErrorCode::TOPIC_AUTHORIZATION_FAILED];
        if self.closed {
            Refused::Failed(ClientError::Closed)
        } else if hopeless.contains(&topic.error) {
            Refused::Failed(ClientError::broker(topic.error, &format!("topic {}", topic.name)))
        } else {
            refusal.map_or(Refused::NoMetadata, Refused::Failed)
        }
    }

    #[cold]
    fn no_room(&mut self, size: usize) -> Refused {
        self.turned_away = true;
        let (request, memory) = (self.config.max_request_size, self.config.buffer_memory);
        let too_large = |config, limit| Refused::Failed(ClientError::RecordTooLarge { size, config, limit });
        match () {
            () if self.closed => Refused::Failed(ClientError::Closed),
            () if size > request => too_large("max.request.size", request),
            () if size > memory => too_large("buffer.memory", memory),
            () => Refused::Full,
        }
    }

    /// Partitions that have batches.
    pub fn active(&self) -> Vec<(TopicIndex, usize)> {
        self.active.iter().copied().collect()
    }

    /// When the partition's next batch is to be sent: at once, when it is full or somebody waits for it.
    pub fn ready_at(&self, (topic, partition): (TopicIndex, usize)) -> Option<Millis> {
        let queue = &self.topics[topic].queues[partition];
        let first = queue.full.front().or(queue.open.as_ref())?;
        let exhausted = self.used >= self.config.buffer_memory - self.config.buffer_memory / 4;
        let ends = self.transaction.as_ref().is_some_and(|transaction| transaction.ending().is_some());
        let at_once = !queue.full.is_empty() || self.flushing > 0 || self.closed || exhausted || ends;
        Some(match at_once {
            true => Millis::MIN,
            false if queue.gathers => Millis::MAX,
            false => first.created + self.config.linger_ms,
        })
    }

    /// From now on a batch that is not full gathers records while one of its partition is on its way: as few requests
    /// as the brokers are quick, whatever `linger.ms` is.
    pub fn gather(&mut self) {
        self.gathering = true;
    }

    /// Notes whether a batch of the partition is on its way.
    pub fn set_on_its_way(&mut self, (topic, partition): (TopicIndex, usize), is_on_its_way: bool) {
        self.topics[topic].queues[partition].gathers = is_on_its_way && self.gathering;
    }

    /// When the partition's next batch came.
    pub fn created(&self, (topic, partition): (TopicIndex, usize)) -> Option<Millis> {
        let queue = &self.topics[topic].queues[partition];
        queue.full.front().or(queue.open.as_ref()).map(|batch| batch.created)
    }

    /// Takes the partition's next batch; no record is added to it any more.
    pub fn take(&mut self, (topic, partition): (TopicIndex, usize)) -> Option<Batch> {
        let queue = &mut self.topics[topic].queues[partition];
        let batch = queue.full.pop_front().or_else(|| queue.open.take());
        if queue.full.is_empty() && queue.open.is_none() {
            self.active.remove(&(topic, partition));
        }
        batch
    }

    /// The sender sleeps until `at` unless it is woken.
    pub fn sleep_until(&mut self, at: Millis) {
        self.wake_at = at;
    }

    /// When the sender looks again by itself.
    pub fn wake_at(&self) -> Millis {
        self.wake_at
    }

    /// A batch is done; `memory` is what it counted for. Its buffer may be used again.
    pub fn complete(&mut self, order: u64, memory: usize, completed: Completed, buffer: Option<Vec<u8>>) {
        match self.incomplete.get_mut(&order) {
            Some(parts) if *parts > 1 => *parts -= 1,
            parts => {
                assert!(parts.is_some(), "batch {order} was completed twice");
                self.incomplete.remove(&order);
            }
        }
        self.used -= memory;
        if let Some(buffer) = buffer.filter(|buffer| self.spare_bytes + buffer.capacity() <= SPARE_BYTES_MAX)
        {
            self.spare_bytes += buffer.capacity();
            self.spare.push(buffer);
        }
        self.report(completed);
    }

    /// Hands out a result without a batch being done: half of one that was split.
    fn report(&mut self, completed: Completed) {
        match &completed.result {
            // A transaction that has lost a record can't be committed: that is how its user hears of it.
            Err(error) if completed.reports.is_empty() && self.transaction.is_none() => {
                self.unreported.get_or_insert_with(|| error.clone());
            }
            _ if completed.reports.is_empty() => {}
            _ => self.completed.push(completed),
        }
    }

    /// Notes that a batch became two, which take so much more together; the second's number. Whoever waits for
    /// the batch waits for both.
    pub fn split(&mut self, order: u64, memory_added: usize) -> u64 {
        self.used += memory_added;
        let id = self.next_id;
        self.next_id += 1;
        *self.incomplete.entry(order).or_default() += 1;
        id
    }

    /// Begins to send everything at once; what is to be waited for.
    pub fn begin_flush(&mut self) -> u64 {
        self.flushing += 1;
        self.wake_at = Millis::MIN;
        self.next_id
    }

    /// Ends what [`Accumulator::begin_flush`] began.
    pub fn end_flush(&mut self) {
        self.flushing -= 1;
    }

    /// Whether everything that was there at `mark` is done.
    pub fn flushed(&self, mark: u64) -> bool {
        self.incomplete.first_key_value().is_none_or(|(&first, _)| first >= mark)
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Results since the last call.
    pub fn take_completed(&mut self) -> Vec<Completed> {
        std::mem::take(&mut self.completed)
    }

    /// Gives results back that were taken, before those that have come since.
    pub fn put_back(&mut self, mut completed: Vec<Completed>) {
        completed.append(&mut self.completed);
        self.completed = completed;
    }

    /// Whether somebody may wait for other news than results, since the last call: for room, metadata, a flush or the
    /// end of a transaction.
    pub fn is_awaited(&mut self) -> bool {
        std::mem::take(&mut self.turned_away) || self.flushing > 0 || self.transaction.is_some()
    }

    /// Whether there are results.
    pub fn has_completed(&self) -> bool {
        !self.completed.is_empty()
    }

    /// The first failure, since the last call, of records that nobody asked about.
    pub fn take_unreported(&mut self) -> Option<ClientError> {
        self.unreported.take()
    }

    /// The transaction, of a transactional producer.
    pub fn transaction(&mut self) -> Option<&mut Transaction> {
        self.transaction.as_mut()
    }

    /// Lets the sender look at once.
    pub fn hurry(&mut self) {
        self.wake_at = Millis::MIN;
    }

    /// Takes no record any more.
    pub fn close(&mut self) {
        self.closed = true;
        self.wake_at = Millis::MIN;
    }

    /// Whether it takes records.
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}

/// Adds a record to a batch; by how much its buffer grew.
#[inline]
fn add(batch: &mut Batch, record: &NewRecord<'_>) -> Result<usize, Refused> {
    let added = batch.builder.append(record.timestamp, record.key, record.value, record.headers);
    if let Err(error) = added {
        return Err(Refused::Failed(ClientError::Corrupt(error.to_string())));
    }
    if let Some(report) = record.report {
        batch.reports.push((batch.builder.records_count() - 1, report));
    }
    let grown = batch.builder.capacity().saturating_sub(batch.memory);
    batch.memory += grown;
    Ok(grown)
}

fn is_partition(index: i32, count: usize) -> bool {
    usize::try_from(index).is_ok_and(|index| index < count)
}

#[cold]
fn no_partition(topic: &str, partition: i32, count: usize) -> Refused {
    Refused::Failed(ClientError::NoPartition { topic: topic.to_string(), partition, count })
}
