//! Compaction: of the records of a key the newest stays (`cleanup.policy=compact`), as Apache Kafka does it and
//! with the same bytes.
//!
//! [`LogCleaner`] chooses which log needs it most; a `pass` goes through that log. What it may go through is in
//! `choose`, what becomes of a batch in `batch_filter`, of transactions in `transactions`; `replace` puts the
//! outcome in place, `view` is what is seen of a log that nobody holds.
//!
//! Always true:
//!   offsets, order and the newest record of each key are never touched, nor what is not decided yet
//!   at any instant the files of a log make the log as it was or as it is to be
//!   a log is in one pass at most
//!   memory of a pass is that of the map of keys, two buffers and one batch

mod batch_filter;
mod choose;
mod cleaned_segment;
mod figures;
mod key_hash;
mod offset_map;
mod pass;
mod replace;
mod transactions;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use barnabas_protocol::Millis;
use parking_lot::{Mutex, RwLock};

use crate::error::LogError;
use crate::log::Log;
use crate::log_manager::{DirectoryFailure, LogManager, LogRef, TopicPartition};
use crate::log_manager_run::delete_files;
pub use figures::{CleanerFigures, Uncleanable};
pub use key_hash::HashKey;
use pass::{Pass, PassError, PassReport};
pub(crate) use replace::Replacing;

/// What a cleaner may use.
#[derive(Debug, Clone, PartialEq)]
pub struct CleanerSettings {
    /// Memory for the keys of one pass, in bytes: `log.cleaner.dedupe.buffer.size` over `log.cleaner.threads`.
    pub dedupe_buffer_bytes: usize,
    /// `log.cleaner.io.buffer.load.factor`: share of that memory that keys may fill.
    pub load_factor: f64,
    /// Bytes read or written at once.
    pub io_buffer_bytes: usize,
    /// Random bits for the hash of keys.
    pub hash_key: HashKey,
}

/// Who runs a cleaner: it has the clock and the threads.
pub trait CleanerHost: Sync {
    /// Milliseconds since the epoch.
    fn now(&self) -> Millis;
    /// So many bytes were read or written: waits as long as `log.cleaner.io.max.bytes.per.second` wants. False
    /// when the cleaner is to stop.
    fn pace(&self, bytes: u64) -> bool;
    /// Does the work, which holds no lock, where it gets in nobody's way, and returns when it is done.
    fn in_background(&self, work: &mut (dyn FnMut() + Send));
}

/// What a round of a cleaner did.
#[derive(Debug, Default)]
pub struct CleanerRound {
    /// Whether a log was compacted, so that the next round should follow at once.
    pub cleaned: bool,
    /// Directories that failed.
    pub failures: Vec<DirectoryFailure>,
}

/// Compacts the logs of a node; for any number of threads.
#[derive(Debug)]
pub struct LogCleaner {
    logs: Arc<LogManager>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_progress: BTreeSet<TopicPartition>,
    /// Logs that can't be compacted, until the node starts again or the log is another one.
    uncleanable: BTreeMap<TopicPartition, Weak<RwLock<Log>>>,
    figures: CleanerFigures,
}

/// A log that this thread alone works on.
struct Grabbed<'a> {
    cleaner: &'a LogCleaner,
    partition: TopicPartition,
    log: LogRef,
}

impl Drop for Grabbed<'_> {
    fn drop(&mut self) {
        self.cleaner.state.lock().in_progress.remove(&self.partition);
    }
}

impl LogCleaner {
    /// A cleaner for `logs`.
    pub fn new(logs: Arc<LogManager>) -> LogCleaner {
        LogCleaner { logs, state: Mutex::default() }
    }

    /// Compacts the log with the largest share of uncompacted bytes, if one has enough of them, and removes the
    /// segments of compacted logs whose retention is over.
    pub fn run_once(&self, settings: &CleanerSettings, host: &dyn CleanerHost) -> CleanerRound {
        let mut round = CleanerRound::default();
        let began = host.now();
        let found = self.grab_dirtiest(began, &mut round.failures);
        self.state.lock().figures.look(began, found.as_ref().map(|(_, range)| range));
        if let Some((grabbed, range)) = found {
            let pass = Pass { log: &grabbed.log, range, settings, host };
            match pass.run() {
                Ok(report) => {
                    round.cleaned = true;
                    tell(&grabbed, range.first_dirty_offset, &report);
                    self.state.lock().figures.pass(host.now() - began, &report);
                    round.failures.extend(self.logs.checkpoint_cleaned());
                }
                Err(PassError::Aborted) => log::debug!("compaction of {:?} is given up", grabbed.partition),
                Err(PassError::Log(error)) => self.failed(&grabbed, error, &mut round.failures),
            }
        }
        self.delete_old_segments(host.now(), &mut round.failures);
        round
    }

    /// Partitions whose logs can't be compacted because they are damaged.
    pub fn uncleanable(&self) -> Vec<TopicPartition> {
        self.state.lock().uncleanable.keys().cloned().collect()
    }

    fn grab_dirtiest(
        &self,
        now: Millis,
        failures: &mut Vec<DirectoryFailure>,
    ) -> Option<(Grabbed<'_>, choose::Cleanable)> {
        self.state.lock().uncleanable.retain(|_, log| log.strong_count() > 0);
        let mut dirtiest: Option<(Grabbed<'_>, choose::Cleanable)> = None;
        for grabbed in self.compacted() {
            let cleanable = grabbed.log.read().cleanable(now);
            match cleanable {
                Ok(None) => {}
                Ok(Some(range)) => {
                    let most = dirtiest.as_ref().map_or(-1.0, |(_, other)| other.dirty_ratio());
                    if range.dirty_ratio() > most {
                        dirtiest = Some((grabbed, range));
                    }
                }
                Err(error) => self.failed(&grabbed, error, failures),
            }
        }
        dirtiest
    }

    /// The logs with `cleanup.policy=compact` that nobody works on, each grabbed while it is looked at.
    fn compacted(&self) -> impl Iterator<Item = Grabbed<'_>> {
        let logs = self.logs.logs(false).into_iter();
        let compacted = logs.filter(|(_, _, log)| log.read().config().compact);
        compacted.filter_map(|(partition, _, log)| {
            let mut state = self.state.lock();
            let damaged =
                state.uncleanable.get(&partition).is_some_and(|other| other.as_ptr() == Arc::as_ptr(&log));
            if damaged || !state.in_progress.insert(partition.clone()) {
                return None;
            }
            drop(state);
            Some(Grabbed { cleaner: self, partition, log })
        })
    }

    fn failed(&self, grabbed: &Grabbed<'_>, error: LogError, failures: &mut Vec<DirectoryFailure>) {
        let directory = match &error {
            LogError::Storage { path, .. } => self.logs.directory_at(path),
            _ => None,
        };
        match directory {
            Some(directory) => failures.push(DirectoryFailure { directory, error }),
            None => {
                let (topic, index) = &grabbed.partition;
                log::error!("{topic}-{index} can't be compacted until the node starts again: {error}");
                let log = Arc::downgrade(&grabbed.log);
                self.state.lock().uncleanable.insert(grabbed.partition.clone(), log);
            }
        }
    }

    fn delete_old_segments(&self, now: Millis, failures: &mut Vec<DirectoryFailure>) {
        for grabbed in self.compacted() {
            let removed = delete_files(&grabbed.log, now, |log| log.delete_old_segments(now).map(drop));
            if let Err(error) = removed {
                self.failed(&grabbed, error, failures);
            }
        }
    }
}

fn tell(grabbed: &Grabbed<'_>, from: i64, report: &PassReport) {
    let (topic, index) = &grabbed.partition;
    let PassReport { end_offset, bytes_before, bytes_after, .. } = report;
    log::info!(
        "compacted {topic}-{index}: offsets {from} to {end_offset} are new, {bytes_before} bytes became {bytes_after}"
    );
}
