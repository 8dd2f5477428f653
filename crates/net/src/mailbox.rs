//! What other threads tell a reactor.
//!
//! A reactor is woken by the operating system only when it sleeps: pushes that come while it works, its own
//! included, cost a lock and nothing else.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Registry, Token, Waker};
use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::connection_limits::Slot;
use crate::service::{ConnectionId, Mailbox, Reply};

/// A connection on its way from the acceptor to a reactor.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) listener: Arc<str>,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) local: std::net::SocketAddr,
    pub(crate) slot: Slot,
}

/// One message.
#[derive(Debug)]
pub(crate) enum Item {
    /// Serve this connection.
    Accepted(Box<Accepted>),
    /// Resume a parked request.
    Wake { connection: ConnectionId, sequence: u64 },
    /// Answer a deferred request.
    Reply(Reply),
    /// The budget for requests has room again.
    MemoryFreed,
    /// The wall clock was moved on: requests may be due.
    ClockMoved,
    /// Finish what is in hand, for at most this long, and end.
    Stop { grace: Duration },
}

/// The mailbox of one reactor.
#[derive(Debug)]
pub(crate) struct ReactorMailbox {
    state: Mutex<State>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct State {
    items: Vec<Item>,
    asleep: bool,
    closed: bool,
}

impl ReactorMailbox {
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(ReactorMailbox { state: Mutex::default(), waker: Waker::new(registry, token)? })
    }

    /// Adds an item; gives it back when the reactor has ended.
    pub(crate) fn push(&self, item: Item) -> Result<(), Item> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(item);
        }
        state.items.push(item);
        self.wake_up(state);
        Ok(())
    }

    /// Wakes the reactor if it sleeps.
    fn wake_up(&self, mut state: MutexGuard<'_, State>) {
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            if let Err(error) = self.waker.wake() {
                log::error!("Can't wake a reactor: {error}");
            }
        }
    }

    /// Called before the reactor waits. False when items are there: then it must not.
    pub(crate) fn may_sleep(&self) -> bool {
        let mut state = self.state.lock();
        state.asleep = state.items.is_empty();
        state.asleep
    }

    /// Called after it has waited: puts all items into `items`, which must be empty.
    pub(crate) fn drain(&self, items: &mut Vec<Item>) {
        let mut state = self.state.lock();
        state.asleep = false;
        std::mem::swap(&mut state.items, items);
    }

    /// Refuses and drops all items from now on.
    pub(crate) fn close(&self) {
        let items = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.items)
        };
        drop(items);
    }
}

/// Mailboxes of the reactors that take connections; their number may change.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes(RwLock<Arc<[Arc<ReactorMailbox>]>>);

impl Mailboxes {
    /// As they are now.
    pub(crate) fn get(&self) -> Arc<[Arc<ReactorMailbox>]> {
        self.0.read().clone()
    }

    /// Replaces them.
    pub(crate) fn set(&self, mailboxes: &[Arc<ReactorMailbox>]) {
        *self.0.write() = mailboxes.into();
    }
}

impl Mailbox for ReactorMailbox {
    fn wake(&self, connection: ConnectionId, sequence: u64) {
        // The connection ended with its reactor: there is nobody to wake.
        let _ = self.push(Item::Wake { connection, sequence });
    }

    fn reply(&self, replies: Vec<Reply>) {
        let mut state = self.state.lock();
        if !state.closed {
            state.items.extend(replies.into_iter().map(Item::Reply));
            self.wake_up(state);
        }
    }
}
