use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::group::subscription::NO_GENERATION;

fn member(id: &str, topics: &[&str]) -> Member {
    Member {
        id: id.to_string(),
        instance_id: None,
        topics: topics.iter().map(|&topic| Arc::from(topic)).collect(),
        owned: BTreeSet::new(),
        generation: NO_GENERATION,
        rack: None,
    }
}

fn counts(all: &[(&str, i32)]) -> Layout {
    all.iter().map(|&(topic, count)| (Arc::from(topic), count)).collect::<Counts>().into()
}

fn shown(shares: &Assignments) -> Vec<String> {
    let one = |(id, share): (&String, &BTreeSet<Partition>)| {
        let parts: Vec<String> = share.iter().map(|(topic, index)| format!("{topic}{index}")).collect();
        format!("{id}: {}", parts.join(" "))
    };
    shares.iter().map(one).collect()
}

#[test]
fn range_gives_consecutive_partitions_of_each_topic() {
    let members = [member("b", &["t", "u"]), member("a", &["t"])];
    let shares = Assignor::Range.assign(&members, &counts(&[("t", 3), ("u", 2)]));
    assert_eq!(shown(&shares), ["a: t0 t1", "b: t2 u0 u1"]);
}

#[test]
fn round_robin_passes_over_those_who_do_not_read_a_topic() {
    let members = [member("a", &["t"]), member("b", &["t", "u"]), member("c", &["u"])];
    let shares = Assignor::RoundRobin.assign(&members, &counts(&[("t", 3), ("u", 3)]));
    assert_eq!(shown(&shares), ["a: t0 t2", "b: t1 u0 u2", "c: u1"]);
}

#[test]
fn static_members_keep_their_place_under_another_id() {
    let mut members = [member("z", &["t"]), member("a", &["t"])];
    members[0].instance_id = Some("first".to_string());
    let shares = Assignor::Range.assign(&members, &counts(&[("t", 2)]));
    assert_eq!(shown(&shares), ["a: t1", "z: t0"]);
}

#[test]
fn of_two_who_had_a_partition_the_later_generation_is_right() {
    let mut members = [member("a", &["t"]), member("b", &["t"])];
    let both: BTreeSet<Partition> = [(Arc::from("t"), 0), (Arc::from("t"), 1)].into();
    (members[0].owned, members[0].generation) = (both.clone(), 3);
    (members[1].owned, members[1].generation) = ([(Arc::from("t"), 0)].into(), 4);
    let shares = Assignor::Sticky.assign(&members, &counts(&[("t", 2)]));
    assert_eq!(shown(&shares), ["a: t1", "b: t0"]);
}

#[test]
fn a_cooperative_member_gets_what_another_has_only_in_the_next_round() {
    let mut members = [member("a", &["t"]), member("b", &["t"])];
    members[0].owned = (0..4).map(|index| (Arc::from("t"), index)).collect();
    members[0].generation = 1;
    let topics = counts(&[("t", 4)]);
    let first = Assignor::CooperativeSticky.assign(&members, &topics);
    assert_eq!(shown(&first), ["a: t0 t1", "b: "]);
    members[0].owned = first["a"].clone();
    let second = Assignor::CooperativeSticky.assign(&members, &topics);
    assert_eq!(shown(&second), ["a: t0 t1", "b: t2 t3"]);
}

type Case = (Vec<(BTreeSet<Arc<str>>, BTreeSet<Partition>, i32, Option<Arc<str>>)>, Layout);

fn rack() -> impl Strategy<Value = Arc<str>> {
    prop::sample::select(vec!["a", "b", "c"]).prop_map(Arc::from)
}

/// Topics, and the racks of their partitions where `tells`.
fn layout(tells: bool, topics: BTreeMap<Arc<str>, Vec<BTreeSet<Arc<str>>>>) -> Layout {
    let counts = topics.iter().map(|(topic, racks)| (topic.clone(), racks.len() as i32)).collect();
    Layout { counts, racks: if tells { topics } else { Racks::new() } }
}

fn case() -> impl Strategy<Value = Case> {
    let name = || (0..4_usize).prop_map(|index| Arc::<str>::from(["t", "u", "v", "w"][index]));
    let topics = prop::collection::btree_set(name(), 0..4);
    let owned = prop::collection::btree_set((name(), 0..9), 0..9);
    let members = prop::collection::vec((topics, owned, -1..3, prop::option::of(rack())), 1..6);
    let racks = prop::collection::vec(prop::collection::btree_set(rack(), 0..3), 0..8);
    let topics = prop::collection::btree_map(name(), racks, 0..4);
    (members, (any::<bool>(), topics).prop_map(|(tells, topics)| layout(tells, topics)))
}

fn members_of(case: &Case) -> Vec<Member> {
    let one = |(index, (topics, owned, generation, rack)): (usize, &(_, _, i32, _))| Member {
        id: format!("m{index}"),
        instance_id: (index % 2 == 0).then(|| format!("i{index}")),
        topics: BTreeSet::clone(topics),
        owned: BTreeSet::clone(owned),
        generation: *generation,
        rack: Option::clone(rack),
    };
    case.0.iter().enumerate().map(one).collect()
}

proptest! {
    #[test]
    fn every_partition_has_one_reader_who_wants_it(case in case()) {
        let (mut members, layout) = (members_of(&case), &case.1);
        for assignor in Assignor::ALL {
            let shares = assignor.assign(&members, layout);
            let mut seen = BTreeSet::new();
            for member in &members {
                for partition in &shares[&member.id] {
                    prop_assert!(member.topics.contains(&partition.0));
                    prop_assert!(partition.1 < layout.counts[&partition.0]);
                    prop_assert!(seen.insert(partition.clone()), "{partition:?} twice");
                }
            }
            let all: BTreeSet<Partition> = layout
                .counts
                .iter()
                .filter(|(topic, _)| members.iter().any(|member| member.topics.contains(*topic)))
                .flat_map(|(topic, &count)| (0..count).map(move |index| (topic.clone(), index)))
                .collect();
            if assignor.is_cooperative() {
                for partition in all.difference(&seen) {
                    prop_assert!(members.iter().any(|member| member.owned.contains(partition)));
                }
            } else {
                prop_assert_eq!(&seen, &all);
            }
            members.reverse();
            prop_assert_eq!(assignor.assign(&members, layout), shares);
        }
    }

    #[test]
    fn sticky_shares_are_even_and_stay_as_they_are(case in case()) {
        let (mut members, layout) = (members_of(&case), &case.1);
        let shares = Assignor::Sticky.assign(&members, layout);
        for member in &members {
            let size = shares[&member.id].len();
            for (topic, _) in &shares[&member.id] {
                for other in members.iter().filter(|other| other.topics.contains(topic)) {
                    prop_assert!(shares[&other.id].len() + 1 >= size);
                }
            }
        }
        for member in &mut members {
            (member.owned, member.generation) = (shares[&member.id].clone(), 9);
        }
        prop_assert_eq!(&Assignor::Sticky.assign(&members, layout), &shares);
        // Without moves nothing is withheld.
        prop_assert_eq!(&Assignor::CooperativeSticky.assign(&members, layout), &shares);
    }

    #[test]
    fn cooperative_members_are_even_after_a_few_rounds(case in case()) {
        let (mut members, layout) = (members_of(&case), &case.1);
        for member in &mut members {
            member.owned.clear();
        }
        let first = members.len() / 2;
        // Where not everybody reads everything, a partition that arrives may send another one on.
        for round in 0..8 {
            let active = if round == 0 { &members[..first] } else { &members[..] };
            let shares = Assignor::CooperativeSticky.assign(active, layout);
            for member in &mut members {
                if let Some(share) = shares.get(&member.id) {
                    (member.owned, member.generation) = (share.clone(), round);
                }
            }
        }
        let shares = Assignor::CooperativeSticky.assign(&members, layout);
        prop_assert!(members.iter().all(|member| member.owned == shares[&member.id]));
    }
}
