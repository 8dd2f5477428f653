//! Who reads what: the assignors of classic groups, computed by the member that the coordinator made the leader.
//!
//! Always true:
//!   every partition of a topic that somebody reads is given to exactly one member that reads the topic; with
//!   `cooperative-sticky` to one at most, for who has it must give it up first
//!   the order in which members are listed does not matter

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cluster::Cluster;
use crate::fetch_session::Partition;
use crate::group::sticky;
use crate::group::subscription::Member;

/// How many partitions topics have; those that don't exist are left out.
pub type Counts = BTreeMap<Arc<str>, i32>;
/// What each member is given, by its id.
pub type Assignments = BTreeMap<String, BTreeSet<Partition>>;

/// An assignor, by the name that members agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignor {
    /// Consecutive partitions of each topic.
    Range,
    /// All partitions in turn.
    RoundRobin,
    /// Even shares, and as few moves as they allow.
    Sticky,
    /// The same, without stopping those whose partitions don't move (KIP-429).
    CooperativeSticky,
}

impl Assignor {
    /// All of them.
    pub const ALL: [Assignor; 4] =
        [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky, Assignor::CooperativeSticky];

    /// As the protocol names it.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Range => "range",
            Assignor::RoundRobin => "roundrobin",
            Assignor::Sticky => "sticky",
            Assignor::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The assignor of a name.
    pub fn from_name(name: &str) -> Option<Assignor> {
        Assignor::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// Whether members may keep partitions while the group is rebalancing.
    pub fn is_cooperative(self) -> bool {
        self == Assignor::CooperativeSticky
    }

    /// Shares the partitions out.
    pub fn assign(self, members: &[Member], counts: &Counts) -> Assignments {
        let members = sorted(members);
        match self {
            Assignor::Range => range(&members, counts),
            Assignor::RoundRobin => round_robin(&members, counts),
            Assignor::Sticky => sticky::assign(&members, counts),
            Assignor::CooperativeSticky => {
                let mut shares = sticky::assign(&members, counts);
                withhold_owned(&members, &mut shares);
                shares
            }
        }
    }
}

/// Static members first, by their names, which outlive their ids: so a restart moves nothing.
fn sorted(members: &[Member]) -> Vec<&Member> {
    let mut sorted: Vec<&Member> = members.iter().collect();
    sorted.sort_by_key(|member| (member.instance_id.is_none(), &member.instance_id, &member.id));
    sorted
}

fn nothing(members: &[&Member]) -> Assignments {
    members.iter().map(|member| (member.id.clone(), BTreeSet::new())).collect()
}

fn range(members: &[&Member], counts: &Counts) -> Assignments {
    let mut shares = nothing(members);
    for (topic, &count) in counts {
        let readers: Vec<_> = members.iter().filter(|member| member.topics.contains(topic)).collect();
        let (mut next, size) = (0, readers.len() as i32);
        for (index, member) in (0..).zip(readers) {
            let share = count / size + i32::from(index < count % size);
            if let Some(mine) = shares.get_mut(&member.id) {
                mine.extend((next..next + share).map(|partition| (topic.clone(), partition)));
            }
            next += share;
        }
    }
    shares
}

fn round_robin(members: &[&Member], counts: &Counts) -> Assignments {
    let mut shares = nothing(members);
    let mut turn = 0;
    for (topic, &count) in counts {
        if !members.iter().any(|member| member.topics.contains(topic)) {
            continue;
        }
        for partition in 0..count {
            while !members[turn % members.len()].topics.contains(topic) {
                turn += 1;
            }
            if let Some(mine) = shares.get_mut(&members[turn % members.len()].id) {
                mine.insert((topic.clone(), partition));
            }
            turn += 1;
        }
    }
    shares
}

/// Takes out of each share what another member has: it is given in the next round, once that one has let go.
fn withhold_owned(members: &[&Member], shares: &mut Assignments) {
    let mut owners: BTreeMap<&Partition, Vec<&str>> = BTreeMap::new();
    for member in members {
        for partition in &member.owned {
            owners.entry(partition).or_default().push(&member.id);
        }
    }
    for (id, share) in shares {
        share.retain(|partition| owners.get(partition).is_none_or(|owners| owners.contains(&id.as_str())));
    }
}

/// How many partitions the topics have; None while that is not known of all.
pub fn counts_of(topics: &BTreeSet<Arc<str>>, cluster: &Cluster) -> Option<Counts> {
    let mut counts = Counts::new();
    for topic in topics {
        let known = cluster.topic(topic)?;
        if !known.partitions.is_empty() {
            counts.insert(topic.clone(), known.partitions.len() as i32);
        }
    }
    Some(counts)
}

#[cfg(test)]
mod tests;
