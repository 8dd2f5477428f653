//! `.snapshot`: the producers of a partition as of the offset in the file's name.
//!
//! Content: version i16 (1), then the message ProducerSnapshot, whose first field is the CRC-32C of what
//! follows it. Of each producer only the last batch is kept.

use std::collections::{BTreeMap, VecDeque};

use barnabas_protocol::crc::crc32c;
use barnabas_protocol::generated::producer_snapshot::{ProducerEntry as Entry, ProducerSnapshot};
use barnabas_protocol::wire::{DecodeError, EncodeError, Reader, Writer};
use barnabas_protocol::ProducerId;

use crate::producer_state::{ProducerBatch, ProducerEntry};

const VERSION: i16 = 1;
/// Where the content that the checksum covers begins: behind version and checksum.
const COVERED_FROM: usize = 6;

/// Why a file is no snapshot that can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("version {0} is unknown")]
    Version(i16),
    #[error("checksum {computed} is not the stored {stored}")]
    Crc { stored: u32, computed: u32 },
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// The file's content.
pub(crate) fn encode(producers: &BTreeMap<ProducerId, ProducerEntry>) -> Result<Vec<u8>, EncodeError> {
    let mut entries: Vec<Entry> = producers.iter().map(|(id, entry)| encode_entry(*id, entry)).collect();
    // The order has no meaning, but with this one the bytes are those that Apache Kafka writes.
    entries.sort_by_key(|entry| hash_bucket(entry.producer_id, producers.len()));
    let mut writer = Writer::new();
    writer.i16(VERSION);
    ProducerSnapshot { crc: 0, producer_entries: entries }.encode(&mut writer, VERSION)?;
    let mut bytes = writer.into_bytes();
    let crc = crc32c(&bytes[COVERED_FROM..]);
    bytes[COVERED_FROM - 4..COVERED_FROM].copy_from_slice(&crc.to_be_bytes());
    Ok(bytes)
}

/// Where `java.util.HashMap` keeps a `Long` when it has grown to `count` entries.
fn hash_bucket(producer_id: ProducerId, count: usize) -> u32 {
    let mut table = 16;
    while count > table / 4 * 3 {
        table *= 2;
    }
    let hash = (producer_id ^ ((producer_id as u64) >> 32) as i64) as u32;
    (hash ^ (hash >> 16)) & (table as u32 - 1)
}

fn encode_entry(producer_id: ProducerId, entry: &ProducerEntry) -> Entry {
    let last = entry.batches.back();
    Entry {
        producer_id,
        epoch: entry.epoch,
        last_sequence: entry.last_sequence(),
        last_offset: last.map_or(-1, |batch| batch.last_offset),
        offset_delta: last.map_or(0, |batch| batch.offset_delta),
        timestamp: entry.last_timestamp,
        coordinator_epoch: entry.coordinator_epoch,
        current_txn_first_offset: entry.current_txn_first_offset.unwrap_or(-1),
    }
}

/// The producers in a file's content.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<(ProducerId, ProducerEntry)>, SnapshotError> {
    let mut reader = Reader::new(bytes);
    match reader.i16()? {
        VERSION => {}
        other => return Err(SnapshotError::Version(other)),
    }
    let computed = crc32c(bytes.get(COVERED_FROM..).unwrap_or_default());
    let snapshot = ProducerSnapshot::decode(&mut reader, VERSION)?;
    if snapshot.crc != computed {
        return Err(SnapshotError::Crc { stored: snapshot.crc, computed });
    }
    Ok(snapshot.producer_entries.iter().map(decode_entry).collect())
}

fn decode_entry(entry: &Entry) -> (ProducerId, ProducerEntry) {
    let last = ProducerBatch {
        last_sequence: entry.last_sequence,
        last_offset: entry.last_offset,
        offset_delta: entry.offset_delta,
        timestamp: entry.timestamp,
    };
    let batches = if last.last_offset >= 0 { VecDeque::from([last]) } else { VecDeque::new() };
    let state = ProducerEntry {
        epoch: entry.epoch,
        coordinator_epoch: entry.coordinator_epoch,
        last_timestamp: entry.timestamp,
        current_txn_first_offset: Some(entry.current_txn_first_offset).filter(|offset| *offset >= 0),
        batches,
    };
    (entry.producer_id, state)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(last_offset: i64) -> ProducerEntry {
        let batch = ProducerBatch { last_sequence: 4, last_offset, offset_delta: 4, timestamp: 99 };
        ProducerEntry {
            epoch: 2,
            coordinator_epoch: -1,
            last_timestamp: 99,
            current_txn_first_offset: None,
            batches: VecDeque::from([batch]),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let producers = BTreeMap::from([(1000, entry(4)), (7, entry(9))]);
        let bytes = encode(&producers).unwrap();
        assert_eq!(bytes.len(), 2 + 4 + 4 + 2 * 46);
        assert_eq!(decode(&bytes).unwrap().into_iter().collect::<BTreeMap<_, _>>(), producers);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = encode(&BTreeMap::from([(1000, entry(4))])).unwrap();
        for bit in 0..8 * bytes.len() {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "length {length}");
        }
    }
}
