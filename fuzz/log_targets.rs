//! What fuzzing runs on the files of a log: one of them is whatever the fuzzer says, the others are as they were
//! written. crates/log/tests/fuzz_corpus.rs runs it over the stored corpus and seeded changes of it.
//!
//! Opening and reading such a log may be refused as damage; nothing else may happen, and no batch is ever given out
//! whose checksum is wrong.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use barnabas_disk::{Disk, MemoryDisk, OpenFiles};
use barnabas_log::checkpoints::{read_offsets, read_topic_id};
use barnabas_log::{AppendBatch, Log, LogConfig, LogError, MetaProperties, OpenOptions};
use barnabas_protocol::batch::batches;
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::control::ControlRecordType;
use barnabas_protocol::Uuid;

const DIR: &str = "/data/topic-0";
/// Files of a log directory that a byte of the input chooses from; those after the log's own lie in its parent.
pub(crate) const FILES: [&str; 10] = [
    "00000000000000000000.log",
    "00000000000000000000.index",
    "00000000000000000000.timeindex",
    "00000000000000000000.txnindex",
    "00000000000000000012.snapshot",
    "leader-epoch-checkpoint",
    "partition.metadata",
    "../recovery-point-offset-checkpoint",
    "../meta.properties",
    "00000000000000000012.log",
];

fn open(disk: &MemoryDisk, clean_shutdown: bool) -> Result<Log, LogError> {
    let config = LogConfig { segment_bytes: 700, index_interval_bytes: 60, ..LogConfig::default() };
    let options =
        OpenOptions { recovery_point: 12, high_watermark: 12, clean_shutdown, ..OpenOptions::default() };
    let files = Arc::new(OpenFiles::new(Arc::new(disk.clone()), 4));
    let opened =
        Log::open(files, Path::new(DIR), "topic", 0, Uuid::ZERO, Arc::new(config), options, 0, &mut |_| {});
    opened.map(|(log, _)| log)
}

/// A log of two segments with producers, a transaction that was aborted, and epochs.
pub(crate) fn written() -> MemoryDisk {
    static FILES: OnceLock<Vec<(PathBuf, Vec<u8>)>> = OnceLock::new();
    // Writing it takes far longer than what is to be looked at.
    let files = FILES.get_or_init(|| {
        let disk = write();
        let parent = Path::new(DIR).parent().expect("it has one");
        let in_directory = |dir: &Path| {
            let entries =
                disk.list(dir).expect("a directory").into_iter().filter(|entry| !entry.is_directory);
            entries.map(|entry| dir.join(entry.name)).collect::<Vec<_>>()
        };
        let paths = [in_directory(parent), in_directory(Path::new(DIR))].concat();
        paths.into_iter().map(|path| (path.clone(), disk.read(&path).expect("a file"))).collect()
    });
    let disk = MemoryDisk::new();
    disk.create_dir_all(Path::new(DIR)).expect("a directory");
    for (path, content) in files {
        disk.write_atomic(path, content).expect("a file");
    }
    disk
}

fn write() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let mut log = open(&disk, false).expect("an empty log");
    for round in 0..9 {
        let (control, transactional) = (round % 4 == 3, round % 4 > 1);
        let mut builder = BatchBuilder::new(BuilderConfig {
            base_offset: log.log_end_offset(),
            producer_id: 5,
            producer_epoch: 0,
            base_sequence: if control { -1 } else { round - (round + 1) / 4 },
            leader_epoch: round / 3,
            transactional,
            control,
            ..BuilderConfig::default()
        });
        let key = ControlRecordType::Abort.key();
        let (key, value): (Option<&[u8]>, &[u8]) =
            if control { (Some(&key), &[0; 6]) } else { (None, &[7; 40]) };
        builder.append(i64::from(round) * 10, key, Some(value), &[]).expect("a record");
        let bytes = builder.finish().expect("a batch");
        let batch = AppendBatch::from_bytes(&bytes).expect("a batch");
        log.append_as_leader(&[batch], 0).expect("an append");
    }
    log.close(true, 0).expect("a stop");
    let parent = Path::new(DIR).parent().expect("it has one");
    let files: [(&str, &[u8]); 3] = [
        ("recovery-point-offset-checkpoint", b"0\n1\ntopic 0 9\n"),
        ("meta.properties", b"version=1\ncluster.id=c\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\n"),
        ("topic-0/partition.metadata", b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ"),
    ];
    for (name, content) in files {
        disk.write_atomic(&parent.join(name), content).expect("a file");
    }
    disk
}

/// The first byte chooses the file, the rest is its content.
pub(crate) fn log_files(data: &[u8]) {
    let [choice, content @ ..] = data else { return };
    for clean in [true, false] {
        let disk = written();
        let path = Path::new(DIR).join(FILES[usize::from(*choice) % FILES.len()]);
        let path = path.to_str().expect("text").replace("topic-0/../", "");
        disk.write_atomic(Path::new(&path), content).expect("memory");
        let parent = Path::new("/data");
        let _ = read_offsets(&disk, &parent.join("recovery-point-offset-checkpoint"));
        let _ = (MetaProperties::read(&disk, parent), read_topic_id(&disk, Path::new(DIR)));
        match open(&disk, clean) {
            Ok(log) => read(log),
            Err(LogError::Corrupt { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Reads everything, and writes on where that is possible.
fn read(mut log: Log) {
    let end = log.log_end_offset();
    let mut offset = log.log_start_offset();
    for _ in 0..50 {
        match log.read(offset, 200, end, true) {
            Ok(found) => {
                let bytes = found.slice.map(|slice| slice.read().expect("memory")).unwrap_or_default();
                let mut next = offset + 1;
                for batch in batches(&bytes) {
                    let Ok(batch) = batch else { break };
                    assert!(batch.crc_is_valid(), "a damaged batch is served");
                    next = batch.header.next_offset();
                }
                offset = next.max(offset + 1);
            }
            Err(LogError::Corrupt { .. }) => offset += 1,
            Err(LogError::OffsetOutOfRange { .. }) => break,
            Err(error) => panic!("{error}"),
        }
    }
    for time in [0, 45, i64::MAX] {
        let _ = log.offset_for_timestamp(time);
    }
    let _ = (
        log.max_timestamp(),
        log.aborted_transactions(0, end),
        log.end_offset_for(1),
        log.active_producers(),
    );
    let _ = log.roll(0).and_then(|()| log.delete_old_segments(i64::MAX / 2)).and_then(|_| log.close(true, 0));
}
