//! Log directories: what lies where, and moves between them.
//!
//! A move is a second log, in the other directory, that is filled from the first. When it has everything, the
//! partition's role is locked, the last bytes are copied and the second takes the first one's place.

use std::path::Path;
use std::sync::Arc;

use barnabas_log::{Durability, LogError, LogRef};
use barnabas_protocol::{Millis, Offset, PartitionIndex, Uuid};

use crate::broker::{Broker, Effect};
use crate::error_code;
use crate::partition::Partition;
use crate::read::log_error_code;
use crate::waiters::Move;

/// Bytes that a move copies before the next move gets its turn.
const COPY_BYTES: usize = 1 << 20;
/// Bytes that all moves together copy in one tick.
const COPY_BYTES_PER_TICK: usize = 32 << 20;

/// A log in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaInfo {
    /// Its topic.
    pub topic: Arc<str>,
    /// Its partition.
    pub index: PartitionIndex,
    /// Bytes of its segments.
    pub size: u64,
    /// How far it lies behind: behind the high watermark, or a future log behind the current one.
    pub offset_lag: i64,
    /// Whether it is being filled to replace the current log.
    pub is_future: bool,
}

/// A log directory as DescribeLogDirs tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDirInfo {
    /// Its path.
    pub path: String,
    /// Its id.
    pub id: Uuid,
    /// NONE, or KAFKA_STORAGE_ERROR when it is offline.
    pub error_code: i16,
    /// Bytes of the volume, -1 when not known.
    pub total_bytes: i64,
    /// Bytes that may still be used, -1 when not known.
    pub usable_bytes: i64,
    /// What lies in it, by topic and partition.
    pub replicas: Vec<ReplicaInfo>,
}

/// What is added to a partition's name while its log moves: a dot, an id of 32 digits and `-future`.
const FUTURE_SUFFIX_LENGTH: usize = 40;
/// Longest name in a file system.
const DIRECTORY_NAME_LENGTH_MAX: usize = 255;

impl Broker {
    /// All log directories.
    pub fn log_dirs(&self) -> Vec<LogDirInfo> {
        let (current, future) = (self.logs.logs(false), self.logs.logs(true));
        let all =
            current.into_iter().map(|row| (row, false)).chain(future.into_iter().map(|row| (row, true)));
        let mut replicas: Vec<(Uuid, ReplicaInfo)> = all
            .map(|(((topic, index), directory, log), is_future)| {
                let (size, end, high_watermark) = {
                    let log = log.read();
                    (log.size(), log.log_end_offset(), log.high_watermark())
                };
                let ahead = match is_future {
                    true => self.logs.log(&topic, index).map_or(end, |log| log.read().log_end_offset()),
                    false => high_watermark,
                };
                let offset_lag = (ahead - end).max(0);
                (directory, ReplicaInfo { topic, index, size, offset_lag, is_future })
            })
            .collect();
        replicas.sort_by(|(_, a), (_, b)| (&a.topic, a.index).cmp(&(&b.topic, b.index)));
        let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let directories = self.logs.directories().into_iter().map(|directory| LogDirInfo {
            path: directory.path.display().to_string(),
            id: directory.id,
            error_code: match directory.offline {
                None => error_code::NONE,
                Some(_) => error_code::KAFKA_STORAGE_ERROR,
            },
            total_bytes: directory.space.map_or(-1, |space| bytes(space.total)),
            usable_bytes: directory.space.map_or(-1, |space| bytes(space.usable)),
            replicas: replicas
                .iter()
                .filter(|(id, _)| *id == directory.id)
                .map(|(_, replica)| replica.clone())
                .collect(),
        });
        directories.collect()
    }

    /// Begins to move a replica to the directory `path`, or ends a move when it lies there already. Returns an
    /// error code. `tick` does the copying.
    pub fn alter_replica_log_dir(&self, path: &str, topic: &str, index: PartitionIndex, now: Millis) -> i16 {
        if format!("{topic}-{index}").len() + FUTURE_SUFFIX_LENGTH > DIRECTORY_NAME_LENGTH_MAX {
            return error_code::INVALID_TOPIC_EXCEPTION;
        }
        let directories = self.logs.directories();
        let Some(directory) = directories.iter().find(|directory| directory.path == Path::new(path)) else {
            return error_code::LOG_DIR_NOT_FOUND;
        };
        if directory.offline.is_some() {
            return error_code::KAFKA_STORAGE_ERROR;
        }
        let partition = match self.partition_by_name(&self.image(), topic, index) {
            Ok(partition) => partition,
            Err(error) => return error,
        };
        match self.begin_move(&partition, directory.id, now) {
            Ok(()) => error_code::NONE,
            Err(error) => {
                log::error!("{partition:?} can't move to {path}: {error}");
                log_error_code(&error)
            }
        }
    }

    fn begin_move(&self, partition: &Partition, directory: Uuid, now: Millis) -> Result<(), LogError> {
        let (topic, index) = (&*partition.topic, partition.index);
        if let Some(future) = self.logs.future_log(topic, index) {
            let there = self.logs.directory_at(future.read().dir()) == Some(directory);
            if there {
                return Ok(());
            }
            self.logs.delete_future(topic, index, now)?;
        }
        if self.logs.directory_of(topic, index) != Some(directory) {
            self.logs.create_future(topic, index, directory, now)?;
        }
        Ok(())
    }

    /// Copies for replicas on the move. Returns whether there is more to copy at once.
    pub(crate) fn move_replicas(&self, now: Millis) -> bool {
        let moves = self.logs.logs(true);
        if moves.is_empty() {
            return false;
        }
        let (mut copied, mut more) = (0, true);
        while more && copied < COPY_BYTES_PER_TICK {
            more = false;
            for ((topic, index), _, future) in &moves {
                let Ok(partition) = self.partition_by_name(&self.image(), topic, *index) else { continue };
                if self.logs.future_log(topic, *index).is_none_or(|log| !Arc::ptr_eq(&log, future)) {
                    continue;
                }
                match self.move_some(&partition, future, now) {
                    Ok(0) => {}
                    Ok(bytes) => {
                        copied += bytes;
                        more = true;
                    }
                    Err(error) => self.move_failed(&partition, future, &error, now),
                }
            }
        }
        more
    }

    /// Copies a part of one log, or finishes the move. Returns the bytes copied.
    fn move_some(&self, partition: &Partition, future: &LogRef, now: Millis) -> Result<usize, LogError> {
        let bytes = copy(&partition.log.load(), future, now)?;
        if bytes > 0 {
            return Ok(bytes);
        }
        let durable = partition.config.load().log.durability == Durability::Fsync;
        if durable {
            flush(future, now)?; // Most of it before anybody has to wait.
        }
        // No append can come in between while the role is held.
        let role = partition.role.write();
        while copy(&partition.log.load(), future, now)? > 0 {}
        let (high_watermark, recovered) = {
            let current = partition.log.load();
            let current = current.read();
            (current.high_watermark(), current.leader_epochs().clone())
        };
        {
            let mut future = future.write();
            for entry in recovered.entries() {
                future.assign_epoch(entry.epoch, entry.start_offset)?;
            }
            future.update_high_watermark(high_watermark);
        }
        if durable {
            flush(future, now)?; // What was acknowledged must be on this disk before it goes from the other.
        }
        let (log, failure) = self.logs.swap_in_future(&partition.topic, partition.index, now)?;
        partition.log.store(log);
        drop(role);
        self.note_failures(failure.into_iter().collect());
        partition.waiters.moved(Move::EVERYTHING);
        if let Some(directory) = self.logs.directory_of(&partition.topic, partition.index) {
            let (topic_id, index) = (partition.topic_id, partition.index);
            self.effects.lock().push(Effect::AssignDirectory { topic_id, index, directory });
        }
        Ok(0)
    }

    fn move_failed(&self, partition: &Partition, future: &LogRef, error: &LogError, now: Millis) {
        log::error!("{partition:?} can't be moved: {error}");
        let directory = match error {
            LogError::Storage { path, .. } => self.logs.directory_at(path),
            _ => None,
        };
        match directory {
            Some(directory) => self.fail_directory(directory, error),
            None => {
                // Not the disk: the copy is given up, the log stays where it is.
                log::warn!("{} is given up", future.read().dir().display());
                if let Err(error) = self.logs.delete_future(&partition.topic, partition.index, now) {
                    log::error!("{partition:?}: the unfinished copy can't be removed: {error}");
                }
            }
        }
    }
}

fn flush(log: &LogRef, now: Millis) -> Result<(), LogError> {
    let mut log = log.write();
    let end = log.log_end_offset();
    log.flush(end, now)
}

/// Copies whole batches from one log to the end of the other. Returns how many bytes.
fn copy(current: &LogRef, future: &LogRef, now: Millis) -> Result<usize, LogError> {
    let from: Offset = future.read().log_end_offset();
    let (start, slice) = {
        let current = current.read();
        let start = current.log_start_offset();
        if from < start {
            (start, None)
        } else if from >= current.log_end_offset() {
            return Ok(0);
        } else {
            (start, current.read(from, COPY_BYTES, current.log_end_offset(), true)?.slice)
        }
    };
    if from < start {
        // Retention was faster.
        future.write().truncate_fully_and_start_at(start, now)?;
        return copy(current, future, now);
    }
    let Some(slice) = slice else { return Ok(0) };
    let path = current.read().dir().to_path_buf();
    let bytes = slice.read().map_err(|source| LogError::Storage { action: "read", path, source })?;
    let whole = whole_batches(&bytes);
    let appended = future.write().append_as_follower(&bytes[..whole], now);
    match appended {
        Ok(_) => Ok(whole),
        Err(barnabas_log::AppendError::Log(error)) => Err(error),
        Err(error) => {
            let path = future.read().dir().to_path_buf();
            Err(LogError::Corrupt { path, position: 0, reason: error.to_string() })
        }
    }
}

/// Length of the batches that are whole.
fn whole_batches(bytes: &[u8]) -> usize {
    let mut batches = barnabas_protocol::batch::batches(bytes);
    while batches.next().is_some_and(|batch| batch.is_ok()) {}
    batches.position()
}
