//! What leaders of share partitions read, and when they hear that there is more.

use barnabas_broker::{error_code, CoordinatorEvent};

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
