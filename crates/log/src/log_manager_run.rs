//! What the manager does with all logs: opening them at the start, what comes back from time to time, closing
//! them at the end.

use std::collections::btree_map::{BTreeMap, Entry};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use barnabas_protocol::{Millis, PartitionIndex, TopicId, Uuid};
use parking_lot::{Mutex, RwLock};

use crate::checkpoints::Offsets;
use crate::config::LogConfig;
use crate::directory_names::{self, DirectoryName};
use crate::error::{At, LogError};
use crate::log::Log;
use crate::log_directory::{Checkpoint, LogDirectory};
use crate::log_manager::{DirectoryFailure, Hosted, LogManager, LogRef};
use crate::meta_properties::DirectoryError;
use crate::recovery::{OpenOptions, RecoveryProgress};

/// The metadata log has its own owner.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// How far loading has come in one directory.
#[derive(Debug, Clone, Copy)]
pub struct LoadProgress<'a> {
    /// The directory.
    pub directory: &'a Path,
    /// Logs opened so far.
    pub logs_done: usize,
    /// Logs to open.
    pub logs_total: usize,
    /// Whether they have to be checked, because the node did not stop as it should.
    pub unclean: bool,
    /// The log that is being checked, and how far that has come.
    pub checking: Option<(&'a str, PartitionIndex, RecoveryProgress)>,
}

/// Called from several threads as logs are opened.
pub type OnLoadProgress<'a> = &'a (dyn Fn(LoadProgress<'_>) + Sync);
/// Gives the configuration of a topic.
pub type ConfigOf<'a> = &'a (dyn Fn(&str) -> Arc<LogConfig> + Sync);

/// A log that waits to be opened.
struct Waiting {
    path: PathBuf,
    topic: Arc<str>,
    partition: PartitionIndex,
    future: bool,
}

/// What the checkpoints of a directory say.
struct Checkpoints {
    recovery_points: Arc<Offsets>,
    log_start_offsets: Arc<Offsets>,
    high_watermarks: Arc<Offsets>,
    cleaner_offsets: Arc<Offsets>,
}

/// Whether two logs of a partition are what a crash leaves of a move from one directory to another.
fn alike(one: &Hosted, other: &Hosted) -> bool {
    let facts = |log: &Log| (log.topic_id(), log.log_end_offset(), log.leader_epochs().latest());
    let one = facts(&one.log.read());
    one == facts(&other.log.read())
}

impl LogManager {
    /// Opens all logs, with `num.recovery.threads.per.data.dir` threads for each directory, and returns when
    /// that is done. A directory whose disk fails goes offline: see `check_any_online`.
    pub fn load(
        &self,
        config_of: ConfigOf<'_>,
        now: Millis,
        progress: OnLoadProgress<'_>,
    ) -> Result<(), DirectoryError> {
        let failed: Mutex<Option<DirectoryError>> = Mutex::default();
        std::thread::scope(|scope| {
            for index in 0..self.directories.len() {
                let failed = &failed;
                scope.spawn(move || {
                    if let Err(error) = self.load_directory(index, config_of, now, progress) {
                        failed.lock().get_or_insert(error);
                    }
                });
            }
        });
        match failed.into_inner() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Looks after the directories that have failed: those that take writes again are recovered as at a start, and
    /// come back with their logs. Returns their ids.
    pub fn mend(&self, config_of: ConfigOf<'_>, now: Millis) -> Vec<Uuid> {
        let (cluster_id, node_id) = (&self.settings.cluster_id, self.settings.node_id);
        let mut mended = Vec::new();
        for (index, directory) in self.directories.iter().enumerate() {
            if directory.is_online() || !directory.reopen(self.disk(), cluster_id, node_id, &self.directories)
            {
                continue;
            }
            if let Err(error) = self.load_directory(index, config_of, now, &|_| {}) {
                self.take_offline(directory.id(), &error.to_string());
            }
            if directory.is_online() {
                mended.push(directory.id());
            }
        }
        mended
    }

    /// Refuses to go on where no directory is left.
    pub fn check_any_online(&self) -> Result<(), DirectoryError> {
        LogDirectory::check_any_online(&self.directories)
    }

    /// Whether all directories are in use.
    pub fn all_online(&self) -> bool {
        self.directories.iter().all(LogDirectory::is_online)
    }

    fn load_directory(
        &self,
        index: usize,
        config_of: ConfigOf<'_>,
        now: Millis,
        progress: OnLoadProgress<'_>,
    ) -> Result<(), DirectoryError> {
        let directory = &self.directories[index];
        if !directory.is_online() {
            return Ok(());
        }
        match self.load_logs(index, config_of, now, progress) {
            Err(DirectoryError::Log(error)) if error.is_storage_failure() => {
                self.take_offline(directory.id(), &error.to_string());
                Ok(())
            }
            loaded => loaded,
        }
    }

    fn load_logs(
        &self,
        index: usize,
        config_of: ConfigOf<'_>,
        now: Millis,
        progress: OnLoadProgress<'_>,
    ) -> Result<(), DirectoryError> {
        let (disk, directory) = (self.disk(), &self.directories[index]);
        let checkpoints = Checkpoints {
            recovery_points: directory.read_checkpoint(disk, Checkpoint::RecoveryPoints)?,
            log_start_offsets: directory.read_checkpoint(disk, Checkpoint::LogStartOffsets)?,
            high_watermarks: directory.read_checkpoint(disk, Checkpoint::HighWatermarks)?,
            cleaner_offsets: directory.read_checkpoint(disk, Checkpoint::CleanerOffsets)?,
        };
        let waiting = self.list_logs(directory, now)?;
        directory.mark_in_use(disk)?;
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let failed: Mutex<Option<DirectoryError>> = Mutex::default();
        let tell = |logs_done, checking| {
            progress(LoadProgress {
                directory: &directory.path,
                logs_done,
                logs_total: waiting.len(),
                unclean: !directory.was_left_clean(),
                checking,
            });
        };
        let work = || {
            let mut latest: Option<(&Arc<str>, Arc<LogConfig>)> = None;
            while let Some(log) = waiting.get(next.fetch_add(1, Ordering::Relaxed)) {
                // Logs come by their names, so that most have the topic of the one before.
                let config = match latest.take() {
                    Some((topic, config)) if *topic == log.topic => config,
                    _ => config_of(&log.topic),
                };
                latest = Some((&log.topic, config.clone()));
                let mut checked = |checking| {
                    tell(done.load(Ordering::Relaxed), Some((&*log.topic, log.partition, checking)));
                };
                if let Err(error) = self.load_log(index, log, &checkpoints, config, now, &mut checked) {
                    failed.lock().get_or_insert(error);
                    return;
                }
                tell(done.fetch_add(1, Ordering::Relaxed) + 1, None);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.settings.recovery_threads_per_directory {
                scope.spawn(work);
            }
            work();
        });
        self.changes.note_all();
        match failed.into_inner() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// The logs in a directory. Those that were deleted are put down for removal.
    fn list_logs(&self, directory: &LogDirectory, now: Millis) -> Result<Vec<Waiting>, LogError> {
        let mut waiting = Vec::new();
        let entries = self.disk().list(&directory.path).at("list", &directory.path)?;
        for entry in entries.iter().filter(|entry| entry.is_directory) {
            let path = directory.path.join(&entry.name);
            let (topic, partition, future) = match directory_names::parse(&entry.name) {
                DirectoryName::Log(METADATA_TOPIC, _) | DirectoryName::Other => continue,
                DirectoryName::Log(topic, partition) => (topic, partition, false),
                DirectoryName::Future(topic, partition) => (topic, partition, true),
                DirectoryName::Stray => {
                    log::warn!("{} is kept though no topic has it; it can be removed", path.display());
                    continue;
                }
                DirectoryName::Deleted => {
                    self.removals.lock().push((now, path));
                    continue;
                }
            };
            let before = waiting.last().map(|before: &Waiting| &before.topic);
            let topic = before.filter(|before| ***before == *topic).cloned().unwrap_or_else(|| topic.into());
            waiting.push(Waiting { path, topic, partition, future });
        }
        Ok(waiting)
    }

    fn load_log(
        &self,
        index: usize,
        waiting: &Waiting,
        checkpoints: &Checkpoints,
        config: Arc<LogConfig>,
        now: Millis,
        progress: &mut dyn FnMut(RecoveryProgress),
    ) -> Result<(), DirectoryError> {
        let (topic, partition) = (&waiting.topic, waiting.partition);
        let of = |offsets: &Offsets| offsets.get(topic, partition).unwrap_or(0);
        let options = OpenOptions {
            recovery_point: of(&checkpoints.recovery_points),
            log_start_offset: of(&checkpoints.log_start_offsets),
            high_watermark: of(&checkpoints.high_watermarks),
            clean_shutdown: self.directories[index].was_left_clean(),
            rewrite: self.directories[index].has_come_back(),
            changes: self.changes.clone(),
            producer_id_expiration_ms: self.producer_id_expiration_ms.load(Ordering::Relaxed),
        };
        let (mut log, recovery) = Log::open(
            self.files.clone(),
            &waiting.path,
            topic,
            partition,
            TopicId::ZERO,
            config,
            options,
            now,
            progress,
        )?;
        if recovery.truncated_bytes > 0 {
            log::warn!("{topic}-{partition}: cut {} bytes that a crash had torn", recovery.truncated_bytes);
        }
        log.set_cleaned_to(checkpoints.cleaner_offsets.get(topic, partition));
        let hosted = Hosted { log: Arc::new(RwLock::new(log)), directory: index };
        self.directories[index].logs.fetch_add(1, Ordering::Relaxed);
        let other = {
            let mut logs = self.logs.write();
            let map = if waiting.future { &mut logs.future } else { &mut logs.current };
            match map.entry(topic.clone()).or_default().entry(partition) {
                Entry::Vacant(entry) => {
                    entry.insert(hosted);
                    return Ok(());
                }
                Entry::Occupied(entry) => entry.get().clone(),
            }
        };
        if waiting.future || !alike(&other, &hosted) {
            return Err(DirectoryError::DuplicateLog {
                first: self.directories[other.directory].path.join(directory_names::log(topic, partition)),
                second: waiting.path.clone(),
            });
        }
        log::warn!("{} goes: a crash has left the log twice", waiting.path.display());
        Ok(self.retire(topic, partition, &hosted, now)?)
    }

    /// Removes segments by retention in all logs but those that are compacted, which the cleaner looks after,
    /// and files whose `file.delete.delay.ms` is over.
    pub fn delete_old_segments(&self, now: Millis) -> Vec<DirectoryFailure> {
        self.for_each_log(|log| {
            let compacted = log.read().config().compact;
            delete_files(log, now, |log| match compacted {
                true => Ok(()),
                false => log.delete_old_segments(now).map(drop),
            })
        })
    }

    /// Syncs what is due in all logs.
    pub fn flush_due(&self, now: Millis) -> Vec<DirectoryFailure> {
        if !self.changes.take_flushes() {
            return Vec::new();
        }
        self.for_each_log(|log| {
            let due = log.read().flush_due(now);
            let Some(up_to) = due else { return Ok(()) };
            let flush = log.write().start_flush(up_to, now)?;
            let Some(flush) = flush else { return Ok(()) };
            self.run_flush(&flush)?; // The log is free while the disk works.
            let mut log = log.write();
            log.finish_flush(&flush);
            if log.flush_due(now).is_some() {
                // It was truncated meanwhile, or completed another segment.
                self.changes.note_completed();
            }
            Ok(())
        })
    }

    /// Forgets producers that have expired in all logs. Returns how many.
    pub fn remove_expired_producers(&self, now: Millis) -> usize {
        let logs = self.logs(false);
        let busy = logs.iter().filter(|(_, _, log)| !log.read().producers().is_empty());
        let expiration_ms = self.producer_id_expiration_ms.load(Ordering::Relaxed);
        let remove = |log: &LogRef| {
            let mut log = log.write();
            log.set_producer_id_expiration_ms(expiration_ms);
            log.remove_expired_producers(now)
        };
        busy.map(|(_, _, log)| remove(log)).sum()
    }

    fn for_each_log(&self, act: impl Fn(&LogRef) -> Result<(), LogError> + Sync) -> Vec<DirectoryFailure> {
        self.for_each_log_on(1, act)
    }

    /// Acts on all logs with so many threads, the caller's included. What is left of a directory that fails is left
    /// out.
    fn for_each_log_on(
        &self,
        threads: usize,
        act: impl Fn(&LogRef) -> Result<(), LogError> + Sync,
    ) -> Vec<DirectoryFailure> {
        let logs: Vec<_> = self.logs(false).into_iter().chain(self.logs(true)).collect();
        let next = AtomicUsize::new(0);
        let failures: Mutex<Vec<DirectoryFailure>> = Mutex::default();
        let work = || {
            while let Some((_, directory, log)) = logs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let has_failed = |failure: &DirectoryFailure| failure.directory == *directory;
                if failures.lock().iter().any(has_failed) {
                    continue;
                }
                if let Err(error) = act(log) {
                    let mut failures = failures.lock();
                    if !failures.iter().any(has_failed) {
                        failures.push(DirectoryFailure { directory: *directory, error });
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        failures.into_inner()
    }

    /// Writes `replication-offset-checkpoint` where high watermarks have moved since that was done.
    pub fn checkpoint_moved_high_watermarks(&self) -> Vec<DirectoryFailure> {
        match self.changes.take_high_watermarks() {
            true => self.checkpoint_high_watermarks(),
            false => Vec::new(),
        }
    }

    /// Writes `replication-offset-checkpoint` of all directories.
    pub fn checkpoint_high_watermarks(&self) -> Vec<DirectoryFailure> {
        self.checkpoint(Checkpoint::HighWatermarks, |log| Some(log.high_watermark()))
    }

    /// Writes `cleaner-offset-checkpoint` of all directories.
    pub fn checkpoint_cleaned(&self) -> Vec<DirectoryFailure> {
        self.checkpoint(Checkpoint::CleanerOffsets, Log::cleaned_to)
    }

    /// Writes `recovery-point-offset-checkpoint` and `log-start-offset-checkpoint` of all directories.
    pub fn checkpoint_offsets(&self) -> Vec<DirectoryFailure> {
        let mut failures = self.checkpoint(Checkpoint::RecoveryPoints, |log| Some(log.recovery_point()));
        failures.extend(self.checkpoint(Checkpoint::LogStartOffsets, |log| {
            // Only where the segments themselves do not say it.
            Some(log.log_start_offset()).filter(|start| *start > log.first_segment_base_offset())
        }));
        failures
    }

    fn checkpoint(
        &self,
        which: Checkpoint,
        offset_of: impl Fn(&Log) -> Option<i64>,
    ) -> Vec<DirectoryFailure> {
        let mut failures = Vec::new();
        let mut offsets: BTreeMap<Uuid, Offsets> = BTreeMap::new();
        for ((topic, partition), directory, log) in self.logs(false) {
            if let Some(offset) = offset_of(&log.read()) {
                offsets.entry(directory).or_default().insert(&topic, partition, offset);
            }
        }
        for directory in self.directories.iter().filter(|directory| directory.is_online()) {
            let here = offsets.remove(&directory.id()).unwrap_or_default();
            if let Err(error) = directory.write_checkpoint(self.disk(), which, here) {
                failures.push(DirectoryFailure { directory: directory.id(), error });
            }
        }
        failures
    }

    /// Closes all logs, synced and complete, writes the checkpoints and notes in each directory that the node
    /// has stopped as it should. Directories that fail meanwhile are checked at the next start.
    pub fn shut_down(&self, broker_epoch: i64, now: Millis) -> Vec<DirectoryFailure> {
        let threads = self.settings.recovery_threads_per_directory;
        let mut failures = self.for_each_log_on(threads, |log| log.write().close(true, now));
        failures.extend(self.checkpoint_offsets());
        failures.extend(self.checkpoint_high_watermarks());
        failures.extend(self.checkpoint_cleaned());
        let failed: Vec<Uuid> = failures.iter().map(|failure| failure.directory).collect();
        for directory in self.directories.iter().filter(|directory| directory.is_online()) {
            if failed.contains(&directory.id()) {
                continue;
            }
            if let Err(error) = directory.mark_clean(self.disk(), broker_epoch) {
                failures.push(DirectoryFailure { directory: directory.id(), error });
            }
        }
        failures
    }
}

/// Removes segments of a log as `remove` says, and files whose `file.delete.delay.ms` is over.
pub(crate) fn delete_files(
    log: &LogRef,
    now: Millis,
    remove: impl FnOnce(&mut Log) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let (result, deletions) = {
        let mut log = log.write();
        (remove(&mut log), log.take_due_deletions(now))
    };
    // Nobody waits for the log while its old files are removed.
    deletions.iter().try_for_each(|deletion| deletion.run()).and(result)
}
