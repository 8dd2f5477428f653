//! Who leads, in which epoch: the state machine of one replica.
//!
//! It is a function of (state, now, event): it reads no clock, file or socket. What follows from a step is in
//! its [`Effects`], to be done in their order.
//!
//! Always true:
//!   the epoch never goes back
//!   in one epoch this replica votes at most once, and for itself only as a candidate
//!   it leads only with the votes of a majority

use std::collections::BTreeSet;

use barnabas_protocol::{LeaderEpoch, Millis, NodeId};

use crate::quorum_state::QuorumState;
use crate::voters::{ReplicaKey, VoterSet};

/// What this replica is in its epoch. A replica that does not vote (an observer) is Unattached or Follower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Knows no leader of the epoch.
    Unattached,
    /// Asks whether it would be elected, before it raises the epoch (KIP-996).
    Prospective {
        /// Who would vote for it.
        granted: BTreeSet<NodeId>,
    },
    /// Stands for election.
    Candidate {
        /// Who has voted for it.
        granted: BTreeSet<NodeId>,
    },
    /// Leads.
    Leader {
        /// Who has voted for it.
        granted: BTreeSet<NodeId>,
    },
    /// Fetches from the leader.
    Follower {
        /// The leader.
        leader: NodeId,
    },
    /// Led this epoch and has given up, or restarted since.
    Resigned,
}

/// What happens to a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Time has passed: `deadline` may be over.
    Tick,
    /// A voter has answered a vote request of this replica.
    Vote {
        /// The voter.
        from: NodeId,
        /// Epoch of the request.
        epoch: LeaderEpoch,
        /// Whether it was a pre-vote.
        pre_vote: bool,
        /// Whether it was granted.
        granted: bool,
    },
    /// Another replica speaks of this epoch and its leader.
    Epoch {
        /// The epoch.
        epoch: LeaderEpoch,
        /// Its leader, when known.
        leader: Option<NodeId>,
    },
    /// The node stops, or may not lead any longer.
    Resign,
}

/// Votes to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoteRequests {
    /// Whether this only asks what the answer would be.
    pub pre_vote: bool,
    /// The epoch of the request.
    pub epoch: LeaderEpoch,
    /// Whom to ask.
    pub to: Vec<ReplicaKey>,
}

/// What a step asks for, in this order: persist, send, append.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// Must be on stable storage before anything below happens.
    pub persist: Option<QuorumState>,
    /// Requests to send.
    pub requests: Option<VoteRequests>,
    /// This replica leads now: a LeaderChange record begins the epoch.
    pub became_leader: bool,
}

/// One replica's view of the quorum.
#[derive(Debug, Clone)]
pub struct Quorum {
    local: ReplicaKey,
    voters: VoterSet,
    epoch: LeaderEpoch,
    voted: Option<ReplicaKey>,
    /// Who was elected in the epoch, as far as known, whether or not he still leads.
    elected: Option<NodeId>,
    role: Role,
    election_timeout_ms: Millis,
    deadline: Millis,
    random: u64,
}

impl Quorum {
    /// A replica that starts with what it remembers. `seed` spreads the elections of several voters.
    pub fn new(
        local: ReplicaKey,
        voters: VoterSet,
        state: QuorumState,
        election_timeout_ms: Millis,
        seed: u64,
        now: Millis,
    ) -> Quorum {
        let role = match state.leader {
            Some(leader) if leader == local.id => Role::Resigned,
            Some(leader) => Role::Follower { leader },
            None => Role::Unattached,
        };
        let alone = voters.len() == 1 && voters.contains(local);
        let QuorumState { epoch, leader: elected, voted } = state;
        let (deadline, random) = (now, seed | 1);
        let mut quorum =
            Quorum { local, voters, epoch, voted, elected, role, election_timeout_ms, deadline, random };
        if !alone {
            quorum.restart_timer(now);
        }
        quorum
    }

    /// The epoch.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// What this replica is in the epoch.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// The leader of the epoch, when known.
    pub fn leader(&self) -> Option<NodeId> {
        match self.role {
            Role::Leader { .. } => Some(self.local.id),
            Role::Follower { leader } => Some(leader),
            _ => None,
        }
    }

    /// Whether this replica leads.
    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader { .. })
    }

    /// The voters.
    pub fn voters(&self) -> &VoterSet {
        &self.voters
    }

    /// This replica.
    pub fn local(&self) -> ReplicaKey {
        self.local
    }

    /// When the next Tick is due; None when time changes nothing.
    pub fn deadline(&self) -> Option<Millis> {
        let waits = !self.is_leader() && self.voters.contains(self.local);
        waits.then_some(self.deadline)
    }

    /// What must be remembered of this state.
    pub fn state(&self) -> QuorumState {
        QuorumState { epoch: self.epoch, leader: self.elected, voted: self.voted }
    }

    /// Takes an event; what follows from it.
    pub fn step(&mut self, now: Millis, event: Event) -> Effects {
        let before = self.state();
        let mut effects = Effects::default();
        match event {
            Event::Tick => {
                if self.deadline().is_some_and(|deadline| now >= deadline) {
                    self.become_prospective(now, &mut effects);
                }
            }
            Event::Vote { from, epoch, pre_vote, granted } => {
                if epoch == self.epoch && granted {
                    self.take_vote(from, pre_vote, now, &mut effects);
                }
            }
            Event::Epoch { epoch, leader } => self.see_epoch(epoch, leader, now),
            Event::Resign => {
                if self.is_leader() {
                    self.role = Role::Resigned;
                    self.restart_timer(now);
                }
            }
        }
        if self.state() != before {
            effects.persist = Some(self.state());
        }
        effects
    }

    fn see_epoch(&mut self, epoch: LeaderEpoch, leader: Option<NodeId>, now: Millis) {
        let newer = epoch > self.epoch;
        let names_leader = epoch == self.epoch && self.elected.is_none() && leader.is_some();
        if !newer && !names_leader {
            return;
        }
        if newer {
            self.epoch = epoch;
            self.voted = None;
        }
        self.elected = leader;
        self.role = match leader {
            // Its own leadership of this epoch was in an earlier life: it must not go on with it.
            Some(leader) if leader == self.local.id => Role::Resigned,
            Some(leader) => Role::Follower { leader },
            None => Role::Unattached,
        };
        self.restart_timer(now);
    }

    fn become_prospective(&mut self, now: Millis, effects: &mut Effects) {
        self.role = Role::Prospective { granted: BTreeSet::new() };
        self.ask(true, effects);
        self.restart_timer(now);
        self.take_vote(self.local.id, true, now, effects);
    }

    fn become_candidate(&mut self, now: Millis, effects: &mut Effects) {
        self.epoch += 1;
        self.elected = None;
        self.voted = Some(self.local);
        self.role = Role::Candidate { granted: BTreeSet::new() };
        self.ask(false, effects);
        self.restart_timer(now);
        self.take_vote(self.local.id, false, now, effects);
    }

    fn take_vote(&mut self, from: NodeId, pre_vote: bool, now: Millis, effects: &mut Effects) {
        let majority = self.voters.majority();
        if self.voters.get(from).is_none() {
            return;
        }
        match (&mut self.role, pre_vote) {
            (Role::Prospective { granted }, true) => {
                granted.insert(from);
                if granted.len() >= majority {
                    self.become_candidate(now, effects);
                }
            }
            (Role::Candidate { granted }, false) => {
                granted.insert(from);
                if granted.len() >= majority {
                    let granted = std::mem::take(granted);
                    self.role = Role::Leader { granted };
                    self.elected = Some(self.local.id);
                    self.voted = None; // As in Kafka: a leader's vote is told by its leadership.
                    effects.became_leader = true;
                }
            }
            _ => {}
        }
    }

    fn ask(&self, pre_vote: bool, effects: &mut Effects) {
        let others = self.voters.iter().map(|voter| voter.key).filter(|key| key.id != self.local.id);
        let to: Vec<ReplicaKey> = others.collect();
        effects.requests = (!to.is_empty()).then_some(VoteRequests { pre_vote, epoch: self.epoch, to });
    }

    /// Waits between one and two election time-outs, so that two voters seldom stand at once.
    fn restart_timer(&mut self, now: Millis) {
        // xorshift64: spread, not secrecy.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let jitter = (self.random % self.election_timeout_ms.max(1) as u64) as Millis;
        self.deadline = now.saturating_add(self.election_timeout_ms).saturating_add(jitter);
    }
}

#[cfg(test)]
mod tests;
