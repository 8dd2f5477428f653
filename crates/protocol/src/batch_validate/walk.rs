//! One pass over the records of a batch: their structure, and what the topic asks of each.
//!
//! Nothing is allocated for a record. A compressed section is decompressed through a window that the thread
//! keeps, so that a batch costs no more memory than the window, however much is in it; where payloads are read
//! the window grows to the largest record, to [`WHOLE_RECORD_BYTES_MAX`] at most.

use super::error::{InvalidKind, InvalidRecords, RecordErrors};
use super::ValidationConfig;
use crate::batch::{Batch, BatchError, BatchHeader, TimestampType, NO_TIMESTAMP};
use crate::compression::{Compression, CompressionError, Decompressor, Scratch, CHUNK_BYTES};
use crate::record::{
    claimed_size, frame_at, plain_frame, read_frame, Blind, Frame, RecordError, Slice, Source,
};
use crate::schema_id::{read_whole, Reading, RecordPayloads, SchemaJudge};
use crate::types::Millis;

/// The largest record whose payloads are read.
const WHOLE_RECORD_BYTES_MAX: usize = 64 << 20;

/// What a walk found out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walked {
    /// The largest timestamp of a record, or -1.
    pub(super) max_timestamp: Millis,
    /// Position of the first record with it, or -1.
    pub(super) index_of_max_timestamp: i32,
}

/// Walks over a section that is not compressed.
pub(super) fn plain<J: SchemaJudge>(
    header: &BatchHeader,
    section: &[u8],
    config: &ValidationConfig,
    now: Millis,
    judge: &mut J,
) -> Result<Walked, InvalidRecords> {
    Walk::new(header, config, now).run(&mut Slice { rest: section }, judge)
}

/// Walks over a section while it is being decompressed.
pub(super) fn compressed<J: SchemaJudge>(
    batch: &Batch<'_>,
    codec: Compression,
    config: &ValidationConfig,
    now: Millis,
    judge: &mut J,
) -> Result<Walked, InvalidRecords> {
    let limit = config.max_decompressed_batch_bytes;
    let decompressor = Decompressor::new(codec, batch.records_bytes(), limit).map_err(BatchError::from)?;
    let mut window = Window::new(decompressor);
    Walk::new(&batch.header, config, now).run(&mut window, judge)
}

struct Walk<'c> {
    header: BatchHeader,
    config: &'c ValidationConfig,
    /// Timestamps outside of these are refused.
    earliest: Millis,
    latest: Millis,
    record_bytes_max: usize,
    errors: RecordErrors,
    walked: Walked,
}

impl<'c> Walk<'c> {
    fn new(header: &BatchHeader, config: &'c ValidationConfig, now: Millis) -> Self {
        Walk {
            header: *header,
            config,
            earliest: now.saturating_sub(config.timestamp_before_max_ms),
            latest: now.saturating_add(config.timestamp_after_max_ms),
            // The bound is there for what decompression may bring; without it max.message.bytes is enough.
            record_bytes_max: match header.compression() {
                Ok(Compression::None) => usize::MAX,
                _ => config.max_decompressed_bytes,
            },
            errors: RecordErrors::default(),
            walked: Walked { max_timestamp: NO_TIMESTAMP, index_of_max_timestamp: -1 },
        }
    }

    fn run<S: Source, J: SchemaJudge>(
        mut self,
        source: &mut S,
        judge: &mut J,
    ) -> Result<Walked, InvalidRecords> {
        let count = self.header.records_count;
        for index in 0..count.max(0) as u32 {
            if J::LOOKS {
                self.looked_at(index, source, judge)?;
            } else if let Some(frame) = plain_frame(source.peek(0).map_err(BatchError::from)?) {
                // It lies whole in what is at hand.
                source.skip(frame.size).map_err(BatchError::from)?;
                self.check(index, &frame)?;
            } else {
                self.long_way(index, source)?;
            }
        }
        if !source.peek(1).map_err(BatchError::from)?.is_empty() {
            return Err(BatchError::from(RecordError::Trailing { count }).into());
        }
        self.errors.finish()?;
        Ok(self.walked)
    }

    /// Reads and checks the next record, whatever it is like.
    #[cold]
    #[inline(never)]
    fn long_way<S: Source>(&mut self, index: u32, source: &mut S) -> Result<(), InvalidRecords> {
        let frame = read_frame(source, index, &mut Blind).map_err(BatchError::from)?;
        self.check(index, &frame)
    }

    /// Checks the next record, and has it judged.
    #[inline]
    fn looked_at<S: Source, J: SchemaJudge>(
        &mut self,
        index: u32,
        source: &mut S,
        judge: &mut J,
    ) -> Result<(), InvalidRecords> {
        let bytes = source.peek(0).map_err(BatchError::from)?;
        if let Some(frame) = plain_frame(bytes) {
            self.judged(index, &frame, bytes, judge)?;
            source.skip(frame.size).map_err(BatchError::from)?;
            return Ok(());
        }
        match judge.reads_payloads() {
            true => self.gathered(index, source, judge),
            false => self.glanced_at(index, source, judge),
        }
    }

    /// Checks a record that `bytes` begin with, and has it judged.
    #[inline]
    fn judged<J: SchemaJudge>(
        &mut self,
        index: u32,
        frame: &Frame,
        bytes: &[u8],
        judge: &mut J,
    ) -> Result<(), InvalidRecords> {
        self.check(index, frame)?;
        let (key, value, headers) = frame.parts(bytes);
        let (schemas, payloads) = read_whole(key, value, headers);
        if let Err(message) = judge.judge(&schemas, &payloads) {
            self.errors.schema(index, message);
        }
        Ok(())
    }

    /// The same for a record that does not lie whole in what is at hand, of which no payload is wanted.
    fn glanced_at<S: Source, J: SchemaJudge>(
        &mut self,
        index: u32,
        source: &mut S,
        judge: &mut J,
    ) -> Result<(), InvalidRecords> {
        let mut reading = Reading::default();
        let frame = read_frame(source, index, &mut reading).map_err(BatchError::from)?;
        self.check(index, &frame)?;
        if let Err(message) = judge.judge(&reading.schemas(), &RecordPayloads::default()) {
            self.errors.schema(index, message);
        }
        Ok(())
    }

    /// The same for one whose payloads are wanted.
    fn gathered<S: Source, J: SchemaJudge>(
        &mut self,
        index: u32,
        source: &mut S,
        judge: &mut J,
    ) -> Result<(), InvalidRecords> {
        let bytes_max = self.record_bytes_max.min(WHOLE_RECORD_BYTES_MAX);
        let claimed = claimed_size(source).map_err(BatchError::from)?;
        let Some(size) = claimed.filter(|size| *size <= bytes_max) else {
            let frame = read_frame(source, index, &mut Blind).map_err(BatchError::from)?;
            self.check(index, &frame)?;
            let message =
                format!("a record of {} bytes is too large for its values to be checked", frame.size);
            self.errors.schema(index, message);
            return Ok(());
        };
        let bytes = source.peek(size).map_err(BatchError::from)?;
        let frame = frame_at(&bytes[..size.min(bytes.len())], index).map_err(BatchError::from)?;
        self.judged(index, &frame, bytes, judge)?;
        source.skip(frame.size).map_err(BatchError::from)?;
        Ok(())
    }

    #[inline(always)]
    fn check(&mut self, index: u32, frame: &Frame) -> Result<(), InvalidRecords> {
        // Kafka 4.3.1 keeps such offsets in a batch that is not compressed, where they mislead every reader, and
        // answers UNKNOWN_SERVER_ERROR for one that is.
        if frame.size > self.record_bytes_max || frame.offset_delta as u32 != index {
            return Err(self.wrong(index, frame));
        }
        let timestamp = match self.header.timestamp_type() {
            TimestampType::CreateTime => self.header.base_timestamp.wrapping_add(frame.timestamp_delta),
            TimestampType::LogAppendTime => self.header.max_timestamp,
        };
        if timestamp > self.walked.max_timestamp {
            self.walked.max_timestamp = timestamp;
            self.walked.index_of_max_timestamp = index as i32;
        }
        if self.config.compacted && frame.key_length < 0 {
            self.errors.no_key(index);
        } else if self.config.timestamp_type == TimestampType::CreateTime && timestamp != NO_TIMESTAMP {
            if timestamp < self.earliest || timestamp > self.latest {
                self.errors.timestamp(index, timestamp, self.earliest, self.latest);
            }
        } else if self.header.timestamp_type() == TimestampType::LogAppendTime {
            self.errors.timestamp_type(index);
        }
        Ok(())
    }

    /// Why a record that is too large, or out of its place, is refused.
    #[cold]
    fn wrong(&self, index: u32, frame: &Frame) -> InvalidRecords {
        let (size, limit) = (frame.size, self.record_bytes_max);
        let message = if size > limit {
            format!("record {index} of {size} bytes is over max.decompressed.message.bytes={limit}")
        } else {
            format!("record {index} has offset delta {}", frame.offset_delta)
        };
        InvalidRecords::new(InvalidKind::Record, message)
    }
}

/// The part of a section that has been decompressed and not been walked over.
struct Window<'a> {
    decompressor: Decompressor<'a>,
    buffer: Scratch,
    start: usize,
    end: usize,
}

impl<'a> Window<'a> {
    /// Room for a chunk behind what `peek` may have to keep.
    const BYTES: usize = CHUNK_BYTES + 64;

    fn new(decompressor: Decompressor<'a>) -> Self {
        let mut buffer = Scratch::take();
        buffer.set_length(Self::BYTES);
        Window { decompressor, buffer, start: 0, end: 0 }
    }
}

impl Source for Window<'_> {
    #[inline]
    fn peek(&mut self, wanted: usize) -> Result<&[u8], CompressionError> {
        if self.end - self.start < wanted {
            self.fill(wanted)?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    #[inline]
    fn skip(&mut self, count: usize) -> Result<bool, CompressionError> {
        if count <= self.end - self.start {
            self.start += count;
            return Ok(true);
        }
        self.skip_far(count)
    }
}

impl Window<'_> {
    fn fill(&mut self, wanted: usize) -> Result<(), CompressionError> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < wanted {
            if self.end == self.buffer.len() {
                // Twice as much, as what has come is believed rather than what a record says of itself.
                self.buffer.set_length(2 * self.end);
            }
            match self.decompressor.read(&mut self.buffer[self.end..])? {
                0 => break,
                count => self.end += count,
            }
        }
        Ok(())
    }

    fn skip_far(&mut self, count: usize) -> Result<bool, CompressionError> {
        let mut left = count - (self.end - self.start);
        self.start = 0;
        self.end = 0;
        while left > 0 {
            let produced = self.decompressor.read(&mut self.buffer[..])?;
            if produced == 0 {
                return Ok(false);
            }
            self.start = produced.min(left);
            self.end = produced;
            left -= self.start;
        }
        Ok(true)
    }
}
