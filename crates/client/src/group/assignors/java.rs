//! The same groups as Apache Kafka's own assignors have shared out for, in `java.txt`
//! (`tests/conformance/groups/test_assignors.py`).

use super::*;
use crate::group::subscription::NO_GENERATION;

const JAVA: &str = include_str!("java.txt");

/// A group, what Java's assignors gave, and how many partitions its sticky one put near their readers.
#[derive(Default)]
struct Case {
    members: Vec<Member>,
    layout: Layout,
    given: BTreeMap<String, Assignments>,
    near: usize,
}

fn words(text: &str, by: char) -> Vec<&str> {
    text.split(by).filter(|word| *word != "-" && !word.is_empty()).collect()
}

fn case(text: &str) -> Case {
    let mut case = Case::default();
    for line in text.lines() {
        let parts: Vec<&str> = line.split(' ').collect();
        match parts[..] {
            ["topic", name, ref racks @ ..] if !racks.is_empty() => {
                let sets = racks.iter().map(|racks| words(racks, '+').into_iter().map(Arc::from).collect());
                case.layout.counts.insert(name.into(), racks.len() as i32);
                case.layout.racks.insert(name.into(), sets.collect());
            }
            ["topic", _] => {}
            ["member", id, instance, rack, topics] => case.members.push(Member {
                id: id.to_string(),
                instance_id: words(instance, ' ').first().map(ToString::to_string),
                topics: words(topics, ',').into_iter().map(Arc::from).collect(),
                owned: BTreeSet::new(),
                generation: NO_GENERATION,
                rack: words(rack, ' ').first().map(|&rack| Arc::from(rack)),
            }),
            ["sticky", near] => case.near = near.parse().unwrap(),
            [assignor, member, share] => {
                let share =
                    words(share, ',').into_iter().map(|p| (Arc::from(&p[..1]), p[1..].parse().unwrap()));
                let given = case.given.entry(assignor.to_string()).or_default();
                given.insert(member.to_string(), share.collect());
            }
            _ => panic!("{line}"),
        }
    }
    case
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = JAVA.trim().split("\n\n").map(case).collect();
    assert!(cases.len() >= 100);
    cases
}

#[test]
fn range_and_round_robin_give_what_java_gives() {
    for case in cases() {
        for (name, given) in &case.given {
            let shares = Assignor::from_name(name).unwrap().assign(&case.members, &case.layout);
            assert_eq!(&shares, given, "{name} {:?} {:?}", case.members, case.layout);
        }
    }
}

/// Partitions that are read in their reader's own rack.
fn near(case: &Case, shares: &Assignments) -> usize {
    let of = |member: &Member| {
        let has_rack = member.rack.is_some();
        shares[&member.id]
            .iter()
            .filter(|(topic, i)| has_rack && case.layout.is_near(member, topic, *i))
            .count()
    };
    case.members.iter().map(of).sum()
}

/// Java's takes longer to find the last ones, where members do not read the same topics.
#[test]
fn sticky_brings_nearly_as_many_near_as_java() {
    let (mut ours, mut javas) = (0, 0);
    for case in cases() {
        ours += near(&case, &Assignor::Sticky.assign(&case.members, &case.layout));
        javas += case.near;
    }
    assert!(ours * 100 >= javas * 98, "{ours} here, {javas} there");
}
