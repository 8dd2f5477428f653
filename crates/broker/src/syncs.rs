//! Group commit: the partitions of topics with `barnabas.durability=fsync` are synced by threads of their own.
//!
//! What is appended while a partition's sync runs shares the next one. Nobody who answers requests waits for a
//! disk: a Produce parks until the durable end has passed its records.
//!
//! Always true:
//!   a partition stands in at most one queue, once, and is synced by at most one thread at a time
//!   records that were there when a sync was asked for are durable, or their partition offline, when it is done

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use barnabas_log::{Durability, Log, LogError, LogManager};
use barnabas_protocol::Millis;
use parking_lot::{Condvar, Mutex};

use crate::broker::Broker;
use crate::partition::Partition;

/// Nobody has asked for a sync.
const IDLE: u8 = 0;
/// The partition stands in a queue.
const QUEUED: u8 = 1;
/// It is being synced.
const RUNNING: u8 = 2;
/// It is being synced, and another sync was asked for meanwhile.
const RUNNING_AND_WANTED: u8 = 3;

/// What a partition has of it.
#[derive(Default)]
pub(crate) struct SyncState {
    /// The queues, and the partition itself.
    place: OnceLock<(Arc<SyncQueues>, Weak<Partition>)>,
    state: AtomicU8,
}

/// Partitions that wait for a sync, by log directory: one that hangs holds no other up.
pub(crate) struct SyncQueues {
    logs: Arc<LogManager>,
    queues: Vec<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    work: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// One that is dropped meanwhile, deleted or with its broker, needs no sync any more.
    partitions: VecDeque<Weak<Partition>>,
    stopping: bool,
}

impl SyncQueues {
    pub(crate) fn new(logs: Arc<LogManager>) -> SyncQueues {
        let queues = (0..logs.directory_count()).map(|_| Queue::default()).collect();
        SyncQueues { logs, queues }
    }

    fn push(&self, partition: &Arc<Partition>) {
        // The directory of a log that has just gone offline is not known; any queue ends that.
        let directory = self.logs.directory_index(&partition.topic, partition.index).unwrap_or(0);
        let Some(queue) = self.queues.get(directory) else { return };
        queue.waiting.lock().partitions.push_back(Arc::downgrade(partition));
        queue.work.notify_one();
    }
}

impl Queue {
    /// The next partition; None once stopping.
    fn next(&self) -> Option<Arc<Partition>> {
        let mut waiting = self.waiting.lock();
        loop {
            while let Some(partition) = waiting.partitions.pop_front() {
                if let Some(partition) = partition.upgrade() {
                    return Some(partition);
                }
            }
            if waiting.stopping {
                return None;
            }
            self.work.wait(&mut waiting);
        }
    }
}

impl SyncState {
    /// Says which partition this is part of, and where it is to be queued. Before that nothing is synced.
    pub(crate) fn attach(&self, queues: Arc<SyncQueues>, partition: &Arc<Partition>) {
        self.place.get_or_init(|| (queues, Arc::downgrade(partition)));
    }

    /// Asks for a sync if the topic wants its records on disk and some are not.
    pub(crate) fn want(&self, log: &Log) {
        if log.config().durability == Durability::Fsync && log.durable_end() < log.log_end_offset() {
            self.request();
        }
    }

    fn request(&self) {
        let next = |state| match state {
            IDLE => Some(QUEUED),
            RUNNING => Some(RUNNING_AND_WANTED),
            _ => None,
        };
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, next) == Ok(IDLE) {
            self.enqueue();
        }
    }

    fn enqueue(&self) {
        let Some((queues, partition)) = self.place.get() else { return };
        if let Some(partition) = partition.upgrade() {
            queues.push(&partition);
        }
    }

    fn begin(&self) {
        self.state.store(RUNNING, Ordering::Release);
    }

    fn end(&self) {
        let next = |state| Some(if state == RUNNING_AND_WANTED { QUEUED } else { IDLE });
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, next) == Ok(RUNNING_AND_WANTED) {
            self.enqueue();
        }
    }
}

impl Broker {
    /// Log directories, each of which wants threads that run `run_syncs`.
    pub fn sync_queues(&self) -> usize {
        self.syncs.queues.len()
    }

    /// Syncs what waits for it in one log directory until `stop_syncs`. For threads of their own.
    pub fn run_syncs(&self, directory: usize, clock: &dyn Fn() -> Millis) {
        while let Some(partition) = self.syncs.queues.get(directory).and_then(Queue::next) {
            self.sync(&partition, clock());
        }
    }

    /// Syncs what waits for it now, on the calling thread. Returns how many partitions that were.
    pub fn sync_waiting(&self, now: Millis) -> usize {
        let mut count = 0;
        for queue in &self.syncs.queues {
            let waiting = std::mem::take(&mut queue.waiting.lock().partitions);
            count += waiting.len();
            waiting.iter().filter_map(Weak::upgrade).for_each(|partition| self.sync(&partition, now));
        }
        count
    }

    /// Lets `run_syncs` return once nothing waits.
    pub fn stop_syncs(&self) {
        for queue in &self.syncs.queues {
            queue.waiting.lock().stopping = true;
            queue.work.notify_all();
        }
    }

    fn sync(&self, partition: &Partition, now: Millis) {
        partition.sync.begin();
        match self.commit(partition, now) {
            Ok(()) => partition.synced(now),
            // A disk that has failed to write must not be asked again: it may say that all is well.
            Err(error) => self.storage_failed(partition, &error),
        }
        partition.sync.end();
    }

    fn commit(&self, partition: &Partition, now: Millis) -> Result<(), LogError> {
        let log = partition.log.load_full();
        let commit = log.write().start_commit(now)?;
        if let Some(commit) = commit {
            self.logs.run_flush(&commit)?;
            log.write().finish_flush(&commit);
        }
        Ok(())
    }
}
