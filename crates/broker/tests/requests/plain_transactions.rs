//! Steps of transactions that are made without their coordinator, while it has lent the transactional id.

use std::collections::BTreeSet;

use barnabas_broker::{
    error_code, Handled, LentTransaction, Transaction, TransactionMarker, TransactionState,
};
use barnabas_protocol::generated::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use barnabas_protocol::generated::add_partitions_to_txn_response::AddPartitionsToTxnResponse;
use barnabas_protocol::generated::end_txn_request::EndTxnRequest;
use barnabas_protocol::generated::end_txn_response::EndTxnResponse;
use barnabas_protocol::generated::transaction_log_value::TransactionLogValue;
use barnabas_protocol::wire::Reader;

use crate::harness::{body, name, Node};
use crate::transactions::{batch, produced, verified, PAYMENTS, PRODUCER};

const STATES: &str = "__transaction_state";

fn lent() -> LentTransaction {
    let transaction = Transaction {
        transactional_id: PAYMENTS.to_string(),
        producer_id: PRODUCER,
        producer_epoch: 0,
        last_producer_epoch: -1,
        previous_producer_id: -1,
        timeout_ms: 60_000,
        state: TransactionState::Empty,
        partitions: BTreeSet::new(),
        start_timestamp: -1,
        last_update_timestamp: 0,
        transaction_version: 0,
    };
    LentTransaction { index: 0, leader_epoch: 0, transaction, connection: 0 }
}

/// A node that leads the coordinator's partition and two of `orders`, with `payments` on loan.
fn node() -> Node {
    let mut node = Node::new();
    node.topic(STATES, 1);
    node.topic("orders", 2);
    node.heard.take();
    node.broker.lend_transactions([lent()]);
    node
}

fn add(node: &Node, epoch: i16, topic: &str, partitions: &[i32]) -> Handled {
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: PAYMENTS,
        v3_and_below_producer_id: PRODUCER,
        v3_and_below_producer_epoch: epoch,
        v3_and_below_topics: vec![AddPartitionsToTxnTopic { name: topic, partitions: partitions.to_vec() }],
        ..AddPartitionsToTxnRequest::default()
    };
    node.handle(24, 3, |writer, version| request.encode(writer, version))
}

/// Partitions that an AddPartitionsToTxn is answered for, all without an error.
fn added(handled: Handled) -> Vec<i32> {
    let bytes = body(handled, 5);
    let answer = AddPartitionsToTxnResponse::decode(&mut Reader::new(&bytes), 3).unwrap();
    let results = &answer.results_by_topic_v3_and_below[0].results_by_partition;
    assert!(results.iter().all(|result| result.partition_error_code == 0), "{results:?}");
    results.iter().map(|result| result.partition_index).collect()
}

fn end(node: &Node, version: i16, epoch: i16, committed: bool) -> Handled {
    let request =
        EndTxnRequest { transactional_id: PAYMENTS, producer_id: PRODUCER, producer_epoch: epoch, committed };
    node.handle(26, version, |writer, version| request.encode(writer, version))
}

/// (error, producer id, epoch) of an EndTxn.
fn ended(handled: Handled, version: i16) -> (i16, i64, i16) {
    let bytes = body(handled, 5);
    let answer = EndTxnResponse::decode(&mut Reader::new(&bytes), version).unwrap();
    (answer.error_code, answer.producer_id, answer.producer_epoch)
}

/// State, epoch and number of topics in each record of the coordinator's partition.
fn written(node: &Node) -> Vec<(i8, i16, usize)> {
    let read = node.broker.read_as_coordinator(STATES, 0, 0, 1 << 20).unwrap();
    let value = |range: &std::ops::Range<usize>| {
        let bytes = &read.bytes[range.clone()];
        let version = i16::from_be_bytes([bytes[0], bytes[1]]);
        let value = TransactionLogValue::decode(&mut Reader::new(&bytes[2..]), version).unwrap();
        let topics = value.transaction_partitions.map_or(0, |topics| topics.len());
        (value.transaction_status, value.producer_epoch, topics)
    };
    read.records.iter().map(|record| value(record.value.as_ref().unwrap())).collect()
}

/// (offset, whether it commits) of the markers in a partition of `orders`.
fn markers(node: &Node, index: i32) -> Vec<(i64, bool)> {
    let read = node.broker.read_as_coordinator("orders", index, 0, 1 << 20).unwrap();
    read.records.iter().filter_map(|record| Some((record.offset, record.control?))).collect()
}

fn is_cold(handled: Handled) -> bool {
    name(&handled) == "cold"
}

#[test]
fn a_whole_transaction_needs_no_coordinator() {
    let node = node();
    for (round, committed) in [true, false].into_iter().enumerate() {
        assert_eq!(added(add(&node, 0, "orders", &[1, 0, 1])), [1, 0]);
        // Nobody is asked: the partition is published.
        assert_eq!(produced(&node, 11, &batch("a", 0, round as i32)).0, 0);
        assert_eq!(ended(end(&node, 4, 0, committed), 4), (0, -1, -1));
    }
    assert_eq!(written(&node), [1, 2, 4, 1, 3, 5].map(|state| (state, 0, usize::from(state < 4))));
    assert_eq!(markers(&node, 0), [(1, true), (3, false)]);
    assert_eq!(markers(&node, 1), [(0, true), (1, false)]);
    assert_eq!(node.heard.take(), [], "nothing is told");
    let back = node.broker.take_back_transaction(PAYMENTS).unwrap();
    assert_eq!(back.transaction.state, TransactionState::CompleteAbort);
    assert_eq!((back.transaction.previous_producer_id, back.connection), (PRODUCER, 1));
    assert_eq!(node.broker.take_back_transaction(PAYMENTS), None);
}

#[test]
fn from_transaction_version_2_on_a_produce_adds_its_partition_and_the_end_raises_the_epoch() {
    let node = node();
    for epoch in 0..3 {
        assert_eq!(produced(&node, 12, &batch("a", epoch, 0)).0, 0);
        assert_eq!(ended(end(&node, 5, epoch, true), 5), (0, PRODUCER, epoch + 1));
    }
    let expected = (0..3).flat_map(|epoch| [(1, epoch, 1), (2, epoch + 1, 1), (4, epoch + 1, 0)]);
    assert_eq!(written(&node), expected.collect::<Vec<_>>());
    let back = node.broker.take_back_transaction(PAYMENTS).unwrap().transaction;
    assert_eq!((back.producer_epoch, back.last_producer_epoch, back.transaction_version), (3, 2, 2));
}

#[test]
fn whatever_is_not_plain_is_the_coordinators() {
    let mut node = node();
    assert!(is_cold(end(&node, 4, 0, true)), "nothing is open");
    assert!(is_cold(add(&node, 1, "orders", &[0])), "another epoch");
    assert!(is_cold(add(&node, 0, "orders", &[2])), "no such partition");
    assert!(is_cold(add(&node, 0, STATES, &[0])), "not for clients");
    added(add(&node, 0, "orders", &[0]));
    assert!(is_cold(end(&node, 4, 1, true)), "another epoch");
    node.topic_on("safe", &[vec![1]], &[("barnabas.durability", "fsync")]);
    added(add(&node, 0, "safe", &[0]));
    assert!(is_cold(end(&node, 4, 0, true)), "a marker would have to wait for the disk");
    assert_eq!(written(&node), [(1, 0, 1), (1, 0, 2)]);
    let open = node.broker.take_back_transaction(PAYMENTS).unwrap();
    assert_eq!(open.transaction.partitions.len(), 2);
    assert!(is_cold(add(&node, 0, "orders", &[0])), "it is not lent any more");
}

#[test]
fn a_request_by_a_connection_that_was_given_up_is_the_coordinators() {
    let node = node();
    node.broker.lend_transactions([LentTransaction { connection: 2, ..lent() }]);
    assert!(is_cold(add(&node, 0, "orders", &[0])));
    assert_eq!(produced(&node, 12, &batch("a", 0, 0)).0, 0);
    assert!(is_cold(end(&node, 4, 0, true)));
    assert_eq!(ended(end(&node, 5, 0, true), 5).0, 0, "the epoch tells one transaction from the next");
}

#[test]
fn used_up_epochs_are_the_coordinators() {
    let node = node();
    let mut used_up = lent();
    used_up.transaction.producer_epoch = i16::MAX - 1;
    node.broker.lend_transactions([used_up]);
    assert_eq!(produced(&node, 12, &batch("a", i16::MAX - 1, 0)).0, 0);
    assert!(is_cold(end(&node, 5, i16::MAX - 1, true)));
}

#[test]
fn markers_that_are_refused_leave_the_outcome_to_be_carried_on() {
    let node = node();
    added(add(&node, 0, "orders", &[0, 1]));
    // Somebody has spoken to partition 1 with a higher epoch.
    let fence = TransactionMarker {
        producer_id: PRODUCER,
        producer_epoch: 5,
        committed: false,
        coordinator_epoch: 0,
        transaction_version: 0,
    };
    node.broker.write_markers(&fence, &[("orders", 1)], node.now);
    assert!(is_cold(end(&node, 4, 0, true)));
    let back = node.broker.take_back_transaction(PAYMENTS).unwrap().transaction;
    assert_eq!(back.state, TransactionState::PrepareCommit);
    assert_eq!(back.partitions.len(), 2);
    assert_eq!(written(&node).last(), Some(&(2, 0, 1)));
}

#[test]
fn what_another_leadership_has_lent_is_worth_nothing() {
    let mut node = Node::new();
    node.register(2);
    let states = node.topic_on(STATES, &[vec![1]], &[]);
    node.topic("orders", 2);
    node.broker.lend_transactions([lent()]);
    node.change(states, 0, |record| record.leader = -1);
    assert!(is_cold(add(&node, 0, "orders", &[0])));
    node.change(states, 0, |record| record.leader = 1);
    assert!(is_cold(add(&node, 0, "orders", &[0])), "it leads again, in another epoch");
    assert_eq!(written(&node), []);
    assert_eq!(node.broker.forget_lent_transactions(0), 1, "the number of the latest connection");
    assert_eq!(node.broker.take_back_transaction(PAYMENTS), None);
}

#[test]
fn what_is_open_for_too_long_is_told() {
    let mut node = node();
    added(add(&node, 0, "orders", &[0]));
    assert_eq!(node.broker.overdue_transactions(node.now + 60_000), Vec::<String>::new());
    assert_eq!(node.broker.overdue_transactions(node.now + 60_001), [PAYMENTS]);
    node.now += 1;
    assert_eq!(ended(end(&node, 4, 0, false), 4).0, error_code::NONE);
    assert_eq!(node.broker.overdue_transactions(node.now + 60_001), Vec::<String>::new());
}

#[test]
fn what_was_published_is_withdrawn_when_the_id_is_taken_back() {
    let node = node();
    added(add(&node, 0, "orders", &[0]));
    node.broker.take_back_transaction(PAYMENTS);
    assert_eq!(verified(&node, 11, &batch("a", 0, 0), 0).error, 0);
}
