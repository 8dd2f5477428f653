//! What is counted of each partition, and the sums by topic.
//!
//! Always true:
//!   what is counted under the log's write lock has one writer at a time; all else lies beside locks that its writers
//!   take anyway
//!   the sums over all topics never go down: what deleted partitions have counted is kept in [`Gone`]

use std::sync::Arc;

use barnabas_metrics::{Counter, SharedCounter};
use parking_lot::Mutex;

use crate::broker::{Broker, Hosted};
use crate::partition::Partition;

/// Counters of one partition.
#[derive(Debug, Default)]
pub(crate) struct PartitionMetrics {
    /// Under the log's write lock.
    pub(crate) messages_in: Counter,
    /// Under the log's write lock.
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: SharedCounter,
    pub(crate) bytes_rejected: SharedCounter,
    pub(crate) produce_requests: SharedCounter,
    pub(crate) failed_produces: SharedCounter,
    pub(crate) fetch_requests: SharedCounter,
    pub(crate) failed_fetches: SharedCounter,
}

/// The same of several partitions, as it was at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrafficCounts {
    /// Records appended.
    pub messages_in: u64,
    /// Bytes appended.
    pub bytes_in: u64,
    /// Bytes read for consumers.
    pub bytes_out: u64,
    /// Bytes that were refused for their size.
    pub bytes_rejected: u64,
    /// Partitions named in Produce requests.
    pub produce_requests: u64,
    /// Those of them that were answered with an error.
    pub failed_produces: u64,
    /// Partitions answered in Fetch requests.
    pub fetch_requests: u64,
    /// Those of them that were answered with an error.
    pub failed_fetches: u64,
}

impl TrafficCounts {
    /// Adds those of another.
    pub fn add(&mut self, other: &TrafficCounts) {
        self.messages_in += other.messages_in;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.bytes_rejected += other.bytes_rejected;
        self.produce_requests += other.produce_requests;
        self.failed_produces += other.failed_produces;
        self.fetch_requests += other.fetch_requests;
        self.failed_fetches += other.failed_fetches;
    }

    /// Each with the name of Kafka's meter.
    pub(crate) fn named(&self) -> [(&'static str, u64); 8] {
        [
            ("MessagesInPerSec", self.messages_in),
            ("BytesInPerSec", self.bytes_in),
            ("BytesOutPerSec", self.bytes_out),
            ("BytesRejectedPerSec", self.bytes_rejected),
            ("TotalProduceRequestsPerSec", self.produce_requests),
            ("FailedProduceRequestsPerSec", self.failed_produces),
            ("TotalFetchRequestsPerSec", self.fetch_requests),
            ("FailedFetchRequestsPerSec", self.failed_fetches),
        ]
    }
}

impl PartitionMetrics {
    /// A client's batch was answered.
    pub(crate) fn produced(&self, error_code: i16, bytes: usize) {
        self.produce_requests.add(1);
        if error_code != crate::error_code::NONE {
            self.failed_produces.add(1);
        }
        if matches!(
            error_code,
            crate::error_code::MESSAGE_TOO_LARGE | crate::error_code::RECORD_LIST_TOO_LARGE
        ) {
            self.bytes_rejected.add(bytes as u64);
        }
    }

    /// A client was told what there is to read, or an error.
    pub(crate) fn fetched(&self, bytes: Result<usize, i16>) {
        self.fetch_requests.add(1);
        match bytes {
            Ok(0) => {}
            Ok(bytes) => self.bytes_out.add(bytes as u64),
            Err(_) => self.failed_fetches.add(1),
        }
    }

    fn counts(&self) -> TrafficCounts {
        TrafficCounts {
            messages_in: self.messages_in.get(),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            bytes_rejected: self.bytes_rejected.get(),
            produce_requests: self.produce_requests.get(),
            failed_produces: self.failed_produces.get(),
            fetch_requests: self.fetch_requests.get(),
            failed_fetches: self.failed_fetches.get(),
        }
    }
}

/// What partitions have counted that are no more.
#[derive(Debug, Default)]
pub(crate) struct Gone(Mutex<TrafficCounts>);

impl Gone {
    pub(crate) fn keep(&self, partition: &Partition) {
        self.0.lock().add(&partition.metrics.counts());
    }
}

impl Broker {
    /// Traffic since the start: of everything, and of each topic on this node by name.
    pub fn traffic(&self) -> (TrafficCounts, Vec<(Arc<str>, TrafficCounts)>) {
        let mut all = *self.gone.0.lock();
        let mut topics = Vec::new();
        for slots in self.hosted.load().values() {
            let mut sum = None;
            for slot in slots.iter().flatten() {
                let Hosted::Online(partition) = slot else { continue };
                let (_, counts) =
                    sum.get_or_insert_with(|| (partition.topic.clone(), TrafficCounts::default()));
                counts.add(&partition.metrics.counts());
            }
            if let Some((topic, counts)) = sum {
                all.add(&counts);
                topics.push((topic, counts));
            }
        }
        topics.sort_by(|(a, _), (b, _)| a.cmp(b));
        (all, topics)
    }
}
