use super::*;
use proptest::prelude::*;

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    write(&mut writer);
    writer.into_bytes()
}

proptest! {
    #[test]
    fn varints_come_back(value: i32, long: i64) {
        let bytes = written(|writer| {
            writer.uvarint(value as u32);
            writer.varint(value);
            writer.uvarlong(long as u64);
            writer.varlong(long);
        });
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.uvarint(), Ok(value as u32));
        prop_assert_eq!(reader.varint(), Ok(value));
        prop_assert_eq!(reader.uvarlong(), Ok(long as u64));
        prop_assert_eq!(reader.varlong(), Ok(long));
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn strings_and_bytes_come_back(text: Option<String>, data: Option<Vec<u8>>, flexible: bool) {
        let bytes = written(|writer| {
            writer.nullable_string(flexible, text.as_deref()).unwrap();
            writer.nullable_bytes(flexible, data.as_deref()).unwrap();
        });
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.nullable_string(flexible), Ok(text.as_deref()));
        prop_assert_eq!(reader.nullable_bytes(flexible), Ok(data.as_deref()));
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn tagged_fields_come_back_and_unknown_ones_are_skipped(
        fields in proptest::collection::vec((any::<u32>(), proptest::collection::vec(any::<u8>(), 0..300)), 0..20)
    ) {
        let bytes = written(|writer| {
            writer.uvarint(fields.len() as u32);
            for (tag, data) in &fields {
                writer.tagged(*tag, |writer| { writer.bytes.extend_from_slice(data); Ok(()) }).unwrap();
            }
        });
        let mut seen = Vec::new();
        let mut reader = Reader::new(&bytes);
        reader.tagged_fields(|tag, field| {
            seen.push((tag, field.take(field.remaining())?.to_vec()));
            Ok(true)
        }).unwrap();
        prop_assert!(reader.is_empty());
        prop_assert_eq!(&seen, &fields);
        let mut reader = Reader::new(&bytes);
        reader.skip_tagged_fields().unwrap();
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn no_input_panics(data: Vec<u8>, flexible: bool) {
        let mut reader = Reader::new(&data);
        while !reader.is_empty() {
            let before = reader.remaining();
            let _ = reader.nullable_string(flexible);
            let _ = reader.nullable_bytes(flexible);
            let _ = reader.nullable_array_length(flexible, 3);
            let _ = reader.skip_tagged_fields();
            let _ = reader.varlong();
            let _ = reader.uvarint();
            let _ = reader.u8();
            prop_assert!(reader.remaining() < before);
        }
    }
}

#[test]
fn an_array_length_that_can_not_be_true_is_refused() {
    let mut reader = Reader::new(&[0x7f, 0xff, 0xff, 0xff]);
    let error = reader.array_length(false, 4);
    assert_eq!(
        error,
        Err(DecodeError::ArrayLength { count: 0x7fff_ffff, element_bytes: 4, remaining: 0, at: 4 })
    );
    let mut reader = Reader::new(&[0, 0, 0, 2, 1, 2, 3]);
    assert!(reader.array_length(false, 2).is_err());
}

#[test]
fn the_caps_of_kafka_hold() {
    let mut data = written(|writer| writer.array_length(false, ARRAY_ELEMENTS_MAX + 1).unwrap());
    data.resize(ARRAY_ELEMENTS_MAX + 100, 0);
    let count = ARRAY_ELEMENTS_MAX + 1;
    let limit = ARRAY_ELEMENTS_MAX;
    assert_eq!(Reader::new(&data).array_length(false, 1), Err(DecodeError::TooMany { count, limit, at: 4 }));
    let mut data = written(|writer| writer.uvarint(TAGGED_FIELDS_MAX as u32 + 1));
    data.resize(100_000, 0);
    let error = Reader::new(&data).skip_tagged_fields();
    assert!(matches!(error, Err(DecodeError::TooMany { count: 10_001, limit: 10_000, .. })));
}

#[test]
fn varints_that_are_too_long_are_refused() {
    assert_eq!(Reader::new(&[0xff; 5]).uvarint(), Err(DecodeError::Varint { at: 0 }));
    assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).uvarint(), Ok(u32::MAX));
    assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).uvarint(), Err(DecodeError::Varint { at: 0 }));
    assert_eq!(Reader::new(&[0xff; 10]).uvarlong(), Err(DecodeError::Varint { at: 0 }));
}

#[test]
fn external_records_leave_a_splice() {
    let mut writer = Writer::new();
    writer.i32(7);
    writer.records(true, Records::External { index: 3, length: 300 }).unwrap();
    writer.u8(9);
    assert_eq!(writer.bytes, [0, 0, 0, 7, 0xad, 0x02, 9]);
    assert_eq!(writer.splices, [Splice { position: 6, index: 3, length: 300 }]);
}

#[test]
fn a_tagged_field_must_fill_its_size() {
    let data = [1, 0, 3, 1, 2, 3];
    let error = Reader::new(&data).tagged_fields(|_, field| field.i16().map(|_| true));
    assert_eq!(error, Err(DecodeError::TagSize { tag: 0, unread: 1, at: 5 }));
}

#[test]
fn elements_that_are_small_on_the_wire_can_not_take_much_memory() {
    let count = 300_000;
    let mut data = written(|writer| writer.array_length(false, count).unwrap());
    data.resize(4 + count, 0);
    let array = Reader::new(&data).array(false, 1, |reader| Ok([u64::from(reader.u8()?); 2]));
    let left = (4 + count) * MEMORY_FACTOR_MAX + MEMORY_EXTRA_MAX;
    assert_eq!(array, Err(DecodeError::Memory { count, wanted: 16 * count, left, at: 4 }));
    let small = written(|writer| writer.array_length(false, 1_000).unwrap());
    let small = [small, vec![0; 1_000]].concat();
    assert!(Reader::new(&small).array(false, 1, |reader| Ok([u64::from(reader.u8()?); 2])).is_ok());
}
