//! One connection with its socket, and its turn in the reactor's loop.

use std::any::Any;
use std::io::{self, IoSlice};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Now};
use crate::connection::{due_at, Connection, Frame, FrameError, Next, Parked, RequestMemory, ResponseError};
use crate::connection_limits::Slot;
use crate::mailbox::{Item, Mailboxes};
use crate::metrics::ReactorMetrics;
use crate::output::Front;
use crate::service::{ConnectionId, Mailbox, Outcome, Peer, Request, Service, Ticket};
use crate::timings::{SlowLog, Timings, Who};
use crate::transport::Transport;

/// Requests of one connection that are handled in one turn.
const REQUESTS_PER_TURN: usize = 64;
/// Reads of one connection in one turn. A large frame takes several.
const READS_PER_TURN: usize = 16;
/// Bytes that are sent to one connection in one turn.
const SENT_PER_TURN: u64 = 4 * 1024 * 1024;
/// Responses are sent when this much waits, before the next request is handled.
const UNSENT_BYTES_MAX: u64 = 256 * 1024;
/// Parts of one vectored write.
const SLICES_MAX: usize = 64;

/// What the sessions of one reactor share.
pub(crate) struct Shared {
    pub(crate) service: Arc<dyn Service>,
    pub(crate) mailbox: Arc<dyn Mailbox>,
    /// Of all reactors: those whose connections wait for memory must hear when there is some.
    pub(crate) mailboxes: Arc<Mailboxes>,
    pub(crate) memory: Arc<RequestMemory>,
    pub(crate) metrics: Arc<ReactorMetrics>,
    /// When this turn of the loop began.
    pub(crate) now: Now,
    pub(crate) clock: Arc<dyn Clock>,
    /// When the clock was read last.
    pub(crate) latest: Duration,
    pub(crate) slow: SlowLog,
    /// No further requests are taken.
    pub(crate) stopping: bool,
    pub(crate) read_buffer: Vec<u8>,
    pub(crate) file_buffer: Vec<u8>,
}

impl Shared {
    /// Reads the clock.
    fn tick(&mut self) -> Duration {
        self.latest = self.clock.monotonic();
        self.latest
    }

    /// Gives memory of requests back.
    pub(crate) fn release(&self, bytes: usize) {
        if self.memory.release(bytes) {
            for mailbox in self.mailboxes.get().iter() {
                // A reactor that has ended has no connections that wait.
                let _ = mailbox.push(Item::MemoryFreed);
            }
        }
    }
}

/// Why a connection is closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Closed {
    #[error("the client has closed it")]
    ByClient,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    Response(#[from] ResponseError),
    #[error("{0}")]
    ByService(String),
    #[error("a request of api key {api_key} version {api_version} has failed with a panic")]
    Panic { api_key: i16, api_version: i16 },
    #[error("a parked request has failed with a panic when it was resumed")]
    ResumePanic,
    #[error("idle for longer than connections.max.idle.ms")]
    Idle,
    #[error("the node stops")]
    Stop,
}

/// What a session needs after its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing until its socket, its ticket or a timer says so.
    Wait,
    /// Another turn: it has used up its share of this one.
    Again,
    /// Memory for its next request.
    Starved,
}

/// How far the responses got.
enum Flushed {
    All,
    Blocked,
    EndOfShare,
}

/// One connection.
pub(crate) struct Session {
    pub(crate) id: ConnectionId,
    pub(crate) peer: Arc<Peer>,
    pub(crate) connection: Connection,
    transport: Transport,
    /// The socket may have something to read: its last read did not exhaust it.
    pub(crate) readable: bool,
    /// The other side has finished sending, although not all it has sent may have been read.
    pub(crate) hung_up: bool,
    /// The socket may take something.
    pub(crate) writable: bool,
    /// The other side has finished sending, and all it has sent was read.
    finished: bool,
    /// Whether it stands in the reactor's queue.
    pub(crate) queued: bool,
    /// When bytes were last read or sent, or a request was answered.
    pub(crate) active: Duration,
    /// When the idle timer fires.
    pub(crate) idle_due: Option<Duration>,
    timings: Timings,
    /// Client id of the last request.
    client_id: Option<Arc<str>>,
    _slot: Slot,
}

impl Session {
    pub(crate) fn new(
        peer: Peer,
        transport: Transport,
        connection: Connection,
        slot: Slot,
        now: Now,
    ) -> Self {
        Session {
            id: peer.connection,
            peer: Arc::new(peer),
            connection,
            transport,
            readable: true,
            writable: true,
            hung_up: false,
            finished: false,
            queued: false,
            active: now.monotonic,
            idle_due: None,
            timings: Timings::default(),
            client_id: None,
            _slot: slot,
        }
    }

    /// Sends, handles and reads until there is nothing left to do, or others must have their turn.
    pub(crate) fn turn(&mut self, shared: &mut Shared) -> Result<Turn, Closed> {
        let mut lent = false;
        let result = self.work(shared, &mut lent);
        if lent {
            self.connection.give_back(&mut shared.read_buffer);
        }
        result
    }

    fn work(&mut self, shared: &mut Shared, lent: &mut bool) -> Result<Turn, Closed> {
        let (mut requests, mut reads, mut sent) = (REQUESTS_PER_TURN, READS_PER_TURN, SENT_PER_TURN);
        loop {
            match self.flush(shared, &mut sent)? {
                Flushed::All => {}
                Flushed::Blocked => return Ok(Turn::Wait),
                Flushed::EndOfShare => return Ok(Turn::Again),
            }
            if !self.connection.is_free() {
                return Ok(Turn::Wait);
            }
            if shared.stopping {
                return Err(Closed::Stop);
            }
            match self.handle_some(shared, &mut requests)? {
                Some(Turn::Starved) if self.connection.all_sent() => return Ok(Turn::Starved),
                None if self.connection.all_sent() && self.connection.is_free() => {}
                _ if requests == 0 && self.connection.all_sent() => return Ok(Turn::Again),
                _ => continue,
            }
            if self.finished {
                return Err(Closed::ByClient);
            }
            if !self.readable {
                return Ok(Turn::Wait);
            }
            if reads == 0 {
                return Ok(Turn::Again);
            }
            reads -= 1;
            self.read(shared, lent)?;
        }
    }

    /// Handles complete requests, up to the turn's share and as long as few bytes wait to be sent. None when
    /// there is no further complete request, or one is in hand.
    fn handle_some(&mut self, shared: &mut Shared, requests: &mut usize) -> Result<Option<Turn>, Closed> {
        while self.connection.is_free() {
            if *requests == 0 || self.connection.unsent() >= UNSENT_BYTES_MAX {
                return Ok(Some(Turn::Again));
            }
            match self.connection.next_request(&shared.memory)? {
                Next::Frame(frame) => self.handle(frame, shared)?,
                Next::More => return Ok(None),
                Next::Starved => return Ok(Some(Turn::Starved)),
            }
            *requests -= 1;
        }
        Ok(None)
    }

    fn handle(&mut self, frame: Frame, shared: &mut Shared) -> Result<(), Closed> {
        let Frame { bytes, header } = frame;
        let (api_key, api_version) = (header.api_key, header.api_version);
        shared.metrics.request(api_key, api_version);
        self.timings.begin((api_key, api_version), bytes.len(), shared.now.monotonic, shared.latest);
        if self.client_id != header.client_id {
            self.client_id.clone_from(&header.client_id);
        }
        let request = Request {
            peer: self.peer.clone(),
            api_key,
            api_version,
            correlation_id: header.correlation_id,
            client_id: header.client_id,
            frame: bytes,
            body: header.length,
            now: shared.now.wall,
            ticket: Ticket {
                mailbox: shared.mailbox.clone(),
                connection: self.id,
                sequence: self.connection.sequence(),
            },
        };
        match catch_unwind(AssertUnwindSafe(|| shared.service.handle(request))) {
            Ok(outcome) => {
                self.timings.handled(shared.tick());
                self.settle(outcome, shared)
            }
            Err(_) => Err(Closed::Panic { api_key, api_version }),
        }
    }

    /// Goes on with the parked request, if it is still number `sequence`. `expired` says that it is due.
    pub(crate) fn resume(
        &mut self,
        sequence: u64,
        expired: bool,
        shared: &mut Shared,
    ) -> Result<bool, Closed> {
        let Some(parked) = self.connection.unpark(sequence) else { return Ok(false) };
        // Wall time may have been set back meanwhile; who waited in full must not be told to wait on.
        let now = if expired { shared.now.wall.max(parked.deadline) } else { shared.now.wall };
        let state: Box<dyn Any + Send> = parked.state;
        match catch_unwind(AssertUnwindSafe(|| shared.service.resume(state, now))) {
            Ok(outcome) => {
                shared.tick();
                self.settle(outcome, shared).map(|()| true)
            }
            Err(_) => Err(Closed::ResumePanic),
        }
    }

    fn settle(&mut self, outcome: Outcome, shared: &mut Shared) -> Result<(), Closed> {
        match outcome {
            Outcome::Reply(chunks) => self.answer(Some(chunks), shared),
            Outcome::NoReply => {
                self.answer(None, shared)?;
                // Nothing will be sent that would tell of it, unless earlier responses still wait.
                if self.connection.all_sent() {
                    self.note_sent(shared);
                }
                Ok(())
            }
            Outcome::Park { deadline, state } => {
                let due = due_at(deadline, shared.now);
                self.connection.park(Parked { due, deadline, state });
                self.timings.wait(&shared.metrics);
                Ok(())
            }
            Outcome::Deferred => {
                self.connection.defer();
                self.timings.wait(&shared.metrics);
                Ok(())
            }
            Outcome::Close(reason) => Err(Closed::ByService(reason)),
        }
    }

    /// Ends the request in hand.
    pub(crate) fn answer(
        &mut self,
        reply: Option<Vec<crate::service::Chunk>>,
        shared: &mut Shared,
    ) -> Result<(), Closed> {
        let free = self.connection.answer(reply)?;
        self.timings.answer(shared.latest, &shared.metrics);
        self.active = shared.now.monotonic;
        shared.release(free);
        Ok(())
    }

    fn read(&mut self, shared: &mut Shared, lent: &mut bool) -> Result<(), Closed> {
        if self.connection.wants_buffer() && !*lent {
            self.connection.lend(&mut shared.read_buffer);
            *lent = true;
        }
        shared.metrics.socket_calls.add(1);
        let transport = &mut self.transport;
        let mut asked = 0;
        let result = self.connection.receive(|buffer, limit| {
            asked = limit;
            transport.read(buffer, limit)
        });
        match result {
            Ok(0) => self.finished = true,
            Ok(count) => {
                shared.metrics.bytes_in.add(count as u64);
                self.active = shared.now.monotonic;
                // Less than asked for: the socket is empty, and says so when that changes. But the end of what
                // the other side sends may have been said already, together with the bytes before it.
                self.readable = count == asked || self.hung_up;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn flush(&mut self, shared: &mut Shared, share: &mut u64) -> Result<Flushed, Closed> {
        loop {
            if self.connection.all_sent() {
                self.note_sent(shared);
                if self.connection.is_cut() {
                    return Err(Closed::ByService("a response was cut off".into()));
                }
                return Ok(Flushed::All);
            }
            if !self.writable {
                return Ok(Flushed::Blocked);
            }
            if *share == 0 {
                return Ok(Flushed::EndOfShare);
            }
            match self.send(shared) {
                Ok(count) => {
                    self.connection.sent(count);
                    shared.metrics.bytes_out.add(count as u64);
                    self.active = shared.now.monotonic;
                    *share = share.saturating_sub(count as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn note_sent(&mut self, shared: &mut Shared) {
        if self.timings.has_unsent() {
            let (now, who) = (shared.tick(), Who { peer: &self.peer, client_id: self.client_id.as_deref() });
            self.timings.sent(now, &shared.metrics, &mut shared.slow, who);
        }
    }

    /// The connection is gone.
    pub(crate) fn forget(&mut self, metrics: &ReactorMetrics) {
        self.timings.close(metrics);
    }

    fn send(&mut self, shared: &mut Shared) -> io::Result<usize> {
        shared.metrics.socket_calls.add(1);
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        match self.connection.front(&mut slices) {
            Some(Front::Bytes(count, more)) => self.transport.write(&slices[..count], more),
            Some(Front::File(slice, sent)) => self.transport.write_file(slice, sent, &mut shared.file_buffer),
            None => Ok(0),
        }
    }
}
