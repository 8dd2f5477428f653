//! A producer against brokers that lose connections, requests and answers, move leaders and refuse batches: with
//! idempotence every record is in the log once, in order, and its owner hears so once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::IoSlice;

use barnabas_client::accumulator::{Accumulator, AccumulatorConfig, NewRecord, Refused};
use barnabas_client::cluster::{Cluster, ClusterConfig};
use barnabas_client::link::{LinkConfig, Links, Order};
use barnabas_client::partitioner::Strategy;
use barnabas_client::sender::{Sender, SenderConfig};
use barnabas_protocol::api::ApiKey;
use barnabas_protocol::batch::Batch;
use barnabas_protocol::compression::Compression;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::api_versions_response::{ApiVersion, ApiVersionsResponse};
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
use proptest::prelude::*;

const PARTITIONS: usize = 3;
const NODES: [NodeId; 2] = [1, 2];
/// What the brokers take; the producer's batches may have 400.
const BATCH_BYTES_MAX: usize = 300;

/// Xorshift: a run is its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % bound
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A partition's log, and what its leader remembers of the producer.
#[derive(Default)]
struct Log {
    values: Vec<u32>,
    epoch: i16,
    batches: VecDeque<(i32, i32, i64)>,
}

impl Log {
    fn append(&mut self, bytes: &[u8]) -> (ErrorCode, i64) {
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
            self.values.push(u32::from_be_bytes(record.unwrap().value.unwrap()[..4].try_into().unwrap()));
        }
        self.batches.push_back((base, last, offset));
        if self.batches.len() > 5 {
            self.batches.pop_front();
        }
        (ErrorCode::NONE, offset)
    }
}

/// Answers of one connection: when to deliver, and what; None closes the connection.
type Answers = VecDeque<(Millis, Option<Vec<u8>>)>;

/// Both brokers, and what is on the way between them and the client.
struct World {
    random: Random,
    faults: bool,
    logs: Vec<Log>,
    leaders: [NodeId; PARTITIONS],
    inputs: HashMap<NodeId, Vec<u8>>,
    outputs: BTreeMap<NodeId, Answers>,
}

fn broker_of(node: NodeId) -> NodeId {
    if node < 0 {
        1
    } else {
        node
    }
}

impl World {
    fn fault(&mut self, n: u64) -> bool {
        self.faults && self.random.one_in(n)
    }

    fn request(&mut self, connection: NodeId, frame: &[u8], now: Millis) {
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
            ApiKey::ApiVersions => versions().encode(&mut writer, version).unwrap(),
            ApiKey::Metadata => self.metadata().encode(&mut writer, version).unwrap(),
            ApiKey::InitProducerId => {
                let request = InitProducerIdRequest::decode(&mut reader, version).unwrap();
                assert_eq!(request.transactional_id, None);
                let response =
                    InitProducerIdResponse { producer_id: 77, producer_epoch: 0, ..Default::default() };
                response.encode(&mut writer, version).unwrap();
            }
            ApiKey::Produce => {
                let request = ProduceRequest::decode(&mut reader, version).unwrap();
                self.produce(broker_of(connection), &request).encode(&mut writer, version).unwrap();
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

    fn metadata(&self) -> MetadataResponse<'static> {
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

    fn produce(&mut self, broker: NodeId, request: &ProduceRequest<'_>) -> ProduceResponse<'static> {
        let mut responses = Vec::new();
        for data in request.topic_data.iter().flat_map(|topic| &topic.partition_data) {
            let index = data.index as usize;
            let (error, base_offset) = match () {
                () if self.leaders[index] != broker => (ErrorCode::NOT_LEADER_OR_FOLLOWER, -1),
                () if self.fault(15) => (ErrorCode::NOT_ENOUGH_REPLICAS, -1),
                () => self.logs[index].append(data.records.bytes().unwrap()),
            };
            let (error_code, index) = (error.code(), data.index);
            responses.push(PartitionProduceResponse { index, error_code, base_offset, ..Default::default() });
        }
        let topic = TopicProduceResponse { name: "t", partition_responses: responses, ..Default::default() };
        ProduceResponse { responses: vec![topic], ..Default::default() }
    }
}

fn versions() -> ApiVersionsResponse<'static> {
    let apis = [ApiKey::Produce, ApiKey::Metadata, ApiKey::InitProducerId, ApiKey::ApiVersions];
    let range = |api: &ApiKey| ApiVersion { api_key: api.code(), min_version: 0, max_version: 9 };
    ApiVersionsResponse { api_keys: apis.iter().map(range).collect(), ..Default::default() }
}

fn accumulator() -> Accumulator {
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
    })
}

fn sender() -> Sender {
    let link = LinkConfig {
        client_id: "c".to_string(),
        request_timeout_ms: 1_000,
        reconnect_backoff_ms: 5,
        reconnect_backoff_max_ms: 50,
        setup_timeout_ms: 500,
    };
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
    };
    Sender::new(config, Cluster::new(cluster), Links::new(link), 0)
}

/// The machine, the world, and the time.
struct Run {
    accumulator: Accumulator,
    sender: Sender,
    world: World,
    now: Millis,
}

impl Run {
    fn new(seed: u64, faults: bool) -> Run {
        let world = World {
            random: Random(seed | 1),
            faults,
            logs: (0..PARTITIONS).map(|_| Log::default()).collect(),
            leaders: [1, 2, 1],
            inputs: HashMap::new(),
            outputs: BTreeMap::new(),
        };
        Run { accumulator: accumulator(), sender: sender(), world, now: 0 }
    }

    fn tick(&mut self) {
        self.now += 1;
        self.turn();
        self.carry();
        self.deliver();
        if self.world.fault(60) {
            let index = self.world.random.below(PARTITIONS as u64) as usize;
            self.world.leaders[index] = NODES[self.world.random.below(2) as usize];
        }
    }

    fn turn(&mut self) {
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

    fn forget(&mut self, node: NodeId) {
        self.world.inputs.remove(&node);
        self.world.outputs.remove(&node);
    }

    /// Requests, as they leave.
    fn carry(&mut self) {
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
    fn deliver(&mut self) {
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

fn take_frame(input: &mut Vec<u8>) -> Option<Vec<u8>> {
    let (prefix, rest) = input.split_first_chunk::<4>()?;
    let size = i32::from_be_bytes(*prefix) as usize;
    let frame = rest.get(..size)?.to_vec();
    input.drain(..4 + size);
    Some(frame)
}

/// Hands in `count` records while things go wrong, then lets them go right until all is done.
fn every_record_once(seed: u64, faults: bool, count: u32) {
    let mut run = Run::new(seed, faults);
    let topic = run.accumulator.topic("t");
    let mut sent: Vec<Vec<u32>> = vec![Vec::new(); PARTITIONS];
    let mut value = 0;
    for _ in 0..50_000 {
        if value < count && run.world.random.below(3) > 0 {
            let partition = run.world.random.below(PARTITIONS as u64) as i32;
            let mut bytes = value.to_be_bytes().to_vec();
            bytes.resize(4 + run.world.random.below(200) as usize, 0);
            let report = Some(u64::from(value));
            let record =
                NewRecord { partition: Some(partition), value: Some(&bytes), report, ..Default::default() };
            let now = run.now;
            match run.accumulator.append(topic, &record, || now) {
                Ok(_) => {
                    sent[partition as usize].push(value);
                    value += 1;
                }
                Err(Refused::Failed(error)) => panic!("{error}"),
                Err(_) => {}
            }
        }
        run.world.faults = faults && value < count;
        run.tick();
        assert!(run.accumulator.used() <= 2 * 64 * 1024);
        if value == count && run.accumulator.flushed(u64::MAX) {
            break;
        }
    }
    assert!(run.accumulator.flushed(u64::MAX), "seed {seed}: not everything was done");
    assert_eq!(run.accumulator.used(), 0);
    let mut reported = Vec::new();
    for completed in run.accumulator.take_completed() {
        let base = completed.result.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for (index, report) in completed.reports {
            let log = &run.world.logs[completed.partition as usize];
            assert_eq!(u64::from(log.values[(base + i64::from(index)) as usize]), report, "seed {seed}");
            reported.push(report as u32);
        }
    }
    reported.sort_unstable();
    assert_eq!(reported, (0..count).collect::<Vec<_>>(), "seed {seed}");
    for (log, sent) in run.world.logs.iter().zip(sent) {
        assert_eq!(log.values, sent, "seed {seed}");
    }
}

/// Whoever waits for a batch that had to be split waits for all parts of it.
#[test]
fn a_flush_waits_for_all_parts_of_a_split_batch() {
    let mut run = Run::new(5, false);
    let topic = run.accumulator.topic("t");
    let mut count = 0;
    while count < 18 {
        let record = NewRecord { partition: Some(0), value: Some(&[0; 8]), ..Default::default() };
        let now = run.now;
        match run.accumulator.append(topic, &record, || now) {
            Ok(_) => count += 1,
            Err(_) => run.tick(),
        }
    }
    let mark = run.accumulator.begin_flush();
    while !run.accumulator.flushed(mark) {
        run.tick();
    }
    assert_eq!(run.world.logs[0].values.len(), 18);
}

/// A leader that has lost what it remembered of the producer refuses the next sequence: the producer begins anew.
#[test]
fn a_broker_that_has_forgotten_the_producer_gets_a_new_sequence() {
    let mut run = Run::new(5, false);
    let topic = run.accumulator.topic("t");
    for value in 0..20u32 {
        let bytes = value.to_be_bytes();
        for _ in 0..200 {
            let record = NewRecord { partition: Some(0), value: Some(&bytes), ..Default::default() };
            let now = run.now;
            if run.accumulator.append(topic, &record, || now).is_ok() {
                break;
            }
            run.tick();
        }
        while !run.accumulator.flushed(u64::MAX) {
            run.tick();
            assert!(run.now < 100_000, "record {value} was not sent");
        }
        if value % 5 == 4 {
            run.world.logs[0].batches.clear();
        }
    }
    assert_eq!(run.accumulator.take_unreported(), None);
    assert_eq!(run.world.logs[0].values, (0..20).collect::<Vec<_>>());
    assert_eq!(run.world.logs[0].epoch, 3);
}

#[test]
fn without_faults_every_record_arrives_once_and_in_order() {
    every_record_once(1, false, 500);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn with_faults_every_record_arrives_once_and_in_order(seed: u64) {
        every_record_once(seed, true, 150);
    }
}
