#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use barnabas_protocol::batch::HEADER_SIZE;
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::compression::Compression;

/// A batch of key and value pairs from offset 10 on, as producer 7 wrote it.
fn batch(config: BuilderConfig, records: &[(&str, Option<&str>)]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BuilderConfig { base_offset: 10, ..config });
    for (index, (key, value)) in records.iter().enumerate() {
        let value = value.map(str::as_bytes);
        builder.append(1000 + index as i64, Some(key.as_bytes()), value, &[]).unwrap();
    }
    builder.finish().unwrap()
}

fn producer() -> BuilderConfig {
    BuilderConfig { producer_id: 7, producer_epoch: 2, base_sequence: 40, ..BuilderConfig::default() }
}

fn map(newest: &[(&str, Offset)]) -> OffsetMap {
    let mut map = OffsetMap::new([1, 2], 100, 1 << 16, 0.9);
    for (key, offset) in newest {
        assert!(map.put(key.as_bytes(), *offset));
    }
    map.looked_at(99);
    map
}

/// What becomes of a batch at time 5000, with an hour for tombstones.
fn filter(bytes: &[u8], map: &OffsetMap, last: &LastBatches, discardable: bool) -> Filtered {
    filter_at(5000, bytes, map, last, discardable)
}

fn filter_at(now: Millis, bytes: &[u8], map: &OffsetMap, last: &LastBatches, discardable: bool) -> Filtered {
    let filter = BatchFilter {
        map,
        last_batches: last,
        upper_bound: 100,
        now,
        delete_retention_ms: 3_600_000,
        decompressed_bytes_max: 1 << 20,
    };
    filter.filter(&Batch::parse(bytes).unwrap(), discardable).unwrap()
}

fn rewritten(filtered: Filtered) -> Vec<u8> {
    match filtered {
        Filtered::Rewritten(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

fn keys(bytes: &[u8]) -> Vec<(Offset, String)> {
    let batch = Batch::parse(bytes).unwrap();
    assert!(batch.crc_is_valid());
    let records = batch.records(1 << 20).unwrap();
    let key = |record: Record<'_>| String::from_utf8(record.key.unwrap().to_vec()).unwrap();
    records.iter().map(|record| record.unwrap()).map(|record| (record.offset, key(record))).collect()
}

#[test]
fn a_batch_of_newest_records_stays_as_it_is() {
    let bytes = batch(BuilderConfig::default(), &[("a", Some("1")), ("b", Some("2"))]);
    let filtered = filter(&bytes, &map(&[("a", 10), ("b", 11)]), &LastBatches::default(), false);
    assert_eq!(filtered, Filtered::Kept);
    // What the map has not looked at stays too.
    let unseen = OffsetMap::new([1, 2], 1, 100, 0.9);
    assert_eq!(filter(&bytes, &unseen, &LastBatches::default(), false), Filtered::Kept);
}

#[test]
fn what_stays_keeps_offsets_times_and_sequences() {
    for compression in [Compression::None, Compression::Lz4, Compression::Zstd] {
        let config = BuilderConfig { compression, ..producer() };
        let bytes = batch(config, &[("a", Some("1")), ("b", Some("2")), ("c", Some("3"))]);
        let newest = map(&[("a", 50), ("b", 11), ("c", 51)]);
        let out = rewritten(filter(&bytes, &newest, &LastBatches::default(), false));
        assert_eq!(keys(&out), [(11, "b".to_string())]);
        let (before, after) = (BatchHeader::parse(&bytes).unwrap(), BatchHeader::parse(&out).unwrap());
        assert_eq!((after.base_offset, after.last_offset()), (10, 12));
        assert_eq!((after.base_sequence, after.last_sequence()), (40, 42));
        assert_eq!((after.producer_id, after.producer_epoch), (7, 2));
        assert_eq!((after.base_timestamp, after.max_timestamp, after.records_count), (1001, 1001, 1));
        assert_eq!(after.compression().unwrap(), before.compression().unwrap());
    }
}

#[test]
fn a_batch_without_newest_records_goes_unless_its_producer_goes_on_from_it() {
    let bytes = batch(producer(), &[("a", Some("1")), ("b", Some("2"))]);
    let newest = map(&[("a", 50), ("b", 51)]);
    assert_eq!(filter(&bytes, &newest, &LastBatches::default(), false), Filtered::Dropped);
    let last = LastBatches(HashMap::from([(7, (Some(11), 2))]));
    let out = rewritten(filter(&bytes, &newest, &last, false));
    let header = BatchHeader::parse(&out).unwrap();
    assert_eq!(out.len(), HEADER_SIZE);
    assert_eq!((header.records_count, header.base_offset, header.last_offset()), (0, 10, 11));
    assert_eq!((header.base_sequence, header.last_sequence(), header.max_timestamp), (40, 41, 1001));
    // A later pass finds the empty batch and leaves it, or drops it when the producer has gone on.
    assert_eq!(rewritten(filter(&out, &newest, &last, false)), out);
    assert_eq!(filter(&out, &newest, &LastBatches::default(), false), Filtered::Dropped);
    // The last batch of the pass stays in any case.
    let filter = BatchFilter {
        map: &newest,
        last_batches: &LastBatches::default(),
        upper_bound: 12,
        now: 0,
        delete_retention_ms: 0,
        decompressed_bytes_max: 1000,
    };
    assert_eq!(filter.filter(&Batch::parse(&bytes).unwrap(), false).unwrap(), Filtered::Rewritten(out));
}

#[test]
fn a_tombstone_gets_a_delete_horizon_and_goes_behind_it() {
    let bytes = batch(BuilderConfig::default(), &[("a", None), ("b", Some("2"))]);
    let newest = map(&[("a", 10), ("b", 11)]);
    let none = LastBatches::default();
    let first = rewritten(filter(&bytes, &newest, &none, false));
    let header = BatchHeader::parse(&first).unwrap();
    assert_eq!(header.delete_horizon_ms(), Some(5000 + 3_600_000));
    assert_eq!(header.max_timestamp, 1001);
    let times: Vec<_> =
        Batch::parse(&first).unwrap().records(1000).unwrap().iter().map(|r| r.unwrap().timestamp).collect();
    assert_eq!(times, [1000, 1001]);
    assert_eq!(filter_at(3_604_999, &first, &newest, &none, false), Filtered::Kept);
    let later = rewritten(filter_at(3_605_000, &first, &newest, &none, false));
    assert_eq!(keys(&later), [(11, "b".to_string())]);
    assert_eq!(BatchHeader::parse(&later).unwrap().delete_horizon_ms(), Some(3_605_000));
}

#[test]
fn records_of_an_aborted_transaction_go_whatever_their_keys() {
    let config = BuilderConfig { transactional: true, ..producer() };
    let bytes = batch(config, &[("a", Some("1"))]);
    let newest = map(&[("a", 10)]);
    assert_eq!(filter(&bytes, &newest, &LastBatches::default(), true), Filtered::Dropped);
    let last = LastBatches(HashMap::from([(7, (Some(10), 2))]));
    let out = rewritten(filter(&bytes, &newest, &last, true));
    let header = BatchHeader::parse(&out).unwrap();
    assert!(header.is_transactional() && header.records_count == 0);
}

#[test]
fn a_marker_gets_a_delete_horizon_once_its_transaction_is_gone() {
    let config = BuilderConfig { transactional: true, control: true, base_sequence: -1, ..producer() };
    let mut builder = BatchBuilder::new(BuilderConfig { base_offset: 10, ..config });
    builder.append(1000, Some(&[0, 0, 0, 1]), Some(&[0, 0, 0, 0, 0, 5]), &[]).unwrap();
    let bytes = builder.finish().unwrap();
    let (newest, none) = (map(&[]), LastBatches::default());
    assert_eq!(filter(&bytes, &newest, &none, false), Filtered::Kept);
    let out = rewritten(filter(&bytes, &newest, &none, true));
    let header = BatchHeader::parse(&out).unwrap();
    assert_eq!((header.delete_horizon_ms(), header.records_count), (Some(3_605_000), 1));
    assert_eq!(filter_at(3_604_999, &out, &newest, &none, true), Filtered::Kept);
    assert_eq!(filter_at(3_605_000, &out, &newest, &none, true), Filtered::Dropped);
    // It has the epoch that fences the producer's older ones.
    let last = LastBatches(HashMap::from([(7, (None, 2))]));
    assert_eq!(rewritten(filter_at(3_605_000, &out, &newest, &last, true)).len(), HEADER_SIZE);
}

#[test]
fn records_without_a_key_have_no_place_in_a_compacted_log() {
    let mut builder = BatchBuilder::new(BuilderConfig { base_offset: 10, ..BuilderConfig::default() });
    builder.append(1000, None, Some(b"1"), &[]).unwrap();
    let bytes = builder.finish().unwrap();
    assert_eq!(filter(&bytes, &map(&[]), &LastBatches::default(), false), Filtered::Dropped);
}
