//! Passes one by one.

use std::path::Path;
use std::sync::Arc;

use barnabas_disk::{Disk, Open};
use barnabas_log::LogConfig;
use barnabas_protocol::Uuid;

use crate::check::{read, Past};
use crate::harness::{append, Harness, LOG_DIR, ROOT};

fn config() -> LogConfig {
    LogConfig {
        compact: true,
        delete: false,
        min_cleanable_dirty_ratio: 0.0,
        retention_ms: None,
        file_delete_delay_ms: 100,
        index_interval_bytes: 100,
        ..LogConfig::default()
    }
}

fn write(harness: &mut Harness, writer: usize, records: &[(u8, Option<u8>)]) {
    let (bytes, batch) = harness.build(writer, records);
    harness.append(&bytes, batch).unwrap();
}

fn end_transaction(harness: &mut Harness, writer: usize, commits: bool) {
    let (bytes, batch) = harness.build_marker(writer, commits);
    harness.append(&bytes, batch).unwrap();
}

/// Closes the active segment; everything so far may be compacted.
fn roll(harness: &Harness) {
    harness.log().write().roll(harness.now()).unwrap();
    harness.commit(true).unwrap();
}

/// Offset, key and size of the value of each record.
fn contents(harness: &Harness) -> Vec<(i64, u8, Option<usize>)> {
    let records = read(&harness.log()).into_iter().filter(|batch| !batch.header.is_control());
    let records = records.flat_map(|batch| batch.records);
    records
        .map(|(offset, _, key, value)| (offset, key.unwrap(), value.map(|value| value.len() - 4)))
        .collect()
}

/// Three segments with everything that compaction knows: older and newer values, a tombstone, a transaction that
/// was committed and one that was not, an idempotent producer.
fn history(harness: &mut Harness) {
    write(harness, 0, &[(1, Some(10)), (2, Some(10)), (3, Some(10))]);
    write(harness, 1, &[(1, Some(11)), (4, Some(11))]);
    roll(harness);
    write(harness, 2, &[(2, Some(12))]);
    write(harness, 3, &[(3, Some(13)), (5, Some(13))]);
    end_transaction(harness, 3, false);
    end_transaction(harness, 2, true);
    roll(harness);
    write(harness, 0, &[(4, None), (6, Some(14))]);
    write(harness, 1, &[(1, Some(15))]);
    roll(harness);
    write(harness, 0, &[(7, Some(16))]);
    harness.commit(true).unwrap();
}

const COMPACTED: [(i64, u8, Option<usize>); 6] = [
    (2, 3, Some(10)),
    (5, 2, Some(12)),
    (10, 4, None),
    (11, 6, Some(14)),
    (12, 1, Some(15)),
    (13, 7, Some(16)),
];

#[test]
fn the_newest_record_of_each_key_stays_where_it_was() {
    let mut harness = Harness::new(1, config(), 1 << 16);
    history(&mut harness);
    assert!(harness.compact().unwrap());
    assert_eq!(contents(&harness), COMPACTED);
    let log = harness.log();
    assert_eq!(
        (log.read().log_start_offset(), log.read().log_end_offset(), log.read().segments()),
        (0, 14, (2, 13))
    );
    assert_eq!(log.read().cleaned_to(), Some(13));
    let checkpoint = harness.disk.read(&Path::new(ROOT).join("cleaner-offset-checkpoint")).unwrap();
    assert_eq!(checkpoint, b"0\n1\ntopic 0 13\n");
    assert!(!harness.compact().unwrap(), "there is nothing new");
    // Later the tombstone and the markers go, but not what producers go on from.
    harness.host.now.fetch_add(2 * config().delete_retention_ms, std::sync::atomic::Ordering::Relaxed);
    write(&mut harness, 0, &[(7, Some(17))]);
    roll(&harness);
    assert!(harness.compact().unwrap());
    let left = contents(&harness);
    assert!(left.iter().all(|(offset, ..)| *offset != 10), "{left:?}");
    harness.check(&mut Past { compacted_to: 15, newest_compacted: harness.now(), ..Past::default() });
}

#[test]
fn a_node_that_dies_at_any_step_of_a_pass_has_the_log_as_it_was_or_is_to_be() {
    for power in [false, true] {
        for changes in 0.. {
            let mut harness = Harness::new(changes, config(), 1 << 16);
            history(&mut harness);
            harness.disk.fail_after(changes);
            let _ = harness.compact();
            let died = !harness.is_powered();
            if died && power {
                harness.disk.lose_power();
            }
            harness.disk.fail_after(u64::MAX);
            harness.restart().unwrap();
            harness.commit(true).unwrap();
            let mut past = Past { compacted_to: 13, newest_compacted: harness.now(), ..Past::default() };
            harness.check(&mut past);
            harness.compact().unwrap();
            harness.check(&mut past);
            assert_eq!(contents(&harness), COMPACTED, "after {changes}");
            assert_eq!(harness.log().read().log_end_offset(), 14);
            for name in harness.files().keys() {
                assert!(!name.ends_with(".cleaned") && !name.ends_with(".swap"), "{name} is left");
            }
            if !died {
                assert!(changes > 20, "the disk was to fail");
                break;
            }
        }
    }
}

#[test]
fn a_small_memory_takes_more_passes_and_leaves_the_same() {
    let run = |dedupe_buffer_bytes| {
        let mut harness = Harness::new(1, config(), dedupe_buffer_bytes);
        for round in 0..5u8 {
            for key in 0..40 {
                write(&mut harness, 0, &[(key, Some(round))]);
            }
            roll(&harness);
        }
        let mut passes = 0;
        while harness.compact().unwrap() {
            passes += 1;
        }
        (contents(&harness), passes)
    };
    let (left, passes) = run(1 << 16);
    assert_eq!((left.len(), passes), (40, 1));
    let (same, more) = run(24 * 12);
    assert_eq!(same, left);
    assert!(more > 10, "{more}");
}

#[test]
fn a_reader_that_has_begun_goes_on_reading_what_it_found() {
    let mut harness = Harness::new(1, config(), 1 << 16);
    history(&mut harness);
    let slice = harness.log().read().read(0, usize::MAX, 14, true).unwrap().slice.unwrap();
    let before = slice.read().unwrap();
    assert!(harness.compact().unwrap());
    for deletion in harness.log().write().take_due_deletions(i64::MAX) {
        deletion.run().unwrap();
    }
    assert_eq!(slice.read().unwrap(), before);
    assert!(harness.files().keys().all(|name| !name.ends_with(".deleted")));
}

#[test]
fn damage_is_not_laundered_into_a_new_segment() {
    let mut harness = Harness::new(1, config(), 1 << 16);
    history(&mut harness);
    let path = Path::new(LOG_DIR).join("00000000000000000005.log");
    harness.disk.open(&path, Open::Write).unwrap().write_all_at(b"?", 70).unwrap();
    let files = harness.files();
    let round = harness.cleaner.run_once(&harness.settings, &*harness.host);
    assert!(!round.cleaned && round.failures.is_empty());
    assert_eq!(harness.cleaner.uncleanable(), [(Arc::from("topic"), 0)]);
    assert_eq!(harness.files(), files);
}

#[test]
fn a_log_that_is_deleted_under_a_pass_harms_nobody() {
    let mut harness = Harness::new(1, config(), 1 << 16);
    history(&mut harness);
    let (manager, now) = (harness.manager.clone(), harness.now());
    let act = move || assert!(manager.delete("topic", 0, now).unwrap());
    *harness.host.disturbance.lock() = Some((3, Box::new(act)));
    let round = harness.cleaner.run_once(&harness.settings, &*harness.host);
    assert!(!round.cleaned && round.failures.is_empty(), "{round:?}");
    assert!(harness.cleaner.uncleanable().is_empty());
}

#[test]
fn a_topic_of_the_same_name_does_not_inherit_what_checkpoints_say() {
    let mut harness = Harness::new(1, LogConfig { delete: true, ..config() }, 1 << 16);
    history(&mut harness);
    assert!(harness.compact().unwrap());
    harness.log().write().advance_log_start_offset(12).unwrap();
    harness.checkpoint().unwrap();
    harness.manager.delete("topic", 0, harness.now()).unwrap();
    let (config, id) = (harness.config.clone(), Uuid([6; 16]));
    let log = harness.manager.get_or_create("topic", 0, id, config, None, harness.now()).unwrap();
    harness.batches.clear();
    let (bytes, _) = harness.build(0, &[(1, Some(1))]);
    append(&log, &bytes, harness.now()).unwrap();
    harness.restart().unwrap();
    let log = harness.manager.log("topic", 0).unwrap();
    let log = log.read();
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.cleaned_to()), (0, 1, None));
}

#[test]
fn records_wait_as_long_as_min_compaction_lag_says() {
    let mut harness = Harness::new(1, LogConfig { min_compaction_lag_ms: 1_000, ..config() }, 1 << 16);
    history(&mut harness);
    assert!(!harness.compact().unwrap());
    harness.host.now.fetch_add(1_001, std::sync::atomic::Ordering::Relaxed);
    assert!(harness.compact().unwrap());
}

#[test]
fn records_wait_for_the_dirty_ratio_but_not_longer_than_max_compaction_lag() {
    let config = LogConfig { min_cleanable_dirty_ratio: 0.5, max_compaction_lag_ms: 1_000, ..config() };
    let mut harness = Harness::new(1, config, 1 << 16);
    for key in 0..20 {
        write(&mut harness, 0, &[(key, Some(100))]);
    }
    roll(&harness);
    assert!(harness.compact().unwrap(), "all of it was dirty");
    write(&mut harness, 0, &[(1, Some(1))]);
    roll(&harness);
    assert!(!harness.compact().unwrap(), "little is dirty");
    harness.host.now.fetch_add(1_001, std::sync::atomic::Ordering::Relaxed);
    assert!(harness.compact().unwrap(), "but it is old");
}

#[test]
fn compacted_logs_lose_what_was_deleted() {
    let config = LogConfig { delete: true, min_cleanable_dirty_ratio: 1.0, ..config() };
    let mut harness = Harness::new(1, config, 1 << 16);
    history(&mut harness);
    harness.log().write().advance_log_start_offset(11).unwrap();
    assert!(harness.manager.delete_old_segments(harness.now()).is_empty());
    assert_eq!(harness.log().read().segments().0, 4, "the cleaner looks after compacted logs");
    assert!(!harness.compact().unwrap());
    assert_eq!(harness.log().read().first_segment_base_offset(), 10);
}
