//! A node in memory: an image built by replay, a broker over a simulated disk, requests encoded and decoded.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use barnabas_broker::{
    Answer, Broker, BrokerRequest, BrokerSettings, Chunk, CoordinatorEvent, CoordinatorEvents, Endpoint,
    Handled, Parked, Ticket, Wake,
};
use barnabas_disk::sim::SimDisk;
use barnabas_disk::Disk;
use barnabas_image::MetadataImage;
use barnabas_log::{LogConfig, LogManager, LogManagerSettings, MetaProperties};
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::generated::config_record::ConfigRecord;
use barnabas_protocol::generated::metadata_record::MetadataRecord;
use barnabas_protocol::generated::partition_change_record::PartitionChangeRecord;
use barnabas_protocol::generated::partition_record::PartitionRecord;
use barnabas_protocol::generated::register_broker_record::{BrokerEndpoint, RegisterBrokerRecord};
use barnabas_protocol::generated::remove_topic_record::RemoveTopicRecord;
use barnabas_protocol::generated::topic_record::TopicRecord;
use barnabas_protocol::wire::{EncodeError, Writer};
use barnabas_protocol::{Millis, Uuid};

pub(crate) const CLUSTER: &str = "kVz1fXDHTbKpEZzQMrQ0xQ";
pub(crate) const START: Millis = 1_000_000_000_000;
pub(crate) const KEY_PRODUCE: i16 = 0;
pub(crate) const KEY_FETCH: i16 = 1;

/// Counts wakes.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// What coordinators have heard.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<CoordinatorEvent>>);

impl CoordinatorEvents for Heard {
    fn tell(&self, event: CoordinatorEvent) {
        self.0.lock().unwrap().push(event);
    }
}

impl Heard {
    /// Everything since the last time.
    pub(crate) fn take(&self) -> Vec<CoordinatorEvent> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct WakesTicket(Arc<Wakes>);

impl Ticket for WakesTicket {
    fn wake(&self) -> Arc<dyn Wake> {
        self.0.clone()
    }
}

/// Id of the `n`th log directory.
pub(crate) fn directory(n: u8) -> Uuid {
    Uuid([n + 200; 16])
}

pub(crate) struct Node {
    pub(crate) disk: Arc<SimDisk>,
    pub(crate) directories: usize,
    pub(crate) broker: Broker,
    pub(crate) image: MetadataImage,
    pub(crate) settings: BrokerSettings,
    pub(crate) now: Millis,
    pub(crate) wakes: Arc<Wakes>,
    pub(crate) heard: Arc<Heard>,
    /// Sent with requests.
    pub(crate) client_id: Option<String>,
    pub(crate) cold_allowed: bool,
    /// That requests come in by.
    pub(crate) connection: u64,
    next_offset: i64,
}

impl Node {
    pub(crate) fn new() -> Node {
        Node::with(1, |_| {})
    }

    /// A node with `directories` log directories.
    pub(crate) fn with(directories: usize, change: impl FnOnce(&mut BrokerSettings)) -> Node {
        let disk = Arc::new(SimDisk::new(0));
        for n in 0..directories {
            let properties = MetaProperties {
                cluster_id: CLUSTER.to_string(),
                node_id: 1,
                directory_id: directory(n as u8),
            };
            disk.create_dir_all_synced(&path(n)).unwrap();
            properties.write(&*disk, &path(n)).unwrap();
        }
        let mut settings = BrokerSettings { cluster_id: CLUSTER.into(), ..BrokerSettings::default() };
        change(&mut settings);
        let heard = Arc::<Heard>::default();
        let mut node = Node {
            broker: start(&disk, directories, &settings, &heard),
            heard,
            disk,
            directories,
            image: MetadataImage::default(),
            settings,
            now: START,
            wakes: Arc::default(),
            client_id: Some("test".to_string()),
            cold_allowed: true,
            connection: 1,
            next_offset: 0,
        };
        node.register(1);
        node
    }

    /// Stops as it should and starts again on the same disk.
    pub(crate) fn restart(&mut self) {
        self.broker.shutdown(0, self.now);
        self.broker = start(&self.disk, self.directories, &self.settings, &self.heard);
        self.broker.apply(self.image.clone(), self.now);
    }

    /// Is killed and starts again on the same disk.
    pub(crate) fn kill(&mut self) {
        // The old broker holds the directories' locks as long as it lives.
        self.broker = Node::new().broker;
        self.broker = start(&self.disk, self.directories, &self.settings, &self.heard);
        self.broker.apply(self.image.clone(), self.now);
    }

    pub(crate) fn replay(&mut self, record: MetadataRecord<'_>) {
        self.image.replay(&record, self.next_offset, 1).unwrap();
        self.next_offset += 1;
    }

    pub(crate) fn apply(&mut self) {
        self.broker.apply(self.image.clone(), self.now);
    }

    pub(crate) fn register(&mut self, id: i32) {
        let end_points = vec![
            BrokerEndpoint {
                name: "PLAINTEXT",
                host: "localhost",
                port: 9092 + id as u16,
                security_protocol: 0,
            },
            BrokerEndpoint { name: "OUTSIDE", host: "example.com", port: 19092, security_protocol: 0 },
        ];
        self.replay(MetadataRecord::RegisterBroker(RegisterBrokerRecord {
            broker_id: id,
            broker_epoch: 7,
            end_points,
            fenced: false,
            ..RegisterBrokerRecord::default()
        }));
        self.apply();
    }

    /// Creates a topic whose partitions are all on this node.
    pub(crate) fn topic(&mut self, name: &str, partitions: usize) -> Uuid {
        self.topic_on(name, &vec![vec![1]; partitions], &[])
    }

    /// Creates a topic; the first replica of each partition leads, all are in sync.
    pub(crate) fn topic_on(&mut self, name: &str, replicas: &[Vec<i32>], configs: &[(&str, &str)]) -> Uuid {
        let mut id = Uuid([0; 16]);
        id.0[..8].copy_from_slice(&(self.next_offset + 1).to_be_bytes());
        self.replay(MetadataRecord::Topic(TopicRecord { name, topic_id: id }));
        for (name_of, value) in configs {
            self.config(name, name_of, Some(value));
        }
        for (index, replicas) in replicas.iter().enumerate() {
            self.replay_partition(id, index as i32, replicas);
        }
        self.apply();
        id
    }

    pub(crate) fn config(&mut self, topic: &str, name: &str, value: Option<&str>) {
        let record = ConfigRecord { resource_type: 2, resource_name: topic, name, value };
        self.replay(MetadataRecord::Config(record));
    }

    pub(crate) fn change(
        &mut self,
        topic_id: Uuid,
        index: i32,
        change: impl FnOnce(&mut PartitionChangeRecord),
    ) {
        let mut record = PartitionChangeRecord {
            partition_id: index,
            topic_id,
            leader: -2,
            ..PartitionChangeRecord::default()
        };
        change(&mut record);
        self.replay(MetadataRecord::PartitionChange(record));
        self.apply();
    }

    pub(crate) fn remove_topic(&mut self, topic_id: Uuid) {
        self.replay(MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id }));
        self.apply();
    }

    /// Adds a partition to a topic.
    pub(crate) fn add_partition(&mut self, topic_id: Uuid, index: i32) {
        self.replay_partition(topic_id, index, &[1]);
        self.apply();
    }

    fn replay_partition(&mut self, topic_id: Uuid, index: i32, replicas: &[i32]) {
        self.replay(MetadataRecord::Partition(PartitionRecord {
            partition_id: index,
            topic_id,
            replicas: replicas.to_vec(),
            isr: replicas.to_vec(),
            leader: replicas[0],
            leader_epoch: 0,
            partition_epoch: 0,
            directories: vec![Uuid::DIRECTORY_UNASSIGNED; replicas.len()],
            ..PartitionRecord::default()
        }));
    }

    /// Removes a topic from the image without telling the broker.
    pub(crate) fn replay_remove(&mut self, topic_id: Uuid) {
        self.replay(MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id }));
    }

    /// Creates a topic of one partition in the image without telling the broker.
    pub(crate) fn replay_topic(&mut self, name: &str) {
        let topic_id = Uuid([0xee; 16]);
        self.replay(MetadataRecord::Topic(TopicRecord { name, topic_id }));
        self.replay_partition(topic_id, 0, &[1]);
    }

    pub(crate) fn handle(
        &self,
        api_key: i16,
        api_version: i16,
        encode: impl FnOnce(&mut Writer, i16) -> Result<(), EncodeError>,
    ) -> Handled {
        self.handle_at("PLAINTEXT", api_key, api_version, encode)
    }

    pub(crate) fn handle_at(
        &self,
        listener: &str,
        api_key: i16,
        api_version: i16,
        encode: impl FnOnce(&mut Writer, i16) -> Result<(), EncodeError>,
    ) -> Handled {
        let mut writer = Writer::new();
        encode(&mut writer, api_version).unwrap();
        self.broker.handle(&BrokerRequest {
            api_key,
            api_version,
            correlation_id: 77,
            client_id: self.client_id.as_deref(),
            listener: &listener.into(),
            endpoint: if listener == CONTROLLER { Endpoint::Controller } else { Endpoint::Broker },
            connection: self.connection,
            body: &writer.bytes,
            now: self.now,
            cold_allowed: self.cold_allowed,
            ticket: &WakesTicket(self.wakes.clone()),
        })
    }

    pub(crate) fn resume(&self, parked: Parked) -> Handled {
        self.broker.resume(parked, self.now)
    }
}

/// Name of the controller's listener.
pub(crate) const CONTROLLER: &str = "CONTROLLER";

pub(crate) fn path(n: usize) -> PathBuf {
    PathBuf::from(format!("/data{n}"))
}

fn start(disk: &Arc<SimDisk>, directories: usize, settings: &BrokerSettings, heard: &Arc<Heard>) -> Broker {
    let paths: Vec<PathBuf> = (0..directories).map(path).collect();
    let disk: Arc<dyn Disk> = disk.clone();
    let logs = LogManager::open(disk, &paths, LogManagerSettings::new(CLUSTER, 1), BTreeMap::new()).unwrap();
    logs.load(&|_| Arc::new(LogConfig::default()), START, &|_| {}).unwrap();
    Broker::new(settings.clone(), Arc::new(logs), LogConfig::default(), heard.clone(), START)
}

/// The body of a reply, files read in; `header` is the size of the response header, correlation id included.
pub(crate) fn body(handled: Handled, header: usize) -> Vec<u8> {
    let Handled::Reply(Answer { chunks, .. }) = handled else { panic!("no reply: {}", name(&handled)) };
    let mut bytes = Vec::new();
    for chunk in chunks {
        match chunk {
            Chunk::Bytes(part) => bytes.extend(part),
            Chunk::File(slice) => bytes.extend(slice.read().unwrap()),
        }
    }
    assert_eq!(&bytes[..4], 77_i32.to_be_bytes());
    bytes.split_off(header)
}

pub(crate) fn name(handled: &Handled) -> &'static str {
    match handled {
        Handled::Reply(_) => "reply",
        Handled::NoReply => "no reply",
        Handled::Park { .. } => "park",
        Handled::Cold => "cold",
        Handled::Close(_) | Handled::Fail { .. } => "close",
    }
}

pub(crate) fn parked(handled: Handled) -> (Millis, Parked) {
    match handled {
        Handled::Park { deadline, state } => (deadline, state),
        other => panic!("not parked: {}", name(&other)),
    }
}

/// A batch as a producer sends it; one record for each value, all with timestamp `START`.
pub(crate) fn batch(values: &[&str]) -> Vec<u8> {
    batch_with(values, BuilderConfig::default())
}

/// A batch of an idempotent producer.
pub(crate) fn idempotent(
    values: &[&str],
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
) -> Vec<u8> {
    batch_with(
        values,
        BuilderConfig { producer_id, producer_epoch, base_sequence, ..BuilderConfig::default() },
    )
}

pub(crate) fn batch_with(values: &[&str], config: BuilderConfig) -> Vec<u8> {
    let records = values.iter().map(|value| (START, None, *value));
    records_with(records, config)
}

/// A batch of (timestamp, key, value).
pub(crate) fn records_with<'a>(
    records: impl Iterator<Item = (Millis, Option<&'a str>, &'a str)>,
    config: BuilderConfig,
) -> Vec<u8> {
    let mut builder = BatchBuilder::new(config);
    for (timestamp, key, value) in records {
        builder.append(timestamp, key.map(str::as_bytes), Some(value.as_bytes()), &[]).unwrap();
    }
    builder.finish().unwrap()
}
