//! A log with its cleaner on a simulated disk, and the log as it ought to be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;

use barnabas_disk::sim::SimDisk;
use barnabas_disk::{Disk, Lock};
use barnabas_log::{
    AppendBatch, AppendError, CleanerHost, CleanerSettings, LogCleaner, LogConfig, LogError, LogManager,
    LogManagerSettings, LogRef, MetaProperties,
};
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::control::ControlRecordType;
use barnabas_protocol::Uuid;
use parking_lot::Mutex;

pub(crate) const ROOT: &str = "/data";
pub(crate) const LOG_DIR: &str = "/data/topic-0";
const TOPIC_ID: Uuid = Uuid([5; 16]);

/// A record as it was written; `value` is the only one of its kind, or none for a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: u8,
    pub(crate) value: Option<Vec<u8>>,
}

/// A batch as it was written.
#[derive(Debug, Clone)]
pub(crate) struct ModelBatch {
    pub(crate) base_offset: i64,
    pub(crate) records: Vec<Written>,
    /// Producer and epoch; -1 for none.
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) last_sequence: i32,
    pub(crate) transactional: bool,
    /// The marker that it is: whether it commits.
    pub(crate) marker: Option<bool>,
}

impl ModelBatch {
    pub(crate) fn next_offset(&self) -> i64 {
        self.base_offset + self.records.len().max(1) as i64
    }
}

/// Who writes: 0 is nobody in particular, 1 idempotent, the others transactional.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Writer {
    pub(crate) epoch: i16,
    pub(crate) next_sequence: i32,
    pub(crate) open: bool,
}

/// Does something in the middle of a pass.
pub(crate) type Disturbance = Box<dyn FnOnce() + Send>;

/// Runs the cleaner on the test's own thread.
pub(crate) struct Host {
    pub(crate) now: AtomicI64,
    /// To be done after so many calls of `pace`.
    pub(crate) disturbance: Mutex<Option<(u64, Disturbance)>>,
    pub(crate) stop_after: AtomicI64,
}

impl CleanerHost for Host {
    fn now(&self) -> i64 {
        self.now.load(Ordering::Relaxed)
    }

    fn pace(&self, _bytes: u64) -> bool {
        let mut disturbance = self.disturbance.lock();
        match disturbance.take() {
            Some((0, act)) => act(),
            Some((calls, act)) => *disturbance = Some((calls - 1, act)),
            None => {}
        }
        self.stop_after.fetch_sub(1, Ordering::Relaxed) > 0
    }

    fn in_background(&self, work: &mut (dyn FnMut() + Send)) {
        work();
    }
}

/// A log, its cleaner, and what is known of it.
pub(crate) struct Harness {
    pub(crate) disk: SimDisk,
    pub(crate) config: Arc<LogConfig>,
    pub(crate) manager: Arc<LogManager>,
    pub(crate) cleaner: LogCleaner,
    pub(crate) settings: CleanerSettings,
    pub(crate) host: Arc<Host>,
    pub(crate) batches: Vec<ModelBatch>,
    pub(crate) writers: [Writer; 4],
    pub(crate) values: u32,
    /// The log goes on from here at least, though the batches below may be lost.
    pub(crate) next_offset: i64,
}

impl Harness {
    pub(crate) fn new(seed: u64, config: LogConfig, dedupe_buffer_bytes: usize) -> Harness {
        let disk = SimDisk::new(seed);
        let meta = MetaProperties { cluster_id: "cluster".into(), node_id: 1, directory_id: Uuid([1; 16]) };
        disk.create_dir_all_synced(Path::new(ROOT)).unwrap();
        meta.write(&disk, Path::new(ROOT)).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        let config = Arc::new(config);
        let manager = load(&disk, &config, 0).unwrap();
        let host = Host {
            now: AtomicI64::new(1_000),
            disturbance: Mutex::default(),
            stop_after: AtomicI64::new(i64::MAX),
        };
        let settings = CleanerSettings {
            dedupe_buffer_bytes,
            load_factor: 0.9,
            io_buffer_bytes: 256,
            hash_key: [seed, !seed],
        };
        let cleaner = LogCleaner::new(manager.clone());
        let harness = Harness {
            disk,
            config,
            manager,
            cleaner,
            settings,
            host: Arc::new(host),
            batches: Vec::new(),
            writers: Default::default(),
            values: 0,
            next_offset: 0,
        };
        // The topic is there before anything fails.
        let log = harness.log();
        log.write().flush(0, 0).unwrap();
        for directory in [ROOT, LOG_DIR] {
            harness.disk.sync_dir(Path::new(directory)).unwrap();
        }
        assert!(harness.checkpoint().is_ok());
        harness
    }

    pub(crate) fn now(&self) -> i64 {
        self.host.now.load(Ordering::Relaxed)
    }

    pub(crate) fn log(&self) -> LogRef {
        let config = self.config.clone();
        self.manager.get_or_create("topic", 0, TOPIC_ID, config, None, self.now()).unwrap()
    }

    pub(crate) fn end(&self) -> i64 {
        self.batches.last().map_or(0, ModelBatch::next_offset).max(self.next_offset)
    }

    /// Everything is on this node alone: the high watermark is the end, once that is on disk if `durably`.
    pub(crate) fn commit(&self, durably: bool) -> Result<(), LogError> {
        if durably {
            self.flush()?;
        }
        let log = self.log();
        let mut log = log.write();
        let end = log.log_end_offset();
        log.update_high_watermark(end);
        Ok(())
    }

    /// The next batch of a writer, and the model's idea of it.
    pub(crate) fn build(&mut self, writer: usize, records: &[(u8, Option<u8>)]) -> (Vec<u8>, ModelBatch) {
        let state = self.writers[writer];
        let (base_offset, now) = (self.end(), self.now());
        let known = writer > 0;
        let config = BuilderConfig {
            base_offset,
            leader_epoch: 0,
            producer_id: if known { writer as i64 } else { -1 },
            producer_epoch: if known { state.epoch } else { -1 },
            base_sequence: if known { state.next_sequence } else { -1 },
            transactional: writer > 1,
            ..BuilderConfig::default()
        };
        let mut builder = BatchBuilder::new(config);
        let mut written = Vec::new();
        for (index, (key, size)) in records.iter().enumerate() {
            self.values += 1;
            let value = size.map(|size| {
                let mut value = self.values.to_be_bytes().to_vec();
                value.resize(4 + size as usize, 0);
                value
            });
            builder.append(now, Some(&[*key]), value.as_deref(), &[]).unwrap();
            let offset = base_offset + index as i64;
            written.push(Written { offset, timestamp: now, key: *key, value });
        }
        let last_sequence = state.next_sequence + records.len() as i32 - 1;
        let batch = ModelBatch {
            base_offset,
            records: written,
            producer_id: config.producer_id,
            epoch: config.producer_epoch,
            last_sequence: if known { last_sequence } else { -1 },
            transactional: config.transactional,
            marker: None,
        };
        (builder.finish().unwrap(), batch)
    }

    /// The end of a writer's transaction.
    pub(crate) fn build_marker(&mut self, writer: usize, commits: bool) -> (Vec<u8>, ModelBatch) {
        let kind = if commits { ControlRecordType::Commit } else { ControlRecordType::Abort };
        let (base_offset, epoch) = (self.end(), self.writers[writer].epoch);
        let mut builder = BatchBuilder::new(BuilderConfig {
            base_offset,
            leader_epoch: 0,
            producer_id: writer as i64,
            producer_epoch: epoch,
            transactional: true,
            control: true,
            ..BuilderConfig::default()
        });
        builder.append(self.now(), Some(&kind.key()), Some(&[0, 0, 0, 0, 0, 0]), &[]).unwrap();
        let batch = ModelBatch {
            base_offset,
            records: Vec::new(),
            producer_id: writer as i64,
            epoch,
            last_sequence: -1,
            transactional: true,
            marker: Some(commits),
        };
        (builder.finish().unwrap(), batch)
    }

    /// Writes a batch; the model has it from then on, whether it succeeds or not.
    pub(crate) fn append(&mut self, bytes: &[u8], batch: ModelBatch) -> Result<(), LogError> {
        self.batches.push(batch);
        let appended = append(&self.log(), bytes, self.now());
        self.recount();
        appended
    }

    /// What writers go on from, as the batches say it.
    pub(crate) fn recount(&mut self) {
        self.writers = Default::default();
        for batch in self.batches.iter().filter(|batch| batch.producer_id > 0) {
            let writer = &mut self.writers[batch.producer_id as usize];
            if batch.epoch > writer.epoch {
                *writer = Writer { epoch: batch.epoch, ..Writer::default() };
            }
            match batch.marker {
                Some(_) => writer.open = false,
                None => {
                    writer.open |= batch.transactional;
                    writer.next_sequence = batch.last_sequence + 1;
                }
            }
        }
    }

    pub(crate) fn checkpoint(&self) -> Result<(), LogError> {
        let mut failures = self.manager.checkpoint_offsets();
        failures.extend(self.manager.checkpoint_high_watermarks());
        match failures.pop() {
            Some(failure) => Err(failure.error),
            None => Ok(()),
        }
    }

    /// Syncs everything.
    pub(crate) fn flush(&self) -> Result<(), LogError> {
        let log = self.log();
        let mut log = log.write();
        let end = log.log_end_offset();
        log.flush(end, self.now())
    }

    /// Lets the cleaner look once. Returns whether it went through the log.
    pub(crate) fn compact(&self) -> Result<bool, LogError> {
        let mut round = self.cleaner.run_once(&self.settings, &*self.host);
        assert_eq!(self.cleaner.uncleanable(), []);
        match round.failures.pop() {
            Some(failure) => Err(failure.error),
            None => Ok(round.cleaned),
        }
    }

    /// The node stops as it should.
    pub(crate) fn stop(&self) -> Result<(), LogError> {
        match self.manager.shut_down(1, self.now()).pop() {
            Some(failure) => Err(failure.error),
            None => Ok(()),
        }
    }

    /// The node starts again on what the disk holds.
    pub(crate) fn restart(&mut self) -> Result<(), LogError> {
        self.manager = load(&self.disk, &self.config, self.now())?;
        self.cleaner = LogCleaner::new(self.manager.clone());
        Ok(())
    }

    /// Whether the disk still answers.
    pub(crate) fn is_powered(&self) -> bool {
        self.disk.read(&Path::new(ROOT).join("meta.properties")).is_ok()
    }

    /// Names of the files of the log, with their lengths.
    pub(crate) fn files(&self) -> BTreeMap<String, u64> {
        let dir = Path::new(LOG_DIR);
        let names = self.disk.list(dir).unwrap().into_iter().map(|entry| entry.name);
        names.map(|name| (name.clone(), self.disk.file_len(&dir.join(name)).unwrap())).collect()
    }
}

pub(crate) fn append(log: &LogRef, bytes: &[u8], now: i64) -> Result<(), LogError> {
    let batch = AppendBatch::from_bytes(bytes).unwrap();
    match log.write().append_as_leader(&[batch], now) {
        Ok(_) => Ok(()),
        Err(AppendError::Log(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

/// The process that had the lock is dead.
#[derive(Debug)]
struct NoLock;

impl Lock for NoLock {}

fn load(disk: &SimDisk, config: &Arc<LogConfig>, now: i64) -> Result<Arc<LogManager>, LogError> {
    let held: Box<dyn Lock> = Box::new(NoLock);
    let held = BTreeMap::from([(PathBuf::from(ROOT), held)]);
    let settings = LogManagerSettings { open_files_max: 3, ..LogManagerSettings::new("cluster", 1) };
    let paths = [PathBuf::from(ROOT)];
    let opened = LogManager::open(Arc::new(disk.clone()), &paths, settings, held);
    let failed = || LogError::Storage {
        action: "open",
        path: ROOT.into(),
        source: std::io::Error::other("the power has failed"),
    };
    let manager = opened.map_err(|_| failed())?;
    manager.load(&|_| config.clone(), now, &|_| ()).unwrap();
    match manager.directories()[0].offline {
        Some(_) => Err(failed()),
        None => Ok(Arc::new(manager)),
    }
}
