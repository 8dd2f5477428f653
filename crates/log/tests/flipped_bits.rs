//! Every bit of every file of a small log is flipped: what is read then is what was written, or an error.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::sync::Arc;

use barnabas_disk::{Disk, MemoryDisk, Open};
use barnabas_log::{ActiveProducer, Log, LogConfig, LogError, OpenOptions, TimestampedOffset};
use barnabas_protocol::batch::batches;
use support::{Batch, Fixture, DIR};

/// Everything that a log tells its readers; an error is told as such.
#[derive(Debug, Clone, PartialEq)]
struct Answers {
    end: i64,
    /// By offset: the batch that holds it.
    batches: Vec<Option<Vec<u8>>>,
    times: Vec<Option<Option<TimestampedOffset>>>,
    largest: Option<Option<TimestampedOffset>>,
    /// Producer and first offset: what readers are told.
    aborted: Vec<Option<Vec<(i64, i64)>>>,
    epochs: Vec<Option<(i32, i64)>>,
    producers: Vec<ActiveProducer>,
}

/// None for damage; any other error is a failure of the test.
fn unless_corrupt<T>(result: Result<T, LogError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(LogError::Corrupt { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

fn batch_at(log: &Log, offset: i64, end: i64) -> Option<Vec<u8>> {
    let read = unless_corrupt(log.read(offset, 1, end, true))?;
    let bytes = read.slice?.read().unwrap();
    let mut served = batches(&bytes);
    Some(served.next().unwrap().unwrap().bytes.to_vec())
}

fn aborted_at(log: &Log, offset: i64) -> Option<Vec<(i64, i64)>> {
    let aborted = unless_corrupt(log.aborted_transactions(offset, offset + 1))?;
    Some(aborted.iter().map(|one| (one.producer_id, one.first_offset)).collect())
}

fn answers(log: &Log, end: i64) -> Answers {
    let to = end.min(log.log_end_offset());
    Answers {
        end: log.log_end_offset(),
        batches: (0..to).map(|offset| batch_at(log, offset, log.log_end_offset())).collect(),
        times: (0..9).map(|time| unless_corrupt(log.offset_for_timestamp(time * 50))).collect(),
        largest: unless_corrupt(log.max_timestamp()),
        aborted: (0..to).map(|offset| aborted_at(log, offset)).collect(),
        epochs: (0..13).map(|epoch| log.end_offset_for(epoch)).collect(),
        producers: log.active_producers(),
    }
}

fn options(end: i64, clean_shutdown: bool) -> OpenOptions {
    let recovery_point = if clean_shutdown { end } else { 0 };
    OpenOptions { recovery_point, high_watermark: end, clean_shutdown, ..OpenOptions::default() }
}

/// A log of some segments with transactions, epochs and timestamps out of order; its end.
fn small_log() -> (MemoryDisk, Arc<LogConfig>, i64) {
    let config = LogConfig { segment_bytes: 900, index_interval_bytes: 80, ..LogConfig::default() };
    let disk = MemoryDisk::new();
    let mut fixture = Fixture::on(Arc::new(disk.clone()), config);
    let mut sequences = [0; 3];
    for round in 0..7 {
        // Epochs that differ in more than one bit: with others a flipped one can't be told from the file's.
        let epoch = [1, 6, 11][round as usize / 3];
        let producer = 1 + (round as usize % 2);
        fixture.append(Batch::of(2).at((round as i64 * 70) % 400).epoch(epoch).value_bytes(12));
        let batch = Batch::of(1).at(100 + round as i64).epoch(epoch);
        let sequence = &mut sequences[producer];
        fixture.append(batch.producer(producer as i64, 0, *sequence).transactional());
        *sequence += 1;
        if round % 2 == 1 {
            fixture.end_transaction_in(producer as i64, 0, round % 4 == 3, epoch);
        }
    }
    let end = fixture.log.log_end_offset();
    fixture.log.update_high_watermark(end);
    fixture.log.close(true, 0).unwrap();
    (disk, fixture.config, end)
}

fn copy(disk: &MemoryDisk) -> MemoryDisk {
    let copy = MemoryDisk::new();
    copy.create_dir_all(Path::new(DIR)).unwrap();
    for entry in disk.list(Path::new(DIR)).unwrap() {
        let path = Path::new(DIR).join(entry.name);
        copy.write_atomic(&path, &disk.read(&path).unwrap()).unwrap();
    }
    copy
}

fn opened(disk: &MemoryDisk, config: &Arc<LogConfig>, end: i64, clean: bool) -> Log {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    support::open(&disk, config, options(end, clean))
}

/// Flips every bit of the files that end with `suffix`; `judge` sees what is told then and what was before.
fn flip_all(suffix: &str, clean: bool, judge: impl Fn(&Answers, &Answers, &str)) {
    let (disk, config, end) = small_log();
    let expected = answers(&opened(&copy(&disk), &config, end, true), end);
    assert!(expected.batches.iter().all(Option::is_some) && expected.times.iter().all(Option::is_some));
    assert!(expected.aborted.iter().flatten().any(|aborted| !aborted.is_empty()));
    let mut flipped = 0;
    for entry in disk.list(Path::new(DIR)).unwrap() {
        if !entry.name.ends_with(suffix) {
            continue;
        }
        let path = Path::new(DIR).join(&entry.name);
        let bytes = disk.read(&path).unwrap();
        for bit in 0..bytes.len() * 8 {
            let damaged = copy(&disk);
            let byte = [bytes[bit / 8] ^ (1 << (bit % 8))];
            damaged.open(&path, Open::Write).unwrap().write_all_at(&byte, bit as u64 / 8).unwrap();
            let told = answers(&opened(&damaged, &config, end, clean), end);
            judge(&told, &expected, &format!("bit {bit} of {}", entry.name));
            flipped += 1;
        }
    }
    println!("{flipped} bits of *{suffix}");
    assert!(flipped > 0);
}

/// Each answer is right, or an error.
fn right_or_refused<T: PartialEq + std::fmt::Debug>(told: &[Option<T>], right: &[Option<T>], what: &str) {
    for (index, (told, right)) in told.iter().zip(right).enumerate() {
        assert!(told.is_none() || told == right, "{what}: answer {index} is {told:?}, not {right:?}");
    }
}

/// Every answer is as before.
fn same(told: &Answers, right: &Answers, what: &str) {
    assert_eq!(told.end, right.end, "{what}");
    for (offset, (told, right)) in told.batches.iter().zip(&right.batches).enumerate() {
        assert!(
            told == right,
            "{what}: the batch at {offset} is {}",
            if told.is_some() { "wrong" } else { "lost" }
        );
    }
    assert_eq!(told.times, right.times, "{what}");
    assert_eq!(told.largest, right.largest, "{what}");
    assert_eq!(told.aborted, right.aborted, "{what}");
    assert_eq!(told.epochs, right.epochs, "{what}");
    assert_eq!(told.producers, right.producers, "{what}");
}

#[test]
fn a_flipped_bit_in_a_segment_is_never_served() {
    flip_all(".log", true, |told, expected, what| {
        assert_eq!(told.end, expected.end, "{what}");
        right_or_refused(&told.batches, &expected.batches, what);
        right_or_refused(&told.times, &expected.times, what);
        right_or_refused(&told.aborted, &expected.aborted, what);
        right_or_refused(&[told.largest], &[expected.largest], what);
        assert_eq!(told.epochs, expected.epochs, "{what}");
        assert_eq!(told.producers, expected.producers, "{what}");
        // Batches apart from the damaged one are served as before.
        let lost = told.batches.iter().filter(|batch| batch.is_none()).count();
        assert!(lost <= 12, "{what}: {lost} offsets are refused");
    });
}

/// Without the leader epoch, which recovery can compare with that of the batches around only.
fn without_epochs(batches: &[Option<Vec<u8>>]) -> Vec<Option<Vec<u8>>> {
    let without = |batch: &Vec<u8>| [&batch[..12], &batch[16..]].concat();
    batches.iter().map(|batch| batch.as_ref().map(without)).collect()
}

#[test]
fn recovery_cuts_a_log_at_a_flipped_bit() {
    flip_all(".log", false, |told, expected, what| {
        let (batches, right) = (without_epochs(&told.batches), without_epochs(&expected.batches));
        // The last batch has nothing behind it that would tell where it ends.
        let checked = batches.len().min(right.len() - 1);
        right_or_refused(&batches[..checked], &right[..checked], what);
    });
}

#[test]
fn flipped_bits_in_offset_indexes_do_no_harm() {
    flip_all(".index", true, same);
}

#[test]
fn flipped_bits_in_time_indexes_do_no_harm() {
    flip_all(".timeindex", true, same);
}

#[test]
fn flipped_bits_in_transaction_indexes_are_noticed() {
    flip_all(".txnindex", true, |told, expected, what| {
        right_or_refused(&told.aborted, &expected.aborted, what);
        assert_eq!(told.batches, expected.batches, "{what}");
    });
}

#[test]
fn flipped_bits_in_producer_snapshots_do_no_harm() {
    flip_all(".snapshot", true, same);
}

#[test]
fn flipped_bits_in_leader_epochs_do_no_harm() {
    flip_all("leader-epoch-checkpoint", true, same);
}
