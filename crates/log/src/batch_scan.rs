//! A walk over the batches of a segment file, headers only or whole batches, through a bounded buffer.

use std::sync::Arc;

use barnabas_disk::File;
use barnabas_protocol::batch::{Batch, BatchError, BatchHeader, HEADER_SIZE};

use std::io;

/// Bytes read at once when only headers are wanted: small batches share a read, large ones are jumped over.
pub(crate) const HEADERS_BLOCK: usize = 8 * 1024;
/// Bytes read at once when batches are wanted whole.
const BATCHES_BLOCK: usize = 1 << 20;

/// Why a walk ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There is no batch at the position that was reached.
    #[error(transparent)]
    Batch(#[from] BatchError),
}

/// Walks from one position of a file to another.
#[derive(Debug)]
pub(crate) struct BatchScan {
    file: Arc<dyn File>,
    position: u64,
    end: u64,
    /// Bytes read at once when batches are wanted whole.
    block: usize,
    buffer: Vec<u8>,
    /// Where in the file the buffer begins.
    buffer_at: u64,
}

impl BatchScan {
    pub(crate) fn new(file: Arc<dyn File>, position: u64, end: u64) -> Self {
        Self { file, position, end, block: BATCHES_BLOCK, buffer: Vec::new(), buffer_at: 0 }
    }

    /// Reads so many bytes at once when batches are wanted whole.
    pub(crate) fn with_block(self, block: usize) -> Self {
        Self { block: block.max(HEADERS_BLOCK), ..self }
    }

    /// Where the next batch begins.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The bytes from the position on: at least `wanted` unless the end is nearer.
    fn fill(&mut self, wanted: usize, block: usize) -> io::Result<&[u8]> {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let wanted = wanted.min(left);
        let buffered = (self.position - self.buffer_at) as usize;
        if self.position < self.buffer_at || buffered + wanted > self.buffer.len() {
            self.buffer.resize(wanted.max(block.min(left)), 0);
            let count = self.file.read_at(&mut self.buffer, self.position)?;
            self.buffer.truncate(count);
            self.buffer_at = self.position;
        }
        Ok(&self.buffer[(self.position - self.buffer_at) as usize..])
    }

    /// The next header and the position of its batch, which is whole before the end of the walk.
    pub(crate) fn next_header(&mut self) -> Result<Option<(u64, BatchHeader)>, ScanError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let header = BatchHeader::parse(self.fill(HEADER_SIZE, HEADERS_BLOCK)?)?;
        let position = self.position;
        self.check_whole(&header)?;
        self.position += header.size() as u64;
        Ok(Some((position, header)))
    }

    /// The next batch and its position.
    pub(crate) fn next_batch(&mut self) -> Result<Option<(u64, Batch<'_>)>, ScanError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let header = BatchHeader::parse(self.fill(HEADER_SIZE, self.block)?)?;
        self.check_whole(&header)?;
        self.fill(header.size(), self.block)?;
        let position = self.position;
        self.position += header.size() as u64;
        Ok(Some((position, Batch::parse(&self.buffer[(position - self.buffer_at) as usize..])?)))
    }

    fn check_whole(&self, header: &BatchHeader) -> Result<(), BatchError> {
        let have = (self.end - self.position) as usize;
        match header.size() {
            need if need > have => Err(BatchError::Truncated { need, have }),
            _ => Ok(()),
        }
    }
}
