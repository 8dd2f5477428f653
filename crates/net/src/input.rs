//! Bytes in, frames out: the receiving half of a connection.
//!
//! Always true:
//!   `bytes[start..]` is what was received and not yet consumed
//!   while a large frame is being received, `bytes[start..]` is empty: its bytes go straight to where they stay
//!   a frame grows past [`HEADER_BYTES_MAX`] only after its header was found valid, and only as bytes arrive

use std::io;
use std::mem;
use std::sync::Arc;

use barnabas_protocol::header::HeaderError;

use crate::frame_bytes::{take_buffer, FrameBytes, KEPT_BYTES_MIN};
use crate::header::{self, Header};
use crate::request_memory::RequestMemory;

/// What a connection may hold before the header of its frame is known to be valid, and thus the longest header.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// What a reactor reads at most in one call into the buffer that its connections share.
pub const READ_BYTES_MAX: usize = KEPT_BYTES_MIN;
/// Frames up to this size are cut out of the shared buffer. Larger ones, when they arrive in parts, get a buffer
/// of their own, and are read into it without being copied.
const CUT_BYTES_MAX: usize = 32 * 1024;
/// A large frame takes the buffer that it begins in if that is no more than so many times what has arrived of it.
const BUFFER_TO_RECEIVED_MAX: usize = 16;
/// Length prefix of a frame.
const PREFIX: usize = 4;
/// API key, version and correlation id: what the shortest header has.
const HEADER_BYTES_MIN: usize = 8;

/// Why a connection must be closed. What follows an invalid frame can't be told apart any more.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// A size that no request has.
    #[error("frame of {size} bytes is not between {HEADER_BYTES_MIN} and socket.request.max.bytes={limit}")]
    Size {
        /// What the prefix says.
        size: i32,
        /// `socket.request.max.bytes`.
        limit: usize,
    },
    /// A header that is not valid.
    #[error("invalid request header: {0}")]
    Header(#[from] HeaderError),
}

/// One complete frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// Header and body, without the length prefix.
    pub bytes: FrameBytes,
    /// The header.
    pub header: Header,
}

/// What there is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A request; its size was taken from the budget.
    Frame(Frame),
    /// No complete frame yet: read.
    More,
    /// The budget for requests is used up: go on when memory was given back.
    Starved,
}

/// A large frame that is being received; its header is valid and its size was taken from the budget.
#[derive(Debug)]
struct Partial {
    size: usize,
    header: Header,
    bytes: FrameBytes,
}

/// Received bytes of one connection.
#[derive(Debug)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    start: usize,
    partial: Option<Partial>,
    frame_bytes_max: usize,
    /// The header is looked at again when this much of an incomplete frame is there: doubled each time, so that
    /// a header that trickles in costs no more than twice its length.
    header_check_at: usize,
    /// What the client has called itself last.
    client_id: Option<Arc<str>>,
    /// Whether the connection has sent a valid header.
    proven: bool,
}

impl Input {
    pub(crate) fn new(frame_bytes_max: usize) -> Self {
        Input {
            bytes: Vec::new(),
            start: 0,
            partial: None,
            frame_bytes_max,
            header_check_at: HEADER_BYTES_MIN,
            client_id: None,
            proven: false,
        }
    }

    /// Bytes taken from the budget for the frame that is being received.
    pub(crate) fn taken(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.size)
    }

    /// Takes the next frame.
    pub(crate) fn next(&mut self, memory: &RequestMemory) -> Result<Next, FrameError> {
        if let Some(partial) = self.partial.take_if(|partial| partial.bytes.len() == partial.size) {
            return Ok(Next::Frame(Frame { bytes: partial.bytes, header: partial.header }));
        }
        let unread = &self.bytes[self.start..];
        let Some((prefix, rest)) = unread.split_first_chunk::<PREFIX>() else { return Ok(Next::More) };
        let size = self.checked_size(i32::from_be_bytes(*prefix))?;
        if rest.len() < size {
            return if size > CUT_BYTES_MAX { self.begin(size, memory) } else { Ok(Next::More) };
        }
        let header = header::decode(&rest[..size], self.client_id.as_ref())?;
        if !memory.take(size) {
            return Ok(Next::Starved);
        }
        let bytes = FrameBytes::new(rest[..size].to_vec(), 0);
        self.consume(PREFIX + size);
        self.note_client(&header);
        Ok(Next::Frame(Frame { bytes, header }))
    }

    fn checked_size(&self, size: i32) -> Result<usize, FrameError> {
        match usize::try_from(size) {
            Ok(bytes) if (HEADER_BYTES_MIN..=self.frame_bytes_max).contains(&bytes) => Ok(bytes),
            _ => Err(FrameError::Size { size, limit: self.frame_bytes_max }),
        }
    }

    /// Gives an incomplete large frame a buffer of its own, once its header is valid.
    fn begin(&mut self, size: usize, memory: &RequestMemory) -> Result<Next, FrameError> {
        let received = &self.bytes[self.start + PREFIX..];
        let full = received.len() + PREFIX >= HEADER_BYTES_MAX;
        if received.len() < self.header_check_at && !full {
            return Ok(Next::More);
        }
        let header = match header::decode(received, self.client_id.as_ref()) {
            Ok(header) => header,
            Err(error) if header::is_incomplete(&error) && !full => {
                self.header_check_at = received.len() * 2;
                return Ok(Next::More);
            }
            Err(error) => return Err(error.into()),
        };
        if !memory.take(size) {
            return Ok(Next::Starved);
        }
        let bytes = match self.bytes.capacity() <= BUFFER_TO_RECEIVED_MAX * received.len() {
            true => FrameBytes::new(mem::take(&mut self.bytes), self.start + PREFIX),
            false => FrameBytes::new(received.to_vec(), 0),
        };
        self.start = 0;
        self.bytes.clear();
        self.consume(0);
        self.note_client(&header);
        self.partial = Some(Partial { size, header, bytes });
        Ok(Next::More)
    }

    fn note_client(&mut self, header: &Header) {
        if self.client_id != header.client_id {
            self.client_id.clone_from(&header.client_id);
        }
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.header_check_at = HEADER_BYTES_MIN;
        self.proven = true;
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    /// Whether the next read goes to the buffer lent by the reactor.
    pub(crate) fn wants_buffer(&self) -> bool {
        self.partial.is_none()
    }

    /// Works with `buffer`, of [`READ_BYTES_MAX`], until [`Input::give_back`].
    pub(crate) fn lend(&mut self, buffer: &mut Vec<u8>) {
        if buffer.capacity() == 0 {
            *buffer = take_buffer();
        }
        buffer.clear();
        buffer.extend_from_slice(&self.bytes[self.start..]);
        mem::swap(buffer, &mut self.bytes);
        self.start = 0;
        *buffer = Vec::new();
    }

    /// Gives the lent buffer back, and keeps exactly what was not consumed.
    pub(crate) fn give_back(&mut self, buffer: &mut Vec<u8>) {
        *buffer = mem::take(&mut self.bytes);
        self.bytes.extend_from_slice(&buffer[self.start..]);
        self.start = 0;
    }

    /// Lets `read` append bytes, at most as many as it is told. To be called after [`Input::next`] has asked for
    /// more; then there is always room.
    pub(crate) fn read<R>(&mut self, read: R) -> io::Result<usize>
    where
        R: FnOnce(&mut Vec<u8>, usize) -> io::Result<usize>,
    {
        if let Some(partial) = &mut self.partial {
            let received = partial.bytes.len();
            let missing = partial.size - received;
            let buffer = partial.bytes.buffer_mut();
            if buffer.capacity() == buffer.len() {
                buffer.reserve_exact(missing.min(received.max(HEADER_BYTES_MAX)));
            }
            let room = buffer.capacity() - buffer.len();
            return read(buffer, missing.min(room));
        }
        if self.bytes.capacity() == 0 {
            self.bytes = take_buffer();
        }
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        let limit = if self.proven { READ_BYTES_MAX } else { HEADER_BYTES_MAX };
        assert!(self.bytes.len() < limit, "read although a frame or a whole header is there");
        let room = limit - self.bytes.len();
        read(&mut self.bytes, room)
    }
}
