//! A producer: what the user's threads hold, and the thread that sends.
//!
//! Handing a record in takes one lock that is hardly ever contended, and copies the record into the batch that it
//! will be sent in. The thread is woken when a batch begins or is full, not for each record.

use std::io;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::{Millis, NodeId};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::accumulator::{Accumulator, AccumulatorConfig, Completed, NewRecord, Refused, TopicIndex};
use crate::cluster::{Cluster, ClusterConfig};
use crate::driver::{Clock, Driver, Machine};
use crate::driving::Driven;
use crate::error::ClientError;
use crate::figures::{Figures, Shown};
use crate::link::{LinkConfig, Links};
use crate::sender::{Purpose, Sender, SenderConfig};

/// All configs of a producer.
#[derive(Debug, Clone)]
pub struct ProducerConfig {
    /// Of the waiting records.
    pub accumulator: AccumulatorConfig,
    /// Of the sender.
    pub sender: SenderConfig,
    /// Of the metadata.
    pub cluster: ClusterConfig,
    /// Of the connections.
    pub link: LinkConfig,
    /// `max.block.ms`.
    pub max_block_ms: Millis,
}

/// Told that results wait, or that there may be room, by who drives the client (`driving`).
pub type Notify = Box<dyn Fn() + Send + Sync>;

/// Is given results by who drives the client, before anybody else; takes away what it tells by itself. It must not
/// wait.
pub type Teller = Box<dyn Fn(&mut Vec<Completed>) + Send + Sync>;

struct Shared {
    accumulator: Mutex<Accumulator>,
    /// Something is done, or the metadata is there.
    progress: Condvar,
    notify: Option<Notify>,
    teller: OnceLock<Teller>,
}

/// Sends records to topics.
pub struct Producer {
    shared: Arc<Shared>,
    driven: Arc<Driven<Running>>,
    clock: Clock,
    max_block_ms: Millis,
    buffer_memory: usize,
    figures: Arc<Figures>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How a wait ended that is interrupted now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// What was waited for is there.
    Done,
    /// Not yet.
    NotYet,
}

impl Producer {
    /// Begins to send. `notify` is called on the producer's thread when results wait.
    pub fn start(config: ProducerConfig, notify: Option<Notify>) -> io::Result<Producer> {
        let clock = Clock::start();
        let driver = Driver::new(clock)?;
        let max_block_ms = config.max_block_ms;
        let buffer_memory = config.accumulator.buffer_memory;
        let accumulator = Mutex::new(Accumulator::new(config.accumulator));
        let shared =
            Arc::new(Shared { accumulator, progress: Condvar::new(), notify, teller: OnceLock::new() });
        let cluster = Cluster::new(config.cluster);
        let links = Links::new(config.link);
        let figures = links.figures().clone();
        let sender = Sender::new(config.sender, cluster, links, clock.now());
        let machine = Running { shared: shared.clone(), sender, untold: None };
        let waiting = shared.clone();
        let relieved = move || {
            // Under the lock: who is about to wait hears of it.
            let _accumulator = waiting.accumulator.lock();
            waiting.progress.notify_all();
        };
        let driven = Arc::new(Driven::new(driver, machine, clock, Box::new(relieved)));
        let driver = driven.clone();
        let run = move || driver.run();
        let thread = std::thread::Builder::new().name("barnabas-producer".to_string()).spawn(run)?;
        let thread = Mutex::new(Some(thread));
        Ok(Producer { shared, driven, clock, max_block_ms, buffer_memory, figures, thread })
    }

    /// What it has counted, by the names of Apache Kafka's clients.
    pub fn figures(&self) -> Shown {
        let used = self.shared.accumulator.lock().used();
        self.figures.of_producer(self.buffer_memory, self.buffer_memory.saturating_sub(used))
    }

    /// Time by the clock that [`Producer::append`] compares with.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// `max.block.ms`.
    pub fn max_block_ms(&self) -> Millis {
        self.max_block_ms
    }

    /// The number of a topic.
    pub fn topic(&self, name: &str) -> TopicIndex {
        self.shared.accumulator.lock().topic(name)
    }

    /// Takes a record if there is room now.
    #[inline]
    pub fn append(&self, topic: TopicIndex, record: &NewRecord<'_>) -> Result<(), Refused> {
        let appended = self.shared.accumulator.lock().append(topic, record, || self.clock.now());
        match appended {
            Ok(false) => Ok(()),
            Ok(true) => {
                self.driven.wake();
                Ok(())
            }
            Err(refused) => {
                if !matches!(refused, Refused::Failed(_)) {
                    self.driven.wake();
                }
                Err(refused)
            }
        }
    }

    /// Takes all of these records if there is room for them now, else none. Whether the sender has to be told, which
    /// the caller does with [`Producer::wake`] when no more is to come at once; None when none was taken.
    pub fn append_all(&self, topic: TopicIndex, records: &[NewRecord<'_>]) -> Option<bool> {
        self.shared.accumulator.lock().append_all(topic, records, || self.clock.now())
    }

    /// From now on batches gather records while one of their partition is on its way ([`Accumulator::gather`]).
    pub fn gather(&self) {
        self.shared.accumulator.lock().gather();
    }

    /// Takes a record; when there is no room, waits for some up to `slice_ms`, and leaves it to the caller to try
    /// again.
    pub fn append_within(
        &self,
        topic: TopicIndex,
        record: &NewRecord<'_>,
        slice_ms: u64,
    ) -> Result<(), Refused> {
        let mut accumulator = self.shared.accumulator.lock();
        let appended = accumulator.append(topic, record, || self.clock.now());
        if !matches!(appended, Ok(false) | Err(Refused::Failed(_))) {
            self.driven.wake();
        }
        if matches!(appended, Err(Refused::Full | Refused::NoMetadata)) {
            self.wait_in(&mut accumulator, slice_ms);
        }
        appended.map(drop)
    }

    /// Waits until something is done or `slice_ms` have passed.
    pub fn wait(&self, slice_ms: u64) {
        let mut accumulator = self.shared.accumulator.lock();
        self.wait_in(&mut accumulator, slice_ms);
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Accumulator> {
        self.shared.accumulator.lock()
    }

    /// Has the sender look soon at what was handed in.
    pub fn wake(&self) {
        self.driven.wake();
    }

    pub(crate) fn wait_in(&self, accumulator: &mut MutexGuard<'_, Accumulator>, slice_ms: u64) {
        self.shared.progress.wait_for(accumulator, Duration::from_millis(slice_ms));
    }

    /// What to tell a caller whose record was refused for `max.block.ms`.
    pub fn timed_out(&self, topic: TopicIndex, refused: &Refused) -> ClientError {
        let accumulator = self.shared.accumulator.lock();
        match refused {
            Refused::Failed(error) => error.clone(),
            Refused::Full => {
                let (buffer_memory, max_block_ms) = (self.buffer_memory, self.max_block_ms);
                ClientError::BufferFull { buffer_memory, max_block_ms }
            }
            Refused::NoMetadata => {
                let name = accumulator.topic_name(topic);
                match accumulator.topic_error(topic) {
                    ErrorCode::NONE => {
                        let waited = self.max_block_ms;
                        ClientError::Timeout(format!("no broker has told of topic {name} in {waited} ms"))
                    }
                    error => ClientError::broker(error, &format!("topic {name}")),
                }
            }
        }
    }

    /// How many partitions the topic has; 0 while that is not known, which asks for it.
    pub fn partition_count(&self, topic: TopicIndex) -> usize {
        let count = self.shared.accumulator.lock().partition_count(topic);
        if count == 0 {
            self.driven.wake();
        }
        count
    }

    /// Begins to send everything at once; what is to be waited for with [`Producer::flushed`].
    pub fn begin_flush(&self) -> u64 {
        let mark = self.shared.accumulator.lock().begin_flush();
        self.driven.wake();
        mark
    }

    /// Waits for `slice_ms` until everything before `mark` is done.
    pub fn flushed(&self, mark: u64, slice_ms: u64) -> Waited {
        match self.until(slice_ms, |accumulator| accumulator.flushed(mark).then_some(())) {
            Some(()) => Waited::Done,
            None => Waited::NotYet,
        }
    }

    /// Waits up to `slice_ms` for what `look` finds, and sends and receives meanwhile.
    pub(crate) fn until<T>(
        &self,
        slice_ms: u64,
        look: impl FnMut(&mut Accumulator) -> Option<T>,
    ) -> Option<T> {
        self.driven.wait((&self.shared.accumulator, &self.shared.progress), slice_ms, look)
    }

    /// Sends what waits to be sent, in the caller's thread if nobody else is at it. Does not wait.
    pub fn transmit(&self) {
        self.driven.push();
    }

    /// Ends what [`Producer::begin_flush`] began.
    pub fn end_flush(&self) {
        self.shared.accumulator.lock().end_flush();
    }

    /// Results of records that were handed in with a report, since the last call.
    pub fn take_completed(&self) -> Vec<Completed> {
        self.shared.accumulator.lock().take_completed()
    }

    /// From now on `teller` is given results first. The first stays.
    pub fn set_teller(&self, teller: Teller) {
        let _ = self.shared.teller.set(teller);
    }

    /// Waits up to `slice_ms` for results.
    pub fn wait_completed(&self, slice_ms: u64) -> Vec<Completed> {
        let look = |all: &mut Accumulator| all.has_completed().then(|| all.take_completed());
        self.until(slice_ms, look).unwrap_or_default()
    }

    /// The first failure, since the last call, of records without a report.
    pub fn take_unreported(&self) -> Option<ClientError> {
        self.shared.accumulator.lock().take_unreported()
    }

    /// Bytes that wait, in buffers.
    pub fn buffered_bytes(&self) -> usize {
        self.shared.accumulator.lock().used()
    }

    /// Whether [`Producer::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.shared.accumulator.lock().is_closed()
    }

    /// Takes no records any more, gives up what is not sent, and ends the thread.
    pub fn close(&self) {
        self.shared.accumulator.lock().close();
        self.driven.wake();
        if let Some(thread) = self.thread.lock().take() {
            if thread.join().is_err() {
                log::error!("the thread of a producer has failed");
            }
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.close();
    }
}

/// The sender with what it shares.
struct Running {
    shared: Arc<Shared>,
    sender: Sender,
    untold: Option<Untold>,
}

/// What a turn came to, for the teller.
struct Untold {
    completed: Vec<Completed>,
    /// Whether somebody else is to be notified even if no result is left.
    others_wait: bool,
}

impl Running {
    fn notify(&self) {
        if let Some(notify) = &self.shared.notify {
            notify();
        }
    }

    /// Lets the teller tell of results. Whether some are left, for whoever asks.
    fn tell(&self, mut completed: Vec<Completed>) -> bool {
        if let Some(teller) = self.shared.teller.get() {
            teller(&mut completed);
        }
        let is_left = !completed.is_empty();
        if is_left {
            self.shared.accumulator.lock().put_back(completed);
        }
        is_left
    }
}

impl Machine for Running {
    type Purpose = Purpose;

    fn links(&mut self) -> &mut Links<Purpose> {
        self.sender.links()
    }

    fn received(&mut self, node: NodeId, bytes: &[u8], now: Millis) {
        self.sender.received(node, bytes, now);
    }

    fn turn(&mut self, now: Millis) -> Option<Millis> {
        self.sender.settle(now);
        let (at, news, results, untold) = {
            let mut accumulator = self.shared.accumulator.lock();
            if accumulator.is_closed() {
                self.sender.abandon(&mut accumulator);
                self.shared.progress.notify_all();
                return None;
            }
            let news = self.sender.collect(&mut accumulator, now);
            let results = accumulator.has_completed();
            let untold = results && self.shared.teller.get().is_some();
            let untold = untold.then(|| Untold {
                completed: accumulator.take_completed(),
                others_wait: accumulator.is_awaited(),
            });
            (accumulator.wake_at(), news, results, untold)
        };
        if news {
            self.shared.progress.notify_all();
        }
        self.untold = untold;
        // Whoever waits for room, metadata or the end of a transaction hears of it too.
        if self.untold.is_none() && (results || news) {
            self.notify();
        }
        self.sender.transmit(now);
        if self.sender.has_news() {
            return Some(now);
        }
        Some(self.sender.deadline(now).map_or(at, |deadline| deadline.min(at)))
    }

    /// Brokers have their next requests: they are busy while those are told who waited for the last.
    fn written(&mut self) {
        let Some(Untold { completed, others_wait }) = self.untold.take() else { return };
        if self.tell(completed) || others_wait {
            self.notify();
        }
    }
}
