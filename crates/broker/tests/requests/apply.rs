//! Following the image: replicas come, change and go.

use barnabas_broker::{error_code, Effect};
use barnabas_disk::Disk;
use barnabas_protocol::Uuid;

use crate::harness::{batch, directory, path, Node};
use crate::produce::produce;

fn names(node: &Node) -> Vec<String> {
    let entries = node.disk.list(&path(0)).unwrap();
    entries.into_iter().filter(|entry| entry.is_directory).map(|entry| entry.name).collect()
}

#[test]
fn records_survive_a_restart() {
    let mut node = Node::new();
    node.topic("orders", 2);
    assert_eq!(produce(&node, "orders", 1, &batch(&["a", "b"])), (0, 0));
    node.restart();
    assert_eq!(produce(&node, "orders", 1, &batch(&["c"])), (0, 2));
    assert_eq!(produce(&node, "orders", 0, &batch(&["c"])), (0, 0));
}

#[test]
fn a_deleted_topic_leaves_nothing_and_its_name_begins_anew() {
    let mut node = Node::new();
    let id = node.topic("orders", 1);
    produce(&node, "orders", 0, &batch(&["a"]));
    node.remove_topic(id);
    assert_eq!(node.broker.logs().logs(false).len(), 0);
    assert_eq!(produce_by_name(&node), error_code::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(names(&node).len(), 1);
    node.topic("orders", 1);
    assert_eq!(produce(&node, "orders", 0, &batch(&["a"])), (0, 0));
    node.now += 61_000;
    node.broker.tick(node.now);
    assert_eq!(names(&node), ["orders-0"]);
}

fn produce_by_name(node: &Node) -> i16 {
    produce(node, "orders", 0, &batch(&["a"])).0
}

#[test]
fn a_topic_that_was_deleted_and_made_anew_while_the_node_was_away_is_empty() {
    let mut node = Node::new();
    let id = node.topic("orders", 1);
    produce(&node, "orders", 0, &batch(&["a"]));
    node.broker.shutdown(0, node.now);
    // The broker is closed: these changes reach it at its next start only.
    node.replay_remove(id);
    node.replay_topic("orders");
    node.restart();
    assert_eq!(produce(&node, "orders", 0, &batch(&["a"])), (0, 0));
}

#[test]
fn a_replica_that_was_moved_away_is_deleted_and_leads_no_more() {
    let mut node = Node::new();
    node.register(2);
    let id = node.topic_on("orders", &[vec![1, 2]], &[]);
    node.change(id, 0, |change| {
        change.replicas = Some(vec![2]);
        change.isr = Some(vec![2]);
        change.directories = Some(vec![Uuid::DIRECTORY_UNASSIGNED]);
        change.leader = 2;
    });
    assert_eq!(produce_by_name(&node), error_code::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(node.broker.logs().logs(false).len(), 0);
}

#[test]
fn partitions_that_are_added_can_be_written_at_once() {
    let mut node = Node::new();
    let id = node.topic("orders", 1);
    assert_eq!(produce(&node, "orders", 1, &batch(&["a"])).0, error_code::UNKNOWN_TOPIC_OR_PARTITION);
    node.add_partition(id, 1);
    assert_eq!(produce(&node, "orders", 1, &batch(&["a"])), (0, 0));
}

#[test]
fn the_controller_is_told_where_replicas_lie() {
    let mut node = Node::with(2, |_| {});
    let id = node.topic("orders", 2);
    let assigned = |index, n| Effect::AssignDirectory { topic_id: id, index, directory: directory(n) };
    assert_eq!(node.broker.take_effects(), [assigned(0, 0), assigned(1, 1)]);
    assert_eq!(node.broker.take_effects(), []);
}

#[test]
fn a_broker_that_was_shut_down_takes_no_more_records() {
    let mut node = Node::new();
    node.topic("orders", 1);
    node.broker.shutdown(0, node.now);
    assert_eq!(produce_by_name(&node), error_code::NOT_LEADER_OR_FOLLOWER);
}
