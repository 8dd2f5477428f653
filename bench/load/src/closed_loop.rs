//! Many connections on one thread, each with so many requests in flight: as soon as one is answered the next goes.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::connecting::connect;
use crate::error::LoadError;
use crate::figures::Figures;

/// The first answer in what a connection has received: its bytes, and its error code, which is 0 without one.
pub(crate) struct Answer {
    pub(crate) length: usize,
    pub(crate) code: i16,
}

/// Seconds that the last responses may take.
const PATIENCE_SECONDS: u64 = 60;
const EVENTS_PER_TURN: usize = 1024;
const READ_BYTES: usize = 1 << 18;
/// Frames in one call.
const SLICES_MAX: usize = 16;
/// Longest wait for an event, after which the clock is looked at.
const WAIT: Duration = Duration::from_millis(100);
/// The same where requests are due at times of their own.
const RATE_WAIT: Duration = Duration::from_millis(1);

/// When a run ends, and how many requests are in flight on each connection meanwhile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) seconds: f64,
    pub(crate) requests: u64,
    pub(crate) depth: usize,
    /// Requests in a second at most, all connections together.
    pub(crate) rate: f64,
}

impl Limits {
    /// So many seconds, with so many requests in flight on each connection.
    pub(crate) fn of(seconds: f64, depth: usize) -> Limits {
        Limits { seconds, requests: u64::MAX, depth, rate: f64::INFINITY }
    }
}

/// What became of the requests.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) seconds: f64,
    pub(crate) requests: u64,
    /// How often each frame was answered.
    pub(crate) of_frame: Vec<u64>,
    microseconds: Vec<u32>,
    errors: u64,
    first_error: i16,
}

impl Answers {
    /// Rate and latency; an error when any request was refused.
    pub(crate) fn figures(self, api: &'static str) -> Result<Figures, LoadError> {
        if self.errors > 0 {
            return Err(LoadError::Refused { api, code: self.first_error });
        }
        let mut figures = Figures::default();
        figures.add("seconds", self.seconds);
        figures.add("requests_per_s", self.requests as f64 / self.seconds);
        figures.add_quantiles("request", self.microseconds);
        Ok(figures)
    }
}

struct Connection {
    stream: TcpStream,
    /// The frames it sends in turn.
    frames: Vec<usize>,
    next: usize,
    /// The frames on their way, and how much of the first is sent.
    sending: VecDeque<usize>,
    position: usize,
    in_flight: VecDeque<(Instant, usize)>,
    received: Vec<u8>,
}

struct Loop<'a, F> {
    frames: &'a [Vec<u8>],
    answer_of: F,
    limits: Limits,
    sent: u64,
    /// Requests that may have been sent by now.
    due: u64,
    stopping: bool,
    answers: Answers,
    buffer: Vec<u8>,
}

/// Sends each connection's frames (indices into `frames`) over and over until a limit is reached and all is
/// answered. `answer_of` finds the first answer in what was received; None where it is not complete.
pub(crate) fn run<F>(
    address: &str,
    connections: Vec<Vec<usize>>,
    frames: &[Vec<u8>],
    limits: Limits,
    answer_of: F,
) -> Result<Answers, LoadError>
where
    F: Fn(&[u8]) -> Result<Option<Answer>, LoadError>,
{
    let mut poll = Poll::new()?;
    let mut open = Vec::with_capacity(connections.len());
    for (index, frames) in connections.into_iter().enumerate() {
        let stream = connect(address)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        open.push(Connection {
            stream,
            frames,
            next: index,
            sending: VecDeque::new(),
            position: 0,
            in_flight: VecDeque::new(),
            received: Vec::new(),
        });
    }
    let answers = Answers { of_frame: vec![0; frames.len()], ..Answers::default() };
    let buffer = vec![0; READ_BYTES];
    let mut turn =
        Loop { frames, answer_of, limits, sent: 0, due: u64::MAX, stopping: false, answers, buffer };
    let has_rate = limits.rate.is_finite();
    let wait = if has_rate { RATE_WAIT } else { WAIT };
    let begun = Instant::now();
    let mut events = Events::with_capacity(EVENTS_PER_TURN);
    loop {
        match poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result?,
        }
        let elapsed = begun.elapsed();
        turn.stopping |= elapsed.as_secs_f64() > limits.seconds || turn.sent >= limits.requests;
        if has_rate {
            turn.due = (elapsed.as_secs_f64() * limits.rate) as u64;
            open.iter_mut().try_for_each(|connection| turn.send(connection))?;
        }
        for event in &events {
            let connection = &mut open[event.token().0];
            if event.is_readable() || event.is_read_closed() {
                turn.receive(connection)?;
            }
            turn.send(connection)?;
        }
        if turn.stopping && open.iter().all(|one| one.in_flight.is_empty()) {
            turn.answers.seconds = begun.elapsed().as_secs_f64();
            return Ok(turn.answers);
        }
        if elapsed.as_secs_f64() > limits.seconds + PATIENCE_SECONDS as f64 {
            return Err(LoadError::Silent(PATIENCE_SECONDS));
        }
    }
}

/// Finds answers of Kafka's protocol; `error_of` reads one without its correlation id.
pub(crate) fn framed(
    error_of: impl Fn(&[u8]) -> Result<i16, LoadError>,
) -> impl Fn(&[u8]) -> Result<Option<Answer>, LoadError> {
    move |received| {
        let Some(length) = received.first_chunk::<4>() else { return Ok(None) };
        let length = 4 + u32::from_be_bytes(*length) as usize;
        let Some(response) = received.get(8..length) else { return Ok(None) };
        Ok(Some(Answer { length, code: error_of(response)? }))
    }
}

impl<F: Fn(&[u8]) -> Result<Option<Answer>, LoadError>> Loop<'_, F> {
    fn receive(&mut self, connection: &mut Connection) -> Result<(), LoadError> {
        loop {
            match connection.stream.read(&mut self.buffer) {
                Ok(0) => return Err(LoadError::Closed),
                Ok(count) => {
                    connection.received.extend_from_slice(&self.buffer[..count]);
                    self.take_answers(connection)?;
                    // Less than asked for: the socket is empty, and says so when that changes.
                    if count < self.buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take_answers(&mut self, connection: &mut Connection) -> Result<(), LoadError> {
        let mut start = 0;
        while let Some(Answer { length, code }) = (self.answer_of)(&connection.received[start..])? {
            let Some((asked, frame)) = connection.in_flight.pop_front() else {
                return Err(LoadError::Closed);
            };
            if code != 0 {
                self.answers.errors += 1;
                self.answers.first_error = code;
            }
            self.answers.microseconds.push(asked.elapsed().as_micros() as u32);
            self.answers.requests += 1;
            self.answers.of_frame[frame] += 1;
            start += length;
        }
        connection.received.drain(..start);
        Ok(())
    }

    /// Sends as many frames as may be in flight, several in one call, so that the load is not what is measured.
    fn send(&mut self, connection: &mut Connection) -> Result<(), LoadError> {
        while !self.stopping && self.sent < self.due && connection.in_flight.len() < self.limits.depth {
            let frame = connection.frames[connection.next % connection.frames.len()];
            connection.next += 1;
            self.sent += 1;
            connection.in_flight.push_back((Instant::now(), frame));
            connection.sending.push_back(frame);
        }
        while !connection.sending.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut skip = connection.position;
            let count = connection.sending.len().min(SLICES_MAX);
            for (slice, frame) in slices.iter_mut().zip(&connection.sending) {
                *slice = IoSlice::new(&self.frames[*frame][std::mem::take(&mut skip)..]);
            }
            match connection.stream.write_vectored(&slices[..count]) {
                Ok(count) => connection.sent(count, self.frames),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl Connection {
    /// Notes that so many bytes more were sent.
    fn sent(&mut self, count: usize, frames: &[Vec<u8>]) {
        self.position += count;
        while let Some(length) = self.sending.front().map(|frame| frames[*frame].len()) {
            if self.position < length {
                return;
            }
            self.position -= length;
            self.sending.pop_front();
        }
    }
}
