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

mod range;
use crate::group::subscription::Member;

/// How many partitions topics have; those that don't exist are left out.
pub type Counts = BTreeMap<Arc<str>, i32>;
/// Where the replicas of each partition of topics are; empty where no broker tells its rack.
pub type Racks = BTreeMap<Arc<str>, Vec<BTreeSet<Arc<str>>>>;

/// What is to be shared out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// How many partitions.
    pub counts: Counts,
    /// Where they are.
    pub racks: Racks,
}

impl Layout {
    /// Whether the member can read the partition in its own rack. One that has told no rack is near to all.
    pub fn is_near(&self, member: &Member, topic: &str, index: i32) -> bool {
        let Some(rack) = &member.rack else { return true };
        let racks = self.racks.get(topic).and_then(|racks| racks.get(usize::try_from(index).ok()?));
        racks.is_some_and(|racks| racks.contains(rack))
    }
}

impl From<Counts> for Layout {
    fn from(counts: Counts) -> Layout {
        Layout { counts, racks: Racks::new() }
    }
}

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

    /// Shares the partitions out. All but `roundrobin` give members what has a replica in their rack, as far as even
    /// shares allow it (KIP-881).
    pub fn assign(self, members: &[Member], layout: &Layout) -> Assignments {
        let members = sorted(members);
        match self {
            Assignor::Range => range::assign(&members, layout),
            Assignor::RoundRobin => round_robin(&members, &layout.counts),
            Assignor::Sticky => sticky::assign(&members, layout),
            Assignor::CooperativeSticky => {
                let mut shares = sticky::assign(&members, layout);
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

/// How many partitions the topics have, and where; None while that is not known of all.
pub fn layout_of(topics: &BTreeSet<Arc<str>>, cluster: &Cluster) -> Option<Layout> {
    let mut layout = Layout::default();
    for topic in topics {
        let known = cluster.topic(topic)?;
        if !known.partitions.is_empty() {
            layout.counts.insert(topic.clone(), known.partitions.len() as i32);
        }
        if let Some(racks) = cluster.racks_of(known) {
            layout.racks.insert(topic.clone(), racks);
        }
    }
    Some(layout)
}

#[cfg(test)]
mod java;
#[cfg(test)]
mod tests;
