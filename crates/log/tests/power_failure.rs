//! A log on a disk whose power fails at any instant: what was durable is there, what is there is right.
//!
//! `SEEDS=10000 cargo test -p barnabas-log --test power_failure` looks longer, `SEED=7` at one seed alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use barnabas_disk::sim::{each_seed, Random, SimDisk};
use barnabas_disk::{Disk, OpenFiles};
use barnabas_log::{AbortedTxn, AppendBatch, AppendError, EpochEntry, Log, LogConfig, LogError, OpenOptions};
use barnabas_protocol::batch::{batches, Batch, BatchHeader};
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::control::ControlRecordType;
use barnabas_protocol::Uuid;

const DIR: &str = "/data/topic-0";
/// Operations of one run.
const OPERATIONS: usize = 60;
/// Producers from this one on write transactions.
const TRANSACTIONAL: i64 = 3;
const PRODUCERS: i64 = 5;

fn header(bytes: &[u8]) -> BatchHeader {
    BatchHeader::parse(bytes).unwrap()
}

struct Run {
    random: Random,
    disk: SimDisk,
    config: Arc<LogConfig>,
    log: Log,
    /// Everything that was written, by first offset; what a truncation has removed may come back.
    written: BTreeMap<i64, Vec<Vec<u8>>>,
    /// The log as it should be.
    batches: Vec<Vec<u8>>,
    start: i64,
    /// The largest start so far: a failure may take one back, and the epochs below it are forgotten.
    advanced: i64,
    end: i64,
    /// Below this nothing may be lost.
    durable: i64,
    /// What the checkpoints of the directory say.
    recovery_point: i64,
    log_start: i64,
    epoch: i32,
    now: i64,
    failures: usize,
    /// Retention has removed segments, of which the first may come back without the others.
    holes: bool,
}

fn open(disk: &SimDisk, config: &Arc<LogConfig>, options: OpenOptions, now: i64) -> Result<Log, LogError> {
    let files = Arc::new(OpenFiles::new(Arc::new(disk.clone()), 3));
    let id = Uuid([7; 16]);
    let opened = Log::open(files, Path::new(DIR), "topic", 0, id, config.clone(), options, now, &mut |_| {});
    opened.map(|(log, _)| log)
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut random = Random::new(seed);
        let disk = SimDisk::new(seed);
        disk.create_dir_all(Path::new("/data")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        let config = Arc::new(LogConfig {
            segment_bytes: 700 + random.below(6000),
            index_interval_bytes: random.below(600),
            segment_index_bytes: 24 + random.below(2000) as u32,
            preallocate: random.below(4) == 0,
            retention_ms: None,
            ..LogConfig::default()
        });
        let log = open(&disk, &config, OpenOptions::default(), 0).unwrap();
        Run {
            random,
            disk,
            config,
            log,
            written: BTreeMap::new(),
            batches: Vec::new(),
            start: 0,
            advanced: 0,
            end: 0,
            durable: 0,
            recovery_point: 0,
            log_start: 0,
            epoch: 0,
            now: 0,
            failures: 0,
            holes: false,
        }
    }

    fn batch(&mut self, base_offset: i64) -> Vec<u8> {
        let producer = self.random.below(PRODUCERS as u64 + 1) as i64 - 1;
        let sequence = match producer {
            -1 => -1,
            producer => self.log.producers().producer(producer).map_or(0, |entry| entry.last_sequence() + 1),
        };
        let mut builder = BatchBuilder::new(BuilderConfig {
            base_offset,
            producer_id: producer,
            producer_epoch: if producer < 0 { -1 } else { 0 },
            base_sequence: sequence,
            transactional: producer >= TRANSACTIONAL,
            leader_epoch: self.epoch,
            ..BuilderConfig::default()
        });
        let value = vec![base_offset as u8; self.random.below(200) as usize];
        for _ in 0..1 + self.random.below(3) {
            let timestamp = self.random.below(500) as i64;
            builder.append(timestamp, None, Some(&value), &[]).unwrap();
        }
        builder.finish().unwrap()
    }

    fn append(&mut self) -> Result<(), LogError> {
        let bytes = self.batch(self.end);
        self.write(bytes)
    }

    fn end_transaction(&mut self) -> Result<(), LogError> {
        let kind = [ControlRecordType::Commit, ControlRecordType::Abort][self.random.below(2) as usize];
        let mut builder = BatchBuilder::new(BuilderConfig {
            base_offset: self.end,
            producer_id: TRANSACTIONAL + self.random.below((PRODUCERS - TRANSACTIONAL) as u64) as i64,
            producer_epoch: 0,
            transactional: true,
            control: true,
            leader_epoch: self.epoch,
            ..BuilderConfig::default()
        });
        builder.append(0, Some(&kind.key()), Some(&[0; 6]), &[]).unwrap();
        self.write(builder.finish().unwrap())
    }

    fn write(&mut self, bytes: Vec<u8>) -> Result<(), LogError> {
        // Even a write that fails may be on the disk.
        self.written.entry(self.end).or_default().push(bytes.clone());
        match self.log.append_as_leader(&[AppendBatch::from_bytes(&bytes).unwrap()], self.now) {
            Ok(_) => {}
            Err(AppendError::Log(error)) => return Err(error),
            Err(error) => panic!("{error}"),
        }
        self.end = header(&bytes).next_offset();
        self.batches.push(bytes);
        Ok(())
    }

    /// A commit, with appends while the disk works.
    fn commit(&mut self, whole: bool) -> Result<(), LogError> {
        let flush = match whole {
            true => self.log.start_flush(self.end, self.now)?,
            false => self.log.start_commit(self.now)?,
        };
        let Some(flush) = flush else { return Ok(()) };
        for _ in 0..self.random.below(3) {
            self.append()?;
        }
        flush.run()?;
        self.log.finish_flush(&flush);
        self.durable = self.durable.max(self.log.durable_end());
        Ok(())
    }

    fn truncate(&mut self) -> Result<(), LogError> {
        let offset = self.start + self.random.below((self.end - self.start + 1) as u64) as i64;
        let kept = self.batches.iter().take_while(|batch| header(batch).last_offset() < offset).count();
        let cut = self.batches.get(kept).map_or(self.end, |batch| header(batch).base_offset.min(offset));
        // A follower writes the checkpoints down before it goes on: into the segment that will be the last one.
        self.recovery_point = self.recovery_point.min(cut - 1).max(0);
        self.log_start = self.log_start.min(cut);
        self.durable = self.durable.min(cut);
        self.log.truncate_to(offset, self.now)?;
        self.batches.truncate(kept);
        (self.start, self.end) = (self.log.log_start_offset(), self.log.log_end_offset());
        self.epoch += 1;
        Ok(())
    }

    fn retain(&mut self) -> Result<(), LogError> {
        self.log.update_high_watermark(self.end);
        let bytes = self.random.below(8000);
        let config = LogConfig { retention_bytes: Some(bytes), ..(*self.config).clone() };
        self.log.update_config(Arc::new(config));
        let deleted = self.log.delete_old_segments(self.now);
        self.log.update_config(self.config.clone());
        if let Err(error) = deleted {
            // Some of the segments are gone; which, a failure decides.
            self.start = self.start.max(self.log.segments().1);
            self.holes = true;
            return Err(error);
        }
        self.holes |= deleted.is_ok_and(|deleted| !deleted.is_empty());
        self.start = self.log.log_start_offset();
        for deletion in self.log.take_due_deletions(i64::MAX) {
            deletion.run()?;
        }
        Ok(())
    }

    fn reopen(&mut self, clean: bool) -> Result<(), LogError> {
        let options = OpenOptions {
            recovery_point: self.recovery_point,
            log_start_offset: self.log_start,
            high_watermark: self.durable,
            clean_shutdown: clean,
            ..OpenOptions::default()
        };
        self.log = open(&self.disk, &self.config, options, self.now)?;
        Ok(())
    }

    fn step(&mut self) -> Result<(), LogError> {
        self.now += 40;
        self.advanced = self.advanced.max(self.start);
        match self.random.below(30) {
            0..=10 => self.append(),
            11 | 12 => self.end_transaction(),
            13..=16 => self.commit(false),
            17..=18 => self.commit(true),
            19 => self.log.roll(self.now),
            20 => {
                self.epoch += 1;
                self.log.assign_epoch(self.epoch, self.end)
            }
            21 => self.truncate(),
            22 => self.retain(),
            23 => {
                self.log.update_high_watermark(self.end);
                self.start += self.random.below((self.end - self.start + 1) as u64) as i64;
                self.log.advance_log_start_offset(self.start).map(drop)
            }
            24 | 25 => {
                // Checkpoints are written atomically, which the disk's own tests are about.
                self.recovery_point = self.log.recovery_point();
                self.log_start = self.log.log_start_offset();
                Ok(())
            }
            26 => {
                self.log.close(true, self.now)?;
                self.durable = self.end;
                (self.recovery_point, self.log_start) = (self.end, self.start);
                self.reopen(true)?;
                self.disk.fail_after(u64::MAX);
                self.check();
                Ok(())
            }
            27 => {
                self.reopen(false)?; // Killed: the page cache stays.
                self.disk.fail_after(u64::MAX);
                self.settle_after_kill();
                self.check();
                Ok(())
            }
            _ => {
                let instant = self.random.below(25);
                self.disk.fail_after(instant);
                Ok(())
            }
        }
    }

    fn settle_after_kill(&mut self) {
        assert!(self.log.log_start_offset() <= self.start);
        assert!(self.log.log_end_offset() >= self.batches.last().map_or(0, |b| header(b).next_offset()));
        self.start = self.log.log_start_offset();
        self.adopt();
    }

    /// The power failed: what is left becomes the log as it should be.
    fn fail(&mut self) {
        self.failures += 1;
        loop {
            self.disk.lose_power();
            // It may fail again while the log is being recovered.
            if self.random.below(3) == 0 {
                let instant = self.random.below(25);
                self.disk.fail_after(instant);
            }
            match self.reopen(false) {
                Ok(()) => break self.disk.fail_after(u64::MAX),
                Err(error) => assert!(error.is_storage_failure(), "{error}"),
            }
        }
        // Offsets at the end that no batch covers, after a truncation between two, are given out again.
        let ends = self.batches.iter().map(|batch| header(batch).next_offset());
        let held = ends.filter(|end| *end <= self.durable).max().unwrap_or(0);
        assert!(self.log.log_end_offset() >= held, "{} of {held}", self.log.log_end_offset());
        let start = self.log.log_start_offset();
        let kept = self.read(self.start.max(start));
        let known = self.batches.iter().filter(|batch| {
            let header = header(batch);
            header.last_offset() >= self.start && header.last_offset() < self.durable
        });
        for (left, expected) in kept.iter().zip(known.clone()) {
            assert!(left == expected, "offset {}", header(expected).base_offset);
        }
        assert!(kept.len() >= known.count());
        self.advanced = self.advanced.max(self.start);
        self.start = start;
        self.adopt();
    }

    /// Takes over what the log holds, each batch of which was once written.
    fn adopt(&mut self) {
        let read = self.read(self.start);
        for batch in &read {
            let known = self.written.get(&header(batch).base_offset);
            assert!(known.is_some_and(|known| known.contains(batch)), "a batch that nobody wrote");
        }
        self.batches = read;
        self.end = self.log.log_end_offset();
        self.epoch = self.epoch.max(self.log.leader_epochs().latest().map_or(0, |latest| latest.epoch)) + 1;
    }

    fn read(&self, from: i64) -> Vec<Vec<u8>> {
        let mut offset = from;
        let mut read = Vec::new();
        while offset < self.log.log_end_offset() {
            let found = self.log.read(offset, 900, self.log.log_end_offset(), true).unwrap();
            let Some(slice) = found.slice else { break };
            for batch in batches(&slice.read().unwrap()) {
                let Ok(batch) = batch else { break };
                assert!(batch.crc_is_valid());
                offset = batch.header.next_offset();
                read.push(batch.bytes.to_vec());
            }
        }
        read
    }

    fn check(&self) {
        let visible = |batch: &&Vec<u8>| header(batch).last_offset() >= self.start;
        let expected: Vec<&Vec<u8>> = self.batches.iter().filter(visible).collect();
        let read = self.read(self.start);
        assert!(read.iter().eq(expected.iter().copied()), "read {} of {}", read.len(), expected.len());
        self.check_times();
        self.check_epochs();
        self.check_aborted();
        // Of a producer whose records are gone, its last marker may be all that is left.
        let mut last: BTreeMap<i64, i32> = BTreeMap::new();
        for batch in expected {
            let header = header(batch);
            if header.has_producer_id() && !header.is_control() {
                last.insert(header.producer_id, header.last_sequence());
            }
        }
        for producer in self.log.active_producers() {
            if let Some(last) = last.get(&producer.producer_id) {
                let same = producer.last_sequence == *last || (self.holes && producer.last_sequence > *last);
                assert!(same, "producer {}: {} and {last}", producer.producer_id, producer.last_sequence);
            }
        }
    }

    /// Readers of committed records are told to skip what was aborted, and nothing else.
    fn check_aborted(&self) {
        let mut open: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        let (mut aborted, mut others) = (Vec::new(), Vec::new());
        for batch in &self.batches {
            let header = header(batch);
            let producer = header.producer_id;
            if header.is_transactional() && !header.is_control() {
                open.entry(producer).or_default().push(header.base_offset);
            } else if header.is_control() {
                let ended = open.remove(&producer).unwrap_or_default();
                let marker = Batch::parse(batch).unwrap().records(1 << 20).unwrap();
                let key = marker.iter().next().unwrap().unwrap().key.unwrap().to_vec();
                let offsets = match ControlRecordType::from_key(&key).unwrap() {
                    ControlRecordType::Abort => &mut aborted,
                    _ => &mut others,
                };
                offsets.extend(ended.into_iter().map(|offset| (producer, offset)));
            }
        }
        let told = self.log.aborted_transactions(self.start, self.end).unwrap();
        let skipped = |(producer, offset): &(i64, i64)| {
            let covers = |one: &AbortedTxn| (one.first_offset..=one.last_offset).contains(offset);
            told.iter().any(|one| one.producer_id == *producer && covers(one))
        };
        let visible = |(_, offset): &&(i64, i64)| *offset >= self.start;
        for one in aborted.iter().filter(visible) {
            assert!(skipped(one), "{one:?} was aborted: {told:?}");
        }
        others.extend(open.into_iter().flat_map(|(id, offsets)| offsets.into_iter().map(move |at| (id, at))));
        for one in others.iter().filter(visible) {
            assert!(!skipped(one), "{one:?} was not aborted: {told:?}");
        }
    }

    fn check_times(&self) {
        let mut records = Vec::new();
        for batch in &self.batches {
            for record in &Batch::parse(batch).unwrap().records(1 << 20).unwrap() {
                let record = record.unwrap();
                if record.offset >= self.start {
                    records.push((record.timestamp, record.offset));
                }
            }
        }
        for timestamp in [0, 120, 300, 499] {
            let expected = records.iter().find(|(time, _)| *time >= timestamp).copied();
            let found = self.log.offset_for_timestamp(timestamp).unwrap();
            assert_eq!(found.map(|found| (found.timestamp, found.offset)), expected, "at {timestamp}");
        }
    }

    fn check_epochs(&self) {
        let mut expected: Vec<EpochEntry> = Vec::new();
        for batch in &self.batches {
            let header = header(batch);
            let known = header.last_offset() >= self.advanced;
            if known && expected.last().is_none_or(|last| last.epoch < header.partition_leader_epoch) {
                let start_offset = header.base_offset.max(self.advanced);
                expected.push(EpochEntry { epoch: header.partition_leader_epoch, start_offset });
            }
        }
        let epochs = self.log.leader_epochs();
        for entry in expected {
            let found = epochs.epoch_for_offset(entry.start_offset);
            assert_eq!(found, Some(entry.epoch), "at {} of {epochs:?}", entry.start_offset);
        }
    }
}

/// One run: operations until the power fails, what is left, and on. Returns (operations, power failures).
fn run(seed: u64) -> (usize, usize) {
    let mut run = Run::new(seed);
    for _ in 0..OPERATIONS {
        if let Err(error) = run.step() {
            assert!(error.is_storage_failure(), "{error}");
            run.fail();
            run.check();
        }
    }
    run.fail();
    run.check();
    (OPERATIONS, run.failures)
}

#[test]
fn what_was_durable_is_there_after_power_failures_at_any_instant() {
    let runs = each_seed(2000, run);
    let (operations, failures) = runs.iter().fold((0, 0), |(all, failed), run| (all + run.0, failed + run.1));
    println!("{operations} operations, {failures} power failures");
}
