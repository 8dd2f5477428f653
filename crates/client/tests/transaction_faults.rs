//! A transactional producer against the same brokers, in transaction versions 1 and 2: readers of committed records
//! see exactly what was committed, in order, and a transaction that fails can always be aborted and followed by others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;
mod world;

use barnabas_client::accumulator::NewRecord;
use barnabas_client::transaction::End;
use proptest::prelude::*;
use world::{Coordinator, Run, PARTITIONS};

const TRANSACTIONS: u32 = 12;
const TICKS_MAX: u32 = 20_000;

/// Turns until `look` gives something.
fn until<T>(run: &mut Run, what: &str, mut look: impl FnMut(&mut Run) -> Option<T>) -> T {
    for _ in 0..TICKS_MAX {
        if let Some(found) = look(run) {
            return found;
        }
        run.tick();
    }
    panic!("{what} took too long");
}

fn begin(run: &mut Run) {
    until(run, "the beginning", |run| run.accumulator.transaction().unwrap().begin().unwrap().then_some(()));
}

/// Ends it; whether that has worked.
fn end(run: &mut Run, end: End) -> bool {
    if run.accumulator.transaction().unwrap().end(end).is_err() {
        return false;
    }
    run.accumulator.hurry();
    until(run, "the end", |run| match run.accumulator.transaction().unwrap().has_ended() {
        Ok(false) => None,
        Ok(true) => Some(true),
        Err(_) => Some(false),
    })
}

/// Hands records in, some ticks apart; those that were taken.
fn fill(run: &mut Run, first: u32) -> Vec<(usize, u32)> {
    let topic = run.accumulator.topic("t");
    let mut sent = Vec::new();
    for value in first..first + 1 + run.world.random.below(30) as u32 {
        let partition = run.world.random.below(PARTITIONS as u64) as usize;
        let mut bytes = value.to_be_bytes().to_vec();
        bytes.resize(4 + run.world.random.below(200) as usize, 0);
        let record =
            NewRecord { partition: Some(partition as i32), value: Some(&bytes), ..Default::default() };
        for _ in 0..50 {
            let now = run.now;
            if run.accumulator.append(topic, &record, || now).is_ok() {
                sent.push((partition, value));
                break;
            }
            run.tick(); // There is no metadata yet, or the transaction has failed.
        }
        if run.world.random.one_in(4) {
            run.tick();
        }
    }
    sent
}

fn exactly_what_was_committed(seed: u64, faults: bool, epoch_each: bool) {
    let mut run = Run::new(seed, faults, Some(Coordinator::new(epoch_each)));
    let mut expected = vec![Vec::new(); PARTITIONS];
    for number in 0..TRANSACTIONS {
        run.world.faults = faults && number + 1 < TRANSACTIONS;
        begin(&mut run);
        let sent = fill(&mut run, number * 1_000);
        let wants_commit = run.world.random.below(3) > 0;
        if wants_commit && end(&mut run, End::Commit) {
            sent.iter().for_each(|&(partition, value)| expected[partition].push(value));
        } else {
            assert!(end(&mut run, End::Abort), "seed {seed}: it can't be aborted");
        }
        assert_eq!(run.accumulator.used(), 0, "seed {seed}");
    }
    for (log, expected) in run.world.logs.iter().zip(expected) {
        assert_eq!(log.committed, expected, "seed {seed}");
        assert!(log.open.is_empty(), "seed {seed}");
    }
}

#[test]
fn without_faults_all_transactions_end_as_they_should() {
    exactly_what_was_committed(1, false, false);
    exactly_what_was_committed(1, false, true);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn with_faults_exactly_what_was_committed_is_seen(seed: u64, epoch_each: bool) {
        exactly_what_was_committed(seed, true, epoch_each);
    }
}
