//! What is left after a crash, and after a disk that fails at any of its operations.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;

use barnabas_disk::{Disk, Entry, File, Lock, MemoryDisk, Open, Space};
use barnabas_log::{AppendBatch, LogConfig, LogError, OpenOptions};
use barnabas_protocol::batch::batches;
use support::{Batch, Fixture, DIR};

fn small_segments() -> LogConfig {
    LogConfig { segment_bytes: 1000, index_interval_bytes: 100, ..LogConfig::default() }
}

fn contents(disk: &dyn Disk, suffix: &str) -> Vec<(String, Vec<u8>)> {
    let entries = disk.list(Path::new(DIR)).unwrap();
    let names = entries.into_iter().map(|entry| entry.name).filter(|name| name.ends_with(suffix));
    names.map(|name| (name.clone(), disk.read(&Path::new(DIR).join(&name)).unwrap())).collect()
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_at_the_last_whole_batch() {
    let mut fixture = Fixture::new();
    let mut ends = vec![0];
    for records in [1, 3, 2, 1] {
        fixture.append(Batch::of(records).producer(1, 0, fixture.log.log_end_offset() as i32));
        ends.push(fixture.log.log_end_position().position);
    }
    let path = Path::new(DIR).join("00000000000000000000.log");
    let whole = fixture.disk.read(&path).unwrap();
    for length in 0..=whole.len() as u64 {
        for garbage in [&[][..], &[0; 100], &[0xff; 30]] {
            let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
            disk.create_dir_all(Path::new(DIR)).unwrap();
            let bytes = [&whole[..length as usize], garbage].concat();
            disk.open(&path, Open::Create).unwrap().write_all_at(&bytes, 0).unwrap();
            let log = support::open(&disk, &fixture.config, OpenOptions::default());
            // Garbage may happen to be what was torn off.
            let same = bytes.iter().zip(&whole).take_while(|(left, right)| left == right).count() as u64;
            let left = ends.iter().filter(|end| **end <= same).max().unwrap();
            assert_eq!(log.size(), *left, "cut at {length}");
            assert_eq!(disk.file_len(&path).unwrap(), *left);
            let records: i64 =
                batches(&whole[..*left as usize]).map(|b| b.unwrap().header.records_count as i64).sum();
            assert_eq!(log.log_end_offset(), records);
        }
    }
}

#[test]
fn indexes_written_by_recovery_are_those_that_were_there() {
    let mut fixture = Fixture::with(small_segments());
    for index in 0..200 {
        fixture.append(Batch::of(1 + index % 3).at((index as i64 * 37) % 900).value_bytes(5 + index % 70));
    }
    fixture.log.close(true, 0).unwrap();
    let before = (contents(&*fixture.disk, "index"), contents(&*fixture.disk, ".snapshot"));
    assert!(before.0.len() > 20 && before.0.iter().any(|(_, bytes)| !bytes.is_empty()));
    fixture.reopen(OpenOptions::default());
    fixture.log.close(true, 0).unwrap();
    assert_eq!((contents(&*fixture.disk, "index"), contents(&*fixture.disk, ".snapshot")), before);
}

#[test]
fn only_what_was_not_synced_is_read() {
    let mut fixture = Fixture::with(small_segments());
    for _ in 0..100 {
        fixture.append(Batch::of(1));
    }
    let synced = fixture.log.segments().1;
    fixture.log.flush(synced, 0).unwrap();
    let mut seen = Vec::new();
    let files = Arc::new(barnabas_disk::OpenFiles::new(fixture.disk.clone(), 8));
    let options = OpenOptions { recovery_point: fixture.log.recovery_point(), ..OpenOptions::default() };
    let (log, recovery) = barnabas_log::Log::open(
        files,
        Path::new(DIR),
        "topic",
        0,
        barnabas_protocol::Uuid::ZERO,
        fixture.config.clone(),
        options,
        0,
        &mut |progress| seen.push((progress.segments_done, progress.segments_total)),
    )
    .unwrap();
    assert_eq!(log.log_end_offset(), 100);
    assert_eq!((recovery.segments, recovery.truncated_bytes), (1, 0));
    assert_eq!(seen, [(1, 1)]);
}

#[test]
fn half_done_compaction_is_completed_or_undone() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let mut fixture = Fixture::on(disk.clone(), LogConfig::default());
    for _ in 0..3 {
        fixture.append(Batch::of(2));
        fixture.log.roll(0).unwrap();
    }
    fixture.log.close(true, 0).unwrap();
    let put = |name: &str, bytes: &[u8]| {
        disk.open(&Path::new(DIR).join(name), Open::Create).unwrap().write_all_at(bytes, 0).unwrap();
    };
    // What was being written is dropped, what was complete takes the place of what it covers.
    put("00000000000000000004.log.cleaned", b"half");
    put("00000000000000000002.log.deleted", b"gone");
    fixture.reopen(OpenOptions::default());
    assert_eq!((fixture.log.log_end_offset(), fixture.log.segments().0), (6, 4));

    let compacted = [Batch::of(1).build(0), Batch::of(1).build(3)].concat();
    put("00000000000000000000.log.swap", &compacted);
    fixture.reopen(OpenOptions::default());
    assert_eq!((fixture.log.log_end_offset(), fixture.log.segments().0), (6, 3));
    let read = fixture.log.read(0, usize::MAX, 6, true).unwrap().slice.unwrap().read().unwrap();
    assert_eq!(read, compacted);
    assert!(contents(&*disk, ".swap").is_empty() && contents(&*disk, ".cleaned").is_empty());
}

/// A disk that does so many changes and then none any more; the last write is done by half.
#[derive(Debug, Clone)]
struct FailingDisk {
    inner: MemoryDisk,
    left: Arc<AtomicI64>,
}

#[derive(Debug)]
struct FailingFile {
    inner: Arc<dyn File>,
    disk: FailingDisk,
}

impl FailingDisk {
    fn change(&self) -> io::Result<()> {
        match self.left.fetch_sub(1, Ordering::Relaxed) {
            left if left > 0 => Ok(()),
            _ => Err(io::Error::other("the disk is gone")),
        }
    }
}

impl Disk for FailingDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        if how == Open::CreateNew || (how == Open::Create && !self.inner.exists(path)) {
            self.change()?;
        }
        Ok(Arc::new(FailingFile { inner: self.inner.open(path, how)?, disk: self.clone() }))
    }
    fn exists(&self, path: &Path) -> bool {
        self.inner.exists(path)
    }
    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.inner.file_len(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.inner.list(path)
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir_all(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change()?;
        self.inner.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        self.inner.remove_file(path)
    }
    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        self.inner.remove_dir_all(path)
    }
    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        self.change()
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.inner.read(path)
    }
    fn write_atomic(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.change()?;
        self.inner.write_atomic(path, content)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.inner.lock(path)
    }
    fn space(&self, path: &Path) -> io::Result<Option<Space>> {
        self.inner.space(path)
    }
}

impl File for FailingFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, position)
    }
    fn write_all_at(&self, data: &[u8], position: u64) -> io::Result<()> {
        let changed = self.disk.change();
        let count = if changed.is_ok() { data.len() } else { data.len() / 2 };
        if self.disk.left.load(Ordering::Relaxed) >= -1 {
            self.inner.write_all_at(&data[..count], position)?;
        }
        changed
    }
    fn write_vectored_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        self.write_all_at(&parts.iter().flat_map(|part| part.to_vec()).collect::<Vec<_>>(), position)
    }
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.disk.change()?;
        self.inner.set_len(length)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.disk.change()
    }
}

/// Appends, rolls, flushes, truncates and retains until the disk fails. Returns what was acknowledged.
fn work(fixture: &mut Fixture) -> Result<(), (i64, LogError)> {
    let mut acknowledged = 0;
    let mut step = |fixture: &mut Fixture, round: i32| -> Result<(), LogError> {
        let bytes = Batch::of(2)
            .producer(1, 0, 2 * round)
            .value_bytes(40)
            .epoch(round / 7)
            .build(fixture.log.log_end_offset());
        match fixture.log.append_as_leader(&[AppendBatch::from_bytes(&bytes).unwrap()], 0) {
            Ok(info) => acknowledged = info.last_offset + 1,
            Err(barnabas_log::AppendError::Log(error)) => return Err(error),
            Err(error) => panic!("{error}"),
        }
        if round % 5 == 4 {
            fixture.log.flush(acknowledged - 4, 0)?;
        }
        if round % 11 == 10 {
            fixture.log.update_high_watermark(acknowledged);
            fixture.log.delete_old_segments(0)?;
        }
        Ok(())
    };
    for round in 0..40 {
        if let Err(error) = step(fixture, round) {
            return Err((acknowledged, error));
        }
    }
    Ok(())
}

#[test]
fn a_disk_that_fails_at_any_change_loses_nothing_that_was_acknowledged() {
    let config = LogConfig { retention_bytes: Some(3000), ..small_segments() };
    for changes in 20.. {
        let left = Arc::new(AtomicI64::new(changes));
        let disk = FailingDisk { inner: MemoryDisk::new(), left: left.clone() };
        let mut fixture = Fixture::on(Arc::new(disk.clone()), config.clone());
        let Err((acknowledged, error)) = work(&mut fixture) else {
            assert!(changes > 100, "the disk was to fail");
            return;
        };
        assert!(error.is_storage_failure(), "{error}");
        // What the log still serves while the disk is gone is right.
        let end = fixture.log.log_end_offset();
        assert!(end >= acknowledged);
        let recovery_point = fixture.log.recovery_point();
        left.store(i64::MAX, Ordering::Relaxed);
        fixture.reopen(OpenOptions { recovery_point, ..OpenOptions::default() });
        assert!(
            fixture.log.log_end_offset() >= acknowledged,
            "after {changes}: {acknowledged} were acknowledged"
        );
        let mut offset = fixture.log.log_start_offset();
        while offset < fixture.log.log_end_offset() {
            let read = fixture.log.read(offset, 1, i64::MAX, true).unwrap();
            let bytes = read.slice.unwrap().read().unwrap();
            let batch = batches(&bytes).next().unwrap().unwrap();
            assert!(batch.crc_is_valid());
            assert_eq!(batch.header.base_offset, offset, "after {changes}");
            offset = batch.header.next_offset();
        }
        let producer = fixture.log.active_producers()[0];
        assert_eq!(producer.last_sequence as i64, fixture.log.log_end_offset() - 1, "after {changes}");
    }
}
