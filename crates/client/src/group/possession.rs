//! What a member owns, and the calls by which the user's thread learns of every change of it.
//!
//! Always true:
//!   a partition is read only between the Assigned and the Revoked or Lost that name it
//!   calls are put one after another, in the order in which things happened
//!   Assigned names what its user does not have, Revoked and Lost what it has

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::assignment::{Assignment, Start};
use crate::fetch_session::Partition;
use crate::group::desk::{Call, CallKind, Desk};

/// The partitions of a member, now and after the calls that wait.
#[derive(Debug, Default)]
pub struct Possession {
    owned: BTreeSet<Partition>,
    /// The last order that was given before each partition was given up.
    moved: BTreeMap<Partition, u64>,
    waiting: VecDeque<Call>,
    is_calling: bool,
    /// Everything is another member's by now: what is being worked on ends first.
    is_lost: bool,
    /// The member is about to leave: it takes nothing more.
    is_ending: bool,
}

impl Possession {
    /// What it owns: what it may read and commit.
    pub fn owned(&self) -> &BTreeSet<Partition> {
        &self.owned
    }

    /// Whether the partition was given up after this order: another member may have got further.
    pub fn has_moved(&self, partition: &Partition, order: u64) -> bool {
        self.moved.get(partition).is_some_and(|&last| order <= last)
    }

    /// Whether the user's thread knows of everything.
    pub fn is_settled(&self) -> bool {
        self.waiting.is_empty() && !self.is_calling && !self.is_lost
    }

    fn call(&mut self, kind: CallKind, partitions: BTreeSet<Partition>) {
        self.waiting.push_back(Call { kind, partitions });
    }

    /// Gives up what `keep` refuses. Whether that is anything.
    pub fn give_up(&mut self, keep: impl Fn(&Partition) -> bool) -> bool {
        let leaving: BTreeSet<Partition> = self.owned.iter().filter(|&one| !keep(one)).cloned().collect();
        let any = !leaving.is_empty();
        if any {
            self.call(CallKind::Revoked, leaving);
        }
        any
    }

    /// Takes what is new in `target`, but for a member that is about to leave; the user hears of it even when it
    /// is nothing.
    pub fn take_over(&mut self, target: &BTreeSet<Partition>) {
        if !self.is_ending {
            let added = target.difference(&self.owned).cloned().collect();
            self.call(CallKind::Assigned, added);
        }
    }

    /// Whether the member is about to leave.
    pub fn set_ending(&mut self, is_ending: bool) {
        self.is_ending = is_ending;
    }

    /// All of it is gone already.
    pub fn lose(&mut self) {
        self.waiting.clear();
        self.is_lost = true;
    }

    /// Exchanges calls with the user's thread. True when one was put or done.
    pub fn exchange(&mut self, desk: &mut Desk, assignment: &mut Assignment) -> bool {
        let mut moved = false;
        if self.is_calling {
            if let Some(call) = desk.take_done() {
                self.done(call, desk.last_id(), assignment);
                (self.is_calling, moved) = (false, true);
            } else if let Some(call) = self.is_lost.then(|| desk.withdraw()).flatten() {
                if call.kind == CallKind::Assigned {
                    // The user has not heard of them.
                    self.owned.retain(|partition| !call.partitions.contains(partition));
                }
                (self.is_calling, moved) = (false, true);
            }
        }
        if self.is_lost && !self.is_calling {
            self.is_lost = false;
            if !self.owned.is_empty() {
                self.call(CallKind::Lost, self.owned.clone());
            }
        }
        if let Some(call) = self.next_call() {
            desk.put(call);
            (self.is_calling, moved) = (true, true);
        }
        moved
    }

    /// The call that is due.
    fn next_call(&mut self) -> Option<Call> {
        while !self.is_calling {
            let mut call = self.waiting.pop_front()?;
            if call.kind == CallKind::Assigned {
                self.owned.extend(call.partitions.iter().cloned());
                return Some(call);
            }
            // A call before it may have named some of them: a leaving member is told of its share too.
            call.partitions.retain(|partition| self.owned.contains(partition));
            if !call.partitions.is_empty() {
                return Some(call);
            }
        }
        None
    }

    fn done(&mut self, call: Call, last_order: u64, assignment: &mut Assignment) {
        if call.kind != CallKind::Assigned {
            self.moved.extend(call.partitions.iter().map(|partition| (partition.clone(), last_order)));
            self.owned.retain(|partition| !call.partitions.contains(partition));
            assignment.remove(&call.partitions);
        }
    }
}

/// Makes the partitions of a call readable before its user hears of them, so that they can be moved or paused.
pub fn begin(call: &Call, assignment: &mut Assignment) {
    if call.kind == CallKind::Assigned {
        assignment.add(&call.partitions, Start::Committed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Lets the user do all that it is called for.
    fn calls(possession: &mut Possession, desk: &mut Desk) -> Vec<(CallKind, usize)> {
        let mut assignment = Assignment::new(1);
        let mut done = Vec::new();
        while possession.exchange(desk, &mut assignment) {
            if let Some(call) = desk.take_call() {
                done.push((call.kind, call.partitions.len()));
                desk.called();
            }
        }
        done
    }

    #[test]
    fn what_is_given_up_twice_is_called_for_once_and_who_leaves_takes_nothing_more() {
        let (mut possession, mut desk) = (Possession::default(), Desk::new("g", None));
        let share: BTreeSet<Partition> = (0..3).map(|index| (Arc::from("t"), index)).collect();
        possession.take_over(&share);
        assert_eq!(calls(&mut possession, &mut desk), [(CallKind::Assigned, 3)]);
        possession.set_ending(true);
        assert!(possession.give_up(|_| false));
        assert!(possession.give_up(|(_, index)| *index > 0));
        possession.take_over(&share);
        assert_eq!(calls(&mut possession, &mut desk), [(CallKind::Revoked, 3)]);
        assert!(possession.owned().is_empty() && possession.is_settled());
    }
}
