//! `/metrics`: everything that the node counts, put together when somebody asks.

use std::sync::Arc;
use std::time::Instant;

use barnabas_broker::Broker;
use barnabas_log::LogCleaner;
use barnabas_metrics::{Distribution, Exposition, Kind, Moment, Rates, Windows, MICROS_IN_MILLIS};
use barnabas_net::{ApiTotals, HttpReply, Network, NetworkMetrics};
use barnabas_protocol::api::ApiKey;
use barnabas_protocol::Millis;
use parking_lot::Mutex;

use crate::clock::{self, NodeClock};
use crate::figures::Figures;
use crate::inbox::Inbox;
use crate::process;
use crate::response_errors::ResponseErrors;

const REQUESTS: &str = "kafka_network_RequestMetrics";
const SOCKETS: &str = "kafka_server_socket_server_metrics";
const SOCKET_SERVER: &str = "kafka_network_SocketServer";
const CLEANER: &str = "kafka_log_LogCleaner";
const CLEANER_MANAGER: &str = "kafka_log_LogCleanerManager";
const PURGATORY: &str = "kafka_server_DelayedOperationPurgatory";
/// A broker that serves, in Kafka's numbers of states.
const RUNNING: f64 = 3.0;
/// Upper bounds of the buckets of request times, in microseconds: from an eighth of a millisecond to 17 seconds.
const BOUNDS: [u64; 13] = [
    1 << 7,
    1 << 8,
    1 << 9,
    1 << 10,
    1 << 11,
    1 << 12,
    1 << 13,
    1 << 14,
    1 << 16,
    1 << 18,
    1 << 20,
    1 << 22,
    1 << 24,
];
const MICROS_IN_SECONDS: f64 = 1e-6;
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the page is made of.
pub(crate) struct MetricsPage {
    broker: Arc<Broker>,
    network: Arc<Mutex<Option<Network>>>,
    inbox: Arc<Inbox>,
    cleaner: Arc<LogCleaner>,
    figures: Arc<Figures>,
    response_errors: Arc<ResponseErrors>,
    clock: Arc<NodeClock>,
    started: Instant,
    seen: Mutex<Seen>,
}

/// What was seen when somebody asked before.
struct Seen {
    rates: Rates,
    windows: Windows,
    /// When the reactors' business was looked at last, what it was, and the share of idle time since then.
    idle: (Moment, u64, f64),
}

impl MetricsPage {
    pub(crate) fn new(
        broker: Arc<Broker>,
        network: Arc<Mutex<Option<Network>>>,
        inbox: Arc<Inbox>,
        cleaner: Arc<LogCleaner>,
        figures: Arc<Figures>,
        response_errors: Arc<ResponseErrors>,
        clock: Arc<NodeClock>,
    ) -> MetricsPage {
        let seen = Seen { rates: Rates::new(0.0), windows: Windows::default(), idle: (0.0, 0, 1.0) };
        MetricsPage {
            broker,
            network,
            inbox,
            cleaner,
            figures,
            response_errors,
            clock,
            started: clock::instant(),
            seen: Mutex::new(seen),
        }
    }

    /// What a path is answered with.
    pub(crate) fn reply(&self, path: &str) -> HttpReply {
        match path {
            "/metrics" => {
                HttpReply { status: 200, content_type: CONTENT_TYPE, body: self.text().into_bytes() }
            }
            "/" => HttpReply::text(200, "barnabas: what it counts is at /metrics"),
            _ => HttpReply::text(404, "nothing is here but /metrics"),
        }
    }

    fn text(&self) -> String {
        let (mut to, mut seen) = (Exposition::default(), self.seen.lock());
        let seen = &mut *seen;
        let now = self.started.elapsed().as_secs_f64();
        self.broker.expose(&mut to, &mut seen.rates, &mut seen.windows, now);
        expose_cleaner(&self.cleaner, self.clock.wall(), &mut to);
        self.figures.expose(&self.inbox, &mut to);
        let network = self.network.lock().as_ref().map(|one| (one.metrics(), listeners(one)));
        if let Some((metrics, listeners)) = network {
            expose_requests(&metrics, &mut to, seen, now);
            expose_errors(&self.response_errors, &mut to, &mut seen.rates, now);
            expose_sockets(&metrics, &listeners, &mut to);
            let idle = seen.idle_share(&metrics, now);
            to.value(SOCKET_SERVER, &[("name", "NetworkProcessorAvgIdlePercent")], idle);
            to.value("kafka_server_KafkaServer", &[("name", "BrokerState")], RUNNING);
        }
        let waiting = self.inbox.waiting() as f64;
        to.value("kafka_network_RequestChannel", &[("name", "RequestQueueSize")], waiting);
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        to.sample("barnabas_build_info", Kind::Gauge, "1, with the version as a label.", &version, 1.0);
        process::expose(&mut to);
        seen.rates.forget_unseen();
        seen.windows.forget_unseen();
        to.into_text()
    }
}

fn listeners(network: &Network) -> String {
    let names: Vec<&str> = network.addresses().iter().map(|(name, _)| name.as_ref()).collect();
    names.join(",")
}

impl Seen {
    fn idle_share(&mut self, metrics: &NetworkMetrics, now: Moment) -> f64 {
        let busy = metrics.sum(|reactor| &reactor.busy_micros);
        let (before, busy_before, _) = self.idle;
        if now - before >= 1.0 {
            let possible = (now - before) * metrics.reactors.len() as f64 / MICROS_IN_SECONDS;
            let share = 1.0 - busy.saturating_sub(busy_before) as f64 / possible;
            self.idle = (now, busy, share.clamp(0.0, 1.0));
        }
        self.idle.2
    }
}

fn expose_requests(metrics: &NetworkMetrics, to: &mut Exposition, seen: &mut Seen, now: Moment) {
    for (api_key, totals) in metrics.apis() {
        let Some(api) = ApiKey::from_code(api_key) else { continue };
        expose_api(api.name(), &totals, to, seen, now);
        if api == ApiKey::Fetch {
            // Dashboards look for it under this name. A node alone has no followers.
            expose_api("FetchConsumer", &totals, to, seen, now);
        }
        let request = [("request", api.name())];
        let help = "Time of requests from received to sent.";
        to.buckets("barnabas_request_seconds", help, &request, &totals.total, &BOUNDS, MICROS_IN_SECONDS);
        let help = "Requests that took longer than barnabas.slow.request.ms.";
        to.sample("barnabas_slow_requests_total", Kind::Counter, help, &request, totals.slow as f64);
        if matches!(api, ApiKey::Fetch | ApiKey::Produce | ApiKey::DeleteRecords) {
            for name in ["PurgatorySize", "NumDelayedOperations"] {
                let labels = [("name", name), ("delayedOperation", api.name())];
                to.value(PURGATORY, &labels, totals.waiting as f64);
            }
        }
    }
}

/// As in Kafka, a code has a meter once an API's response had it.
fn expose_errors(errors: &ResponseErrors, to: &mut Exposition, rates: &mut Rates, now: Moment) {
    for api in ApiKey::ALL {
        for (code, count) in errors.of(api) {
            let (request, error) = (api.name(), code.name());
            let speed = rates.look(&format!("errors {request} {error}"), count, now);
            let labels = [("name", "ErrorsPerSec"), ("request", request), ("error", error)];
            to.meter(REQUESTS, &labels, count, speed);
        }
    }
}

fn expose_api(request: &str, totals: &ApiTotals, to: &mut Exposition, seen: &mut Seen, now: Moment) {
    for (version, count) in &totals.requests {
        let version = version.to_string();
        let speed = seen.rates.look(&format!("requests {request} {version}"), *count, now);
        let labels = [("name", "RequestsPerSec"), ("request", request), ("version", version.as_str())];
        to.meter(REQUESTS, &labels, *count, speed);
    }
    // No request is held back yet, and no response waits for a thread that sends it.
    let mut none = Distribution::default();
    none.add_zeros(totals.total.count());
    for (name, all, scale) in [
        ("TotalTimeMs", &totals.total, MICROS_IN_MILLIS),
        ("RequestQueueTimeMs", &totals.queue, MICROS_IN_MILLIS),
        ("LocalTimeMs", &totals.local, MICROS_IN_MILLIS),
        ("RemoteTimeMs", &totals.remote, MICROS_IN_MILLIS),
        ("ThrottleTimeMs", &none, MICROS_IN_MILLIS),
        ("ResponseQueueTimeMs", &none, MICROS_IN_MILLIS),
        ("ResponseSendTimeMs", &totals.send, MICROS_IN_MILLIS),
        ("RequestBytes", &totals.bytes, 1.0),
    ] {
        let recent = seen.windows.look(&format!("{name} {request}"), all, now);
        to.histogram(REQUESTS, &[("name", name), ("request", request)], all.count(), &recent, scale);
    }
}

fn expose_cleaner(cleaner: &LogCleaner, now: Millis, to: &mut Exposition) {
    let figures = cleaner.figures();
    for (name, value) in [
        ("max-buffer-utilization-percent", 100.0 * figures.memory_ratio),
        ("cleaner-recopy-percent", 100.0 * figures.kept_ratio),
        ("max-clean-time-secs", figures.pass_ms as f64 / 1000.0),
    ] {
        to.value(CLEANER, &[("name", name)], value.trunc());
    }
    to.value(CLEANER_MANAGER, &[("name", "max-dirty-percent")], (100.0 * figures.dirty_ratio_max).trunc());
    let since = figures.looked_at.map_or(0, |then| now - then).max(0);
    to.value(CLEANER_MANAGER, &[("name", "time-since-last-run-ms")], since as f64);
    for uncleanable in cleaner.uncleanable_by_directory() {
        let path = uncleanable.directory.display().to_string();
        for (name, value) in [
            ("uncleanable-partitions-count", uncleanable.logs as f64),
            ("uncleanable-bytes", uncleanable.bytes as f64),
        ] {
            to.value(CLEANER_MANAGER, &[("name", name), ("logDirectory", path.as_str())], value);
        }
    }
}

fn expose_sockets(metrics: &NetworkMetrics, listeners: &str, to: &mut Exposition) {
    for (number, reactor) in metrics.reactors.iter().enumerate() {
        let number = number.to_string();
        let labels = [("listener", listeners), ("networkProcessor", number.as_str())];
        let (opened, closed) = (reactor.connections_opened.get(), reactor.connections_closed.get());
        let open = opened.saturating_sub(closed);
        let help = "Open connections of a network thread.";
        to.sample(&format!("{SOCKETS}_connection_count"), Kind::Gauge, help, &labels, open as f64);
        for (name, help, count) in [
            ("connection_creation_total", "Connections accepted by a network thread.", opened),
            ("connection_close_total", "Connections closed by a network thread.", closed),
            ("incoming_byte_total", "Bytes received by a network thread.", reactor.bytes_in.get()),
            ("outgoing_byte_total", "Bytes sent by a network thread.", reactor.bytes_out.get()),
            ("request_total", "Requests received by a network thread.", reactor.requests.get()),
        ] {
            to.sample(&format!("{SOCKETS}_{name}"), Kind::Counter, help, &labels, count as f64);
        }
    }
    let expired = metrics.sum(|reactor| &reactor.connections_expired) as f64;
    to.value(SOCKET_SERVER, &[("name", "ExpiredConnectionsKilledCount")], expired);
    for (name, help, count) in [
        (
            "barnabas_socket_calls_total",
            "Calls of the operating system to read from and write to sockets.",
            metrics.sum(|reactor| &reactor.socket_calls),
        ),
        (
            "barnabas_reactor_turns_total",
            "Turns of the network threads' loops.",
            metrics.sum(|reactor| &reactor.turns),
        ),
        (
            "barnabas_invalid_frames_total",
            "Connections closed because of an invalid frame or header.",
            metrics.sum(|reactor| &reactor.connections_invalid),
        ),
        (
            "barnabas_connections_refused_total",
            "Connections closed at once because their address had too many.",
            metrics.acceptor.refused.get(),
        ),
        (
            "barnabas_accept_errors_total",
            "Failed attempts to accept a connection.",
            metrics.acceptor.errors.get(),
        ),
    ] {
        to.sample(name, Kind::Counter, help, &[], count as f64);
    }
}
