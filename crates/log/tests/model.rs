//! Random operations on a log, crashes included, against a list of batches in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::hash_map::RandomState;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::sync::Arc;

use barnabas_disk::{Disk, MemoryDisk, Open, OpenFiles};
use barnabas_log::{AppendBatch, AppendOrigin, Checked, Log, LogConfig, LogError, OpenOptions};
use barnabas_protocol::batch::{batches, BatchHeader};
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::Uuid;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const DIR: &str = "/data/topic-0";
const LOG_SUFFIX: &str = ".log";

#[derive(Debug, Clone)]
struct BatchSpec {
    records: usize,
    value_bytes: usize,
    timestamp: i64,
    producer: Option<i64>,
}

#[derive(Debug, Clone)]
enum Operation {
    Append(Vec<BatchSpec>),
    Replicate { gap: i64, batch: BatchSpec },
    Roll,
    Flush,
    Truncate { percent: u8 },
    TruncateFully { at: i64 },
    AdvanceStart { percent: u8 },
    Retain { bytes: u64 },
    RemoveFiles,
    Reopen,
    Crash,
    TearTail { bytes: u64 },
    FlipTail { back: u64, bit: u8 },
    LoseIndexes,
}

fn batch_spec() -> impl Strategy<Value = BatchSpec> {
    let producer = prop_oneof![3 => Just(None), 2 => (0..3i64).prop_map(Some)];
    (1..4usize, 0..160usize, 0..500i64, producer).prop_map(|(records, value_bytes, timestamp, producer)| {
        BatchSpec { records, value_bytes, timestamp, producer }
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        12 => prop::collection::vec(batch_spec(), 1..5).prop_map(Operation::Append),
        2 => (0..5i64, batch_spec()).prop_map(|(gap, batch)| Operation::Replicate { gap, batch }),
        1 => Just(Operation::Roll),
        2 => Just(Operation::Flush),
        1 => (0..=100u8).prop_map(|percent| Operation::Truncate { percent }),
        1 => (0..50i64).prop_map(|at| Operation::TruncateFully { at }),
        1 => (0..=100u8).prop_map(|percent| Operation::AdvanceStart { percent }),
        1 => (0..6000u64).prop_map(|bytes| Operation::Retain { bytes }),
        1 => Just(Operation::RemoveFiles),
        2 => Just(Operation::Reopen),
        2 => Just(Operation::Crash),
        1 => (1..400u64).prop_map(|bytes| Operation::TearTail { bytes }),
        1 => (1..200u64, 0..8u8).prop_map(|(back, bit)| Operation::FlipTail { back, bit }),
        1 => Just(Operation::LoseIndexes),
    ]
}

fn config() -> impl Strategy<Value = LogConfig> {
    (600..4000u64, 0..600u64, 24..2000u32, any::<bool>()).prop_map(
        |(segment_bytes, index_interval_bytes, segment_index_bytes, preallocate)| LogConfig {
            segment_bytes: segment_bytes.max(2600),
            index_interval_bytes,
            segment_index_bytes,
            preallocate,
            retention_ms: None,
            segment_ms: 300,
            segment_jitter_ms: 100,
            ..LogConfig::default()
        },
    )
}

/// The log as it ought to be.
struct Model {
    batches: Vec<Vec<u8>>,
    start: i64,
    end: i64,
    sequences: BTreeMap<i64, i32>,
}

impl Model {
    fn header(bytes: &[u8]) -> BatchHeader {
        BatchHeader::parse(bytes).unwrap()
    }

    fn truncate(&mut self, offset: i64) {
        let kept = self.batches.iter().take_while(|batch| Self::header(batch).last_offset() < offset).count();
        let cut = self.batches.get(kept).map_or(offset, |batch| Self::header(batch).base_offset);
        self.batches.truncate(kept);
        self.end = self.end.min(offset).min(cut);
        self.start = self.start.min(self.end);
    }

    fn next_sequence(&self, producer: i64) -> i32 {
        self.sequences.get(&producer).map_or(0, |last| last + 1)
    }

    fn build(&self, spec: &BatchSpec, base_offset: i64, base_sequence: Option<i32>) -> Vec<u8> {
        let config = BuilderConfig {
            base_offset,
            producer_id: spec.producer.unwrap_or(-1),
            producer_epoch: if spec.producer.is_some() { 0 } else { -1 },
            base_sequence: base_sequence.unwrap_or(-1),
            leader_epoch: (base_offset / 40) as i32,
            ..BuilderConfig::default()
        };
        let mut builder = BatchBuilder::new(config);
        for index in 0..spec.records {
            let value = vec![base_offset as u8; spec.value_bytes];
            builder.append(spec.timestamp + index as i64, None, Some(&value), &[]).unwrap();
        }
        builder.finish().unwrap()
    }

    /// Last sequence of each producer in what is left.
    fn recount(&mut self) {
        self.sequences.clear();
        for batch in &self.batches {
            let header = Self::header(batch);
            if header.has_producer_id() {
                self.sequences.insert(header.producer_id, header.last_sequence());
            }
        }
    }
}

struct Harness {
    disk: MemoryDisk,
    config: Arc<LogConfig>,
    log: Log,
    model: Model,
    now: i64,
}

fn open(disk: &MemoryDisk, config: &Arc<LogConfig>, options: OpenOptions, now: i64) -> Log {
    // Two open files at most: descriptors come and go all the time.
    let files = Arc::new(OpenFiles::new(Arc::new(disk.clone()), 2));
    let id = Uuid([7; 16]);
    Log::open(files, Path::new(DIR), "topic", 0, id, config.clone(), options, now, &mut |_| {}).unwrap().0
}

impl Harness {
    fn new(config: LogConfig) -> Self {
        let (disk, config) = (MemoryDisk::new(), Arc::new(config));
        let log = open(&disk, &config, OpenOptions::default(), 0);
        let model = Model { batches: Vec::new(), start: 0, end: 0, sequences: BTreeMap::new() };
        Self { disk, config, log, model, now: 0 }
    }

    fn offset_at(&self, percent: u8) -> i64 {
        self.model.start + (self.model.end - self.model.start) * percent as i64 / 100
    }

    fn append(&mut self, specs: &[BatchSpec]) {
        let mut built: Vec<Vec<u8>> = Vec::new();
        let mut next = self.model.end;
        for spec in specs {
            let sequence = spec.producer.map(|producer| self.model.next_sequence(producer));
            let bytes = self.model.build(spec, next, sequence);
            let header = Model::header(&bytes);
            next = header.next_offset();
            if let Some(producer) = spec.producer {
                self.model.sequences.insert(producer, header.last_sequence());
            }
            built.push(bytes);
        }
        let parts: Vec<_> = built.iter().map(|bytes| AppendBatch::from_bytes(bytes).unwrap()).collect();
        let info = self.log.append_as_leader(&parts, self.now).unwrap();
        assert_eq!((info.first_offset, info.last_offset), (self.model.end, next - 1));
        self.model.end = next;
        self.model.batches.extend(built);
    }

    fn replicate(&mut self, gap: i64, spec: &BatchSpec) {
        let sequence = spec.producer.map(|producer| self.model.next_sequence(producer));
        let bytes = self.model.build(spec, self.model.end + gap, sequence);
        let header = Model::header(&bytes);
        let torn = [&bytes[..], &bytes[..bytes.len() / 2]].concat();
        self.log.append_as_follower(&torn, self.now).unwrap();
        if let Some(producer) = spec.producer {
            self.model.sequences.insert(producer, header.last_sequence());
        }
        self.model.end = header.next_offset();
        self.model.batches.push(bytes);
    }

    fn reopen(&mut self, clean: bool, recovery_point: i64) {
        let options = OpenOptions {
            recovery_point,
            log_start_offset: self.model.start,
            high_watermark: self.model.end,
            clean_shutdown: clean,
            ..OpenOptions::default()
        };
        let segment = self.log.segments().1;
        self.log = open(&self.disk, &self.config, options, self.now);
        // Offsets at the end that no batch covers (a truncation between two batches) are given out again.
        let last = self.model.batches.last().map(|batch| Model::header(batch).next_offset());
        self.model.end = last.unwrap_or(segment).max(segment);
        if self.model.start > self.model.end {
            self.model.end = self.model.start;
        }
    }

    /// Path of the newest segment, where its batches end, and where the last one begins.
    fn tail(&self) -> Option<(std::path::PathBuf, u64, u64)> {
        let position = self.log.log_end_position();
        let name = format!("{:020}{LOG_SUFFIX}", position.segment_base_offset);
        let last = self.model.batches.last().filter(|_| position.position > 0)?;
        Some((Path::new(DIR).join(name), position.position, position.position - last.len() as u64))
    }

    /// Whatever lies behind `position` of the newest segment is lost.
    fn lose_from(&mut self, position: u64) {
        let mut end = self.log.log_end_position().position;
        while end > position {
            let batch = self.model.batches.pop().unwrap();
            end -= batch.len() as u64;
            self.model.end = Model::header(&batch).base_offset;
        }
        // An offset that no batch covers belongs to nobody.
        let last = self.model.batches.last().map(|batch| Model::header(batch).next_offset());
        let segment = self.log.log_end_position().segment_base_offset;
        self.model.end = last.unwrap_or(segment).max(segment);
    }

    fn run(&mut self, operation: &Operation) {
        self.now += 40;
        match operation {
            Operation::Append(specs) => self.append(specs),
            Operation::Replicate { gap, batch } => self.replicate(*gap, batch),
            Operation::Roll => self.log.roll(self.now).unwrap(),
            Operation::Flush => self.log.flush(self.model.end, self.now).unwrap(),
            Operation::Truncate { percent } => {
                let offset = self.offset_at(*percent);
                self.log.truncate_to(offset, self.now).unwrap();
                self.model.truncate(offset);
                self.model.recount();
            }
            Operation::TruncateFully { at } => {
                self.log.truncate_fully_and_start_at(*at, self.now).unwrap();
                self.model = Model { batches: vec![], start: *at, end: *at, sequences: BTreeMap::new() };
            }
            Operation::AdvanceStart { percent } => {
                let offset = self.offset_at(*percent);
                self.log.update_high_watermark(self.model.end);
                self.log.advance_log_start_offset(offset).unwrap();
                self.model.start = offset;
            }
            Operation::Retain { bytes } => {
                self.log.update_high_watermark(self.model.end);
                let config = LogConfig { retention_bytes: Some(*bytes), ..(*self.config).clone() };
                self.log.update_config(Arc::new(config));
                self.log.delete_old_segments(self.now).unwrap();
                self.log.update_config(self.config.clone());
                self.model.start = self.model.start.max(self.log.log_start_offset());
                assert!(self.log.size() < bytes + self.config.segment_bytes);
            }
            Operation::RemoveFiles => {
                for deletion in self.log.take_due_deletions(i64::MAX) {
                    deletion.run().unwrap();
                }
            }
            Operation::Reopen => {
                self.log.close(true, self.now).unwrap();
                self.reopen(true, 0);
            }
            Operation::Crash => self.reopen(false, self.log.recovery_point()),
            Operation::TearTail { bytes } => {
                let Some((path, end, _)) = self.tail() else { return };
                let length = end.saturating_sub(*bytes);
                self.disk.open(&path, Open::Write).unwrap().set_len(length).unwrap();
                self.lose_from(length);
                self.damaged();
            }
            Operation::FlipTail { back, bit } => {
                let Some((path, end, last)) = self.tail() else { return };
                // Base offset and leader epoch are outside the checksum.
                let at = end.saturating_sub(*back).max(last + 17);
                let file = self.disk.open(&path, Open::Write).unwrap();
                let mut byte = [0];
                file.read_exact_at(&mut byte, at).unwrap();
                file.write_all_at(&[byte[0] ^ (1 << bit)], at).unwrap();
                self.lose_from(at);
                self.damaged();
            }
            Operation::LoseIndexes => {
                self.log.close(true, self.now).unwrap();
                for entry in self.disk.list(Path::new(DIR)).unwrap() {
                    if entry.name.ends_with("index") {
                        self.disk.remove_file(&Path::new(DIR).join(entry.name)).unwrap();
                    }
                }
                self.reopen(true, 0);
            }
        }
    }

    /// The log was cut by damage: it is opened again, and everything from its start is checked.
    fn damaged(&mut self) {
        self.model.start = self.model.start.min(self.model.end);
        self.reopen(false, 0);
        // What the cut batches' producers had written before is known from the batches that are left.
        self.model.recount();
    }

    fn check(&self) {
        assert_eq!(self.log.log_end_offset(), self.model.end);
        assert_eq!(self.log.log_start_offset(), self.model.start);
        self.check_reads();
        self.check_times();
        self.check_producers();
    }

    fn check_reads(&self) {
        let (start, end) = (self.model.start, self.model.end);
        let visible: Vec<_> =
            self.model.batches.iter().filter(|batch| Model::header(batch).last_offset() >= start).collect();
        let mut offset = start;
        let mut read = Vec::new();
        loop {
            let found = self.log.read(offset, 700, end, true).unwrap();
            let Some(slice) = found.slice else { break };
            let bytes = slice.read().unwrap();
            for batch in batches(&bytes) {
                let Ok(batch) = batch else { break };
                assert!(batch.crc_is_valid());
                offset = batch.header.next_offset();
                read.push(batch.bytes.to_vec());
            }
        }
        assert!(read.iter().eq(visible.iter().copied()), "read {} of {}", read.len(), visible.len());
        for batch in &visible {
            let header = Model::header(batch);
            let first = header.base_offset.max(start);
            let found = self.log.read(first, 1, end, true).unwrap();
            assert_eq!(found.length(), batch.len());
            assert_eq!(found.first_batch.unwrap().base_offset, header.base_offset);
            // Nothing of a batch is served before the bound has passed it.
            let bounded = self.log.read(start, usize::MAX, header.last_offset(), true).unwrap();
            let last = bounded.slice.map(|slice| slice.read().unwrap());
            for served in last.iter().flat_map(|bytes| batches(bytes)) {
                assert!(served.unwrap().header.last_offset() < header.last_offset());
            }
        }
        assert!(matches!(self.log.read(end + 1, 1, end, true), Err(LogError::OffsetOutOfRange { .. })));
        assert!(matches!(self.log.read(start - 1, 1, end, true), Err(LogError::OffsetOutOfRange { .. })));
    }

    fn check_times(&self) {
        let mut records = Vec::new();
        for batch in &self.model.batches {
            let batch = barnabas_protocol::batch::Batch::parse(batch).unwrap();
            for record in &batch.records(1 << 20).unwrap() {
                let record = record.unwrap();
                if record.offset >= self.model.start {
                    records.push((record.timestamp, record.offset));
                }
            }
        }
        for timestamp in [0, 100, 250, 400, 502, 600] {
            let expected = records.iter().find(|(time, _)| *time >= timestamp).copied();
            let found = self.log.offset_for_timestamp(timestamp).unwrap();
            assert_eq!(found.map(|found| (found.timestamp, found.offset)), expected, "at {timestamp}");
        }
    }

    fn check_producers(&self) {
        for (producer, last) in &self.model.sequences {
            let spec = BatchSpec { records: 1, value_bytes: 0, timestamp: 0, producer: Some(*producer) };
            let next = Model::header(&self.model.build(&spec, 0, Some(last + 1)));
            let checked = self.log.check_producer(&next, AppendOrigin::Client);
            assert_eq!(checked, Ok(Checked::New), "producer {producer} after {last}");
        }
        for producer in self.log.active_producers() {
            let last = self.model.sequences.get(&producer.producer_id);
            assert_eq!(Some(&producer.last_sequence), last, "producer {}", producer.producer_id);
        }
    }
}

/// Operations of a run, at least; OPERATIONS says another number.
const OPERATIONS: usize = 100_000;
/// Operations on one log.
const OPERATIONS_EACH: std::ops::Range<usize> = 40..80;

/// The run's seed is printed with whatever fails; PROPTEST_RNG_SEED repeats it.
fn run() -> ProptestConfig {
    let told = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = told("PROPTEST_RNG_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let operations = told("OPERATIONS").map_or(OPERATIONS, |count| count as usize);
    println!("{operations} operations, PROPTEST_RNG_SEED={seed}");
    let cases = operations.div_ceil(OPERATIONS_EACH.start) as u32;
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(seed), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(run())]

    #[test]
    fn the_log_does_what_the_list_does(
        config in config(),
        operations in prop::collection::vec(operation(), OPERATIONS_EACH),
    ) {
        let mut harness = Harness::new(config);
        for operation in &operations {
            harness.run(operation);
            harness.check();
        }
    }
}
