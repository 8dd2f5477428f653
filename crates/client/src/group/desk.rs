//! What a consumer's threads and its member of a group tell each other, under the lock of the assignment.
//!
//! Always true:
//!   one call at a time waits for, or is worked on by, the user's thread: what follows it waits
//!   what is put in order is answered once, by the time that was set

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use barnabas_protocol::{LeaderEpoch, Millis, Offset};

use crate::error::ClientError;
use crate::fetch_session::Partition;

/// Commits that may wait for their answers.
const COMMITS_MAX: usize = 10_000;

/// What a consumer is subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Topics by name.
    Topics(BTreeSet<Arc<str>>),
    /// All topics whose whole name matches, now and later.
    Pattern(String),
}

/// What the user's thread is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// These partitions are the consumer's from now on.
    Assigned,
    /// These are to be given up: whatever is to be done before another member reads on, is to be done now.
    Revoked,
    /// These are another member's already.
    Lost,
}

/// A change of what the consumer owns, in which the user's thread has a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What happens.
    pub kind: CallKind,
    /// To which partitions.
    pub partitions: BTreeSet<Partition>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Calling {
    #[default]
    Nothing,
    Waiting(Call),
    Taken(Call),
    Done(Call),
}

/// A committed position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Offset of the record that comes next.
    pub offset: Offset,
    /// Leader epoch of the record before it, or -1.
    pub leader_epoch: LeaderEpoch,
    /// The user's own words.
    pub metadata: String,
}

/// Positions to be committed.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Number of the order.
    pub id: u64,
    /// What is committed.
    pub offsets: BTreeMap<Partition, Committed>,
    /// When it is given up.
    pub deadline: Millis,
    /// Whether somebody asks for the result.
    pub is_reported: bool,
    /// The generation, or member epoch, in which it was ordered.
    pub generation: i32,
}

/// A question for committed positions.
#[derive(Debug, Clone)]
pub struct Question {
    /// Number of the order.
    pub id: u64,
    /// Of which partitions.
    pub partitions: Vec<Partition>,
    /// When it is given up.
    pub deadline: Millis,
}

/// Committed positions; None where nothing is committed.
pub type Positions = BTreeMap<Partition, Option<Committed>>;

/// What a commit was about, and what became of it.
pub type Told = (BTreeMap<Partition, Committed>, Result<(), ClientError>);

/// Who the member is, for requests that others send in its name (transactions).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMetadata {
    /// `group.id`.
    pub group_id: String,
    /// Generation, or member epoch; -1 outside a group.
    pub generation: i32,
    /// Empty outside a group.
    pub member_id: String,
    /// `group.instance.id`.
    pub instance_id: Option<String>,
}

/// How a consumer ends its membership (KIP-1092).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// A static member stays, any other leaves.
    Default,
    /// It leaves.
    Leave,
    /// It stays until its session times out.
    Remain,
}

/// The desk between the user's threads and the member.
#[derive(Debug, Default)]
pub struct Desk {
    pub(super) wanted: Option<Wanted>,
    /// The last time at which the user asked for records.
    pub(super) polled_at: Millis,
    pub(super) leaving: Option<Leaving>,
    pub(super) has_left: bool,
    pub(super) metadata: Option<GroupMetadata>,
    /// Generations, or member epochs, that the member was in.
    pub rebalances: u64,
    pub(super) commits: VecDeque<Commit>,
    pub(super) questions: Vec<Question>,
    calling: Calling,
    committed: BTreeMap<u64, Result<(), ClientError>>,
    answers: BTreeMap<u64, Result<Positions, ClientError>>,
    error: Option<ClientError>,
    /// Whether somebody wants to know of all commits.
    tells: bool,
    told: VecDeque<Told>,
    next_id: u64,
    unanswered: usize,
}

impl Desk {
    /// A consumer with a `group.id`, which is in no group yet.
    pub fn new(group_id: &str, instance_id: Option<String>) -> Desk {
        let (group_id, member_id) = (group_id.to_string(), String::new());
        Desk {
            metadata: Some(GroupMetadata { group_id, generation: -1, member_id, instance_id }),
            ..Desk::default()
        }
    }

    /// The same, and keeps what became of all commits for the user if `tells`.
    pub fn telling(self, tells: bool) -> Desk {
        Desk { tells, ..self }
    }

    /// Whether there is a group to be a member of, and to commit to.
    pub fn has_group(&self) -> bool {
        self.metadata.is_some()
    }

    /// Who the member is; None without a group.
    pub fn metadata(&self) -> Option<&GroupMetadata> {
        self.metadata.as_ref()
    }

    /// Wants these topics from now on: who is about to leave joins anew, once it has left.
    pub fn subscribe(&mut self, wanted: Wanted, now: Millis) {
        self.polled_at = now;
        self.wanted = Some(wanted);
    }

    /// What it is subscribed to.
    pub fn wanted(&self) -> Option<&Wanted> {
        self.wanted.as_ref()
    }

    /// Ends the membership; [`Desk::has_left`] says when that is done.
    pub fn leave(&mut self, leaving: Leaving) {
        self.wanted = None;
        self.leaving = Some(leaving);
        self.has_left = false;
    }

    /// Whether [`Desk::leave`] is done.
    pub fn has_left(&self) -> bool {
        self.has_left
    }

    /// The user asks for records.
    pub fn polled(&mut self, now: Millis) {
        self.polled_at = now;
    }

    /// Whether the user's thread has something to do.
    pub fn needs_attention(&self) -> bool {
        let done = !self.committed.is_empty() || !self.told.is_empty();
        matches!(self.calling, Calling::Waiting(_)) || self.error.is_some() || done
    }

    /// What the member can't get over by itself; told once.
    pub fn take_error(&mut self) -> Option<ClientError> {
        self.error.take()
    }

    pub(super) fn fail(&mut self, error: ClientError) {
        self.error = Some(error);
    }

    /// The call that waits: to be answered by [`Desk::called`].
    pub fn take_call(&mut self) -> Option<Call> {
        let call = self.withdraw()?;
        self.calling = Calling::Taken(call.clone());
        Some(call)
    }

    /// The user's thread has done its part.
    pub fn called(&mut self) {
        self.calling = match std::mem::take(&mut self.calling) {
            Calling::Taken(call) => Calling::Done(call),
            other => other,
        };
    }

    /// Puts a call, if no other is there.
    pub(super) fn put(&mut self, call: Call) {
        assert!(self.calling == Calling::Nothing, "one call at a time");
        self.calling = Calling::Waiting(call);
    }

    /// The call that is done.
    pub(super) fn take_done(&mut self) -> Option<Call> {
        match std::mem::take(&mut self.calling) {
            Calling::Done(call) => Some(call),
            other => {
                self.calling = other;
                None
            }
        }
    }

    /// Takes back a call that nobody has begun to work on.
    pub(super) fn withdraw(&mut self) -> Option<Call> {
        match std::mem::take(&mut self.calling) {
            Calling::Waiting(call) => Some(call),
            other => {
                self.calling = other;
                None
            }
        }
    }

    /// The last order that was given.
    pub(super) fn last_id(&self) -> u64 {
        self.next_id
    }

    fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Orders a commit; the result comes under the number.
    pub fn commit(
        &mut self,
        offsets: BTreeMap<Partition, Committed>,
        is_reported: bool,
        deadline: Millis,
    ) -> u64 {
        let id = self.next_id();
        let generation = self.metadata.as_ref().map_or(-1, |metadata| metadata.generation);
        self.unanswered += 1;
        let commit = Commit { id, offsets, deadline, is_reported, generation };
        if commit.offsets.is_empty() {
            self.answer_commit(commit, Ok(()));
        } else if self.unanswered > COMMITS_MAX {
            let error = ClientError::Timeout(format!("{COMMITS_MAX} commits wait already"));
            self.answer_commit(commit, Err(error));
        } else {
            self.commits.push_back(commit);
        }
        id
    }

    pub(super) fn answer_commit(&mut self, commit: Commit, result: Result<(), ClientError>) {
        self.unanswered -= 1;
        if let (false, Err(error)) = (commit.is_reported, &result) {
            log::warn!("an automatic commit has failed, the next one repeats it: {error}");
        }
        if self.tells && !commit.offsets.is_empty() {
            if self.told.len() == COMMITS_MAX {
                self.told.pop_front();
            }
            self.told.push_back((commit.offsets, result.clone()));
        }
        if commit.is_reported {
            self.committed.insert(commit.id, result);
        }
    }

    /// What became of all commits since the last call, in their order.
    pub fn take_told(&mut self) -> Vec<Told> {
        self.told.drain(..).collect()
    }

    /// What became of a commit; None while it is not known.
    pub fn take_committed(&mut self, id: u64) -> Option<Result<(), ClientError>> {
        self.committed.remove(&id)
    }

    /// All commits that are done.
    pub fn take_all_committed(&mut self) -> BTreeMap<u64, Result<(), ClientError>> {
        std::mem::take(&mut self.committed)
    }

    /// Asks for committed positions; the answer comes under the number.
    pub fn ask(&mut self, partitions: Vec<Partition>, deadline: Millis) -> u64 {
        let id = self.next_id();
        self.questions.push(Question { id, partitions, deadline });
        id
    }

    pub(super) fn answer(&mut self, id: u64, result: Result<Positions, ClientError>) {
        self.answers.insert(id, result);
    }

    /// The answer to a question; None while there is none.
    pub fn take_answer(&mut self, id: u64) -> Option<Result<Positions, ClientError>> {
        self.answers.remove(&id)
    }
}
