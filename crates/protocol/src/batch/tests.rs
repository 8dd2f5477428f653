use super::*;
use crate::batch_builder::{BatchBuilder, BuilderConfig};

/// One record, key "k", value "v", header a without a value, timestamp 5; as Kafka 4.3.1 writes it.
const ONE_RECORD: [u8; 73] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x3d, 0xff, 0xff, 0xff, 0xff, 2, 0xde, 0xd5, 0xff, 2, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0x16, 0, 0, 0, 2, 0x6b, 2, 0x76, 2, 2, 0x61, 1,
];

fn batch_of(values: &[&[u8]], base_offset: Offset) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BuilderConfig { base_offset, ..BuilderConfig::default() });
    for value in values {
        builder.append(5, None, Some(value), &[]).unwrap();
    }
    builder.finish().unwrap()
}

#[test]
fn a_header_reads_as_kafka_wrote_it_and_writes_back() {
    let batch = Batch::parse(&ONE_RECORD).unwrap();
    let expected = BatchHeader {
        base_offset: 0,
        batch_length: 61,
        partition_leader_epoch: -1,
        magic: 2,
        crc: 0xded5_ff02,
        attributes: Attributes(0),
        last_offset_delta: 0,
        base_timestamp: 5,
        max_timestamp: 5,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        records_count: 1,
    };
    assert_eq!(batch.header, expected);
    assert_eq!(batch.header.size(), ONE_RECORD.len());
    assert!(batch.crc_is_valid());
    assert_eq!(batch.header.to_bytes(), ONE_RECORD[..HEADER_SIZE]);
}

#[test]
fn batches_come_one_after_another_and_a_cut_one_is_named() {
    let first = batch_of(&[b"a", b"b"], 10);
    let second = batch_of(&[b"c"], 12);
    let bytes = [&first[..], &second[..], &first[..70]].concat();
    let mut walk = batches(&bytes);
    assert_eq!(walk.next().unwrap().unwrap().header.next_offset(), 12);
    assert_eq!(walk.next().unwrap().unwrap().header.base_offset, 12);
    assert_eq!(walk.position(), first.len() + second.len());
    let cut = walk.next().unwrap().unwrap_err();
    assert_eq!(cut, BatchError::Truncated { need: first.len(), have: 70 });
    assert!(walk.next().is_none());
    assert_eq!(walk.position(), first.len() + second.len());
}

#[test]
fn what_is_not_a_batch_of_format_2_is_refused() {
    let mut old = ONE_RECORD;
    old[at::MAGIC] = 1;
    assert_eq!(Batch::parse(&old).unwrap_err(), BatchError::Magic { magic: 1 });
    let mut short = ONE_RECORD;
    put(&mut short, at::BATCH_LENGTH, 48i32.to_be_bytes());
    assert_eq!(Batch::parse(&short).unwrap_err(), BatchError::Length { batch_length: 48 });
    put(&mut short, at::BATCH_LENGTH, (-1i32).to_be_bytes());
    assert_eq!(Batch::parse(&short).unwrap_err(), BatchError::Length { batch_length: -1 });
    for cut in 0..ONE_RECORD.len() {
        assert!(matches!(Batch::parse(&ONE_RECORD[..cut]), Err(BatchError::Truncated { .. })), "{cut}");
    }
}

#[test]
fn a_change_of_any_byte_that_the_checksum_covers_is_noticed() {
    for at in at::CRC..ONE_RECORD.len() {
        for bit in 0..8 {
            let mut bytes = ONE_RECORD;
            bytes[at] ^= 1 << bit;
            assert!(!Batch::parse(&bytes).unwrap().crc_is_valid(), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn offset_and_leader_epoch_are_set_without_a_new_checksum() {
    let mut bytes = ONE_RECORD;
    set_base_offset(&mut bytes, 1 << 40);
    set_partition_leader_epoch(&mut bytes, 7);
    let batch = Batch::parse(&bytes).unwrap();
    assert_eq!(batch.header.base_offset, 1 << 40);
    assert_eq!(batch.header.partition_leader_epoch, 7);
    assert!(batch.crc_is_valid());
}

#[test]
fn the_time_of_append_replaces_the_records_own() {
    let mut bytes = ONE_RECORD;
    set_max_timestamp_and_type(&mut bytes, TimestampType::LogAppendTime, 99);
    let batch = Batch::parse(&bytes).unwrap();
    assert!(batch.crc_is_valid());
    assert_eq!(batch.header.timestamp_type(), TimestampType::LogAppendTime);
    let records = batch.records(0).unwrap();
    assert_eq!(records.iter().next().unwrap().unwrap().timestamp, 99);
}

#[test]
fn sequences_go_on_from_zero_after_the_largest() {
    assert_eq!(sequence_after(5, 3), 8);
    assert_eq!(sequence_after(i32::MAX, 0), i32::MAX);
    assert_eq!(sequence_after(i32::MAX, 1), 0);
    assert_eq!(sequence_after(i32::MAX - 1, 4), 2);
    let mut header = BatchHeader::parse(&ONE_RECORD).unwrap();
    assert_eq!(header.last_sequence(), -1);
    header.base_sequence = i32::MAX;
    header.last_offset_delta = 1;
    assert_eq!(header.last_sequence(), 0);
}

#[test]
fn attributes_are_the_bits_that_kafka_names() {
    let attributes = Attributes::default()
        .with_compression(Compression::Zstd)
        .with_timestamp_type(TimestampType::LogAppendTime)
        .with_transactional(true)
        .with_control(true)
        .with_delete_horizon(true);
    assert_eq!(attributes, Attributes(0x7c));
    assert_eq!(attributes.compression(), Ok(Compression::Zstd));
    assert!(attributes.is_transactional() && attributes.is_control() && attributes.has_delete_horizon());
    assert_eq!(attributes.with_control(false), Attributes(0x5c));
    assert_eq!(Attributes(5).compression(), Err(CompressionError::UnknownCodec { id: 5 }));
    assert_eq!(Attributes(0x0404).defined(), Attributes(4));
}
