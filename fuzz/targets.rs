//! What fuzzing runs: one function for each place where bytes from outside are taken apart.
//!
//! The programs of fuzz_targets/ run them under libFuzzer; crates/protocol/tests/fuzz_corpus.rs runs them over the
//! stored corpus and over seeded changes of it, in every test run, and watches what they allocate. A target
//! panics when something that always holds does not.
#![allow(clippy::expect_used)] // To panic is how a target says that something is wrong.

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::batch::{batches, Batch, Batches, TimestampType, HEADER_SIZE, LOG_OVERHEAD};
use barnabas_protocol::batch_validate::{validate, TopicCompression, ValidationConfig};
use barnabas_protocol::compression::{compress, decompress, Compression};
use barnabas_protocol::crc::crc32c;
use barnabas_protocol::generated::recode::recode;
use barnabas_protocol::generated::schemas;
use barnabas_protocol::header::RequestHeader;
use barnabas_protocol::table::{self, Schema, Trees};
use barnabas_protocol::wire::{Reader, Writer};

/// What decompression may give here.
pub(crate) const DECOMPRESSED_MAX: usize = 1 << 20;

/// Takes what a connection, a log or a compressed batch might hold.
pub(crate) type Target = fn(&[u8]);

/// All targets by name.
pub(crate) const TARGETS: [(&str, Target); 8] = [
    ("request", request),
    ("message", message),
    ("record_batches", record_batches),
    ("produce", produce),
    ("gzip", gzip),
    ("snappy", snappy),
    ("lz4", lz4),
    ("zstd", zstd),
];

/// A frame from a connection: header and body of a request of any API and version.
pub(crate) fn request(data: &[u8]) {
    let Ok((header, body)) = RequestHeader::decode(data) else { return };
    let mut version = header.api_version;
    if header.api_key == ApiKey::ApiVersions {
        // The one API that answers versions it does not know, without reading the body.
        version = version.min(header.api_key.highest_stable());
    }
    let name = format!("{}Request", header.api_key.name());
    let Some(schema) = Schema::named(&name) else { panic!("{name} has no table") };
    read_message(schema, version, &data[body..]);
}

/// Reads a request with its struct, where it has one, and writes it again; the size of what was written.
pub(crate) fn recode_request(data: &[u8]) -> usize {
    let Ok((header, body)) = RequestHeader::decode(data) else { return 0 };
    let mut writer = Writer::new();
    let name = header.api_key.name();
    if let Some(schema) = schemas::ALL.iter().find(|schema| schema.name.strip_suffix("Request") == Some(name))
    {
        let _ = recode(schema.name, header.api_version, &mut Reader::new(&data[body..]), &mut writer);
    }
    writer.bytes.len()
}

/// Any message, record or file of Kafka: two bytes choose which, one chooses the version.
pub(crate) fn message(data: &[u8]) {
    let [high, low, version, body @ ..] = data else { return };
    let place = usize::from(u16::from_be_bytes([*high, *low])) % schemas::ALL.len();
    let schema = schemas::ALL[place];
    if schema.versions.lowest <= schema.versions.highest {
        let span = (schema.versions.highest - schema.versions.lowest) as u8 + 1;
        read_message(schema, schema.versions.lowest + i16::from(version % span), body);
    }
}

/// The two decoders agree on what a message is, and what was read is read again from what is written.
fn read_message(schema: &'static Schema, version: i16, body: &[u8]) {
    let valid = table::validate(schema, version, &mut Reader::new(body)).is_ok();
    let mut writer = Writer::new();
    if let Some(result) = recode(schema.name, version, &mut Reader::new(body), &mut writer) {
        assert_eq!(result.is_ok(), valid, "{} version {version}: struct and table disagree", schema.name);
    }
    if valid && body.len() < 4096 {
        let value = table::decode(schema, version, &mut Reader::new(body), &mut Trees).expect("it is valid");
        let mut writer = Writer::new();
        if table::encode(schema, version, &&value, &mut writer).is_ok() {
            let mut reader = Reader::new(&writer.bytes);
            let again = table::decode(schema, version, &mut reader, &mut Trees).expect("it was just written");
            assert_eq!(format!("{again:?}"), format!("{value:?}"), "{} version {version}", schema.name);
        }
    }
}

/// Record batches as they come from a log or a peer.
pub(crate) fn record_batches(data: &[u8]) {
    let mut walk: Batches<'_> = batches(data);
    for batch in walk.by_ref() {
        let Ok(batch) = batch else { break };
        assert_eq!(batch.header.to_bytes(), batch.bytes[..HEADER_SIZE]);
        let _ = (batch.crc_is_valid(), batch.header.next_offset(), batch.header.last_sequence());
        let Ok(records) = batch.records(DECOMPRESSED_MAX) else { continue };
        let mut count = 0;
        for record in records.iter() {
            let Ok(record) = record else { return };
            assert_eq!(record.headers.len(), record.headers.count());
            count += 1;
        }
        assert_eq!(count, batch.header.records_count);
    }
    assert!(walk.position() <= data.len());
}

/// The records of a Produce request. The first byte chooses what the topic asks for; the checksum is put right,
/// so that what lies behind it is reached.
pub(crate) fn produce(data: &[u8]) {
    const NOW: i64 = 1_700_000_000_000;
    let [choice, records @ ..] = data else { return };
    let mut records = records.to_vec();
    if let Some(&[a, b, c, d]) = records.get(8..12).and_then(|length| length.first_chunk()) {
        let size =
            (i32::from_be_bytes([a, b, c, d]) as usize).saturating_add(LOG_OVERHEAD).min(records.len());
        if size >= HEADER_SIZE {
            let crc = crc32c(&records[21..size]).to_be_bytes();
            records[17..21].copy_from_slice(&crc);
        }
    }
    let config = ValidationConfig {
        compacted: choice & 1 != 0,
        timestamp_type: if choice & 2 != 0 {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        },
        compression_type: match choice >> 2 & 7 {
            id @ 0..=4 => TopicCompression::Codec(Compression::from_id(id as i8).expect("a codec"), None),
            _ => TopicCompression::Producer,
        },
        max_decompressed_batch_bytes: DECOMPRESSED_MAX,
        ..ValidationConfig::default()
    };
    let Ok(validated) = validate(&records, 9, &config, NOW) else { return };
    let mut out = Vec::new();
    validated.write_to(0, &mut out);
    let batch = Batch::parse(&out).expect("a validated batch is a batch");
    assert_eq!(batch.bytes.len(), out.len());
    assert!(batch.crc_is_valid());
    let mut max_timestamp = -1;
    let mut count = 0;
    for record in &batch.records(DECOMPRESSED_MAX).expect("a validated section can be decompressed") {
        let record = record.expect("a validated record can be read");
        assert_eq!(record.offset, count);
        assert!(record.key.is_some() || !config.compacted);
        max_timestamp = max_timestamp.max(record.timestamp);
        count += 1;
    }
    assert_eq!(count, i64::from(batch.header.last_offset_delta) + 1);
    assert_eq!(max_timestamp, batch.header.max_timestamp);
}

/// The decompressor of gzip.
pub(crate) fn gzip(data: &[u8]) {
    decompressor(Compression::Gzip, data);
}

/// The decompressor of Snappy.
pub(crate) fn snappy(data: &[u8]) {
    decompressor(Compression::Snappy, data);
}

/// The decompressor of LZ4.
pub(crate) fn lz4(data: &[u8]) {
    decompressor(Compression::Lz4, data);
}

/// The decompressor of Zstandard.
pub(crate) fn zstd(data: &[u8]) {
    decompressor(Compression::Zstd, data);
}

fn decompressor(codec: Compression, data: &[u8]) {
    let mut out = Vec::new();
    if decompress(codec, data, DECOMPRESSED_MAX, &mut out).is_err() {
        assert!(out.is_empty());
        return;
    }
    assert!(out.len() <= DECOMPRESSED_MAX);
    if out.len() <= 4096 {
        let mut compressed = Vec::new();
        compress(codec, None, &out, &mut compressed).expect("anything can be compressed");
        let mut again = Vec::new();
        decompress(codec, &compressed, DECOMPRESSED_MAX, &mut again).expect("it was just compressed");
        assert_eq!(again, out);
    }
}
