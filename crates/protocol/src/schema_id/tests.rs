use proptest::prelude::*;

use super::*;
use crate::batch_builder::{BatchBuilder, BuilderConfig};
use crate::batch_validate::{validate_schemas, ValidationConfig};
use crate::compression::Compression;
use crate::record::Header;

/// Takes note of what it is shown, and refuses nothing.
#[derive(Default)]
struct Noted {
    schemas: Vec<RecordSchemas>,
    /// None: payloads are not to be read.
    payloads: Option<Vec<[Seen; 2]>>,
}

/// What stands in the header behind a schema's name, and the payload.
type Seen = (Bytes, Vec<u8>);

impl SchemaJudge for Noted {
    fn reads_payloads(&self) -> bool {
        self.payloads.is_some()
    }

    fn judge(&mut self, schemas: &RecordSchemas, payloads: &RecordPayloads<'_>) -> Result<(), String> {
        self.schemas.push(*schemas);
        let seen = |payload: Payload<'_>| (payload.in_header.map(<[u8]>::to_vec), payload.bytes.to_vec());
        if let Some(noted) = &mut self.payloads {
            noted.push([payloads.key, payloads.value].map(seen));
        }
        Ok(())
    }
}

type Bytes = Option<Vec<u8>>;

#[derive(Debug, Clone)]
struct Made {
    key: Bytes,
    value: Bytes,
    headers: Vec<(Vec<u8>, Bytes)>,
}

/// Bytes that begin with a schema's name more often than chance would have it, cut anywhere.
fn bytes() -> impl Strategy<Value = Bytes> {
    let named = (0u8..3, proptest::collection::vec(any::<u8>(), 0..60)).prop_map(|(first, mut rest)| {
        rest.insert(0, first);
        rest
    });
    proptest::option::weighted(0.9, prop_oneof![named, Just(Vec::new())])
}

fn header() -> impl Strategy<Value = (Vec<u8>, Bytes)> {
    let names = [KEY_HEADER, VALUE_HEADER, b"__value_schema_idx", b"__value_schema_i", b"h", b""];
    (proptest::sample::select(names.map(<[u8]>::to_vec).to_vec()), bytes())
}

fn record() -> impl Strategy<Value = Made> {
    let headers = proptest::collection::vec(header(), 0..4);
    (bytes(), bytes(), headers).prop_map(|(key, value, headers)| Made { key, value, headers })
}

/// What a record says, found out the slow way.
fn expected(bytes: &Bytes, headers: &[(Vec<u8>, Bytes)], name: &[u8]) -> Said {
    let Some(bytes) = bytes else { return Said::Nothing };
    let header = headers.iter().rev().find(|(key, value)| key == name && value.is_some());
    let first = header.and_then(|(_, value)| value.as_ref()).unwrap_or(bytes);
    match first[..] {
        [0, a, b, c, d, ..] => Said::Schema(SchemaId::Id(u32::from_be_bytes([a, b, c, d]))),
        [1, ..] if first.len() > 16 => {
            let mut guid = [0; 16];
            guid.copy_from_slice(&first[1..17]);
            Said::Schema(SchemaId::Guid(guid))
        }
        _ => Said::Unnamed,
    }
}

/// The payload of a key or value, found out the slow way.
fn expected_payload(bytes: &Bytes, headers: &[(Vec<u8>, Bytes)], name: &[u8]) -> Seen {
    let size = match expected(bytes, headers, name) {
        Said::Schema(SchemaId::Id(_)) => 5,
        Said::Schema(SchemaId::Guid(_)) => 17,
        Said::Nothing | Said::Unnamed => return Seen::default(),
    };
    let bytes = bytes.clone().unwrap();
    match headers.iter().rev().find(|(key, value)| key == name && value.is_some()) {
        Some((_, Some(header))) => (Some(header[size..].to_vec()), bytes),
        _ => (None, bytes[size..].to_vec()),
    }
}

proptest! {
    #[test]
    fn a_walk_reads_what_each_record_says(
        records in proptest::collection::vec(record(), 1..30),
        codec in 0i8..5,
        fill in 0usize..70_000,
    ) {
        let compression = Compression::from_id(codec).unwrap();
        let mut builder = BatchBuilder::new(BuilderConfig { compression, ..BuilderConfig::default() });
        // So that the others lie anywhere in the window of what is decompressed.
        builder.append(0, None, Some(&vec![7; fill]), &[]).unwrap();
        for made in &records {
            let headers: Vec<Header<'_>> =
                made.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
            builder.append(0, made.key.as_deref(), made.value.as_deref(), &headers).unwrap();
        }
        let batch = builder.finish().unwrap();
        let config = ValidationConfig::default();
        let mut noted = Noted::default();
        validate_schemas(&batch, 9, &config, 0, &mut noted).unwrap();
        let mut whole = Noted { payloads: Some(Vec::new()), ..Noted::default() };
        validate_schemas(&batch, 9, &config, 0, &mut whole).unwrap();
        let mut wanted = vec![RecordSchemas { key: Said::Nothing, value: Said::Unnamed }];
        wanted.extend(records.iter().map(|made| RecordSchemas {
            key: expected(&made.key, &made.headers, KEY_HEADER),
            value: expected(&made.value, &made.headers, VALUE_HEADER),
        }));
        prop_assert_eq!(&noted.schemas, &wanted);
        prop_assert_eq!(whole.schemas, wanted);
        let payloads = records.iter().map(|made| {
            let of = |bytes, name| expected_payload(bytes, &made.headers, name);
            [of(&made.key, KEY_HEADER), of(&made.value, VALUE_HEADER)]
        });
        prop_assert_eq!(&whole.payloads.unwrap()[1..], payloads.collect::<Vec<_>>());
    }
}

#[test]
fn ids_and_guids_are_told_as_registries_write_them() {
    let guid: Vec<u8> = [&[1][..], &(1..=16).collect::<Vec<u8>>()].concat();
    assert_eq!(SchemaId::read(&[0, 0, 0, 1, 2, 9]).unwrap().to_string(), "258");
    assert_eq!(SchemaId::read(&guid).unwrap().to_string(), "01020304-0506-0708-090a-0b0c0d0e0f10");
    for short in [&[][..], &[0, 0, 0, 1], &guid[..16], &[2, 0, 0, 0, 1]] {
        assert_eq!(SchemaId::read(short), None);
    }
}

#[test]
fn what_is_held_against_single_records_is_told_with_their_places() {
    struct Odd(usize);
    impl SchemaJudge for Odd {
        fn judge(&mut self, _: &RecordSchemas, _: &RecordPayloads<'_>) -> Result<(), String> {
            self.0 += 1;
            if self.0 % 2 == 0 {
                Err(format!("call {}", self.0))
            } else {
                Ok(())
            }
        }
    }
    let mut builder = BatchBuilder::new(BuilderConfig::default());
    for _ in 0..4 {
        builder.append(0, None, Some(b"v"), &[]).unwrap();
    }
    let batch = builder.finish().unwrap();
    let error = validate_schemas(&batch, 9, &ValidationConfig::default(), 0, &mut Odd(0)).unwrap_err();
    assert_eq!(error.record_errors, [(1, "call 2".to_string()), (3, "call 4".to_string())]);
    // Something else is wrong with all of them: each is named once.
    let config = ValidationConfig { compacted: true, ..ValidationConfig::default() };
    let error = validate_schemas(&batch, 9, &config, 0, &mut Odd(0)).unwrap_err();
    assert_eq!(error.record_errors.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1, 2, 3]);
}
