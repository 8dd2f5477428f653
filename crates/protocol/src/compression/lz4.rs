//! LZ4 frames as Kafka reads them: one frame of independent blocks, without a dictionary.
//!
//! ```text
//! magic u32 = 0x184d2204 | FLG | BD | content size u64? | header checksum
//! block: size u32 (high bit: stored as it is), bytes, checksum u32?
//! end mark u32 = 0, content checksum u32?          all little-endian
//! ```
//!
//! A block is decoded into a buffer of what its bytes can hold at most, which is never above the frame's
//! block size. Kafka refuses frames whose blocks refer to each other, so do we: a consumer could not read them.

use ::lz4::block::{compress_bound, compress_to_buffer, decompress_to_buffer, CompressionMode};

use super::xxh32::{xxh32, Xxh32};
use super::{CompressionError, Scratch};

const CODEC: &str = "lz4";
const MAGIC: u32 = 0x184d_2204;
/// Size of the blocks that are written, as Kafka's.
const BLOCK_BYTES: usize = 64 << 10;
const STORED: u32 = 1 << 31;
/// A byte of a block yields 255 bytes at most.
const EXPANSION_MAX: usize = 255;

mod flg {
    pub(super) const VERSION_MASK: u8 = 0b1100_0000;
    pub(super) const VERSION_1: u8 = 0b0100_0000;
    pub(super) const INDEPENDENT: u8 = 0b0010_0000;
    pub(super) const BLOCK_CHECKSUM: u8 = 0b0001_0000;
    pub(super) const CONTENT_SIZE: u8 = 0b0000_1000;
    pub(super) const CONTENT_CHECKSUM: u8 = 0b0000_0100;
    pub(super) const RESERVED_OR_DICTIONARY: u8 = 0b0000_0011;
}

pub(super) fn compress(level: Option<i32>, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let mode = match level.unwrap_or(9) {
        // The default level means the fast compressor, not level 9 of the thorough one, as in Kafka.
        9 => CompressionMode::DEFAULT,
        level @ 1..=17 => CompressionMode::HIGHCOMPRESSION(level),
        level => return Err(CompressionError::Level { codec: CODEC, level }),
    };
    let failed = |_| CompressionError::Failed { codec: CODEC };
    let descriptor = [flg::VERSION_1 | flg::INDEPENDENT, 4 << 4];
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&descriptor);
    out.push(header_checksum(&descriptor));
    for block in input.chunks(BLOCK_BYTES) {
        let size_at = out.len();
        let start = size_at + 4;
        out.resize(start + compress_bound(block.len()).map_err(failed)?, 0);
        let size = compress_to_buffer(block, Some(mode), false, &mut out[start..]).map_err(failed)?;
        if size < block.len() {
            out.truncate(start + size);
            out[size_at..start].copy_from_slice(&(size as u32).to_le_bytes());
        } else {
            out.truncate(start);
            out[size_at..start].copy_from_slice(&(block.len() as u32 | STORED).to_le_bytes());
            out.extend_from_slice(block);
        }
    }
    out.extend_from_slice(&[0; 4]);
    Ok(())
}

fn header_checksum(descriptor: &[u8]) -> u8 {
    (xxh32(descriptor) >> 8) as u8
}

pub(super) struct Decoder<'a> {
    rest: &'a [u8],
    flags: u8,
    block_bytes_max: usize,
    /// Checksum of what came out, when the frame promises one.
    content: Option<Xxh32>,
    /// Bytes that came out, and how many the frame promises.
    produced: u64,
    content_size: Option<u64>,
    block: Scratch,
    /// Bytes of `block` that were given out.
    given: usize,
    finished: bool,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(input: &'a [u8]) -> Result<Self, CompressionError> {
        let mut rest = input;
        if word(&mut rest)? != MAGIC {
            return Err(corrupt("no LZ4 frame"));
        }
        let descriptor = rest;
        let [flags, sizes] = *take(&mut rest, 2)? else { return Err(corrupt("no frame descriptor")) };
        if flags & flg::VERSION_MASK != flg::VERSION_1 || flags & flg::RESERVED_OR_DICTIONARY != 0 {
            return Err(corrupt("frame version or flag that is not supported"));
        }
        if flags & flg::INDEPENDENT == 0 {
            return Err(corrupt("blocks that depend on each other"));
        }
        let block_bytes_max = match sizes >> 4 {
            size @ 4..=7 if sizes & 0x0f == 0 => 1 << (8 + 2 * size),
            _ => return Err(corrupt("block size that is not defined")),
        };
        let mut content_size = None;
        if flags & flg::CONTENT_SIZE != 0 {
            let low = word(&mut rest)?;
            content_size = Some(u64::from(low) | u64::from(word(&mut rest)?) << 32);
        }
        let checksum = header_checksum(&descriptor[..descriptor.len() - rest.len()]);
        if take(&mut rest, 1)? != [checksum] {
            return Err(corrupt("wrong header checksum"));
        }
        let content = (flags & flg::CONTENT_CHECKSUM != 0).then(Xxh32::new);
        Ok(Decoder {
            rest,
            flags,
            block_bytes_max,
            content,
            produced: 0,
            content_size,
            block: Scratch::take(),
            given: 0,
            finished: false,
        })
    }

    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
        loop {
            if self.given < self.block.len() {
                let count = out.len().min(self.block.len() - self.given);
                out[..count].copy_from_slice(&self.block[self.given..self.given + count]);
                self.given += count;
                return Ok(count);
            }
            if self.finished {
                return Ok(0);
            }
            match self.read_block(out)? {
                0 => {}
                count => return Ok(count),
            }
        }
    }

    /// Decodes the next block: into `out` if it is sure to fit there, else into the buffer, which counts as 0.
    fn read_block(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
        let size_and_flag = word(&mut self.rest)?;
        if size_and_flag == 0 {
            self.finish()?;
            return Ok(0);
        }
        let size = (size_and_flag & !STORED) as usize;
        if size == 0 || size > self.block_bytes_max {
            return Err(corrupt("block size out of bounds"));
        }
        let bytes = take(&mut self.rest, size)?;
        if self.flags & flg::BLOCK_CHECKSUM != 0 && word(&mut self.rest)? != xxh32(bytes) {
            return Err(corrupt("wrong block checksum"));
        }
        let stored = size_and_flag & STORED != 0;
        let bound = if stored { size } else { self.block_bytes_max.min(size * EXPANSION_MAX) };
        let direct = bound <= out.len();
        let target = if direct {
            &mut out[..bound]
        } else {
            self.block.set_length(bound);
            &mut self.block[..]
        };
        let count = if stored {
            target.copy_from_slice(bytes);
            size
        } else {
            decompress_to_buffer(bytes, Some(bound as i32), target).map_err(|_| corrupt("wrong block"))?
        };
        self.produced += count as u64;
        if let Some(content) = &mut self.content {
            content.update(&target[..count]);
        }
        if direct {
            return Ok(count);
        }
        self.block.set_length(count);
        self.given = 0;
        Ok(0)
    }

    fn finish(&mut self) -> Result<(), CompressionError> {
        if let Some(content) = &self.content {
            if word(&mut self.rest)? != content.finish() {
                return Err(corrupt("wrong content checksum"));
            }
        }
        if self.content_size.is_some_and(|size| size != self.produced) {
            return Err(corrupt("wrong content size"));
        }
        if !self.rest.is_empty() {
            return Err(corrupt("bytes after the frame"));
        }
        self.finished = true;
        Ok(())
    }
}

fn corrupt(reason: &'static str) -> CompressionError {
    CompressionError::Corrupt { codec: CODEC, reason }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], CompressionError> {
    let (taken, left) = rest.split_at_checked(count).ok_or(CompressionError::Truncated { codec: CODEC })?;
    *rest = left;
    Ok(taken)
}

fn word(rest: &mut &[u8]) -> Result<u32, CompressionError> {
    match rest.split_first_chunk() {
        Some((word, left)) => {
            *rest = left;
            Ok(u32::from_le_bytes(*word))
        }
        None => Err(CompressionError::Truncated { codec: CODEC }),
    }
}
