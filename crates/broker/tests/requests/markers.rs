//! The ends of transactions: what they do to producers, consumers and coordinators.

use barnabas_broker::{error_code, CoordinatorEvent, Handled, MarkersWritten, TransactionMarker};
use barnabas_protocol::batch::batches;
use barnabas_protocol::generated::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use barnabas_protocol::generated::describe_producers_response::DescribeProducersResponse;
use barnabas_protocol::generated::fetch_request::FetchRequest;
use barnabas_protocol::generated::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use barnabas_protocol::generated::list_offsets_response::ListOffsetsResponse;
use barnabas_protocol::generated::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest,
};
use barnabas_protocol::generated::write_txn_markers_response::WriteTxnMarkersResponse;
use barnabas_protocol::wire::Reader;
use barnabas_protocol::Uuid;

use crate::fetch;
use crate::harness::{batch as plain, body, parked, Node};
use crate::produce::{answers, produce, send};
use crate::transactions::{batch, produced, question, transactional, verified, PRODUCER};

pub(crate) const MARKER: TransactionMarker = TransactionMarker {
    producer_id: PRODUCER,
    producer_epoch: 0,
    committed: true,
    coordinator_epoch: 4,
    transaction_version: 0,
};
const ABORT: TransactionMarker = TransactionMarker { committed: false, ..MARKER };

fn orders() -> (Node, Uuid) {
    let mut node = Node::new();
    let id = node.topic("orders", 2);
    (node, id)
}

/// Writes a marker to partition 0 of a topic that needs no wait.
pub(crate) fn write_to(node: &Node, topic: &str, marker: &TransactionMarker) -> i16 {
    match node.broker.write_markers(marker, &[(topic, 0)], node.now) {
        MarkersWritten::Done(codes) => codes[0],
        waiting => panic!("{waiting:?}"),
    }
}

fn write(node: &Node, marker: TransactionMarker) -> i16 {
    write_to(node, "orders", &marker)
}

/// Begins a transaction in partition 0 with a batch of one record.
fn begin(node: &Node, version: i16, epoch: i16, sequence: i32) -> i16 {
    verified(node, version, &batch("t", epoch, sequence), 0).error
}

fn committed(id: Uuid, offset: i64, min_bytes: i32) -> FetchRequest<'static> {
    FetchRequest { isolation_level: 1, min_bytes, ..fetch::request(id, vec![fetch::partition(0, offset)]) }
}

fn fetch_committed(node: &Node, id: Uuid, offset: i64) -> fetch::Answer {
    let asked = FetchRequest { max_wait_ms: 0, ..committed(id, offset, 1) };
    fetch::answers(fetch::send(node, 13, &asked), 13).partitions.remove(0)
}

/// The last stable offset as ListOffsets tells it.
fn latest_committed(node: &Node) -> i64 {
    let partitions =
        vec![ListOffsetsPartition { partition_index: 0, current_leader_epoch: -1, timestamp: -1 }];
    let topics = vec![ListOffsetsTopic { name: "orders", partitions }];
    let request = ListOffsetsRequest { replica_id: -1, isolation_level: 1, topics, timeout_ms: 0 };
    let body = body(node.handle(2, 7, |writer, version| request.encode(writer, version)), 5);
    let response = ListOffsetsResponse::decode(&mut Reader::new(&body), 7).unwrap();
    response.topics[0].partitions[0].offset
}

/// (epoch, coordinator epoch, start of the open transaction) of the producer.
fn described(node: &Node) -> (i32, i32, i64) {
    let topics = vec![TopicRequest { name: "orders", partition_indexes: vec![0] }];
    let request = DescribeProducersRequest { topics };
    let body = body(node.handle(61, 0, |writer, version| request.encode(writer, version)), 5);
    let response = DescribeProducersResponse::decode(&mut Reader::new(&body), 0).unwrap();
    let producers = &response.topics[0].partitions[0].active_producers;
    let [one] = &producers[..] else { panic!("one producer: {producers:?}") };
    (one.producer_epoch, one.coordinator_epoch, one.current_txn_start_offset)
}

#[test]
fn committed_readers_see_a_transaction_once_it_has_ended() {
    let (mut node, id) = orders();
    assert_eq!(begin(&node, 11, 0, 0), 0);
    assert_eq!(produce(&node, "orders", 0, &plain(&["p"])), (0, 1));
    let open = fetch_committed(&node, id, 0);
    assert_eq!((open.offsets(), open.last_stable_offset, open.high_watermark), (None, 0, 2));
    assert_eq!((latest_committed(&node), described(&node)), (0, (0, -1, 0)));

    let (_, state) = parked(fetch::send(&node, 13, &committed(id, 0, 10_000)));
    assert_eq!(write(&node, MARKER), 0);
    assert_eq!(node.wakes.count(), 2, "of the Produce's verification, and of the reader");
    node.now += 500;
    let ended = fetch::answers(node.resume(state), 13).partitions.remove(0);
    assert_eq!((ended.offsets(), ended.last_stable_offset, ended.aborted), (Some((0, 2)), 3, Some(vec![])));
    let marker = batches(&ended.records).map(Result::unwrap).last().unwrap();
    assert!(marker.header.is_control() && marker.header.is_transactional());
    assert_eq!((marker.header.producer_id, marker.header.base_sequence), (PRODUCER, -1));
    let record = marker.records(1 << 10).unwrap();
    let record = record.iter().next().unwrap().unwrap();
    assert_eq!(record.key, Some(&[0, 0, 0, 1][..]), "a commit");
    assert_eq!(record.value, Some(&[0, 0, 0, 0, 0, 4][..]), "of coordinator epoch 4");
    assert_eq!((latest_committed(&node), described(&node)), (3, (0, 4, -1)));
}

#[test]
fn committed_readers_are_told_what_was_aborted() {
    let (node, id) = orders();
    for sequence in [0, 1] {
        assert_eq!(begin(&node, 11, 0, sequence), 0);
        assert_eq!(write(&node, ABORT), 0);
    }
    assert_eq!(begin(&node, 11, 0, 2), 0);
    let all = fetch_committed(&node, id, 0);
    assert_eq!((all.offsets(), all.last_stable_offset), (Some((0, 3)), 4));
    assert_eq!(all.aborted, Some(vec![(PRODUCER, 0), (PRODUCER, 2)]));
    assert_eq!(fetch_committed(&node, id, 2).aborted, Some(vec![(PRODUCER, 2)]));
}

#[test]
fn transactions_survive_a_restart_and_a_kill() {
    let (mut node, id) = orders();
    assert_eq!(begin(&node, 11, 0, 0), 0);
    assert_eq!(write(&node, ABORT), 0);
    assert_eq!(begin(&node, 11, 0, 1), 0);
    for round in 0..2 {
        match round {
            0 => node.kill(),
            _ => node.restart(),
        }
        let fetched = fetch_committed(&node, id, 0);
        assert_eq!((fetched.offsets(), fetched.last_stable_offset), (Some((0, 1)), 2));
        assert_eq!(fetched.aborted, Some(vec![(PRODUCER, 0)]));
        assert_eq!((latest_committed(&node), described(&node)), (2, (0, 4, 2)));
        node.heard.take();
    }
    assert_eq!(produced(&node, 11, &batch("more", 0, 2)), (0, 3), "the transaction is still open");
    assert_eq!(write(&node, MARKER), 0);
    node.kill();
    assert_eq!((latest_committed(&node), described(&node)), (5, (0, 4, -1)));
}

#[test]
fn a_batch_that_was_verified_before_the_end_begins_nothing_after_it() {
    // Each transaction with the same epoch: the marker ends the one that was verified.
    let (node, _) = orders();
    let (_, state) = parked(send(&node, 11, &transactional(&[(0, &batch("late", 0, 0))])));
    let check = question(&node);
    assert_eq!(write(&node, ABORT), 0);
    node.broker.transaction_checked(check.id, vec![0]);
    assert_eq!(answers(node.resume(state), 11)[0].error, error_code::INVALID_TXN_STATE);
    assert_eq!(described(&node), (0, 4, -1));

    // With an epoch for each, the marker of the transaction that was verified fences, ...
    let (node, _) = orders();
    let (_, state) = parked(send(&node, 12, &transactional(&[(0, &batch("late", 3, 0))])));
    let check = question(&node);
    let end = TransactionMarker { producer_epoch: 4, transaction_version: 2, ..ABORT };
    assert_eq!(write(&node, end), 0);
    node.broker.transaction_checked(check.id, vec![0]);
    assert_eq!(answers(node.resume(state), 12)[0].error, error_code::INVALID_PRODUCER_EPOCH);

    // ... and that of the one before it does no harm.
    assert_eq!(begin(&node, 12, 4, 0), 0);
    let (_, state) = parked(send(&node, 12, &transactional(&[(0, &batch("next", 5, 0))])));
    let check = question(&node);
    assert_eq!(write(&node, TransactionMarker { producer_epoch: 5, ..end }), 0);
    node.broker.transaction_checked(check.id, vec![0]);
    assert_eq!(answers(node.resume(state), 12)[0].error, 0);
}

#[test]
fn old_coordinators_and_old_epochs_are_fenced() {
    let (node, _) = orders();
    assert_eq!(begin(&node, 11, 3, 0), 0);
    let old = TransactionMarker { producer_epoch: 2, ..MARKER };
    assert_eq!(write(&node, old), error_code::INVALID_PRODUCER_EPOCH);
    assert_eq!(write(&node, TransactionMarker { producer_epoch: 3, ..MARKER }), 0);
    let fenced = TransactionMarker { producer_epoch: 3, coordinator_epoch: 3, ..MARKER };
    assert_eq!(write(&node, fenced), error_code::TRANSACTION_COORDINATOR_FENCED);
    assert_eq!(described(&node), (3, 4, -1));

    assert_eq!(begin(&node, 12, 4, 0), 0);
    let same = TransactionMarker { producer_epoch: 4, transaction_version: 2, ..MARKER };
    assert_eq!(write(&node, same), error_code::INVALID_PRODUCER_EPOCH, "it would end the next transaction");
    let next = TransactionMarker { producer_epoch: 5, ..same };
    assert_eq!((write(&node, next), write(&node, next)), (0, 0), "sent again it ends nothing");
    assert_eq!(described(&node), (5, 4, -1));
    assert_eq!(produced(&node, 12, &batch("late", 4, 1)).0, error_code::INVALID_PRODUCER_EPOCH);
}

#[test]
fn coordinators_of_groups_hear_of_markers_in_their_topic() {
    let mut node = Node::new();
    node.topic("__consumer_offsets", 1);
    node.topic("orders", 1);
    node.heard.take();
    assert_eq!(write(&node, MARKER), 0);
    assert_eq!(node.heard.take(), []);
    assert_eq!(write_to(&node, "__consumer_offsets", &ABORT), 0);
    let topic: std::sync::Arc<str> = "__consumer_offsets".into();
    let ended = CoordinatorEvent::TransactionEnded {
        topic: topic.clone(),
        index: 0,
        offset: 0,
        producer_id: PRODUCER,
        producer_epoch: 0,
        committed: false,
    };
    let moved = CoordinatorEvent::Committed { topic, index: 0, high_watermark: 1 };
    assert_eq!(node.heard.take(), [ended, moved]);
    let read = node.broker.read_as_coordinator("__consumer_offsets", 0, 0, 1).unwrap();
    assert_eq!((read.next_offset, read.records[0].control), (1, Some(false)));
    assert_eq!((read.records[0].producer_id, read.records[0].producer_epoch), (PRODUCER, 0));
}

// ---- the API

fn asked(partitions: &[(&'static str, &[i32])]) -> WriteTxnMarkersRequest<'static> {
    let topic = |(name, indexes): &(&'static str, &[i32])| WritableTxnMarkerTopic {
        name,
        partition_indexes: indexes.to_vec(),
    };
    WriteTxnMarkersRequest {
        markers: vec![WritableTxnMarker {
            producer_id: PRODUCER,
            producer_epoch: 0,
            transaction_result: true,
            topics: partitions.iter().map(topic).collect(),
            coordinator_epoch: 4,
            transaction_version: 0,
        }],
    }
}

fn request(node: &Node, version: i16, request: &WriteTxnMarkersRequest<'_>) -> Handled {
    node.handle(27, version, |writer, version| request.encode(writer, version))
}

/// (topic, partition, error) of the one marker.
fn told(handled: Handled, version: i16) -> Vec<(String, i32, i16)> {
    let body = body(handled, 5);
    let mut reader = Reader::new(&body);
    let response = WriteTxnMarkersResponse::decode(&mut reader, version).unwrap();
    assert!(reader.is_empty());
    let [marker] = &response.markers[..] else { panic!("one marker") };
    assert_eq!(marker.producer_id, PRODUCER);
    let rows = marker.topics.iter().flat_map(|topic| {
        let row = move |one: &_| row(topic.name, one);
        topic.partitions.iter().map(row)
    });
    rows.collect()
}

fn row(
    topic: &str,
    one: &barnabas_protocol::generated::write_txn_markers_response::WritableTxnMarkerPartitionResult,
) -> (String, i32, i16) {
    (topic.to_string(), one.partition_index, one.error_code)
}

#[test]
fn each_partition_of_a_request_is_answered() {
    for version in [1, 2] {
        let (node, _) = orders();
        assert_eq!(begin(&node, 11, 0, 0), 0);
        let answered =
            told(request(&node, version, &asked(&[("orders", &[0, 1, 9]), ("none", &[0])])), version);
        let row = |topic: &str, index, error| (topic.to_string(), index, error);
        let unknown = error_code::UNKNOWN_TOPIC_OR_PARTITION;
        let expected =
            [row("orders", 0, 0), row("orders", 1, 0), row("orders", 9, unknown), row("none", 0, unknown)];
        assert_eq!(answered, expected);
        assert_eq!(latest_committed(&node), 2);
    }
}

#[test]
fn a_request_is_answered_when_all_replicas_have_its_markers() {
    let mut node = Node::new();
    node.register(2);
    let id = node.topic_on("orders", &[vec![1, 2]], &[]);
    let (deadline, state) = parked(request(&node, 2, &asked(&[("orders", &[0])])));
    assert_eq!(deadline, node.now + 30_000);
    let (_, state) = parked(node.resume(state));
    crate::replication::follower_fetch(&node, id, 2, 1, 0);
    assert_eq!(told(node.resume(state), 2), [("orders".to_string(), 0, 0)]);
    let (deadline, state) = parked(request(&node, 2, &asked(&[("orders", &[0])])));
    node.now = deadline;
    assert_eq!(told(node.resume(state), 2), [("orders".to_string(), 0, error_code::REQUEST_TIMED_OUT)]);
    let (_, state) = parked(request(&node, 2, &asked(&[("orders", &[0])])));
    node.change(id, 0, |record| record.leader = 2);
    assert_eq!(told(node.resume(state), 2)[0].2, error_code::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(write(&node, MARKER), error_code::NOT_LEADER_OR_FOLLOWER);
}
