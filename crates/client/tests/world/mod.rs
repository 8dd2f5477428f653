//! Two brokers, a coordinator and a network that loses connections, requests and answers, moves leaders and refuses
//! batches: where the tests of producers take place. A run is its seed.

#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "a test fails by panicking, and needs not all of this"
)]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::IoSlice;

use barnabas_client::accumulator::{Accumulator, AccumulatorConfig};
use barnabas_client::cluster::{Cluster, ClusterConfig};
use barnabas_client::coordinator::is_coordinator_link;
use barnabas_client::link::{Links, Order};
use barnabas_client::partitioner::Strategy;
use barnabas_client::sender::{Sender, SenderConfig};
use barnabas_client::transactor::TransactorConfig;
use barnabas_protocol::api::ApiKey;
use barnabas_protocol::batch::Batch;
use barnabas_protocol::compression::Compression;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::add_partitions_to_txn_request::AddPartitionsToTxnRequest;
use barnabas_protocol::generated::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnTopicResult,
};
use barnabas_protocol::generated::api_versions_response::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey,
};
use barnabas_protocol::generated::end_txn_request::EndTxnRequest;
use barnabas_protocol::generated::end_txn_response::EndTxnResponse;
use barnabas_protocol::generated::find_coordinator_response::{
    Coordinator as Found, FindCoordinatorResponse,
};
use barnabas_protocol::generated::init_producer_id_request::InitProducerIdRequest;
use barnabas_protocol::generated::init_producer_id_response::InitProducerIdResponse;
use barnabas_protocol::generated::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use barnabas_protocol::generated::produce_request::ProduceRequest;
use barnabas_protocol::generated::produce_response::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use barnabas_protocol::header::{encode_response_header, RequestHeader};
use barnabas_protocol::wire::{Reader, Writer};
use barnabas_protocol::{Millis, NodeId};

mod coordinator;

pub use coordinator::Coordinator;
use coordinator::Marker;

use crate::support::{link_config, Random};

/// The id of the producer.
const PRODUCER: i64 = 77;
pub const PARTITIONS: usize = 3;
pub const NODES: [NodeId; 2] = [1, 2];
/// What the brokers take; the producer's batches may have 400.
pub const BATCH_BYTES_MAX: usize = 300;

/// A partition's log, and what its leader remembers of the producer.
#[derive(Default)]
pub struct Log {
    pub values: Vec<u32>,
    pub epoch: i16,
    pub batches: VecDeque<(i32, i32, i64)>,
    /// Records of committed transactions, and those of the open one.
    pub committed: Vec<u32>,
    pub open: Vec<u32>,
}

impl Log {
    pub fn append(&mut self, bytes: &[u8]) -> (ErrorCode, i64) {
        let batch = Batch::parse(bytes).unwrap();
        assert!(batch.crc_is_valid());
        let header = batch.header;
        if bytes.len() > BATCH_BYTES_MAX && header.records_count > 1 {
            return (ErrorCode::MESSAGE_TOO_LARGE, -1);
        }
        let (base, last) = (header.base_sequence, header.last_sequence());
        if header.producer_epoch < self.epoch {
            return (ErrorCode::INVALID_PRODUCER_EPOCH, -1);
        }
        if header.producer_epoch == self.epoch {
            if let Some(known) = self.batches.iter().find(|known| (known.0, known.1) == (base, last)) {
                return (ErrorCode::NONE, known.2);
            }
            let expected = self.batches.back().map_or(0, |known| known.1 + 1);
            if base != expected {
                return (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
            }
        } else if base != 0 {
            return (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
        } else {
            (self.epoch, self.batches) = (header.producer_epoch, VecDeque::new());
        }
        let offset = self.values.len() as i64;
        for record in batch.records(1 << 20).unwrap().iter() {
            let value = u32::from_be_bytes(record.unwrap().value.unwrap()[..4].try_into().unwrap());
            self.values.push(value);
            self.open.extend(header.is_transactional().then_some(value));
        }
        self.batches.push_back((base, last, offset));
        if self.batches.len() > 5 {
            self.batches.pop_front();
        }
        (ErrorCode::NONE, offset)
    }

    /// Ends what is open; batches of an epoch before `next` come too late from now on.
    fn end(&mut self, (epoch, commit, next): Marker) {
        let ended = std::mem::take(&mut self.open);
        self.committed.extend(ended.into_iter().filter(|_| commit));
        if next > epoch {
            (self.epoch, self.batches) = (next, VecDeque::new());
        }
    }
}

/// Answers of one connection: when to deliver, and what; None closes the connection.
pub type Answers = VecDeque<(Millis, Option<Vec<u8>>)>;

/// Both brokers, and what is on the way between them and the client.
pub struct World {
    pub random: Random,
    pub faults: bool,
    pub logs: Vec<Log>,
    pub leaders: [NodeId; PARTITIONS],
    pub inputs: HashMap<NodeId, Vec<u8>>,
    pub outputs: BTreeMap<NodeId, Answers>,
    /// Of a transactional producer.
    pub coordinator: Option<Coordinator>,
}

pub fn broker_of(node: NodeId) -> NodeId {
    match node {
        ..0 => 1,
        node if is_coordinator_link(node) => 1,
        node => node,
    }
}

impl World {
    pub fn fault(&mut self, n: u64) -> bool {
        self.faults && self.random.one_in(n)
    }

    pub fn request(&mut self, connection: NodeId, frame: &[u8], now: Millis) {
        let (header, at) = RequestHeader::decode(frame).unwrap();
        let mut reader = Reader::new(&frame[at..]);
        let mut writer = Writer::append_to(vec![0; 4]);
        encode_response_header(&mut writer, header.api_key, header.api_version, header.correlation_id);
        let version = header.api_version;
        let lose_request = self.fault(40);
        let lose_answer = self.fault(40);
        if lose_request {
            self.outputs.entry(connection).or_default().push_back((now, None));
            return;
        }
        match header.api_key {
            ApiKey::ApiVersions => self.versions().encode(&mut writer, version).unwrap(),
            ApiKey::Metadata => self.metadata().encode(&mut writer, version).unwrap(),
            ApiKey::InitProducerId => {
                let request = InitProducerIdRequest::decode(&mut reader, version).unwrap();
                assert_eq!(request.transactional_id.is_some(), self.coordinator.is_some());
                self.init(request.producer_epoch).encode(&mut writer, version).unwrap();
            }
            ApiKey::Produce => {
                let request = ProduceRequest::decode(&mut reader, version).unwrap();
                self.produce(broker_of(connection), &request).encode(&mut writer, version).unwrap();
            }
            ApiKey::FindCoordinator => {
                let found = Found { node_id: 1, host: "h", port: 9, ..Default::default() };
                let coordinators = vec![found];
                let response = FindCoordinatorResponse { coordinators, ..Default::default() };
                response.encode(&mut writer, version).unwrap();
            }
            ApiKey::AddPartitionsToTxn => {
                let request = AddPartitionsToTxnRequest::decode(&mut reader, version).unwrap();
                self.add_partitions(&request).encode(&mut writer, version).unwrap();
            }
            ApiKey::EndTxn => {
                let request = EndTxnRequest::decode(&mut reader, version).unwrap();
                self.end(request.producer_epoch, request.committed).encode(&mut writer, version).unwrap();
            }
            other => panic!("{other:?} is not asked for by a producer"),
        }
        let mut bytes = writer.into_bytes();
        let length = bytes.len() as i32 - 4;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        let delay = self.random.below(20) as Millis;
        let answer = (!lose_answer).then_some(bytes);
        self.outputs.entry(connection).or_default().push_back((now + delay, answer));
    }

    /// A coordinator is now and then busy with the transaction before.
    fn busy(&mut self) -> Option<ErrorCode> {
        self.fault(10).then_some(ErrorCode::CONCURRENT_TRANSACTIONS)
    }

    fn mark(&mut self, marker: Option<Marker>) {
        if let Some(marker) = marker {
            self.logs.iter_mut().for_each(|log| log.end(marker));
        }
    }

    fn init(&mut self, epoch: i16) -> InitProducerIdResponse {
        let busy = self.busy();
        let Some(coordinator) = &mut self.coordinator else {
            return InitProducerIdResponse { producer_id: PRODUCER, producer_epoch: 0, ..Default::default() };
        };
        let (code, marker) = busy.map_or_else(|| coordinator.init(epoch), |code| (code, None));
        let (error_code, producer_epoch) = (code.code(), coordinator.epoch);
        self.mark(marker);
        InitProducerIdResponse { error_code, producer_id: PRODUCER, producer_epoch, ..Default::default() }
    }

    fn add_partitions(
        &mut self,
        request: &AddPartitionsToTxnRequest<'_>,
    ) -> AddPartitionsToTxnResponse<'static> {
        let busy = self.busy();
        let coordinator = self.coordinator.as_mut().unwrap();
        let partitions = request.v3_and_below_topics.iter().flat_map(|topic| &topic.partitions);
        let results_by_partition = partitions.map(|&partition_index| {
            let add = || coordinator.add(request.v3_and_below_producer_epoch, partition_index as usize);
            let partition_error_code = busy.unwrap_or_else(add).code();
            AddPartitionsToTxnPartitionResult { partition_index, partition_error_code }
        });
        let results_by_partition = results_by_partition.collect();
        let topic = AddPartitionsToTxnTopicResult { name: "t", results_by_partition };
        AddPartitionsToTxnResponse { results_by_topic_v3_and_below: vec![topic], ..Default::default() }
    }

    fn end(&mut self, epoch: i16, commit: bool) -> EndTxnResponse {
        let busy = self.busy();
        let coordinator = self.coordinator.as_mut().unwrap();
        let (code, marker) = busy.map_or_else(|| coordinator.end(epoch, commit), |code| (code, None));
        let (error_code, producer_epoch) = (code.code(), coordinator.epoch);
        self.mark(marker);
        EndTxnResponse { error_code, producer_id: PRODUCER, producer_epoch, ..Default::default() }
    }

    /// Whether the coordinator lets a batch in.
    fn verify(&mut self, index: usize, bytes: &[u8]) -> ErrorCode {
        let Some(coordinator) = &mut self.coordinator else { return ErrorCode::NONE };
        let header = Batch::parse(bytes).unwrap().header;
        assert!(header.is_transactional());
        match coordinator.epoch_each {
            true => coordinator.add(header.producer_epoch, index),
            false if coordinator.partitions.contains(&index) => ErrorCode::NONE,
            false => ErrorCode::INVALID_TXN_STATE,
        }
    }

    fn versions(&self) -> ApiVersionsResponse<'static> {
        let epoch_each = self.coordinator.as_ref().is_some_and(|coordinator| coordinator.epoch_each);
        let apis = [
            (ApiKey::Produce, if epoch_each { 12 } else { 9 }),
            (ApiKey::Metadata, 9),
            (ApiKey::InitProducerId, 4),
            (ApiKey::ApiVersions, 4),
            (ApiKey::FindCoordinator, 4),
            (ApiKey::AddPartitionsToTxn, 4),
            (ApiKey::EndTxn, if epoch_each { 5 } else { 4 }),
        ];
        let range = |&(api, max_version): &(ApiKey, i16)| ApiVersion {
            api_key: api.code(),
            min_version: 0,
            max_version,
        };
        let level =
            FinalizedFeatureKey { name: "transaction.version", max_version_level: 2, min_version_level: 2 };
        ApiVersionsResponse {
            api_keys: apis.iter().map(range).collect(),
            finalized_features: epoch_each.then_some(level).into_iter().collect(),
            ..Default::default()
        }
    }

    pub fn metadata(&self) -> MetadataResponse<'static> {
        let partition = |index: usize| MetadataResponsePartition {
            partition_index: index as i32,
            leader_id: self.leaders[index],
            ..Default::default()
        };
        let topic = MetadataResponseTopic {
            name: Some("t"),
            partitions: (0..PARTITIONS).map(partition).collect(),
            ..Default::default()
        };
        let broker = |&node_id: &NodeId| MetadataResponseBroker { node_id, host: "h", port: 9, rack: None };
        MetadataResponse {
            brokers: NODES.iter().map(broker).collect(),
            topics: vec![topic],
            ..Default::default()
        }
    }

    pub fn produce(&mut self, broker: NodeId, request: &ProduceRequest<'_>) -> ProduceResponse<'static> {
        let mut responses = Vec::new();
        for data in request.topic_data.iter().flat_map(|topic| &topic.partition_data) {
            let index = data.index as usize;
            let (error, base_offset) = match () {
                () if self.leaders[index] != broker => (ErrorCode::NOT_LEADER_OR_FOLLOWER, -1),
                () if self.coordinator.is_some() && self.fault(40) => (ErrorCode::INVALID_RECORD, -1),
                () if self.fault(15) => (ErrorCode::NOT_ENOUGH_REPLICAS, -1),
                () => {
                    let bytes = data.records.bytes().unwrap();
                    match self.verify(index, bytes) {
                        ErrorCode::NONE => self.logs[index].append(bytes),
                        error => (error, -1),
                    }
                }
            };
            let (error_code, index) = (error.code(), data.index);
            responses.push(PartitionProduceResponse { index, error_code, base_offset, ..Default::default() });
        }
        let topic = TopicProduceResponse { name: "t", partition_responses: responses, ..Default::default() };
        ProduceResponse { responses: vec![topic], ..Default::default() }
    }
}

pub fn accumulator(transactional: bool) -> Accumulator {
    Accumulator::new(AccumulatorConfig {
        batch_size: 400,
        linger_ms: 5,
        buffer_memory: 64 * 1024,
        max_request_size: 4096,
        compression: Compression::None,
        level: None,
        strategy: Strategy::Default,
        ignore_keys: false,
        seed: 3,
        transactional,
    })
}

pub fn sender(transactional: bool) -> Sender {
    let bootstrap = vec![("h".to_string(), 9)];
    let cluster = ClusterConfig { bootstrap, max_age_ms: 10_000, retry_backoff_ms: 10, auto_create: true };
    let config = SenderConfig {
        acks: -1,
        idempotent: true,
        retries: u32::MAX,
        in_flight_max: 5,
        max_request_size: 4096,
        delivery_timeout_ms: 10_000_000,
        retry_backoff_ms: 5,
        retry_backoff_max_ms: 50,
        transactions: transactional.then(|| TransactorConfig {
            transactional_id: "x".to_string(),
            timeout_ms: 60_000,
            retry_backoff_ms: 5,
        }),
    };
    Sender::new(config, Cluster::new(cluster), Links::new(link_config()), 0)
}

/// The machine, the world, and the time.
pub struct Run {
    pub accumulator: Accumulator,
    pub sender: Sender,
    pub world: World,
    pub now: Millis,
}

impl Run {
    pub fn new(seed: u64, faults: bool, coordinator: Option<Coordinator>) -> Run {
        let transactional = coordinator.is_some();
        let world = World {
            random: Random(seed | 1),
            faults,
            logs: (0..PARTITIONS).map(|_| Log::default()).collect(),
            leaders: [1, 2, 1],
            inputs: HashMap::new(),
            outputs: BTreeMap::new(),
            coordinator,
        };
        Run { accumulator: accumulator(transactional), sender: sender(transactional), world, now: 0 }
    }

    pub fn tick(&mut self) {
        self.now += 1;
        self.turn();
        self.carry();
        self.deliver();
        if self.world.fault(60) {
            let index = self.world.random.below(PARTITIONS as u64) as usize;
            self.world.leaders[index] = NODES[self.world.random.below(2) as usize];
        }
    }

    pub fn turn(&mut self) {
        let now = self.now;
        self.sender.settle(now);
        self.sender.collect(&mut self.accumulator, now);
        self.sender.transmit(now);
        for order in self.sender.links().take_orders() {
            match order {
                Order::Connect(node, ..) if self.world.fault(10) => {
                    self.sender.links().disconnected(node, now)
                }
                Order::Connect(node, ..) => {
                    self.forget(node);
                    self.sender.links().connected(node, now);
                }
                Order::Close(node) => self.forget(node),
            }
        }
    }

    pub fn forget(&mut self, node: NodeId) {
        self.world.inputs.remove(&node);
        self.world.outputs.remove(&node);
    }

    /// Requests, as they leave.
    pub fn carry(&mut self) {
        for node in self.sender.links().writable() {
            let input = self.world.inputs.entry(node).or_default();
            loop {
                let mut slices = [IoSlice::new(&[]); 4];
                let count = self.sender.links().front(node, &mut slices);
                let sent: usize = slices[..count].iter().map(|slice| slice.len()).sum();
                slices[..count].iter().for_each(|slice| input.extend_from_slice(slice));
                if count == 0 {
                    break;
                }
                self.sender.links().advance(node, sent);
            }
        }
        let nodes: Vec<NodeId> = self.world.inputs.keys().copied().collect();
        for node in nodes {
            while let Some(frame) = self.world.inputs.get_mut(&node).and_then(take_frame) {
                self.world.request(node, &frame, self.now);
            }
        }
    }

    /// Answers that have arrived, in pieces.
    pub fn deliver(&mut self) {
        let nodes: Vec<NodeId> = self.world.outputs.keys().copied().collect();
        for node in nodes {
            while let Some(queue) = self.world.outputs.get_mut(&node) {
                if queue.front().is_none_or(|(at, _)| *at > self.now) {
                    break;
                }
                match queue.pop_front().unwrap().1 {
                    Some(bytes) => {
                        let middle = self.world.random.below(bytes.len() as u64) as usize;
                        self.sender.received(node, &bytes[..middle], self.now);
                        self.sender.received(node, &bytes[middle..], self.now);
                    }
                    None => {
                        self.forget(node);
                        self.sender.links().disconnected(node, self.now);
                    }
                }
            }
        }
    }
}

pub fn take_frame(input: &mut Vec<u8>) -> Option<Vec<u8>> {
    let (prefix, rest) = input.split_first_chunk::<4>()?;
    let size = i32::from_be_bytes(*prefix) as usize;
    let frame = rest.get(..size)?.to_vec();
    input.drain(..4 + size);
    Some(frame)
}
