//! Reading: which bytes of which file hold what was asked for. The bytes themselves are not touched.

use barnabas_disk::FileSlice;
use barnabas_protocol::Offset;

use crate::error::LogError;
use crate::log::{Log, LogPosition};
use crate::segment::Segment;
use crate::transaction_index::{self, AbortedTxn};

/// Bytes of a log that were asked for, not read yet.
#[derive(Debug, Clone)]
pub struct ReadResult {
    /// Where the bytes begin: at the batch that contains the offset asked for, or the next one if compaction
    /// has removed it.
    pub position: LogPosition,
    /// The bytes; None when there is nothing below the bound. They may end inside a batch.
    pub slice: Option<FileSlice>,
    /// The first batch of the bytes.
    pub first_batch: Option<BatchFacts>,
}

/// What a read tells of the first batch, without touching it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchFacts {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// Its size in bytes.
    pub size: usize,
}

impl ReadResult {
    /// Bytes that were found.
    pub fn length(&self) -> usize {
        self.slice.as_ref().map_or(0, |slice| slice.length)
    }
}

impl Log {
    /// Finds the bytes from the batch that contains `offset` on, up to the first batch that does not lie below
    /// `upper_bound` (high watermark, last stable offset or log end, as the reader may see). They are at most
    /// `max_bytes`, except that with `min_one_batch` the first batch is always whole; they do not go beyond
    /// one segment.
    pub fn read(
        &self,
        offset: Offset,
        max_bytes: usize,
        upper_bound: Offset,
        min_one_batch: bool,
    ) -> Result<ReadResult, LogError> {
        if offset < self.log_start_offset || offset > self.log_end_offset {
            let (log_start_offset, log_end_offset) = (self.log_start_offset, self.log_end_offset);
            return Err(LogError::OffsetOutOfRange { offset, log_start_offset, log_end_offset });
        }
        let upper_bound = upper_bound.min(self.log_end_offset);
        if offset >= upper_bound {
            return Ok(self.nothing_read(offset));
        }
        let first = self.segment_index(offset).unwrap_or(0);
        for segment in &self.segments[first..] {
            let Some((position, header)) = segment.find(&self.place, offset)? else {
                continue; // Compaction has removed everything from the offset to the end of the segment.
            };
            if header.last_offset() >= upper_bound {
                break;
            }
            let end = self.position_of_bound(segment, upper_bound)?;
            let limit = if min_one_batch { max_bytes.max(header.size()) } else { max_bytes };
            let length = usize::try_from(end - position).unwrap_or(usize::MAX).min(limit);
            let file = segment.file(&self.place)?;
            return Ok(ReadResult {
                position: LogPosition { offset, segment_base_offset: segment.base_offset, position },
                slice: (length > 0).then_some(FileSlice { file, position, length }),
                first_batch: Some(BatchFacts {
                    base_offset: header.base_offset,
                    last_offset: header.last_offset(),
                    size: header.size(),
                }),
            });
        }
        Ok(self.nothing_read(offset))
    }

    fn nothing_read(&self, offset: Offset) -> ReadResult {
        let position = LogPosition { offset, ..self.log_end_position() };
        ReadResult { position, slice: None, first_batch: None }
    }

    /// Where in `segment` the first batch begins that does not lie below `upper_bound`.
    fn position_of_bound(&self, segment: &Segment, upper_bound: Offset) -> Result<u64, LogError> {
        if upper_bound >= self.log_end_offset {
            return Ok(segment.size);
        }
        Ok(segment.find(&self.place, upper_bound)?.map_or(segment.size, |(position, _)| position))
    }

    /// Where `offset` lies, for counting bytes between two offsets.
    pub fn position_of(&self, offset: Offset) -> Result<LogPosition, LogError> {
        if offset >= self.log_end_offset {
            return Ok(self.log_end_position());
        }
        let found = self.read(offset.max(self.log_start_offset), 0, self.log_end_offset, false)?;
        Ok(found.position)
    }

    /// An offset that is at or behind the end of what `read` found, and near it: the bound for
    /// `aborted_transactions`.
    pub fn read_end_offset(&self, read: &ReadResult) -> Result<Offset, LogError> {
        let Some(slice) = &read.slice else { return Ok(read.position.offset) };
        let Some(index) = self.segment_index(read.position.segment_base_offset) else {
            return Ok(self.log_end_offset);
        };
        let end = slice.position + slice.length as u64;
        match self.segments[index].offset_index.offset_after(&self.place, end)? {
            Some(offset) => Ok(offset),
            None => Ok(self.segments.get(index + 1).map_or(self.log_end_offset, |next| next.base_offset)),
        }
    }

    /// Transactions aborted in the log that have records in `from..to`: readers of committed records skip
    /// these. `to` is exclusive.
    pub fn aborted_transactions(&self, from: Offset, to: Offset) -> Result<Vec<AbortedTxn>, LogError> {
        let first = self.segment_index(from).unwrap_or(0);
        let base_offsets = self.segments[first..].iter().map(|segment| segment.base_offset);
        transaction_index::find(&self.place, base_offsets, from, to)
    }
}
