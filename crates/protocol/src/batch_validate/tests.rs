use super::*;
use crate::batch::{set_base_offset, Attributes};
use crate::record::{Header, RecordIter};

const NOW: Millis = 1_700_000_000_000;

fn batch(config: BuilderConfig, keys: &[Option<&[u8]>], timestamps: &[Millis]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(config);
    for (key, timestamp) in keys.iter().zip(timestamps) {
        builder.append(*timestamp, *key, Some(b"value"), &[Header { key: b"h", value: None }]).unwrap();
    }
    builder.finish().unwrap()
}

fn keyed(compression: Compression) -> Vec<u8> {
    let config = BuilderConfig { compression, ..BuilderConfig::default() };
    batch(config, &[Some(b"a"), Some(b"b"), Some(b"c")], &[NOW, NOW + 2, NOW + 1])
}

/// The batch with one field of its header replaced and the checksum put right.
fn with_header(bytes: &[u8], change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    let mut header = BatchHeader::parse(bytes).unwrap();
    change(&mut header);
    header.crc = crc_of(&header.to_bytes(), &bytes[HEADER_SIZE..]);
    [&header.to_bytes()[..], &bytes[HEADER_SIZE..]].concat()
}

fn refusal(bytes: &[u8], config: &ValidationConfig) -> InvalidRecords {
    validate(bytes, 9, config, NOW).unwrap_err()
}

fn code(bytes: &[u8]) -> i16 {
    refusal(bytes, &ValidationConfig::default()).code()
}

#[test]
fn a_good_batch_goes_on_as_it_came() {
    for codec in [0, 1, 2, 3, 4].map(|id| Compression::from_id(id).unwrap()) {
        let bytes = keyed(codec);
        let config = ValidationConfig { compacted: true, leader_epoch: 6, ..ValidationConfig::default() };
        let validated = validate(&bytes, 9, &config, NOW).unwrap();
        assert!(!validated.is_rebuilt());
        assert_eq!(validated.header().max_timestamp, NOW + 2);
        assert_eq!(validated.offset_delta_of_max_timestamp(), 1);
        let mut expected = bytes.clone();
        crate::batch::set_base_offset(&mut expected, 77);
        crate::batch::set_partition_leader_epoch(&mut expected, 6);
        let mut out = Vec::new();
        validated.write_to(77, &mut out);
        assert_eq!(out, expected, "{codec:?}");
        assert_eq!(out.len(), validated.size());
    }
}

#[test]
fn a_record_from_before_1970_is_taken_as_it_is_but_not_packed_anew() {
    let keys = [Some(&b"a"[..]); 4];
    let bytes = batch(BuilderConfig::default(), &keys, &[0, NO_TIMESTAMP, -2, -9]);
    assert!(!validate(&bytes, 9, &ValidationConfig::default(), NOW).unwrap().is_rebuilt());
    for timestamp_type in [TimestampType::CreateTime, TimestampType::LogAppendTime] {
        let compression_type = TopicCompression::Codec(Compression::Gzip, None);
        let config = ValidationConfig { compression_type, timestamp_type, ..ValidationConfig::default() };
        let refused = refusal(&bytes, &config);
        assert_eq!(refused.code(), 32);
        let indices: Vec<_> = refused.record_errors.iter().map(|(index, _)| *index).collect();
        assert_eq!(indices, [2, 3]);
    }
}

#[test]
fn the_time_of_append_is_stamped_where_the_topic_asks_for_it() {
    let bytes = keyed(Compression::Zstd);
    let timestamp_type = TimestampType::LogAppendTime;
    let config = ValidationConfig { timestamp_type, ..ValidationConfig::default() };
    let validated = validate(&bytes, 9, &config, NOW + 50).unwrap();
    assert_eq!(validated.log_append_time(), Some(NOW + 50));
    let mut out = Vec::new();
    validated.write_to(3, &mut out);
    let batch = Batch::parse(&out).unwrap();
    assert!(batch.crc_is_valid());
    let records = batch.records(1000).unwrap();
    assert!(records.iter().all(|record| record.unwrap().timestamp == NOW + 50));
}

#[test]
fn another_codec_of_the_topic_rewrites_the_batch() {
    for from in [Compression::None, Compression::Gzip] {
        for to in [Compression::None, Compression::Lz4, Compression::Snappy] {
            let bytes = with_header(&keyed(from), |header| {
                (header.producer_id, header.producer_epoch, header.base_sequence) = (5, 1, 9);
                header.attributes = header.attributes.with_transactional(true);
            });
            let compression_type = TopicCompression::Codec(to, None);
            let config = ValidationConfig { compression_type, ..ValidationConfig::default() };
            let validated = validate(&bytes, 9, &config, NOW).unwrap();
            assert_eq!(validated.is_rebuilt(), from != to);
            let mut out = Vec::new();
            validated.write_to(0, &mut out);
            let (before, after) = (Batch::parse(&bytes).unwrap(), Batch::parse(&out).unwrap());
            assert!(after.crc_is_valid());
            assert_eq!(after.header.compression(), Ok(to));
            assert!(after.header.is_transactional());
            assert_eq!((after.header.producer_id, after.header.base_sequence), (5, 9));
            let plain = after.records(1000).unwrap();
            let header = BatchHeader { attributes: Attributes(0), ..after.header };
            let after: Vec<_> = RecordIter::new(&header, plain.bytes()).map(Result::unwrap).collect();
            let before = before.records(1000).unwrap();
            assert_eq!(before.iter().map(Result::unwrap).collect::<Vec<_>>(), after);
        }
    }
}

#[test]
fn there_is_one_whole_batch_of_format_2() {
    let bytes = keyed(Compression::None);
    let config = ValidationConfig::default();
    assert_eq!(code(&[]), 87);
    assert_eq!(code(&bytes[..bytes.len() - 1]), 87);
    assert_eq!(code(&[&bytes[..], &bytes[..]].concat()), 87);
    let cut = [&bytes[..], &bytes[..40]].concat();
    assert_eq!(validate(&cut, 9, &config, NOW).unwrap().size(), bytes.len());
    for (magic, expected) in [(0, 87), (1, 87), (3, 2), (0xff, 2)] {
        let mut old = bytes.clone();
        old[16] = magic;
        assert_eq!(code(&old), expected, "magic {magic}");
    }
    let mut short = bytes.clone();
    short[8..12].copy_from_slice(&13i32.to_be_bytes());
    assert_eq!(code(&short), 2);
    short[8..12].copy_from_slice(&48i32.to_be_bytes());
    assert_eq!(code(&short), 2);
}

#[test]
fn headers_that_do_not_hold_are_refused() {
    let bytes = keyed(Compression::None);
    let mut corrupt = bytes.clone();
    corrupt[HEADER_SIZE + 3] ^= 1;
    assert_eq!(code(&corrupt), 2);
    let mut moved = bytes.clone();
    set_base_offset(&mut moved, 1);
    assert_eq!(code(&moved), 87);
    type Change = fn(&mut BatchHeader);
    let changes: [(Change, i16); 10] = [
        (|header| header.last_offset_delta = 3, 87),
        (|header| header.last_offset_delta = -1, 87),
        (|header| header.records_count = 4, 87),
        (|header| (header.records_count, header.last_offset_delta) = (2, 1), 87),
        (|header| (header.records_count, header.last_offset_delta) = (4, 3), 87),
        (|header| header.attributes = Attributes(0x20), 87),
        (|header| header.attributes = Attributes(0x10), 87),
        (|header| header.attributes = Attributes(6), 76),
        (|header| (header.producer_id, header.producer_epoch) = (1, 0), 87),
        (|header| (header.producer_id, header.base_sequence) = (1, 0), 87),
    ];
    for (index, (change, expected)) in changes.into_iter().enumerate() {
        assert_eq!(code(&with_header(&bytes, change)), expected, "change {index}");
    }
}

#[test]
fn sizes_are_bounded() {
    let bytes = keyed(Compression::Gzip);
    let config = |max_message_bytes| ValidationConfig { max_message_bytes, ..ValidationConfig::default() };
    assert!(validate(&bytes, 9, &config(bytes.len()), NOW).is_ok());
    assert_eq!(refusal(&bytes, &config(bytes.len() - 1)).code(), 10);
    let plain = keyed(Compression::None);
    let to_plain = ValidationConfig {
        compression_type: TopicCompression::Codec(Compression::None, None),
        ..config(plain.len() - 1)
    };
    assert_eq!(refusal(&bytes, &to_plain).code(), 10);
    let record = ValidationConfig { max_decompressed_bytes: 10, ..ValidationConfig::default() };
    assert_eq!(refusal(&bytes, &record).code(), 87);
    assert!(validate(&plain, 9, &record, NOW).is_ok());
    let batch = ValidationConfig { max_decompressed_batch_bytes: 40, ..ValidationConfig::default() };
    assert_eq!(refusal(&bytes, &batch).code(), 87);
}

#[test]
fn zstd_needs_a_version_that_knows_it() {
    let bytes = keyed(Compression::Zstd);
    let error = validate(&bytes, 6, &ValidationConfig::default(), NOW).unwrap_err();
    assert_eq!(error.code(), 76);
    assert!(validate(&bytes, 7, &ValidationConfig::default(), NOW).is_ok());
}

#[test]
fn records_without_a_key_are_named_on_a_compacted_topic() {
    let config = ValidationConfig { compacted: true, ..ValidationConfig::default() };
    for compression in [Compression::None, Compression::Lz4] {
        let builder = BuilderConfig { compression, ..BuilderConfig::default() };
        let bytes = batch(builder, &[None, Some(b""), None], &[NOW; 3]);
        let error = refusal(&bytes, &config);
        assert_eq!(error.code(), 87);
        assert_eq!(error.record_errors.iter().map(|e| e.0).collect::<Vec<_>>(), [0, 2]);
    }
}

#[test]
fn timestamps_out_of_bounds_are_named() {
    let config = ValidationConfig { timestamp_before_max_ms: 1000, ..ValidationConfig::default() };
    let times = [NOW, NOW - 1001, NOW - 1000, NOW + 3_600_000, NOW + 3_600_001, NO_TIMESTAMP];
    let bytes = batch(BuilderConfig::default(), &[Some(&b"k"[..]); 6], &times);
    let error = refusal(&bytes, &config);
    assert_eq!(error.code(), 32);
    assert_eq!(error.record_errors.iter().map(|e| e.0).collect::<Vec<_>>(), [1, 4]);
    let stamped = ValidationConfig { timestamp_type: TimestampType::LogAppendTime, ..config };
    assert!(validate(&bytes, 9, &stamped, NOW).is_ok());
}

#[test]
fn the_list_of_refused_records_is_bounded() {
    let keys = vec![None; RECORD_ERRORS_MAX + 5];
    let bytes = batch(BuilderConfig::default(), &keys, &vec![NOW; keys.len()]);
    let config = ValidationConfig { compacted: true, ..ValidationConfig::default() };
    let error = refusal(&bytes, &config);
    assert_eq!(error.record_errors.len(), RECORD_ERRORS_MAX);
    assert!(error.message.contains("1005"), "{}", error.message);
}

#[test]
fn a_record_larger_than_the_window_is_walked_over() {
    let value = vec![7; 300_000];
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut builder = BatchBuilder::new(BuilderConfig { compression, ..BuilderConfig::default() });
        for _ in 0..3 {
            builder.append(NOW, Some(&value), Some(&value), &[Header { key: &value, value: None }]).unwrap();
        }
        let bytes = builder.finish().unwrap();
        assert!(validate(&bytes, 9, &ValidationConfig::default(), NOW).is_ok(), "{compression:?}");
    }
}
