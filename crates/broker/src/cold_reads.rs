//! Bytes that are not in the page cache are brought there by threads of their own: a reader of old records
//! keeps nobody waiting who shares its network thread.
//!
//! Always true:
//!   a request that waits for bytes is woken once they are there, or can't be read
//!   what nobody waits for is only a hint: it is dropped when there is too much of it

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use barnabas_disk::FileSlice;
use parking_lot::{Condvar, Mutex};

use crate::broker::Broker;
use crate::waiters::Wake;

/// Threads that should run `Broker::run_cold_reads`.
pub const COLD_READ_THREADS: usize = 2;
/// Bytes of one partition that are brought in at a time.
const SLICE_BYTES_MAX: usize = 8 << 20;
/// Bytes that are read at once.
const BLOCK_BYTES: usize = 256 * 1024;
/// Jobs in the queue up to which hints are taken. Requests that wait are bounded by the number of
/// connections.
const HINTS_MAX: usize = 64;

/// Says whether bytes that were asked for are there.
#[derive(Debug, Default)]
pub(crate) struct Arrival(AtomicBool);

impl Arrival {
    pub(crate) fn is_there(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

struct Job {
    slices: Vec<FileSlice>,
    waiting: Option<(Arc<Arrival>, Arc<dyn Wake>)>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    stopping: bool,
}

/// What is to be brought in.
#[derive(Default)]
pub(crate) struct ColdReads {
    queue: Mutex<Queue>,
    work: Condvar,
}

impl ColdReads {
    /// Brings the bytes in and wakes the request then.
    pub(crate) fn fetch(&self, slices: Vec<FileSlice>, wake: Arc<dyn Wake>) -> Arc<Arrival> {
        let arrival = Arc::<Arrival>::default();
        self.push(Job { slices, waiting: Some((arrival.clone(), wake)) });
        arrival
    }

    /// Brings the bytes in when there is time: somebody is likely to ask for them next.
    pub(crate) fn hint(&self, slices: Vec<FileSlice>) {
        if self.queue.lock().jobs.len() < HINTS_MAX {
            self.push(Job { slices, waiting: None });
        }
    }

    fn push(&self, job: Job) {
        self.queue.lock().jobs.push_back(job);
        self.work.notify_one();
    }

    /// The next job; None once stopping.
    fn next(&self) -> Option<Job> {
        let mut queue = self.queue.lock();
        loop {
            if queue.stopping {
                return None;
            }
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            self.work.wait(&mut queue);
        }
    }
}

impl Job {
    fn run(self, buffer: &mut Vec<u8>) {
        for slice in &self.slices {
            bring_in(slice, buffer);
        }
        if let Some((arrival, wake)) = self.waiting {
            arrival.0.store(true, Ordering::Release);
            wake.wake();
        }
    }
}

/// Reads what is not there yet. An error is left to the reader, who meets it too and knows whose it is.
fn bring_in(slice: &FileSlice, buffer: &mut Vec<u8>) {
    buffer.resize(BLOCK_BYTES, 0);
    let (mut position, end) = (slice.position, slice.position + slice.length.min(SLICE_BYTES_MAX) as u64);
    while position < end {
        let length = BLOCK_BYTES.min((end - position) as usize);
        if slice.file.cached_bytes(position, length) < length
            && slice.file.read_at(&mut buffer[..length], position).is_err()
        {
            return;
        }
        position += length as u64;
    }
}

impl Broker {
    /// Brings in what requests wait for until `stop_cold_reads`. For threads of their own.
    pub fn run_cold_reads(&self) {
        let mut buffer = Vec::new();
        while let Some(job) = self.cold_reads.next() {
            job.run(&mut buffer);
        }
    }

    /// Brings in what is asked for now, on the calling thread. Returns how often something was asked for.
    pub fn read_cold_now(&self) -> usize {
        let jobs = std::mem::take(&mut self.cold_reads.queue.lock().jobs);
        let count = jobs.len();
        jobs.into_iter().for_each(|job| job.run(&mut Vec::new()));
        count
    }

    /// Lets `run_cold_reads` return.
    pub fn stop_cold_reads(&self) {
        self.cold_reads.queue.lock().stopping = true;
        self.cold_reads.work.notify_all();
    }
}
