//! Deadlines of one reactor's connections: at most two for each, so that they are bounded by their number.

use std::collections::BTreeSet;
use std::time::Duration;

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A parked request must be resumed.
    Parked,
    /// The connection may have been idle for too long.
    Idle,
}

/// Deadlines in the order in which they fall due. Times are monotonic.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Duration, usize, Timer)>,
}

impl Timers {
    pub(crate) fn insert(&mut self, at: Duration, connection: usize, timer: Timer) {
        self.due.insert((at, connection, timer));
    }

    pub(crate) fn remove(&mut self, at: Duration, connection: usize, timer: Timer) {
        self.due.remove(&(at, connection, timer));
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.due.first().map(|&(at, ..)| at)
    }

    /// Takes one that is due.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<(usize, Timer)> {
        let &(at, connection, timer) = self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        Some((connection, timer))
    }
}
