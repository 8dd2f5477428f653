use super::*;
use crate::voters::Voter;
use barnabas_protocol::Uuid;
use proptest::prelude::*;

fn key(id: NodeId) -> ReplicaKey {
    ReplicaKey { id, directory_id: Uuid([id as u8; 16]) }
}

fn voters(ids: &[NodeId]) -> VoterSet {
    VoterSet::new(ids.iter().map(|&id| Voter { key: key(id), endpoints: Vec::new(), kraft_versions: (0, 1) }))
}

fn quorum(ids: &[NodeId], state: QuorumState) -> Quorum {
    Quorum::new(key(1), voters(ids), state, 1000, 42, 0)
}

#[test]
fn a_single_voter_leads_a_new_epoch_at_its_first_tick() {
    let mut quorum = quorum(&[1], QuorumState { epoch: 6, leader: Some(1), voted: None });
    assert_eq!(*quorum.role(), Role::Resigned);
    let effects = quorum.step(0, Event::Tick);
    let persist = Some(QuorumState { epoch: 7, leader: Some(1), voted: None });
    assert_eq!(effects, Effects { persist, requests: None, became_leader: true });
    assert_eq!(quorum.leader(), Some(1));
    assert_eq!(quorum.deadline(), None);
}

#[test]
fn a_leader_that_resigns_is_remembered_as_elected() {
    let mut quorum = quorum(&[1], QuorumState::default());
    quorum.step(0, Event::Tick);
    let effects = quorum.step(10, Event::Resign);
    assert_eq!(effects, Effects::default());
    assert_eq!(quorum.leader(), None);
    assert_eq!(quorum.state().leader, Some(1));
}

#[test]
fn of_three_voters_one_leads_after_a_pre_vote_and_a_vote() {
    let mut quorum = quorum(&[1, 2, 3], QuorumState { epoch: 4, leader: Some(2), voted: None });
    assert_eq!(quorum.step(0, Event::Tick), Effects::default(), "its deadline is not over");

    let now = quorum.deadline().unwrap();
    let asked = quorum.step(now, Event::Tick);
    let requests = VoteRequests { pre_vote: true, epoch: 4, to: vec![key(2), key(3)] };
    assert_eq!(asked, Effects { requests: Some(requests), ..Effects::default() });

    let granted = |epoch, pre_vote| Event::Vote { from: 3, epoch, pre_vote, granted: true };
    let stands = quorum.step(now, granted(4, true));
    let requests = VoteRequests { pre_vote: false, epoch: 5, to: vec![key(2), key(3)] };
    let persist = Some(QuorumState { epoch: 5, leader: None, voted: Some(key(1)) });
    assert_eq!(stands, Effects { persist, requests: Some(requests), became_leader: false });

    assert_eq!(quorum.step(now, granted(4, true)), Effects::default(), "an answer of the epoch before");
    assert!(quorum.step(now, granted(5, false)).became_leader);
    assert_eq!(*quorum.role(), Role::Leader { granted: [1, 3].into() });
}

#[test]
fn a_newer_epoch_ends_a_leadership() {
    let mut quorum = quorum(&[1], QuorumState::default());
    quorum.step(0, Event::Tick);
    let effects = quorum.step(1, Event::Epoch { epoch: 9, leader: Some(2) });
    assert_eq!(effects.persist, Some(QuorumState { epoch: 9, leader: Some(2), voted: None }));
    assert_eq!(*quorum.role(), Role::Follower { leader: 2 });
    assert_eq!(quorum.step(2, Event::Epoch { epoch: 8, leader: Some(3) }), Effects::default());
}

fn event() -> impl Strategy<Value = Event> {
    let epoch = -1..6i32;
    prop_oneof![
        Just(Event::Tick),
        Just(Event::Resign),
        (1..5i32, epoch.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(from, epoch, pre_vote, granted)| Event::Vote { from, epoch, pre_vote, granted }),
        (epoch, proptest::option::of(1..5i32)).prop_map(|(epoch, leader)| Event::Epoch { epoch, leader }),
    ]
}

proptest! {
    #[test]
    fn epochs_grow_votes_are_kept_and_what_changed_is_persisted(
        events in proptest::collection::vec((0..5000i64, event()), 0..60)
    ) {
        let mut quorum = quorum(&[1, 2, 3], QuorumState::default());
        let mut now = 0;
        for (passed, event) in events {
            now += passed;
            let before = quorum.state();
            let effects = quorum.step(now, event);
            let after = quorum.state();
            prop_assert!(after.epoch >= before.epoch);
            if after.epoch == before.epoch && before.voted.is_some() && after.leader.is_none() {
                prop_assert_eq!(after.voted, before.voted);
            }
            if after.epoch == before.epoch && before.leader.is_some() {
                prop_assert_eq!(after.leader, before.leader, "one leader in an epoch");
            }
            prop_assert_eq!(effects.persist, (after != before).then_some(after));
            if effects.became_leader {
                prop_assert!(quorum.is_leader() && after.epoch > 0);
            }
        }
    }
}
