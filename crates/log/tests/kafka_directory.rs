//! Opens a log directory that Apache Kafka has written, and writes the same batches anew: every file must
//! come out equal. `tests/conformance/log` makes the directory and runs these tests: `KAFKA_LOG_DIRECTORY`
//! names that of a stopped node, `KAFKA_LOG_DIRECTORY_RUNNING` a copy made before it was stopped.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barnabas_disk::{Disk, MemoryDisk, Open, OpenFiles, OsDisk};
use barnabas_log::{
    AppendBatch, Log, LogConfig, LogManager, LogManagerSettings, MetaProperties, OpenOptions,
};
use barnabas_protocol::batch::batches;
use barnabas_protocol::Uuid;

const TOPICS: [&str; 5] = ["plain", "lz4", "txn", "idle", "many"];

fn config() -> Arc<LogConfig> {
    Arc::new(LogConfig { segment_bytes: 1 << 20, retention_ms: None, ..LogConfig::default() })
}

/// The directory that an environment variable names.
fn directory(variable: &str) -> PathBuf {
    std::env::var_os(variable).map(PathBuf::from).unwrap_or_else(|| panic!("{variable} is not set"))
}

fn files(disk: &dyn Disk, directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = disk.list(directory).unwrap();
    let names = entries.into_iter().filter(|entry| !entry.is_directory).map(|entry| entry.name);
    names.map(|name| (name.clone(), disk.read(&directory.join(&name)).unwrap())).collect()
}

/// Copies a log's directory into memory, so that the original stays as it is.
fn copy(from: &Path, disk: &MemoryDisk, to: &Path) {
    disk.create_dir_all(to).unwrap();
    for (name, content) in files(&OsDisk::new(), from) {
        disk.open(&to.join(name), Open::Create).unwrap().write_all_at(&content, 0).unwrap();
    }
}

fn open(disk: &MemoryDisk, dir: &Path, options: OpenOptions, now: i64) -> Log {
    let files = Arc::new(OpenFiles::new(Arc::new(disk.clone()), 100));
    Log::open(files, dir, "t", 0, Uuid::ZERO, config(), options, now, &mut |_| {}).unwrap().0
}

fn everything(log: &Log) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut offset = log.log_start_offset();
    while offset < log.log_end_offset() {
        let read = log.read(offset, usize::MAX, log.log_end_offset(), true).unwrap();
        let chunk = read.slice.unwrap().read().unwrap();
        offset = batches(&chunk).last().unwrap().unwrap().header.next_offset();
        bytes.extend(chunk);
    }
    bytes
}

/// A time at which no producer has expired.
fn now(directory: &Path) -> i64 {
    let modified = std::fs::metadata(directory).unwrap().modified().unwrap();
    modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64
}

#[test]
#[ignore = "needs a directory of Apache Kafka: run by tests/conformance/log"]
fn files_written_from_the_same_batches_are_equal() {
    let root = directory("KAFKA_LOG_DIRECTORY");
    for topic in TOPICS {
        let theirs = root.join(format!("{topic}-0"));
        let expected = files(&OsDisk::new(), &theirs);
        let mut original = Vec::new();
        for (_, content) in expected.iter().filter(|(name, _)| name.ends_with(".log")) {
            original.extend_from_slice(content);
        }
        let (disk, dir) = (MemoryDisk::new(), Path::new("/ours"));
        let mut log = open(&disk, dir, OpenOptions::default(), now(&theirs));
        for batch in batches(&original) {
            let batch = AppendBatch::from_bytes(batch.unwrap().bytes).unwrap();
            log.append_as_leader(&[batch], now(&theirs)).unwrap();
        }
        log.close(true, now(&theirs)).unwrap();
        let ours = files(&disk, dir);
        for (name, content) in &expected {
            if name != "partition.metadata" && name != "leader-epoch-checkpoint" {
                assert!(ours.get(name) == Some(content), "{topic}: {name} differs");
            }
        }
        let extra: Vec<_> = ours.keys().filter(|name| !expected.contains_key(*name)).collect();
        assert!(extra.is_empty(), "{topic}: {extra:?}");
    }
}

#[test]
#[ignore = "needs a directory of Apache Kafka: run by tests/conformance/log"]
fn a_stopped_nodes_logs_open_and_stay_as_they_are() {
    let root = directory("KAFKA_LOG_DIRECTORY");
    for topic in TOPICS {
        let theirs = root.join(format!("{topic}-0"));
        let expected = files(&OsDisk::new(), &theirs);
        let (disk, dir) = (MemoryDisk::new(), Path::new("/ours"));
        copy(&theirs, &disk, dir);
        let options = OpenOptions { clean_shutdown: true, ..OpenOptions::default() };
        let mut log = open(&disk, dir, options, now(&theirs));
        log.close(true, now(&theirs)).unwrap();
        assert_eq!(files(&disk, dir), expected, "{topic}");
    }
}

#[test]
#[ignore = "needs a directory of Apache Kafka: run by tests/conformance/log"]
fn recovery_of_a_running_nodes_copy_writes_what_a_stop_would_have() {
    let root = directory("KAFKA_LOG_DIRECTORY_RUNNING");
    for topic in TOPICS {
        let theirs = root.join(format!("{topic}-0"));
        let (disk, dir) = (MemoryDisk::new(), Path::new("/ours"));
        copy(&theirs, &disk, dir);
        let before = files(&disk, dir);
        let mut log = open(&disk, dir, OpenOptions::default(), now(&theirs));
        let expected: Vec<u8> = before
            .iter()
            .filter(|(name, _)| name.ends_with(".log"))
            .flat_map(|(_, bytes)| bytes.clone())
            .collect();
        assert!(everything(&log) == expected, "{topic}");
        log.close(true, now(&theirs)).unwrap();
        let after = files(&disk, dir);
        // A leader notes its epoch anew when it takes office; one without records is dropped until then.
        for (name, content) in before.iter().filter(|(name, _)| *name != "leader-epoch-checkpoint") {
            let after = after.get(name).unwrap_or_else(|| panic!("{topic}: {name} is gone"));
            // The indexes of the active segment were larger than their content; the time index was to get
            // one more entry when the segment was closed.
            let used = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let unclosed = name.ends_with(".timeindex") && after.len() <= used + 12 + 11;
            let equal = content.starts_with(after) || (unclosed && after.starts_with(&content[..used]));
            assert!(equal, "{topic}: {name} differs");
        }
    }
}

#[test]
#[ignore = "needs a directory of Apache Kafka: run by tests/conformance/log"]
fn the_whole_directory_loads_and_is_left_clean() {
    let root = directory("KAFKA_LOG_DIRECTORY");
    let (disk, dir) = (MemoryDisk::new(), PathBuf::from("/data"));
    copy(&root, &disk, &dir);
    for entry in OsDisk::new().list(&root).unwrap().iter().filter(|entry| entry.is_directory) {
        copy(&root.join(&entry.name), &disk, &dir.join(&entry.name));
    }
    let meta = MetaProperties::read(&disk, &dir).unwrap().unwrap();
    let settings = LogManagerSettings::new(meta.cluster_id, meta.node_id);
    let manager =
        LogManager::open(Arc::new(disk.clone()), std::slice::from_ref(&dir), settings, BTreeMap::new())
            .unwrap();
    assert!(manager.previous_broker_epoch().is_some());
    manager.load(&|_| config(), now(&root), &|progress| assert!(!progress.unclean)).unwrap();
    assert_eq!(manager.log("plain", 0).unwrap().read().log_end_offset(), 12_000);
    assert!(!disk.exists(&dir.join(".kafka_cleanshutdown")));
    assert!(manager.shut_down(20, now(&root)).is_empty());
    assert_eq!(disk.read(&dir.join(".kafka_cleanshutdown")).unwrap(), b"{\"version\":0,\"brokerEpoch\":20}");
}
