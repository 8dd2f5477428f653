//! `barnabas.schema.validation.divert`: where records go that do not pass, and what is left of their batch.

use barnabas_broker::error_code;
use barnabas_protocol::batch::batches;
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::compression::Compression;
use barnabas_protocol::record::Header;
use barnabas_protocol::Uuid;

use crate::harness::{parked, Node, START};
use crate::produce::{answers, produce, request, send};
use crate::replication::follower_fetch;

const CONFIGS: [(&str, &str); 2] =
    [("barnabas.value.schema.validation", "id"), ("barnabas.schema.validation.divert", "letters")];

/// A node whose orders go to letters where they do not pass, the ids of both topics.
fn node() -> (Node, Uuid, Uuid) {
    let mut node = Node::new();
    let orders = node.topic_on("orders", &[vec![1]], &CONFIGS);
    let letters = node.topic("letters", 1);
    (node, orders, letters)
}

/// A batch with a record for each name: tombstones pass, values without a schema do not.
fn batch(names: &[(&str, bool)], config: BuilderConfig) -> Vec<u8> {
    let mut builder = BatchBuilder::new(config);
    for (name, passes) in names {
        let value = (!passes).then_some(name.as_bytes());
        let header = Header { key: b"own", value: Some(name.as_bytes()) };
        builder.append(START - 5, Some(name.as_bytes()), value, &[header]).unwrap();
    }
    builder.finish().unwrap()
}

fn with(compression: Compression) -> BuilderConfig {
    BuilderConfig { compression, ..BuilderConfig::default() }
}

fn of_producer(base_sequence: i32) -> BuilderConfig {
    BuilderConfig { producer_id: 7, producer_epoch: 0, base_sequence, ..BuilderConfig::default() }
}

/// Of each batch its first and last offset and last sequence, and of each of its records offset and key.
type Read = Vec<(i64, i64, i32, Vec<(i64, String)>)>;

fn read(node: &Node, topic: Uuid) -> Read {
    let bytes = node.broker.read_for_share(topic, 0, 0, 1 << 20, false).unwrap().bytes;
    batches(&bytes)
        .map(|batch| {
            let batch = batch.unwrap();
            assert_eq!(batch.header.crc, batch.computed_crc());
            let records = batch.records(1 << 20).unwrap();
            let text = |key: Option<&[u8]>| String::from_utf8(key.unwrap().to_vec()).unwrap();
            let keys = records.iter().map(|record| record.unwrap()).map(|it| (it.offset, text(it.key)));
            let header = &batch.header;
            (header.base_offset, header.last_offset(), header.last_sequence(), keys.collect())
        })
        .collect()
}

fn keys(of: &[(i64, &str)]) -> Vec<(i64, String)> {
    of.iter().map(|(offset, key)| (*offset, (*key).to_owned())).collect()
}

#[test]
fn records_that_do_not_pass_go_elsewhere_and_the_others_keep_their_places() {
    for codec in [0, 1, 2, 3, 4].map(|id| Compression::from_id(id).unwrap()) {
        let (node, orders, letters) = node();
        let names = [("a", true), ("b", false), ("c", true), ("d", false)];
        assert_eq!(produce(&node, "orders", 0, &batch(&names, with(codec))), (0, 0));
        assert_eq!(produce(&node, "orders", 0, &batch(&[("e", true)], with(codec))), (0, 4));
        let left = vec![(0, 3, -1, keys(&[(0, "a"), (2, "c")])), (4, 4, -1, keys(&[(4, "e")]))];
        assert_eq!(read(&node, orders), left);
        assert_eq!(read(&node, letters), vec![(0, 1, -1, keys(&[(0, "b"), (1, "d")]))]);
    }
}

#[test]
fn letters_say_where_they_come_from_and_why() {
    let (node, _, letters) = node();
    produce(&node, "orders", 0, &batch(&[("a", false)], with(Compression::None)));
    let bytes = node.broker.read_for_share(letters, 0, 0, 1 << 20, false).unwrap().bytes;
    let batch = batches(&bytes).next().unwrap().unwrap();
    let records = batch.records(1 << 20).unwrap();
    let record = records.iter().next().unwrap().unwrap();
    assert_eq!((record.timestamp, record.key, record.value), (START, Some(&b"a"[..]), Some(&b"a"[..])));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let headers: Vec<_> = record.headers.map(|it| (text(it.key), text(it.value.unwrap()))).collect();
    let timestamp = (START - 5).to_string();
    let expected = [
        ("own", "a"),
        ("__dlq.errors.topic", "orders"),
        ("__dlq.errors.partition", "0"),
        ("__dlq.errors.timestamp", &timestamp),
        ("__dlq.errors.message", "the value names no schema"),
    ];
    assert_eq!(headers, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[test]
fn an_idempotent_producer_goes_on_as_if_nothing_had_gone() {
    let (node, orders, letters) = node();
    let first = batch(&[("a", true), ("b", false)], of_producer(0));
    assert_eq!(produce(&node, "orders", 0, &first), (0, 0));
    assert_eq!(produce(&node, "orders", 0, &first), (0, 0), "it was there already");
    // A batch of which nothing is left.
    assert_eq!(produce(&node, "orders", 0, &batch(&[("c", false), ("d", false)], of_producer(2))), (0, 2));
    assert_eq!(produce(&node, "orders", 0, &batch(&[("e", true)], of_producer(4))), (0, 4));
    let gap = produce(&node, "orders", 0, &batch(&[("g", false)], of_producer(6)));
    assert_eq!(gap, (error_code::OUT_OF_ORDER_SEQUENCE_NUMBER, -1));
    let left = vec![(0, 1, 1, keys(&[(0, "a")])), (2, 3, 3, vec![]), (4, 4, 4, keys(&[(4, "e")]))];
    assert_eq!(read(&node, orders), left);
    let sent: Vec<_> = read(&node, letters).into_iter().flat_map(|batch| batch.3).collect();
    assert_eq!(sent, keys(&[(0, "b"), (1, "c"), (2, "d")]));
}

#[test]
fn what_is_left_of_batches_is_found_again_after_a_kill() {
    let (mut node, orders, letters) = node();
    produce(&node, "orders", 0, &batch(&[("a", true), ("b", false)], of_producer(0)));
    produce(&node, "orders", 0, &batch(&[("c", false)], of_producer(2)));
    let before = (read(&node, orders), read(&node, letters));
    node.kill();
    assert_eq!((read(&node, orders), read(&node, letters)), before);
    assert_eq!(produce(&node, "orders", 0, &batch(&[("d", true)], of_producer(3))), (0, 3));
}

#[test]
fn nothing_is_written_where_letters_have_no_place() {
    let mut node = Node::new();
    let orders = node.topic_on("orders", &[vec![1]], &CONFIGS);
    let records = batch(&[("a", true), ("b", false)], with(Compression::None));
    assert_eq!(produce(&node, "orders", 0, &records), (error_code::NOT_ENOUGH_REPLICAS, -1));
    let letters = node.topic_on("letters", &[vec![1]], &[("max.message.bytes", "300")]);
    let large = batch(&[("a", true), (&"b".repeat(400), false)], with(Compression::None));
    let refused = answers(send(&node, 12, &request("orders", &[(0, &large)], -1)), 12).remove(0);
    assert_eq!((refused.error, refused.record_errors), (error_code::INVALID_RECORD, vec![1]));
    assert_eq!((read(&node, orders), read(&node, letters)), (vec![], vec![]));
}

#[test]
fn a_batch_that_is_refused_anyway_names_all_that_is_wrong() {
    let mut node = Node::new();
    let orders =
        node.topic_on("orders", &[vec![1]], &[CONFIGS[0], CONFIGS[1], ("cleanup.policy", "compact")]);
    let letters = node.topic("letters", 1);
    let mut builder = BatchBuilder::new(BuilderConfig::default());
    for (key, value) in
        [(Some(&b"a"[..]), None), (None, None), (Some(b"c"), Some(&b"c"[..])), (None, Some(b"d"))]
    {
        builder.append(START, key, value, &[]).unwrap();
    }
    let records = builder.finish().unwrap();
    let refused = answers(send(&node, 12, &request("orders", &[(0, &records)], -1)), 12).remove(0);
    assert_eq!((refused.error, refused.record_errors), (error_code::INVALID_RECORD, vec![1, 2, 3]));
    assert_eq!((read(&node, orders), read(&node, letters)), (vec![], vec![]));
}

#[test]
fn many_letters_take_several_batches() {
    let mut node = Node::new();
    node.topic_on("orders", &[vec![1]], &CONFIGS);
    let letters = node.topic_on("letters", &[vec![1]], &[("max.message.bytes", "5000")]);
    let names: Vec<String> = (0..30).map(|number| format!("name {number}")).collect();
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), false)).collect();
    assert_eq!(produce(&node, "orders", 0, &batch(&all, with(Compression::None))), (0, 0));
    let read = read(&node, letters);
    assert!(read.len() > 1, "{read:?}");
    let keys: Vec<_> = read.into_iter().flat_map(|batch| batch.3).map(|(_, key)| key).collect();
    assert_eq!(keys, names);
}

#[test]
fn transactions_divert_nothing() {
    let mut node = Node::new();
    node.topic_on("orders", &[vec![1]], &CONFIGS);
    let letters = node.topic("letters", 1);
    node.broker.set_transaction_verification(false);
    let config = BuilderConfig { transactional: true, ..of_producer(0) };
    let records = batch(&[("a", true), ("b", false)], config);
    let mut asked = request("orders", &[(0, &records)], -1);
    asked.transactional_id = Some("t");
    let answer = answers(send(&node, 11, &asked), 11).remove(0);
    assert_eq!((answer.error, answer.record_errors), (error_code::INVALID_RECORD, vec![1]));
    assert_eq!(read(&node, letters), vec![]);
}

#[test]
fn the_answer_waits_for_the_letters_too() {
    let mut node = Node::new();
    node.register(2);
    let orders = node.topic_on("orders", &[vec![1]], &CONFIGS);
    let letters = node.topic_on("letters", &[vec![1, 2]], &[]);
    let records = batch(&[("a", true), ("b", false)], with(Compression::None));
    let (_, state) = parked(send(&node, 12, &request("orders", &[(0, &records)], -1)));
    assert_eq!(read(&node, orders).len(), 1);
    follower_fetch(&node, letters, 2, 0, 0);
    follower_fetch(&node, letters, 2, 1, 0);
    assert_eq!(answers(node.resume(state), 12)[0].error, 0);
}
