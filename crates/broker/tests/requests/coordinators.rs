//! What coordinators of this node do with their partitions, and what they hear of them.

use barnabas_broker::{error_code, CoordinatorAppended, CoordinatorBatch, CoordinatorEvent, CoordinatorRead};
use barnabas_log::{Unverified, NO_GUARD};
use barnabas_protocol::batch_builder::BuilderConfig;
use barnabas_protocol::compression::Compression;
use barnabas_protocol::Uuid;

use crate::harness::{batch_with, Node, START};

const OFFSETS: &str = "__consumer_offsets";

fn batch<'a>(records: &[(&'a str, Option<&'a str>)]) -> CoordinatorBatch<'a> {
    CoordinatorBatch {
        topic: OFFSETS,
        index: 0,
        leader_epoch: 0,
        records: records.iter().map(|(key, value)| (key.as_bytes(), value.map(str::as_bytes))).collect(),
        timestamp: START + 7,
        producer_id: -1,
        producer_epoch: -1,
        guard: NO_GUARD,
    }
}

fn append(node: &Node, batch: &CoordinatorBatch<'_>) -> Result<CoordinatorAppended, i16> {
    node.broker.append_as_coordinator(batch, node.now)
}

/// What the batch says of the offsets after it was appended to a partition without other replicas.
fn appended(base_offset: i64, log_end_offset: i64) -> CoordinatorAppended {
    CoordinatorAppended { base_offset, log_end_offset, high_watermark: log_end_offset }
}

fn read(node: &Node, offset: i64, bytes_max: usize) -> CoordinatorRead {
    node.broker.read_as_coordinator(OFFSETS, 0, offset, bytes_max).unwrap()
}

/// (offset, key, value) of each record.
fn rows(read: &CoordinatorRead) -> Vec<(i64, String, Option<String>)> {
    let text =
        |range: &std::ops::Range<usize>| String::from_utf8(read.bytes[range.clone()].to_vec()).unwrap();
    let row = |record: &barnabas_broker::CoordinatorRecord| {
        (record.offset, record.key.as_ref().map(text).unwrap(), record.value.as_ref().map(text))
    };
    read.records.iter().map(row).collect()
}

fn leadership(leader_epoch: Option<i32>) -> CoordinatorEvent {
    CoordinatorEvent::Leadership { topic: OFFSETS.into(), index: 0, leader_epoch }
}

fn transactional<'a>(records: &[(&'a str, Option<&'a str>)], guard: u64) -> CoordinatorBatch<'a> {
    CoordinatorBatch { producer_id: 9, producer_epoch: 3, guard, ..batch(records) }
}

fn unverified() -> Unverified {
    Unverified { producer_id: 9, producer_epoch: 3, base_sequence: -1, epoch_per_transaction: false }
}

fn offsets_topic(node: &mut Node) -> Uuid {
    let id = node.topic(OFFSETS, 1);
    node.heard.take();
    id
}

#[test]
fn leaderships_are_told_in_order_and_of_coordinators_topics_alone() {
    let mut node = Node::new();
    node.register(2);
    node.topic("orders", 1);
    assert_eq!(node.heard.take(), []);
    let id = node.topic_on(OFFSETS, &[vec![1, 2]], &[]);
    assert_eq!(node.heard.take(), [leadership(Some(0))]);
    node.change(id, 0, |record| record.leader = 2);
    assert_eq!(node.heard.take(), [leadership(None)]);
    node.change(id, 0, |record| record.leader = 1);
    assert_eq!(node.heard.take(), [leadership(Some(2))]);
    node.change(id, 0, |record| record.isr = Some(vec![1]));
    let moved = CoordinatorEvent::Committed { topic: OFFSETS.into(), index: 0, high_watermark: 0 };
    assert!(node.heard.take().iter().all(|event| *event == moved));
    node.change(id, 0, |record| record.leader = 1);
    assert_eq!(node.heard.take(), [leadership(Some(3))], "led again, in a new epoch");
    node.remove_topic(id);
    assert_eq!(node.heard.take(), [leadership(None)]);
}

#[test]
fn what_a_coordinator_appends_it_reads_again() {
    let mut node = Node::new();
    offsets_topic(&mut node);
    assert_eq!(append(&node, &batch(&[("a", Some("1")), ("b", None)])), Ok(appended(0, 2)));
    assert_eq!(append(&node, &batch(&[("c", Some("3"))])), Ok(appended(2, 3)));
    assert_eq!(node.heard.take(), [], "the results have said how far the high watermark is");

    let all = read(&node, 0, 1 << 20);
    let row = |offset, key: &str, value: Option<&str>| (offset, key.to_string(), value.map(str::to_string));
    assert_eq!(rows(&all), [row(0, "a", Some("1")), row(1, "b", None), row(2, "c", Some("3"))]);
    assert_eq!(all.next_offset, 3);
    assert!(all.records.iter().all(|record| {
        (record.timestamp, record.producer_id, record.producer_epoch, record.control)
            == (START + 7, -1, -1, None)
    }));
    let first = read(&node, 0, 1);
    assert_eq!((rows(&first).len(), first.next_offset), (2, 2), "at least one batch, and whole");
    assert_eq!(rows(&read(&node, 1, 1)), [row(1, "b", None)]);
    assert_eq!(read(&node, 3, 1), CoordinatorRead { next_offset: 3, ..CoordinatorRead::default() });
    node.restart();
    assert_eq!(read(&node, 0, 1 << 20), all);
}

#[test]
fn batches_of_any_codec_are_read() {
    let mut node = Node::new();
    offsets_topic(&mut node);
    node.client_id = Some("__admin_client".to_string());
    for compression in
        [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd, Compression::None]
    {
        let config = BuilderConfig { compression, ..BuilderConfig::default() };
        assert_eq!(crate::produce::produce(&node, OFFSETS, 0, &batch_with(&["value"; 9], config)).0, 0);
    }
    let all = read(&node, 0, 1 << 20);
    assert_eq!((all.records.len(), all.next_offset), (45, 45));
    let values = all.records.iter().map(|record| &all.bytes[record.value.clone().unwrap()]);
    assert!(all.records.iter().all(|record| record.key.is_none()) && values.eq([b"value"; 45]));
    let committed =
        |high_watermark| CoordinatorEvent::Committed { topic: OFFSETS.into(), index: 0, high_watermark };
    assert_eq!(node.heard.take(), [9, 18, 27, 36, 45].map(committed), "clients have moved it");
}

#[test]
fn what_coordinators_write_is_compressed_as_configured() {
    let mut node = Node::with(1, |settings| settings.offsets_codec = Compression::Zstd);
    node.topic(OFFSETS, 1);
    let value = "x".repeat(10_000);
    assert_eq!(append(&node, &batch(&[("a", Some(&value))])), Ok(appended(0, 1)));
    assert!(node.broker.logs().log(OFFSETS, 0).unwrap().read().size() < 1_000);
    let all = read(&node, 0, 1 << 20);
    assert_eq!(&all.bytes[all.records[0].value.clone().unwrap()], value.as_bytes());
}

#[test]
fn appends_of_another_leadership_are_refused() {
    let mut node = Node::new();
    node.register(2);
    let id = node.topic_on(OFFSETS, &[vec![1, 2]], &[]);
    let now = batch(&[("a", None)]);
    let later = CoordinatorBatch { leader_epoch: 1, ..now.clone() };
    assert_eq!(append(&node, &later), Err(error_code::UNKNOWN_LEADER_EPOCH));
    let waits = CoordinatorAppended { base_offset: 0, log_end_offset: 1, high_watermark: 0 };
    assert_eq!(append(&node, &now), Ok(waits), "the follower has not fetched it yet");
    node.change(id, 0, |record| record.leader = 2);
    assert_eq!(append(&node, &later), Err(error_code::NOT_LEADER_OR_FOLLOWER));
    assert_eq!(append(&node, &now), Err(error_code::FENCED_LEADER_EPOCH));
    let unread = node.broker.read_as_coordinator(OFFSETS, 0, 0, 1);
    assert_eq!(unread, Err(error_code::NOT_LEADER_OR_FOLLOWER));
    let unknown = CoordinatorBatch { index: 1, ..now };
    assert_eq!(append(&node, &unknown), Err(error_code::UNKNOWN_TOPIC_OR_PARTITION));
}

#[test]
fn the_high_watermark_is_told_when_followers_move_it() {
    let mut node = Node::new();
    node.register(2);
    let id = node.topic_on(OFFSETS, &[vec![1, 2]], &[]);
    append(&node, &batch(&[("a", None)])).unwrap();
    node.heard.take();
    crate::replication::follower_fetch(&node, id, 2, 1, 0);
    let moved = CoordinatorEvent::Committed { topic: OFFSETS.into(), index: 0, high_watermark: 1 };
    assert_eq!(node.heard.take(), [moved]);
}

#[test]
fn what_is_too_large_or_too_lonely_is_not_appended() {
    let mut node = Node::new();
    node.register(2);
    let id = node.topic_on(OFFSETS, &[vec![1, 2]], &[("max.message.bytes", "100")]);
    let value = "x".repeat(100);
    let large = batch(&[("a", Some(&value))]);
    assert_eq!(append(&node, &large), Err(error_code::MESSAGE_TOO_LARGE));
    assert_eq!(append(&node, &batch(&[])), Err(error_code::INVALID_RECORD));
    node.config(OFFSETS, "min.insync.replicas", Some("2"));
    node.change(id, 0, |record| record.isr = Some(vec![1]));
    assert_eq!(append(&node, &batch(&[("a", None)])), Err(error_code::NOT_ENOUGH_REPLICAS));
    assert_eq!(read(&node, 0, 1).next_offset, 0);
}

#[test]
fn a_transactions_first_batch_needs_its_guard() {
    let mut node = Node::new();
    offsets_topic(&mut node);
    let begin = |node: &Node| node.broker.begin_verification(OFFSETS, 0, &unverified(), node.now).unwrap();
    let unguarded = append(&node, &transactional(&[("a", None)], NO_GUARD));
    assert_eq!(unguarded, Err(error_code::INVALID_TXN_STATE));
    let guard = begin(&node);
    assert_ne!(guard, NO_GUARD);
    let wrong = append(&node, &transactional(&[("a", None)], guard + 1));
    assert_eq!(wrong, Err(error_code::INVALID_TXN_STATE));
    assert_eq!(append(&node, &transactional(&[("a", None)], guard)), Ok(appended(0, 1)));
    assert_eq!(begin(&node), NO_GUARD, "the transaction is open now");
    assert_eq!(append(&node, &transactional(&[("b", None)], NO_GUARD)), Ok(appended(1, 2)));
    let old = CoordinatorBatch { producer_epoch: 2, ..transactional(&[("c", None)], NO_GUARD) };
    assert_eq!(append(&node, &old), Err(error_code::INVALID_PRODUCER_EPOCH));
    assert_eq!(append(&node, &batch(&[("d", None)])), Ok(appended(2, 3)), "others write on");
    let all = read(&node, 0, 1 << 20);
    let producers = all.records.iter().map(|record| (record.producer_id, record.producer_epoch));
    assert!(producers.eq([(9, 3), (9, 3), (-1, -1)]));
}
