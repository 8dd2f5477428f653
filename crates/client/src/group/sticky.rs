//! Even shares with as few moves as possible.
//!
//! Everybody keeps what it had, what nobody has goes to who has least, and then partitions move one by one from
//! who has more to who has less by two or more. Each move makes the sum of the squares smaller, so it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::fetch_session::Partition;
use crate::group::assignors::{Assignments, Counts};
use crate::group::subscription::Member;

/// Shares the partitions out among members, which are sorted.
pub fn assign(members: &[&Member], counts: &Counts) -> Assignments {
    let mut shares = Shares::new(members);
    let owners = owners(members, counts);
    let mut free: Vec<Partition> = Vec::new();
    for (topic, &count) in counts {
        for partition in (0..count).map(|partition| (topic.clone(), partition)) {
            match owners.get(&partition) {
                Some(&owner) => shares.give(owner, partition),
                None => free.push(partition),
            }
        }
    }
    for partition in free {
        if let Some(member) = shares.least(&partition.0) {
            shares.give(member, partition);
        }
    }
    shares.level();
    shares.of.into_iter().zip(members).map(|(share, member)| (member.id.clone(), share)).collect()
}

/// Who had each partition last, by the place in the list. Of two who say they had it the later generation is
/// right; of two in the same generation nobody is.
fn owners(members: &[&Member], counts: &Counts) -> BTreeMap<Partition, usize> {
    let mut claims: BTreeMap<&Partition, (i32, Option<usize>)> = BTreeMap::new();
    for (index, member) in members.iter().enumerate() {
        for partition in &member.owned {
            let claim = claims.entry(partition).or_insert((i32::MIN, None));
            if member.generation > claim.0 {
                *claim = (member.generation, Some(index));
            } else if member.generation == claim.0 {
                claim.1 = None;
            }
        }
    }
    let exists = |(topic, index): &Partition| counts.get(topic).is_some_and(|count| index < count);
    let valid = claims.into_iter().filter_map(|(partition, (_, owner))| {
        let owner = owner.filter(|&owner| members[owner].topics.contains(&partition.0));
        owner.filter(|_| exists(partition)).map(|owner| (partition.clone(), owner))
    });
    valid.collect()
}

/// What each member has so far, and who has least among the readers of each topic.
struct Shares<'a> {
    members: &'a [&'a Member],
    of: Vec<BTreeSet<Partition>>,
    /// Readers of each topic, those with least first.
    readers: BTreeMap<Arc<str>, BTreeSet<(usize, usize)>>,
}

impl<'a> Shares<'a> {
    fn new(members: &'a [&'a Member]) -> Shares<'a> {
        let mut readers: BTreeMap<Arc<str>, BTreeSet<(usize, usize)>> = BTreeMap::new();
        for (index, member) in members.iter().enumerate() {
            for topic in &member.topics {
                readers.entry(topic.clone()).or_default().insert((0, index));
            }
        }
        Shares { members, of: vec![BTreeSet::new(); members.len()], readers }
    }

    fn count(&mut self, member: usize, before: usize) {
        let now = self.of[member].len();
        for topic in &self.members[member].topics {
            if let Some(readers) = self.readers.get_mut(topic) {
                readers.remove(&(before, member));
                readers.insert((now, member));
            }
        }
    }

    fn give(&mut self, member: usize, partition: Partition) {
        let before = self.of[member].len();
        self.of[member].insert(partition);
        self.count(member, before);
    }

    fn take(&mut self, member: usize, partition: &Partition) {
        let before = self.of[member].len();
        self.of[member].remove(partition);
        self.count(member, before);
    }

    /// Who of the topic's readers has least.
    fn least(&self, topic: &str) -> Option<usize> {
        Some(self.readers.get(topic)?.first()?.1)
    }

    /// Moves partitions until nobody who could have one more has two less than who has it.
    fn level(&mut self) {
        let mut moved = true;
        while moved {
            moved = false;
            for member in 0..self.of.len() {
                while let Some((partition, other)) = self.surplus(member) {
                    self.take(member, &partition);
                    self.give(other, partition);
                    moved = true;
                }
            }
        }
    }

    /// A partition that somebody else should have instead of `member`.
    fn surplus(&self, member: usize) -> Option<(Partition, usize)> {
        let size = self.of[member].len();
        let topics = self.members[member].topics.iter();
        let too_few = topics.filter_map(|topic| Some((self.readers.get(topic)?.first()?, topic)));
        let mut candidates: Vec<_> = too_few.filter(|((least, _), _)| least + 2 <= size).collect();
        candidates.sort();
        candidates.into_iter().find_map(|(&(_, other), topic)| {
            let mut mine = self.of[member].iter().rev();
            mine.find(|(name, _)| name == topic).map(|partition| (partition.clone(), other))
        })
    }
}
