//! Segments with offsets that are too far from their base, as old releases of Apache Kafka have left them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::sync::Arc;

use barnabas_disk::sim::SimDisk;
use barnabas_disk::{Disk, Open, OpenFiles};
use barnabas_log::{Log, LogConfig, LogError, OpenOptions};
use barnabas_protocol::batch::batches;
use barnabas_protocol::Uuid;
use support::{Batch, DIR};

const FAR: i64 = i32::MAX as i64;
const OFFSETS: [i64; 8] = [5, 6, FAR - 1, FAR + 10, FAR + 11, 2 * FAR + 7, 2 * FAR + 20, 5 * FAR];
/// Base offsets of the segments that are left: each reaches as far as it can.
const SPLIT: [i64; 4] = [0, FAR + 10, 2 * FAR + 20, 5 * FAR];
const NEXT: i64 = 6 * FAR;

/// A log whose first segment has all of `OFFSETS`, and the second `NEXT`.
fn written(disk: &dyn Disk) {
    let dir = Path::new(DIR);
    disk.create_dir_all(dir).unwrap();
    for (base_offset, offsets) in [(0, &OFFSETS[..]), (NEXT, &[NEXT][..])] {
        let bytes: Vec<u8> = offsets.iter().flat_map(|offset| Batch::of(1).build(*offset)).collect();
        let file = disk.open(&dir.join(format!("{base_offset:020}.log")), Open::CreateNew).unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        file.sync_data().unwrap();
    }
    for place in [dir, dir.parent().unwrap(), Path::new("/")] {
        disk.sync_dir(place).unwrap();
    }
}

fn open(disk: &SimDisk, clean_shutdown: bool, recovery_point: i64) -> Result<Log, LogError> {
    let files = Arc::new(OpenFiles::new(Arc::new(disk.clone()), 8));
    let options = OpenOptions { clean_shutdown, recovery_point, ..OpenOptions::default() };
    let config = Arc::new(LogConfig::default());
    let (id, dir) = (Uuid([7; 16]), Path::new(DIR));
    Ok(Log::open(files, dir, "topic", 0, id, config, options, 0, &mut |_| {})?.0)
}

fn offsets(log: &Log) -> Vec<i64> {
    let (mut found, mut next) = (Vec::new(), 0);
    while let Some(slice) = log.read(next, usize::MAX, log.log_end_offset(), true).unwrap().slice {
        let bytes = slice.read().unwrap();
        found.extend(batches(&bytes).map(|batch| batch.unwrap().header.base_offset));
        next = found.last().unwrap() + 1;
    }
    found
}

fn logs(disk: &SimDisk) -> Vec<i64> {
    let names = disk.list(Path::new(DIR)).unwrap().into_iter().map(|entry| entry.name);
    let names: Vec<String> = names.filter(|name| name.contains(".log")).collect();
    names.iter().map(|name| name.strip_suffix(".log").unwrap().parse().unwrap()).collect()
}

fn check(disk: &SimDisk, log: &Log) {
    assert_eq!(offsets(log), [&OFFSETS[..], &[NEXT]].concat());
    assert_eq!(log.log_end_offset(), NEXT + 1);
    assert_eq!(logs(disk), [&SPLIT[..], &[NEXT]].concat());
    for offset in OFFSETS {
        let found = log.read(offset, 1, NEXT + 1, true).unwrap().first_batch.unwrap();
        assert_eq!(found.base_offset, offset);
    }
}

#[test]
fn they_are_split_after_a_clean_stop_and_after_a_crash_wherever_recovery_begins() {
    for (clean, recovery_point) in
        [(true, NEXT + 1), (false, 0), (false, FAR), (false, NEXT), (false, NEXT + 1)]
    {
        let disk = SimDisk::new(1);
        written(&disk);
        let mut log = open(&disk, clean, recovery_point).unwrap();
        check(&disk, &log);
        log.close(true, 0).unwrap();
        drop(log);
        check(&disk, &open(&disk, true, NEXT + 1).unwrap());
    }
}

#[test]
fn a_power_failure_at_any_instant_of_a_split_loses_nothing() {
    let disk = SimDisk::new(1);
    written(&disk);
    let before = disk.changes();
    open(&disk, false, NEXT).unwrap();
    let changes = disk.changes() - before;
    assert!(changes > 10);
    for instant in 0..changes {
        for seed in 0..4 {
            let disk = SimDisk::new(seed);
            written(&disk);
            disk.fail_after(instant);
            assert!(open(&disk, false, NEXT).is_err(), "the power has failed");
            disk.lose_power();
            check(&disk, &open(&disk, false, NEXT).unwrap());
        }
    }
}

#[test]
fn the_last_batch_of_all_may_not_leap() {
    // Its offset is outside its checksum, and nothing follows that would agree with it.
    let disk = SimDisk::new(1);
    written(&disk);
    let last = disk.open(&Path::new(DIR).join(format!("{NEXT:020}.log")), Open::Write).unwrap();
    last.write_all_at(&Batch::of(1).build(9 * FAR), last.len().unwrap()).unwrap();
    let log = open(&disk, false, 0).unwrap();
    check(&disk, &log);
}
