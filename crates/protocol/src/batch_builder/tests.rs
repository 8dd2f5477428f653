use super::*;
use crate::batch::Batch;
use crate::control::ControlRecordType;

#[test]
fn a_marker_batch_is_what_kafka_writes() {
    let mut builder = BatchBuilder::new(BuilderConfig {
        base_offset: 42,
        producer_id: 7,
        producer_epoch: 3,
        transactional: true,
        control: true,
        leader_epoch: 9,
        ..BuilderConfig::default()
    });
    let value = [0, 0, 0, 0, 0, 5];
    builder.append(1_700_000_000_000, Some(&ControlRecordType::Commit.key()), Some(&value), &[]).unwrap();
    let bytes = builder.finish().unwrap();
    let batch = Batch::parse(&bytes).unwrap();
    assert!(batch.crc_is_valid() && batch.header.is_control() && batch.header.is_transactional());
    assert_eq!(batch.header.attributes, Attributes(0x30));
    assert_eq!(batch.records_bytes(), [0x20, 0, 0, 0, 8, 0, 0, 0, 1, 12, 0, 0, 0, 0, 0, 5, 0]);
}

#[test]
fn offsets_go_up_and_may_leave_gaps() {
    let mut builder = BatchBuilder::new(BuilderConfig { base_offset: 10, ..BuilderConfig::default() });
    assert!(matches!(builder.append_at(9, 0, None, None, &[]), Err(BuildError::Offset { .. })));
    builder.append_at(12, 0, None, None, &[]).unwrap();
    assert!(matches!(builder.append_at(12, 0, None, None, &[]), Err(BuildError::Offset { .. })));
    assert!(matches!(builder.append_at(1 << 40, 0, None, None, &[]), Err(BuildError::Offset { .. })));
    builder.append_at(20, 0, None, None, &[]).unwrap();
    let bytes = builder.finish().unwrap();
    let header = BatchHeader::parse(&bytes).unwrap();
    assert_eq!((header.base_offset, header.last_offset(), header.records_count), (10, 20, 2));
}

#[test]
fn the_first_of_the_latest_records_is_remembered() {
    let mut builder = BatchBuilder::new(BuilderConfig { base_offset: 5, ..BuilderConfig::default() });
    for timestamp in [3, 9, 9, 4] {
        builder.append(timestamp, None, None, &[]).unwrap();
    }
    assert_eq!((builder.max_timestamp(), builder.offset_of_max_timestamp()), (9, 6));
}

#[test]
fn a_batch_without_records_is_no_batch() {
    assert_eq!(BatchBuilder::new(BuilderConfig::default()).finish(), Ok(Vec::new()));
}

#[test]
fn sizes_of_numbers_are_those_that_are_written() {
    for shift in 0..64 {
        for value in [1i64 << shift, (1i64 << shift).wrapping_sub(1), (-1i64) << shift] {
            let mut writer = Writer::new();
            writer.varlong(value);
            assert_eq!(varlong_size(value), writer.bytes.len(), "{value}");
        }
    }
}
