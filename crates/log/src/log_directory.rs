//! One directory of `log.dirs`: whose it is, whether it works, how it was left.
//!
//! Always true: a directory that has failed stays offline until it takes writes again (`reopen`), and whatever was
//! in it counts as left by a crash. One that could not be read at the start is opened when it can be.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use barnabas_disk::{Disk, Lock};
use barnabas_protocol::{NodeId, PartitionIndex, Uuid};
use parking_lot::Mutex;

use crate::checkpoints::{
    self, Offsets, CLEANER_OFFSETS, HIGH_WATERMARKS, LOG_START_OFFSETS, RECOVERY_POINTS,
};
use crate::error::{At, LogError};
use crate::meta_properties::{DirectoryError, MetaProperties, META_PROPERTIES};

/// Kept locked while a node uses the directory.
pub const LOCK: &str = ".lock";
/// Written to see whether a directory that has failed works again.
const PROBE: &str = ".probe";
/// Enough for the file system to need new blocks.
const PROBE_BYTES: usize = 64 * 1024;
/// Written when a node has stopped as it should, removed when it starts.
const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";

/// One directory of `log.dirs`.
#[derive(Debug)]
pub(crate) struct LogDirectory {
    pub(crate) path: PathBuf,
    /// Empty while the directory could not be read.
    found: OnceLock<Found>,
    state: Mutex<State>,
    /// Number of logs in it, future ones included.
    pub(crate) logs: AtomicUsize,
    /// Whether it has failed and come back since.
    came_back: AtomicBool,
}

/// What a directory said of itself when it was opened.
#[derive(Debug)]
struct Found {
    id: Uuid,
    /// Set when the node that used the directory last has stopped as it should.
    clean_shutdown: Option<CleanShutdown>,
}

#[derive(Debug)]
struct State {
    /// Why the directory failed.
    offline: Option<String>,
    lock: Option<Box<dyn Lock>>,
    /// What the checkpoints hold, as far as that is known.
    written: [Option<Arc<Offsets>>; 4],
}

/// What a node says when it stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CleanShutdown {
    /// Epoch of the broker's registration, -1 if it had none.
    pub(crate) broker_epoch: i64,
}

/// The checkpoint files of a directory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Checkpoint {
    RecoveryPoints,
    LogStartOffsets,
    HighWatermarks,
    CleanerOffsets,
}

impl Checkpoint {
    fn name(self) -> &'static str {
        match self {
            Self::RecoveryPoints => RECOVERY_POINTS,
            Self::LogStartOffsets => LOG_START_OFFSETS,
            Self::HighWatermarks => HIGH_WATERMARKS,
            Self::CleanerOffsets => CLEANER_OFFSETS,
        }
    }
}

impl LogDirectory {
    /// Locks the directory, unless it is `held` already, and checks whose it is. A disk that fails gives a
    /// directory that is offline.
    pub(crate) fn open(
        disk: &dyn Disk,
        path: &Path,
        cluster_id: &str,
        node_id: NodeId,
        held: Option<Box<dyn Lock>>,
        others: &[LogDirectory],
    ) -> Result<Self, DirectoryError> {
        let directory = Self {
            path: path.to_path_buf(),
            found: OnceLock::new(),
            state: Mutex::new(State { offline: None, lock: held, written: Default::default() }),
            logs: AtomicUsize::new(0),
            came_back: AtomicBool::new(false),
        };
        match directory.take(disk, cluster_id, node_id, others) {
            Err(DirectoryError::Log(error)) if error.is_storage_failure() => {
                log::error!("log directory {} is offline: {error}", path.display());
                let mut state = directory.state.lock();
                (state.offline, state.lock) = (Some(error.to_string()), None);
            }
            taken => taken?,
        }
        Ok(directory)
    }

    /// Checks whose the directory is, and that it is none of the `others`, and locks it.
    fn take(
        &self,
        disk: &dyn Disk,
        cluster_id: &str,
        node_id: NodeId,
        others: &[LogDirectory],
    ) -> Result<(), DirectoryError> {
        let path = || self.path.clone();
        let Some(meta) = MetaProperties::read(disk, &self.path)? else {
            return Err(DirectoryError::NotFormatted { path: path() });
        };
        if meta.cluster_id != cluster_id {
            let (found, expected) = (meta.cluster_id, cluster_id.to_string());
            return Err(DirectoryError::ClusterId { path: path(), found, expected });
        }
        if meta.node_id != node_id {
            let (found, expected) = (meta.node_id, node_id);
            return Err(DirectoryError::NodeId { path: path(), found, expected });
        }
        let id = meta.directory_id;
        if let Some(other) = others.iter().find(|other| other.path != self.path && other.id() == id) {
            return Err(DirectoryError::DuplicateId { first: other.path.clone(), second: path() });
        }
        let mut state = self.state.lock();
        if state.lock.is_none() {
            state.lock = Some(lock(disk, &self.path)?);
        }
        let clean_shutdown = read_clean_shutdown(disk, &self.path.join(CLEAN_SHUTDOWN))?;
        self.found.get_or_init(|| Found { id, clean_shutdown });
        Ok(())
    }

    /// Its id; zero while that is not known.
    pub(crate) fn id(&self) -> Uuid {
        self.found.get().map_or(Uuid::ZERO, |found| found.id)
    }

    /// What the node said that used the directory last, if it has stopped as it should.
    pub(crate) fn clean_shutdown(&self) -> Option<CleanShutdown> {
        self.found.get().and_then(|found| found.clean_shutdown)
    }

    pub(crate) fn offline(&self) -> Option<String> {
        self.state.lock().offline.clone()
    }

    pub(crate) fn is_online(&self) -> bool {
        self.state.lock().offline.is_none()
    }

    /// Refuses to go on where none of the directories is left.
    pub(crate) fn check_any_online(directories: &[LogDirectory]) -> Result<(), DirectoryError> {
        if directories.iter().any(LogDirectory::is_online) {
            return Ok(());
        }
        let reason = directories.last().and_then(LogDirectory::offline).unwrap_or_default();
        Err(DirectoryError::AllOffline { reason })
    }

    /// Takes the directory offline. Returns false when it was already.
    pub(crate) fn fail(&self, reason: &str) -> bool {
        let mut state = self.state.lock();
        let first = state.offline.is_none();
        if first {
            log::error!("log directory {} goes offline: {reason}", self.path.display());
            state.offline = Some(reason.to_string());
        }
        first
    }

    /// Whether the logs were closed as they should when the directory was last in use.
    pub(crate) fn was_left_clean(&self) -> bool {
        self.clean_shutdown().is_some() && !self.has_come_back()
    }

    /// Whether the directory has failed and come back: what was not synced may be in the page cache alone.
    pub(crate) fn has_come_back(&self) -> bool {
        self.came_back.load(Ordering::Relaxed)
    }

    /// Brings a directory that is offline back if it works again. One that could not be read until now is opened as
    /// at a start; where it is not to be used, it stays offline for that reason.
    pub(crate) fn reopen(
        &self,
        disk: &dyn Disk,
        cluster_id: &str,
        node_id: NodeId,
        others: &[LogDirectory],
    ) -> bool {
        let was_open = self.found.get().is_some();
        if !was_open {
            if let Err(error) = self.take(disk, cluster_id, node_id, others) {
                self.stay_offline(error.to_string());
                return false;
            }
        }
        if !self.takes_writes(disk) {
            return false;
        }
        let mut state = self.state.lock();
        self.came_back.fetch_or(was_open, Ordering::Relaxed);
        (state.offline, state.written) = (None, Default::default());
        true
    }

    /// Tells why, unless that was told already.
    fn stay_offline(&self, reason: String) {
        let mut state = self.state.lock();
        if state.offline.as_ref() != Some(&reason) {
            log::error!("log directory {} stays offline: {reason}", self.path.display());
            state.offline = Some(reason);
        }
    }

    /// As far as some bytes tell.
    fn takes_writes(&self, disk: &dyn Disk) -> bool {
        let path = self.path.join(PROBE);
        let written = disk.write_atomic(&path, &[0; PROBE_BYTES]);
        let removed = disk.remove_file(&path);
        written.is_ok() && removed.is_ok() && disk.exists(&self.path.join(META_PROPERTIES))
    }

    /// Offsets as they were written last; a damaged file counts as empty, which costs time and no data.
    pub(crate) fn read_checkpoint(
        &self,
        disk: &dyn Disk,
        which: Checkpoint,
    ) -> Result<Arc<Offsets>, LogError> {
        match checkpoints::read_offsets(disk, &self.path.join(which.name())) {
            Err(error @ LogError::Corrupt { .. }) => {
                log::warn!("{error}; going on without it");
                Ok(Arc::default())
            }
            Ok(offsets) => {
                let offsets = Arc::new(offsets);
                self.state.lock().written[which as usize] = Some(offsets.clone());
                Ok(offsets)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a checkpoint says something of a partition. What it says of one that is gone must not be taken
    /// for a new log of the same name.
    pub(crate) fn knows(&self, topic: &str, partition: PartitionIndex) -> bool {
        self.state.lock().written.iter().flatten().any(|offsets| offsets.get(topic, partition).is_some())
    }

    /// Writes offsets, unless they are as they were written last.
    pub(crate) fn write_checkpoint(
        &self,
        disk: &dyn Disk,
        which: Checkpoint,
        offsets: Offsets,
    ) -> Result<(), LogError> {
        let mut state = self.state.lock();
        if state.offline.is_some() || state.written[which as usize].as_deref() == Some(&offsets) {
            return Ok(());
        }
        checkpoints::write_offsets(disk, &self.path.join(which.name()), &offsets)?;
        state.written[which as usize] = Some(Arc::new(offsets));
        Ok(())
    }

    /// From now on a stop counts as unclean until `mark_clean`.
    pub(crate) fn mark_in_use(&self, disk: &dyn Disk) -> Result<(), LogError> {
        let path = self.path.join(CLEAN_SHUTDOWN);
        match disk.remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error).at("remove", &path),
            _ => disk.sync_dir(&self.path).at("sync", &self.path),
        }
    }

    /// All logs of the directory are closed: says so for the next start, and lets go of the lock.
    pub(crate) fn mark_clean(&self, disk: &dyn Disk, broker_epoch: i64) -> Result<(), LogError> {
        let path = self.path.join(CLEAN_SHUTDOWN);
        let text = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
        disk.write_atomic(&path, text.as_bytes()).at("write", &path)?;
        self.state.lock().lock.take();
        Ok(())
    }
}

/// Takes a log directory for this process.
pub fn lock(disk: &dyn Disk, path: &Path) -> Result<Box<dyn Lock>, DirectoryError> {
    let file = path.join(LOCK);
    disk.lock(&file).map_err(|source| match source.kind() {
        ErrorKind::WouldBlock => DirectoryError::InUse { path: path.to_path_buf() },
        _ => LogError::Storage { action: "lock", path: file, source }.into(),
    })
}

fn read_clean_shutdown(disk: &dyn Disk, path: &Path) -> Result<Option<CleanShutdown>, LogError> {
    let bytes = match disk.read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).at("read", path),
    };
    // Releases before 3.8 left the file empty.
    let text = String::from_utf8_lossy(&bytes);
    let epoch = text.split_once("\"brokerEpoch\":").and_then(|(_, rest)| {
        let end = rest.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    });
    Ok(Some(CleanShutdown { broker_epoch: epoch.unwrap_or(-1) }))
}
