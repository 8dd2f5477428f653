//! One thread that serves its connections: sockets, tickets, deadlines.
//!
//! Always true:
//!   a session whose socket is ready, and that could do something about it, stands in `queue`
//!   each parked request, and each connection when there is an idle limit, has its timer
//!   the clock is read once for each turn

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::mem;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll, Token};

use crate::clock::{Clock, Now};
use crate::connection::{Connection, RequestMemory};
use crate::frame_bytes::keep_buffers;
use crate::mailbox::{Accepted, Item, Mailboxes, ReactorMailbox};
use crate::metrics::ReactorMetrics;
use crate::promptness::ask_for_short_slices;
use crate::service::{ConnectionId, Peer, Reply, Service};
use crate::session::{Closed, Session, Shared, Turn};
use crate::settings::NetworkSettings;
use crate::slab::Slab;
use crate::timers::{Timer, Timers};
use crate::timings::{SlowLimit, SlowLog};
use crate::transport::Transport;

/// Token of the mailbox; connections use their index.
pub(crate) const MAILBOX: Token = Token(usize::MAX);
/// Readiness events taken from the operating system in one turn.
const EVENTS_PER_TURN: usize = 1024;
/// Longest wait for events; the operating system's own limit is some days.
const SLEEP_MAX: Duration = Duration::from_secs(3600);
/// Bits of a connection id that hold the index, and those that hold the number of its user.
const INDEX_BITS: u32 = 24;
const GENERATION_BITS: u32 = 32;

/// Connections that this process has accepted: their order is asked for across reactors.
static ACCEPTED: AtomicU64 = AtomicU64::new(0);

/// One reactor.
pub(crate) struct Reactor {
    number: u64,
    poll: Poll,
    mailbox: Arc<ReactorMailbox>,
    sessions: Slab<Session>,
    /// Counts the connections of all reactors, so that ids differ although indices and numbers are used again.
    generation: Arc<AtomicU32>,
    queue: VecDeque<usize>,
    /// Sessions that wait for memory.
    starved: BTreeSet<usize>,
    timers: Timers,
    shared: Shared,
    clock: Arc<dyn Clock>,
    frame_bytes_max: usize,
    idle_max: Option<Duration>,
    /// When whoever is still here is closed.
    stop_at: Option<Duration>,
}

/// What a reactor shares with the others.
pub(crate) struct Surroundings {
    pub(crate) service: Arc<dyn Service>,
    pub(crate) mailboxes: Arc<Mailboxes>,
    pub(crate) memory: Arc<RequestMemory>,
    pub(crate) generation: Arc<AtomicU32>,
    pub(crate) slow: Arc<SlowLimit>,
}

impl Reactor {
    pub(crate) fn new(
        number: usize,
        poll: Poll,
        mailbox: Arc<ReactorMailbox>,
        around: &Surroundings,
        metrics: Arc<ReactorMetrics>,
        settings: &NetworkSettings,
    ) -> Self {
        let shared = Shared {
            service: around.service.clone(),
            mailbox: mailbox.clone(),
            mailboxes: around.mailboxes.clone(),
            memory: around.memory.clone(),
            metrics,
            now: settings.clock.now(),
            latest: settings.clock.monotonic(),
            clock: settings.clock.clone(),
            slow: SlowLog::new(around.slow.clone()),
            stopping: false,
            read_buffer: Vec::new(),
            file_buffer: Vec::new(),
        };
        Reactor {
            number: number as u64,
            poll,
            mailbox,
            sessions: Slab::new(),
            generation: around.generation.clone(),
            queue: VecDeque::new(),
            starved: BTreeSet::new(),
            timers: Timers::default(),
            shared,
            clock: settings.clock.clone(),
            frame_bytes_max: settings.request_bytes_max,
            idle_max: settings.idle_max,
            stop_at: None,
        }
    }

    /// Serves until it is told to stop, or until something fails that it can't do without.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        keep_buffers();
        ask_for_short_slices();
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        let mut items = Vec::new();
        loop {
            let timeout = self.timeout();
            let asleep = (timeout != Some(Duration::ZERO)).then(|| self.clock.monotonic());
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => result?,
            }
            self.begin_turn(self.clock.now(), asleep);
            for event in &events {
                self.ready(event);
            }
            self.mailbox.drain(&mut items);
            for item in items.drain(..) {
                self.take(item);
            }
            self.expire();
            self.serve_queue();
            if self.stopped() {
                return Ok(());
            }
        }
    }

    /// A turn begins; the one before it ended at `asleep`, or now if there was no sleep.
    fn begin_turn(&mut self, now: Now, asleep: Option<Duration>) {
        let ended = asleep.unwrap_or(now.monotonic);
        let busy = ended.saturating_sub(self.shared.now.monotonic);
        self.shared.metrics.busy_micros.add(busy.as_micros() as u64);
        self.shared.metrics.turns.add(1);
        (self.shared.now, self.shared.latest) = (now, now.monotonic);
    }

    /// How long to wait for events: not at all when there is something to do.
    fn timeout(&self) -> Option<Duration> {
        if !self.queue.is_empty() || !self.mailbox.may_sleep() {
            return Some(Duration::ZERO);
        }
        let due = [self.timers.next(), self.stop_at].into_iter().flatten().min()?;
        Some(due.saturating_sub(self.shared.now.monotonic).min(SLEEP_MAX))
    }

    fn ready(&mut self, event: &Event) {
        let index = event.token().0;
        let Some(session) = self.sessions.get_mut(index) else { return };
        session.readable |= event.is_readable() || event.is_read_closed();
        session.hung_up |= event.is_read_closed();
        session.writable |= event.is_writable();
        if event.is_error() || (event.is_write_closed() && event.is_read_closed()) {
            // Nobody is there to get an answer.
            self.close(index, Closed::ByClient);
            return;
        }
        enqueue(session, index, &mut self.queue);
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Accepted(accepted) => self.accept(*accepted),
            Item::Wake { connection, sequence } => self.resume(index_of(connection), connection, sequence),
            Item::Reply(reply) => self.reply(reply),
            Item::MemoryFreed => {
                for index in mem::take(&mut self.starved) {
                    if let Some(session) = self.sessions.get_mut(index) {
                        enqueue(session, index, &mut self.queue);
                    }
                }
            }
            Item::ClockMoved => self.move_deadlines(),
            Item::Stop { grace } => {
                self.shared.stopping = true;
                self.stop_at = Some(self.shared.now.monotonic.saturating_add(grace));
                for index in self.sessions.indices() {
                    if let Some(session) = self.sessions.get_mut(index) {
                        enqueue(session, index, &mut self.queue);
                    }
                }
            }
        }
    }

    /// Parked requests are due as their deadlines say by the clock as it is now.
    fn move_deadlines(&mut self) {
        self.shared.now.wall = self.clock.now().wall;
        let now = self.shared.now;
        for index in self.sessions.indices() {
            let Some(session) = self.sessions.get_mut(index) else { continue };
            let Some((before, after)) = session.connection.move_due(now) else { continue };
            self.timers.remove(before, index, Timer::Parked);
            self.timers.insert(after, index, Timer::Parked);
        }
    }

    fn accept(&mut self, accepted: Accepted) {
        let Accepted { stream, listener, address, local, slot } = accepted;
        let index = self.sessions.next_index();
        assert!(index < 1 << INDEX_BITS);
        let connection = self.number << (INDEX_BITS + GENERATION_BITS)
            | u64::from(self.generation.fetch_add(1, Ordering::Relaxed)) << INDEX_BITS
            | index as u64;
        let mut transport = Transport::Plain(stream);
        if let Err(error) = transport.register(self.poll.registry(), Token(index)) {
            log::error!("Closing the connection of {address}: it can't be watched: {error}");
            return;
        }
        let number = ACCEPTED.fetch_add(1, Ordering::Relaxed) + 1;
        let peer = Peer { connection, number, listener, address, local };
        let machine = Connection::new(self.frame_bytes_max);
        let mut session = Session::new(peer, transport, machine, slot, self.shared.now);
        if let Some(idle_max) = self.idle_max {
            let due = self.shared.now.monotonic.saturating_add(idle_max);
            session.idle_due = Some(due);
            self.timers.insert(due, index, Timer::Idle);
        }
        enqueue(&mut session, index, &mut self.queue);
        self.sessions.insert(session);
        self.shared.metrics.connections_opened.add(1);
    }

    /// Resumes the request in hand of `connection`, if it is parked and number `sequence`.
    fn resume(&mut self, index: usize, connection: ConnectionId, sequence: u64) {
        let Some(session) = self.sessions.get_mut(index).filter(|session| session.id == connection) else {
            return;
        };
        let Some(due) = session.connection.due() else { return };
        match session.resume(sequence, false, &mut self.shared) {
            Ok(false) => {}
            Ok(true) => {
                self.timers.remove(due, index, Timer::Parked);
                self.went_on(index);
            }
            Err(closed) => {
                self.timers.remove(due, index, Timer::Parked);
                self.close(index, closed);
            }
        }
    }

    /// After a request was resumed: it is parked again, or its connection has something to do.
    fn went_on(&mut self, index: usize) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        match session.connection.due() {
            Some(due) => self.timers.insert(due, index, Timer::Parked),
            None => enqueue(session, index, &mut self.queue),
        }
    }

    fn reply(&mut self, reply: Reply) {
        let Reply { connection, sequence, chunks } = reply;
        let index = index_of(connection);
        let Some(session) = self.sessions.get_mut(index).filter(|session| session.id == connection) else {
            return;
        };
        if !session.connection.awaits_ticket(sequence) {
            return;
        }
        let answered = match chunks {
            Some(chunks) => session.answer(Some(chunks), &mut self.shared),
            None => Err(Closed::ByService("the request was answered with an end of its connection".into())),
        };
        match answered {
            Ok(()) => enqueue(session, index, &mut self.queue),
            Err(closed) => self.close(index, closed),
        }
    }

    fn expire(&mut self) {
        let now = self.shared.now.monotonic;
        // What is parked anew with a deadline in the past waits for the next turn.
        let mut due = Vec::new();
        while let Some(timer) = self.timers.pop(now) {
            due.push(timer);
        }
        for (index, timer) in due {
            match timer {
                Timer::Parked => self.expire_parked(index),
                Timer::Idle => self.expire_idle(index, now),
            }
        }
    }

    fn expire_parked(&mut self, index: usize) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        let sequence = session.connection.sequence();
        match session.resume(sequence, true, &mut self.shared) {
            Ok(false) => {}
            Ok(true) => self.went_on(index),
            Err(closed) => self.close(index, closed),
        }
    }

    /// Closes the connection, or finds out when to look again. Who waits for the node is not idle.
    fn expire_idle(&mut self, index: usize, now: Duration) {
        let (Some(session), Some(idle_max)) = (self.sessions.get_mut(index), self.idle_max) else { return };
        let active = if session.connection.is_free() { session.active } else { now };
        let due = active.saturating_add(idle_max);
        if due <= now {
            session.idle_due = None;
            self.shared.metrics.connections_expired.add(1);
            self.close(index, Closed::Idle);
        } else {
            session.idle_due = Some(due);
            self.timers.insert(due, index, Timer::Idle);
        }
    }

    /// Gives one turn to each session that stands in the queue now.
    fn serve_queue(&mut self) {
        for _ in 0..self.queue.len() {
            let Some(index) = self.queue.pop_front() else { return };
            let Some(session) = self.sessions.get_mut(index) else { continue };
            if !mem::take(&mut session.queued) {
                continue;
            }
            let was_parked = session.connection.due().is_some();
            match session.turn(&mut self.shared) {
                Ok(turn) => {
                    if let Some(due) = session.connection.due().filter(|_| !was_parked) {
                        self.timers.insert(due, index, Timer::Parked);
                    }
                    match turn {
                        Turn::Wait => {}
                        Turn::Again => enqueue(session, index, &mut self.queue),
                        Turn::Starved => {
                            self.starved.insert(index);
                        }
                    }
                }
                Err(closed) => self.close(index, closed),
            }
        }
    }

    fn stopped(&mut self) -> bool {
        let Some(stop_at) = self.stop_at else { return false };
        if self.shared.now.monotonic >= stop_at {
            self.close_all();
        }
        self.sessions.is_empty()
    }

    /// Closes all connections and refuses further messages: the end of this reactor.
    pub(crate) fn close_all(&mut self) {
        for index in self.sessions.indices() {
            self.close(index, Closed::Stop);
        }
    }

    fn close(&mut self, index: usize, reason: Closed) {
        let Some(mut session) = self.sessions.remove(index) else { return };
        session.forget(&self.shared.metrics);
        log_close(&session.peer, &reason);
        if matches!(reason, Closed::Frame(_)) {
            self.shared.metrics.connections_invalid.add(1);
        }
        if let Some(due) = session.connection.due() {
            self.timers.remove(due, index, Timer::Parked);
        }
        if let Some(due) = session.idle_due {
            self.timers.remove(due, index, Timer::Idle);
        }
        let (id, taken) = (session.id, session.connection.taken());
        self.shared.metrics.connections_closed.add(1);
        // Dropping what was parked runs the service's code, as does telling it.
        let service = &self.shared.service;
        let told = catch_unwind(AssertUnwindSafe(|| {
            drop(session);
            service.disconnected(id);
        }));
        if told.is_err() {
            log::error!("A panic when connection {id} was closed");
        }
        self.shared.release(taken);
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.mailbox.close();
        self.close_all();
    }
}

fn enqueue(session: &mut Session, index: usize, queue: &mut VecDeque<usize>) {
    if !mem::replace(&mut session.queued, true) {
        queue.push_back(index);
    }
}

fn index_of(connection: ConnectionId) -> usize {
    (connection & ((1 << INDEX_BITS) - 1)) as usize
}

fn log_close(peer: &Peer, reason: &Closed) {
    let (address, listener) = (peer.address, &peer.listener);
    match reason {
        Closed::Panic { .. } | Closed::ResumePanic => {
            log::error!("Closing the connection of {address} to {listener}: {reason}");
        }
        Closed::Frame(_) | Closed::Response(_) | Closed::ByService(_) => {
            log::warn!("Closing the connection of {address} to {listener}: {reason}");
        }
        Closed::Idle => log::info!("Closing the connection of {address} to {listener}: {reason}"),
        Closed::ByClient | Closed::Io(_) | Closed::Stop => {
            log::debug!("Closing the connection of {address} to {listener}: {reason}");
        }
    }
}
