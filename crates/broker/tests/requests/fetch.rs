//! Fetch without sessions.

use barnabas_broker::{error_code, Handled};
use barnabas_disk::{Disk, Open};
use barnabas_protocol::batch::batches;
use barnabas_protocol::generated::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use barnabas_protocol::generated::fetch_response::FetchResponse;
use barnabas_protocol::wire::Reader;
use barnabas_protocol::Uuid;

use crate::harness::{batch, body, parked, Node, KEY_FETCH, START};
use crate::produce::produce;

/// The answer for one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) topic_id: Uuid,
    pub(crate) index: i32,
    pub(crate) error: i16,
    pub(crate) high_watermark: i64,
    pub(crate) last_stable_offset: i64,
    pub(crate) log_start_offset: i64,
    pub(crate) diverging: (i32, i64),
    pub(crate) leader: (i32, i32),
    /// (producer id, first offset)
    pub(crate) aborted: Option<Vec<(i64, i64)>>,
    pub(crate) records: Vec<u8>,
}

impl Answer {
    /// First and last offset of what came whole.
    pub(crate) fn offsets(&self) -> Option<(i64, i64)> {
        let whole: Vec<_> = batches(&self.records).filter_map(Result::ok).collect();
        Some((whole.first()?.header.base_offset, whole.last()?.header.last_offset()))
    }
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) error: i16,
    pub(crate) session_id: i32,
    pub(crate) partitions: Vec<Answer>,
    pub(crate) nodes: Vec<i32>,
}

pub(crate) fn partition(index: i32, fetch_offset: i64) -> FetchPartition {
    FetchPartition {
        partition: index,
        fetch_offset,
        partition_max_bytes: 1 << 20,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        ..FetchPartition::default()
    }
}

/// A consumer's request without a session.
pub(crate) fn request(topic_id: Uuid, partitions: Vec<FetchPartition>) -> FetchRequest<'static> {
    let topics = match partitions.is_empty() {
        true => Vec::new(),
        false => vec![FetchTopic { topic: "orders", topic_id, partitions }],
    };
    FetchRequest {
        replica_id: -1,
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_id: 0,
        session_epoch: -1,
        topics,
        ..FetchRequest::default()
    }
}

pub(crate) fn send(node: &Node, version: i16, request: &FetchRequest<'_>) -> Handled {
    node.handle(KEY_FETCH, version, |writer, version| request.encode(writer, version))
}

pub(crate) fn answers(handled: Handled, version: i16) -> Answers {
    let body = body(handled, if version >= 12 { 5 } else { 4 });
    let mut reader = Reader::new(&body);
    let response = FetchResponse::decode(&mut reader, version).unwrap();
    assert!(reader.is_empty());
    let partitions = response.responses.iter().flat_map(|topic| {
        topic.partitions.iter().map(|answer| Answer {
            topic_id: topic.topic_id,
            index: answer.partition_index,
            error: answer.error_code,
            high_watermark: answer.high_watermark,
            last_stable_offset: answer.last_stable_offset,
            log_start_offset: answer.log_start_offset,
            diverging: (answer.diverging_epoch.epoch, answer.diverging_epoch.end_offset),
            leader: (answer.current_leader.leader_id, answer.current_leader.leader_epoch),
            aborted: answer
                .aborted_transactions
                .as_ref()
                .map(|list| list.iter().map(|aborted| (aborted.producer_id, aborted.first_offset)).collect()),
            records: answer.records.bytes().unwrap().to_vec(),
        })
    });
    Answers {
        error: response.error_code,
        session_id: response.session_id,
        partitions: partitions.collect(),
        nodes: response.node_endpoints.iter().map(|node| node.node_id).collect(),
    }
}

/// A node with topic "orders" of two partitions; the first has three batches of two records.
pub(crate) fn three_batches() -> (Node, Uuid) {
    let mut node = Node::new();
    let id = node.topic("orders", 2);
    for _ in 0..3 {
        assert_eq!(produce(&node, "orders", 0, &batch(&["a", "b"])).0, 0);
    }
    (node, id)
}

pub(crate) fn one(node: &Node, request: &FetchRequest<'_>) -> Answer {
    answers(send(node, 13, request), 13).partitions.remove(0)
}

#[test]
fn what_was_produced_is_fetched_in_every_version() {
    let (node, id) = three_batches();
    for version in 4..=18 {
        let fetched =
            answers(send(&node, version, &request(id, vec![partition(0, 0), partition(1, 0)])), version);
        assert_eq!(fetched.partitions.len(), 2);
        let first = &fetched.partitions[0];
        assert_eq!(
            (first.error, first.high_watermark, first.last_stable_offset),
            (0, 6, 6),
            "version {version}"
        );
        assert_eq!(first.offsets(), Some((0, 5)));
        assert_eq!(first.aborted, None);
        assert_eq!(fetched.partitions[1].records, b"");
    }
}

#[test]
fn a_read_begins_with_the_batch_that_holds_the_offset() {
    let (node, id) = three_batches();
    assert_eq!(one(&node, &request(id, vec![partition(0, 3)])).offsets(), Some((2, 5)));
}

#[test]
fn the_first_batch_comes_whole_and_the_rest_as_far_as_it_fits() {
    let (mut node, id) = three_batches();
    let size = batch(&["a", "b"]).len();
    let sized = |partition_max_bytes: usize, max_bytes: usize| {
        let mut asked = request(id, vec![partition(0, 0)]);
        asked.topics[0].partitions[0].partition_max_bytes = partition_max_bytes as i32;
        asked.max_bytes = max_bytes as i32;
        one(&node, &asked).records.len()
    };
    assert_eq!(sized(10, 1000), size);
    assert_eq!(sized(1000, 10), size);
    assert_eq!(sized(0, 0), size);
    assert_eq!(sized(size + 5, 1000), size + 5);
    assert_eq!(sized(1000, size + 5), size + 5);
    assert_eq!(sized(1000, 1000), 3 * size);
    produce(&node, "orders", 1, &batch(&["c"]));
    let mut asked = request(id, vec![partition(0, 0), partition(1, 0)]);
    for left in [0, 5] {
        asked.max_bytes = 3 * size as i32 + left;
        let both = answers(send(&node, 13, &asked), 13);
        assert_eq!(
            both.partitions[1].records, b"",
            "the first has left {left} bytes: not enough for a batch"
        );
        assert_eq!(both.partitions[1].high_watermark, 1);
    }
    node.now += 1;
}

#[test]
fn errors_are_told_for_each_partition() {
    let (node, id) = three_batches();
    let error = |topic_id, partition| {
        let fetched = one(&node, &request(topic_id, vec![partition]));
        assert_eq!(
            (fetched.high_watermark, fetched.last_stable_offset, fetched.log_start_offset),
            (-1, -1, -1)
        );
        fetched.error
    };
    assert_eq!(error(id, partition(0, 7)), error_code::OFFSET_OUT_OF_RANGE);
    assert_eq!(error(id, partition(0, -1)), error_code::OFFSET_OUT_OF_RANGE);
    assert_eq!(error(id, partition(9, 0)), error_code::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(error(Uuid([3; 16]), partition(0, 0)), error_code::UNKNOWN_TOPIC_ID);
    let epoch = |epoch| barnabas_protocol::generated::fetch_request::FetchPartition {
        current_leader_epoch: epoch,
        ..partition(0, 0)
    };
    assert_eq!(error(id, epoch(5)), error_code::UNKNOWN_LEADER_EPOCH);
    assert_eq!(one(&node, &request(id, vec![epoch(-2)])).error, 0, "any negative number is none");
    let mut asked = request(id, vec![partition(0, 0)]);
    asked.isolation_level = 7;
    assert_eq!(answers(send(&node, 13, &asked), 13).error, error_code::UNKNOWN_SERVER_ERROR);
    let unknown = answers(
        send(
            &node,
            12,
            &FetchRequest {
                topics: vec![FetchTopic {
                    topic: "nothing",
                    partitions: vec![partition(0, 0)],
                    ..FetchTopic::default()
                }],
                ..request(id, vec![])
            },
        ),
        12,
    );
    assert_eq!(unknown.partitions[0].error, error_code::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn a_log_that_departs_is_told_where() {
    let (mut node, id) = three_batches();
    let last = |last_fetched_epoch, fetch_offset| FetchPartition {
        last_fetched_epoch,
        ..partition(0, fetch_offset)
    };
    let fetched =
        |node: &Node, asked| one(node, &FetchRequest { max_wait_ms: 0, ..request(id, vec![asked]) });
    assert_eq!(fetched(&node, last(0, 2)).offsets(), Some((2, 5)));
    let ahead = fetched(&node, last(0, 8));
    assert_eq!((ahead.error, ahead.diverging, ahead.high_watermark), (0, (0, 6), 6));
    assert_eq!(fetched(&node, last(3, 2)).error, error_code::OFFSET_OUT_OF_RANGE);
    // A second leadership: epoch 1 begins at offset 6.
    node.change(id, 0, |change| change.leader = 1);
    produce(&node, "orders", 0, &batch(&["c"]));
    assert_eq!(fetched(&node, last(0, 7)).diverging, (0, 6));
    assert_eq!(fetched(&node, last(1, 7)).diverging, (-1, -1));
}

#[test]
fn a_long_poll_ends_with_the_bytes_it_waits_for() {
    let (mut node, id) = three_batches();
    let (deadline, state) = parked(send(&node, 13, &request(id, vec![partition(0, 6), partition(1, 0)])));
    assert_eq!((deadline, node.wakes.count()), (START + 500, 0));
    produce(&node, "orders", 1, &batch(&["c"]));
    assert_eq!(node.wakes.count(), 1);
    let fetched = answers(node.resume(state), 13);
    assert_eq!(fetched.partitions[1].offsets(), Some((0, 0)));
    produce(&node, "orders", 1, &batch(&["d"]));
    assert_eq!(node.wakes.count(), 1, "who was answered is not woken");

    let (deadline, state) = parked(send(&node, 13, &request(id, vec![partition(0, 6)])));
    node.now = deadline;
    assert_eq!(answers(node.resume(state), 13).partitions[0].records, b"");
}

#[test]
fn a_long_poll_wakes_once_there_is_enough() {
    let (node, id) = three_batches();
    let size = batch(&["c"]).len() as i32;
    let asked = FetchRequest { min_bytes: 2 * size, ..request(id, vec![partition(1, 0)]) };
    let (_, state) = parked(send(&node, 13, &asked));
    produce(&node, "orders", 1, &batch(&["c"]));
    assert_eq!(node.wakes.count(), 0);
    let (_, state) = parked(node.resume(state));
    produce(&node, "orders", 1, &batch(&["d"]));
    assert_eq!(node.wakes.count(), 1);
    assert_eq!(answers(node.resume(state), 13).partitions[0].offsets(), Some((0, 1)));
}

#[test]
fn nothing_waits_when_waiting_has_no_sense() {
    let (node, id) = three_batches();
    let end = || vec![partition(0, 6)];
    let at_once = |asked: &FetchRequest<'_>| answers(send(&node, 13, asked), 13).partitions.len();
    assert_eq!(at_once(&FetchRequest { min_bytes: 0, ..request(id, end()) }), 1);
    assert_eq!(at_once(&FetchRequest { max_wait_ms: 0, ..request(id, end()) }), 1);
    assert_eq!(at_once(&request(id, vec![])), 0);
    assert_eq!(at_once(&request(id, vec![partition(0, 6), partition(0, 99)])), 1);
    assert_eq!(at_once(&request(id, vec![partition(9, 0)])), 1);
    // What does not exist makes nobody hurry.
    parked(send(&node, 13, &request(id, vec![partition(0, 6), partition(9, 0)])));
}

#[test]
fn whoever_waits_learns_that_the_topic_is_gone() {
    let (mut node, id) = three_batches();
    let (_, state) = parked(send(&node, 13, &request(id, vec![partition(0, 6)])));
    node.remove_topic(id);
    assert_eq!(node.wakes.count(), 1);
    assert_eq!(answers(node.resume(state), 13).partitions[0].error, error_code::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(one(&node, &request(id, vec![partition(0, 0)])).error, error_code::UNKNOWN_TOPIC_ID);
}

#[test]
fn committed_readers_get_the_list_of_aborted_transactions() {
    let (node, id) = three_batches();
    let asked = FetchRequest { isolation_level: 1, ..request(id, vec![partition(0, 0)]) };
    let fetched = one(&node, &asked);
    assert_eq!(fetched.aborted, Some(Vec::new()));
    assert_eq!(fetched.offsets(), Some((0, 5)));
}

#[test]
fn a_consumer_at_a_follower_is_sent_to_the_leader() {
    let mut node = Node::new();
    node.register(2);
    let id = node.topic_on("orders", &[vec![2, 1]], &[]);
    let old = answers(send(&node, 15, &request(id, vec![partition(0, 0)])), 15);
    assert_eq!(
        (old.partitions[0].error, old.partitions[0].leader),
        (error_code::NOT_LEADER_OR_FOLLOWER, (-1, -1))
    );
    let new = answers(send(&node, 16, &request(id, vec![partition(0, 0)])), 16);
    assert_eq!((new.partitions[0].leader, new.nodes), ((2, 0), vec![2]));
}

#[test]
fn a_damaged_batch_is_told_as_corrupt_and_its_neighbours_are_served() {
    let (mut node, id) = three_batches();
    node.broker.shutdown(0, node.now);
    // In the second of the three batches.
    let path = crate::harness::path(0).join("orders-0/00000000000000000000.log");
    let file = node.disk.open(&path, Open::Write).unwrap();
    let position = file.len().unwrap() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, position).unwrap();
    file.write_all_at(&[byte[0] ^ 8], position).unwrap();
    node.restart();
    let read = |node: &Node, offset| one(node, &request(id, vec![partition(0, offset)]));
    let first = read(&node, 0);
    assert_eq!((first.error, first.offsets()), (error_code::NONE, Some((0, 1))));
    assert_eq!(read(&node, 2).error, error_code::CORRUPT_MESSAGE);
    let last = read(&node, 4);
    assert_eq!((last.error, last.offsets()), (error_code::NONE, Some((4, 5))));
    let mut both = request(id, vec![partition(0, 2), partition(1, 0)]);
    both.max_wait_ms = 0;
    let answers = answers(send(&node, 13, &both), 13);
    assert_eq!(answers.partitions[0].error, error_code::CORRUPT_MESSAGE);
    assert_eq!(answers.partitions[1].error, error_code::NONE);
}
