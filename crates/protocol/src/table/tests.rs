use super::*;
use crate::generated::recode::recode;
use crate::types::Uuid;
use crate::wire::{DecodeError, EncodeError, Reader, Writer};
use proptest::prelude::*;

/// A small generator of its own: proptest gives the seed, the tables give the shape.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 ^ (self.0 >> 29)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = if self.below(20) == 0 { 300 } else { self.below(12) };
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn structure(&mut self, schema: &'static Struct, version: i16) -> Value {
        Value::Struct(schema.fields.iter().map(|field| self.field(field, version)).collect())
    }

    fn field(&mut self, field: &'static Field, version: i16) -> Value {
        if !field.is_in(version) || (field.tag >= 0 && self.below(2) == 0) {
            return Value::default_of(field);
        }
        if field.nullable.contains(version) && self.below(4) == 0 {
            return Value::Null;
        }
        if field.array {
            return Value::Array((0..self.below(4)).map(|_| self.value(field.kind, version)).collect());
        }
        self.value(field.kind, version)
    }

    fn value(&mut self, kind: Type, version: i16) -> Value {
        let bits = if self.below(3) == 0 { self.below(3) } else { self.next() };
        match kind {
            Type::Bool => Value::Bool(bits & 1 == 1),
            Type::Int8 => Value::Integer((bits as i8).into()),
            Type::Int16 => Value::Integer((bits as i16).into()),
            Type::Uint16 => Value::Integer((bits as u16).into()),
            Type::Int32 => Value::Integer((bits as i32).into()),
            Type::Uint32 => Value::Integer((bits as u32).into()),
            Type::Int64 => Value::Integer(bits as i64),
            Type::Float64 => Value::Float(bits as f64 / 7.0),
            Type::Uuid => Value::Uuid(Uuid((u128::from(bits) << 64 | u128::from(self.next())).to_be_bytes())),
            Type::String => Value::String(self.bytes().iter().map(|&byte| char::from(byte)).collect()),
            Type::Bytes | Type::Records => Value::Bytes(self.bytes()),
            Type::Struct(schema) => self.structure(schema, version),
        }
    }
}

fn written(schema: &'static Schema, version: i16, value: &Value) -> Result<Writer, EncodeError> {
    let mut writer = Writer::new();
    encode(schema, version, &value, &mut writer)?;
    Ok(writer)
}

fn encoded(schema: &'static Schema, version: i16, value: &Value) -> Result<Vec<u8>, EncodeError> {
    written(schema, version, value).map(Writer::into_bytes)
}

fn versions() -> impl Iterator<Item = (&'static Schema, i16)> {
    schemas::ALL.iter().flat_map(|schema| {
        (schema.versions.lowest..=schema.versions.highest).map(move |version| (*schema, version))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn every_message_comes_back_and_the_structs_agree_with_the_tables(seed: u64) {
        let mut random = Random(seed);
        for (schema, version) in versions() {
            let value = random.structure(schema.root, version);
            let Writer { bytes, errors, .. } = written(schema, version, &value).unwrap();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(&decode(schema, version, &mut reader, &mut Trees).unwrap(), &value, "{}", schema.name);
            prop_assert!(reader.is_empty());
            validate(schema, version, &mut Reader::new(&bytes)).unwrap();
            let mut writer = Writer::new();
            if let Some(result) = recode(schema.name, version, &mut Reader::new(&bytes), &mut writer) {
                result.unwrap().unwrap();
                prop_assert_eq!(&writer.bytes, &bytes, "{} v{}", schema.name, version);
                prop_assert_eq!(&writer.errors, &errors, "{} v{}", schema.name, version);
            }
        }
    }

    #[test]
    fn damaged_bytes_never_panic_and_structs_and_tables_refuse_the_same(seed: u64) {
        let mut random = Random(seed);
        for (schema, version) in versions() {
            let value = random.structure(schema.root, version);
            let mut bytes = encoded(schema, version, &value).unwrap();
            for _ in 0..=random.below(3) {
                let place = random.below(bytes.len() as u64 + 1) as usize;
                match bytes.get_mut(place) {
                    Some(byte) => *byte = random.next() as u8,
                    None => bytes.truncate(random.below(bytes.len() as u64 + 1) as usize),
                }
            }
            let by_table = validate(schema, version, &mut Reader::new(&bytes));
            let mut writer = Writer::new();
            let recoded = recode(schema.name, version, &mut Reader::new(&bytes), &mut writer);
            if let Some(by_struct) = recoded {
                prop_assert_eq!(by_struct.map(|_| ()), by_table, "{} v{}", schema.name, version);
            }
        }
    }
}

#[test]
fn names_are_found() {
    for (index, schema) in schemas::ALL.iter().enumerate() {
        assert_eq!(schema.index, index);
        assert_eq!(Schema::named(schema.name).unwrap().name, schema.name);
    }
    assert!(Schema::named("NoSuchMessage").is_none());
    assert_eq!(schemas::request(crate::api::ApiKey::Fetch).name, "FetchRequest");
    assert_eq!(schemas::metadata_record(3).unwrap().name, "PartitionRecord");
}

#[test]
fn what_a_response_is_about_counts_and_what_only_looks_like_it_does_not() {
    let counts = |name: &str, version: i16| {
        let schema = Schema::named(name).unwrap();
        let errors = written(schema, version, &Value::defaults(schema.root)).unwrap().errors;
        errors.counts().map(|(code, count)| (code.code(), count)).collect::<Vec<_>>()
    };
    assert_eq!(counts("FetchResponse", 4), [(0, 1)]);
    assert!(counts("FetchRequest", 4).is_empty());
    assert!(counts("ProduceResponse", 9).is_empty());
}

#[test]
fn a_value_that_the_version_lacks_is_refused_unless_it_may_get_lost() {
    let schema = Schema::named("FetchRequest").unwrap();
    let mut value = Value::defaults(schema.root);
    let place = |name: &str| schema.root.fields.iter().position(|field| field.name == name).unwrap();
    let set = |value: &mut Value, index: usize, to: Value| match value {
        Value::Struct(fields) => fields[index] = to,
        _ => unreachable!(),
    };
    set(&mut value, place("rack_id"), Value::String("a".to_owned()));
    assert!(encoded(schema, 4, &value).is_ok());
    set(&mut value, place("replica_id"), Value::Integer(5));
    assert_eq!(
        encoded(schema, 15, &value),
        Err(EncodeError::NotInVersion { field: "FetchRequest.ReplicaId", version: 15 })
    );
    set(&mut value, place("replica_id"), Value::Integer(1 << 40));
    assert!(matches!(encoded(schema, 4, &value), Err(EncodeError::Range { .. })));
    set(&mut value, place("replica_id"), Value::Null);
    assert!(matches!(encoded(schema, 4, &value), Err(EncodeError::Null { .. })));
    assert!(matches!(encoded(schema, 19, &value), Err(EncodeError::Version { .. })));
}

#[test]
fn a_count_of_two_billion_costs_nothing() {
    let schema = Schema::named("MetadataRequest").unwrap();
    let refused = validate(schema, 8, &mut Reader::new(&[0x7f, 0xff, 0xff, 0xff]));
    assert!(matches!(refused, Err(DecodeError::ArrayLength { count: 0x7fff_ffff, .. })));
}
