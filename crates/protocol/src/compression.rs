//! The four codecs of record batches, in the frames that Kafka's clients write.
//!
//! Always true of decompression: it never gives more than the cap that its caller names; what it allocates is
//! bounded by what was asked for plus one block of the codec, however the input lies; input that is cut off,
//! corrupt or followed by anything is an error.

mod gzip;
mod lz4;
mod scratch;
mod snappy;
mod xxh32;
mod zstd;

pub(crate) use scratch::Scratch;

/// How a records section is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// As it is.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Snappy blocks in the frame of Java's snappy library, or one block by itself.
    Snappy,
    /// LZ4 frame.
    Lz4,
    /// Zstandard, from Produce version 7 and Fetch version 10 on (KIP-110).
    Zstd,
}

/// Why bytes can't be compressed or decompressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// A number that stands for no codec.
    #[error("unknown compression type id: {id}")]
    UnknownCodec {
        /// The number.
        id: i8,
    },
    /// There is more in it than the caller takes.
    #[error("more than {limit} bytes after decompression")]
    TooLarge {
        /// The cap.
        limit: usize,
    },
    /// The input ends in the middle.
    #[error("{codec} data ends in the middle")]
    Truncated {
        /// Name of the codec.
        codec: &'static str,
    },
    /// The input is not what the codec writes.
    #[error("{codec} data is not valid: {reason}")]
    Corrupt {
        /// Name of the codec.
        codec: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// A level that the codec does not have.
    #[error("{codec} has no compression level {level}")]
    Level {
        /// Name of the codec.
        codec: &'static str,
        /// The level.
        level: i32,
    },
    /// The codec's library refused to compress.
    #[error("{codec} failed to compress")]
    Failed {
        /// Name of the codec.
        codec: &'static str,
    },
}

impl Compression {
    /// The codec with this number in a batch's attributes.
    pub fn from_id(id: i8) -> Result<Compression, CompressionError> {
        match id {
            0 => Ok(Compression::None),
            1 => Ok(Compression::Gzip),
            2 => Ok(Compression::Snappy),
            3 => Ok(Compression::Lz4),
            4 => Ok(Compression::Zstd),
            id => Err(CompressionError::UnknownCodec { id }),
        }
    }

    /// Its number in a batch's attributes.
    pub fn id(self) -> i8 {
        self as i8
    }

    /// The codec with this name in `compression.type`.
    pub fn from_name(name: &str) -> Option<Compression> {
        match name {
            "none" | "uncompressed" => Some(Compression::None),
            "gzip" => Some(Compression::Gzip),
            "snappy" => Some(Compression::Snappy),
            "lz4" => Some(Compression::Lz4),
            "zstd" => Some(Compression::Zstd),
            _ => None,
        }
    }

    /// Kafka's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}

/// Appends `input`, compressed, to `out`. `level` is that of `compression.<codec>.level`; None is its default.
pub fn compress(
    codec: Compression,
    level: Option<i32>,
    input: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    match codec {
        Compression::None => {
            out.extend_from_slice(input);
            Ok(())
        }
        Compression::Gzip => gzip::compress(level, input, out),
        Compression::Snappy => snappy::compress(input, out),
        Compression::Lz4 => lz4::compress(level, input, out),
        Compression::Zstd => zstd::compress(level, input, out),
    }
}

/// Appends what is in `input` to `out`: `max_decompressed` bytes at most.
pub fn decompress(
    codec: Compression,
    input: &[u8],
    max_decompressed: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let mut decompressor = Decompressor::new(codec, input, max_decompressed)?;
    let start = out.len();
    let mut filled = start;
    loop {
        if filled == out.len() {
            // Grows with what came out, never with what the input promises.
            let produced = filled - start;
            let room = produced.max(CHUNK_BYTES).min(max_decompressed.saturating_sub(produced).max(1));
            out.reserve_exact(room);
            out.resize(filled + room, 0);
        }
        match decompressor.read(&mut out[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) => {
                out.truncate(start);
                return Err(error);
            }
        }
    }
    out.truncate(filled);
    Ok(())
}

/// What is read at a time when the size is not known.
pub(crate) const CHUNK_BYTES: usize = 64 << 10;

/// Decompresses bit by bit.
pub struct Decompressor<'a> {
    decoder: Decoder<'a>,
    left: usize,
    limit: usize,
}

enum Decoder<'a> {
    None(&'a [u8]),
    Gzip(gzip::Decoder<'a>),
    Snappy(snappy::Decoder<'a>),
    Lz4(lz4::Decoder<'a>),
    Zstd(zstd::Decoder<'a>),
}

impl<'a> Decompressor<'a> {
    /// Decompresses `input`, which may have `max_decompressed` bytes in it at most.
    pub fn new(
        codec: Compression,
        input: &'a [u8],
        max_decompressed: usize,
    ) -> Result<Decompressor<'a>, CompressionError> {
        let decoder = match codec {
            Compression::None => Decoder::None(input),
            Compression::Gzip => Decoder::Gzip(gzip::Decoder::new(input)),
            Compression::Snappy => Decoder::Snappy(snappy::Decoder::new(input)?),
            Compression::Lz4 => Decoder::Lz4(lz4::Decoder::new(input)?),
            Compression::Zstd => Decoder::Zstd(zstd::Decoder::new(input)?),
        };
        Ok(Decompressor { decoder, left: max_decompressed, limit: max_decompressed })
    }

    /// Writes the bytes that come next to `out`, which is not empty; 0 at the end.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
        let count = match &mut self.decoder {
            Decoder::None(rest) => {
                let count = rest.len().min(out.len());
                out[..count].copy_from_slice(&rest[..count]);
                *rest = &rest[count..];
                count
            }
            Decoder::Gzip(decoder) => decoder.read(out)?,
            Decoder::Snappy(decoder) => decoder.read(out, self.left)?,
            Decoder::Lz4(decoder) => decoder.read(out)?,
            Decoder::Zstd(decoder) => decoder.read(out)?,
        };
        match self.left.checked_sub(count) {
            Some(left) => {
                self.left = left;
                Ok(count)
            }
            None => Err(CompressionError::TooLarge { limit: self.limit }),
        }
    }
}

#[cfg(test)]
mod tests;
