//! The operating system's disk, the one in memory and the simulated one answer alike.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{ErrorKind, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use barnabas_disk::sim::SimDisk;
use barnabas_disk::{Disk, File, FileSlice, MemoryDisk, Open, OsDisk};
use proptest::prelude::*;

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("barnabas-disk-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn disks(scratch: &Scratch) -> [Arc<dyn Disk>; 3] {
    let (memory, sim) = (MemoryDisk::new(), SimDisk::new(0));
    memory.create_dir_all(&scratch.0).unwrap();
    sim.create_dir_all(&scratch.0).unwrap();
    [Arc::new(OsDisk::new()), Arc::new(memory), Arc::new(sim)]
}

fn on_all(test: impl Fn(&dyn Disk, &Path)) {
    let scratch = Scratch::new();
    for disk in disks(&scratch) {
        test(&*disk, &scratch.0);
    }
}

#[test]
fn files_are_opened_as_asked() {
    on_all(|disk, root| {
        let path = root.join("f");
        let kind = |how| disk.open(&path, how).map(|_| ()).map_err(|error| error.kind());
        assert_eq!(kind(Open::Read), Err(ErrorKind::NotFound));
        assert_eq!(kind(Open::Write), Err(ErrorKind::NotFound));
        assert_eq!(kind(Open::CreateNew), Ok(()));
        assert_eq!(kind(Open::CreateNew), Err(ErrorKind::AlreadyExists));
        assert_eq!(kind(Open::Create), Ok(()));
        assert_eq!(kind(Open::Read), Ok(()));
        assert_eq!(disk.file_len(&path).unwrap(), 0);
        assert_eq!(disk.remove_file(&root.join("absent")).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn no_bytes_behind_the_end_do_not_move_it() {
    on_all(|disk, root| {
        let file = disk.open(&root.join("f"), Open::CreateNew).unwrap();
        file.write_all_at(b"", 7).unwrap();
        file.write_vectored_at(&[IoSlice::new(b"")], 7).unwrap();
        assert_eq!(file.len().unwrap(), 0);
    });
}

#[test]
fn space_taken_ahead_changes_no_byte_and_is_given_back() {
    on_all(|disk, root| {
        let path = root.join("f");
        let file = disk.open(&path, Open::CreateNew).unwrap();
        file.write_all_at(b"batch", 0).unwrap();
        file.reserve(5, 1 << 20);
        assert_eq!((file.len().unwrap(), disk.read(&path).unwrap()), (5, b"batch".to_vec()));
        file.set_len(5).unwrap();
        assert_eq!(disk.read(&path).unwrap(), b"batch");
    });
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt;
        let scratch = Scratch::new();
        let path = scratch.0.join("f");
        let file = OsDisk::new().open(&path, Open::CreateNew).unwrap();
        file.write_all_at(b"batch", 0).unwrap();
        file.reserve(5, 1 << 20);
        file.set_len(5).unwrap();
        assert!(std::fs::metadata(&path).unwrap().blocks() * 512 <= 64 << 10);
    }
}

#[test]
fn a_removed_or_replaced_file_stays_readable_for_those_who_hold_it() {
    on_all(|disk, root| {
        let path = root.join("f");
        let file = disk.open(&path, Open::Create).unwrap();
        file.write_all_at(b"hello", 0).unwrap();
        let slice = FileSlice { file, position: 1, length: 3 };
        disk.write_atomic(&path, b"another").unwrap();
        assert_eq!(disk.read(&path).unwrap(), b"another");
        disk.remove_file(&path).unwrap();
        assert!(!disk.exists(&path));
        assert_eq!(slice.read().unwrap(), b"ell");
    });
}

#[test]
fn directories_are_listed_renamed_and_removed_with_their_content() {
    on_all(|disk, root| {
        disk.create_dir_all(&root.join("a/b")).unwrap();
        disk.create_dir_all(&root.join("a/b")).unwrap();
        let file = disk.open(&root.join("a/b/f"), Open::Create).unwrap();
        disk.open(&root.join("a-0"), Open::Create).unwrap();
        let names = |path: &Path| -> Vec<(String, bool)> {
            let entries = disk.list(path).unwrap();
            entries.into_iter().map(|entry| (entry.name, entry.is_directory)).collect()
        };
        assert_eq!(names(root), [("a".to_string(), true), ("a-0".to_string(), false)]);
        disk.rename(&root.join("a"), &root.join("c")).unwrap();
        assert_eq!(names(&root.join("c/b")), [("f".to_string(), false)]);
        file.write_all_at(b"x", 0).unwrap();
        assert_eq!(disk.read(&root.join("c/b/f")).unwrap(), b"x");
        assert_eq!(disk.list(&root.join("a")).unwrap_err().kind(), ErrorKind::NotFound);
        disk.remove_dir_all(&root.join("c")).unwrap();
        assert_eq!(names(root), [("a-0".to_string(), false)]);
        disk.sync_dir(root).unwrap();
    });
}

#[test]
fn a_lock_has_one_holder() {
    on_all(|disk, root| {
        let path = root.join(".lock");
        let held = disk.lock(&path).unwrap();
        assert_eq!(disk.lock(&path).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(held);
        drop(disk.lock(&path).unwrap());
    });
}

#[test]
fn the_operating_system_knows_the_volumes_space() {
    let scratch = Scratch::new();
    let space = OsDisk::new().space(&scratch.0).unwrap().unwrap();
    assert!(space.usable <= space.total && space.total > 0);
    assert_eq!(MemoryDisk::new().space(&scratch.0).unwrap(), None);
}

#[derive(Debug, Clone)]
enum Change {
    Write { position: u64, length: usize },
    WriteParts { position: u64, lengths: Vec<usize> },
    SetLength(u64),
    Read { position: u64, length: usize },
}

/// Sizes round about that of a chunk in memory, and small ones.
fn size() -> impl Strategy<Value = u64> {
    prop_oneof![0..100u64, 262_100..262_200u64, 0..600_000u64]
}

fn change() -> impl Strategy<Value = Change> {
    let length = || size().prop_map(|size| size as usize);
    prop_oneof![
        (size(), length()).prop_map(|(position, length)| Change::Write { position, length }),
        (size(), prop::collection::vec(0..2000usize, 0..6))
            .prop_map(|(position, lengths)| Change::WriteParts { position, lengths }),
        size().prop_map(Change::SetLength),
        (size(), length()).prop_map(|(position, length)| Change::Read { position, length }),
    ]
}

fn apply(file: &dyn File, change: &Change, fill: u8) -> Vec<u8> {
    match change {
        Change::Write { position, length } => file.write_all_at(&vec![fill; *length], *position).unwrap(),
        Change::WriteParts { position, lengths } => {
            let parts: Vec<_> = lengths.iter().map(|length| vec![fill ^ *length as u8; *length]).collect();
            let parts: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
            file.write_vectored_at(&parts, *position).unwrap();
        }
        Change::SetLength(length) => file.set_len(*length).unwrap(),
        Change::Read { position, length } => {
            let mut buffer = vec![0; *length];
            let count = file.read_at(&mut buffer, *position).unwrap();
            return buffer[..count].to_vec();
        }
    }
    Vec::new()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn files_hold_the_same_bytes(changes in prop::collection::vec(change(), 1..12)) {
        let scratch = Scratch::new();
        let path = scratch.0.join("f");
        let [os, memory, sim] = disks(&scratch).map(|disk| disk.open(&path, Open::Create).unwrap());
        for (index, change) in changes.iter().enumerate() {
            let fill = index as u8 + 1;
            let expected = apply(&*os, change, fill);
            prop_assert!(expected == apply(&*memory, change, fill), "{change:?}");
            prop_assert!(expected == apply(&*sim, change, fill), "simulated: {change:?}");
            prop_assert_eq!(os.len().unwrap(), memory.len().unwrap());
            prop_assert_eq!(os.len().unwrap(), sim.len().unwrap());
        }
        let whole = Change::Read { position: 0, length: os.len().unwrap() as usize };
        prop_assert!(apply(&*os, &whole, 0) == apply(&*memory, &whole, 0));
        prop_assert!(apply(&*os, &whole, 0) == apply(&*sim, &whole, 0));
    }
}
