//! Compacts what Apache Kafka has compacted, and compares every file. `tests/conformance/log` makes the
//! directories and runs this test: `KAFKA_COMPACTION_DIRECTORY` holds copies of a node's directory before and
//! after Kafka's cleaner has gone through its logs, twice.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barnabas_disk::{Disk, MemoryDisk, Open, OsDisk};
use barnabas_log::{
    checkpoints, CleanerHost, CleanerSettings, LogCleaner, LogConfig, LogManager, LogManagerSettings,
    MetaProperties,
};
use barnabas_protocol::batch::{batches, Batch};

/// Topics, and whether what is written anew has Kafka's bytes: those of a codec depend on its library.
const TOPICS: [(&str, bool); 6] =
    [("none", true), ("txn", true), ("lz4", true), ("snappy", false), ("gzip", false), ("zstd", false)];
const DELETE_RETENTION_MS: i64 = 1;

fn config() -> Arc<LogConfig> {
    Arc::new(LogConfig {
        compact: true,
        delete: false,
        segment_bytes: 40_000,
        index_interval_bytes: 500,
        min_cleanable_dirty_ratio: 0.01,
        delete_retention_ms: DELETE_RETENTION_MS,
        file_delete_delay_ms: 0,
        ..LogConfig::default()
    })
}

struct Host {
    now: i64,
}

impl CleanerHost for Host {
    fn now(&self) -> i64 {
        self.now
    }

    fn pace(&self, _bytes: u64) -> bool {
        true
    }

    fn in_background(&self, work: &mut (dyn FnMut() + Send)) {
        work();
    }
}

type Files = BTreeMap<String, Vec<u8>>;

fn files(disk: &dyn Disk, directory: &Path) -> Files {
    let entries = disk.list(directory).unwrap().into_iter().filter(|entry| !entry.is_directory);
    let names = entries.map(|entry| entry.name).filter(|name| !name.ends_with(".deleted"));
    names.map(|name| (name.clone(), disk.read(&directory.join(&name)).unwrap())).collect()
}

fn delete_horizons(files: &Files) -> BTreeSet<i64> {
    let logs = files.iter().filter(|(name, _)| name.ends_with(".log"));
    logs.flat_map(|(_, bytes)| batches(bytes))
        .filter_map(|batch| batch.unwrap().header.delete_horizon_ms())
        .collect()
}

/// Copies one log and what the node says of it into memory.
fn copy(root: &Path, topic: &str) -> (MemoryDisk, PathBuf) {
    let (disk, to) = (MemoryDisk::new(), PathBuf::from("/data"));
    let log = format!("{topic}-0");
    for from in [PathBuf::new(), PathBuf::from(&log)] {
        disk.create_dir_all(&to.join(&from)).unwrap();
        for (name, content) in files(&OsDisk::new(), &root.join(&from)) {
            let file = disk.open(&to.join(&from).join(&name), Open::Create).unwrap();
            file.write_all_at(&content, 0).unwrap();
        }
    }
    (disk, to)
}

/// Header and records of each batch, without what a codec's library decides.
fn meaning(bytes: &[u8]) -> Vec<String> {
    let describe = |batch: Batch<'_>| {
        assert!(batch.crc_is_valid());
        let header = barnabas_protocol::batch::BatchHeader { batch_length: 0, crc: 0, ..batch.header };
        let records = batch.records(1 << 24).unwrap();
        let records: Vec<_> = records.iter().map(|record| format!("{:?}", record.unwrap())).collect();
        format!("{header:?} {records:?}")
    };
    batches(bytes).map(|batch| describe(batch.unwrap())).collect()
}

fn compare(topic: &str, stage: u32, ours: &Files, theirs: &Files, bytes_equal: bool) {
    let kinds = ["log", "index", "timeindex", "txnindex", "snapshot"];
    let relevant = |name: &&String| {
        kinds.iter().any(|kind| name.ends_with(&format!("0.{kind}")) || name.ends_with(kind))
    };
    let names = |files: &Files| files.keys().filter(relevant).cloned().collect::<Vec<_>>();
    assert_eq!(names(ours), names(theirs), "{topic}, stage {stage}");
    for name in names(theirs) {
        let (ours, theirs) = (&ours[&name], &theirs[&name]);
        if bytes_equal {
            assert!(ours == theirs, "{topic}, stage {stage}: {name} differs");
        } else if name.ends_with(".log") {
            assert_eq!(meaning(ours), meaning(theirs), "{topic}, stage {stage}: {name}");
        }
    }
}

#[test]
#[ignore = "needs directories of Apache Kafka: run by tests/conformance/log"]
fn logs_are_compacted_as_apache_kafka_compacts_them() {
    let root = PathBuf::from(std::env::var_os("KAFKA_COMPACTION_DIRECTORY").unwrap());
    for stage in [1, 2] {
        for (topic, bytes_equal) in TOPICS {
            let (before, after) = (root.join(format!("before{stage}")), root.join(format!("after{stage}")));
            let log_dir = format!("{topic}-0");
            let theirs = files(&OsDisk::new(), &after.join(&log_dir));
            let (disk, dir) = copy(&before, topic);
            // When Kafka's cleaner came by stands in the horizons that it has set.
            let known = delete_horizons(&files(&disk, &dir.join(&log_dir)));
            let set = delete_horizons(&theirs).difference(&known).max().copied();
            let host =
                Host { now: set.unwrap_or_else(|| panic!("{topic}: no horizon")) - DELETE_RETENTION_MS };
            let meta = MetaProperties::read(&disk, &dir).unwrap().unwrap();
            let settings = LogManagerSettings::new(meta.cluster_id, meta.node_id);
            let manager = LogManager::open(
                Arc::new(disk.clone()),
                std::slice::from_ref(&dir),
                settings,
                BTreeMap::new(),
            );
            let manager = Arc::new(manager.unwrap());
            manager.load(&|_| config(), host.now, &|_| ()).unwrap();
            let log = manager.log(topic, 0).unwrap();
            let end = log.read().log_end_offset();
            log.write().update_high_watermark(end);
            let cleaner = LogCleaner::new(manager.clone());
            let settings = CleanerSettings {
                dedupe_buffer_bytes: 1 << 20,
                load_factor: 0.9,
                io_buffer_bytes: 1 << 16,
                hash_key: [1, 2],
            };
            let round = cleaner.run_once(&settings, &host);
            assert!(
                round.cleaned && round.failures.is_empty(),
                "{topic}: {round:?} {:?}",
                cleaner.uncleanable()
            );
            assert!(!cleaner.run_once(&settings, &host).cleaned);
            assert!(manager.shut_down(1, host.now).is_empty());
            compare(topic, stage, &files(&disk, &dir.join(&log_dir)), &theirs, bytes_equal);
            let path = after.join(checkpoints::CLEANER_OFFSETS);
            let expected = checkpoints::read_offsets(&OsDisk::new(), &path).unwrap();
            assert_eq!(log.read().cleaned_to(), expected.get(topic, 0), "{topic}");
        }
    }
}
