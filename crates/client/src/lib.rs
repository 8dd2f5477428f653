//! Kafka clients: a producer and a consumer for any broker since 2.1. Knows no Python.
//!
//! State machines take bytes, records and the time, and give bytes and results: `link` (connections, with `auth`,
//! `sasl` and `versions`), `cluster` (metadata), `coordinator`, `calls` (requests of any kind), `accumulator`, `pipeline`
//! and `sender` (producer), `assignment`, `closest`, `fetch_session`, `fetched`, `fetcher`, `truncation` and `group` (consumer), `share` (share
//! consumer); `figures` is what they count. `driver` is the one place with sockets and a clock: a thread for each client, which reaches brokers
//! through `resolver`, `transport` and `tls`. `producer`, `consumer`, `share_consumer` and `caller` are what users hold.

pub mod accumulator;
pub mod assignment;
pub mod auth;
pub mod bulk;
pub mod caller;
pub mod calls;
pub mod closest;
pub mod cluster;
pub mod columns;
pub mod consumer;
pub mod coordinator;
pub mod driver;
pub mod driving;
pub mod error;
pub mod fetch_session;
pub mod fetched;
pub mod fetcher;
pub mod figures;
pub mod group;
pub mod link;
pub mod partitioner;
pub mod pipeline;
pub mod producer;
pub mod resolver;
pub mod sasl;
pub mod security;
pub mod sender;
pub mod share;
pub mod share_consumer;
pub mod tls;
pub mod transaction;
pub mod transactional;
pub mod transactor;
pub mod transport;
pub mod truncation;
pub mod versions;

pub use error::ClientError;
