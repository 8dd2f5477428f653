//! Even shares with as few moves as possible.
//!
//! Everybody keeps what it had, what nobody has goes to who has least, and then partitions move one by one from
//! who has more to who has less by two or more. Each move makes the sum of the squares smaller, so it ends.
//!
//! Where racks are known (KIP-881), what moves goes near its reader if it can, and at last members swap what is far from
//! them, as long as shares stay as large as they are. Each swap brings one more partition near, so that ends too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::fetch_session::Partition;
use crate::group::assignors::{Assignments, Counts, Layout};
use crate::group::subscription::Member;

/// Pairs of partitions that are looked at for a swap, at most: the last ones of a very large group stay where they are.
const SWAPS_TRIED_MAX: usize = 2_000_000;

/// Shares the partitions out among members, which are sorted.
pub fn assign(members: &[&Member], layout: &Layout) -> Assignments {
    let counts = &layout.counts;
    let mut shares = Shares::new(members, layout);
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
        if let Some(member) = shares.taker(&partition) {
            shares.give(member, partition);
        }
    }
    shares.level();
    shares.swap_nearer();
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
    layout: &'a Layout,
    of: Vec<BTreeSet<Partition>>,
    /// Readers of each topic, those with least first.
    readers: BTreeMap<Arc<str>, BTreeSet<(usize, usize)>>,
}

impl<'a> Shares<'a> {
    fn new(members: &'a [&'a Member], layout: &'a Layout) -> Shares<'a> {
        let mut readers: BTreeMap<Arc<str>, BTreeSet<(usize, usize)>> = BTreeMap::new();
        for (index, member) in members.iter().enumerate() {
            for topic in &member.topics {
                readers.entry(topic.clone()).or_default().insert((0, index));
            }
        }
        Shares { members, layout, of: vec![BTreeSet::new(); members.len()], readers }
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

    /// Whether racks say nothing against the member's reading the partition.
    fn is_near(&self, member: usize, (topic, index): &Partition) -> bool {
        self.layout.racks.is_empty() || self.layout.is_near(self.members[member], topic, *index)
    }

    /// Who gets a partition that nobody has: of those who have least, or hardly more, one that is near.
    fn taker(&self, partition: &Partition) -> Option<usize> {
        let readers = self.readers.get(&partition.0)?;
        let &(least, first) = readers.first()?;
        let hardly_more = readers.iter().take_while(|(size, _)| *size <= least + 1);
        let near = hardly_more.map(|&(_, member)| member).find(|&member| self.is_near(member, partition));
        Some(near.unwrap_or(first))
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
            let mine = self.of[member].iter().filter(|(name, _)| name == topic);
            // The last of those that come nearer, or do not go away at least.
            let gain =
                |p: &&Partition| i32::from(self.is_near(other, p)) - i32::from(self.is_near(member, p));
            mine.max_by_key(gain).map(|partition| (partition.clone(), other))
        })
    }

    /// Lets members swap partitions until no swap brings one nearer.
    fn swap_nearer(&mut self) {
        if self.layout.racks.is_empty() {
            return;
        }
        let all_alike = self.members.windows(2).all(|pair| pair[0].topics == pair[1].topics);
        let (mut tried, mut swapped) = (0, true);
        while std::mem::take(&mut swapped) {
            for member in 0..self.of.len() {
                let far = |p: &&Partition| !self.is_near(member, p);
                let far: Vec<Partition> = self.of[member].iter().filter(far).cloned().collect();
                for partition in far {
                    if let Some((other, back)) = self.swap(member, &partition, all_alike, &mut tried) {
                        self.take(member, &partition);
                        self.give(other, partition);
                        if let Some(back) = back {
                            self.take(other, &back);
                            self.give(member, back);
                        }
                        swapped = true;
                    }
                }
            }
        }
    }

    /// Who is near to a partition that is far from `member`, and what of that one's is to come back for it: nothing,
    /// where it has one less.
    fn swap(
        &self,
        member: usize,
        partition: &Partition,
        all_alike: bool,
        tried: &mut usize,
    ) -> Option<(usize, Option<Partition>)> {
        let readers = self.readers.get(&partition.0)?.iter().map(|&(_, reader)| reader);
        for other in readers.filter(|&other| other != member && self.is_near(other, partition)) {
            // Another topic's readers might then have two less than who has it, where not all read the same.
            let may_differ = all_alike || self.of[other].len() == self.of[member].len();
            if all_alike && self.of[other].len() < self.of[member].len() {
                return Some((other, None));
            }
            for back in &self.of[other] {
                *tried += 1;
                if *tried > SWAPS_TRIED_MAX {
                    return None;
                }
                let fits =
                    back.0 == partition.0 || may_differ && self.members[member].topics.contains(&back.0);
                if fits && (self.is_near(member, back) || !self.is_near(other, back)) {
                    return Some((other, Some(back.clone())));
                }
            }
        }
        None
    }
}
