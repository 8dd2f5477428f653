//! The thread that accepts connections of all listeners and deals them out to the reactors in turn.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::SockRef;

use crate::connection_limits::{ConnectionBounds, ConnectionLimits};
use crate::listener::BoundListener;
use crate::mailbox::{Accepted, Item, Mailboxes};
use crate::metrics::AcceptorMetrics;
use crate::settings::NetworkSettings;

const WAKER: Token = Token(usize::MAX);
/// Connections that are accepted from one listener before the others have their turn.
const ACCEPTS_PER_TURN: usize = 64;
/// After a failure that will last, such as no free file descriptor, the next attempt waits this long.
const RETRY: Duration = Duration::from_millis(100);

/// Stops an acceptor.
#[derive(Debug, Clone)]
pub(crate) struct AcceptorHandle {
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    limits: Arc<ConnectionLimits>,
}

impl AcceptorHandle {
    /// Replaces the bounds on connections; clients that wait in the backlog are let in if there is room now.
    pub(crate) fn set_bounds(&self, bounds: ConnectionBounds) -> io::Result<()> {
        self.limits.set_bounds(bounds);
        self.waker.wake()
    }

    /// Asks the acceptor to end, which closes its listeners.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Err(error) = self.waker.wake() {
            log::error!("Can't wake the acceptor: {error}");
        }
    }
}

struct Listening {
    name: Arc<str>,
    socket: TcpListener,
    /// Connections may wait: the last attempt did not find the end of the backlog.
    ready: bool,
}

/// The acceptor.
pub(crate) struct Acceptor {
    poll: Poll,
    listeners: Vec<Listening>,
    mailboxes: Arc<Mailboxes>,
    next: usize,
    limits: Arc<ConnectionLimits>,
    handle: AcceptorHandle,
    metrics: Arc<AcceptorMetrics>,
    send_buffer_bytes: Option<usize>,
    receive_buffer_bytes: Option<usize>,
    /// Whether the last attempt has failed; said once, not each time.
    failing: bool,
}

/// What became of one attempt to accept.
enum Attempt {
    Accepted,
    NobodyWaits,
    Retry,
}

impl Acceptor {
    pub(crate) fn new(
        bound: Vec<BoundListener>,
        mailboxes: Arc<Mailboxes>,
        metrics: Arc<AcceptorMetrics>,
        settings: &NetworkSettings,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let handle = AcceptorHandle {
            stop: Arc::default(),
            waker: Arc::new(Waker::new(poll.registry(), WAKER)?),
            limits: Arc::new(ConnectionLimits::new(settings)),
        };
        let mut listeners = Vec::with_capacity(bound.len());
        for listener in bound {
            if let Some(bytes) = settings.receive_buffer_bytes {
                // Set before a connection is made: the window's scale is agreed on at its beginning.
                SockRef::from(&listener.socket).set_recv_buffer_size(bytes)?;
            }
            let mut socket = TcpListener::from_std(listener.socket);
            poll.registry().register(&mut socket, Token(listeners.len()), Interest::READABLE)?;
            listeners.push(Listening { name: listener.name, socket, ready: true });
        }
        Ok(Acceptor {
            poll,
            listeners,
            mailboxes,
            next: 0,
            limits: handle.limits.clone(),
            handle,
            metrics,
            send_buffer_bytes: settings.send_buffer_bytes,
            receive_buffer_bytes: settings.receive_buffer_bytes,
            failing: false,
        })
    }

    pub(crate) fn handle(&self) -> AcceptorHandle {
        self.handle.clone()
    }

    /// Accepts until it is told to stop.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        while !self.handle.stop.load(Ordering::SeqCst) {
            let timeout = self.accept_all();
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => result?,
            }
            for event in &events {
                if let Some(listener) = self.listeners.get_mut(event.token().0) {
                    listener.ready = true;
                }
            }
        }
        Ok(())
    }

    /// Gives each listener a turn. Returns how long to wait at most before the next one; a listener whose turn
    /// has failed or was cut short is still `ready` then.
    fn accept_all(&mut self) -> Option<Duration> {
        for index in 0..self.listeners.len() {
            for _ in 0..ACCEPTS_PER_TURN {
                if !self.listeners[index].ready {
                    break;
                }
                if !self.limits.has_room() {
                    return None; // The next connection that closes wakes this thread.
                }
                match self.accept(index) {
                    Attempt::Accepted => {}
                    Attempt::NobodyWaits => self.listeners[index].ready = false,
                    Attempt::Retry => return Some(RETRY),
                }
            }
        }
        self.listeners.iter().any(|listener| listener.ready).then_some(Duration::ZERO)
    }

    fn accept(&mut self, index: usize) -> Attempt {
        let listener = &self.listeners[index];
        let (stream, address) = match listener.socket.accept() {
            Ok(accepted) => accepted,
            Err(error) => return self.failed(error),
        };
        self.failing = false;
        self.metrics.accepted.add(1);
        // A listener on all addresses sees IPv4 clients as IPv4-mapped IPv6; they are known by the former.
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let Some(slot) = self.limits.take(address.ip(), &self.handle.waker) else {
            self.metrics.refused.add(1);
            log::info!("Refusing a connection of {address}: its address has max.connections.per.ip of them");
            return Attempt::Accepted;
        };
        let local = match self.configure(&stream) {
            Ok(local) => local,
            Err(error) => {
                log::debug!("The connection of {address} has ended before it was served: {error}");
                return Attempt::Accepted;
            }
        };
        let listener = listener.name.clone();
        self.deal_out(Accepted { stream, listener, address, local, slot });
        Attempt::Accepted
    }

    fn failed(&mut self, error: io::Error) -> Attempt {
        match error.kind() {
            io::ErrorKind::WouldBlock => Attempt::NobodyWaits,
            // The client has gone before it was its turn.
            io::ErrorKind::ConnectionAborted
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionReset => Attempt::Accepted,
            _ => {
                self.metrics.errors.add(1);
                if !self.failing {
                    log::error!("Can't accept connections: {error}; trying again until it works");
                }
                self.failing = true;
                Attempt::Retry
            }
        }
    }

    /// Sets the options of a new connection; returns the address that the client has connected to.
    fn configure(&self, stream: &TcpStream) -> io::Result<SocketAddr> {
        let socket = SockRef::from(stream);
        socket.set_tcp_nodelay(true)?;
        socket.set_keepalive(true)?;
        if let Some(bytes) = self.send_buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        let local = stream.local_addr()?;
        let ip: IpAddr = local.ip().to_canonical();
        Ok(SocketAddr::new(ip, local.port()))
    }

    /// Gives the connection to the next reactor that lives.
    fn deal_out(&mut self, accepted: Accepted) {
        let mut item = Item::Accepted(Box::new(accepted));
        let mailboxes = self.mailboxes.get();
        for _ in 0..mailboxes.len() {
            self.next = (self.next + 1) % mailboxes.len();
            match mailboxes[self.next].push(item) {
                Ok(()) => return,
                Err(returned) => item = returned,
            }
        }
    }
}
