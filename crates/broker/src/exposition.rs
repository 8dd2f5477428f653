//! The broker's part of `/metrics`: traffic, replicas, logs, and the cluster as its metadata tells it.

use barnabas_image::MetadataImage;
use barnabas_metrics::{Exposition, Kind, Moment, Rates, Windows, MICROS_IN_MILLIS};

use crate::broker::{Broker, Hosted};
use crate::metrics::TrafficCounts;
use crate::partition::{Partition, Role};

/// Topics that have series of their own, the first by name.
pub const TOPICS_MAX: usize = 10_000;
/// Partitions that have series of their own, the first by topic and number.
pub const PARTITIONS_MAX: usize = 10_000;

const TRAFFIC: &str = "kafka_server_BrokerTopicMetrics";
const REPLICAS: &str = "kafka_server_ReplicaManager";
const CONTROLLER: &str = "kafka_controller_KafkaController";
const LOGS: &str = "kafka_log_Log";
const LOG_FLUSHES: &str = "kafka_log_LogFlushStats";
const LOG_MANAGER: &str = "kafka_log_LogManager";
const FETCH_SESSIONS: &str = "kafka_server_FetchSessionCache";

/// Replicas of this node by what becomes of them.
#[derive(Debug, Default)]
struct Replicas {
    all: usize,
    leaders: usize,
    offline: usize,
    under_replicated: usize,
    under_min_isr: usize,
    at_min_isr: usize,
    reassigning: usize,
    producer_ids: usize,
}

impl Broker {
    /// Adds everything that the broker knows.
    pub fn expose(&self, to: &mut Exposition, rates: &mut Rates, windows: &mut Windows, now: Moment) {
        self.expose_traffic(to, rates, now);
        self.expose_flushes(to, rates, windows, now);
        self.expose_replicas(to);
        self.expose_directories(to);
        expose_cluster(&self.image(), to);
        let (sessions, partitions) = self.fetch_sessions();
        to.value(FETCH_SESSIONS, &[("name", "NumIncrementalFetchSessions")], sessions as f64);
        to.value(FETCH_SESSIONS, &[("name", "NumIncrementalFetchPartitionsCached")], partitions as f64);
    }

    fn expose_traffic(&self, to: &mut Exposition, rates: &mut Rates, now: Moment) {
        let (all, topics) = self.traffic();
        let mut meter = |topic: Option<&str>, counts: &TrafficCounts| {
            for (name, count) in counts.named() {
                // As in Kafka, a topic has a meter once there is something to count.
                let Some(topic) = topic else {
                    let speed = rates.look(name, count, now);
                    to.meter(TRAFFIC, &[("name", name)], count, speed);
                    continue;
                };
                if count > 0 {
                    let speed = rates.look(&format!("{name} {topic}"), count, now);
                    to.meter(TRAFFIC, &[("name", name), ("topic", topic)], count, speed);
                }
            }
        };
        meter(None, &all);
        for (topic, counts) in topics.iter().take(TOPICS_MAX) {
            meter(Some(topic), counts);
        }
        left_out(to, "topics", topics.len().saturating_sub(TOPICS_MAX));
    }

    fn expose_flushes(&self, to: &mut Exposition, rates: &mut Rates, windows: &mut Windows, now: Moment) {
        let (name, all) = ("LogFlushRateAndTimeMs", self.logs.flush_times());
        let speed = rates.look(name, all.count(), now);
        to.meter(LOG_FLUSHES, &[("name", name)], all.count(), speed);
        to.sizes(LOG_FLUSHES, &[("name", name)], &windows.look(name, &all, now), MICROS_IN_MILLIS);
    }

    fn expose_replicas(&self, to: &mut Exposition) {
        let (image, mut sums) = (self.image(), Replicas::default());
        let hosted = self.hosted.load();
        let mut partitions = Vec::new();
        for slot in hosted.values().flat_map(|slots| slots.iter().flatten()) {
            sums.all += 1;
            match slot {
                Hosted::Online(partition) => {
                    sums.note(partition, &image);
                    partitions.push(partition);
                }
                Hosted::Failed(_) => sums.offline += 1,
            }
        }
        for (name, count) in [
            ("PartitionCount", sums.all),
            ("LeaderCount", sums.leaders),
            ("OfflineReplicaCount", sums.offline),
            ("UnderReplicatedPartitions", sums.under_replicated),
            ("UnderMinIsrPartitionCount", sums.under_min_isr),
            ("AtMinIsrPartitionCount", sums.at_min_isr),
            ("ReassigningPartitions", sums.reassigning),
            ("ProducerIdCount", sums.producer_ids),
        ] {
            to.value(REPLICAS, &[("name", name)], count as f64);
        }
        partitions.sort_by(|a, b| (&a.topic, a.index).cmp(&(&b.topic, b.index)));
        for partition in partitions.iter().take(PARTITIONS_MAX) {
            expose_log(partition, to);
        }
        left_out(to, "partitions", partitions.len().saturating_sub(PARTITIONS_MAX));
    }

    fn expose_directories(&self, to: &mut Exposition) {
        let (help, open) = ("Files of logs that are kept open.", self.logs.open_files() as f64);
        to.sample("barnabas_log_open_files", Kind::Gauge, help, &[], open);
        let directories = self.logs.directories();
        let offline = directories.iter().filter(|one| one.offline.is_some()).count();
        to.value(LOG_MANAGER, &[("name", "OfflineLogDirectoryCount")], offline as f64);
        for directory in &directories {
            let path = directory.path.display().to_string();
            let labels = [("name", "LogDirectoryOffline"), ("logDirectory", path.as_str())];
            to.value(LOG_MANAGER, &labels, f64::from(u8::from(directory.offline.is_some())));
            if let Some(space) = directory.space {
                let help = "Bytes of a log directory's volume that may still be used.";
                let labels = [("logDirectory", path.as_str())];
                to.sample(
                    "barnabas_log_directory_usable_bytes",
                    Kind::Gauge,
                    help,
                    &labels,
                    space.usable as f64,
                );
            }
        }
    }
}

impl Replicas {
    fn note(&mut self, partition: &Partition, image: &MetadataImage) {
        self.producer_ids += partition.log.load().read().producers().len();
        match &*partition.role.read() {
            Role::Leader(leader) => {
                let min_isr = partition.config.load().log.min_insync_replicas;
                self.leaders += 1;
                self.under_min_isr += usize::from(leader.is_under_min_isr(min_isr));
                self.at_min_isr += usize::from(leader.isr().len() == leader.effective_min_isr(min_isr));
                self.under_replicated += usize::from(leader.isr().len() <= leader.followers().len());
                let image = image.topics.partition(partition.topic_id, partition.index);
                self.reassigning += usize::from(image.is_some_and(|image| image.is_reassigning()));
            }
            Role::Follower { .. } => {}
            Role::Offline { .. } => self.offline += 1,
        }
    }
}

fn expose_log(partition: &Partition, to: &mut Exposition) {
    let (size, segments, start, end) = {
        let log = partition.log.load();
        let log = log.read();
        (log.size(), log.segments().0, log.log_start_offset(), log.log_end_offset())
    };
    let number = partition.index.to_string();
    for (name, value) in [
        ("Size", size as f64),
        ("NumLogSegments", segments as f64),
        ("LogStartOffset", start as f64),
        ("LogEndOffset", end as f64),
    ] {
        to.value(LOGS, &[("name", name), ("topic", &partition.topic), ("partition", &number)], value);
    }
}

fn expose_cluster(image: &MetadataImage, to: &mut Exposition) {
    let brokers = || image.brokers.iter();
    let partitions = || image.topics.iter().flat_map(|topic| topic.partitions());
    let led_by_another = |leader, replicas: &[i32]| leader >= 0 && replicas.first() != Some(&leader);
    for (name, count) in [
        ("ActiveControllerCount", 1),
        ("ActiveBrokerCount", brokers().filter(|broker| !broker.fenced).count()),
        ("FencedBrokerCount", brokers().filter(|broker| broker.fenced).count()),
        ("ControlledShutdownBrokerCount", brokers().filter(|one| one.in_controlled_shutdown).count()),
        ("GlobalTopicCount", image.topics.len()),
        ("GlobalPartitionCount", image.topics.partition_count()),
        ("OfflinePartitionsCount", partitions().filter(|(_, one)| one.leader < 0).count()),
        (
            "PreferredReplicaImbalanceCount",
            partitions().filter(|(_, one)| led_by_another(one.leader, one.replicas())).count(),
        ),
    ] {
        to.value(CONTROLLER, &[("name", name)], count as f64);
    }
    for name in ["LastAppliedRecordOffset", "LastCommittedRecordOffset"] {
        to.value(CONTROLLER, &[("name", name)], image.offset() as f64);
    }
}

fn left_out(to: &mut Exposition, what: &'static str, count: usize) {
    let help = "Topics and partitions that have no series of their own because there are too many.";
    to.sample("barnabas_metrics_left_out", Kind::Gauge, help, &[("what", what)], count as f64);
}
