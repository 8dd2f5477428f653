//! Consecutive partitions of each topic, near their readers where racks are known (KIP-881).
//!
//! Who gets how many is what it is without racks. Who gets which: first those that have a replica in the reader's rack,
//! the same numbers of all topics that have the same readers and as many partitions; then the others in their order.
//! Apache Kafka's RangeAssignor gives the same (`java.txt`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::group::assignors::{nothing, Assignments, Layout};
use crate::group::subscription::Member;

/// Shares the partitions out among members, which are sorted.
pub(super) fn assign(members: &[&Member], layout: &Layout) -> Assignments {
    let mut shares = nothing(members);
    let mut topics: Vec<Sharing<'_>> = Vec::new();
    for (topic, &count) in &layout.counts {
        topics.push(Sharing::new(topic, count, members, layout));
    }
    if topics.iter().any(Sharing::uses_racks) {
        match_racks(&mut topics, &mut shares);
    }
    for topic in &mut topics {
        topic.give_ranges(|_, _| true, &mut shares);
    }
    shares
}

/// Gives partitions to readers that have a replica near them.
fn match_racks(topics: &mut [Sharing<'_>], shares: &mut Assignments) {
    let mut alike: BTreeMap<(Vec<&str>, i32), Vec<&mut Sharing<'_>>> = BTreeMap::new();
    for topic in topics {
        let readers = topic.readers.iter().map(|reader| reader.id.as_str()).collect();
        alike.entry((readers, topic.count)).or_default().push(topic);
    }
    for ((readers, count), mut group) in alike {
        match &mut group[..] {
            [topic] if topic.uses_racks() => {
                let layout = topic.layout;
                let name = topic.topic.clone();
                topic.give_ranges(|reader, index| layout.is_near(reader, &name, index), shares);
            }
            [_] => {}
            group => give_alike(readers.len(), count, group, shares),
        }
    }
}

/// Gives the same numbers of all these topics to one reader, where it is near to all of them.
fn give_alike(readers: usize, count: i32, group: &mut [&mut Sharing<'_>], shares: &mut Assignments) {
    for index in 0..count {
        let fits = |topic: &Sharing<'_>, reader: usize| {
            topic.layout.is_near(topic.readers[reader], topic.topic, index) && topic.room(reader) > 0
        };
        if let Some(reader) = (0..readers).find(|&reader| group.iter().all(|topic| fits(topic, reader))) {
            for topic in &mut *group {
                topic.give(reader, &[index], shares);
            }
        }
    }
}

/// One topic while it is being shared out.
struct Sharing<'a> {
    topic: &'a Arc<str>,
    count: i32,
    layout: &'a Layout,
    readers: Vec<&'a Member>,
    free: BTreeSet<i32>,
    /// How many each reader has.
    given: Vec<i32>,
    /// How many readers may still have one more than the others.
    extras: i32,
}

impl<'a> Sharing<'a> {
    fn new(topic: &'a Arc<str>, count: i32, members: &[&'a Member], layout: &'a Layout) -> Sharing<'a> {
        let readers: Vec<&Member> =
            members.iter().copied().filter(|member| member.topics.contains(topic)).collect();
        let (given, free) = (vec![0; readers.len()], (0..count).collect());
        let extras = count.checked_rem(readers.len() as i32).unwrap_or(0);
        Sharing { topic, count, layout, readers, free, given, extras }
    }

    /// Whether racks make a difference: some reader is in a rack with replicas, and not all partitions are everywhere.
    fn uses_racks(&self) -> bool {
        let Some(racks) = self.layout.racks.get(self.topic) else { return false };
        let all: BTreeSet<&Arc<str>> = racks.iter().flatten().collect();
        let somebody =
            self.readers.iter().any(|reader| reader.rack.as_ref().is_some_and(|r| all.contains(r)));
        somebody && racks.iter().any(|partition| partition.len() != all.len())
    }

    fn quota(&self) -> i32 {
        self.count.checked_div(self.readers.len() as i32).unwrap_or(0)
    }

    /// How many more a reader may have.
    fn room(&self, reader: usize) -> i32 {
        (self.quota() + i32::from(self.extras > 0) - self.given[reader]).max(0)
    }

    fn give(&mut self, reader: usize, indexes: &[i32], shares: &mut Assignments) {
        self.given[reader] += indexes.len() as i32;
        self.extras -= i32::from(self.given[reader] > self.quota());
        if let Some(mine) = shares.get_mut(&self.readers[reader].id) {
            mine.extend(indexes.iter().map(|&index| (self.topic.clone(), index)));
        }
        self.free.retain(|index| !indexes.contains(index));
    }

    fn give_ranges(&mut self, may: impl Fn(&Member, i32) -> bool, shares: &mut Assignments) {
        for reader in 0..self.readers.len() {
            let member = self.readers[reader];
            let free = self.free.iter().copied().filter(|&index| may(member, index));
            let mine: Vec<i32> = free.take(self.room(reader) as usize).collect();
            if !mine.is_empty() {
                self.give(reader, &mine, shares);
            }
        }
    }
}
