use super::*;
use crate::batch::HEADER_SIZE;
use crate::batch_builder::{BatchBuilder, BuilderConfig};
use crate::compression::compress;
use proptest::prelude::*;

/// key "k", value "v", one header a without a value.
const RECORD: [u8; 12] = [0x16, 0, 0, 0, 2, b'k', 2, b'v', 2, 2, b'a', 1];

fn header(count: i32) -> BatchHeader {
    let mut builder = BatchBuilder::new(BuilderConfig { base_offset: 100, ..BuilderConfig::default() });
    builder.append(5, None, None, &[]).unwrap();
    let mut header = BatchHeader::parse(&builder.finish().unwrap()).unwrap();
    header.records_count = count;
    header
}

fn read(bytes: &[u8]) -> Result<Vec<Record<'_>>, RecordError> {
    RecordIter::new(&header(1), bytes).collect()
}

#[test]
fn a_record_is_what_its_bytes_say() {
    let records = read(&RECORD).unwrap();
    assert_eq!(records[0].offset, 100);
    assert_eq!(records[0].timestamp, 5);
    assert_eq!(records[0].sequence, -1);
    assert_eq!(records[0].key, Some(&b"k"[..]));
    assert_eq!(records[0].value, Some(&b"v"[..]));
    assert_eq!(records[0].headers.collect::<Vec<_>>(), [Header { key: b"a", value: None }]);
}

#[test]
fn null_and_empty_are_two_things() {
    let records = read(&[0x0c, 0, 0, 0, 1, 0, 0]).unwrap();
    assert_eq!((records[0].key, records[0].value), (None, Some(&b""[..])));
}

#[test]
fn a_record_cut_anywhere_is_refused() {
    for cut in 0..RECORD.len() {
        assert_eq!(read(&RECORD[..cut]), Err(RecordError::Truncated { index: 0 }), "{cut}");
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let wrong = |what, length| Err(RecordError::Length { index: 0, what, length });
    assert_eq!(read(&[1, 0, 0, 0, 1, 1, 0]), wrong("length", -1));
    assert_eq!(read(&[0x06, 0, 0, 0, 1, 1, 0]), wrong("length", 3));
    assert_eq!(read(&[0x0c, 0, 0, 0, 20, 1, 0]), wrong("key length", 10));
    assert_eq!(read(&[0x0c, 0, 0, 0, 3, 1, 0]), wrong("key length", -2));
    assert_eq!(read(&[0x0c, 0, 0, 0, 1, 2, 0, 0]), wrong("length", 0));
    assert_eq!(read(&[0x0c, 0, 0, 0, 1, 1, 1]), wrong("number of headers", -1));
    assert_eq!(read(&[0x0c, 0, 0, 0, 1, 1, 2]), wrong("number of headers", 1));
    assert_eq!(read(&[0x10, 0, 0, 0, 1, 1, 2, 1, 1]), wrong("header key length", -1));
    assert_eq!(read(&[0x0e, 0, 0, 0, 1, 1, 0, 9]), Err(RecordError::Unread { index: 0, count: 1 }));
    assert_eq!(read(&[0xff; 20]), Err(RecordError::Varint { index: 0 }));
}

#[test]
fn there_are_as_many_records_as_the_batch_says() {
    let two = [RECORD, RECORD].concat();
    let count = |count| RecordIter::new(&header(count), &two).collect::<Result<Vec<_>, _>>();
    assert_eq!(count(2).unwrap().len(), 2);
    assert_eq!(count(1), Err(RecordError::Trailing { count: 1 }));
    assert_eq!(count(3), Err(RecordError::Truncated { index: 2 }));
    assert_eq!(count(-1), Err(RecordError::Count { count: -1 }));
}

type Parts = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..max)
}

fn records() -> impl Strategy<Value = Vec<Parts>> {
    let header = (bytes(20), proptest::option::of(bytes(20)));
    let record = (
        any::<i64>(),
        proptest::option::of(bytes(40)),
        proptest::option::of(bytes(3000)),
        proptest::collection::vec(header, 0..4),
    );
    proptest::collection::vec(record, 1..20)
}

fn codec() -> impl Strategy<Value = Compression> {
    (0..5i8).prop_map(|id| Compression::from_id(id).unwrap())
}

fn build(config: BuilderConfig, records: &[Parts]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(config);
    for (timestamp, key, value, headers) in records {
        let headers: Vec<_> =
            headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
        builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers).unwrap();
    }
    builder.finish().unwrap()
}

proptest! {
    #[test]
    fn records_come_back(records in records(), compression in codec(), base_offset in 0..1i64 << 50) {
        let config = BuilderConfig { compression, base_offset, producer_id: 1, producer_epoch: 0,
            base_sequence: i32::MAX - 2, ..BuilderConfig::default() };
        let bytes = build(config, &records);
        let batch = Batch::parse(&bytes).unwrap();
        prop_assert!(batch.crc_is_valid());
        prop_assert_eq!(batch.header.next_offset(), base_offset + records.len() as i64);
        prop_assert_eq!(batch.header.max_timestamp, records.iter().map(|r| r.0).max().unwrap().max(-1));
        let section = batch.records(1 << 20).unwrap();
        prop_assert_eq!(section.iter().count(), records.len());
        for (index, (read, wrote)) in section.iter().zip(&records).enumerate() {
            let read = read.unwrap();
            prop_assert_eq!(read.offset, base_offset + index as i64);
            prop_assert_eq!(read.sequence, sequence_after(i32::MAX - 2, index as i32));
            prop_assert_eq!(read.timestamp, wrote.0);
            prop_assert_eq!(read.key, wrote.1.as_deref());
            prop_assert_eq!(read.value, wrote.2.as_deref());
            let headers: Vec<_> = read.headers.map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec))).collect();
            prop_assert_eq!(&headers, &wrote.3);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(data in bytes(300), count in -2..10i32, compression in codec()) {
        let mut section = Vec::new();
        compress(compression, None, &data, &mut section).unwrap();
        let mut batch = header(count).to_bytes().to_vec();
        batch.extend_from_slice(&section);
        let mut header = BatchHeader::parse(&batch).unwrap();
        header.attributes = header.attributes.with_compression(compression);
        header.batch_length = (batch.len() - crate::batch::LOG_OVERHEAD) as i32;
        batch[..HEADER_SIZE].copy_from_slice(&header.to_bytes());
        let batch = Batch::parse(&batch).unwrap();
        let section = batch.records(1 << 20).unwrap();
        prop_assert_eq!(section.bytes(), &data[..]);
        for record in section.iter().flatten() {
            prop_assert!(record.headers.count() < 300);
        }
    }
}
