//! Counters of the network, for metrics. Each reactor has its own, so that counting never contends.

use std::sync::{Arc, OnceLock};

use barnabas_metrics::{Counter, Distribution, Histogram};

/// API keys that are counted; Kafka's end below 100.
const API_KEYS: usize = 128;
/// Versions of one API that are told apart.
const VERSIONS: usize = 32;

/// What is counted of the requests of one API. Times are microseconds; those of `queue`, `remote` and `send` are
/// recorded only when they are not 0.
#[derive(Debug, Default)]
pub struct ApiMetrics {
    /// Requests by version.
    pub requests: [Counter; VERSIONS],
    /// From received to sent.
    pub total: Histogram,
    /// From received to handled by the service.
    pub queue: Histogram,
    /// In the service.
    pub local: Histogram,
    /// Waiting for others: for a replica, for records, for Python.
    pub remote: Histogram,
    /// From answered to sent.
    pub send: Histogram,
    /// Sizes of requests.
    pub bytes: Histogram,
    /// Requests that were slow.
    pub slow: Counter,
    /// Requests that began to wait for others.
    pub waits_begun: Counter,
    /// Those of them that do so no more.
    pub waits_ended: Counter,
}

/// The same of several reactors, as it was at one moment.
#[derive(Debug, Default)]
pub struct ApiTotals {
    /// (version, requests), those with any.
    pub requests: Vec<(i16, u64)>,
    /// From received to sent, in microseconds.
    pub total: Distribution,
    /// From received to handled.
    pub queue: Distribution,
    /// In the service.
    pub local: Distribution,
    /// Waiting for others.
    pub remote: Distribution,
    /// From answered to sent.
    pub send: Distribution,
    /// Sizes of requests.
    pub bytes: Distribution,
    /// Requests that were slow.
    pub slow: u64,
    /// Requests that wait for others now.
    pub waiting: u64,
}

/// Counters of each API, made when its first request comes.
#[derive(Debug)]
struct ApiTable([OnceLock<Box<ApiMetrics>>; API_KEYS]);

impl Default for ApiTable {
    fn default() -> ApiTable {
        ApiTable([const { OnceLock::new() }; API_KEYS])
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
    /// Microseconds in which there was something to do.
    pub busy_micros: Counter,
    apis: ApiTable,
}

impl ReactorMetrics {
    /// Notes something about a request of an API. To be called by the reactor alone.
    pub(crate) fn api(&self, api_key: i16, note: impl FnOnce(&ApiMetrics)) {
        if let Some(cell) = usize::try_from(api_key).ok().and_then(|key| self.apis.0.get(key)) {
            note(cell.get_or_init(Box::default));
        }
    }

    /// Notes a request that is handed to the service.
    pub(crate) fn request(&self, api_key: i16, api_version: i16) {
        self.requests.add(1);
        let version = usize::try_from(api_version).unwrap_or(0).min(VERSIONS - 1);
        self.api(api_key, |api| api.requests[version].add(1));
    }
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

    /// What was counted of each API that was asked for, by API key.
    pub fn apis(&self) -> Vec<(i16, ApiTotals)> {
        let keys = (0..API_KEYS).filter(|key| self.of_api(*key).next().is_some());
        keys.map(|key| (key as i16, ApiTotals::of(self.of_api(key)))).collect()
    }

    fn of_api(&self, key: usize) -> impl Iterator<Item = &ApiMetrics> {
        self.reactors.iter().filter_map(move |reactor| reactor.apis.0[key].get().map(Box::as_ref))
    }

    /// Sum of one counter over the reactors.
    pub fn sum(&self, counter: impl Fn(&ReactorMetrics) -> &Counter) -> u64 {
        self.reactors.iter().map(|reactor| counter(reactor).get()).sum()
    }
}

impl ApiTotals {
    fn of<'a>(apis: impl Iterator<Item = &'a ApiMetrics>) -> ApiTotals {
        let (mut totals, mut versions) = (ApiTotals::default(), [0; VERSIONS]);
        for api in apis {
            for (version, count) in versions.iter_mut().zip(&api.requests) {
                *version += count.get();
            }
            totals.total.add(&api.total.distribution());
            totals.queue.add(&api.queue.distribution());
            totals.local.add(&api.local.distribution());
            totals.remote.add(&api.remote.distribution());
            totals.send.add(&api.send.distribution());
            totals.bytes.add(&api.bytes.distribution());
            totals.slow += api.slow.get();
            totals.waiting += api.waits_begun.get().saturating_sub(api.waits_ended.get());
        }
        let all = totals.total.count();
        for part in [&mut totals.queue, &mut totals.remote, &mut totals.send] {
            part.add_zeros(all.saturating_sub(part.count()));
        }
        let asked = versions.into_iter().enumerate().filter(|(_, count)| *count > 0);
        totals.requests = asked.map(|(version, count)| (version as i16, count)).collect();
        totals
    }
}
