//! What several test programs share.
#![allow(dead_code, unreachable_pub)] // Each program uses a part of it.
#![allow(clippy::unwrap_used)] // As in the tests themselves.

use barnabas_protocol::batch::TimestampType;
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::compression::Compression;
use barnabas_protocol::record::Header;

pub const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

/// SplitMix64: the same numbers for the same seed, on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Up to `max` bytes, which compress somewhat.
    pub fn bytes(&mut self, max: usize) -> Vec<u8> {
        let alphabet = self.of(&[2, 16, 256]);
        (0..self.below(max + 1)).map(|_| self.below(alphabet) as u8).collect()
    }

    pub fn maybe_bytes(&mut self, max: usize) -> Option<Vec<u8>> {
        (!self.one_in(5)).then(|| self.bytes(max))
    }
}

pub struct OwnedRecord {
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl OwnedRecord {
    pub fn random(random: &mut Random, offset: i64, timestamp: i64) -> OwnedRecord {
        let value_max = if random.one_in(60) { 70_000 } else { random.of(&[0, 10, 200]) };
        let headers = (0..random.of(&[0, 0, 0, 1, 3]))
            .map(|_| {
                let key = random.bytes(12).iter().map(|b| b'a' + b % 26).collect();
                (key, random.maybe_bytes(20))
            })
            .collect();
        let (key, value) = (random.maybe_bytes(20), random.maybe_bytes(value_max));
        OwnedRecord { offset, timestamp, key, value, headers }
    }

    pub fn headers(&self) -> Vec<Header<'_>> {
        self.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect()
    }
}

/// A batch of `records`, whose offsets need not be dense.
pub fn batch(config: BuilderConfig, records: &[OwnedRecord]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(config);
    for record in records {
        let headers = record.headers();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        builder.append_at(record.offset, record.timestamp, key, value, &headers).unwrap();
    }
    builder.finish().unwrap()
}

pub fn random_config(random: &mut Random) -> BuilderConfig {
    let mut config = BuilderConfig { compression: random.of(&CODECS), ..BuilderConfig::default() };
    if random.one_in(3) {
        config.producer_id = random.below(100) as i64;
        config.producer_epoch = random.below(5) as i16;
        config.base_sequence = random.of(&[0, 7, i32::MAX - 1]);
        config.transactional = random.one_in(2);
    }
    config
}

pub fn timestamp_type_name(timestamp_type: TimestampType) -> &'static str {
    match timestamp_type {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}
