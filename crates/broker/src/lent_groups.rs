//! Groups that their coordinators lend: plain OffsetCommits to them are written without it (`offset_commit`).
//!
//! A coordinator lends a group when it has let a commit through: it says whether somebody who is no member may
//! commit, and to which topics. Before it decides anything of the group it takes it back: the newest record of
//! each key that was written here comes with it, in the bytes that the log has.
//!
//! Always true:
//!   what is written here of a group is committed before the group is taken back, and nothing is written
//!   afterwards: the log has a group's records in the order in which its coordinator comes to know them
//!   there are at most as many records in memory here as their coordinators have offsets

use std::collections::HashMap;
use std::sync::Arc;

use barnabas_log::NO_GUARD;
use barnabas_protocol::{LeaderEpoch, Millis, PartitionIndex, TopicId};
use parking_lot::{Mutex, RwLock};

use crate::broker::Broker;
use crate::coordinator::CONSUMER_OFFSETS;
use crate::coordinator_log::{CoordinatorAppended, CoordinatorBatch, CoordinatorRead};

/// What may be committed to a group without its coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LentGroup {
    /// Partition of `__consumer_offsets` that the group belongs to.
    pub index: PartitionIndex,
    /// How many partitions there are: with more of them, the group may belong to another one.
    pub partitions: usize,
    /// The leadership of its coordinator.
    pub leader_epoch: LeaderEpoch,
    /// Whether nobody is in the group: then those may commit who say no generation, and else steady members.
    pub empty: bool,
    /// Whether the group is a classic one: its members' sessions go on with their commits.
    pub classic: bool,
    /// Longest note to an offset, `offset.metadata.max.bytes`.
    pub metadata_bytes_max: usize,
    /// Topics that the coordinator knows of; no others may be committed to.
    pub topics: Vec<TopicId>,
}

/// What was written of groups while they were lent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TakenBack {
    /// Records in all, with those that later ones have taken the place of.
    pub count: u64,
    /// The newest of each key, by offset.
    pub newest: CoordinatorRead,
}

/// The groups that are lent, by id.
#[derive(Debug, Default)]
pub(crate) struct LentGroups {
    by_id: RwLock<HashMap<String, Arc<Lent>>>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Lent {
    pub(crate) group: LentGroup,
    /// None once it is taken back.
    written: Mutex<Option<Written>>,
}

#[derive(Debug, Default)]
struct Written {
    count: u64,
    newest: HashMap<Vec<u8>, Newest>,
}

/// The newest record of a key.
#[derive(Debug)]
struct Newest {
    offset: i64,
    timestamp: Millis,
    value: Vec<u8>,
}

impl LentGroups {
    /// The group, if it is lent.
    pub(crate) fn find(&self, group_id: &str) -> Option<Arc<Lent>> {
        self.by_id.read().get(group_id).cloned()
    }

    fn lend(&self, groups: impl Iterator<Item = (String, LentGroup)>) {
        let mut by_id = self.by_id.write();
        for (group_id, group) in groups {
            let index = group.index;
            let lent = Lent { group, written: Mutex::new(Some(Written::default())) };
            if let Some(before) = by_id.insert(group_id, Arc::new(lent)) {
                // Lent by the partition that the group belonged to before there were more of them.
                assert!(before.group.index != index, "a group is lent once: what was written would be lost");
                before.written.lock().take();
            }
        }
    }

    fn take(&self, index: PartitionIndex, group_ids: &[&str]) -> Vec<Arc<Lent>> {
        let mut by_id = self.by_id.write();
        let mut take = |group_id: &&str| {
            let is_of_it = by_id.get(*group_id)?.group.index == index;
            is_of_it.then(|| by_id.remove(*group_id)).flatten()
        };
        group_ids.iter().filter_map(&mut take).collect()
    }

    fn take_all_of(&self, index: PartitionIndex) -> Vec<Arc<Lent>> {
        let mut taken = Vec::new();
        self.by_id.write().retain(|_, lent| {
            let stays = lent.group.index != index;
            if !stays {
                taken.push(lent.clone());
            }
            stays
        });
        taken
    }
}

impl Written {
    fn note(&mut self, records: Vec<(Vec<u8>, Vec<u8>)>, appended: &CoordinatorAppended, timestamp: Millis) {
        self.count += records.len() as u64;
        for (offset, (key, value)) in (appended.base_offset..).zip(records) {
            self.newest.insert(key, Newest { offset, timestamp, value });
        }
    }
}

impl TakenBack {
    fn add(&mut self, written: &Written) {
        self.count += written.count;
        for (key, newest) in &written.newest {
            self.newest.push_data(newest.offset, newest.timestamp, key, &newest.value);
        }
    }
}

impl Broker {
    /// Lends groups, by id, that are not lent.
    pub fn lend_groups(&self, groups: impl Iterator<Item = (String, LentGroup)>) {
        self.lent_groups.lend(groups);
    }

    /// Takes groups back that a partition has lent, with what was written of them; others change nothing.
    pub fn take_back_groups(&self, index: PartitionIndex, group_ids: &[&str]) -> TakenBack {
        let mut back = TakenBack::default();
        for lent in self.lent_groups.take(index, group_ids) {
            if let Some(written) = lent.written.lock().take() {
                back.add(&written);
            }
        }
        back.newest.records.sort_by_key(|record| record.offset);
        back
    }

    /// Takes back all that a partition of `__consumer_offsets` has lent, before its log is read.
    pub fn forget_lent_groups(&self, index: PartitionIndex) {
        for lent in self.lent_groups.take_all_of(index) {
            lent.written.lock().take();
        }
    }

    /// Whether commits to the groups of a partition are committed at once, so that it may lend them.
    pub fn may_lend_groups(&self, index: PartitionIndex) -> bool {
        self.commits_at_once(CONSUMER_OFFSETS, index)
    }

    /// Writes a commit's records, keys and values; None when the coordinator must decide, and then nothing was
    /// written.
    pub(crate) fn write_commit(
        &self,
        lent: &Lent,
        records: Vec<(Vec<u8>, Vec<u8>)>,
        now: Millis,
    ) -> Option<()> {
        let mut written = lent.written.lock();
        let written = written.as_mut()?;
        let batch = CoordinatorBatch {
            topic: CONSUMER_OFFSETS,
            index: lent.group.index,
            leader_epoch: lent.group.leader_epoch,
            records: records.iter().map(|(key, value)| (&key[..], Some(&value[..]))).collect(),
            timestamp: now,
            producer_id: -1,
            producer_epoch: -1,
            guard: NO_GUARD,
        };
        // What is refused here is refused to the coordinator as well, which knows what that means.
        let appended = self.append_committed(&batch, now).ok()?;
        written.note(records, &appended, now);
        Some(())
    }
}
