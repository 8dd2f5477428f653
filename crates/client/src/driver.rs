//! The thread of a client: sockets and the clock, for a machine that knows neither.

use std::collections::HashMap;
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barnabas_protocol::{Millis, NodeId};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::error::ClientError;
use crate::link::{Links, Order};
use crate::resolver::Resolver;
use crate::tls;
use crate::transport::{is_hang_up, NoConnection, Transport};

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
        let driver = Driver { poll, clock, resolver, awaited, attempts: 0, sockets, buffer };
        Ok((driver, Wake(waker)))
    }

    /// Runs until the machine is done.
    pub fn run<M: Machine>(mut self, machine: &mut M) {
        let mut events = Events::with_capacity(64);
        while let Some(at) = machine.turn(self.clock.now()) {
            self.obey(machine);
            // What went wrong at once changes when the machine wants its next turn.
            let at = if self.resolved(machine) { 0 } else { at };
            for node in machine.links().writable() {
                self.write(machine, node);
            }
            let timeout = at.saturating_sub(self.clock.now()).max(0) as u64;
            let timeout = (at != Millis::MAX).then(|| Duration::from_millis(timeout));
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => {
                    log::error!("a client can't wait for its sockets: {error}");
                    break;
                }
                _ => {}
            }
            for event in events.iter().filter(|event| event.token() != WAKER) {
                let node = node(event.token());
                self.attend(machine, node);
                if event.is_readable() || event.is_read_closed() {
                    self.read(machine, node);
                }
            }
        }
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
            let stream = match TcpStream::connect(address) {
                Ok(stream) => stream,
                Err(error) => {
                    problem = error.to_string();
                    continue;
                }
            };
            let _ = stream.set_nodelay(true);
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

    fn read<M: Machine>(&mut self, machine: &mut M, node: NodeId) {
        let mut reads = 0;
        loop {
            let Some(socket) = self.sockets.get_mut(&token(node)).filter(|socket| socket.connected) else {
                return;
            };
            if reads >= READS_MAX && !socket.transport.holds_input() {
                break;
            }
            reads += 1;
            match socket.transport.read(&mut self.buffer) {
                Ok(0) => return self.ended(machine, node, CLOSED),
                Ok(count) => machine.received(node, &self.buffer[..count], self.clock.now()),
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
