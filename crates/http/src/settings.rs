//! What bounds a server, by name.

use std::time::Duration;

/// Bounds of a server. Each holds for all of its listeners together, unless it is said of one request.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Threads that talk to clients.
    pub threads: usize,
    /// Connections at one time; more wait in the operating system's backlog.
    pub connections_max: usize,
    /// Bytes of a request's line and headers, at least 8192.
    pub head_bytes_max: usize,
    /// Headers of a request.
    pub headers_max: usize,
    /// Bytes of a request's body; more is refused with 413.
    pub body_bytes_max: usize,
    /// Bytes of all bodies that are held at one time; more is refused with 503.
    pub bodies_bytes_max: usize,
    /// Longest time until the head of a request is complete, and longest silence between two requests.
    pub head_time_max: Duration,
    /// Longest time until the body of a request is complete; then 408.
    pub body_time_max: Duration,
    /// Longest silence of a client whose body comes in pieces; then the body has ended.
    pub piece_time_max: Duration,
    /// Longest wait for the application's answer; then 503.
    pub answer_time_max: Duration,
    /// Longest time in which a client takes nothing of its reply.
    pub write_time_max: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        HttpSettings {
            threads: 1,
            connections_max: 10_000,
            head_bytes_max: 32 * 1024,
            headers_max: 64,
            body_bytes_max: 16 * 1024 * 1024,
            bodies_bytes_max: 64 * 1024 * 1024,
            head_time_max: Duration::from_secs(60),
            body_time_max: Duration::from_secs(30),
            piece_time_max: Duration::from_secs(600),
            answer_time_max: Duration::from_secs(60),
            write_time_max: Duration::from_secs(30),
        }
    }
}
