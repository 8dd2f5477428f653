//! What the network asks of the node: one trait, and the values that pass through it.
//!
//! A connection has at most one request in hand at a time (as in Apache Kafka, whose processor mutes a
//! channel until its response is sent), so responses keep the order of requests and everything that waits
//! behind this trait is bounded by the number of connections.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;

use barnabas_disk::FileSlice;

use crate::frame_bytes::FrameBytes;

/// Names one connection for the life of the node.
pub type ConnectionId = u64;

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// What is known of the other side of a connection.
#[derive(Debug)]
pub struct Peer {
    /// The connection.
    pub connection: ConnectionId,
    /// Higher for a connection that was accepted later, on whatever listener.
    pub number: u64,
    /// Name of the listener that accepted it, e.g. `PLAINTEXT`.
    pub listener: Arc<str>,
    /// Address of the client.
    pub address: SocketAddr,
    /// Address that the client connected to.
    pub local: SocketAddr,
}

/// One complete request. `frame` is the whole request without its length prefix; the header was decoded
/// and found valid, and `frame[body..]` is the message.
#[derive(Debug)]
pub struct Request {
    /// Who asks.
    pub peer: Arc<Peer>,
    /// API key of the header.
    pub api_key: i16,
    /// API version of the header; known to be valid for the key, except for ApiVersions.
    pub api_version: i16,
    /// Chosen by the client, repeated in the response.
    pub correlation_id: i32,
    /// Client id of the header.
    pub client_id: Option<Arc<str>>,
    /// Header and body.
    pub frame: FrameBytes,
    /// Where the body starts in `frame`.
    pub body: usize,
    /// When the request was complete.
    pub now: Millis,
    /// Wakes the request after it was parked, or answers it later.
    pub ticket: Ticket,
}

/// Part of a response.
#[derive(Debug, Clone)]
pub enum Chunk {
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// Bytes of a file, sent without passing through this process where the platform can.
    File(FileSlice),
    /// So many bytes that are announced and never sent: the connection closes once what stands before them is
    /// out. For faults that a test asks for.
    Missing(u64),
}

/// What a service did with a request.
pub enum Outcome {
    /// The response: header and body, without the length prefix.
    Reply(Vec<Chunk>),
    /// The request has no response (Produce with acks=0).
    NoReply,
    /// Nothing to say yet: `Service::resume` is called with `state` when the ticket is woken or at `deadline`.
    Park {
        /// When to resume at the latest.
        deadline: Millis,
        /// Handed back to `resume`.
        state: Box<dyn Any + Send>,
    },
    /// Somebody else answers through the ticket.
    Deferred,
    /// The connection must be closed; the reason is logged.
    Close(String),
}

/// The node behind the network.
pub trait Service: Send + Sync + 'static {
    /// Answers one request, on the connection's reactor thread: it must not block for long.
    fn handle(&self, request: Request) -> Outcome;
    /// Goes on with a parked request.
    fn resume(&self, state: Box<dyn Any + Send>, now: Millis) -> Outcome;
    /// The connection is gone; whatever was parked for it has been dropped.
    fn disconnected(&self, connection: ConnectionId);
}

/// How a ticket reaches its reactor; implemented by the network, and by tests.
pub trait Mailbox: Send + Sync {
    /// Resume the request in hand of `connection`, if it is still number `sequence`.
    fn wake(&self, connection: ConnectionId, sequence: u64);
    /// Send these answers to deferred requests.
    fn reply(&self, replies: Vec<Reply>);
}

/// The answer to a deferred request.
#[derive(Debug)]
pub struct Reply {
    /// The connection.
    pub connection: ConnectionId,
    /// Number of the request on its connection.
    pub sequence: u64,
    /// What is sent; None closes the connection.
    pub chunks: Option<Vec<Chunk>>,
}

/// Names one request in hand. Cheap to clone; waking or answering twice, or after the connection has
/// closed, does nothing.
#[derive(Clone)]
pub struct Ticket {
    /// The reactor's mailbox.
    pub mailbox: Arc<dyn Mailbox>,
    /// The connection.
    pub connection: ConnectionId,
    /// Number of the request on its connection.
    pub sequence: u64,
}

impl Ticket {
    /// Asks the reactor to resume the parked request.
    pub fn wake(&self) {
        self.mailbox.wake(self.connection, self.sequence);
    }

    /// Answers a deferred request; None closes the connection.
    pub fn reply(&self, chunks: Option<Vec<Chunk>>) {
        self.mailbox.reply(vec![self.to_reply(chunks)]);
    }

    /// Answers deferred requests, and wakes each reactor once: to wake one may cost more than an answer.
    pub fn reply_all(replies: Vec<(Ticket, Option<Vec<Chunk>>)>) {
        let mut by_mailbox: Vec<(Arc<dyn Mailbox>, Vec<Reply>)> = Vec::new();
        for (ticket, chunks) in replies {
            let reply = ticket.to_reply(chunks);
            match by_mailbox.iter_mut().find(|(mailbox, _)| Arc::ptr_eq(mailbox, &ticket.mailbox)) {
                Some((_, replies)) => replies.push(reply),
                None => by_mailbox.push((ticket.mailbox, vec![reply])),
            }
        }
        for (mailbox, replies) in by_mailbox {
            mailbox.reply(replies);
        }
    }

    fn to_reply(&self, chunks: Option<Vec<Chunk>>) -> Reply {
        Reply { connection: self.connection, sequence: self.sequence, chunks }
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ticket({}/{})", self.connection, self.sequence)
    }
}
