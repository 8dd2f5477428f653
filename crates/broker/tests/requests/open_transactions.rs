//! Produce in transactions that their coordinator on this node has told of beforehand.

use barnabas_broker::{error_code, OpenTransaction};

use crate::harness::{parked, Node};
use crate::produce::{answers, send};
use crate::transactions::{batch, produced, question, transactional, verified, PAYMENTS, PRODUCER};

const VERSION: i16 = 11;

const OPEN: OpenTransaction<'static> = OpenTransaction {
    index: 0,
    leader_epoch: 0,
    transactional_id: PAYMENTS,
    producer_id: PRODUCER,
    producer_epoch: 0,
    partitions: Vec::new(),
};

fn node() -> Node {
    let mut node = Node::new();
    node.topic("__transaction_state", 1);
    node.topic("orders", 2);
    node.heard.take();
    node
}

fn publish(node: &Node, open: OpenTransaction<'_>, indexes: &[i32]) {
    let partitions = indexes.iter().map(|index| ("orders", *index)).collect();
    node.broker.publish_transactions(&[], &[OpenTransaction { partitions, ..open }]);
}

/// Whether the coordinator is asked about a first batch in partition 0.
fn is_asked(node: &Node) -> bool {
    let answered = send(node, VERSION, &transactional(&[(0, &batch("a", 0, 0))]));
    let asked = !node.heard.take().is_empty();
    if asked {
        parked(answered);
    } else {
        assert_eq!(answers(answered, VERSION)[0].error, 0);
    }
    asked
}

#[test]
fn who_produces_to_a_partition_that_was_told_of_asks_nobody() {
    let node = node();
    publish(&node, OPEN, &[0]);
    assert_eq!(produced(&node, VERSION, &batch("a", 0, 0)), (0, 0));
    let records = batch("b", 0, 0);
    parked(send(&node, VERSION, &transactional(&[(1, &records)])));
    assert_eq!(question(&node).partitions, [("orders".into(), 1)]);
    publish(&node, OPEN, &[1]);
    let answered = answers(send(&node, VERSION, &transactional(&[(1, &records)])), VERSION);
    assert_eq!((answered[0].error, answered[0].base_offset), (0, 0));
}

#[test]
fn one_partition_that_was_not_told_of_and_all_are_asked_about() {
    let node = node();
    publish(&node, OPEN, &[0]);
    let records = batch("a", 0, 0);
    parked(send(&node, VERSION, &transactional(&[(0, &records), (1, &records)])));
    assert_eq!(question(&node).partitions.len(), 2);
}

#[test]
fn what_was_told_counts_for_this_transaction_of_this_producer() {
    let others = [
        OpenTransaction { transactional_id: "refunds", ..OPEN },
        OpenTransaction { producer_id: PRODUCER + 1, ..OPEN },
        OpenTransaction { producer_epoch: 1, ..OPEN },
        OpenTransaction { leader_epoch: 1, ..OPEN },
        OpenTransaction { index: 1, ..OPEN },
    ];
    for other in others {
        let node = node();
        publish(&node, OPEN, &[0]);
        publish(&node, other.clone(), &[1]);
        let only_ours_is_known = other.producer_id != PRODUCER;
        assert_eq!(is_asked(&node), !only_ours_is_known, "{other:?} takes the place of an earlier word");
        let node = self::node();
        publish(&node, other.clone(), &[0]);
        assert!(is_asked(&node), "{other:?}");
    }
}

#[test]
fn what_was_withdrawn_is_asked_about_again() {
    let node = node();
    publish(&node, OPEN, &[0]);
    node.broker.publish_transactions(&[PRODUCER], &[]);
    assert_eq!(verified(&node, VERSION, &batch("a", 0, 0), 0).error, 0);
}

#[test]
fn what_a_coordinator_has_said_is_worth_nothing_when_it_has_moved_away() {
    let mut node = Node::new();
    node.register(2);
    let states = node.topic_on("__transaction_state", &[vec![1, 2]], &[]);
    node.topic("orders", 1);
    publish(&node, OPEN, &[0]);
    node.change(states, 0, |record| record.leader = 2);
    node.change(states, 0, |record| record.leader = 1);
    node.heard.take();
    assert!(is_asked(&node), "it leads again, in another epoch");
}

#[test]
fn a_batch_of_an_older_epoch_is_refused_as_ever() {
    let node = node();
    assert_eq!(verified(&node, VERSION, &batch("a", 1, 0), 0).error, 0);
    publish(&node, OPEN, &[0]);
    assert_eq!(produced(&node, VERSION, &batch("b", 0, 0)).0, error_code::INVALID_PRODUCER_EPOCH);
}
