//! The thread of a client: sockets and the clock, for a machine that knows neither.

use std::collections::HashMap;
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barnabas_protocol::{Millis, NodeId};
use mio::{Events, Interest, Poll, Token, Waker};

use crate::error::ClientError;
use crate::link::{Links, Order};
use crate::resolver::Resolver;
use crate::tls;
use crate::transport::{self, is_hang_up, NoConnection, Transport};

/// What is read at once.
const READ_BYTES: usize = 256 * 1024;
/// What is read of one connection before others get their turn.
const READS_MAX: usize = 8;
const SLICES: usize = 32;
const CLOSED: &str = "the broker has closed the connection";
const NO_ADDRESS: &str = "the name has no address";
const NO_HANDSHAKE: &str =
    "the connection was closed during the TLS handshake: is this a port for TLS (security.protocol)?";
const WAKER: Token = Token(usize::MAX);

/// A client's own clock: milliseconds since it began.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Begins now.
    #[allow(clippy::disallowed_methods, reason = "the edge: this is where time comes in")]
    pub fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// The time now.
    #[allow(clippy::disallowed_methods, reason = "the edge: this is where time comes in")]
    pub fn now(&self) -> Millis {
        Instant::now().saturating_duration_since(self.start).as_millis() as Millis
    }

    /// Microseconds, for what takes less.
    #[allow(clippy::disallowed_methods, reason = "the edge: this is where time comes in")]
    pub fn micros(&self) -> u64 {
        Instant::now().saturating_duration_since(self.start).as_micros() as u64
    }
}

/// What a thread drives.
pub trait Machine {
    /// What its requests are for.
    type Purpose;

    /// The connections.
    fn links(&mut self) -> &mut Links<Self::Purpose>;
    /// Takes bytes of a broker.
    fn received(&mut self, node: NodeId, bytes: &[u8], now: Millis);
    /// Does what there is to do. When it wants to be called again, if nothing happens before; None when it is
    /// done for good.
    fn turn(&mut self, now: Millis) -> Option<Millis>;
    /// What a turn had to say to brokers was handed to the sockets.
    fn written(&mut self) {}
}

#[derive(Debug)]
struct Socket {
    transport: Transport,
    connected: bool,
    host: String,
    /// Addresses to try when this one does not answer.
    others: Vec<SocketAddr>,
}

/// A host whose addresses are looked up.
#[derive(Debug)]
struct Awaited {
    attempt: u64,
    host: String,
}

/// The sockets of one client.
pub struct Driver {
    poll: Poll,
    clock: Clock,
    resolver: Resolver,
    awaited: HashMap<NodeId, Awaited>,
    attempts: u64,
    sockets: HashMap<Token, Socket>,
    buffer: Vec<u8>,
    events: Events,
    /// Of the events: who, whether there is something to read, and whether that ends.
    ready: Vec<(Token, bool, bool)>,
}

/// Wakes the thread of a client from another one.
#[derive(Debug, Clone)]
pub struct Wake(Arc<Waker>);

impl Wake {
    /// Lets the machine have a turn soon.
    pub fn wake(&self) {
        if let Err(error) = self.0.wake() {
            log::warn!("the thread of a client can't be woken: {error}");
        }
    }
}

fn token(node: NodeId) -> Token {
    Token(node as u32 as usize)
}

fn node(token: Token) -> NodeId {
    token.0 as u32 as NodeId
}

impl Driver {
    /// Without a connection.
    pub fn new(clock: Clock) -> io::Result<(Driver, Wake)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let resolver = Resolver::new(waker.clone());
        let (awaited, sockets) = (HashMap::new(), HashMap::new());
        let buffer = vec![0; READ_BYTES];
        let (events, ready) = (Events::with_capacity(64), Vec::new());
        let driver = Driver { poll, clock, resolver, awaited, attempts: 0, sockets, buffer, events, ready };
        Ok((driver, Wake(waker)))
    }

    /// Runs until the machine is done.
    pub fn run<M: Machine>(mut self, machine: &mut M) {
        while let Some(at) = self.turn(machine) {
            if !self.attended(machine, at) {
                break;
            }
        }
    }

    /// Waits as [`Driver::wait`], asleep. False, and said why, when there is no waiting for the sockets.
    pub fn attended<M: Machine>(&mut self, machine: &mut M, at: Millis) -> bool {
        match self.wait(machine, at, 0) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                log::error!("a client can't wait for its sockets: {error}");
                false
            }
            _ => true,
        }
    }

    /// Lets the machine have its turn, and does what it wants: when it is to have the next one.
    pub fn turn<M: Machine>(&mut self, machine: &mut M) -> Option<Millis> {
        let at = machine.turn(self.clock.now())?;
        self.obey(machine);
        // What went wrong at once changes when the machine wants its next turn.
        let at = if self.resolved(machine) { 0 } else { at };
        for node in machine.links().writable() {
            self.write(machine, node);
        }
        machine.written();
        Some(at)
    }

    /// Waits until `at` for what the sockets have, for the first `awake_micros` without sleep. A signal ends
    /// that with [`ErrorKind::Interrupted`].
    pub fn wait<M: Machine>(&mut self, machine: &mut M, at: Millis, awake_micros: u64) -> io::Result<()> {
        self.poll(at, awake_micros)?;
        let mut ready = std::mem::take(&mut self.ready);
        let told = self.events.iter().filter(|event| event.token() != WAKER);
        ready.extend(told.map(|event| (event.token(), event.is_readable(), event.is_read_closed())));
        for (token, readable, closed) in ready.drain(..) {
            let node = node(token);
            self.attend(machine, node);
            if readable || closed {
                self.read(machine, node, closed);
            }
        }
        self.ready = ready;
        Ok(())
    }

    fn poll(&mut self, at: Millis, awake_micros: u64) -> io::Result<()> {
        let begun = self.clock.micros();
        while self.clock.micros() - begun < awake_micros && self.clock.now() < at {
            self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
            if !self.events.is_empty() {
                return Ok(());
            }
            // Who has something to do goes first, the broker perhaps.
            std::thread::yield_now();
        }
        let timeout = at.saturating_sub(self.clock.now()).max(0) as u64;
        let timeout = (at != Millis::MAX).then(|| Duration::from_millis(timeout));
        self.poll.poll(&mut self.events, timeout)
    }

    /// Opens and closes sockets as the machine says.
    fn obey<M: Machine>(&mut self, machine: &mut M) {
        loop {
            let orders = machine.links().take_orders();
            if orders.is_empty() {
                return;
            }
            for order in orders {
                match order {
                    Order::Close(node) => {
                        self.awaited.remove(&node);
                        self.drop_socket(node);
                    }
                    Order::Connect(node, host, port) => {
                        self.attempts += 1;
                        let attempt = self.attempts;
                        self.resolver.look_up(node, attempt, host.clone(), port);
                        self.awaited.insert(node, Awaited { attempt, host });
                    }
                }
            }
        }
    }

    /// Connects to those whose addresses are known by now; whether there were any.
    fn resolved<M: Machine>(&mut self, machine: &mut M) -> bool {
        let resolved = self.resolver.take();
        let any = !resolved.is_empty();
        for found in resolved {
            // Who has given the connection up, or began it anew, waits for this no more.
            if self.awaited.get(&found.node).is_none_or(|awaited| awaited.attempt != found.attempt) {
                continue;
            }
            let Some(Awaited { host, .. }) = self.awaited.remove(&found.node) else { continue };
            match found.addresses {
                // The last is tried first: those of version 4 come last and answer most often.
                Ok(addresses) => self.connect(machine, found.node, host, addresses, NO_ADDRESS),
                Err(error) => {
                    let problem = format!("the name can't be resolved: {error}");
                    machine.links().failed(found.node, &problem, self.clock.now());
                }
            }
        }
        any
    }

    /// Tries one address after the other; `problem` is what went wrong before.
    fn connect<M: Machine>(
        &mut self,
        machine: &mut M,
        node: NodeId,
        host: String,
        mut addresses: Vec<SocketAddr>,
        problem: &str,
    ) {
        let mut problem = problem.to_string();
        while let Some(address) = addresses.pop() {
            let session = match machine.links().tls().map(|tls| tls.session(&host)).transpose() {
                Ok(session) => session,
                Err(error) => return machine.links().refused(node, error, self.clock.now()),
            };
            let stream = match transport::open(address) {
                Ok(stream) => stream,
                Err(error) => {
                    problem = error.to_string();
                    continue;
                }
            };
            let mut transport = Transport::new(stream, session);
            let interest = Interest::READABLE | Interest::WRITABLE;
            if self.poll.registry().register(&mut transport, token(node), interest).is_ok() {
                let socket = Socket { transport, connected: false, host, others: addresses };
                self.sockets.insert(token(node), socket);
                return;
            }
        }
        machine.links().failed(node, &problem, self.clock.now());
    }

    fn drop_socket(&mut self, node: NodeId) {
        if let Some(mut socket) = self.sockets.remove(&token(node)) {
            let _ = self.poll.registry().deregister(&mut socket.transport);
        }
    }

    /// Goes on with what a socket waited for: to be connected, or to send more.
    fn attend<M: Machine>(&mut self, machine: &mut M, node: NodeId) {
        let Some(socket) = self.sockets.get_mut(&token(node)) else { return };
        if socket.connected {
            if let Err(error) = socket.transport.flush() {
                if error.kind() != ErrorKind::WouldBlock {
                    self.lost(machine, node, &error);
                }
            }
            return;
        }
        match socket.transport.establish() {
            Ok(true) => {
                socket.connected = true;
                machine.links().connected(node, self.clock.now());
            }
            Ok(false) => {}
            Err(NoConnection::Network(error)) => {
                let (host, others) = (std::mem::take(&mut socket.host), std::mem::take(&mut socket.others));
                self.drop_socket(node);
                self.connect(machine, node, host, others, &error.to_string());
            }
            Err(NoConnection::HungUp) => {
                let problem = if socket.transport.is_secured() { NO_HANDSHAKE } else { CLOSED };
                self.ended(machine, node, problem);
            }
            Err(NoConnection::Tls(error)) => self.distrusted(machine, node, &error),
        }
    }

    fn distrusted<M: Machine>(&mut self, machine: &mut M, node: NodeId, error: &rustls::Error) {
        self.drop_socket(node);
        machine.links().refused(node, ClientError::Tls(tls::explained(error)), self.clock.now());
    }

    fn lost<M: Machine>(&mut self, machine: &mut M, node: NodeId, error: &io::Error) {
        if let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
            // With TLS 1.3 a broker says only now that it does not take this client's certificate.
            let error = error.clone();
            return self.distrusted(machine, node, &error);
        }
        match is_hang_up(error) {
            true => self.ended(machine, node, CLOSED),
            false => self.ended(machine, node, &error.to_string()),
        }
    }

    fn ended<M: Machine>(&mut self, machine: &mut M, node: NodeId, problem: &str) {
        self.drop_socket(node);
        machine.links().failed(node, problem, self.clock.now());
    }

    fn read<M: Machine>(&mut self, machine: &mut M, node: NodeId, closed: bool) {
        let mut reads = 0;
        loop {
            let Some(socket) = self.sockets.get_mut(&token(node)).filter(|socket| socket.connected) else {
                return;
            };
            let transport = &mut socket.transport;
            if reads >= READS_MAX && !transport.holds_input() {
                break;
            }
            reads += 1;
            // A large response is read to where it stays.
            let (came, asked, is_placed) = match machine.links().room(node) {
                Some(room) => (transport.read(room), room.len(), true),
                None => (transport.read(&mut self.buffer), READ_BYTES, false),
            };
            match came {
                Ok(0) => return self.ended(machine, node, CLOSED),
                Ok(count) => {
                    // What comes after that is a new event.
                    let is_last = count < asked && !closed && transport.is_clear();
                    if is_placed {
                        machine.links().arrived(node, count);
                    }
                    let bytes = if is_placed { &[] } else { &self.buffer[..count] };
                    machine.received(node, bytes, self.clock.now());
                    if is_last {
                        return self.obey(machine);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.lost(machine, node, &error),
            }
            self.obey(machine);
        }
        // More may be there, and no event will tell: the socket is registered anew, which tells again.
        if let Some(socket) = self.sockets.get_mut(&token(node)) {
            let interest = Interest::READABLE | Interest::WRITABLE;
            let _ = self.poll.registry().reregister(&mut socket.transport, token(node), interest);
        }
    }

    fn write<M: Machine>(&mut self, machine: &mut M, node: NodeId) {
        loop {
            let Some(socket) = self.sockets.get_mut(&token(node)).filter(|socket| socket.connected) else {
                return;
            };
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = machine.links().front(node, &mut slices);
            if count == 0 {
                return;
            }
            match socket.transport.write_vectored(&slices[..count]) {
                Ok(sent) => machine.links().advance(node, sent),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.lost(machine, node, &error),
            }
        }
    }
}
