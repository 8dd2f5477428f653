//! Counters of the network, for metrics. Each reactor has its own, so that counting never contends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// One counter; written by one thread, read by anybody.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Only the thread that owns the counter adds: no locked instruction is needed.
    pub(crate) fn add(&self, amount: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
    }
}

/// Counters of one reactor since its start. `repr(align)` keeps two reactors off one cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ReactorMetrics {
    /// Connections that were taken over from the acceptor.
    pub connections_opened: Counter,
    /// Connections that were closed, for whatever reason.
    pub connections_closed: Counter,
    /// Connections closed because they were idle for too long.
    pub connections_expired: Counter,
    /// Connections closed because of an invalid frame or header.
    pub connections_invalid: Counter,
    /// Requests handed to the service.
    pub requests: Counter,
    /// Bytes read from sockets.
    pub bytes_in: Counter,
    /// Bytes written to sockets.
    pub bytes_out: Counter,
    /// Calls of the operating system to read and write.
    pub socket_calls: Counter,
    /// Turns of the loop.
    pub turns: Counter,
}

/// Counters of the network.
#[derive(Debug, Clone)]
pub struct NetworkMetrics {
    /// One for each reactor.
    pub reactors: Vec<Arc<ReactorMetrics>>,
    /// Those of the acceptor.
    pub acceptor: Arc<AcceptorMetrics>,
}

/// Counters of the acceptor.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct AcceptorMetrics {
    /// Connections accepted by the operating system.
    pub accepted: Counter,
    /// Connections closed at once because their address had too many.
    pub refused: Counter,
    /// Failed attempts to accept, such as for want of file descriptors.
    pub errors: Counter,
}

impl NetworkMetrics {
    /// Connections that are open now.
    pub fn connections(&self) -> u64 {
        let closed: u64 = self.sum(|reactor| &reactor.connections_closed);
        self.sum(|reactor| &reactor.connections_opened).saturating_sub(closed)
    }

    /// Sum of one counter over the reactors.
    pub fn sum(&self, counter: impl Fn(&ReactorMetrics) -> &Counter) -> u64 {
        self.reactors.iter().map(|reactor| counter(reactor).get()).sum()
    }
}
