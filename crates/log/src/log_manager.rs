//! All log directories of a node, and all logs in them.
//!
//! Always true:
//!   a partition has at most one log, and at most one future log that is to replace it in another directory
//!   the logs of a directory that is offline are not found here
//!   no lock of the manager is held while a log is locked

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;

use barnabas_disk::{Disk, Lock, OpenFiles, Space};
use barnabas_protocol::{Millis, NodeId, PartitionIndex, TopicId, Uuid};
use parking_lot::{Mutex, RwLock};

use crate::changes::LogChanges;
use crate::config::LogConfig;
use crate::directory_names;
use crate::error::{At, LogError};
use crate::flush_times::FlushTimes;
use crate::log::Log;
use crate::log_directory::LogDirectory;
use crate::meta_properties::DirectoryError;
use crate::recovery::OpenOptions;

/// A log, shared by whoever reads and writes it.
pub type LogRef = Arc<RwLock<Log>>;

/// Names a partition.
pub type TopicPartition = (Arc<str>, PartitionIndex);

/// What a node's logs have in common.
#[derive(Debug, Clone)]
pub struct LogManagerSettings {
    /// The cluster that the directories must belong to.
    pub cluster_id: String,
    /// The node that the directories must belong to.
    pub node_id: NodeId,
    /// How many segment and index files are kept open.
    pub open_files_max: usize,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: Millis,
    /// `num.recovery.threads.per.data.dir`.
    pub recovery_threads_per_directory: usize,
}

impl LogManagerSettings {
    /// Kafka's defaults for a node.
    pub fn new(cluster_id: impl Into<String>, node_id: NodeId) -> Self {
        Self {
            cluster_id: cluster_id.into(),
            node_id,
            open_files_max: 1024,
            producer_id_expiration_ms: 24 * 60 * 60 * 1000,
            recovery_threads_per_directory: 2,
        }
    }
}

/// A log directory as DescribeLogDirs and the broker's registration show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryInfo {
    /// Where it is.
    pub path: PathBuf,
    /// Its id; zero when it failed before that was known.
    pub id: Uuid,
    /// Why it failed.
    pub offline: Option<String>,
    /// Size of its volume, where that has a meaning.
    pub space: Option<Space>,
    /// Number of logs in it, future ones included.
    pub logs: usize,
}

/// A directory that has failed under something the manager did; `take_offline` is to follow.
#[derive(Debug)]
pub struct DirectoryFailure {
    /// The directory.
    pub directory: Uuid,
    /// What happened.
    pub error: LogError,
}

/// All log directories of a node.
#[derive(Debug)]
pub struct LogManager {
    pub(crate) files: Arc<OpenFiles>,
    pub(crate) settings: LogManagerSettings,
    pub(crate) producer_id_expiration_ms: AtomicI64,
    pub(crate) directories: Vec<LogDirectory>,
    pub(crate) logs: RwLock<Logs>,
    /// Directories of deleted logs, and when they are to be removed.
    pub(crate) removals: Mutex<Vec<(Millis, PathBuf)>>,
    pub(crate) flush_times: FlushTimes,
    pub(crate) changes: Arc<LogChanges>,
}

#[derive(Debug, Default)]
pub(crate) struct Logs {
    pub(crate) current: LogMap,
    pub(crate) future: LogMap,
}

/// By topic and partition, so that a look-up needs no copy of the name.
pub(crate) type LogMap = BTreeMap<Arc<str>, BTreeMap<PartitionIndex, Hosted>>;

/// A log, and the index of its directory.
#[derive(Debug, Clone)]
pub(crate) struct Hosted {
    pub(crate) log: LogRef,
    pub(crate) directory: usize,
}

impl LogManager {
    /// Takes the directories for this node; each must be formatted. Their logs are not opened yet: see `load`.
    /// Directories that the disk refuses are offline, as long as there is another one. `held` are locks that
    /// the caller has taken on some of them.
    pub fn open(
        disk: Arc<dyn Disk>,
        paths: &[PathBuf],
        settings: LogManagerSettings,
        mut held: BTreeMap<PathBuf, Box<dyn Lock>>,
    ) -> Result<LogManager, DirectoryError> {
        let mut directories: Vec<LogDirectory> = Vec::with_capacity(paths.len());
        for path in paths {
            let (cluster_id, node_id) = (&settings.cluster_id, settings.node_id);
            let held = held.remove(path);
            let directory = LogDirectory::open(&*disk, path, cluster_id, node_id, held, &directories)?;
            directories.push(directory);
        }
        LogDirectory::check_any_online(&directories)?;
        let files = Arc::new(OpenFiles::new(disk, settings.open_files_max));
        let (logs, removals, flush_times, changes) = Default::default();
        let producer_id_expiration_ms = AtomicI64::new(settings.producer_id_expiration_ms);
        Ok(LogManager {
            files,
            settings,
            producer_id_expiration_ms,
            directories,
            logs,
            removals,
            flush_times,
            changes,
        })
    }

    /// Changes `num.recovery.threads.per.data.dir`, which counts for the next `load`.
    pub fn set_recovery_threads(&mut self, threads_per_directory: usize) {
        self.settings.recovery_threads_per_directory = threads_per_directory;
    }

    /// Changes `producer.id.expiration.ms`, which counts from the next `remove_expired_producers` on.
    pub fn set_producer_id_expiration_ms(&self, expiration_ms: Millis) {
        self.producer_id_expiration_ms.store(expiration_ms, Ordering::Relaxed);
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &**self.files.disk()
    }

    /// Epoch of the broker's registration when the node stopped last; None unless all directories agree that
    /// it stopped as it should.
    pub fn previous_broker_epoch(&self) -> Option<i64> {
        let mut epochs = self
            .directories
            .iter()
            .map(|directory| directory.clean_shutdown().map(|clean| clean.broker_epoch));
        let first = epochs.next()??;
        epochs.all(|epoch| epoch == Some(first)).then_some(first).filter(|epoch| *epoch >= 0)
    }

    /// The directories, in the order of `log.dirs`.
    pub fn directories(&self) -> Vec<DirectoryInfo> {
        let infos = self.directories.iter().map(|directory| DirectoryInfo {
            path: directory.path.clone(),
            id: directory.id(),
            offline: directory.offline(),
            space: self.disk().space(&directory.path).ok().flatten(),
            logs: directory.logs.load(Ordering::Relaxed),
        });
        infos.collect()
    }

    /// Files of logs that are open now, at most `open_files_max` of them besides those that are in use.
    pub fn open_files(&self) -> usize {
        self.files.count()
    }

    /// The log of a partition.
    pub fn log(&self, topic: &str, partition: PartitionIndex) -> Option<LogRef> {
        find(&self.logs.read().current, topic, partition).map(|hosted| hosted.log.clone())
    }

    /// The log that is to replace the one of a partition, in another directory.
    pub fn future_log(&self, topic: &str, partition: PartitionIndex) -> Option<LogRef> {
        find(&self.logs.read().future, topic, partition).map(|hosted| hosted.log.clone())
    }

    /// Id of the directory that a partition's log is in.
    pub fn directory_of(&self, topic: &str, partition: PartitionIndex) -> Option<Uuid> {
        let logs = self.logs.read();
        find(&logs.current, topic, partition).map(|hosted| self.directories[hosted.directory].id())
    }

    /// Number of log directories, those that are offline included.
    pub fn directory_count(&self) -> usize {
        self.directories.len()
    }

    /// Place in `log.dirs` of the directory that a partition's log is in.
    pub fn directory_index(&self, topic: &str, partition: PartitionIndex) -> Option<usize> {
        find(&self.logs.read().current, topic, partition).map(|hosted| hosted.directory)
    }

    /// All logs with the id of their directory; `future` ones or current ones.
    pub fn logs(&self, future: bool) -> Vec<(TopicPartition, Uuid, LogRef)> {
        let logs = self.logs.read();
        let all = if future { &logs.future } else { &logs.current };
        let rows = all.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(|(partition, hosted)| {
                let id = self.directories[hosted.directory].id();
                ((topic.clone(), *partition), id, hosted.log.clone())
            })
        });
        rows.collect()
    }

    /// The log of a partition, created when there is none: in the directory asked for if it is online, else in
    /// the one with the fewest logs.
    pub fn get_or_create(
        &self,
        topic: &str,
        partition: PartitionIndex,
        topic_id: TopicId,
        config: Arc<LogConfig>,
        directory: Option<Uuid>,
        now: Millis,
    ) -> Result<LogRef, LogError> {
        if let Some(log) = self.log(topic, partition) {
            let (found, path) = {
                let log = log.read();
                (log.topic_id(), log.dir().to_path_buf())
            };
            if !found.is_zero() && !topic_id.is_zero() && found != topic_id {
                return Err(LogError::TopicId { path, found, expected: topic_id });
            }
            return Ok(log);
        }
        let directory = self.choose_directory(directory)?;
        self.forget_earlier_log(directory, topic, partition)?;
        let path = self.directories[directory].path.join(directory_names::log(topic, partition));
        let log = self.create_at(&path, topic, partition, topic_id, config, 0, now)?;
        let mut logs = self.logs.write();
        let name = log.read().topic.clone();
        let partitions = logs.current.entry(name).or_default();
        self.changes.note_all();
        self.directories[directory].logs.fetch_add(1, Ordering::Relaxed);
        Ok(partitions.entry(partition).or_insert(Hosted { log, directory }).log.clone())
    }

    /// Begins a log that is to replace the partition's current one, in another directory. It starts empty at
    /// the current one's log start offset.
    pub fn create_future(
        &self,
        topic: &str,
        partition: PartitionIndex,
        directory: Uuid,
        now: Millis,
    ) -> Result<LogRef, LogError> {
        let directory = self.online_directory(directory)?;
        let Some(current) = self.log(topic, partition) else {
            return Err(LogError::UnknownLog { topic: topic.to_string(), partition });
        };
        let (topic_id, config, start) = {
            let log = current.read();
            (log.topic_id(), log.config().clone(), log.log_start_offset())
        };
        self.forget_earlier_log(directory, topic, partition)?;
        let path = self.free_path(directory, topic_id, |id| directory_names::future(topic, partition, id));
        let log = self.create_at(&path, topic, partition, topic_id, config, start, now)?;
        let mut logs = self.logs.write();
        let partitions = logs.future.entry(topic.into()).or_default();
        self.directories[directory].logs.fetch_add(1, Ordering::Relaxed);
        partitions.insert(partition, Hosted { log: log.clone(), directory });
        Ok(log)
    }

    /// Before a log is created: what checkpoints say of an earlier one of its name must not count for it after
    /// a crash.
    fn forget_earlier_log(
        &self,
        directory: usize,
        topic: &str,
        partition: PartitionIndex,
    ) -> Result<(), LogError> {
        let directory = &self.directories[directory];
        if !directory.knows(topic, partition) {
            return Ok(());
        }
        let mut failures = self.checkpoint_high_watermarks();
        failures.extend(self.checkpoint_offsets());
        failures.extend(self.checkpoint_cleaned());
        match failures.into_iter().find(|failure| failure.directory == directory.id()) {
            Some(failure) => Err(failure.error),
            None => Ok(()),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "these are the facts that make a log; each is given once")]
    fn create_at(
        &self,
        path: &Path,
        topic: &str,
        partition: PartitionIndex,
        topic_id: TopicId,
        config: Arc<LogConfig>,
        start: i64,
        now: Millis,
    ) -> Result<LogRef, LogError> {
        let options = OpenOptions {
            recovery_point: start,
            log_start_offset: start,
            high_watermark: start,
            clean_shutdown: false,
            producer_id_expiration_ms: self.producer_id_expiration_ms.load(Ordering::Relaxed),
            rewrite: false,
            changes: self.changes.clone(),
        };
        let files = self.files.clone();
        let opened = Log::open(files, path, topic, partition, topic_id, config, options, now, &mut |_| {});
        opened.map(|(log, _)| Arc::new(RwLock::new(log)))
    }

    /// The future log has caught up: it takes the current one's place, whose files are removed later. A failure
    /// that comes with the log is one of the directory that it leaves.
    ///
    /// The new place is durable before the old one goes, so that a crash in between leaves the log twice, never
    /// not at all; the next start finds the two alike (`load`).
    pub fn swap_in_future(
        &self,
        topic: &str,
        partition: PartitionIndex,
        now: Millis,
    ) -> Result<(LogRef, Option<DirectoryFailure>), LogError> {
        let future = take(&mut self.logs.write().future, topic, partition);
        let Some(future) = future else {
            return Err(LogError::UnknownLog { topic: topic.to_string(), partition });
        };
        let directory = &self.directories[future.directory];
        future.log.write().move_to(&directory.path.join(directory_names::log(topic, partition)))?;
        self.disk().sync_dir(&directory.path).at("sync", &directory.path)?;
        let current = {
            let mut logs = self.logs.write();
            logs.current.entry(topic.into()).or_default().insert(partition, future.clone())
        };
        self.changes.note_all();
        let failure = current.and_then(|current| {
            let error = self.retire(topic, partition, &current, now).err()?;
            Some(DirectoryFailure { directory: self.directories[current.directory].id(), error })
        });
        Ok((future.log, failure))
    }

    /// Removes a partition's log, and its future one. The directory is renamed now and removed after
    /// `file.delete.delay.ms`. Returns whether there was one.
    pub fn delete(&self, topic: &str, partition: PartitionIndex, now: Millis) -> Result<bool, LogError> {
        let future = self.delete_future(topic, partition, now)?;
        let current = take(&mut self.logs.write().current, topic, partition);
        let Some(current) = current else { return Ok(future) };
        self.retire(topic, partition, &current, now)?;
        Ok(true)
    }

    /// Gives up a move to another directory. Returns whether there was one.
    pub fn delete_future(
        &self,
        topic: &str,
        partition: PartitionIndex,
        now: Millis,
    ) -> Result<bool, LogError> {
        let future = take(&mut self.logs.write().future, topic, partition);
        let Some(future) = future else { return Ok(false) };
        self.retire(topic, partition, &future, now)?;
        Ok(true)
    }

    /// Sets the logs aside that are strays: they are loaded, and no topic has them on this node. As in Kafka
    /// their directories are renamed and kept, for whoever knows what they are.
    pub fn set_strays_aside(
        &self,
        is_stray: impl Fn(&str, PartitionIndex, TopicId) -> bool,
    ) -> Vec<DirectoryFailure> {
        let mut failures = Vec::new();
        for future in [false, true] {
            for ((topic, partition), id, log) in self.logs(future) {
                let topic_id = log.read().topic_id();
                if !is_stray(&topic, partition, topic_id) {
                    continue;
                }
                let hosted = {
                    let mut logs = self.logs.write();
                    take(if future { &mut logs.future } else { &mut logs.current }, &topic, partition)
                };
                let Some(hosted) = hosted else { continue };
                if let Err(error) = self.keep_as_stray(&topic, partition, &hosted) {
                    failures.push(DirectoryFailure { directory: id, error });
                }
            }
        }
        failures
    }

    /// Sets the log of a partition aside, which is not that of the topic that has the name now. Its future log
    /// goes.
    pub fn set_aside(&self, topic: &str, partition: PartitionIndex, now: Millis) -> Result<(), LogError> {
        self.delete_future(topic, partition, now)?;
        let current = take(&mut self.logs.write().current, topic, partition);
        current.map_or(Ok(()), |current| self.keep_as_stray(topic, partition, &current))
    }

    fn keep_as_stray(&self, topic: &str, partition: PartitionIndex, hosted: &Hosted) -> Result<(), LogError> {
        let mut log = hosted.log.write();
        let name = |unique| directory_names::stray(topic, partition, unique);
        let path = self.free_path(hosted.directory, log.topic_id(), name);
        log::warn!("no topic has the log {topic}-{partition} here; it is kept as {}", path.display());
        self.directories[hosted.directory].logs.fetch_sub(1, Ordering::Relaxed);
        self.changes.note_all();
        log.move_to(&path)
    }

    pub(crate) fn retire(
        &self,
        topic: &str,
        partition: PartitionIndex,
        hosted: &Hosted,
        now: Millis,
    ) -> Result<(), LogError> {
        let mut log = hosted.log.write();
        let name = |id| directory_names::deleted(topic, partition, id);
        let path = self.free_path(hosted.directory, log.topic_id(), name);
        log.move_to(&path)?;
        self.directories[hosted.directory].logs.fetch_sub(1, Ordering::Relaxed);
        self.changes.note_all();
        let due = now.saturating_add(log.config().file_delete_delay_ms);
        self.removals.lock().push((due, path));
        Ok(())
    }

    /// A path in the directory that is free: `name` is called with one id after another.
    fn free_path(&self, directory: usize, topic_id: TopicId, name: impl Fn(Uuid) -> String) -> PathBuf {
        let mut id = u128::from_be_bytes(topic_id.0);
        loop {
            let path = self.directories[directory].path.join(name(Uuid(id.to_be_bytes())));
            if !self.disk().exists(&path) {
                return path;
            }
            id = id.wrapping_add(1);
        }
    }

    /// Whether the log of a partition that lies in `directory` may be created when it is not found: not while it may
    /// be in a directory that is offline.
    pub fn may_create_in(&self, directory: Uuid) -> bool {
        self.all_online() || self.online_directory(directory).is_ok()
    }

    fn choose_directory(&self, wanted: Option<Uuid>) -> Result<usize, LogError> {
        if let Some(index) = wanted.and_then(|id| self.online_directory(id).ok()) {
            return Ok(index);
        }
        let online = (0..self.directories.len()).filter(|index| self.directories[*index].is_online());
        let fewest = online.min_by_key(|index| self.directories[*index].logs.load(Ordering::Relaxed));
        fewest.ok_or(LogError::DirectoryOffline { directory: wanted.unwrap_or_default() })
    }

    fn online_directory(&self, id: Uuid) -> Result<usize, LogError> {
        let index =
            self.directories.iter().position(|directory| directory.id() == id && directory.is_online());
        index.ok_or(LogError::DirectoryOffline { directory: id })
    }

    /// Takes a directory offline. Its logs are forgotten; returns which partitions had theirs there.
    pub fn take_offline(&self, directory: Uuid, reason: &str) -> Vec<TopicPartition> {
        let Some(index) = self.directories.iter().position(|other| other.id() == directory) else {
            return Vec::new();
        };
        if !self.directories[index].fail(reason) {
            return Vec::new();
        }
        let mut logs = self.logs.write();
        let lost = remove_hosted_in(&mut logs.current, index);
        remove_hosted_in(&mut logs.future, index);
        self.directories[index].logs.store(0, Ordering::Relaxed);
        lost
    }

    /// Id of the directory that a path lies in: where an error of a log has happened.
    pub fn directory_at(&self, path: &Path) -> Option<Uuid> {
        let inside = self.directories.iter().find(|directory| path.starts_with(&directory.path));
        inside.map(LogDirectory::id)
    }

    /// Removes the directories of deleted logs whose time has come.
    pub fn remove_due(&self, now: Millis) -> Vec<DirectoryFailure> {
        let due = {
            let mut removals = self.removals.lock();
            let (due, later): (Vec<_>, Vec<_>) = removals.drain(..).partition(|(due, _)| *due <= now);
            *removals = later;
            due
        };
        let mut failures = Vec::new();
        for (_, path) in due {
            match self.disk().remove_dir_all(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    let directory = self.directory_at(&path).unwrap_or_default();
                    let error = LogError::Storage { action: "remove", path, source: error };
                    failures.push(DirectoryFailure { directory, error });
                }
                _ => {}
            }
        }
        failures
    }
}

impl Log {
    /// Moves the log's directory. Readers go on: what is open stays open, the rest is opened at the new place.
    pub(crate) fn move_to(&mut self, path: &Path) -> Result<(), LogError> {
        self.disturb_cleaning()?;
        self.place.disk().rename(&self.place.dir, path).at("rename", &self.place.dir)?;
        self.place.dir = path.into();
        Ok(())
    }
}

fn find<'a>(logs: &'a LogMap, topic: &str, partition: PartitionIndex) -> Option<&'a Hosted> {
    logs.get(topic)?.get(&partition)
}

fn take(logs: &mut LogMap, topic: &str, partition: PartitionIndex) -> Option<Hosted> {
    let partitions = logs.get_mut(topic)?;
    let hosted = partitions.remove(&partition);
    if partitions.is_empty() {
        logs.remove(topic);
    }
    hosted
}

fn remove_hosted_in(logs: &mut LogMap, directory: usize) -> Vec<TopicPartition> {
    let mut removed = Vec::new();
    for (topic, partitions) in logs.iter_mut() {
        partitions.retain(|partition, hosted| {
            let keep = hosted.directory != directory;
            if !keep {
                removed.push((topic.clone(), *partition));
            }
            keep
        });
    }
    logs.retain(|_, partitions| !partitions.is_empty());
    removed
}
