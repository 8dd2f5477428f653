//! The node's clock: this crate is an edge, where time comes in.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use barnabas_net::{Clock, Now, SystemClock};
use barnabas_protocol::Millis;

/// The wall clock of one node: the operating system's, and ahead of it where a test has moved it on. Time that
/// is waited for on sockets stays real.
#[derive(Debug, Default)]
pub(crate) struct NodeClock {
    system: SystemClock,
    ahead_ms: AtomicI64,
}

impl NodeClock {
    /// Milliseconds since the Unix epoch.
    pub(crate) fn wall(&self) -> Millis {
        now() + self.ahead_ms.load(Ordering::Relaxed)
    }

    /// Moves the clock on.
    pub(crate) fn advance(&self, ms: Millis) {
        self.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Now {
        let now = self.system.now();
        Now { wall: now.wall + self.ahead_ms.load(Ordering::Relaxed), ..now }
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic()
    }
}

/// Milliseconds since the Unix epoch, as the operating system tells them: for what belongs to no node.
#[allow(clippy::disallowed_methods, reason = "the edge: this is where time comes in")]
pub(crate) fn now() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as Millis
}

/// For measuring how long something takes: never goes back.
#[allow(clippy::disallowed_methods, reason = "the edge: this is where time comes in")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// Microseconds since this was asked first: never go back.
pub(crate) fn micros() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    BEGAN.get_or_init(instant).elapsed().as_micros() as u64
}
