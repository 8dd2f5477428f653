//! What the network is told at its start. Names and defaults are those of Kafka's configs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::connection_limits::ConnectionBounds;

/// One listener to bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Name, e.g. `PLAINTEXT`; what `Peer::listener` says.
    pub name: String,
    /// Host name or address; empty means all addresses of the machine.
    pub host: String,
    /// Port; 0 lets the operating system choose.
    pub port: u16,
    /// `socket.listen.backlog.size`.
    pub backlog: i32,
}

impl ListenerSettings {
    /// A listener with Kafka's default backlog of 50.
    pub fn new(name: &str, host: &str, port: u16) -> Self {
        ListenerSettings { name: name.to_owned(), host: host.to_owned(), port, backlog: 50 }
    }
}

/// Settings of all listeners together.
#[derive(Clone)]
pub struct NetworkSettings {
    /// `num.network.threads`: reactor threads, 1 to [`NetworkSettings::REACTORS_MAX`].
    pub reactors: usize,
    /// `socket.request.max.bytes`: largest frame.
    pub request_bytes_max: usize,
    /// `queued.max.request.bytes`: memory of requests that are received or in hand; None means no limit.
    pub queued_request_bytes_max: Option<u64>,
    /// `socket.send.buffer.bytes`; None leaves it to the operating system.
    pub send_buffer_bytes: Option<usize>,
    /// `socket.receive.buffer.bytes`; None leaves it to the operating system.
    pub receive_buffer_bytes: Option<usize>,
    /// `connections.max.idle.ms`; None keeps idle connections for ever.
    pub idle_max: Option<Duration>,
    /// `barnabas.slow.request.ms`: requests that take this long get a line in the log; None: none does.
    pub slow_request: Option<Duration>,
    /// How many connections there may be.
    pub connections: ConnectionBounds,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

impl NetworkSettings {
    /// Largest number of reactor threads.
    pub const REACTORS_MAX: usize = 128;
}

impl Default for NetworkSettings {
    fn default() -> Self {
        NetworkSettings {
            reactors: 3,
            request_bytes_max: 104_857_600,
            queued_request_bytes_max: None,
            send_buffer_bytes: Some(102_400),
            receive_buffer_bytes: Some(102_400),
            idle_max: Some(Duration::from_millis(600_000)),
            slow_request: None,
            connections: ConnectionBounds::default(),
            clock: Arc::new(SystemClock::new()),
        }
    }
}

impl fmt::Debug for NetworkSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkSettings")
            .field("reactors", &self.reactors)
            .field("request_bytes_max", &self.request_bytes_max)
            .field("queued_request_bytes_max", &self.queued_request_bytes_max)
            .field("send_buffer_bytes", &self.send_buffer_bytes)
            .field("receive_buffer_bytes", &self.receive_buffer_bytes)
            .field("idle_max", &self.idle_max)
            .field("slow_request", &self.slow_request)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
