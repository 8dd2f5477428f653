//! Figures of a client, under the names that Apache Kafka's clients give them.
//!
//! Always true:
//!   they are written where a request, a batch or a connection passes, never for each record
//!   totals never go back; averages and maxima are of the time since the client began

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::Millis;

/// How often something was, how much in all, and the most at once.
#[derive(Debug, Default)]
pub struct Sizes {
    count: AtomicU64,
    sum: AtomicU64,
    max: AtomicU64,
}

impl Sizes {
    /// One more.
    pub fn add(&self, size: u64) {
        self.count.fetch_add(1, Relaxed);
        self.sum.fetch_add(size, Relaxed);
        self.max.fetch_max(size, Relaxed);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }

    /// All together.
    pub fn sum(&self) -> u64 {
        self.sum.load(Relaxed)
    }

    /// Their mean; not a number before the first, as in Apache Kafka's clients. So is the maximum.
    fn mean(&self) -> f64 {
        self.sum() as f64 / self.count() as f64
    }

    fn most(&self) -> f64 {
        if self.count() == 0 {
            return f64::NAN;
        }
        self.max.load(Relaxed) as f64
    }
}

/// What a client counts.
#[derive(Debug, Default)]
pub struct Figures {
    /// Requests that were written, by their bytes.
    pub requests: Sizes,
    /// Responses that came, by their bytes.
    pub responses: Sizes,
    /// Connections that came about.
    pub connected: AtomicU64,
    /// Connections that have ended.
    pub disconnected: AtomicU64,
    /// Milliseconds from a Produce to its answer.
    pub produce_latency: Sizes,
    /// Milliseconds from a Fetch to its answer, while brokers wait for records included.
    pub fetch_latency: Sizes,
    /// Milliseconds from an OffsetCommit to its answer.
    pub commit_latency: Sizes,
    /// Milliseconds from a heartbeat to its answer, of either protocol.
    pub heartbeat_latency: Sizes,
    /// Milliseconds from a JoinGroup to its answer.
    pub join_latency: Sizes,
    /// Milliseconds from a SyncGroup to its answer.
    pub sync_latency: Sizes,
    /// Batches that were sent, by their bytes; again for each attempt.
    pub batches: Sizes,
    /// Milliseconds that batches waited before they were sent first.
    pub queue_time: Sizes,
    /// Records of Produce requests, again for each attempt.
    pub produced: Sizes,
    /// Records that were sent again.
    pub retried: AtomicU64,
    /// Records that were given up.
    pub failed: AtomicU64,
    /// Bytes of the records of a Fetch's answer, as they came.
    pub fetched: Sizes,
    /// Records that the user got at once.
    pub consumed: Sizes,
    /// Bytes of the records that the user got, decompressed.
    pub consumed_bytes: AtomicU64,
}

/// What a consumer has at the moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    /// Partitions that it reads.
    pub assigned: usize,
    /// By how many records it is behind in the partition where that is most; None before a leader has said how far
    /// its log goes.
    pub lag_max: Option<i64>,
    /// Generations, or member epochs, that it was in.
    pub rebalances: u64,
}

/// A figure as it is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// How many.
    Count(u64),
    /// A mean, or a maximum that there may be none of yet.
    Mean(f64),
}

/// Figures by their names.
pub type Shown = Vec<(&'static str, Figure)>;

impl Figures {
    /// An answer came to a request, `latency` milliseconds after it was written.
    pub fn answered(&self, api: ApiKey, latency: Millis) {
        let latencies = match api {
            ApiKey::Produce => &self.produce_latency,
            ApiKey::Fetch => &self.fetch_latency,
            ApiKey::OffsetCommit => &self.commit_latency,
            ApiKey::Heartbeat | ApiKey::ConsumerGroupHeartbeat => &self.heartbeat_latency,
            ApiKey::JoinGroup => &self.join_latency,
            ApiKey::SyncGroup => &self.sync_latency,
            _ => return,
        };
        latencies.add(latency.max(0) as u64);
    }

    /// A batch of so many bytes and records is sent, for the first time after it has `waited`, or again.
    pub fn batch_sent(&self, bytes: usize, records: i32, waited: Option<Millis>) {
        self.batches.add(bytes as u64);
        match waited {
            Some(waited) => self.queue_time.add(waited.max(0) as u64),
            None => drop(self.retried.fetch_add(records as u64, Relaxed)),
        }
    }

    /// A batch was given up.
    pub fn batch_failed(&self, records: i32) {
        self.failed.fetch_add(records as u64, Relaxed);
    }

    fn of_connections(&self) -> Shown {
        let (connected, disconnected) = (self.connected.load(Relaxed), self.disconnected.load(Relaxed));
        vec![
            ("connection-count", Figure::Count(connected.saturating_sub(disconnected))),
            ("connection-creation-total", Figure::Count(connected)),
            ("connection-close-total", Figure::Count(disconnected)),
            ("request-total", Figure::Count(self.requests.count())),
            ("request-size-avg", Figure::Mean(self.requests.mean())),
            ("request-size-max", Figure::Mean(self.requests.most())),
            ("response-total", Figure::Count(self.responses.count())),
            ("outgoing-byte-total", Figure::Count(self.requests.sum())),
            ("incoming-byte-total", Figure::Count(self.responses.sum())),
        ]
    }

    /// Those of a producer, with the bytes of `buffer.memory`, and how many of them are free.
    pub fn of_producer(&self, buffer_total: usize, buffer_available: usize) -> Shown {
        let mut shown = self.of_connections();
        shown.extend([
            ("request-latency-avg", Figure::Mean(self.produce_latency.mean())),
            ("request-latency-max", Figure::Mean(self.produce_latency.most())),
            ("record-send-total", Figure::Count(self.produced.sum())),
            ("record-retry-total", Figure::Count(self.retried.load(Relaxed))),
            ("record-error-total", Figure::Count(self.failed.load(Relaxed))),
            ("records-per-request-avg", Figure::Mean(self.produced.mean())),
            ("record-queue-time-avg", Figure::Mean(self.queue_time.mean())),
            ("record-queue-time-max", Figure::Mean(self.queue_time.most())),
            ("batch-size-avg", Figure::Mean(self.batches.mean())),
            ("batch-size-max", Figure::Mean(self.batches.most())),
            ("byte-total", Figure::Count(self.batches.sum())),
            ("buffer-total-bytes", Figure::Count(buffer_total as u64)),
            ("buffer-available-bytes", Figure::Count(buffer_available as u64)),
        ]);
        shown
    }

    /// Those of a consumer.
    pub fn of_consumer(&self, reading: Reading) -> Shown {
        let Reading { assigned, lag_max, rebalances } = reading;
        let mut shown = self.of_connections();
        let (heartbeats, joins, syncs) = (&self.heartbeat_latency, &self.join_latency, &self.sync_latency);
        shown.extend([
            ("fetch-total", Figure::Count(self.fetch_latency.count())),
            ("fetch-latency-avg", Figure::Mean(self.fetch_latency.mean())),
            ("fetch-latency-max", Figure::Mean(self.fetch_latency.most())),
            ("fetch-size-avg", Figure::Mean(self.fetched.mean())),
            ("fetch-size-max", Figure::Mean(self.fetched.most())),
            ("records-consumed-total", Figure::Count(self.consumed.sum())),
            ("bytes-consumed-total", Figure::Count(self.consumed_bytes.load(Relaxed))),
            ("records-lag-max", Figure::Mean(lag_max.map_or(f64::NAN, |lag| lag as f64))),
            ("assigned-partitions", Figure::Count(assigned as u64)),
            ("commit-total", Figure::Count(self.commit_latency.count())),
            ("commit-latency-avg", Figure::Mean(self.commit_latency.mean())),
            ("commit-latency-max", Figure::Mean(self.commit_latency.most())),
            ("heartbeat-total", Figure::Count(heartbeats.count())),
            ("heartbeat-response-time-max", Figure::Mean(heartbeats.most())),
            ("join-total", Figure::Count(joins.count())),
            ("join-time-avg", Figure::Mean(joins.mean())),
            ("join-time-max", Figure::Mean(joins.most())),
            ("sync-total", Figure::Count(syncs.count())),
            ("sync-time-avg", Figure::Mean(syncs.mean())),
            ("sync-time-max", Figure::Mean(syncs.most())),
            ("rebalance-total", Figure::Count(rebalances)),
        ]);
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_maxima_are_of_all_that_was() {
        let figures = Figures::default();
        assert!(figures.produce_latency.mean().is_nan() && figures.produce_latency.most().is_nan());
        for latency in [3, 0, -1, 7] {
            figures.answered(ApiKey::Produce, latency);
        }
        figures.answered(ApiKey::Metadata, 99);
        let shown = figures.of_producer(10, 4);
        let of = |name: &str| shown.iter().find(|(shown, _)| *shown == name).map(|&(_, figure)| figure);
        assert_eq!(of("request-latency-avg"), Some(Figure::Mean(2.5)));
        assert_eq!(of("request-latency-max"), Some(Figure::Mean(7.0)));
        assert_eq!(of("buffer-available-bytes"), Some(Figure::Count(4)));
    }
}
