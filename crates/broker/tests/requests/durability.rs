//! `barnabas.durability=fsync`: what is acknowledged, and what consumers see, is on disk.

use barnabas_broker::{error_code, Handled};
use barnabas_protocol::generated::fetch_request::FetchRequest;
use barnabas_protocol::Uuid;

use crate::fetch;
use crate::harness::{batch, idempotent, name, parked, Node};
use crate::produce::{answers, request, send};

const VERSION: i16 = 9;

fn durable(node: &mut Node) -> Uuid {
    node.topic_on("t", &[vec![1]], &[("barnabas.durability", "fsync")])
}

/// What a consumer gets from the beginning.
fn consumed(node: &Node, topic: Uuid) -> Vec<u8> {
    let request = FetchRequest { max_wait_ms: 0, ..fetch::request(topic, vec![fetch::partition(0, 0)]) };
    fetch::answers(fetch::send(node, 13, &request), 13).partitions.remove(0).records
}

#[test]
fn acknowledgements_wait_for_the_disk_and_share_a_sync() {
    let mut node = Node::new();
    durable(&mut node);
    let waiting: Vec<_> = [1, -1, 1]
        .into_iter()
        .map(|acks| parked(send(&node, VERSION, &request("t", &[(0, &batch(&["a"]))], acks))).1)
        .collect();
    assert_eq!(node.wakes.count(), 0);
    assert_eq!(node.broker.sync_waiting(node.now), 1);
    assert_eq!(node.wakes.count(), 3);
    for (offset, parked) in waiting.into_iter().enumerate() {
        let answer = &answers(node.resume(parked), VERSION)[0];
        assert_eq!((answer.error, answer.base_offset), (error_code::NONE, offset as i64));
    }
    assert_eq!(node.broker.sync_waiting(node.now), 0);
}

#[test]
fn consumers_do_not_see_what_a_power_failure_would_take_back() {
    let mut node = Node::new();
    let topic = durable(&mut node);
    let records = batch(&["a"]);
    assert_eq!(name(&send(&node, VERSION, &request("t", &[(0, &records)], 0))), "no reply");
    assert_eq!(consumed(&node, topic), b"");
    node.broker.sync_waiting(node.now);
    assert_eq!(consumed(&node, topic).len(), records.len());
}

#[test]
fn a_retry_of_what_is_not_on_disk_yet_waits_too() {
    let mut node = Node::new();
    durable(&mut node);
    let records = idempotent(&["a"], 5, 0, 0);
    let first = parked(send(&node, VERSION, &request("t", &[(0, &records)], 1))).1;
    let again = parked(send(&node, VERSION, &request("t", &[(0, &records)], 1))).1;
    node.broker.sync_waiting(node.now);
    for parked in [first, again] {
        let answer = &answers(node.resume(parked), VERSION)[0];
        assert_eq!((answer.error, answer.base_offset), (error_code::NONE, 0));
    }
    let later = send(&node, VERSION, &request("t", &[(0, &records)], 1));
    assert_eq!(answers(later, VERSION)[0].error, error_code::NONE);
}

#[test]
fn a_sync_that_takes_too_long_is_a_time_out_and_the_records_stay() {
    let mut node = Node::new();
    let topic = durable(&mut node);
    let (deadline, waiting) = parked(send(&node, VERSION, &request("t", &[(0, &batch(&["a"]))], 1)));
    node.now = deadline;
    assert_eq!(answers(node.resume(waiting), VERSION)[0].error, error_code::REQUEST_TIMED_OUT);
    node.broker.sync_waiting(node.now);
    assert!(!consumed(&node, topic).is_empty());
}

#[test]
fn durability_changes_while_the_topic_is_written_to() {
    let mut node = Node::new();
    let topic = node.topic("t", 1);
    let answer = send(&node, VERSION, &request("t", &[(0, &batch(&["a"]))], 1));
    assert_eq!(answers(answer, VERSION)[0].error, error_code::NONE);

    node.config("t", "barnabas.durability", Some("fsync"));
    node.apply();
    // What consumers have seen is not taken from them; it is made durable.
    assert!(!consumed(&node, topic).is_empty());
    assert_eq!(node.broker.sync_waiting(node.now), 1);
    let (_, waiting) = parked(send(&node, VERSION, &request("t", &[(0, &batch(&["b"]))], -1)));

    node.config("t", "barnabas.durability", None);
    node.apply();
    assert_eq!(answers(node.resume(waiting), VERSION)[0].error, error_code::NONE);
    assert!(matches!(send(&node, VERSION, &request("t", &[(0, &batch(&["c"]))], -1)), Handled::Reply(_)));
}

#[test]
fn records_that_a_kill_left_in_the_page_cache_are_synced_before_they_are_shown() {
    let mut node = Node::new();
    let topic = durable(&mut node);
    parked(send(&node, VERSION, &request("t", &[(0, &batch(&["a"]))], 1)));
    node.kill();
    assert_eq!(consumed(&node, topic), b"");
    assert_eq!(node.broker.sync_waiting(node.now), 1);
    assert!(!consumed(&node, topic).is_empty());
}
