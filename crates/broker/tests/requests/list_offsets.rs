//! ListOffsets and OffsetForLeaderEpoch.

use barnabas_broker::error_code;
use barnabas_protocol::batch_builder::BuilderConfig;
use barnabas_protocol::generated::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use barnabas_protocol::generated::list_offsets_response::ListOffsetsResponse;
use barnabas_protocol::generated::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use barnabas_protocol::generated::offset_for_leader_epoch_response::OffsetForLeaderEpochResponse;
use barnabas_protocol::wire::Reader;

use crate::harness::{batch, body, records_with, Node, START};
use crate::produce::produce;

/// (error, timestamp, offset, leader epoch) of each partition asked for as (index, timestamp, leader epoch).
fn list(node: &Node, version: i16, replica_id: i32, asked: &[(i32, i64, i32)]) -> Vec<(i16, i64, i64, i32)> {
    let partitions =
        asked.iter().map(|(partition_index, timestamp, current_leader_epoch)| ListOffsetsPartition {
            partition_index: *partition_index,
            current_leader_epoch: *current_leader_epoch,
            timestamp: *timestamp,
        });
    let topics = vec![ListOffsetsTopic { name: "orders", partitions: partitions.collect() }];
    let request = ListOffsetsRequest { replica_id, topics, ..ListOffsetsRequest::default() };
    let handled = node.handle(2, version, |writer, version| request.encode(writer, version));
    let body = body(handled, if version >= 6 { 5 } else { 4 });
    let response = ListOffsetsResponse::decode(&mut Reader::new(&body), version).unwrap();
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|found| (found.error_code, found.timestamp, found.offset, found.leader_epoch)).collect()
}

/// Three batches of two records, at (1000, 1005), (2000, 2005), (3000, 3005) after the start.
fn timed() -> Node {
    let mut node = Node::new();
    node.topic("orders", 2);
    for second in 1..=3 {
        let times = [START + second * 1000, START + second * 1000 + 5];
        let records = times.into_iter().map(|time| (time, None, "a"));
        assert_eq!(produce(&node, "orders", 0, &records_with(records, BuilderConfig::default())).0, 0);
    }
    node
}

#[test]
fn special_timestamps_are_known_from_the_version_that_brought_them() {
    let node = timed();
    let at = |version, timestamp| list(&node, version, -1, &[(0, timestamp, -1)])[0];
    let unsupported = (error_code::UNSUPPORTED_VERSION, -1, -1, -1);
    for version in 1..=11 {
        let epoch = if version >= 4 { 0 } else { -1 };
        assert_eq!(at(version, -1), (0, -1, 6, epoch), "version {version}");
        assert_eq!(at(version, -2), (0, -1, 0, epoch), "version {version}");
        let max = if version >= 7 { (0, START + 3005, 5, 0) } else { unsupported };
        assert_eq!(at(version, -3), max, "version {version}");
        let local = if version >= 8 { (0, -1, 0, 0) } else { unsupported };
        assert_eq!(at(version, -4), local, "version {version}");
        let tiered = if version >= 9 { (0, -1, -1, -1) } else { unsupported };
        assert_eq!(at(version, -5), tiered, "version {version}");
        let pending = if version >= 11 { (0, -1, -1, -1) } else { unsupported };
        assert_eq!(at(version, -6), pending, "version {version}");
        assert_eq!(at(version, -7), unsupported, "version {version}");
    }
}

#[test]
fn a_time_finds_the_first_record_that_is_not_older() {
    let node = timed();
    let at = |timestamp| list(&node, 7, -1, &[(0, timestamp, -1)])[0];
    assert_eq!(at(0), (0, START + 1000, 0, 0));
    assert_eq!(at(START + 1005), (0, START + 1005, 1, 0));
    assert_eq!(at(START + 2001), (0, START + 2005, 3, 0));
    assert_eq!(at(START + 9999), (0, -1, -1, -1));
    assert_eq!(list(&node, 7, -1, &[(1, 0, -1)]), [(0, -1, -1, -1)], "nothing in an empty partition");
    assert_eq!(list(&node, 7, -1, &[(1, -2, -1)]), [(0, -1, 0, 0)]);
}

#[test]
fn errors_are_told_for_each_partition() {
    let node = timed();
    let none = |error| (error, -1, -1, -1);
    assert_eq!(list(&node, 7, -1, &[(0, -1, 0), (1, -1, 1)])[1], none(error_code::UNKNOWN_LEADER_EPOCH));
    assert_eq!(list(&node, 7, -1, &[(9, -1, -1)]), [none(error_code::UNKNOWN_TOPIC_OR_PARTITION)]);
    let twice = list(&node, 7, -1, &[(0, -1, -1), (0, -2, -1), (1, -1, -1)]);
    assert_eq!(twice, [none(error_code::INVALID_REQUEST), (0, -1, 0, 0)]);
}

#[test]
fn consumers_see_the_high_watermark_and_replicas_the_log_end() {
    let mut node = Node::new();
    node.register(2);
    node.topic_on("orders", &[vec![1, 2]], &[]);
    let records = batch(&["a"]);
    let asked = crate::produce::request("orders", &[(0, &records)], 1);
    crate::produce::send(&node, 12, &asked);
    assert_eq!(list(&node, 7, -1, &[(0, -1, -1)]), [(0, -1, 0, 0)]);
    assert_eq!(list(&node, 7, -1, &[(0, -3, -1)]), [(0, -1, -1, -1)]);
    assert_eq!(list(&node, 7, 2, &[(0, -1, -1)]), [(0, -1, 1, 0)]);
}

fn epochs(node: &Node, version: i16, asked: &[(i32, i32, i32)]) -> Vec<(i16, i32, i64)> {
    let partitions =
        asked.iter().map(|(partition, current_leader_epoch, leader_epoch)| OffsetForLeaderPartition {
            partition: *partition,
            current_leader_epoch: *current_leader_epoch,
            leader_epoch: *leader_epoch,
        });
    let topics = vec![OffsetForLeaderTopic { topic: "orders", partitions: partitions.collect() }];
    let request = OffsetForLeaderEpochRequest { replica_id: -2, topics };
    let handled = node.handle(23, version, |writer, version| request.encode(writer, version));
    let body = body(handled, if version >= 4 { 5 } else { 4 });
    let response = OffsetForLeaderEpochResponse::decode(&mut Reader::new(&body), version).unwrap();
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|found| (found.error_code, found.leader_epoch, found.end_offset)).collect()
}

#[test]
fn an_epoch_ends_where_the_next_one_begins() {
    let mut node = timed();
    let id = node.image.topics.by_name("orders").unwrap().id;
    node.change(id, 0, |change| change.leader = 1);
    produce(&node, "orders", 0, &batch(&["a"]));
    for version in 2..=4 {
        let found = epochs(&node, version, &[(0, -1, 0), (0, 1, 1), (0, -1, 5), (0, -1, -1), (0, -1, -5)]);
        assert_eq!(found, [(0, 0, 6), (0, 1, 7), (0, -1, -1), (0, -1, -1), (0, -5, 0)], "version {version}");
    }
    let none = |error| (error, -1, -1);
    assert_eq!(epochs(&node, 4, &[(0, 7, 0)]), [none(error_code::UNKNOWN_LEADER_EPOCH)]);
    assert_eq!(epochs(&node, 4, &[(0, 0, 0)]), [none(error_code::FENCED_LEADER_EPOCH)]);
    assert_eq!(epochs(&node, 4, &[(9, -1, 0)]), [none(error_code::UNKNOWN_TOPIC_OR_PARTITION)]);
}

#[test]
fn only_minus_one_means_that_the_client_knows_no_leader_epoch() {
    let node = timed();
    let fenced = (error_code::FENCED_LEADER_EPOCH, -1, -1, -1);
    assert_eq!(list(&node, 7, -1, &[(0, -1, -2), (1, -1, -1)]), [fenced, (0, -1, 0, 0)]);
}

#[test]
fn a_topic_named_twice_is_answered_once_and_one_without_partitions_not_at_all() {
    let node = timed();
    let topic = |name, indexes: &[i32]| ListOffsetsTopic {
        name,
        partitions: indexes
            .iter()
            .map(|&partition_index| ListOffsetsPartition {
                partition_index,
                current_leader_epoch: -1,
                timestamp: -1,
            })
            .collect(),
    };
    let topics = vec![topic("orders", &[0]), topic("empty", &[]), topic("orders", &[1, 0])];
    let request = ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() };
    let body = body(node.handle(2, 7, |writer, version| request.encode(writer, version)), 5);
    let response = ListOffsetsResponse::decode(&mut Reader::new(&body), 7).unwrap();
    let told: Vec<_> = response
        .topics
        .iter()
        .map(|topic| {
            let codes = topic.partitions.iter().map(|found| (found.partition_index, found.error_code));
            (topic.name, codes.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(told, [("orders", vec![(0, error_code::INVALID_REQUEST), (1, 0)])]);
}

#[test]
fn where_no_record_has_a_timestamp_the_first_has_the_largest() {
    let mut node = Node::new();
    node.topic("orders", 2);
    let records = records_with([(-1, None, "a"), (-1, None, "b")].into_iter(), BuilderConfig::default());
    assert_eq!(produce(&node, "orders", 0, &records).0, 0);
    assert_eq!(list(&node, 7, -1, &[(0, -3, -1), (1, -3, -1)]), [(0, -1, 0, 0), (0, -1, -1, -1)]);
}
