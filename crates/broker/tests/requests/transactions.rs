//! Transactional Produce: the first batch of a transaction in a partition waits for its coordinator's word.

use barnabas_broker::{error_code, CoordinatorEvent, TransactionCheck};
use barnabas_protocol::batch_builder::BuilderConfig;
use barnabas_protocol::generated::produce_request::ProduceRequest;

use crate::harness::{batch_with, idempotent, parked, Node};
use crate::produce::{answers, request, send, Answer};

pub(crate) const PAYMENTS: &str = "payments";

pub(crate) const PRODUCER: i64 = 9;

/// A transactional batch of one record.
pub(crate) fn batch(value: &str, epoch: i16, sequence: i32) -> Vec<u8> {
    let config = BuilderConfig {
        producer_id: PRODUCER,
        producer_epoch: epoch,
        base_sequence: sequence,
        transactional: true,
        ..BuilderConfig::default()
    };
    batch_with(&[value], config)
}

pub(crate) fn transactional<'a>(partitions: &[(i32, &'a [u8])]) -> ProduceRequest<'a> {
    ProduceRequest { transactional_id: Some(PAYMENTS), ..request("orders", partitions, 1) }
}

fn orders() -> Node {
    let mut node = Node::new();
    node.topic("orders", 2);
    node
}

/// The one question that was asked since the last time.
pub(crate) fn question(node: &Node) -> TransactionCheck {
    match &node.heard.take()[..] {
        [CoordinatorEvent::TransactionCheck(check)] => check.clone(),
        other => panic!("not one question: {other:?}"),
    }
}

/// (error, base offset) of a Produce to partition 0 that is verified with `verdict` meanwhile.
pub(crate) fn verified(node: &Node, version: i16, records: &[u8], verdict: i16) -> Answer {
    let (_, state) = parked(send(node, version, &transactional(&[(0, records)])));
    node.broker.transaction_checked(question(node).id, vec![verdict]);
    answers(node.resume(state), version).remove(0)
}

/// A Produce to partition 0 that nobody has to be asked about.
pub(crate) fn produced(node: &Node, version: i16, records: &[u8]) -> (i16, i64) {
    let answer = answers(send(node, version, &transactional(&[(0, records)])), version).remove(0);
    assert_eq!(node.heard.take(), []);
    (answer.error, answer.base_offset)
}

#[test]
fn a_first_batch_waits_for_its_coordinator_and_those_behind_it_do_not() {
    for (version, add) in [(11, false), (12, true)] {
        let node = orders();
        let records = batch("a", 0, 0);
        let (deadline, state) = parked(send(&node, version, &transactional(&[(1, &records)])));
        assert_eq!(deadline, node.now + 30_000);
        let check = question(&node);
        let expected = TransactionCheck {
            id: check.id,
            transactional_id: PAYMENTS.to_string(),
            producer_id: PRODUCER,
            producer_epoch: 0,
            partitions: vec![("orders".into(), 1)],
            add,
        };
        assert_eq!(check, expected);
        let (_, state) = parked(node.resume(state));
        node.broker.transaction_checked(check.id, vec![0]);
        assert_eq!(node.wakes.count(), 1);
        assert_eq!(answers(node.resume(state), version)[0].base_offset, 0);
        let more = batch("b", 0, 1);
        let second = answers(send(&node, version, &transactional(&[(1, &more)])), version);
        assert_eq!((second[0].error, second[0].base_offset), (0, 1));
        assert_eq!(node.heard.take(), []);
    }
}

#[test]
fn all_partitions_of_a_request_are_asked_about_at_once_and_answered_alone() {
    let node = orders();
    let records = batch("a", 0, 0);
    let plain = idempotent(&["p"], 5, 0, 0);
    assert_eq!(verified(&node, 11, &records, 0).error, 0);
    let (_, state) =
        parked(send(&node, 11, &transactional(&[(0, &batch("b", 0, 1)), (1, &records), (7, &records)])));
    let check = question(&node);
    assert_eq!(check.partitions, [("orders".into(), 1)], "0 is open already, 7 does not exist");
    node.broker.transaction_checked(check.id, vec![error_code::TRANSACTION_ABORTABLE]);
    let answered = answers(node.resume(state), 11);
    let errors: Vec<_> = answered.iter().map(|answer| (answer.index, answer.error)).collect();
    let unknown = error_code::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(errors, [(0, 0), (1, error_code::TRANSACTION_ABORTABLE), (7, unknown)]);
    assert_eq!(crate::produce::produce(&node, "orders", 1, &plain), (0, 0), "nothing was written there");
}

#[test]
fn a_coordinators_errors_are_told_as_each_version_knows_them() {
    let cases = [
        (error_code::INVALID_TXN_STATE, 12, error_code::INVALID_TXN_STATE),
        (error_code::TRANSACTION_ABORTABLE, 10, error_code::INVALID_TXN_STATE),
        (error_code::TRANSACTION_ABORTABLE, 11, error_code::TRANSACTION_ABORTABLE),
        (error_code::PRODUCER_FENCED, 12, error_code::INVALID_PRODUCER_EPOCH),
        (error_code::INVALID_PRODUCER_EPOCH, 12, error_code::INVALID_PRODUCER_EPOCH),
        (error_code::INVALID_PRODUCER_ID_MAPPING, 12, error_code::INVALID_PRODUCER_ID_MAPPING),
        (error_code::NOT_COORDINATOR, 12, error_code::NOT_ENOUGH_REPLICAS),
        (error_code::COORDINATOR_NOT_AVAILABLE, 12, error_code::NOT_ENOUGH_REPLICAS),
        (error_code::COORDINATOR_LOAD_IN_PROGRESS, 11, error_code::NOT_ENOUGH_REPLICAS),
        (error_code::CONCURRENT_TRANSACTIONS, 11, error_code::NOT_ENOUGH_REPLICAS),
        (error_code::CONCURRENT_TRANSACTIONS, 12, error_code::CONCURRENT_TRANSACTIONS),
    ];
    for (said, version, told) in cases {
        let node = orders();
        let answer = verified(&node, version, &batch("a", 0, 0), said);
        assert_eq!((answer.error, answer.base_offset, answer.log_start_offset), (told, -1, -1), "{said}");
        assert_eq!(produced_offsets(&node), 0, "nothing was appended");
    }
}

/// Records in partition 0.
fn produced_offsets(node: &Node) -> i64 {
    crate::produce::produce(node, "orders", 0, &idempotent(&["last"], 77, 0, 0)).1
}

#[test]
fn without_an_answer_the_client_tries_again() {
    let mut node = orders();
    let (deadline, state) = parked(send(&node, 12, &transactional(&[(0, &batch("a", 0, 0))])));
    let check = question(&node);
    node.now = deadline;
    let answer = answers(node.resume(state), 12).remove(0);
    assert_eq!(answer.error, error_code::NOT_ENOUGH_REPLICAS);
    node.broker.transaction_checked(check.id, vec![0]);
    assert_eq!(node.wakes.count(), 0, "the answer came too late");
}

#[test]
fn batches_that_overtake_are_refused_until_the_first_is_there() {
    for version in [11, 12] {
        let node = orders();
        let (_, first) = parked(send(&node, version, &transactional(&[(0, &batch("a", 0, 0))])));
        let asked_first = question(&node).id;
        let (_, second) = parked(send(&node, version, &transactional(&[(0, &batch("b", 0, 1))])));
        node.broker.transaction_checked(question(&node).id, vec![0]);
        let out_of_order = error_code::OUT_OF_ORDER_SEQUENCE_NUMBER;
        assert_eq!(answers(node.resume(second), version)[0].error, out_of_order);
        node.broker.transaction_checked(asked_first, vec![0]);
        assert_eq!(answers(node.resume(first), version)[0].base_offset, 0);
        assert_eq!(produced(&node, version, &batch("b", 0, 1)), (0, 1));
    }
}

#[test]
fn with_an_epoch_for_each_transaction_it_begins_with_sequence_0() {
    let node = orders();
    let out_of_order = error_code::OUT_OF_ORDER_SEQUENCE_NUMBER;
    assert_eq!(verified(&node, 12, &batch("a", 0, 5), 0).error, out_of_order);
    let node = orders();
    assert_eq!(verified(&node, 11, &batch("a", 0, 5), 0).error, 0);
}

#[test]
fn a_request_has_one_transactional_producer() {
    let node = orders();
    let one = batch("a", 0, 0);
    let other = batch("a", 1, 0);
    let answered = answers(send(&node, 12, &transactional(&[(0, &one), (1, &other)])), 12);
    let error = error_code::INVALID_PRODUCER_ID_MAPPING;
    assert_eq!(answered.iter().map(|answer| answer.error).collect::<Vec<_>>(), [error, error]);
    assert_eq!(node.heard.take(), []);
}

#[test]
fn what_needs_no_verification_is_not_asked_about() {
    let node = orders();
    node.broker.set_transaction_verification(false);
    assert_eq!(produced(&node, 11, &batch("a", 0, 0)), (0, 0));
    let answer = {
        let (_, state) = parked(send(&node, 12, &transactional(&[(1, &batch("a", 0, 0))])));
        node.broker.transaction_checked(question(&node).id, vec![0]);
        answers(node.resume(state), 12).remove(0)
    };
    assert_eq!(answer.error, 0, "clients of transaction version 2 rely on the question all the same");
}
