//! Random operations, passes in between that are disturbed or cut short, and failures of process or power.

use std::collections::BTreeSet;

use barnabas_log::{LogConfig, LogError};
use proptest::prelude::*;

use crate::check::{read, Past};
use crate::harness::{append, Harness, ModelBatch};

type Records = Vec<(u8, Option<u8>)>;

#[derive(Debug, Clone)]
enum Operation {
    Append { writer: usize, records: Records },
    End { writer: usize, commits: bool, new_epoch: bool },
    Roll,
    Flush,
    Checkpoint,
    Wait(i64),
    Commit,
    Truncate { percent: u8 },
    DeleteRecords { percent: u8 },
    RemoveFiles,
    Compact,
    CompactAndAppend { calls: u64, records: Records },
    CompactAndTruncate { calls: u64 },
    CompactAndDelete { calls: u64, percent: u8 },
    CompactAndStop { calls: i64 },
    Restart,
    Kill,
    Fail { after: u64 },
}

fn records() -> impl Strategy<Value = Records> {
    let value = prop_oneof![4 => (0..120u8).prop_map(Some), 1 => Just(None)];
    prop::collection::vec((0..6u8, value), 1..4)
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        24 => (0..4usize, records()).prop_map(|(writer, records)| Operation::Append { writer, records }),
        6 => (2..4usize, any::<bool>(), any::<bool>())
            .prop_map(|(writer, commits, new_epoch)| Operation::End { writer, commits, new_epoch }),
        2 => Just(Operation::Roll),
        4 => Just(Operation::Flush),
        1 => Just(Operation::Checkpoint),
        3 => (1..400i64).prop_map(Operation::Wait),
        4 => Just(Operation::Commit),
        1 => (0..=100u8).prop_map(|percent| Operation::Truncate { percent }),
        1 => (0..=100u8).prop_map(|percent| Operation::DeleteRecords { percent }),
        1 => Just(Operation::RemoveFiles),
        8 => Just(Operation::Compact),
        1 => (0..40u64, records()).prop_map(|(calls, records)| Operation::CompactAndAppend { calls, records }),
        1 => (0..40u64).prop_map(|calls| Operation::CompactAndTruncate { calls }),
        1 => (0..40u64, 0..=100u8)
            .prop_map(|(calls, percent)| Operation::CompactAndDelete { calls, percent }),
        1 => (0..40i64).prop_map(|calls| Operation::CompactAndStop { calls }),
        1 => Just(Operation::Restart),
        1 => Just(Operation::Kill),
        3 => (0..60u64).prop_map(|after| Operation::Fail { after }),
    ]
}

fn config() -> impl Strategy<Value = LogConfig> {
    let lags = (prop_oneof![2 => Just(0i64), 1 => 1..300i64], prop_oneof![Just(i64::MAX), Just(500i64)]);
    (500..2500u64, 0..400u64, 0..600i64, lags, 0..3u8, any::<bool>()).prop_map(
        |(segment_bytes, index_interval_bytes, delete_retention_ms, lags, ratio, delete)| LogConfig {
            segment_bytes,
            index_interval_bytes,
            delete_retention_ms,
            min_compaction_lag_ms: lags.0,
            max_compaction_lag_ms: lags.1,
            min_cleanable_dirty_ratio: f64::from(ratio) / 4.0,
            compact: true,
            delete,
            retention_ms: None,
            file_delete_delay_ms: 100,
            segment_ms: 1_000,
            ..LogConfig::default()
        },
    )
}

/// A run of operations.
struct Run {
    harness: Harness,
    past: Past,
    /// The power fails, rather than the process; and the high watermark waits for the disk, as with
    /// `barnabas.durability=fsync`, so that no decision of a transaction is ever taken back.
    power: bool,
    /// Where the log may end if the operation that runs fails.
    lowest_end: i64,
    durable: i64,
    /// The highest high watermark: nothing below is ever truncated.
    committed: i64,
}

impl Run {
    fn step(&mut self, operation: &Operation) -> Result<(), LogError> {
        let harness = &mut self.harness;
        harness.host.now.fetch_add(7, std::sync::atomic::Ordering::Relaxed);
        match operation {
            Operation::Append { writer, records } => {
                let (bytes, batch) = harness.build(*writer, records);
                harness.append(&bytes, batch)
            }
            Operation::End { writer, commits, new_epoch } => {
                if !harness.writers[*writer].open {
                    return Ok(());
                }
                harness.writers[*writer].epoch += i16::from(*new_epoch);
                let (bytes, batch) = harness.build_marker(*writer, *commits);
                harness.append(&bytes, batch)
            }
            Operation::Roll => harness.log().write().roll(harness.now()),
            Operation::Flush => harness.flush(),
            Operation::Checkpoint => harness.checkpoint(),
            Operation::Wait(ms) => {
                harness.host.now.fetch_add(*ms, std::sync::atomic::Ordering::Relaxed);
                Ok(())
            }
            Operation::Commit => harness.commit(self.power),
            Operation::Truncate { percent } => self.truncate(*percent),
            Operation::DeleteRecords { percent } => self.delete_records(*percent),
            Operation::RemoveFiles => {
                let due = harness.log().write().take_due_deletions(i64::MAX);
                due.iter().try_for_each(|deletion| deletion.run())
            }
            Operation::Compact => self.compact(),
            Operation::CompactAndAppend { calls, records } => {
                let (bytes, batch) = harness.build(0, records);
                let (log, now) = (harness.log(), harness.now());
                let act = move || append(&log, &bytes, now);
                harness.batches.push(batch);
                self.compact_and(*calls, act)
            }
            Operation::CompactAndTruncate { calls } => {
                if self.power {
                    return Ok(());
                }
                let offset = self.decided();
                let (log, now) = (self.harness.log(), self.harness.now());
                let act = move || log.write().truncate_to(offset, now).map(drop);
                self.lowest_end = offset;
                self.compact_and(*calls, act)?;
                self.truncated(offset)
            }
            Operation::CompactAndDelete { calls, percent } => {
                if !harness.config.delete {
                    return Ok(());
                }
                let offset = self.committed_at(*percent);
                self.past.deleted_to = Some(offset).max(self.past.deleted_to);
                let (log, now) = (self.harness.log(), self.harness.now());
                let act = move || {
                    let mut log = log.write();
                    log.advance_log_start_offset(offset)?;
                    log.delete_old_segments(now).map(drop)
                };
                self.compact_and(*calls, act)?;
                self.harness.checkpoint()
            }
            Operation::CompactAndStop { calls } => {
                harness.host.stop_after.store(*calls, std::sync::atomic::Ordering::Relaxed);
                let compacted = self.compact();
                self.harness.host.stop_after.store(i64::MAX, std::sync::atomic::Ordering::Relaxed);
                compacted
            }
            Operation::Restart => {
                harness.stop()?;
                self.restart()
            }
            Operation::Kill => self.restart(),
            Operation::Fail { after } => {
                harness.disk.fail_after(*after);
                Ok(())
            }
        }
    }

    /// A node that is alone has committed whatever it has when it starts.
    fn restart(&mut self) -> Result<(), LogError> {
        self.harness.restart()?;
        if self.power {
            // What recovery has written anew is on disk once the node has stopped as it should.
            self.harness.stop()?;
            self.harness.restart()?;
        }
        self.harness.commit(self.power)
    }

    /// Nothing below is truncated: it is committed, or a marker, which the log does not always remember as one
    /// that might be cut off.
    fn decided(&self) -> i64 {
        let markers = self.harness.batches.iter().filter(|batch| batch.marker.is_some());
        markers.map(ModelBatch::next_offset).max().unwrap_or(0).max(self.committed)
    }

    fn committed_at(&self, percent: u8) -> i64 {
        let log = self.harness.log();
        let (start, end) = (log.read().log_start_offset(), log.read().high_watermark());
        start + (end - start) * i64::from(percent) / 100
    }

    fn truncate(&mut self, percent: u8) -> Result<(), LogError> {
        if self.power {
            return Ok(()); // What was cut off and not synced might come back in part.
        }
        let log = self.harness.log();
        let (committed, end) = (self.decided(), log.read().log_end_offset());
        let offset = committed + (end - committed) * i64::from(percent) / 100;
        self.lowest_end = committed;
        log.write().truncate_to(offset, self.harness.now())?;
        self.truncated(offset)
    }

    fn truncated(&mut self, offset: i64) -> Result<(), LogError> {
        self.past.lost = true;
        self.harness.batches.retain(|batch| batch.next_offset() <= offset);
        self.harness.next_offset = self.harness.log().read().log_end_offset();
        self.harness.recount();
        Ok(())
    }

    fn delete_records(&mut self, percent: u8) -> Result<(), LogError> {
        if !self.harness.config.delete {
            return Ok(());
        }
        let offset = self.committed_at(percent);
        self.past.deleted_to = Some(offset).max(self.past.deleted_to);
        self.harness.log().write().advance_log_start_offset(offset)?;
        // Records that are deleted come back when a node dies before it has noted the log's start.
        self.harness.checkpoint()
    }

    fn compact(&mut self) -> Result<(), LogError> {
        let log = self.harness.log();
        let bound = {
            let log = log.read();
            log.last_stable_offset().min(log.segments().1).min(log.durable_end())
        };
        self.past.compacted_to = self.past.compacted_to.max(bound);
        let youngest = self.harness.now() - self.harness.config.min_compaction_lag_ms;
        self.past.newest_compacted = self.past.newest_compacted.max(youngest);
        self.harness.compact().map(drop)
    }

    /// Lets `act` happen in the middle of a pass, or behind it when it is over so soon.
    fn compact_and(
        &mut self,
        calls: u64,
        act: impl FnOnce() -> Result<(), LogError> + Send + 'static,
    ) -> Result<(), LogError> {
        let (sender, outcome) = std::sync::mpsc::channel();
        let disturbance = Box::new(move || drop(sender.send(act())));
        *self.harness.host.disturbance.lock() = Some((calls, disturbance));
        let compacted = self.compact();
        let left = self.harness.host.disturbance.lock().take();
        if let Some((_, act)) = left {
            act();
        }
        outcome.recv().unwrap()?;
        compacted
    }

    /// What was under way has failed: the node starts again on what is left.
    fn recover(&mut self) {
        loop {
            if self.power {
                self.harness.disk.lose_power();
                self.past.lost = true;
            }
            self.harness.disk.fail_after(u64::MAX);
            match self.restart() {
                Ok(()) => break,
                Err(error) => assert!(error.is_storage_failure(), "{error}"),
            }
        }
        let end = self.harness.log().read().log_end_offset();
        let acknowledged = if self.power { self.durable } else { self.lowest_end };
        assert!(end >= acknowledged && end <= self.harness.end().max(acknowledged), "the log ends at {end}");
        self.committed = self.committed.min(end);
        let log = self.harness.log();
        let left: BTreeSet<i64> = read(&log).iter().map(|batch| batch.header.base_offset).collect();
        // What was not on disk may be lost in any part.
        let known_lost =
            |batch: &ModelBatch| batch.base_offset >= acknowledged && !left.contains(&batch.base_offset);
        self.harness.batches.retain(|batch| batch.next_offset() <= end && !known_lost(batch));
        self.harness.next_offset = end;
        self.harness.recount();
    }

    fn run(&mut self, operations: &[Operation]) {
        for operation in operations {
            self.lowest_end = self.harness.end();
            let done = self.step(operation);
            let failing = matches!(operation, Operation::Fail { .. });
            self.committed = self.committed.max(self.harness.log().read().high_watermark());
            match done {
                Ok(()) if failing => continue,
                Ok(()) => {
                    let log = self.harness.log();
                    self.durable = log.read().durable_end();
                    if self.harness.is_powered() {
                        self.harness.check(&mut self.past);
                        continue;
                    }
                }
                Err(error) => assert!(error.is_storage_failure(), "{error}"),
            }
            self.recover();
            self.harness.check(&mut self.past);
        }
        self.harness.disk.fail_after(u64::MAX);
        self.harness.restart().unwrap();
    }
}

fn run(seed: u64, config: LogConfig, keys: usize, power: bool, operations: &[Operation]) {
    let harness = Harness::new(seed, config, keys * 24);
    let mut run = Run { harness, past: Past::default(), power, lowest_end: 0, durable: 0, committed: 0 };
    run.run(operations);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_or_comes_back_when_processes_die(
        seed in any::<u64>(),
        config in config(),
        keys in 3..60usize,
        operations in prop::collection::vec(operation(), 20..160),
    ) {
        run(seed, config, keys, false, &operations);
    }

    #[test]
    fn nothing_is_lost_or_comes_back_when_the_power_fails(
        seed in any::<u64>(),
        config in config(),
        keys in 3..60usize,
        operations in prop::collection::vec(operation(), 20..160),
    ) {
        run(seed, config, keys, true, &operations);
    }
}
