//! Markers for the transaction coordinator on this node: written when they are as safe as their topic promises.

use barnabas_broker::{error_code, CoordinatorEvent, MarkersWritten};

use crate::harness::Node;
use crate::markers::MARKER;
use crate::replication::follower_fetch;

/// Writes a marker to partition 0 of each topic; what it waits as.
fn waiting(node: &Node, topics: &[&str]) -> u64 {
    let partitions: Vec<_> = topics.iter().map(|topic| (*topic, 0)).collect();
    match node.broker.write_markers(&MARKER, &partitions, node.now) {
        MarkersWritten::Waiting(id) => id,
        done => panic!("{done:?}"),
    }
}

#[test]
fn a_marker_in_a_durable_topic_counts_when_it_is_on_disk() {
    let mut node = Node::new();
    node.topic_on("safe", &[vec![1]], &[("barnabas.durability", "fsync")]);
    node.topic("orders", 1);
    let id = waiting(&node, &["orders", "safe", "none"]);
    assert_eq!((node.heard.take(), node.broker.markers_written(id)), (vec![], None));
    node.broker.sync_waiting(node.now);
    assert_eq!(node.heard.take(), [CoordinatorEvent::MarkersMoved { id }]);
    let codes = vec![0, 0, error_code::UNKNOWN_TOPIC_OR_PARTITION];
    assert_eq!(node.broker.markers_written(id), Some(codes));
    assert_eq!(node.broker.markers_written(id), None, "it is told once");
}

#[test]
fn a_marker_counts_when_all_replicas_have_it() {
    let mut node = Node::new();
    node.register(2);
    let topic = node.topic_on("orders", &[vec![1, 2]], &[]);
    let (first, second) = (waiting(&node, &["orders"]), waiting(&node, &["orders"]));
    follower_fetch(&node, topic, 2, 1, 0);
    assert_eq!(node.heard.take(), [CoordinatorEvent::MarkersMoved { id: first }]);
    assert_eq!(node.broker.markers_written(second), None);
    assert_eq!(node.broker.markers_written(first), Some(vec![0]));
    follower_fetch(&node, topic, 2, 2, 0);
    assert_eq!(node.heard.take(), [CoordinatorEvent::MarkersMoved { id: second }]);
    assert_eq!(node.broker.markers_written(second), Some(vec![0]));
}

#[test]
fn nobody_waits_for_a_partition_that_is_led_elsewhere() {
    let mut node = Node::new();
    node.register(2);
    let topic = node.topic_on("orders", &[vec![1, 2]], &[]);
    let id = waiting(&node, &["orders"]);
    node.change(topic, 0, |record| record.leader = 2);
    assert_eq!(node.heard.take(), [CoordinatorEvent::MarkersMoved { id }]);
    assert_eq!(node.broker.markers_written(id), Some(vec![error_code::NOT_LEADER_OR_FOLLOWER]));
}

#[test]
fn a_move_is_told_once_until_somebody_has_looked() {
    let mut node = Node::new();
    node.register(2);
    let topics = [node.topic_on("a", &[vec![1, 2]], &[]), node.topic_on("b", &[vec![1, 2]], &[])];
    let id = waiting(&node, &["a", "b"]);
    follower_fetch(&node, topics[0], 2, 1, 0);
    assert_eq!(node.heard.take(), [CoordinatorEvent::MarkersMoved { id }]);
    follower_fetch(&node, topics[1], 2, 1, 0);
    assert_eq!(node.heard.take(), [], "nobody has looked yet");
    assert_eq!(node.broker.markers_written(id), Some(vec![0, 0]));
    let id = waiting(&node, &["a", "b"]);
    follower_fetch(&node, topics[0], 2, 2, 0);
    assert_eq!(node.broker.markers_written(id), None);
    node.heard.take();
    follower_fetch(&node, topics[1], 2, 2, 0);
    assert_eq!(node.heard.take(), [CoordinatorEvent::MarkersMoved { id }]);
}
