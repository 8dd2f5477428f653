//! Leader side of one partition: who is in sync, and how far everyone has read.
//!
//! Always true:
//!   the high watermark never moves back within one leadership
//!   it is at most what every member of the maximal ISR (committed ISR and proposed additions) holds
//!   at most one proposal to change the ISR is open at a time

use std::collections::BTreeMap;

use barnabas_protocol::{LeaderEpoch, Millis, NodeId, Offset};

/// What is known of one follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowerProgress {
    /// It holds everything below; -1 until it has fetched in this leadership.
    pub log_end_offset: Offset,
    /// First offset it holds; -1 until it has fetched in this leadership.
    pub log_start_offset: Offset,
    /// Epoch of the broker's registration as its fetches say; -1 when they don't.
    pub broker_epoch: i64,
    /// When it last held everything that the leader had.
    pub caught_up_at: Millis,
    /// When it last fetched.
    pub fetched_at: Millis,
    /// The leader's end at that time.
    pub leader_end_at_fetch: Offset,
}

impl FollowerProgress {
    fn unknown(now: Millis) -> FollowerProgress {
        FollowerProgress {
            log_end_offset: -1,
            log_start_offset: -1,
            broker_epoch: -1,
            // Members of the ISR get the whole lag time to send their first fetch.
            caught_up_at: now,
            fetched_at: 0,
            leader_end_at_fetch: 0,
        }
    }

    fn note(&mut self, fetch: &FollowerFetch, leader_end: Offset, now: Millis) {
        if fetch.fetch_offset >= leader_end {
            self.caught_up_at = self.caught_up_at.max(now);
        } else if fetch.fetch_offset >= self.leader_end_at_fetch {
            self.caught_up_at = self.caught_up_at.max(self.fetched_at);
        }
        self.log_end_offset = fetch.fetch_offset;
        self.log_start_offset = fetch.log_start_offset;
        self.broker_epoch = fetch.broker_epoch;
        self.fetched_at = now;
        self.leader_end_at_fetch = leader_end;
    }

    fn is_caught_up(&self, leader_end: Offset, now: Millis, lag_max_ms: Millis) -> bool {
        self.log_end_offset == leader_end || now.saturating_sub(self.caught_up_at) <= lag_max_ms
    }
}

/// What a follower's fetch says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowerFetch {
    /// The follower.
    pub replica: NodeId,
    /// It holds everything below.
    pub fetch_offset: Offset,
    /// First offset it holds.
    pub log_start_offset: Offset,
    /// Epoch of its registration, -1 when not given.
    pub broker_epoch: i64,
}

/// What the image says of a partition, as far as its leader cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// All replicas, this node included.
    pub replicas: Vec<NodeId>,
    /// The committed in-sync replicas.
    pub isr: Vec<NodeId>,
    /// Counts elections.
    pub leader_epoch: LeaderEpoch,
    /// Counts changes of any kind.
    pub partition_epoch: i32,
    /// Replicas that may join the ISR: registered, unfenced, not about to stop.
    pub eligible: Vec<NodeId>,
}

/// A change of the ISR that the controller is asked for (AlterPartition).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsrProposal {
    /// The leadership that asks.
    pub leader_epoch: LeaderEpoch,
    /// State of the partition that the change is based on.
    pub partition_epoch: i32,
    /// The ISR that is wanted, with the broker epoch of each member (-1: not known).
    pub isr: Vec<(NodeId, i64)>,
}

/// One leadership of one partition.
#[derive(Debug, Clone)]
pub struct Leader {
    node: NodeId,
    /// Epoch of the leadership.
    pub leader_epoch: LeaderEpoch,
    /// Where the log ended when it began.
    pub epoch_start_offset: Offset,
    partition_epoch: i32,
    followers: BTreeMap<NodeId, FollowerProgress>,
    isr: Vec<NodeId>,
    eligible: Vec<NodeId>,
    proposed: Option<IsrProposal>,
}

impl Leader {
    /// The leadership of `node` that begins with `assignment`, its log ending at `log_end_offset`.
    pub fn new(node: NodeId, assignment: &Assignment, log_end_offset: Offset, now: Millis) -> Leader {
        let mut leader = Leader {
            node,
            leader_epoch: assignment.leader_epoch,
            epoch_start_offset: log_end_offset,
            partition_epoch: assignment.partition_epoch,
            followers: BTreeMap::new(),
            isr: Vec::new(),
            eligible: Vec::new(),
            proposed: None,
        };
        leader.set_assignment(assignment, now);
        leader
    }

    /// Takes over replicas and ISR of a newer image; a proposal that was open is settled by it.
    pub fn set_assignment(&mut self, assignment: &Assignment, now: Millis) {
        self.followers.retain(|replica, _| assignment.replicas.contains(replica));
        for &replica in assignment.replicas.iter().filter(|&&replica| replica != self.node) {
            self.followers.entry(replica).or_insert_with(|| FollowerProgress::unknown(now));
        }
        self.isr = assignment.isr.clone();
        self.eligible = assignment.eligible.clone();
        self.partition_epoch = assignment.partition_epoch;
        self.proposed = None;
    }

    /// Takes over which replicas may join the ISR.
    pub fn set_eligible(&mut self, eligible: Vec<NodeId>) {
        self.eligible = eligible;
    }

    /// Epoch of the newest assignment that was taken over.
    pub fn partition_epoch(&self) -> i32 {
        self.partition_epoch
    }

    /// The committed in-sync replicas.
    pub fn isr(&self) -> &[NodeId] {
        &self.isr
    }

    /// The followers and what is known of them.
    pub fn followers(&self) -> &BTreeMap<NodeId, FollowerProgress> {
        &self.followers
    }

    /// Whether `node` replicates the partition.
    pub fn is_replica(&self, node: NodeId) -> bool {
        node == self.node || self.followers.contains_key(&node)
    }

    /// `min.insync.replicas` as it counts here: never more than there are replicas.
    pub fn effective_min_isr(&self, min_insync_replicas: i32) -> usize {
        (min_insync_replicas.max(0) as usize).min(self.followers.len() + 1)
    }

    /// Whether too few replicas are in sync for acks=all.
    pub fn is_under_min_isr(&self, min_insync_replicas: i32) -> bool {
        self.isr.len() < self.effective_min_isr(min_insync_replicas)
    }

    /// Notes a follower's fetch. False when the node is no replica.
    pub fn follower_fetched(&mut self, fetch: &FollowerFetch, leader_end: Offset, now: Millis) -> bool {
        let Some(progress) = self.followers.get_mut(&fetch.replica) else { return false };
        progress.note(fetch, leader_end, now);
        true
    }

    /// The high watermark as it should be now, at least `current`.
    ///
    /// A replica that may join the ISR and has caught up is waited for, or it could never join while producers
    /// are fast.
    pub fn high_watermark(
        &self,
        current: Offset,
        leader_end: Offset,
        min_insync_replicas: i32,
        lag_max_ms: Millis,
        now: Millis,
    ) -> Offset {
        if self.followers.is_empty() {
            return leader_end.max(current);
        }
        if self.is_under_min_isr(min_insync_replicas) {
            return current;
        }
        let counts = |replica: NodeId, progress: &FollowerProgress| {
            self.in_maximal_isr(replica)
                || (progress.is_caught_up(leader_end, now, lag_max_ms) && self.eligible.contains(&replica))
        };
        let held = self.followers.iter().filter(|(&replica, progress)| counts(replica, progress));
        let committed = held.map(|(_, progress)| progress.log_end_offset).fold(leader_end, Offset::min);
        committed.max(current)
    }

    /// Smallest log start offset of this node and of all followers that are there: what DeleteRecords answers.
    pub fn low_watermark(&self, log_start_offset: Offset) -> Offset {
        let followers = self.followers.iter().filter(|(replica, _)| self.eligible.contains(replica));
        followers.map(|(_, progress)| progress.log_start_offset).fold(log_start_offset, Offset::min)
    }

    /// Proposes to take `replica` into the ISR if it has earned it.
    pub fn propose_to_add(&mut self, replica: NodeId, high_watermark: Offset) -> Option<IsrProposal> {
        let progress = self.followers.get(&replica)?;
        let earned = progress.log_end_offset >= high_watermark
            && progress.log_end_offset >= self.epoch_start_offset
            && self.eligible.contains(&replica);
        if self.proposed.is_some() || self.isr.contains(&replica) || !earned {
            return None;
        }
        let isr = self.isr.iter().copied().chain([replica]).collect();
        Some(self.propose(isr))
    }

    /// Proposes to drop the followers that have lagged behind for longer than `lag_max_ms`.
    pub fn propose_to_drop(
        &mut self,
        leader_end: Offset,
        lag_max_ms: Millis,
        now: Millis,
    ) -> Option<IsrProposal> {
        if self.proposed.is_some() {
            return None;
        }
        let in_sync = |replica: &NodeId| {
            let progress = self.followers.get(replica);
            progress.is_none_or(|progress| progress.is_caught_up(leader_end, now, lag_max_ms))
        };
        let isr: Vec<NodeId> = self.isr.iter().copied().filter(in_sync).collect();
        if isr.len() == self.isr.len() {
            return None;
        }
        Some(self.propose(isr))
    }

    /// The controller refused, or can't be asked: the committed ISR counts again.
    pub fn proposal_failed(&mut self) {
        self.proposed = None;
    }

    fn propose(&mut self, isr: Vec<NodeId>) -> IsrProposal {
        let epoch_of = |replica| self.followers.get(&replica).map_or(-1, |progress| progress.broker_epoch);
        let proposal = IsrProposal {
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            isr: isr.into_iter().map(|replica| (replica, epoch_of(replica))).collect(),
        };
        self.proposed = Some(proposal.clone());
        proposal
    }

    fn in_maximal_isr(&self, replica: NodeId) -> bool {
        let proposed = self.proposed.as_ref();
        self.isr.contains(&replica)
            || proposed.is_some_and(|proposal| proposal.isr.iter().any(|(member, _)| *member == replica))
    }
}
