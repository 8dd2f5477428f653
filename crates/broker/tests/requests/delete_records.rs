//! DeleteRecords and DescribeProducers.

use barnabas_broker::{error_code, Handled};
use barnabas_protocol::generated::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use barnabas_protocol::generated::delete_records_response::DeleteRecordsResponse;
use barnabas_protocol::generated::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use barnabas_protocol::generated::describe_producers_response::DescribeProducersResponse;
use barnabas_protocol::wire::Reader;

use crate::fetch::{self, three_batches};
use crate::harness::{batch, body, idempotent, parked, Node, START};
use crate::produce::produce;
use crate::replication::follower_fetch;

fn send(node: &Node, version: i16, topic: &str, asked: &[(i32, i64)]) -> Handled {
    let partitions =
        asked.iter().map(|&(partition_index, offset)| DeleteRecordsPartition { partition_index, offset });
    let topics = vec![DeleteRecordsTopic { name: topic, partitions: partitions.collect() }];
    let request = DeleteRecordsRequest { topics, timeout_ms: 1000 };
    node.handle(21, version, |writer, version| request.encode(writer, version))
}

/// (error, low watermark) of each partition.
fn answers(handled: Handled, version: i16) -> Vec<(i16, i64)> {
    let body = body(handled, if version >= 2 { 5 } else { 4 });
    let response = DeleteRecordsResponse::decode(&mut Reader::new(&body), version).unwrap();
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|answer| (answer.error_code, answer.low_watermark)).collect()
}

#[test]
fn readers_begin_where_records_were_deleted_up_to() {
    let (node, id) = three_batches();
    for version in 0..=2 {
        assert_eq!(answers(send(&node, version, "orders", &[(0, 3)]), version), [(0, 3)]);
    }
    let fetched = |offset| {
        let asked = fetch::request(id, vec![fetch::partition(0, offset)]);
        fetch::answers(fetch::send(&node, 13, &asked), 13).partitions.remove(0)
    };
    assert_eq!(fetched(2).error, error_code::OFFSET_OUT_OF_RANGE);
    assert_eq!((fetched(3).error, fetched(3).log_start_offset), (0, 3));
    let delete = |offset| answers(send(&node, 2, "orders", &[(0, offset)]), 2)[0];
    assert_eq!(delete(1), (0, 3), "never back");
    assert_eq!(delete(7), (error_code::OFFSET_OUT_OF_RANGE, -1));
    assert_eq!(delete(-2), (error_code::OFFSET_OUT_OF_RANGE, -1));
    assert_eq!(delete(-1), (0, 6), "everything");
}

#[test]
fn what_can_not_be_deleted_from_is_refused() {
    let (mut node, _) = three_batches();
    node.topic_on("latest", &[vec![1]], &[("cleanup.policy", "compact")]);
    node.topic_on("everything", &[vec![1]], &[("cleanup.policy", "")]);
    node.topic("__consumer_offsets", 1);
    let error = |topic, index| answers(send(&node, 2, topic, &[(index, 0)]), 2)[0];
    assert_eq!(error("latest", 0), (error_code::POLICY_VIOLATION, -1));
    let kept = answers(send(&node, 2, "everything", &[(0, 0)]), 2)[0];
    assert_eq!(kept, (0, 0), "no policy forbids nothing");
    assert_eq!(error("__consumer_offsets", 0), (error_code::INVALID_TOPIC_EXCEPTION, -1));
    assert_eq!(error("orders", 9), (error_code::UNKNOWN_TOPIC_OR_PARTITION, -1));
    assert_eq!(error("nothing", 0), (error_code::UNKNOWN_TOPIC_OR_PARTITION, -1));
}

#[test]
fn followers_must_have_deleted_too() {
    let mut node = Node::new();
    node.register(2);
    let id = node.topic_on("orders", &[vec![1, 2]], &[]);
    let records = batch(&["a", "b"]);
    crate::produce::send(&node, 12, &crate::produce::request("orders", &[(0, &records)], 1));
    follower_fetch(&node, id, 2, 2, 0);
    let (deadline, state) = parked(send(&node, 2, "orders", &[(0, -1)]));
    assert_eq!(deadline, START + 1000);
    follower_fetch(&node, id, 2, 2, 1);
    let (_, state) = parked(node.resume(state));
    follower_fetch(&node, id, 2, 2, 2);
    assert_eq!(answers(node.resume(state), 2), [(0, 2)]);
}

#[test]
fn active_producers_are_listed() {
    let (node, _) = three_batches();
    produce(&node, "orders", 1, &idempotent(&["a", "b"], 10, 3, 0));
    let topics = vec![
        TopicRequest { name: "orders", partition_indexes: vec![0, 1, 9] },
        TopicRequest { name: "nothing", partition_indexes: vec![0] },
        TopicRequest { name: "a b!", partition_indexes: vec![0] },
    ];
    let request = DescribeProducersRequest { topics };
    let body = body(node.handle(61, 0, |writer, version| request.encode(writer, version)), 5);
    let response = DescribeProducersResponse::decode(&mut Reader::new(&body), 0).unwrap();
    let partitions: Vec<_> = response.topics.iter().flat_map(|topic| &topic.partitions).collect();
    let errors: Vec<i16> = partitions.iter().map(|partition| partition.error_code).collect();
    let unknown = error_code::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(errors, [0, 0, unknown, unknown, error_code::INVALID_TOPIC_EXCEPTION]);
    let [producer] = &partitions[1].active_producers[..] else { panic!("one producer") };
    assert_eq!((producer.producer_id, producer.producer_epoch, producer.last_sequence), (10, 3, 1));
    assert_eq!((producer.coordinator_epoch, producer.current_txn_start_offset), (-1, -1));
}
