//! One connection as a state machine: bytes go in, requests come out; answers go in, bytes come out. It knows no
//! socket and no clock.
//!
//! Always true:
//!   at most one request is in hand; the next one comes out only after it was answered
//!   answers to anything but the request in hand do nothing

use std::any::Any;
use std::io::{self, IoSlice};
use std::mem;
use std::time::Duration;

use crate::clock::Now;
use crate::output::{Front, Output};
use crate::service::{Chunk, Millis};

pub use crate::header::Header;
pub use crate::input::{Frame, FrameError, Next, HEADER_BYTES_MAX, READ_BYTES_MAX};
pub use crate::output::ResponseError;
pub use crate::request_memory::RequestMemory;

/// The request in hand.
enum Hand {
    /// There is none.
    Empty,
    /// With the service, on the reactor's thread.
    Serving,
    /// Waits in the service for a wake-up or its deadline.
    Parked(Parked),
    /// Answered later through its ticket.
    Deferred,
}

/// What a parked request waits with.
pub struct Parked {
    /// When it is resumed at the latest, on the monotonic clock.
    pub due: Duration,
    /// The same as the service has named it.
    pub deadline: Millis,
    /// What the service wants to get back.
    pub state: Box<dyn Any + Send>,
}

/// When a deadline of the wall clock is due on the monotonic one.
pub(crate) fn due_at(deadline: Millis, now: Now) -> Duration {
    let wait = u64::try_from(deadline.saturating_sub(now.wall)).unwrap_or(0);
    now.monotonic.saturating_add(Duration::from_millis(wait))
}

/// One connection.
pub struct Connection {
    input: crate::input::Input,
    output: Output,
    hand: Hand,
    /// Number of the request in hand, or of the last one.
    sequence: u64,
    /// Bytes that the request in hand has taken from the budget.
    taken: usize,
}

impl Connection {
    /// A new connection that receives frames of up to `frame_bytes_max` bytes.
    pub fn new(frame_bytes_max: usize) -> Self {
        Connection {
            input: crate::input::Input::new(frame_bytes_max),
            output: Output::default(),
            hand: Hand::Empty,
            sequence: 0,
            taken: 0,
        }
    }

    /// Takes the next request in hand; the caller then says what became of it. To be called only when
    /// [`Connection::is_free`].
    pub fn next_request(&mut self, memory: &RequestMemory) -> Result<Next, FrameError> {
        assert!(self.is_free());
        let next = self.input.next(memory)?;
        if let Next::Frame(frame) = &next {
            self.hand = Hand::Serving;
            self.sequence += 1;
            self.taken = frame.bytes.len();
        }
        Ok(next)
    }

    /// Lets `read` append received bytes to a buffer, at most as many as it is told. To be called after
    /// [`Connection::next_request`] has asked for more.
    pub fn receive<R>(&mut self, read: R) -> io::Result<usize>
    where
        R: FnOnce(&mut Vec<u8>, usize) -> io::Result<usize>,
    {
        self.input.read(read)
    }

    /// Whether no request is in hand, and another may be taken.
    pub fn is_free(&self) -> bool {
        matches!(self.hand, Hand::Empty) && !self.output.is_cut()
    }

    /// Whether the last response lacks its end, so that the connection ends with it.
    pub(crate) fn is_cut(&self) -> bool {
        self.output.is_cut()
    }

    /// Number of the request in hand, or of the last one.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Bytes of the budget that this connection holds, in hand and being received.
    pub fn taken(&self) -> usize {
        self.taken + self.input.taken()
    }

    /// Ends the request in hand with a response (None: it has none). Returns the bytes of the budget that
    /// are free again.
    pub fn answer(&mut self, reply: Option<Vec<Chunk>>) -> Result<usize, ResponseError> {
        assert!(!self.is_free());
        if let Some(chunks) = reply {
            self.output.push(chunks)?;
        }
        self.hand = Hand::Empty;
        Ok(mem::take(&mut self.taken))
    }

    /// The request in hand waits for a wake-up.
    pub fn park(&mut self, parked: Parked) {
        assert!(matches!(self.hand, Hand::Serving));
        self.hand = Hand::Parked(parked);
    }

    /// The request in hand is answered through its ticket.
    pub fn defer(&mut self) {
        assert!(matches!(self.hand, Hand::Serving));
        self.hand = Hand::Deferred;
    }

    /// Takes what the request in hand waits with, if it is parked and `sequence` is its number.
    pub fn unpark(&mut self, sequence: u64) -> Option<Parked> {
        if sequence != self.sequence || !matches!(self.hand, Hand::Parked(_)) {
            return None;
        }
        match mem::replace(&mut self.hand, Hand::Serving) {
            Hand::Parked(parked) => Some(parked),
            _ => None,
        }
    }

    /// Moves the parked request's `due` to what its deadline is by a clock that was moved on; where it was.
    pub(crate) fn move_due(&mut self, now: Now) -> Option<(Duration, Duration)> {
        let Hand::Parked(parked) = &mut self.hand else { return None };
        let before = mem::replace(&mut parked.due, due_at(parked.deadline, now));
        Some((before, parked.due))
    }

    /// When the parked request is due, if there is one.
    pub fn due(&self) -> Option<Duration> {
        match &self.hand {
            Hand::Parked(parked) => Some(parked.due),
            _ => None,
        }
    }

    /// Whether request number `sequence` is in hand and answered through its ticket.
    pub fn awaits_ticket(&self, sequence: u64) -> bool {
        sequence == self.sequence && matches!(self.hand, Hand::Deferred)
    }

    /// Bytes of responses that are not sent yet.
    pub fn unsent(&self) -> u64 {
        self.output.unsent()
    }

    /// Whether all responses are sent.
    pub fn all_sent(&self) -> bool {
        self.output.is_empty()
    }

    /// What goes to the socket next; None when nothing waits.
    pub(crate) fn front<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> Option<Front<'a>> {
        self.output.front(slices)
    }

    /// Notes that `count` bytes were sent.
    pub fn sent(&mut self, count: usize) {
        self.output.advance(count);
    }

    pub(crate) fn wants_buffer(&self) -> bool {
        self.input.wants_buffer()
    }

    pub(crate) fn lend(&mut self, buffer: &mut Vec<u8>) {
        self.input.lend(buffer);
    }

    pub(crate) fn give_back(&mut self, buffer: &mut Vec<u8>) {
        self.input.give_back(buffer);
    }
}
