//! Incremental fetch sessions, by example and against a model.

use std::collections::BTreeMap;

use barnabas_broker::error_code;
use barnabas_protocol::generated::fetch_request::{FetchPartition, FetchRequest, ForgottenTopic};
use proptest::prelude::*;

use crate::fetch::{answers, partition, request, send, three_batches, Answers};
use crate::harness::{batch, Node};
use crate::produce::produce;
use barnabas_protocol::Uuid;

fn ask(
    node: &Node,
    id: Uuid,
    session: (i32, i32),
    partitions: Vec<FetchPartition>,
    forget: &[i32],
) -> Answers {
    let forgotten = ForgottenTopic { topic: "orders", topic_id: id, partitions: forget.to_vec() };
    let asked = FetchRequest {
        session_id: session.0,
        session_epoch: session.1,
        max_wait_ms: 0,
        forgotten_topics_data: if forget.is_empty() { Vec::new() } else { vec![forgotten] },
        ..request(id, partitions)
    };
    answers(send(node, 13, &asked), 13)
}

fn indexes(answers: &Answers) -> Vec<i32> {
    answers.partitions.iter().map(|partition| partition.index).collect()
}

#[test]
fn only_what_changed_is_answered() {
    let (node, id) = three_batches();
    let first = ask(&node, id, (0, 0), vec![partition(0, 0), partition(1, 0)], &[]);
    assert_eq!(indexes(&first), [0, 1]);
    let session = first.session_id;
    assert_ne!(session, 0);
    let again = ask(&node, id, (session, 1), vec![], &[]);
    assert_eq!(indexes(&again), [0], "its records were not fetched yet");
    assert_eq!(indexes(&ask(&node, id, (session, 2), vec![partition(0, 6)], &[])), [0; 0]);
    produce(&node, "orders", 1, &batch(&["a"]));
    assert_eq!(indexes(&ask(&node, id, (session, 3), vec![], &[])), [1]);
    assert_eq!(indexes(&ask(&node, id, (session, 4), vec![partition(1, 1)], &[])), [0; 0]);
    let error = ask(&node, id, (session, 5), vec![partition(0, 99)], &[]);
    assert_eq!(error.partitions[0].error, error_code::OFFSET_OUT_OF_RANGE);
    assert_eq!(
        indexes(&ask(&node, id, (session, 6), vec![], &[])),
        [0],
        "an error is told until it is mended"
    );
    assert_eq!(
        indexes(&ask(&node, id, (session, 7), vec![partition(0, 6)], &[])),
        [0],
        "and its end as well"
    );
    assert_eq!(indexes(&ask(&node, id, (session, 8), vec![], &[0])), [0; 0]);
    let end = ask(&node, id, (session, 9), vec![], &[1]);
    assert_eq!((end.error, end.session_id), (0, 0), "a session without partitions is over");
    let late = ask(&node, id, (session, 10), vec![], &[]);
    assert_eq!(late.error, error_code::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn a_request_that_does_not_fit_its_session_is_refused() {
    let (node, id) = three_batches();
    let session = ask(&node, id, (0, 0), vec![partition(0, 0)], &[]).session_id;
    assert_eq!(ask(&node, id, (session, 9), vec![], &[]).error, error_code::INVALID_FETCH_SESSION_EPOCH);
    assert_eq!(ask(&node, id, (session ^ 1, 1), vec![], &[]).error, error_code::FETCH_SESSION_ID_NOT_FOUND);
    let by_name = FetchRequest { session_id: session, session_epoch: 1, ..request(id, vec![]) };
    assert_eq!(answers(send(&node, 12, &by_name), 12).error, error_code::FETCH_SESSION_TOPIC_ID_ERROR);
    let closed = ask(&node, id, (session, -1), vec![], &[]);
    assert_eq!((closed.error, closed.session_id, closed.partitions.len()), (0, 0, 0));
    assert_eq!(node.broker.fetch_sessions(), (0, 0));
}

#[test]
fn the_cache_is_bounded_and_old_sessions_make_room() {
    let mut node = Node::with(1, |settings| settings.fetch_session_slots = 2);
    let id = node.topic("orders", 3);
    let small = || vec![partition(0, 0)];
    let first = ask(&node, id, (0, 0), small(), &[]).session_id;
    let second = ask(&node, id, (0, 0), small(), &[]).session_id;
    assert!(first != 0 && second != 0 && first != second);
    assert_eq!(ask(&node, id, (0, 0), small(), &[]).session_id, 0, "no room, and nobody is old");
    node.now += 100_000;
    assert_eq!(ask(&node, id, (second, 1), vec![], &[]).error, 0);
    node.now += 30_000;
    assert_ne!(ask(&node, id, (0, 0), small(), &[]).session_id, 0, "the first was not used for two minutes");
    assert_eq!(ask(&node, id, (first, 1), vec![], &[]).error, error_code::FETCH_SESSION_ID_NOT_FOUND);
    assert_eq!(ask(&node, id, (second, 2), vec![], &[]).error, 0);
    let larger = ask(&node, id, (0, 0), vec![partition(0, 0), partition(1, 0)], &[]).session_id;
    assert_ne!(larger, 0, "larger sessions put out smaller ones that are old");
    assert_eq!(ask(&node, id, (second, 3), vec![], &[]).error, error_code::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn partitions_with_records_go_behind_the_others() {
    let mut node = Node::new();
    let id = node.topic("orders", 2);
    for index in [0, 1] {
        produce(&node, "orders", index, &batch(&["a"]));
    }
    let small = |index, offset| FetchPartition { partition_max_bytes: 1, ..partition(index, offset) };
    let session = ask(&node, id, (0, 0), vec![small(0, 1), small(1, 1)], &[]).session_id;
    let asked = |epoch, partitions| {
        let asked = FetchRequest {
            session_id: session,
            session_epoch: epoch,
            max_bytes: 1,
            max_wait_ms: 0,
            ..request(id, partitions)
        };
        indexes(&answers(send(&node, 13, &asked), 13))
    };
    assert_eq!(asked(1, vec![small(0, 0), small(1, 0)]), [0]);
    assert_eq!(asked(2, vec![]), [1]);
    assert_eq!(asked(3, vec![]), [0]);
}

/// One step of a client with a session.
#[derive(Debug, Clone)]
enum Step {
    Produce(i32),
    Fetch { move_to_end: Vec<i32>, add: Option<i32>, forget: Option<i32> },
}

fn step() -> impl Strategy<Value = Step> {
    let index = 0..4;
    prop_oneof![
        index.clone().prop_map(Step::Produce),
        (
            proptest::collection::vec(index.clone(), 0..3),
            proptest::option::of(index.clone()),
            proptest::option::of(index)
        )
            .prop_map(|(move_to_end, add, forget)| Step::Fetch { move_to_end, add, forget }),
    ]
}

/// What the client wants and knows of a partition.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Known {
    offset: i64,
    high_watermark: i64,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The client of a session knows the same high watermarks, and gets the same records, as one that asks for
    /// everything each time.
    #[test]
    fn a_session_tells_as_much_as_full_fetches(steps in proptest::collection::vec(step(), 1..40)) {
        let mut node = Node::new();
        let id = node.topic("orders", 4);
        let mut ends = [0_i64; 4];
        let mut known: BTreeMap<i32, Known> = BTreeMap::new();
        known.insert(0, Known { offset: 0, high_watermark: 0 });
        let mut session = ask(&node, id, (0, 0), vec![partition(0, 0)], &[]).session_id;
        let mut epoch = 1;
        for step in steps {
            let Step::Fetch { move_to_end, add, forget } = step else {
                let Step::Produce(index) = step else { continue };
                produce(&node, "orders", index, &batch(&["a"]));
                ends[index as usize] += 1;
                continue;
            };
            let mut sent = Vec::new();
            for index in move_to_end {
                if let Some(known) = known.get_mut(&index) {
                    known.offset = ends[index as usize];
                    sent.push(partition(index, known.offset));
                }
            }
            if let Some(index) = add.filter(|index| !known.contains_key(index)) {
                known.insert(index, Known { offset: 0, high_watermark: -1 });
                sent.push(partition(index, 0));
            }
            let forget = forget.filter(|index| known.remove(index).is_some());
            let fetched = ask(&node, id, (session, epoch), sent, forget.as_slice());
            prop_assert_eq!(fetched.error, 0);
            epoch += 1;
            // With its last partition a session ends: what the request itself named is answered then.
            let ended = known.is_empty();
            for answer in fetched.partitions.iter().filter(|_| !ended) {
                let known = known.get_mut(&answer.index).expect("only what is in the session");
                let has_news = answer.high_watermark != known.high_watermark || !answer.records.is_empty();
                prop_assert!(has_news, "{answer:?}");
                known.high_watermark = answer.high_watermark;
            }
            for (index, known) in &known {
                let end = ends[*index as usize];
                prop_assert_eq!(known.high_watermark, end);
                let answer = fetched.partitions.iter().find(|answer| answer.index == *index);
                let offsets = answer.and_then(|answer| answer.offsets());
                let expected = (known.offset < end).then_some((known.offset, end - 1));
                prop_assert_eq!(offsets, expected);
            }
            if known.is_empty() {
                prop_assert_eq!(fetched.session_id, 0);
                known.insert(0, Known { offset: ends[0], high_watermark: ends[0] });
                session = ask(&node, id, (0, 0), vec![partition(0, ends[0])], &[]).session_id;
                epoch = 1;
            }
        }
    }
}
