//! What one client and one service say to each other in pieces.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by its panic")]

mod running;
mod streams;
mod websockets;
