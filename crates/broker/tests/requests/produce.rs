//! Produce.

use barnabas_broker::{error_code, Handled};
use barnabas_protocol::batch_builder::BuilderConfig;
use barnabas_protocol::generated::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use barnabas_protocol::generated::produce_response::ProduceResponse;
use barnabas_protocol::wire::{Reader, Records};
use barnabas_protocol::Uuid;

use crate::harness::{
    batch, batch_with, body, idempotent, name, parked, records_with, Node, KEY_PRODUCE, START,
};

/// The answer for one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) index: i32,
    pub(crate) error: i16,
    pub(crate) base_offset: i64,
    pub(crate) log_append_time: i64,
    pub(crate) log_start_offset: i64,
    pub(crate) record_errors: Vec<i32>,
    pub(crate) leader: (i32, i32),
    pub(crate) nodes: Vec<i32>,
}

pub(crate) fn request<'a>(topic: &'a str, parts: &[(i32, &'a [u8])], acks: i16) -> ProduceRequest<'a> {
    let data = |(index, records): &(i32, &'a [u8])| PartitionProduceData {
        index: *index,
        records: Records::Bytes(records),
    };
    ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 1000,
        topic_data: vec![TopicProduceData {
            name: topic,
            topic_id: Uuid::ZERO,
            partition_data: parts.iter().map(data).collect(),
        }],
    }
}

pub(crate) fn send(node: &Node, version: i16, request: &ProduceRequest<'_>) -> Handled {
    node.handle(KEY_PRODUCE, version, |writer, version| request.encode(writer, version))
}

pub(crate) fn answers(handled: Handled, version: i16) -> Vec<Answer> {
    let body = body(handled, if version >= 9 { 5 } else { 4 });
    let mut reader = Reader::new(&body);
    let response = ProduceResponse::decode(&mut reader, version).unwrap();
    assert!(reader.is_empty());
    let nodes: Vec<i32> = response.node_endpoints.iter().map(|node| node.node_id).collect();
    let partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    partitions
        .map(|answer| Answer {
            index: answer.index,
            error: answer.error_code,
            base_offset: answer.base_offset,
            log_append_time: answer.log_append_time_ms,
            log_start_offset: answer.log_start_offset,
            record_errors: answer.record_errors.iter().map(|error| error.batch_index).collect(),
            leader: (answer.current_leader.leader_id, answer.current_leader.leader_epoch),
            nodes: nodes.clone(),
        })
        .collect()
}

/// Produces to one partition with acks=all in version 12 and gives (error, base offset).
pub(crate) fn produce(node: &Node, topic: &str, index: i32, records: &[u8]) -> (i16, i64) {
    let answers = answers(send(node, 12, &request(topic, &[(index, records)], -1)), 12);
    (answers[0].error, answers[0].base_offset)
}

fn ok(index: i32, base_offset: i64) -> Answer {
    Answer {
        index,
        error: 0,
        base_offset,
        log_append_time: -1,
        log_start_offset: 0,
        record_errors: Vec::new(),
        leader: (-1, -1),
        nodes: Vec::new(),
    }
}

fn refused(index: i32, error: i16) -> Answer {
    Answer { error, log_start_offset: -1, ..ok(index, -1) }
}

#[test]
fn records_get_the_next_offsets_in_every_version() {
    let mut node = Node::new();
    let id = node.topic("orders", 1);
    let records = batch(&["a", "b"]);
    for (round, version) in (3..=13).enumerate() {
        let mut request = request("orders", &[(0, &records)], -1);
        request.topic_data[0].topic_id = id;
        let expected = match version {
            3..=4 => Answer { log_start_offset: -1, ..ok(0, 2 * round as i64) },
            _ => ok(0, 2 * round as i64),
        };
        assert_eq!(answers(send(&node, version, &request), version), [expected], "version {version}");
    }
}

#[test]
fn what_does_not_exist_is_named_by_the_error() {
    let mut node = Node::new();
    let id = node.topic("orders", 1);
    let records = batch(&["a"]);
    let unknown = answers(send(&node, 12, &request("nothing", &[(0, &records)], 1)), 12);
    assert_eq!(unknown, [refused(0, error_code::UNKNOWN_TOPIC_OR_PARTITION)]);
    let partition = answers(send(&node, 12, &request("orders", &[(7, &records), (-1, &records)], 1)), 12);
    let error = error_code::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(partition, [refused(7, error), refused(-1, error)]);
    let by_id = |topic_id| {
        let mut request = request("", &[(0, &records)], 1);
        request.topic_data[0].topic_id = topic_id;
        answers(send(&node, 13, &request), 13)[0].error
    };
    assert_eq!(by_id(Uuid([9; 16])), error_code::UNKNOWN_TOPIC_ID);
    assert_eq!(by_id(Uuid::ZERO), error_code::UNKNOWN_TOPIC_ID);
    assert_eq!(by_id(id), error_code::NONE);
}

#[test]
fn acks_other_than_0_1_and_all_are_refused() {
    let mut node = Node::new();
    node.topic("orders", 2);
    let records = batch(&["a"]);
    let torn = &records[..records.len() - 1];
    let request = request("orders", &[(0, &records), (1, torn), (2, &records)], 2);
    // What is wrong with a partition or the form of its records comes first, as in Kafka.
    let codes: Vec<i16> = answers(send(&node, 12, &request), 12).iter().map(|answer| answer.error).collect();
    let expected = [
        error_code::INVALID_REQUIRED_ACKS,
        error_code::INVALID_RECORD,
        error_code::UNKNOWN_TOPIC_OR_PARTITION,
    ];
    assert_eq!(codes, expected);
}

#[test]
fn a_batch_that_can_not_be_one_makes_the_whole_request_corrupt() {
    let mut node = Node::new();
    node.topic("orders", 2);
    let records = batch(&["a"]);
    let mut broken = records.clone();
    broken[16] = 3; // a magic that no format has
    let request = request("orders", &[(0, &records), (1, &broken), (7, &records)], -1);
    let refused = [0, 1, 7].map(|index| refused(index, error_code::CORRUPT_MESSAGE));
    assert_eq!(answers(send(&node, 12, &request), 12), refused);
    assert_eq!(produce(&node, "orders", 0, &records), (0, 0), "nothing was written");
}

#[test]
fn acks_0_is_never_answered_and_a_failure_closes_the_connection() {
    let mut node = Node::new();
    node.topic("orders", 1);
    let records = batch(&["a"]);
    assert_eq!(name(&send(&node, 12, &request("orders", &[(0, &records)], 0))), "no reply");
    assert_eq!(name(&send(&node, 12, &request("nothing", &[(0, &records)], 0))), "close");
    assert_eq!(produce(&node, "orders", 0, &records), (0, 1));
}

#[test]
fn records_that_are_no_single_batch_are_invalid() {
    let mut node = Node::new();
    node.topic("orders", 1);
    let one = batch(&["a"]);
    let two = [&one[..], &one[..]].concat();
    let error =
        |records: &[u8]| answers(send(&node, 12, &request("orders", &[(0, records)], 1)), 12)[0].clone();
    assert_eq!(error(b""), refused(0, error_code::INVALID_RECORD));
    assert_eq!(error(b"abc"), refused(0, error_code::INVALID_RECORD));
    assert_eq!(error(&two), refused(0, error_code::INVALID_RECORD));
    assert_eq!(error(&one[..one.len() - 3]), refused(0, error_code::INVALID_RECORD));
    let mut torn = one.clone();
    torn[30] ^= 1;
    assert_eq!(error(&torn), refused(0, error_code::CORRUPT_MESSAGE));
    let mut null = request("orders", &[(0, b"")], 1);
    null.topic_data[0].partition_data[0].records = Records::Null;
    assert_eq!(answers(send(&node, 12, &null), 12), [refused(0, error_code::INVALID_RECORD)]);
}

#[test]
fn single_records_are_named_by_their_place_in_the_batch() {
    let mut node = Node::new();
    node.topic_on("latest", &[vec![1]], &[("cleanup.policy", "compact")]);
    let values = [(START, Some("k"), "a"), (START, None, "b")];
    let records = records_with(values.into_iter(), BuilderConfig::default());
    let answer = answers(send(&node, 8, &request("latest", &[(0, &records)], 1)), 8);
    let expected = Answer { error: error_code::INVALID_RECORD, record_errors: vec![1], ..ok(0, -1) };
    assert_eq!(answer, [expected]);
}

#[test]
fn what_is_said_twice_counts_as_it_was_said_last() {
    let mut node = Node::new();
    node.topic("orders", 2);
    let (one, two) = (batch(&["a"]), batch(&["b", "c"]));
    let request = request("orders", &[(0, &one), (1, &one), (0, &two)], 1);
    assert_eq!(answers(send(&node, 12, &request), 12), [ok(0, 0), ok(1, 0)]);
    assert_eq!(produce(&node, "orders", 0, &one), (0, 2));
}

#[test]
fn an_idempotent_producer_is_deduplicated_and_kept_in_order() {
    let mut node = Node::new();
    node.topic("orders", 1);
    let send = |epoch, sequence| produce(&node, "orders", 0, &idempotent(&["a"], 9, epoch, sequence));
    assert_eq!(send(0, 5), (0, 0));
    assert_eq!(send(0, 6), (0, 1));
    assert_eq!(send(0, 5), (0, 0), "a duplicate has its old offset");
    assert_eq!(send(0, 9), (error_code::OUT_OF_ORDER_SEQUENCE_NUMBER, -1));
    assert_eq!(send(1, 7), (error_code::OUT_OF_ORDER_SEQUENCE_NUMBER, -1));
    assert_eq!(send(1, 0), (0, 2));
    assert_eq!(send(0, 7), (error_code::INVALID_PRODUCER_EPOCH, -1));
    assert_eq!(produce(&node, "orders", 0, &batch(&["a"])), (0, 3));
}

#[test]
fn a_producers_state_survives_a_restart() {
    let mut node = Node::new();
    node.topic("orders", 1);
    assert_eq!(produce(&node, "orders", 0, &idempotent(&["a", "b"], 9, 0, 0)), (0, 0));
    node.restart();
    assert_eq!(produce(&node, "orders", 0, &idempotent(&["a", "b"], 9, 0, 0)), (0, 0));
    assert_eq!(produce(&node, "orders", 0, &idempotent(&["c"], 9, 0, 2)), (0, 2));
}

#[test]
fn transactions_have_a_transactional_id() {
    let mut node = Node::new();
    node.topic("orders", 1);
    let config = BuilderConfig {
        producer_id: 9,
        producer_epoch: 0,
        base_sequence: 0,
        transactional: true,
        ..BuilderConfig::default()
    };
    let records = batch_with(&["a"], config);
    let error = error_code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    assert_eq!(answers(send(&node, 12, &request("orders", &[(0, &records)], -1)), 12), [refused(0, error)]);
}

#[test]
fn the_append_time_is_told_where_it_counts() {
    let mut node = Node::new();
    node.topic_on("events", &[vec![1]], &[("message.timestamp.type", "LogAppendTime")]);
    node.now = START + 5;
    let records = batch(&["a"]);
    let answer = answers(send(&node, 12, &request("events", &[(0, &records)], 1)), 12);
    assert_eq!(answer, [Answer { log_append_time: START + 5, ..ok(0, 0) }]);
}

#[test]
fn config_changes_count_from_the_next_produce_on() {
    let mut node = Node::new();
    node.topic("orders", 1);
    let records = batch(&["a"]);
    node.config("orders", "max.message.bytes", Some("10"));
    node.apply();
    assert_eq!(produce(&node, "orders", 0, &records), (error_code::MESSAGE_TOO_LARGE, -1));
    node.config("orders", "max.message.bytes", None);
    node.apply();
    assert_eq!(produce(&node, "orders", 0, &records), (0, 0));
    let defaults = barnabas_log::LogConfig { max_message_bytes: 10, ..barnabas_log::LogConfig::default() };
    node.broker.set_log_defaults(defaults, node.now);
    assert_eq!(produce(&node, "orders", 0, &records), (error_code::MESSAGE_TOO_LARGE, -1));
}

#[test]
fn internal_topics_are_for_kafkas_own_tools() {
    let mut node = Node::new();
    node.topic("__consumer_offsets", 1);
    let records = batch(&["a"]);
    assert_eq!(produce(&node, "__consumer_offsets", 0, &records).0, error_code::INVALID_TOPIC_EXCEPTION);
    node.client_id = Some("__admin_client".to_string());
    assert_eq!(produce(&node, "__consumer_offsets", 0, &records), (0, 0));
}

#[test]
fn acks_all_waits_for_every_member_of_the_isr_and_gives_up_in_time() {
    let mut node = Node::new();
    node.register(2);
    node.topic_on("orders", &[vec![1, 2]], &[]);
    let records = batch(&["a"]);
    assert_eq!(answers(send(&node, 12, &request("orders", &[(0, &records)], 1)), 12), [ok(0, 0)]);
    let (deadline, state) = parked(send(&node, 12, &request("orders", &[(0, &records)], -1)));
    assert_eq!(deadline, START + 1000);
    let (_, state) = parked(node.resume(state));
    node.now = deadline;
    let expected = Answer { error: error_code::REQUEST_TIMED_OUT, ..ok(0, 1) };
    assert_eq!(answers(node.resume(state), 12), [expected]);
}

#[test]
fn too_small_an_isr_refuses_acks_all_before_the_append() {
    let mut node = Node::new();
    node.register(2);
    let id = node.topic_on("orders", &[vec![1, 2]], &[("min.insync.replicas", "2")]);
    node.change(id, 0, |change| change.isr = Some(vec![1]));
    let records = batch(&["a"]);
    assert_eq!(produce(&node, "orders", 0, &records), (error_code::NOT_ENOUGH_REPLICAS, -1));
    assert_eq!(answers(send(&node, 12, &request("orders", &[(0, &records)], 1)), 12), [ok(0, 0)]);
    node.topic_on("alone", &[vec![1]], &[("min.insync.replicas", "2")]);
    assert_eq!(produce(&node, "alone", 0, &records), (0, 0), "never more than there are replicas");
}

#[test]
fn a_client_that_came_to_a_follower_is_told_where_the_leader_is() {
    let mut node = Node::new();
    node.register(2);
    node.topic_on("orders", &[vec![2, 1]], &[]);
    let records = batch(&["a"]);
    let answer = answers(send(&node, 12, &request("orders", &[(0, &records)], 1)), 12);
    let error = error_code::NOT_LEADER_OR_FOLLOWER;
    assert_eq!(answer, [Answer { leader: (2, 0), nodes: vec![2], ..refused(0, error) }]);
}
