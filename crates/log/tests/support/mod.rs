//! Small builders that the tests of the log share.

#![allow(dead_code, reason = "each test file uses some of them")]

use std::path::Path;
use std::sync::Arc;

use barnabas_disk::{Disk, MemoryDisk, OpenFiles};
use barnabas_log::{AppendBatch, AppendInfo, Log, LogConfig, OpenOptions};
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::control::ControlRecordType;
use barnabas_protocol::Uuid;

pub(crate) const DIR: &str = "/data/topic-0";

/// A batch to be built.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) records: usize,
    pub(crate) value_bytes: usize,
    pub(crate) timestamp: i64,
    pub(crate) config: BuilderConfig,
}

impl Batch {
    pub(crate) fn of(records: usize) -> Self {
        let config = BuilderConfig { leader_epoch: 0, ..BuilderConfig::default() };
        Self { records, value_bytes: 10, timestamp: 0, config }
    }

    pub(crate) fn producer(mut self, id: i64, epoch: i16, sequence: i32) -> Self {
        (self.config.producer_id, self.config.producer_epoch, self.config.base_sequence) =
            (id, epoch, sequence);
        self
    }

    pub(crate) fn transactional(mut self) -> Self {
        self.config.transactional = true;
        self
    }

    pub(crate) fn epoch(mut self, leader_epoch: i32) -> Self {
        self.config.leader_epoch = leader_epoch;
        self
    }

    pub(crate) fn at(mut self, timestamp: i64) -> Self {
        self.timestamp = timestamp;
        self
    }

    pub(crate) fn value_bytes(mut self, value_bytes: usize) -> Self {
        self.value_bytes = value_bytes;
        self
    }

    pub(crate) fn build(&self, base_offset: i64) -> Vec<u8> {
        let mut builder = BatchBuilder::new(BuilderConfig { base_offset, ..self.config });
        for _ in 0..self.records {
            builder.append(self.timestamp, None, Some(&vec![7; self.value_bytes]), &[]).unwrap();
        }
        builder.finish().unwrap()
    }
}

/// A log on a disk of its own.
pub(crate) struct Fixture {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) config: Arc<LogConfig>,
    pub(crate) log: Log,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(LogConfig::default())
    }

    pub(crate) fn with(config: LogConfig) -> Self {
        Self::on(Arc::new(MemoryDisk::new()), config)
    }

    pub(crate) fn on(disk: Arc<dyn Disk>, config: LogConfig) -> Self {
        let config = Arc::new(config);
        let log = open(&disk, &config, OpenOptions::default());
        Self { disk, config, log }
    }

    pub(crate) fn reopen(&mut self, options: OpenOptions) {
        self.log = open(&self.disk, &self.config, options);
    }

    pub(crate) fn append(&mut self, batch: Batch) -> AppendInfo {
        let bytes = batch.build(self.log.log_end_offset());
        self.log.append_as_leader(&[AppendBatch::from_bytes(&bytes).unwrap()], 0).unwrap()
    }

    pub(crate) fn end_transaction(&mut self, producer_id: i64, epoch: i16, committed: bool) -> AppendInfo {
        self.end_transaction_in(producer_id, epoch, committed, 0)
    }

    /// As `end_transaction`, with a marker of that leader epoch.
    pub(crate) fn end_transaction_in(
        &mut self,
        producer_id: i64,
        epoch: i16,
        committed: bool,
        leader_epoch: i32,
    ) -> AppendInfo {
        let kind = if committed { ControlRecordType::Commit } else { ControlRecordType::Abort };
        let mut builder = BatchBuilder::new(BuilderConfig {
            base_offset: self.log.log_end_offset(),
            producer_id,
            producer_epoch: epoch,
            transactional: true,
            control: true,
            leader_epoch,
            ..BuilderConfig::default()
        });
        builder.append(0, Some(&kind.key()), Some(&[0, 0, 0, 0, 0, 0]), &[]).unwrap();
        let bytes = builder.finish().unwrap();
        self.log.append_as_leader(&[AppendBatch::from_bytes(&bytes).unwrap()], 0).unwrap()
    }
}

pub(crate) fn open(disk: &Arc<dyn Disk>, config: &Arc<LogConfig>, options: OpenOptions) -> Log {
    let files = Arc::new(OpenFiles::new(disk.clone(), 8));
    let id = Uuid([7; 16]);
    Log::open(files, Path::new(DIR), "topic", 0, id, config.clone(), options, 0, &mut |_| {}).unwrap().0
}
