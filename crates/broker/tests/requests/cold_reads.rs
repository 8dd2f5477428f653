//! Fetches of records that are not in the page cache: who answers requests never waits for the disk.

use barnabas_broker::Handled;
use barnabas_protocol::Uuid;

use crate::fetch::{answers, partition, request, send};
use crate::harness::{batch, parked, Node};
use crate::produce::produce;

const VALUE: &str = "a value of some size";

/// Two partitions of eight batches; a segment holds four of them, and each has its entry in the index.
fn filled() -> (Node, Uuid) {
    let mut node = Node::new();
    let size = batch(&[VALUE]).len();
    let small = [("internal.segment.bytes", &*(4 * size).to_string()), ("index.interval.bytes", "0")];
    let id = node.topic_on("orders", &[vec![1], vec![1]], &small);
    for index in [0, 1].repeat(8) {
        assert_eq!(produce(&node, "orders", index, &batch(&[VALUE])).0, 0);
    }
    (node, id)
}

/// What the thread that answers requests does; it may not wait.
fn answer(node: &Node, act: impl FnOnce() -> Handled) -> Handled {
    let waits = node.disk.waits();
    let handled = act();
    assert_eq!(node.disk.waits(), waits, "waited for the disk");
    handled
}

/// First and last offset of each partition's answer, and how often the request has parked.
fn fetched(node: &Node, id: Uuid, offsets: &[i64]) -> (Vec<Option<(i64, i64)>>, usize) {
    let partitions = offsets.iter().enumerate().map(|(index, from)| partition(index as i32, *from));
    let asked = request(id, partitions.collect());
    let mut handled = answer(node, || send(node, 13, &asked));
    let mut parks = 0;
    while let Handled::Park { state, .. } = handled {
        parks += 1;
        let wakes = node.wakes.count();
        assert_eq!(node.broker.read_cold_now(), 1);
        assert_eq!(node.wakes.count(), wakes + 1);
        handled = answer(node, || node.resume(state));
    }
    (answers(handled, 13).partitions.iter().map(|one| one.offsets()).collect(), parks)
}

#[test]
fn a_fetch_parks_until_another_thread_has_brought_the_records_in() {
    let (node, id) = filled();
    node.disk.drop_cache();
    let waits = node.disk.waits();
    // First the index of the segment, then its records.
    assert_eq!(fetched(&node, id, &[1]), (vec![Some((1, 3))], 2));
    assert_eq!(node.disk.waits(), waits + 2);
    assert_eq!(fetched(&node, id, &[2]), (vec![Some((2, 3))], 0));
}

#[test]
fn what_a_stopped_node_has_left_is_verified_once_it_is_there() {
    let (mut node, id) = filled();
    node.restart();
    node.disk.drop_cache();
    assert_eq!(fetched(&node, id, &[1, 5]), (vec![Some((1, 3)), Some((5, 7))], 2));
}

#[test]
fn readers_at_the_end_of_the_log_never_park() {
    let (node, id) = filled();
    node.disk.drop_cache();
    let handled = send(&node, 13, &request(id, vec![partition(0, 7)]));
    assert_eq!(answers(handled, 13).partitions[0].offsets(), Some((7, 7)));
}

#[test]
fn cached_records_come_at_once_and_the_others_next_time() {
    let (node, id) = filled();
    assert_eq!(fetched(&node, id, &[1, 1]).0, [Some((1, 3)), Some((1, 3))]);
    node.disk.drop_cache();
    assert_eq!(fetched(&node, id, &[1]).1, 2);
    assert_eq!(fetched(&node, id, &[1, 1]), (vec![Some((1, 3)), None], 0));
    for _ in 0..2 {
        assert_eq!(node.broker.read_cold_now(), 1);
        fetched(&node, id, &[1, 1]);
    }
    assert_eq!(fetched(&node, id, &[1, 1]), (vec![Some((1, 3)), Some((1, 3))], 0));
}

#[test]
fn a_disk_that_takes_its_time_is_waited_for_beyond_the_deadline() {
    let (mut node, id) = filled();
    node.disk.drop_cache();
    let (deadline, state) = parked(send(&node, 13, &request(id, vec![partition(0, 1)])));
    node.now = deadline;
    let (later, state) = parked(answer(&node, || node.resume(state)));
    assert!(later > deadline);
    assert_eq!(node.broker.read_cold_now(), 1);
    let (_, state) = parked(node.resume(state));
    assert_eq!(node.broker.read_cold_now(), 1);
    assert_eq!(answers(node.resume(state), 13).partitions[0].offsets(), Some((1, 3)));
}

#[test]
fn records_that_never_stay_in_the_cache_are_served_in_the_end() {
    let (node, id) = filled();
    node.disk.drop_cache();
    let mut handled = send(&node, 13, &request(id, vec![partition(0, 1)]));
    let mut parks = 0;
    while let Handled::Park { state, .. } = handled {
        parks += 1;
        node.broker.read_cold_now();
        node.disk.drop_cache();
        handled = node.resume(state);
    }
    assert_eq!(answers(handled, 13).partitions[0].offsets(), Some((1, 3)));
    assert_eq!(parks, 3);
}
