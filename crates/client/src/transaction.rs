//! Transactions, as the user's threads and the producer's thread share them: what is wanted, and how far it is.
//!
//! ```text
//! Starting ──► Ready ──► Open ──► Ending ──► Ready
//!    │           ▲         │        │
//!    ▼           └──abort──┴► Failed ◄┘         anything ──► Fatal
//! ```
//!
//! Always true:
//!   records and offsets are taken while a transaction is open, and at no other time
//!   after `Failed` nothing is committed: an abort is all that leads on; after `Fatal` nothing does

use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::{LeaderEpoch, Offset};

use crate::error::ClientError;

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// What it has written counts.
    Commit,
    /// It does not.
    Abort,
}

/// How far a transactional producer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// The coordinator has not given an id and an epoch yet.
    Starting,
    /// No transaction is open.
    Ready,
    /// Records and offsets are taken.
    Open,
    /// It is being committed or aborted.
    Ending(End),
    /// Something of it can't be written: it has to be aborted.
    Failed(ClientError),
    /// Another producer has this transactional id, or nobody may use it.
    Fatal(ClientError),
}

/// Who commits offsets, for a group's coordinator to check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupMetadata {
    /// `group.id`.
    pub group_id: String,
    /// Generation or member epoch; -1 outside of a group.
    pub generation: i32,
    /// Member; empty outside of a group.
    pub member_id: String,
    /// `group.instance.id`.
    pub group_instance_id: Option<String>,
}

/// Offset of one partition, as it is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The record that is to be read next.
    pub offset: Offset,
    /// Epoch of the leader that it was read from, or -1.
    pub leader_epoch: LeaderEpoch,
    /// What the user wants to remember with it.
    pub metadata: String,
}

/// Offsets that become part of a transaction, with the number that they are asked for under.
pub type Offsets = (GroupMetadata, Vec<CommittedOffset>);

/// What both sides know.
#[derive(Debug)]
pub struct Transaction {
    phase: Phase,
    /// Offsets that the sender has not taken yet.
    offsets: Vec<Offsets>,
    /// Offsets of the open transaction that no coordinator has acknowledged yet.
    offsets_waiting: usize,
}

impl Default for Transaction {
    fn default() -> Self {
        Transaction { phase: Phase::Starting, offsets: Vec::new(), offsets_waiting: 0 }
    }
}

/// A call that does not fit the phase.
fn misplaced(what: &str) -> ClientError {
    ClientError::broker(ErrorCode::INVALID_TXN_STATE, what)
}

impl Transaction {
    /// How far it is.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Begins one; false while that is to be waited for.
    pub fn begin(&mut self) -> Result<bool, ClientError> {
        match &self.phase {
            Phase::Starting | Phase::Ending(_) => Ok(false),
            Phase::Ready => {
                self.phase = Phase::Open;
                Ok(true)
            }
            Phase::Open => Err(misplaced("a transaction is open already")),
            Phase::Failed(error) | Phase::Fatal(error) => Err(error.clone()),
        }
    }

    /// Whether the coordinator has given the producer its id and epoch.
    pub fn is_initialized(&self) -> Result<bool, ClientError> {
        match &self.phase {
            Phase::Starting => Ok(false),
            Phase::Fatal(error) => Err(error.clone()),
            _ => Ok(true),
        }
    }

    /// Why no record is taken now, if none is.
    pub fn refuses_records(&self) -> Option<ClientError> {
        match &self.phase {
            Phase::Open => None,
            Phase::Failed(error) | Phase::Fatal(error) => Some(error.clone()),
            _ => Some(misplaced("no transaction is open: begin one first")),
        }
    }

    /// Begins to commit or abort.
    pub fn end(&mut self, end: End) -> Result<(), ClientError> {
        match (&self.phase, end) {
            (Phase::Open, _) | (Phase::Failed(_), End::Abort) => {
                self.phase = Phase::Ending(end);
                Ok(())
            }
            // The wait for it was given up before: it goes on.
            (Phase::Ending(now), end) if *now == end => Ok(()),
            (Phase::Failed(error) | Phase::Fatal(error), _) => Err(error.clone()),
            _ => Err(misplaced("no transaction is open")),
        }
    }

    /// Whether it has ended; the error says why it has not been committed, or can't be aborted.
    pub fn has_ended(&self) -> Result<bool, ClientError> {
        match &self.phase {
            Phase::Ending(_) => Ok(false),
            Phase::Failed(error) | Phase::Fatal(error) => Err(error.clone()),
            _ => Ok(true),
        }
    }

    /// Whether there is one that an abort would end.
    pub fn can_abort(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Failed(_) | Phase::Ending(End::Abort))
    }

    /// Makes offsets a part of the transaction.
    pub fn add_offsets(&mut self, offsets: Offsets) -> Result<(), ClientError> {
        if let Some(error) = self.refuses_records() {
            return Err(error);
        }
        self.offsets_waiting += 1;
        self.offsets.push(offsets);
        Ok(())
    }

    /// Whether all offsets are acknowledged; the error says why they never will be.
    pub fn has_offsets(&self) -> Result<bool, ClientError> {
        match &self.phase {
            Phase::Failed(error) | Phase::Fatal(error) => Err(error.clone()),
            _ => Ok(self.offsets_waiting == 0),
        }
    }

    /// Offsets that were added since the last call, for the sender.
    pub fn take_offsets(&mut self) -> Vec<Offsets> {
        std::mem::take(&mut self.offsets)
    }

    /// How it ends, if it does.
    pub fn ending(&self) -> Option<End> {
        match self.phase {
            Phase::Ending(end) => Some(end),
            _ => None,
        }
    }

    /// Whether what waits is not to be sent any more.
    pub fn is_given_up(&self) -> bool {
        matches!(self.phase, Phase::Failed(_) | Phase::Fatal(_) | Phase::Ending(End::Abort))
    }

    /// A coordinator has acknowledged offsets.
    pub fn offsets_done(&mut self) {
        self.offsets_waiting = self.offsets_waiting.saturating_sub(1);
    }

    /// The producer has an id and an epoch, and no transaction is open.
    pub fn ready(&mut self) {
        self.phase = Phase::Ready;
        self.offsets.clear();
        self.offsets_waiting = 0;
    }

    /// Something can't be written. What is being aborted is aborted all the same.
    pub fn fail(&mut self, error: ClientError) {
        if matches!(self.phase, Phase::Open | Phase::Ending(End::Commit)) {
            self.phase = Phase::Failed(error);
        }
    }

    /// Nothing leads on from here.
    pub fn fail_for_good(&mut self, error: ClientError) {
        if !matches!(self.phase, Phase::Fatal(_)) {
            self.phase = Phase::Fatal(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Transaction {
        let mut transaction = Transaction::default();
        transaction.ready();
        transaction
    }

    #[test]
    fn records_are_taken_while_one_is_open() {
        let mut transaction = Transaction::default();
        assert_eq!(transaction.begin(), Ok(false));
        transaction.ready();
        assert!(transaction.refuses_records().is_some());
        assert_eq!(transaction.begin(), Ok(true));
        assert_eq!(transaction.refuses_records(), None);
        assert!(transaction.begin().is_err());
        transaction.end(End::Commit).unwrap();
        assert!(transaction.refuses_records().is_some());
        assert_eq!(transaction.has_ended(), Ok(false));
        transaction.ready();
        assert_eq!(transaction.has_ended(), Ok(true));
    }

    #[test]
    fn after_a_failure_only_an_abort_leads_on() {
        let mut transaction = ready();
        transaction.begin().unwrap();
        let why = ClientError::Timeout("late".to_string());
        transaction.fail(why.clone());
        assert_eq!(transaction.refuses_records(), Some(why.clone()));
        assert_eq!(transaction.end(End::Commit), Err(why.clone()));
        assert_eq!(transaction.begin(), Err(why));
        transaction.end(End::Abort).unwrap();
        transaction.ready();
        assert_eq!(transaction.begin(), Ok(true));
    }

    #[test]
    fn a_commit_that_fails_has_to_be_aborted() {
        let mut transaction = ready();
        transaction.begin().unwrap();
        transaction.end(End::Commit).unwrap();
        transaction.fail(ClientError::Closed);
        assert_eq!(transaction.has_ended(), Err(ClientError::Closed));
        transaction.end(End::Abort).unwrap();
        transaction.fail(ClientError::Closed);
        assert_eq!(transaction.ending(), Some(End::Abort));
    }

    #[test]
    fn nothing_leads_on_from_a_fatal_error() {
        let mut transaction = ready();
        transaction.begin().unwrap();
        transaction.fail_for_good(ClientError::Closed);
        assert_eq!(transaction.end(End::Abort), Err(ClientError::Closed));
        assert_eq!(transaction.begin(), Err(ClientError::Closed));
    }
}
