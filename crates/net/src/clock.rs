//! The clock of the network, read once for each turn of a loop.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::service::Millis;

/// One reading of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Wall time: milliseconds since the Unix epoch. It may jump when somebody sets the clock.
    pub wall: Millis,
    /// Time since the clock was made. It never goes back; time-outs are measured with it.
    pub monotonic: Duration,
}

/// Where the network gets its time from.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Now;

    /// The same without the wall time, which costs a second reading.
    fn monotonic(&self) -> Duration {
        self.now().monotonic
    }
}

/// The operating system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[allow(clippy::disallowed_methods, reason = "the edge: this is where time comes in")]
    pub fn new() -> Self {
        SystemClock { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the edge: this is where time comes in")]
    fn now(&self) -> Now {
        // A clock set before 1970 reads as 1970: no time-out depends on it.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { wall: wall.as_millis() as Millis, monotonic: self.start.elapsed() }
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}
