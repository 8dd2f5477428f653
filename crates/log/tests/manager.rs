//! The directories of a node: whose they are, where logs go, moves between them, failures, stops.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barnabas_disk::sim::SimDisk;
use barnabas_disk::{Disk, MemoryDisk};
use barnabas_log::{
    AppendBatch, DirectoryError, LogConfig, LogError, LogManager, LogManagerSettings, MetaProperties,
};
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::Uuid;

const TOPIC_ID: Uuid = Uuid([5; 16]);

fn id(number: u8) -> Uuid {
    Uuid([number; 16])
}

fn formatted(count: u8) -> (Arc<MemoryDisk>, Vec<PathBuf>) {
    let disk = Arc::new(MemoryDisk::new());
    let paths = format(&*disk, count);
    (disk, paths)
}

fn format(disk: &dyn Disk, count: u8) -> Vec<PathBuf> {
    let paths: Vec<_> = (0..count).map(|number| PathBuf::from(format!("/data-{number}"))).collect();
    for (number, path) in paths.iter().enumerate() {
        let directory_id = id(number as u8 + 1);
        let meta = MetaProperties { cluster_id: "cluster".into(), node_id: 1, directory_id };
        disk.create_dir_all_synced(path).unwrap();
        meta.write(disk, path).unwrap();
    }
    paths
}

fn open<D: Disk>(disk: &Arc<D>, paths: &[PathBuf]) -> Result<LogManager, DirectoryError> {
    LogManager::open(disk.clone(), paths, LogManagerSettings::new("cluster", 1), BTreeMap::new())
}

fn loaded<D: Disk>(disk: &Arc<D>, paths: &[PathBuf]) -> LogManager {
    let manager = open(disk, paths).unwrap();
    manager.load(&|_| config(), 0, &|_| ()).unwrap();
    manager
}

fn config() -> Arc<LogConfig> {
    Arc::new(LogConfig::default())
}

fn create(manager: &LogManager, topic: &str, partition: i32, directory: Option<Uuid>) {
    manager.get_or_create(topic, partition, TOPIC_ID, config(), directory, 0).unwrap();
}

fn append(manager: &LogManager, topic: &str, partition: i32, records: i64) {
    let log = manager.log(topic, partition).unwrap();
    let mut log = log.write();
    for _ in 0..records {
        let base_offset = log.log_end_offset();
        let mut builder =
            BatchBuilder::new(BuilderConfig { base_offset, leader_epoch: 0, ..BuilderConfig::default() });
        builder.append(0, None, Some(b"value"), &[]).unwrap();
        let bytes = builder.finish().unwrap();
        log.append_as_leader(&[AppendBatch::from_bytes(&bytes).unwrap()], 0).unwrap();
    }
    let end = log.log_end_offset();
    log.update_high_watermark(end);
}

fn end(manager: &LogManager, topic: &str, partition: i32) -> i64 {
    manager.log(topic, partition).unwrap().read().log_end_offset()
}

#[test]
fn a_directory_must_be_this_nodes_and_free() {
    let (disk, paths) = formatted(2);
    let open_as = |cluster: &str, node| {
        LogManager::open(disk.clone(), &paths, LogManagerSettings::new(cluster, node), BTreeMap::new())
    };
    assert!(matches!(open_as("other", 1), Err(DirectoryError::ClusterId { .. })));
    assert!(matches!(open_as("cluster", 2), Err(DirectoryError::NodeId { .. })));
    assert!(matches!(open(&disk, &["/new".into()]), Err(DirectoryError::NotFormatted { .. })));
    let held = open(&disk, &paths).unwrap();
    assert!(matches!(open(&disk, &paths), Err(DirectoryError::InUse { .. })));
    drop(held);
    open(&disk, &paths).unwrap();
}

#[test]
fn a_copied_directory_is_noticed() {
    let (disk, mut paths) = formatted(1);
    let meta = MetaProperties::read(&*disk, &paths[0]).unwrap().unwrap();
    disk.create_dir_all_synced(Path::new("/copy")).unwrap();
    meta.write(&*disk, Path::new("/copy")).unwrap();
    paths.push("/copy".into());
    assert!(matches!(open(&disk, &paths), Err(DirectoryError::DuplicateId { .. })));
}

#[test]
fn logs_go_where_there_are_fewest() {
    let (disk, paths) = formatted(2);
    let manager = loaded(&disk, &paths);
    create(&manager, "a", 0, Some(id(2)));
    create(&manager, "a", 1, Some(id(2)));
    create(&manager, "a", 2, None);
    create(&manager, "a", 3, None);
    let counts: Vec<_> = manager.directories().iter().map(|directory| directory.logs).collect();
    assert_eq!(counts, [2, 2]);
    assert_eq!(manager.directory_of("a", 2), Some(id(1)));
}

#[test]
fn a_topic_of_the_same_name_is_not_mistaken() {
    let (disk, paths) = formatted(1);
    let manager = loaded(&disk, &paths);
    create(&manager, "a", 0, None);
    let other = manager.get_or_create("a", 0, id(9), config(), None, 0);
    assert!(matches!(other, Err(LogError::TopicId { .. })));
}

#[test]
fn a_clean_stop_is_remembered_once() {
    let (disk, paths) = formatted(2);
    let manager = loaded(&disk, &paths);
    assert_eq!(manager.previous_broker_epoch(), None);
    create(&manager, "a", 0, Some(id(1)));
    create(&manager, "b.c-d", 12, Some(id(2)));
    append(&manager, "a", 0, 3);
    assert!(manager.shut_down(77, 0).is_empty());
    drop(manager);

    let manager = open(&disk, &paths).unwrap();
    assert_eq!(manager.previous_broker_epoch(), Some(77));
    manager.load(&|_| config(), 0, &|progress| assert!(!progress.unclean)).unwrap();
    assert_eq!(end(&manager, "a", 0), 3);
    let log = manager.log("a", 0).unwrap();
    assert_eq!((log.read().topic_id(), log.read().high_watermark()), (TOPIC_ID, 3));
    assert!(manager.log("b.c-d", 12).is_some());
    drop((log, manager)); // As after a crash.

    let manager = open(&disk, &paths).unwrap();
    assert_eq!(manager.previous_broker_epoch(), None);
    manager.load(&|_| config(), 0, &|progress| assert!(progress.unclean)).unwrap();
    assert_eq!(end(&manager, "a", 0), 3);
}

#[test]
fn a_deleted_log_is_removed_later_even_after_a_restart() {
    let (disk, paths) = formatted(1);
    let manager = loaded(&disk, &paths);
    create(&manager, "a", 0, None);
    append(&manager, "a", 0, 1);
    let held = manager.log("a", 0).unwrap();
    let slice = held.read().read(0, 1000, 1, true).unwrap().slice.unwrap();
    assert!(manager.delete("a", 0, 0).unwrap());
    assert!(!manager.delete("a", 0, 0).unwrap());
    assert!(manager.log("a", 0).is_none() && !disk.exists(Path::new("/data-0/a-0")));
    // The name is free again at once.
    create(&manager, "a", 0, None);
    assert!(manager.delete("a", 0, 0).unwrap());
    assert!(manager.remove_due(59_999).is_empty());
    assert_eq!(deleted(&disk), 2);
    assert!(manager.remove_due(60_000).is_empty());
    assert_eq!(deleted(&disk), 0);
    assert!(!slice.read().unwrap().is_empty(), "who reads goes on reading");

    create(&manager, "b", 0, None);
    manager.delete("b", 0, 0).unwrap();
    drop(manager);
    let manager = loaded(&disk, &paths);
    manager.remove_due(0);
    assert_eq!(deleted(&disk), 0);
}

fn deleted(disk: &MemoryDisk) -> usize {
    disk.list(Path::new("/data-0")).unwrap().iter().filter(|entry| entry.name.ends_with("-delete")).count()
}

#[test]
fn a_log_moves_to_another_directory() {
    let (disk, paths) = formatted(2);
    let manager = loaded(&disk, &paths);
    begin_move(&manager);

    // A move that a stop interrupts goes on afterwards.
    manager.shut_down(1, 0);
    drop(manager);
    let manager = loaded(&disk, &paths);
    assert_eq!(manager.future_log("a", 0).unwrap().read().log_end_offset(), 4);
    assert!(manager.swap_in_future("a", 0, 0).unwrap().1.is_none());
    assert_eq!(manager.directory_of("a", 0), Some(id(2)));
    assert_eq!(end(&manager, "a", 0), 4);
    append(&manager, "a", 0, 1);
    assert!(manager.future_log("a", 0).is_none());
    manager.shut_down(1, 0);
    drop(manager);
    assert_eq!(end(&loaded(&disk, &paths), "a", 0), 5);
}

/// A log of four records in the first directory, and its future log in the second.
fn begin_move(manager: &LogManager) {
    create(manager, "a", 0, Some(id(1)));
    append(manager, "a", 0, 4);
    let current = manager.log("a", 0).unwrap();
    let future = manager.create_future("a", 0, id(2), 0).unwrap();
    let bytes = current.read().read(0, 10_000, 4, true).unwrap().slice.unwrap().read().unwrap();
    future.write().append_as_follower(&bytes, 0).unwrap();
}

#[test]
fn no_crash_at_the_end_of_a_move_loses_the_log() {
    for seed in 0..100 {
        let ended = (1..).find(|&left| power_failure_in_a_move(seed, left));
        assert!(ended.is_some());
    }
}

/// The power fails after so many changes of the move's end; true when the move had ended before.
fn power_failure_in_a_move(seed: u64, left: u64) -> bool {
    let disk = Arc::new(SimDisk::new(seed));
    let paths = format(&*disk, 2);
    let manager = loaded(&disk, &paths);
    begin_move(&manager);
    manager.shut_down(1, 0);
    drop(manager);
    let manager = loaded(&disk, &paths);
    disk.fail_after(left);
    let swapped = manager.swap_in_future("a", 0, 0).is_ok_and(|(_, failure)| failure.is_none());
    let ended = swapped && !disk.has_failed();
    drop(manager);
    disk.lose_power();
    assert_eq!(end(&loaded(&disk, &paths), "a", 0), 4, "seed {seed}, power lost after {left} changes");
    ended
}

#[test]
fn a_log_that_a_crash_has_left_twice_is_one_again() {
    let (disk, paths) = formatted(2);
    let manager = loaded(&disk, &paths);
    begin_move(&manager);
    manager.shut_down(1, 0);
    drop(manager);
    let future = disk.list(&paths[1]).unwrap().into_iter().find(|entry| entry.is_directory).unwrap();
    disk.rename(&paths[1].join(future.name), &paths[1].join("a-0")).unwrap();
    let manager = loaded(&disk, &paths);
    assert_eq!(end(&manager, "a", 0), 4);
    let logs: usize = manager.directories().iter().map(|directory| directory.logs).sum();
    assert_eq!(logs, 1);
    assert_eq!(loaded_names(&disk, &paths), ["a-0"]);
}

#[test]
fn two_logs_of_a_partition_that_differ_are_not_chosen_between() {
    let (disk, paths) = formatted(2);
    let manager = loaded(&disk, &paths);
    begin_move(&manager);
    append(&manager, "a", 0, 1);
    manager.shut_down(1, 0);
    drop(manager);
    let future = disk.list(&paths[1]).unwrap().into_iter().find(|entry| entry.is_directory).unwrap();
    disk.rename(&paths[1].join(future.name), &paths[1].join("a-0")).unwrap();
    let manager = open(&disk, &paths).unwrap();
    let refused = manager.load(&|_| config(), 0, &|_| ());
    assert!(matches!(refused, Err(DirectoryError::DuplicateLog { .. })), "{refused:?}");
    assert_eq!(loaded_names(&disk, &paths), ["a-0", "a-0"], "and neither is touched");
}

fn loaded_names(disk: &MemoryDisk, paths: &[PathBuf]) -> Vec<String> {
    let entries = paths.iter().flat_map(|path| disk.list(path).unwrap());
    let names = entries.filter(|entry| entry.is_directory).map(|entry| entry.name);
    names.filter(|name| !name.ends_with("-delete")).collect()
}

#[test]
fn a_log_of_an_earlier_topic_is_set_aside_and_kept() {
    let (disk, paths) = formatted(1);
    let manager = loaded(&disk, &paths);
    create(&manager, "a", 0, None);
    append(&manager, "a", 0, 2);
    let other = manager.get_or_create("a", 0, id(9), config(), None, 0);
    assert!(matches!(other, Err(LogError::TopicId { .. })));
    manager.set_aside("a", 0, 0).unwrap();
    manager.get_or_create("a", 0, id(9), config(), None, 0).unwrap();
    assert_eq!(end(&manager, "a", 0), 0);
    assert!(manager.remove_due(i64::MAX).is_empty());
    let kept =
        disk.list(&paths[0]).unwrap().into_iter().find(|entry| entry.name.ends_with("-stray")).unwrap();
    assert!(!disk.read(&paths[0].join(kept.name).join("00000000000000000000.log")).unwrap().is_empty());
}

#[test]
fn a_failed_directory_goes_offline_alone() {
    let (disk, paths) = formatted(2);
    let manager = loaded(&disk, &paths);
    create(&manager, "a", 0, Some(id(1)));
    create(&manager, "a", 1, Some(id(2)));
    assert_eq!(manager.directory_at(Path::new("/data-0/a-0/x.log")), Some(id(1)));
    assert_eq!(manager.take_offline(id(1), "it broke"), [("a".into(), 0)]);
    assert!(manager.take_offline(id(1), "again").is_empty());
    assert!(manager.log("a", 0).is_none() && manager.log("a", 1).is_some());
    assert_eq!(manager.directories()[0].offline.as_deref(), Some("it broke"));
    create(&manager, "b", 0, Some(id(1)));
    assert_eq!(manager.directory_of("b", 0), Some(id(2)));
    manager.take_offline(id(2), "too");
    let none = manager.get_or_create("c", 0, TOPIC_ID, config(), None, 0);
    assert!(matches!(none, Err(LogError::DirectoryOffline { .. })));
}

#[test]
fn checkpoints_say_what_the_logs_say() {
    let (disk, paths) = formatted(1);
    let manager = loaded(&disk, &paths);
    create(&manager, "a", 0, None);
    append(&manager, "a", 0, 5);
    manager.log("a", 0).unwrap().write().advance_log_start_offset(2).unwrap();
    assert!(manager.checkpoint_high_watermarks().is_empty());
    assert!(manager.checkpoint_offsets().is_empty());
    let text = |name: &str| String::from_utf8(disk.read(&paths[0].join(name)).unwrap()).unwrap();
    assert_eq!(text("replication-offset-checkpoint"), "0\n1\na 0 5\n");
    assert_eq!(text("log-start-offset-checkpoint"), "0\n1\na 0 2\n");
    assert_eq!(text("recovery-point-offset-checkpoint"), "0\n1\na 0 0\n");
    drop(manager);
    let manager = loaded(&disk, &paths);
    assert_eq!(manager.log("a", 0).unwrap().read().log_start_offset(), 2);
}

/// What `work` does to the checkpoint of high watermarks when it was removed before: nothing unless it is written.
fn writes_high_watermarks(disk: &MemoryDisk, work: impl FnOnce()) -> bool {
    let path = Path::new("/data-0/replication-offset-checkpoint");
    disk.remove_file(path).unwrap();
    work();
    disk.exists(path)
}

#[test]
fn high_watermarks_are_written_down_when_one_has_moved_or_a_log_has_come_or_gone() {
    let (disk, paths) = formatted(1);
    let manager = loaded(&disk, &paths);
    let look = || assert!(manager.checkpoint_moved_high_watermarks().is_empty());
    create(&manager, "a", 0, None);
    look();
    assert!(!writes_high_watermarks(&disk, look));
    let changes: [&dyn Fn(); 4] = [
        &|| append(&manager, "a", 0, 1),
        &|| create(&manager, "b", 0, None),
        &|| assert!(manager.delete("b", 0, 0).unwrap()),
        &|| assert!(manager.log("a", 0).unwrap().write().truncate_to(0, 0).unwrap()),
    ];
    for change in changes {
        disk.write_atomic(Path::new("/data-0/replication-offset-checkpoint"), b"").unwrap();
        assert!(writes_high_watermarks(&disk, || {
            change();
            look();
        }));
    }
}

#[test]
fn what_is_to_be_synced_is_found_among_logs_in_which_nothing_has_happened() {
    let (disk, paths) = formatted(1);
    let manager = loaded(&disk, &paths);
    let durable = |topic: &str| manager.log(topic, 0).unwrap().read().durable_end();
    for topic in ["a", "b", "timed"] {
        create(&manager, topic, 0, None);
    }
    append(&manager, "a", 0, 3);
    append(&manager, "timed", 0, 3);
    assert!(manager.flush_due(1).is_empty());
    assert_eq!([durable("a"), durable("timed")], [0, 0]);

    manager.log("a", 0).unwrap().write().roll(1).unwrap();
    assert!(manager.flush_due(2).is_empty());
    assert_eq!([durable("a"), durable("timed")], [3, 0], "a segment was completed");

    let config = LogConfig { flush_ms: 10, ..LogConfig::default() };
    manager.log("timed", 0).unwrap().write().update_config(Arc::new(config));
    for (now, expected) in [(5, 0), (20, 3)] {
        assert!(manager.flush_due(now).is_empty());
        assert_eq!(durable("timed"), expected, "at {now}");
    }
}

#[test]
fn a_changed_expiration_counts_for_all_logs_and_for_those_that_follow() {
    let (disk, paths) = formatted(1);
    let manager = loaded(&disk, &paths);
    create(&manager, "before", 0, None);
    manager.set_producer_id_expiration_ms(100);
    create(&manager, "after", 0, None);
    for topic in ["before", "after"] {
        let config =
            BuilderConfig { producer_id: 7, producer_epoch: 0, base_sequence: 0, ..Default::default() };
        let mut builder = BatchBuilder::new(config);
        builder.append(1_000, None, Some(b"value"), &[]).unwrap();
        let bytes = builder.finish().unwrap();
        let log = manager.log(topic, 0).unwrap();
        log.write().append_as_leader(&[AppendBatch::from_bytes(&bytes).unwrap()], 1_000).unwrap();
    }
    assert_eq!(manager.remove_expired_producers(1_099), 0);
    manager.set_producer_id_expiration_ms(1_000);
    assert_eq!(manager.remove_expired_producers(1_100), 0);
    assert_eq!(manager.remove_expired_producers(2_000), 2);
}

#[test]
fn logs_that_no_topic_has_are_set_aside_and_kept() {
    let (disk, paths) = formatted(1);
    let manager = loaded(&disk, &paths);
    create(&manager, "known", 0, None);
    create(&manager, "stray", 3, None);
    append(&manager, "stray", 3, 2);
    drop(manager);
    let manager = loaded(&disk, &paths);
    assert!(manager.set_strays_aside(|topic, _, id| topic != "known" || id != TOPIC_ID).is_empty());
    assert!(manager.log("known", 0).is_some() && manager.log("stray", 3).is_none());
    assert_eq!(manager.directories()[0].logs, 1);
    let names = |disk: &MemoryDisk| -> Vec<String> {
        let entries = disk.list(&paths[0]).unwrap().into_iter().filter(|entry| entry.is_directory);
        entries.map(|entry| entry.name).collect()
    };
    let expected = ["known-0".to_string(), format!("stray-3.{:032x}-stray", u128::from_be_bytes(TOPIC_ID.0))];
    assert_eq!(names(&disk), expected);
    // Neither loaded nor removed by the next start; a topic of the name begins anew.
    drop(manager);
    let manager = loaded(&disk, &paths);
    assert!(manager.remove_due(i64::MAX).is_empty());
    assert_eq!(names(&disk), expected);
    create(&manager, "stray", 3, None);
    assert_eq!(end(&manager, "stray", 3), 0);
}
