//! Followers: progress, high watermark, ISR.

use barnabas_broker::leader::{Assignment, FollowerFetch, Leader};
use barnabas_broker::{error_code, Effect};
use barnabas_protocol::generated::fetch_request::{FetchRequest, ReplicaState};
use barnabas_protocol::Uuid;
use proptest::prelude::*;

use crate::fetch::{self, Answer};
use crate::harness::{batch, parked, Node, START};
use crate::produce;

/// Fetches partition 0 as a follower, without waiting.
pub(crate) fn follower_fetch(
    node: &Node,
    id: Uuid,
    replica: i32,
    offset: i64,
    log_start_offset: i64,
) -> Answer {
    let mut wanted = fetch::partition(0, offset);
    wanted.log_start_offset = log_start_offset;
    let asked = FetchRequest {
        replica_state: ReplicaState { replica_id: replica, replica_epoch: 7 },
        max_wait_ms: 0,
        ..fetch::request(id, vec![wanted])
    };
    fetch::answers(fetch::send(node, 17, &asked), 17).partitions.remove(0)
}

fn two_replicas() -> (Node, Uuid) {
    let mut node = Node::new();
    node.register(2);
    let id = node.topic_on("orders", &[vec![1, 2]], &[]);
    (node, id)
}

#[test]
fn acks_all_is_answered_when_the_follower_has_fetched_beyond() {
    let (node, id) = two_replicas();
    let records = batch(&["a", "b"]);
    let (_, state) = parked(produce::send(&node, 12, &produce::request("orders", &[(0, &records)], -1)));
    let fetched = follower_fetch(&node, id, 2, 0, 0);
    assert_eq!(
        (fetched.offsets(), fetched.high_watermark),
        (Some((0, 1)), 0),
        "followers read to the log end"
    );
    assert_eq!(node.wakes.count(), 0);
    assert_eq!(follower_fetch(&node, id, 2, 2, 0).offsets(), None);
    assert_eq!(node.wakes.count(), 1);
    assert_eq!(produce::answers(node.resume(state), 12)[0].error, 0);
    assert_eq!(follower_fetch(&node, id, 2, 2, 0).high_watermark, 2);
}

#[test]
fn a_consumer_sees_no_more_than_the_high_watermark() {
    let (node, id) = two_replicas();
    let records = batch(&["a"]);
    for _ in 0..2 {
        produce::send(&node, 12, &produce::request("orders", &[(0, &records)], 1));
    }
    let consume = |offset| {
        let asked = FetchRequest { max_wait_ms: 0, ..fetch::request(id, vec![fetch::partition(0, offset)]) };
        fetch::answers(fetch::send(&node, 13, &asked), 13).partitions.remove(0)
    };
    assert_eq!((consume(0).offsets(), consume(0).high_watermark), (None, 0));
    follower_fetch(&node, id, 2, 1, 0);
    assert_eq!((consume(0).offsets(), consume(0).high_watermark), (Some((0, 0)), 1));
    assert_eq!(consume(2).error, 0, "beyond the high watermark is no error, only empty");
}

#[test]
fn a_follower_that_is_no_replica_asks_again() {
    let (node, id) = two_replicas();
    assert_eq!(follower_fetch(&node, id, 9, 0, 0).error, error_code::NOT_LEADER_OR_FOLLOWER);
    let mut wanted = fetch::partition(0, 0);
    wanted.current_leader_epoch = 0;
    let asked = FetchRequest {
        replica_state: ReplicaState { replica_id: 9, replica_epoch: 7 },
        ..fetch::request(id, vec![wanted])
    };
    let fetched = fetch::answers(fetch::send(&node, 17, &asked), 17);
    assert_eq!(fetched.partitions[0].error, error_code::UNKNOWN_LEADER_EPOCH);
}

#[test]
fn a_replica_that_lags_is_proposed_out_and_comes_back_when_it_has_caught_up() {
    let (mut node, id) = two_replicas();
    let records = batch(&["a"]);
    let (_, state) = parked(produce::send(&node, 12, &produce::request("orders", &[(0, &records)], -1)));
    node.now += 31_000;
    node.broker.tick(node.now);
    let [Effect::AlterIsr { topic_id, index: 0, proposal }] = &proposals(&node)[..] else {
        panic!("one proposal")
    };
    assert_eq!((*topic_id, &proposal.isr[..]), (id, &[(1, -1)][..]));
    node.change(id, 0, |change| change.isr = Some(vec![1]));
    assert_eq!(produce::answers(node.resume(state), 12)[0].error, 0, "the ISR that is left has it");
    follower_fetch(&node, id, 2, 0, 0);
    assert_eq!(proposals(&node), []);
    follower_fetch(&node, id, 2, 1, 0);
    let [Effect::AlterIsr { proposal, .. }] = &proposals(&node)[..] else { panic!("one proposal") };
    assert_eq!(proposal.isr, [(1, -1), (2, 7)]);
    follower_fetch(&node, id, 2, 1, 0);
    assert_eq!(proposals(&node), [], "one proposal at a time");
}

fn proposals(node: &Node) -> Vec<Effect> {
    let effects = node.broker.take_effects();
    effects.into_iter().filter(|effect| matches!(effect, Effect::AlterIsr { .. })).collect()
}

#[test]
fn a_new_leader_keeps_the_high_watermark_it_knew() {
    let mut node = Node::new();
    node.register(2);
    let id = node.topic_on("orders", &[vec![1]], &[]);
    let records = batch(&["a"]);
    produce::produce(&node, "orders", 0, &records);
    node.change(id, 0, |change| {
        change.replicas = Some(vec![1, 2]);
        change.isr = Some(vec![1, 2]);
        change.directories = Some(vec![Uuid::DIRECTORY_UNASSIGNED; 2]);
        change.leader = 1;
    });
    produce::send(&node, 12, &produce::request("orders", &[(0, &records)], 1));
    let fetched = follower_fetch(&node, id, 2, 0, 0);
    assert_eq!((fetched.high_watermark, fetched.error), (1, 0));
}

/// A step in the life of a leader with followers 2 and 3.
#[derive(Debug, Clone)]
enum Step {
    Append(i64),
    Fetch { replica: i32, offset: i64 },
    Wait(i64),
    Accept,
    Refuse,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..5_i64).prop_map(Step::Append),
        (2..=3_i32, 0..100_i64).prop_map(|(replica, offset)| Step::Fetch { replica, offset }),
        (1..40_000_i64).prop_map(Step::Wait),
        Just(Step::Accept),
        Just(Step::Refuse),
    ]
}

proptest! {
    /// The high watermark never goes back, and whatever is below it every member of the ISR holds.
    #[test]
    fn the_isr_holds_everything_below_the_high_watermark(steps in proptest::collection::vec(step(), 1..60)) {
        let (lag, mut now, mut end, mut high_watermark) = (30_000, START, 0, 0);
        let mut assignment = Assignment {
            replicas: vec![1, 2, 3],
            isr: vec![1, 2, 3],
            leader_epoch: 4,
            partition_epoch: 4,
            eligible: vec![1, 2, 3],
        };
        let mut leader = Leader::new(1, &assignment, end, now);
        let mut proposal = None;
        // What each follower truly holds: it never gives up what it has.
        let mut held = [0_i64; 4];
        for step in steps {
            match step {
                Step::Append(count) => end += count,
                Step::Wait(ms) => now += ms,
                Step::Fetch { replica, offset } => {
                    let fetch_offset = offset.min(end).max(held[replica as usize]);
                    held[replica as usize] = fetch_offset;
                    let fetch = FollowerFetch { replica, fetch_offset, log_start_offset: 0, broker_epoch: 7 };
                    prop_assert!(leader.follower_fetched(&fetch, end, now));
                    proposal = leader.propose_to_add(replica, high_watermark).or(proposal);
                }
                Step::Refuse => {
                    leader.proposal_failed();
                    proposal = None;
                }
                Step::Accept => {
                    if let Some(accepted) = proposal.take() {
                        let accepted: barnabas_broker::leader::IsrProposal = accepted;
                        assignment.isr = accepted.isr.iter().map(|(member, _)| *member).collect();
                        assignment.partition_epoch += 1;
                        leader.set_assignment(&assignment, now);
                    }
                }
            }
            proposal = leader.propose_to_drop(end, lag, now).or(proposal);
            let next = leader.high_watermark(high_watermark, end, 1, lag, now);
            prop_assert!(next >= high_watermark && next <= end);
            high_watermark = next;
            for member in assignment.isr.iter().filter(|member| **member != 1) {
                prop_assert!(held[*member as usize] >= high_watermark, "{member} lacks what is committed");
            }
        }
    }
}
