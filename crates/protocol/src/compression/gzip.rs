//! gzip: one member or several, the checksum of each verified.

use std::io::{ErrorKind, Read, Write};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::CompressionError;

const CODEC: &str = "gzip";

pub(super) fn compress(level: Option<i32>, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    // zlib's own default is 6; `compression.gzip.level` calls it -1.
    let level = match level.unwrap_or(-1) {
        -1 => flate2::Compression::default(),
        level @ 1..=9 => flate2::Compression::new(level as u32),
        level => return Err(CompressionError::Level { codec: CODEC, level }),
    };
    let failed = |_| CompressionError::Failed { codec: CODEC };
    let mut encoder = GzEncoder::new(out, level);
    encoder.write_all(input).map_err(failed)?;
    encoder.finish().map_err(failed)?;
    Ok(())
}

pub(super) struct Decoder<'a> {
    inner: MultiGzDecoder<&'a [u8]>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Decoder { inner: MultiGzDecoder::new(input) }
    }

    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
        self.inner.read(out).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => CompressionError::Truncated { codec: CODEC },
            _ => CompressionError::Corrupt { codec: CODEC, reason: "not a gzip member" },
        })
    }
}
