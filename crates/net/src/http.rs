//! A small HTTP/1.1 server for what tools read: GET and HEAD, no bodies in requests, one thread.
//!
//! Always true:
//!   at most [`CONNECTIONS_MAX`] connections are open; when one more comes, the longest idle one goes
//!   a request's head is at most 8 KiB; of a connection no more is held than that and one response
//!   who sends or takes nothing for [`IDLE_MAX`] is closed

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

use crate::clock::Clock;
use crate::http_exchange::{Exchange, HttpReply};
use crate::listener::BoundListener;
use crate::slab::Slab;

/// Connections at one time.
const CONNECTIONS_MAX: usize = 32;
/// Longest silence of a connection.
const IDLE_MAX: Duration = Duration::from_secs(120);
const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);
const READ_BYTES: usize = 4096;

/// Answers a path, without its query.
pub type HttpContent = dyn Fn(&str) -> HttpReply + Send + Sync;

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Serves `content` to whoever connects. Fails when the operating system gives no thread or descriptor.
    pub fn start(
        listener: BoundListener,
        clock: Arc<dyn Clock>,
        content: Arc<HttpContent>,
    ) -> io::Result<HttpServer> {
        let address = listener.address();
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let mut listener = TcpListener::from_std(listener.socket);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let mut serving = Serving { poll, listener, sessions: Slab::new(), open: 0, clock, content };
        let stop = stopping.clone();
        let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
            if let Err(error) = serving.run(&stop) {
                log::error!("http: {address} is not served any more: {error}");
            }
        })?;
        Ok(HttpServer { address, stopping, waker, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        if let Err(error) = self.waker.wake() {
            log::error!("http: can't wake the thread: {error}");
            return;
        }
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("http: the thread has ended with a panic");
        }
    }
}

struct Session {
    stream: TcpStream,
    exchange: Exchange,
    active: Duration,
}

struct Serving {
    poll: Poll,
    listener: TcpListener,
    sessions: Slab<Session>,
    open: usize,
    clock: Arc<dyn Clock>,
    content: Arc<HttpContent>,
}

impl Serving {
    fn run(&mut self, stopping: &AtomicBool) -> io::Result<()> {
        let mut events = Events::with_capacity(CONNECTIONS_MAX + 2);
        while !stopping.load(Ordering::SeqCst) {
            // Nobody is there: nobody can become idle.
            let timeout = (self.open > 0).then_some(IDLE_MAX);
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            let now = self.clock.monotonic();
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(now),
                    WAKER => {}
                    Token(index) => self.serve(index, now),
                }
            }
            self.close_idle(now);
        }
        Ok(())
    }

    fn accept(&mut self, now: Duration) {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Nobody else waits, or there is no descriptor to be had: who waits is accepted with the next one.
                Err(_) => return,
            };
            if self.open >= CONNECTIONS_MAX {
                self.close_longest_idle();
            }
            let index = self.sessions.next_index();
            let interest = Interest::READABLE | Interest::WRITABLE;
            if self.poll.registry().register(&mut stream, Token(index), interest).is_err() {
                continue;
            }
            self.sessions.insert(Session { stream, exchange: Exchange::default(), active: now });
            self.open += 1;
            self.serve(index, now);
        }
    }

    /// Reads, answers and writes until the socket has no more to give or to take.
    fn serve(&mut self, index: usize, now: Duration) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        if !session.go_on(&*self.content, now).unwrap_or(false) {
            self.close(index);
        }
    }

    fn close(&mut self, index: usize) {
        if self.sessions.remove(index).is_some() {
            self.open -= 1;
        }
    }

    fn close_idle(&mut self, now: Duration) {
        for index in self.sessions.indices() {
            let active = self.sessions.get_mut(index).map_or(now, |session| session.active);
            if now.saturating_sub(active) >= IDLE_MAX {
                self.close(index);
            }
        }
    }

    fn close_longest_idle(&mut self) {
        let indices = self.sessions.indices();
        let longest =
            indices.into_iter().min_by_key(|index| self.sessions.get_mut(*index).map(|one| one.active));
        if let Some(index) = longest {
            self.close(index);
        }
    }
}

impl Session {
    /// Whether the connection stays open.
    fn go_on(&mut self, content: &HttpContent, now: Duration) -> io::Result<bool> {
        let mut buffer = [0; READ_BYTES];
        loop {
            while !self.exchange.unsent().is_empty() {
                match self.stream.write(self.exchange.unsent()) {
                    Ok(0) => return Ok(false),
                    Ok(count) => {
                        self.exchange.sent(count);
                        self.active = now;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            if self.exchange.is_over() {
                return Ok(false);
            }
            if self.exchange.answer_next(content) {
                continue;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.exchange.receive(&buffer[..count]);
                    self.active = now;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
