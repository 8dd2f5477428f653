//! The network over real sockets on loopback, with services made for each test.

mod files;
mod framing;
mod limits;
mod node;
mod stopping;
mod waiting;
