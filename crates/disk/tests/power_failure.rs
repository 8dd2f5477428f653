//! The simulated disk keeps what was synced, and nothing else for sure.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use barnabas_disk::sim::SimDisk;
use barnabas_disk::{Disk, Open};

/// What is left in many failures, sorted, each outcome once.
fn outcomes<T: Ord>(prepare: impl Fn(&SimDisk), look: impl Fn(&SimDisk) -> T) -> Vec<T> {
    let mut outcomes: Vec<T> = (0..200)
        .map(|seed| {
            let disk = SimDisk::new(seed);
            prepare(&disk);
            disk.lose_power();
            look(&disk)
        })
        .collect();
    outcomes.sort();
    outcomes.dedup();
    outcomes
}

fn path() -> &'static Path {
    Path::new("/f")
}

#[test]
fn a_file_needs_its_content_and_its_name_synced() {
    let write = |disk: &SimDisk| {
        let file = disk.open(path(), Open::Create).unwrap();
        file.write_all_at(b"abc", 0).unwrap();
        file.sync_data().unwrap();
    };
    let read = |disk: &SimDisk| disk.read(path()).ok();
    assert_eq!(outcomes(write, read), [None, Some(b"abc".to_vec())]);
    let durable = |disk: &SimDisk| {
        write(disk);
        disk.sync_dir(Path::new("/")).unwrap();
    };
    assert_eq!(outcomes(durable, read), [Some(b"abc".to_vec())]);
}

#[test]
fn writes_are_torn_at_sectors_and_come_in_any_order() {
    let prepare = |disk: &SimDisk| {
        let file = disk.open(path(), Open::Create).unwrap();
        file.write_all_at(&[1; 1024], 0).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        file.write_all_at(&[2; 1024], 0).unwrap();
        file.write_all_at(&[3; 512], 1024).unwrap();
    };
    let look = |disk: &SimDisk| {
        let bytes = disk.read(path()).unwrap();
        bytes.chunks(512).map(|sector| sector[0]).collect::<Vec<u8>>()
    };
    let seen = outcomes(prepare, look);
    for expected in [&[1, 1][..], &[1, 2], &[2, 1], &[2, 2], &[1, 1, 3], &[2, 2, 3], &[2, 2, 0]] {
        assert!(seen.iter().any(|seen| seen == expected), "{expected:?} is missing in {seen:?}");
    }
}

#[test]
fn a_rename_happens_or_does_not() {
    let prepare = |disk: &SimDisk| {
        disk.write_atomic(path(), b"old").unwrap();
        disk.write_atomic(Path::new("/new"), b"new").unwrap();
        disk.rename(Path::new("/new"), path()).unwrap();
    };
    let look = |disk: &SimDisk| (disk.read(path()).unwrap(), disk.exists(Path::new("/new")));
    assert_eq!(outcomes(prepare, look), [(b"new".to_vec(), false), (b"old".to_vec(), true)]);
}

#[test]
fn atomic_writes_leave_the_old_or_the_new_at_every_instant() {
    let all = {
        let disk = SimDisk::new(0);
        disk.write_atomic(path(), b"old").unwrap();
        disk.changes()
    };
    for seed in 0..50 {
        for instant in 0..=all {
            let disk = SimDisk::new(seed);
            disk.write_atomic(path(), b"old").unwrap();
            disk.fail_after(instant);
            let written = disk.write_atomic(path(), b"new");
            disk.lose_power();
            let left = disk.read(path()).unwrap();
            assert!(left == b"new" || (left == b"old" && written.is_err()), "seed {seed}, {instant}");
        }
    }
}

#[test]
fn handles_from_before_a_failure_are_dead() {
    let disk = SimDisk::new(0);
    let file = disk.open(path(), Open::Create).unwrap();
    let lock = disk.lock(Path::new("/lock")).unwrap();
    disk.lose_power();
    assert!(file.write_all_at(b"x", 0).is_err() && file.len().is_err());
    let again = disk.lock(Path::new("/lock")).unwrap();
    drop(lock);
    assert!(disk.lock(Path::new("/lock")).is_err());
    drop(again);
}
