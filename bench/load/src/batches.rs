//! Values and the batches that carry them.

use std::time::{SystemTime, UNIX_EPOCH};

use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::compression::Compression;

use crate::error::LoadError;

/// A small generator of pseudo-random numbers (xorshift): the same values in each run.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed.max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// What values look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Random capital letters, as Apache's ProducerPerformance sends.
    Letters,
    /// Small documents that repeat themselves as documents do: what compresses.
    Orders,
}

impl Payload {
    /// By its name on the command line.
    pub(crate) fn named(name: &str) -> Result<Payload, LoadError> {
        match name {
            "letters" => Ok(Payload::Letters),
            "orders" => Ok(Payload::Orders),
            _ => Err(LoadError::Usage(format!("--payload {name}: letters or orders"))),
        }
    }

    /// A value of exactly `size` bytes.
    pub(crate) fn value(self, size: usize, chance: &mut Chance) -> Vec<u8> {
        let mut value = Vec::with_capacity(size + 128);
        while value.len() < size {
            match self {
                Payload::Letters => value.push(b'A' + (chance.below(26 << 20) >> 20) as u8),
                Payload::Orders => value.extend(order(chance).into_bytes()),
            }
        }
        value.truncate(size);
        value
    }
}

fn order(chance: &mut Chance) -> String {
    let country = ["SE", "DE", "US", "JP", "BR"][chance.below(5) as usize];
    format!(
        "{{\"id\":{},\"user\":\"user-{}\",\"item\":\"sku-{}\",\"price\":{}.{:02},\"country\":\"{country}\",\"ok\":true}}",
        chance.below(100_000_000),
        chance.below(50_000),
        chance.below(5_000),
        chance.below(500),
        chance.below(100),
    )
}

/// A codec by its name.
pub(crate) fn compression(name: &str) -> Result<Compression, LoadError> {
    match name {
        "none" => Ok(Compression::None),
        "gzip" => Ok(Compression::Gzip),
        "snappy" => Ok(Compression::Snappy),
        "lz4" => Ok(Compression::Lz4),
        "zstd" => Ok(Compression::Zstd),
        _ => Err(LoadError::Usage(format!("--compression {name}: none, gzip, snappy, lz4 or zstd"))),
    }
}

/// A batch of these values without keys, by `config`, stamped with the time now.
pub(crate) fn batch<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
    config: BuilderConfig,
) -> Result<Vec<u8>, LoadError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
    let mut builder = BatchBuilder::new(config);
    for value in values {
        builder.append(now, None, Some(value), &[])?;
    }
    Ok(builder.finish()?)
}
