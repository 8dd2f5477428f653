//! What must be true of a compacted log.

use std::collections::{BTreeMap, BTreeSet};

use barnabas_log::LogRef;
use barnabas_protocol::batch::{batches, BatchHeader};

use crate::harness::{Harness, ModelBatch, Written};

/// What was found out so far about what may be missing.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// Offsets that were missing once: they never come back.
    pub(crate) gone: BTreeSet<i64>,
    /// No pass could have gone through what lies from here on.
    pub(crate) compacted_to: i64,
    /// No record younger than this has been in a pass.
    pub(crate) newest_compacted: i64,
    /// Up to where records were deleted at most: they may be there or not, and producers be forgotten with them.
    pub(crate) deleted_to: Option<i64>,
    /// Whether records at the end were lost: a producer's last batch may then be one that was compacted when it
    /// was not the last.
    pub(crate) lost: bool,
}

/// Offset, timestamp, key and value of a record as it was read.
pub(crate) type FoundRecord = (i64, i64, Option<u8>, Option<Vec<u8>>);

/// A batch as it was read.
pub(crate) struct Found {
    pub(crate) header: BatchHeader,
    pub(crate) records: Vec<FoundRecord>,
}

/// All batches from the log's start on.
pub(crate) fn read(log: &LogRef) -> Vec<Found> {
    let log = log.read();
    let (mut offset, end) = (log.log_start_offset(), log.log_end_offset());
    let mut found = Vec::new();
    let mut previous = -1;
    while offset < end {
        let Some(slice) = log.read(offset, 300, end, true).unwrap().slice else { break };
        for batch in batches(&slice.read().unwrap()) {
            let Ok(batch) = batch else { break };
            let header = batch.header;
            assert!(batch.crc_is_valid());
            assert!(header.base_offset > previous, "offset {} follows {previous}", header.base_offset);
            previous = header.last_offset();
            offset = header.next_offset();
            let records = batch.records(1 << 20).unwrap();
            let records = records.iter().map(|record| {
                let record = record.unwrap();
                let key = record.key.map(|key| key[key.len() - 1]);
                (record.offset, record.timestamp, key, record.value.map(<[u8]>::to_vec))
            });
            found.push(Found { header, records: records.collect() });
        }
    }
    found
}

impl Harness {
    /// Compares the log with the model.
    pub(crate) fn check(&self, past: &mut Past) {
        let log = self.log();
        let (start, end) = (log.read().log_start_offset(), log.read().log_end_offset());
        assert_eq!(end, self.end().max(start));
        let start = start.max(past.deleted_to.unwrap_or(0));
        let found = read(&log);
        let written: BTreeMap<i64, &Written> = self
            .batches
            .iter()
            .flat_map(|batch| &batch.records)
            .map(|record| (record.offset, record))
            .collect();
        let mut present = BTreeSet::new();
        for batch in found.iter().filter(|batch| !batch.header.is_control()) {
            for (offset, timestamp, key, value) in &batch.records {
                let original = written[offset];
                let same =
                    (original.timestamp, Some(original.key), &original.value) == (*timestamp, *key, value);
                assert!(same, "the record at offset {offset} is another one");
                present.insert(*offset);
            }
        }
        let visible: Vec<i64> = written.keys().copied().filter(|offset| *offset >= start).collect();
        for offset in &visible {
            if present.contains(offset) {
                assert!(!past.gone.contains(offset), "offset {offset} has come back");
                continue;
            }
            assert!(
                *offset < past.compacted_to,
                "offset {offset} of {start}..{end} is missing, where {} is compacted at most; there are {present:?} in {:?}",
                past.compacted_to,
                self.files(),
            );
            assert!(written[offset].timestamp <= past.newest_compacted, "offset {offset} was too young");
            past.gone.insert(*offset);
        }
        self.check_newest(&log, &found, start);
        self.check_producers(&log, past);
    }

    /// A reader of committed records learns the newest value of every key.
    fn check_newest(&self, log: &LogRef, found: &[Found], start: i64) {
        let stable = log.read().last_stable_offset();
        let mut aborted = log.read().aborted_transactions(start, stable).unwrap();
        aborted.sort_by_key(|txn| std::cmp::Reverse(txn.first_offset));
        let mut skipped = BTreeSet::new();
        let mut newest: BTreeMap<u8, Option<Vec<u8>>> = BTreeMap::new();
        for batch in found.iter().filter(|batch| batch.header.last_offset() < stable) {
            while aborted.last().is_some_and(|txn| txn.first_offset <= batch.header.last_offset()) {
                skipped.extend(aborted.pop().map(|txn| txn.producer_id));
            }
            if batch.header.is_control() {
                skipped.remove(&batch.header.producer_id);
                continue;
            }
            if batch.header.is_transactional() && skipped.contains(&batch.header.producer_id) {
                continue;
            }
            for (_, _, key, value) in batch.records.iter().filter(|record| record.0 >= start) {
                newest.insert(key.unwrap(), value.clone());
            }
        }
        let mut expected: BTreeMap<u8, Option<Vec<u8>>> = BTreeMap::new();
        for (index, batch) in self.batches.iter().enumerate() {
            if batch.next_offset() > stable || !self.is_committed(index, batch) {
                continue;
            }
            for record in batch.records.iter().filter(|record| record.offset >= start) {
                expected.insert(record.key, record.value.clone());
            }
        }
        // Once it has outlived its horizon, a tombstone is gone with what it stood for.
        newest.retain(|_, value| value.is_some());
        expected.retain(|_, value| value.is_some());
        let aborted = log.read().aborted_transactions(start, stable).unwrap();
        assert_eq!(
            newest,
            expected,
            "start {start}, stable {stable}, aborted {aborted:?}, files {:?}, batches {:?}",
            self.files(),
            found
                .iter()
                .map(|batch| (
                    batch.header.base_offset,
                    batch.header.producer_id,
                    batch.header.is_control(),
                    batch.header.records_count
                ))
                .collect::<Vec<_>>()
        );
    }

    fn is_committed(&self, index: usize, batch: &ModelBatch) -> bool {
        if !batch.transactional {
            return batch.marker.is_none();
        }
        let mut later = self.batches[index..].iter();
        let marker = later.find(|other| other.producer_id == batch.producer_id && other.marker.is_some());
        batch.marker.is_none() && marker.is_some_and(|marker| marker.marker == Some(true))
    }

    /// Producers go on from where they were.
    fn check_producers(&self, log: &LogRef, past: &Past) {
        let log = log.read();
        for (id, writer) in self.writers.iter().enumerate().skip(1) {
            let has_written = self.batches.iter().any(|batch| batch.producer_id == id as i64);
            let known = log.producers().producer(id as i64);
            assert!(
                known.is_some() || !has_written || past.deleted_to.is_some() || past.lost,
                "producer {id} is forgotten"
            );
            let Some(known) = known.filter(|_| past.deleted_to.is_none() && !past.lost) else { continue };
            assert_eq!((known.epoch, known.last_sequence()), (writer.epoch, writer.next_sequence - 1));
            assert_eq!(known.current_txn_first_offset.is_some(), writer.open, "producer {id}");
        }
    }
}
