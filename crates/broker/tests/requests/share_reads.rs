//! What leaders of share partitions read, and when they hear that there is more.

use barnabas_broker::{error_code, CoordinatorEvent, DeadLetters};
use barnabas_protocol::Uuid;

use crate::harness::{batch, Node};
use crate::produce::produce;

const ALL: usize = 1 << 20;

#[test]
fn whole_batches_are_read_from_the_one_that_holds_the_offset() {
    let mut node = Node::new();
    let id = node.topic("taken", 1);
    for values in [&["a", "b"][..], &["c"], &["d", "e"]] {
        produce(&node, "taken", 0, &batch(values));
    }
    let read = node.broker.read_for_share(id, 0, 1, ALL, false).unwrap();
    let offsets: Vec<_> = read.batches.iter().map(|batch| (batch.base_offset, batch.last_offset)).collect();
    assert_eq!(offsets, [(0, 1), (2, 2), (3, 4)]);
    assert_eq!(read.batches.last().unwrap().end, read.bytes.len());
    assert_eq!((read.log_start_offset, read.end_offset), (0, 5));

    let least = node.broker.read_for_share(id, 0, 3, 1, false).unwrap();
    assert_eq!(least.batches.len(), 1, "one batch at least, whatever its size");
    assert_eq!((least.batches[0].base_offset, least.bytes.len()), (3, least.batches[0].end));
    assert!(node.broker.read_for_share(id, 0, 5, ALL, false).unwrap().batches.is_empty());
    assert_eq!(node.broker.read_for_share(id, 0, 6, ALL, false), Err(error_code::OFFSET_OUT_OF_RANGE));
}

#[test]
fn the_ends_of_a_partition_are_found() {
    let mut node = Node::new();
    let id = node.topic("taken", 1);
    produce(&node, "taken", 0, &batch(&["a", "b"]));
    assert_eq!(node.broker.share_offset(id, 0, -1, false), Ok(2));
    assert_eq!(node.broker.share_offset(id, 0, -2, true), Ok(0));
    assert_eq!(node.broker.share_offset(id, 7, -1, false), Err(error_code::UNKNOWN_TOPIC_OR_PARTITION));
}

#[test]
fn a_watch_tells_once_until_it_is_set_anew() {
    let mut node = Node::new();
    let id = node.topic("taken", 2);
    node.heard.take();
    let readable = CoordinatorEvent::Readable { topic_id: id, index: 0 };
    node.broker.watch_for_share(id, 0).unwrap();
    produce(&node, "taken", 1, &batch(&["elsewhere"]));
    assert_eq!(node.heard.take(), []);
    produce(&node, "taken", 0, &batch(&["a"]));
    produce(&node, "taken", 0, &batch(&["b"]));
    assert_eq!(node.heard.take(), std::slice::from_ref(&readable));
    node.broker.watch_for_share(id, 0).unwrap();
    produce(&node, "taken", 0, &batch(&["c"]));
    assert_eq!(node.heard.take(), [readable]);
    node.broker.watch_for_share(id, 0).unwrap();
    node.broker.unwatch_for_share(id, 0);
    produce(&node, "taken", 0, &batch(&["d"]));
    assert_eq!(node.heard.take(), []);
    assert_eq!(node.broker.watch_for_share(id, 9), Err(error_code::UNKNOWN_TOPIC_OR_PARTITION));
}

/// Key, value and headers of a record.
type Letter = (Option<String>, Option<String>, Vec<(String, String)>);

/// All records of a partition.
fn letters(node: &Node, id: Uuid) -> Vec<Letter> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let read = node.broker.read_for_share(id, 0, 0, ALL, false).unwrap();
    let mut found = Vec::new();
    for batch in barnabas_protocol::batch::batches(&read.bytes) {
        for record in &batch.unwrap().records(ALL).unwrap() {
            let record = record.unwrap();
            let headers = record.headers.map(|header| (text(header.key), text(header.value.unwrap())));
            found.push((record.key.map(text), record.value.map(text), headers.collect()));
        }
    }
    found
}

fn dead(topic_id: Uuid, first_offset: i64, last_offset: i64, copy: bool) -> DeadLetters<'static> {
    DeadLetters {
        topic_id,
        topic: "taken",
        index: 0,
        first_offset,
        last_offset,
        group_id: "g",
        delivery_count: 5,
        message: "why",
        target: "dlq.taken",
        target_index: 0,
        copy,
    }
}

#[test]
fn dead_letters_say_where_they_come_from_and_why() {
    let mut node = Node::new();
    let (id, target) = (node.topic("taken", 1), node.topic("dlq.taken", 1));
    produce(&node, "taken", 0, &batch(&["a", "b"]));
    node.broker.append_dead_letters(&dead(id, 1, 2, false), 7).unwrap();
    let found = letters(&node, target);
    let offsets: Vec<_> = found.iter().map(|(_, _, headers)| headers[2].1.as_str()).collect();
    assert_eq!(offsets, ["1", "2"]);
    let expected = [
        ("__dlq.errors.topic", "taken"),
        ("__dlq.errors.partition", "0"),
        ("__dlq.errors.offset", "1"),
        ("__dlq.errors.group", "g"),
        ("__dlq.errors.delivery.count", "5"),
        ("__dlq.errors.message", "why"),
    ];
    let expected = expected.map(|(key, value)| (key.to_string(), value.to_string())).to_vec();
    assert_eq!(found[0], (None, None, expected));
    let unknown = DeadLetters { target: "dlq.other", ..dead(id, 0, 0, false) };
    assert_eq!(node.broker.append_dead_letters(&unknown, 7), Err(error_code::UNKNOWN_TOPIC_OR_PARTITION));
}

#[test]
fn dead_letters_have_key_and_value_as_far_as_the_target_takes_them() {
    let mut node = Node::new();
    let id = node.topic("taken", 1);
    let target = node.topic_on("dlq.taken", &[vec![1]], &[("max.message.bytes", "1000")]);
    let long = "x".repeat(900);
    for values in [&["a", "b"][..], &[&long], &["c", "d", "e", "f"]] {
        produce(&node, "taken", 0, &batch(values));
    }
    node.broker.append_dead_letters(&dead(id, 1, 8, true), 7).unwrap();
    let values: Vec<_> = letters(&node, target).into_iter().map(|(_, value, _)| value).collect();
    let some = |value: &str| Some(value.to_string());
    assert_eq!(
        values,
        [some("b"), None, some("c"), some("d"), some("e"), some("f"), None, None],
        "what is too large or not there goes without a value"
    );
}

#[test]
fn coordinators_delete_what_nobody_needs() {
    let mut node = Node::new();
    let id = node.topic("state", 1);
    produce(&node, "state", 0, &batch(&["a", "b", "c"]));
    assert_eq!(node.broker.delete_as_coordinator("state", 0, 2), Ok(()));
    assert_eq!(node.broker.share_offset(id, 0, -2, false), Ok(2));
    let beyond = node.broker.delete_as_coordinator("state", 0, 9);
    assert_eq!(beyond, Err(error_code::OFFSET_OUT_OF_RANGE));
}
