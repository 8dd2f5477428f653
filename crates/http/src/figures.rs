//! What a service has answered: how often, with which status, how fast; and who is connected.
//!
//! Always true:
//!   a request is counted once, whoever has answered it, when its response is handed to the connection
//!   what is kept does not grow with the number of requests

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use barnabas_metrics::{Exposition, Histogram, Kind, SharedCounter};
use hyper::StatusCode;
use parking_lot::Mutex;

/// Bounds of latencies in microseconds: 128 µs to 8 s.
const BOUNDS_MICROS: [u64; 9] =
    [1 << 7, 1 << 9, 1 << 11, 1 << 13, 1 << 15, 1 << 17, 1 << 19, 1 << 21, 1 << 23];
const MICROS_IN_SECONDS: f64 = 1e-6;
/// Stands for requests that have reached no operation: there is none, or they were refused before.
const NO_OPERATION: &str = "other";

/// Counts of one service.
#[derive(Debug, Default)]
pub struct Figures {
    /// By operation and status; the lock gives each histogram one writer at a time.
    exchanges: Mutex<HashMap<(usize, u16), Histogram>>,
    connections: AtomicUsize,
    accepted: SharedCounter,
}

impl Figures {
    /// A request to an operation, by its number, got this status after so long.
    pub(crate) fn note(&self, operation: usize, status: StatusCode, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.exchanges.lock().entry((operation, status.as_u16())).or_default().record(micros);
    }

    /// A client has connected; dropped when it goes.
    pub(crate) fn connected(self: &Arc<Self>) -> Connected {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.accepted.add(1);
        Connected(self.clone())
    }

    /// Clients that are connected.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Tells of it all. `names` are those of operations, from number 1 on.
    pub fn write(&self, names: &[String], exposition: &mut Exposition) {
        let name = |operation: usize| {
            let at = operation.checked_sub(1).and_then(|at| names.get(at));
            at.map_or(NO_OPERATION, String::as_str)
        };
        let mut all: Vec<_> = {
            let exchanges = self.exchanges.lock();
            exchanges.iter().map(|(key, histogram)| (*key, histogram.distribution())).collect()
        };
        all.sort_unstable_by_key(|(key, _)| *key);
        for ((operation, status), distribution) in all {
            let status = status.to_string();
            exposition.buckets(
                "barnabas_http_request_seconds",
                "From a request's head to its response's, by operation and status.",
                &[("operation", name(operation)), ("status", &status)],
                &distribution,
                &BOUNDS_MICROS,
                MICROS_IN_SECONDS,
            );
        }
        let (connections, accepted) = (self.connections() as f64, self.accepted.get() as f64);
        let help = "Clients that are connected.";
        exposition.sample("barnabas_http_connections", Kind::Gauge, help, &[], connections);
        let help = "Connections that were accepted since the start.";
        exposition.sample("barnabas_http_connections_total", Kind::Counter, help, &[], accepted);
    }
}

/// A client that is connected.
#[derive(Debug)]
pub(crate) struct Connected(Arc<Figures>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
