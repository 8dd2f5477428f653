//! The node's clock: this crate is an edge, where time comes in.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use barnabas_protocol::Millis;

/// Milliseconds since the Unix epoch.
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
