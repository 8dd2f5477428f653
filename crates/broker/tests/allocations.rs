//! How often the hot requests allocate on their way through the broker. Speed drifts slowly, and a shared machine
//! can't time it; allocations can be counted. Whoever needs one more writes the new number here, and says why.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by its panic")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "requests/harness.rs"]
mod harness;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use barnabas_broker::{ApiRange, BrokerRequest, Endpoint, Handled, Ticket, Wake};
use barnabas_protocol::generated::api_versions_request::ApiVersionsRequest;
use barnabas_protocol::generated::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use barnabas_protocol::generated::metadata_request::{MetadataRequest, MetadataRequestTopic};
use barnabas_protocol::generated::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use barnabas_protocol::wire::{EncodeError, Records, Writer};

use harness::{batch, Node};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator; the counter needs no allocation of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct NoTicket;

impl Ticket for NoTicket {
    fn wake(&self) -> Arc<dyn Wake> {
        panic!("nothing waits here");
    }
}

/// Allocations of a request that is asked over and over: the fewest, since logs and caches grow now and then.
fn count(
    node: &Node,
    api_key: i16,
    api_version: i16,
    encode: impl FnOnce(&mut Writer, i16) -> Result<(), EncodeError>,
) -> usize {
    let mut writer = Writer::new();
    encode(&mut writer, api_version).unwrap();
    let (body, listener) = (writer.into_bytes(), Arc::<str>::from("PLAINTEXT"));
    let once = || {
        let before = COUNT.get();
        let handled = node.broker.handle(&BrokerRequest {
            api_key,
            api_version,
            correlation_id: 1,
            client_id: Some("test"),
            listener: &listener,
            endpoint: Endpoint::Broker,
            connection: 1,
            body: &body,
            now: node.now,
            cold_allowed: true,
            ticket: &NoTicket,
        });
        let count = COUNT.get() - before;
        assert!(matches!(handled, Handled::Reply(_)), "{}", harness::name(&handled));
        count
    };
    (0..100).map(|_| once()).min().unwrap()
}

fn node() -> Node {
    let mut node = Node::with(1, |settings| {
        settings.apis = vec![ApiRange { api_key: 0, min_version: 3, max_version: 13 }];
    });
    node.topic("orders", 1);
    node
}

#[test]
fn hot_requests_allocate_no_more_than_they_did() {
    let node = node();
    let records = batch(&["hello"]);
    let data = vec![PartitionProduceData { index: 0, records: Records::Bytes(&records) }];
    let produce = ProduceRequest {
        acks: -1,
        timeout_ms: 1000,
        topic_data: vec![TopicProduceData { name: "orders", partition_data: data, ..Default::default() }],
        ..ProduceRequest::default()
    };
    let produced = count(&node, ProduceRequest::KEY, 9, |writer, version| produce.encode(writer, version));

    let partition =
        FetchPartition { partition_max_bytes: 1 << 20, current_leader_epoch: -1, ..Default::default() };
    let topic = FetchTopic { topic: "orders", partitions: vec![partition], ..FetchTopic::default() };
    let fetch = FetchRequest {
        replica_id: -1,
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    let fetched = count(&node, FetchRequest::KEY, 11, |writer, version| fetch.encode(writer, version));

    let topics = vec![MetadataRequestTopic { name: Some("orders"), ..Default::default() }];
    let metadata = MetadataRequest { topics: Some(topics), ..MetadataRequest::default() };
    let told = count(&node, MetadataRequest::KEY, 9, |writer, version| metadata.encode(writer, version));

    let versions = ApiVersionsRequest::default();
    let listed = count(&node, ApiVersionsRequest::KEY, 0, |writer, version| versions.encode(writer, version));

    println!("produce {produced}, fetch {fetched}, metadata {told}, ApiVersions {listed}");
    assert!(produced <= PRODUCE_MAX, "Produce allocates {produced} times");
    assert!(fetched <= FETCH_MAX, "Fetch allocates {fetched} times");
    assert!(told <= METADATA_MAX, "Metadata allocates {told} times");
    assert!(listed <= API_VERSIONS_MAX, "ApiVersions allocates {listed} times");
}

/// One record to one partition.
const PRODUCE_MAX: usize = 9;
/// One partition, without a session.
const FETCH_MAX: usize = 15;
/// One topic of one partition.
const METADATA_MAX: usize = 9;
/// Without client software's name.
const API_VERSIONS_MAX: usize = 4;
