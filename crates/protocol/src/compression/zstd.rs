//! Zstandard: one frame or several, each with a window of at most 128 MiB.
//!
//! That is what a Java client reads by default and what one at level 22 writes even for a few bytes. The
//! library touches no more of a window than what came out of the frame so far, which the cap bounds.

use std::cell::Cell;

use ::zstd::zstd_safe::{self, CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

use super::CompressionError;

const CODEC: &str = "zstd";
const WINDOW_LOG_MAX: u32 = 27;
/// A context that took more than this is given back rather than kept for the thread's next batch.
const CONTEXT_BYTES_KEPT: usize = 4 << 20;

thread_local! {
    static COMPRESSOR: Cell<Option<CCtx<'static>>> = const { Cell::new(None) };
    static DECOMPRESSOR: Cell<Option<DCtx<'static>>> = const { Cell::new(None) };
}

pub(super) fn compress(level: Option<i32>, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let level = level.unwrap_or(3);
    if !(zstd_safe::min_c_level()..=zstd_safe::max_c_level()).contains(&level) {
        return Err(CompressionError::Level { codec: CODEC, level });
    }
    let failed = |_| CompressionError::Failed { codec: CODEC };
    let mut context = match COMPRESSOR.take().or_else(CCtx::try_create) {
        Some(context) => context,
        None => return Err(CompressionError::Failed { codec: CODEC }),
    };
    context.reset(ResetDirective::SessionAndParameters).map_err(failed)?;
    context.set_parameter(CParameter::CompressionLevel(level)).map_err(failed)?;
    let start = out.len();
    out.resize(start + zstd_safe::compress_bound(input.len()), 0);
    let size = context.compress2(&mut out[start..], input).map_err(failed)?;
    out.truncate(start + size);
    if context.sizeof() <= CONTEXT_BYTES_KEPT {
        COMPRESSOR.set(Some(context));
    }
    Ok(())
}

pub(super) struct Decoder<'a> {
    input: InBuffer<'a>,
    size: usize,
    context: Option<DCtx<'static>>,
    /// Whether the input may end here: a frame has just ended.
    between_frames: bool,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(input: &'a [u8]) -> Result<Self, CompressionError> {
        let failed = |_| CompressionError::Failed { codec: CODEC };
        let mut context = match DECOMPRESSOR.take().or_else(DCtx::try_create) {
            Some(context) => context,
            None => return Err(CompressionError::Failed { codec: CODEC }),
        };
        context.reset(ResetDirective::SessionAndParameters).map_err(failed)?;
        context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(failed)?;
        let context = Some(context);
        Ok(Decoder { input: InBuffer::around(input), size: input.len(), context, between_frames: false })
    }

    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
        let Some(context) = &mut self.context else { return Ok(0) };
        let mut out = OutBuffer::around(out);
        loop {
            let position = self.input.pos();
            if position == self.size && self.between_frames {
                return Ok(0);
            }
            let hint = context.decompress_stream(&mut out, &mut self.input).map_err(|_| {
                CompressionError::Corrupt { codec: CODEC, reason: "wrong frame, or too large a window" }
            })?;
            self.between_frames = hint == 0;
            if out.pos() > 0 {
                return Ok(out.pos());
            }
            if self.input.pos() == position && !self.between_frames {
                return Err(CompressionError::Truncated { codec: CODEC });
            }
        }
    }
}

impl Drop for Decoder<'_> {
    fn drop(&mut self) {
        if let Some(context) = self.context.take().filter(|context| context.sizeof() <= CONTEXT_BYTES_KEPT) {
            DECOMPRESSOR.set(Some(context));
        }
    }
}
