//! Sockets: listeners, reactors, connections, framing.
//!
//! One thread accepts ([`acceptor`]), a few threads serve ([`reactor`]), each with its own connections. What a
//! connection does with bytes is a state machine without sockets ([`connection`]); what a request means is
//! the node's business behind [`Service`].
//!
//! Always true:
//!   a connection has at most one request in hand, so responses keep the order of requests
//!   memory is taken as bytes arrive, never because a length claims that they will
//!   before its header is known to be valid, a frame holds at most 64 KiB
//!   nothing is read from a connection that has not taken its last response

mod acceptor;
mod clock;
pub mod connection;
mod connection_limits;
mod frame_bytes;
mod header;
mod http;
mod http_exchange;
mod input;
mod listener;
mod mailbox;
mod metrics;
mod network;
mod output;
mod promptness;
mod reactor;
mod request_memory;
mod service;
mod session;
mod settings;
mod slab;
mod timers;
mod timings;
mod transport;

pub use clock::{Clock, Now, SystemClock};
pub use connection_limits::ConnectionBounds;
pub use frame_bytes::FrameBytes;
pub use http::{HttpContent, HttpServer};
pub use http_exchange::HttpReply;
pub use listener::{BindError, BoundListener};
pub use metrics::{AcceptorMetrics, ApiMetrics, ApiTotals, NetworkMetrics, ReactorMetrics};
pub use network::Network;
pub use service::{Chunk, ConnectionId, Mailbox, Millis, Outcome, Peer, Reply, Request, Service, Ticket};
pub use settings::{ListenerSettings, NetworkSettings};
