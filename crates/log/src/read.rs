//! Reading: which bytes of which file hold what was asked for. The bytes themselves are not touched.

use barnabas_disk::FileSlice;
use barnabas_protocol::batch::BatchHeader;
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
    /// What must come from the disk before there are more bytes, if only cached ones were asked for: a part of the
    /// log behind the bytes, or of an index.
    pub cold: Option<FileSlice>,
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

/// What a read asks for.
#[derive(Clone, Copy)]
struct Wanted {
    offset: Offset,
    max_bytes: usize,
    upper_bound: Offset,
    min_one_batch: bool,
    only_cached: bool,
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
        self.read_wanted(Wanted { offset, max_bytes, upper_bound, min_one_batch, only_cached: false })
    }

    /// As `read`, without waiting for the disk: bytes that are not in the page cache are left out, and named in
    /// [`ReadResult::cold`].
    pub fn read_cached(
        &self,
        offset: Offset,
        max_bytes: usize,
        upper_bound: Offset,
        min_one_batch: bool,
    ) -> Result<ReadResult, LogError> {
        self.read_wanted(Wanted { offset, max_bytes, upper_bound, min_one_batch, only_cached: true })
    }

    fn read_wanted(&self, wanted: Wanted) -> Result<ReadResult, LogError> {
        let offset = wanted.offset;
        if offset < self.log_start_offset || offset > self.log_end_offset {
            let (log_start_offset, log_end_offset) = (self.log_start_offset, self.log_end_offset);
            return Err(LogError::OffsetOutOfRange { offset, log_start_offset, log_end_offset });
        }
        let upper_bound = wanted.upper_bound.min(self.log_end_offset);
        if offset >= upper_bound {
            return Ok(self.nothing_read(offset));
        }
        let first = self.segment_index(offset).unwrap_or(0);
        let wanted = Wanted { upper_bound, ..wanted };
        for (index, segment) in self.segments.iter().enumerate().skip(first) {
            if wanted.only_cached {
                if let Some(cold) = segment.cold_way_to(&self.place, offset)? {
                    return Ok(ReadResult { cold: Some(cold), ..self.nothing_read(offset) });
                }
            }
            let Some(found) = self.find(index, offset)? else {
                continue; // Compaction has removed everything from the offset to the end of the segment.
            };
            return match self.read_at(index, found, wanted) {
                Err(error @ LogError::Corrupt { .. }) if !segment.is_known_as_damaged(found.0) => {
                    // The index may have led to where no batch begins.
                    match segment.find_from(&self.place, offset, 0) {
                        Ok(Some(other)) if other.0 != found.0 => self.read_at(index, other, wanted),
                        _ => Err(segment.note_damage(found.0, error)),
                    }
                }
                read => read,
            };
        }
        Ok(self.nothing_read(offset))
    }

    /// The offset that follows a segment.
    pub(crate) fn next_base(&self, index: usize) -> Offset {
        self.segments.get(index + 1).map_or(self.log_end_offset, |next| next.base_offset)
    }

    /// The first batch of a segment that ends at `offset` or behind it.
    pub(crate) fn find(&self, index: usize, offset: Offset) -> Result<Option<(u64, BatchHeader)>, LogError> {
        let segment = &self.segments[index];
        let found = segment.find(&self.place, offset)?;
        if found.is_some_and(|(_, header)| header.base_offset <= offset) {
            return Ok(found);
        }
        // Either compaction has removed the batch, or one that is passed over is damaged and holds the offset.
        let end = found.map_or(segment.size, |(position, _)| position);
        let next_base = self.next_base(index);
        let mut from = segment.offset_index.position_before(&self.place, offset)?;
        while from < end {
            from = segment.verify(&self.place, &self.epochs, from, end, next_base)?;
        }
        Ok(found)
    }

    /// Reads from the batch that was found, verified as far as it is given out.
    fn read_at(
        &self,
        index: usize,
        found: (u64, BatchHeader),
        wanted: Wanted,
    ) -> Result<ReadResult, LogError> {
        let (segment, (position, header)) = (&self.segments[index], found);
        let offset = wanted.offset;
        if header.last_offset() >= wanted.upper_bound {
            return Ok(self.nothing_read(offset));
        }
        let end = self.position_of_bound(segment, wanted.upper_bound)?;
        let limit = if wanted.min_one_batch { wanted.max_bytes.max(header.size()) } else { wanted.max_bytes };
        let mut length = usize::try_from(end - position).unwrap_or(usize::MAX).min(limit);
        let mut cold = None;
        if wanted.only_cached {
            (length, cold) = self.cached_part(index, position, length)?;
        }
        // Less than a batch is given to nobody.
        if length >= header.size() {
            let next_base = self.next_base(index);
            let to = position + length as u64;
            let right = segment.verify(&self.place, &self.epochs, position, to, next_base)?;
            length = length.min((right - position) as usize);
        }
        let file = segment.file(&self.place)?;
        Ok(ReadResult {
            cold,
            position: LogPosition { offset, segment_base_offset: segment.base_offset, position },
            slice: (length > 0).then_some(FileSlice { file, position, length }),
            first_batch: Some(BatchFacts {
                base_offset: header.base_offset,
                last_offset: header.last_offset(),
                size: header.size(),
            }),
        })
    }

    fn nothing_read(&self, offset: Offset) -> ReadResult {
        let position = LogPosition { offset, ..self.log_end_position() };
        ReadResult { position, slice: None, first_batch: None, cold: None }
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
            None => Ok(self.next_base(index)),
        }
    }

    /// Transactions aborted in the log that have records in `from..to`: readers of committed records skip
    /// these. `to` is exclusive.
    pub fn aborted_transactions(&self, from: Offset, to: Offset) -> Result<Vec<AbortedTxn>, LogError> {
        let first = self.segment_index(from).unwrap_or(0);
        let base_offsets = self.segments[first..].iter().map(|segment| segment.base_offset);
        let found = transaction_index::find(&self.place, base_offsets, from, to)?;
        found.iter().try_for_each(|aborted| self.check_aborted(aborted))?;
        Ok(found)
    }

    /// Header of the batch that holds `offset`; None when it is removed.
    fn batch_at(&self, offset: Offset) -> Result<Option<BatchHeader>, LogError> {
        let Some(index) = self.segment_index(offset.max(self.log_start_offset)) else { return Ok(None) };
        let found = self.segments[index].find(&self.place, offset)?;
        Ok(found.map(|(_, header)| header).filter(|header| header.base_offset <= offset))
    }

    /// Compares an entry of a transaction index with the batches that it names, as far as they are still there.
    fn check_aborted(&self, aborted: &AbortedTxn) -> Result<(), LogError> {
        let index = self.segment_index(aborted.last_offset).unwrap_or(0);
        let segment = &self.segments[index];
        let damaged = |reason: &str| {
            let path = self.place.path(segment.base_offset, crate::place::TXN_INDEX);
            Err(LogError::corrupt(&path, 0, format!("{aborted:?}: {reason}")))
        };
        if aborted.last_stable_offset > aborted.last_offset + 1 || aborted.last_offset >= self.log_end_offset
        {
            return damaged("these offsets can't be");
        }
        let of_producer =
            |header: &BatchHeader| header.producer_id == aborted.producer_id && header.is_transactional();
        if let Some(marker) = self.batch_at(aborted.last_offset)? {
            if !of_producer(&marker) || !marker.is_control() {
                return damaged("there is no such marker");
            }
        }
        if let Some(first) = self.batch_at(aborted.first_offset)? {
            let begins = first.base_offset == aborted.first_offset && !first.is_control();
            if !of_producer(&first) || !begins {
                return damaged("no such transaction begins there");
            }
        }
        Ok(())
    }
}
