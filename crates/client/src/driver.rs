//! The thread of a client: sockets and the clock, for a machine that knows neither.

use std::collections::HashMap;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use barnabas_protocol::{Millis, NodeId};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::link::{Links, Order};

/// What is read at once.
const READ_BYTES: usize = 256 * 1024;
/// What is read of one connection before others get their turn.
const READS_MAX: usize = 8;
const SLICES: usize = 32;
const CLOSED: &str = "the broker has closed the connection";
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
    stream: TcpStream,
    connected: bool,
    /// Addresses to try when this one does not answer.
    others: Vec<SocketAddr>,
}

/// The sockets of one client.
pub struct Driver {
    poll: Poll,
    clock: Clock,
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
        let driver = Driver { poll, clock, sockets: HashMap::new(), buffer: vec![0; READ_BYTES] };
        Ok((driver, Wake(waker)))
    }

    /// Runs until the machine is done.
    pub fn run<M: Machine>(mut self, machine: &mut M) {
        let mut events = Events::with_capacity(64);
        while let Some(at) = machine.turn(self.clock.now()) {
            self.obey(machine);
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
                if event.is_writable() || event.is_error() {
                    self.finish_connect(machine, node);
                }
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
                    Order::Close(node) => self.drop_socket(node),
                    Order::Connect(node, host, port) => {
                        let found = (host.as_str(), port).to_socket_addrs();
                        // The last is tried first: those of version 4 come last and answer most often.
                        let addresses: Vec<SocketAddr> = found.map(Iterator::collect).unwrap_or_default();
                        if addresses.is_empty() {
                            log::warn!("{host}:{port} can't be resolved");
                        }
                        self.connect(machine, node, addresses, "the name can't be resolved");
                    }
                }
            }
        }
    }

    /// Tries one address after the other; `problem` is what went wrong before.
    fn connect<M: Machine>(
        &mut self,
        machine: &mut M,
        node: NodeId,
        mut addresses: Vec<SocketAddr>,
        problem: &str,
    ) {
        let mut problem = problem.to_string();
        while let Some(address) = addresses.pop() {
            let mut stream = match TcpStream::connect(address) {
                Ok(stream) => stream,
                Err(error) => {
                    problem = error.to_string();
                    continue;
                }
            };
            let _ = stream.set_nodelay(true);
            let interest = Interest::READABLE | Interest::WRITABLE;
            if self.poll.registry().register(&mut stream, token(node), interest).is_ok() {
                let socket = Socket { stream, connected: false, others: addresses };
                self.sockets.insert(token(node), socket);
                return;
            }
        }
        machine.links().failed(node, &problem, self.clock.now());
    }

    fn drop_socket(&mut self, node: NodeId) {
        if let Some(mut socket) = self.sockets.remove(&token(node)) {
            let _ = self.poll.registry().deregister(&mut socket.stream);
        }
    }

    fn finish_connect<M: Machine>(&mut self, machine: &mut M, node: NodeId) {
        let Some(socket) = self.sockets.get_mut(&token(node)) else { return };
        if socket.connected {
            return;
        }
        match socket.stream.take_error() {
            Ok(None) if socket.stream.peer_addr().is_ok() => {
                socket.connected = true;
                machine.links().connected(node, self.clock.now());
            }
            Ok(None) => {} // Not there yet.
            Ok(Some(error)) | Err(error) => {
                let others = std::mem::take(&mut socket.others);
                self.drop_socket(node);
                self.connect(machine, node, others, &error.to_string());
            }
        }
    }

    fn lost<M: Machine>(&mut self, machine: &mut M, node: NodeId, problem: &str) {
        self.drop_socket(node);
        machine.links().failed(node, problem, self.clock.now());
    }

    fn read<M: Machine>(&mut self, machine: &mut M, node: NodeId) {
        for _ in 0..READS_MAX {
            let Some(socket) = self.sockets.get_mut(&token(node)).filter(|socket| socket.connected) else {
                return;
            };
            match socket.stream.read(&mut self.buffer) {
                Ok(0) => return self.lost(machine, node, CLOSED),
                Ok(count) => machine.received(node, &self.buffer[..count], self.clock.now()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.lost(machine, node, &error.to_string()),
            }
            self.obey(machine);
        }
        // More may be there, and no event will tell: the socket is registered anew, which tells again.
        if let Some(socket) = self.sockets.get_mut(&token(node)) {
            let interest = Interest::READABLE | Interest::WRITABLE;
            let _ = self.poll.registry().reregister(&mut socket.stream, token(node), interest);
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
            match socket.stream.write_vectored(&slices[..count]) {
                Ok(sent) => machine.links().advance(node, sent),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.lost(machine, node, &error.to_string()),
            }
        }
    }
}
