//! A consumer: what the user's threads hold, and the thread that fetches ahead of them.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use barnabas_protocol::{Millis, NodeId, Offset};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::assignment::{Assignment, Start, Taken};
use crate::cluster::{Cluster, ClusterConfig};
use crate::driver::{Clock, Driver, Machine, Wake};
use crate::error::ClientError;
use crate::fetch_session::Partition;
use crate::fetcher::{Fetcher, FetcherConfig, Purpose};
use crate::link::{LinkConfig, Links};
use crate::producer::Notify;

/// All configs of a consumer.
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    /// Of the fetcher.
    pub fetcher: FetcherConfig,
    /// Of the metadata.
    pub cluster: ClusterConfig,
    /// Of the connections.
    pub link: LinkConfig,
}

struct Shared {
    assignment: Mutex<Assignment>,
    /// Something came.
    progress: Condvar,
    notify: Option<Notify>,
}

/// Reads records of partitions.
pub struct Consumer {
    shared: Arc<Shared>,
    wake: Wake,
    reset: Start,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Consumer {
    /// Begins, with nothing to read yet. `notify` is called on the consumer's thread when something came.
    pub fn start(config: ConsumerConfig, notify: Option<Notify>) -> io::Result<Consumer> {
        let clock = Clock::start();
        let (driver, wake) = Driver::new(clock)?;
        let buffered_max = config.fetcher.max_partition_fetch_bytes.max(1) as usize;
        let assignment = Mutex::new(Assignment::new(buffered_max));
        let shared = Arc::new(Shared { assignment, progress: Condvar::new(), notify });
        let reset = config.fetcher.reset;
        let cluster = Cluster::new(config.cluster);
        let fetcher = Fetcher::new(config.fetcher, cluster, Links::new(config.link), clock.now());
        let mut machine = Running { shared: shared.clone(), fetcher };
        let run = move || driver.run(&mut machine);
        let thread = std::thread::Builder::new().name("barnabas-consumer".to_string()).spawn(run)?;
        Ok(Consumer { shared, wake, reset, thread: Mutex::new(Some(thread)) })
    }

    /// Reads exactly these partitions from now on.
    pub fn assign(&self, partitions: Vec<(Partition, Option<Start>)>) {
        self.shared.assignment.lock().assign(partitions, self.reset);
        self.wake.wake();
    }

    /// Goes to another place. False when the partition is not read.
    pub fn seek(&self, partition: &Partition, start: Start) -> bool {
        let found = self.shared.assignment.lock().seek(partition, start);
        self.wake.wake();
        found
    }

    /// Stops or goes on giving out records. False when the partition is not read.
    pub fn pause(&self, partition: &Partition, paused: bool) -> bool {
        let found = self.shared.assignment.lock().pause(partition, paused);
        self.wake.wake();
        found
    }

    /// The partitions that are read.
    pub fn assignment(&self) -> Vec<Partition> {
        self.shared.assignment.lock().partitions().map(|(partition, _)| partition.clone()).collect()
    }

    /// Those of them that are paused.
    pub fn paused(&self) -> Vec<Partition> {
        let assignment = self.shared.assignment.lock();
        let paused = assignment.partitions().filter(|(_, slot)| slot.paused);
        paused.map(|(partition, _)| partition.clone()).collect()
    }

    /// Offset of the record that comes next: None when the partition is not read, and then when it is not known.
    pub fn position(&self, partition: &Partition) -> Option<Option<Offset>> {
        self.shared.assignment.lock().get(partition).map(|slot| slot.position)
    }

    /// Whether what was taken of a partition in this generation still counts.
    pub fn is_current(&self, partition: &Partition, generation: u64) -> bool {
        let mut assignment = self.shared.assignment.lock();
        assignment.current(partition, generation).is_some_and(|slot| !slot.paused)
    }

    /// The user has everything before `offset`. False when somebody has moved the partition meanwhile.
    pub fn advance(&self, partition: &Partition, generation: u64, offset: Offset) -> bool {
        self.shared.assignment.lock().advance(partition, generation, offset)
    }

    /// The next batch that is there; waits up to `slice_ms` for one.
    pub fn next(&self, slice_ms: u64) -> Result<Option<Taken>, ClientError> {
        let mut assignment = self.shared.assignment.lock();
        let mut taken = assignment.take();
        if taken.0.is_none() && slice_ms > 0 && !assignment.is_closed() {
            self.wait_in(&mut assignment, slice_ms);
            taken = assignment.take();
        }
        if assignment.is_closed() {
            return Err(ClientError::Closed);
        }
        drop(assignment);
        if taken.1 {
            self.wake.wake();
        }
        taken.0.transpose()
    }

    /// The batch behind one that was taken, if it is there.
    pub fn next_of(&self, before: &Taken) -> Option<Taken> {
        let (taken, wake) = self.shared.assignment.lock().take_of(&before.partition, before.generation)?;
        if wake {
            self.wake.wake();
        }
        Some(taken)
    }

    /// Waits until something comes, or `slice_ms` have passed.
    pub fn wait(&self, slice_ms: u64) {
        let mut assignment = self.shared.assignment.lock();
        self.wait_in(&mut assignment, slice_ms);
    }

    /// Gives back what was taken and not used up: a paused partition goes on there. Nothing, if somebody has moved
    /// the partition.
    pub fn put_back(&self, taken: Taken) {
        self.shared.assignment.lock().put_back(taken);
    }

    fn wait_in(&self, assignment: &mut MutexGuard<'_, Assignment>, slice_ms: u64) {
        self.shared.progress.wait_for(assignment, Duration::from_millis(slice_ms));
    }

    /// How many partitions a topic has; waits up to `slice_ms` for an answer, None when there is none yet.
    pub fn partition_count(&self, topic: &str, slice_ms: u64) -> Option<Result<usize, ClientError>> {
        let mut assignment = self.shared.assignment.lock();
        let known = assignment.partition_count(topic);
        if known.is_some() {
            return known;
        }
        self.wake.wake();
        self.wait_in(&mut assignment, slice_ms);
        assignment.partition_count(topic)
    }

    /// Asks for an offset of a partition; the answer comes under the number.
    pub fn look_up(&self, partition: Partition, start: Start) -> u64 {
        let id = self.shared.assignment.lock().look_up(partition, start);
        self.wake.wake();
        id
    }

    /// The answer to a question, for which it waits up to `slice_ms`: offset and timestamp, or that no record is
    /// that new.
    pub fn looked_up(&self, id: u64, slice_ms: u64) -> Option<Result<Option<(Offset, Millis)>, ClientError>> {
        let mut assignment = self.shared.assignment.lock();
        if let Some(answer) = assignment.take_lookup(id) {
            return Some(answer);
        }
        self.wait_in(&mut assignment, slice_ms);
        assignment.take_lookup(id)
    }

    /// Ends the thread.
    pub fn close(&self) {
        self.shared.assignment.lock().close();
        self.shared.progress.notify_all();
        self.wake.wake();
        if let Some(thread) = self.thread.lock().take() {
            if thread.join().is_err() {
                log::error!("the thread of a consumer has failed");
            }
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.close();
    }
}

/// The fetcher with what it shares.
struct Running {
    shared: Arc<Shared>,
    fetcher: Fetcher,
}

impl Machine for Running {
    type Purpose = Purpose;

    fn links(&mut self) -> &mut Links<Purpose> {
        self.fetcher.links()
    }

    fn received(&mut self, node: NodeId, bytes: &[u8], now: Millis) {
        self.fetcher.received(node, bytes, now);
    }

    fn turn(&mut self, now: Millis) -> Option<Millis> {
        self.fetcher.settle(now);
        let came = {
            let mut assignment = self.shared.assignment.lock();
            if assignment.is_closed() {
                return None;
            }
            self.fetcher.exchange(&mut assignment, now)
        };
        if came {
            self.shared.progress.notify_all();
            if let Some(notify) = &self.shared.notify {
                notify();
            }
        }
        self.fetcher.transmit(now);
        if self.fetcher.has_news() {
            return Some(now);
        }
        Some(self.fetcher.deadline(now).unwrap_or(Millis::MAX))
    }
}
