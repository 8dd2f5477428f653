//! A producer against brokers that lose connections, requests and answers, move leaders and refuse batches: with
//! idempotence every record is in the log once, in order, and its owner hears so once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;
mod world;

use barnabas_client::accumulator::{NewRecord, Refused};
use proptest::prelude::*;
use world::{Run, PARTITIONS};

/// Hands in `count` records while things go wrong, then lets them go right until all is done.
fn every_record_once(seed: u64, faults: bool, count: u32) {
    let mut run = Run::new(seed, faults, None);
    let topic = run.accumulator.topic("t");
    let mut sent: Vec<Vec<u32>> = vec![Vec::new(); PARTITIONS];
    let mut value = 0;
    for _ in 0..50_000 {
        if value < count && run.world.random.below(3) > 0 {
            let partition = run.world.random.below(PARTITIONS as u64) as i32;
            let mut bytes = value.to_be_bytes().to_vec();
            bytes.resize(4 + run.world.random.below(200) as usize, 0);
            let report = Some(u64::from(value));
            let record =
                NewRecord { partition: Some(partition), value: Some(&bytes), report, ..Default::default() };
            let now = run.now;
            match run.accumulator.append(topic, &record, || now) {
                Ok(_) => {
                    sent[partition as usize].push(value);
                    value += 1;
                }
                Err(Refused::Failed(error)) => panic!("{error}"),
                Err(_) => {}
            }
        }
        run.world.faults = faults && value < count;
        run.tick();
        assert!(run.accumulator.used() <= 2 * 64 * 1024);
        if value == count && run.accumulator.flushed(u64::MAX) {
            break;
        }
    }
    assert!(run.accumulator.flushed(u64::MAX), "seed {seed}: not everything was done");
    assert_eq!(run.accumulator.used(), 0);
    let mut reported = Vec::new();
    for completed in run.accumulator.take_completed() {
        let base = completed.result.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for (index, report) in completed.reports {
            let log = &run.world.logs[completed.partition as usize];
            assert_eq!(u64::from(log.values[(base + i64::from(index)) as usize]), report, "seed {seed}");
            reported.push(report as u32);
        }
    }
    reported.sort_unstable();
    assert_eq!(reported, (0..count).collect::<Vec<_>>(), "seed {seed}");
    for (log, sent) in run.world.logs.iter().zip(sent) {
        assert_eq!(log.values, sent, "seed {seed}");
    }
}

/// Whoever waits for a batch that had to be split waits for all parts of it.
#[test]
fn a_flush_waits_for_all_parts_of_a_split_batch() {
    let mut run = Run::new(5, false, None);
    let topic = run.accumulator.topic("t");
    let mut count = 0;
    while count < 18 {
        let record = NewRecord { partition: Some(0), value: Some(&[0; 8]), ..Default::default() };
        let now = run.now;
        match run.accumulator.append(topic, &record, || now) {
            Ok(_) => count += 1,
            Err(_) => run.tick(),
        }
    }
    let mark = run.accumulator.begin_flush();
    while !run.accumulator.flushed(mark) {
        run.tick();
    }
    assert_eq!(run.world.logs[0].values.len(), 18);
}

/// A leader that has lost what it remembered of the producer refuses the next sequence: the producer begins anew.
#[test]
fn a_broker_that_has_forgotten_the_producer_gets_a_new_sequence() {
    let mut run = Run::new(5, false, None);
    let topic = run.accumulator.topic("t");
    for value in 0..20u32 {
        let bytes = value.to_be_bytes();
        for _ in 0..200 {
            let record = NewRecord { partition: Some(0), value: Some(&bytes), ..Default::default() };
            let now = run.now;
            if run.accumulator.append(topic, &record, || now).is_ok() {
                break;
            }
            run.tick();
        }
        while !run.accumulator.flushed(u64::MAX) {
            run.tick();
            assert!(run.now < 100_000, "record {value} was not sent");
        }
        if value % 5 == 4 {
            run.world.logs[0].batches.clear();
        }
    }
    assert_eq!(run.accumulator.take_unreported(), None);
    assert_eq!(run.world.logs[0].values, (0..20).collect::<Vec<_>>());
    assert_eq!(run.world.logs[0].epoch, 3);
}

/// Who tells of some results first leaves the others where they were.
#[test]
fn results_that_are_given_back_come_before_later_ones() {
    let mut run = Run::new(5, false, None);
    let topic = run.accumulator.topic("t");
    let mut first = Vec::new();
    for value in 0..2u64 {
        let bytes = value.to_be_bytes();
        let record =
            NewRecord { partition: Some(0), value: Some(&bytes), report: Some(value), ..Default::default() };
        let now = run.now;
        while run.accumulator.append(topic, &record, || now).is_err() {
            // Nothing is known of the topic yet.
            assert!(run.accumulator.is_awaited());
            run.tick();
        }
        assert!(!run.accumulator.is_awaited());
        while !run.accumulator.flushed(u64::MAX) {
            run.tick();
            assert!(run.now < 100_000, "record {value} was not sent");
        }
        if value == 0 {
            first = run.accumulator.take_completed();
        }
    }
    run.accumulator.put_back(first);
    let all = run.accumulator.take_completed();
    let reports: Vec<u64> = all.iter().flat_map(|one| &one.reports).map(|&(_, report)| report).collect();
    assert_eq!(reports, [0, 1]);
}

#[test]
fn without_faults_every_record_arrives_once_and_in_order() {
    every_record_once(1, false, 500);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn with_faults_every_record_arrives_once_and_in_order(seed: u64) {
        every_record_once(seed, true, 150);
    }
}
