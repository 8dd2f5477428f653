//! Where fuzzing begins: well-formed input for each target.

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::compression::{compress, Compression};
use barnabas_protocol::generated::request_header::RequestHeader;
use barnabas_protocol::generated::schemas;
use barnabas_protocol::record::Header;
use barnabas_protocol::table::{self, Kind, Schema, Struct, Type, Value};
use barnabas_protocol::wire::Writer;

/// The seeds of a target by name. `all` gives those of every version, otherwise of the latest one.
pub(crate) fn seeds(target: &str, all: bool) -> Vec<(String, Vec<u8>)> {
    match target {
        "request" => requests(all),
        "message" => messages(all),
        "record_batches" => batches(),
        "produce" => produced(),
        "gzip" => compressed(Compression::Gzip),
        "snappy" => compressed(Compression::Snappy),
        "lz4" => compressed(Compression::Lz4),
        "zstd" => compressed(Compression::Zstd),
        _ => Vec::new(),
    }
}

/// A value with one element in every array, so that every field is on the wire.
fn filled(schema: &Struct) -> Value {
    let field = |field: &table::Field| {
        let single = match field.kind {
            Type::Struct(inner) => filled(inner),
            Type::String => Value::String("name".to_owned()),
            Type::Bytes | Type::Records => Value::Bytes(vec![1, 2, 3]),
            _ => Value::default_of(&table::Field { array: false, default: table::Default::Plain, ..*field }),
        };
        if field.array {
            Value::Array(vec![single])
        } else {
            single
        }
    };
    Value::Struct(schema.fields.iter().map(field).collect())
}

/// The message with every field, or, where a field may not have a value in this version, the defaults.
fn body(schema: &'static Schema, version: i16) -> Option<Vec<u8>> {
    [filled(schema.root), Value::defaults(schema.root)].iter().find_map(|value| {
        let mut writer = Writer::new();
        table::encode(schema, version, &value, &mut writer).ok().map(|()| writer.into_bytes())
    })
}

fn requests(all: bool) -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for api in ApiKey::ALL {
        let Some(schema) = Schema::named(&format!("{}Request", api.name())) else { continue };
        let lowest = if all { api.lowest() } else { api.highest_stable() };
        for version in lowest..=api.highest_stable() {
            let Some(body) = body(schema, version) else { continue };
            let header = RequestHeader {
                request_api_key: api.code(),
                request_api_version: version,
                correlation_id: 1,
                client_id: Some("client"),
            };
            let mut writer = Writer::new();
            if header.encode(&mut writer, api.request_header_version(version)).is_ok() {
                writer.bytes.extend_from_slice(&body);
                seeds.push((format!("{}-{version}", api.name()), writer.into_bytes()));
            }
        }
    }
    seeds
}

fn messages(all: bool) -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for schema in schemas::ALL {
        // The stored corpus has the requests already, and of the rest what others than clients send.
        if !all && matches!(schema.kind, Kind::Request | Kind::Response) {
            continue;
        }
        let (lowest, highest) = (schema.versions.lowest, schema.versions.highest);
        for version in if all { lowest } else { highest }..=highest {
            let Some(body) = body(schema, version) else { continue };
            let [high, low] = (schema.index as u16).to_be_bytes();
            let choice = [high, low, (version - lowest) as u8];
            seeds.push((format!("{}-{version}", schema.name), [&choice[..], &body].concat()));
        }
    }
    seeds
}

fn codecs() -> impl Iterator<Item = Compression> {
    (0..5).filter_map(|id| Compression::from_id(id).ok())
}

fn batches() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for compression in codecs() {
        for (name, producer) in [("plain", false), ("transactional", true)] {
            let mut config = BuilderConfig { compression, ..BuilderConfig::default() };
            if producer {
                (config.producer_id, config.producer_epoch, config.base_sequence) = (1, 0, 0);
                config.transactional = true;
            }
            let mut builder = BatchBuilder::new(config);
            let headers = [Header { key: b"header", value: Some(b"x") }, Header { key: b"h", value: None }];
            for index in 0..4u8 {
                let timestamp = 1_700_000_000_000 + i64::from(index);
                let (key, value) = ([index; 3], [b'v'; 100]);
                let appended = builder.append(timestamp, Some(&key), Some(&value[..]), &headers);
                assert!(appended.is_ok());
            }
            if let Ok(batch) = builder.finish() {
                seeds.push((format!("{name}-{}", compression.name()), batch));
            }
        }
    }
    let two = [&seeds[0].1[..], &seeds[3].1[..]].concat();
    seeds.push(("two".to_owned(), two));
    seeds
}

fn produced() -> Vec<(String, Vec<u8>)> {
    let choices = [("producer", 5 << 2), ("compacted-append-time-lz4", 3 << 2 | 3), ("uncompressed", 0)];
    let batch = |(name, batch): (String, Vec<u8>)| {
        choices.map(|(choice, byte)| (format!("{name}-{choice}"), [&[byte], &batch[..]].concat()))
    };
    batches().into_iter().flat_map(batch).collect()
}

fn compressed(codec: Compression) -> Vec<(String, Vec<u8>)> {
    let text = b"to be, or not to be, that is the question: ".repeat(40);
    let noise: Vec<u8> = (0..2000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let inputs = [("empty", Vec::new()), ("text", text), ("noise", noise), ("zeros", vec![0; 100_000])];
    let mut seeds = Vec::new();
    for (name, input) in inputs {
        let mut out = Vec::new();
        if compress(codec, None, &input, &mut out).is_ok() {
            seeds.push((name.to_owned(), out));
        }
    }
    // More than a target takes: a bomb of a few kilobytes.
    let mut bomb = Vec::new();
    if compress(codec, None, &vec![0; 4 << 20], &mut bomb).is_ok() && bomb.len() < 20_000 {
        seeds.push(("bomb".to_owned(), bomb));
    }
    seeds
}
