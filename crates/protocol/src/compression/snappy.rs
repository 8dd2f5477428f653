//! Snappy: blocks in the frame of Java's snappy library, which most clients write, or one raw block.
//!
//! ```text
//! 82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | version i32 = 1 | lowest compatible version i32 = 1
//! block: size i32, raw snappy            all big-endian; a header may stand before any block
//! ```
//!
//! A raw block says how large it is after decompression; a size that its bytes can't hold, or that is over
//! the cap, is refused before anything is allocated for it.

use super::{CompressionError, Scratch};

const CODEC: &str = "snappy";
const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const HEADER_BYTES: usize = 16;
const VERSION: i32 = 1;
/// Size of the blocks that are written, as Kafka's.
const BLOCK_BYTES: usize = 32 << 10;
/// Three bytes yield 64 at most.
const EXPANSION_MAX: usize = 22;

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let failed = |_| CompressionError::Failed { codec: CODEC };
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&VERSION.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in input.chunks(BLOCK_BYTES) {
        let start = out.len() + 4;
        out.resize(start + snap::raw::max_compress_len(block.len()), 0);
        let size = encoder.compress(block, &mut out[start..]).map_err(failed)?;
        out.truncate(start + size);
        out[start - 4..start].copy_from_slice(&(size as i32).to_be_bytes());
    }
    Ok(())
}

pub(super) struct Decoder<'a> {
    rest: &'a [u8],
    framed: bool,
    block: Scratch,
    given: usize,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(input: &'a [u8]) -> Result<Self, CompressionError> {
        if input.is_empty() {
            return Err(CompressionError::Truncated { codec: CODEC });
        }
        let framed = input.starts_with(&MAGIC);
        Ok(Decoder { rest: input, framed, block: Scratch::take(), given: 0 })
    }

    pub(super) fn read(&mut self, out: &mut [u8], left: usize) -> Result<usize, CompressionError> {
        loop {
            if self.given < self.block.len() {
                let count = out.len().min(self.block.len() - self.given);
                out[..count].copy_from_slice(&self.block[self.given..self.given + count]);
                self.given += count;
                return Ok(count);
            }
            if self.rest.is_empty() {
                return Ok(0);
            }
            let block = if self.framed { self.next_block()? } else { std::mem::take(&mut self.rest) };
            let size = decompressed_size(block, left)?;
            let direct = size <= out.len();
            let target = if direct {
                &mut out[..size]
            } else {
                self.block.set_length(size);
                self.given = 0;
                &mut self.block[..]
            };
            let wrong = |_| CompressionError::Corrupt { codec: CODEC, reason: "wrong block" };
            snap::raw::Decoder::new().decompress(block, target).map_err(wrong)?;
            if direct && size > 0 {
                return Ok(size);
            }
        }
    }

    /// The next block of a frame; a header in front of it is checked and left out.
    fn next_block(&mut self) -> Result<&'a [u8], CompressionError> {
        let truncated = CompressionError::Truncated { codec: CODEC };
        while self.rest.starts_with(&MAGIC) {
            let (header, rest) = self.rest.split_at_checked(HEADER_BYTES).ok_or(truncated.clone())?;
            if i32::from_be_bytes([header[8], header[9], header[10], header[11]]) < VERSION {
                return Err(CompressionError::Corrupt { codec: CODEC, reason: "unknown version" });
            }
            self.rest = rest;
            if rest.is_empty() {
                return Ok(EMPTY_BLOCK);
            }
        }
        let Some((size, rest)) = self.rest.split_first_chunk() else { return Err(truncated) };
        let Ok(size) = usize::try_from(i32::from_be_bytes(*size)) else {
            return Err(CompressionError::Corrupt { codec: CODEC, reason: "negative block size" });
        };
        let (block, rest) = rest.split_at_checked(size).ok_or(truncated)?;
        self.rest = rest;
        Ok(block)
    }
}

/// What snappy writes for nothing.
const EMPTY_BLOCK: &[u8] = &[0];

/// The size that a raw block has after decompression, as it says itself.
fn decompressed_size(block: &[u8], left: usize) -> Result<usize, CompressionError> {
    match snap::raw::decompress_len(block) {
        Ok(size) if size > block.len().saturating_mul(EXPANSION_MAX) => {
            Err(CompressionError::Corrupt { codec: CODEC, reason: "size that the block can't hold" })
        }
        Ok(size) if size > left => Err(CompressionError::TooLarge { limit: left }),
        Ok(size) => Ok(size),
        Err(_) => Err(CompressionError::Corrupt { codec: CODEC, reason: "block without a size" }),
    }
}
