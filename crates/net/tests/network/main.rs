//! The network over real sockets on loopback, with services made for each test.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by its panic")]

mod files;
mod framing;
mod limits;
mod node;
mod resizing;
mod stopping;
mod waiting;
