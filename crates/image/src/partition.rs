//! One partition: who replicates it, who leads it, since when.
//!
//! Always true:
//!   every change adds one to `partition_epoch`; `leader_epoch` grows with each election, never otherwise
//!   what most partitions lack (a reassignment, an ELR) takes eight bytes, and up to four replicas lie inline

use barnabas_protocol::generated::partition_change_record::PartitionChangeRecord;
use barnabas_protocol::generated::partition_record::PartitionRecord;
use barnabas_protocol::{LeaderEpoch, NodeId, PartitionIndex, TopicId, Uuid};
use smallvec::{smallvec, SmallVec};

use crate::replay::ReplayError;

/// `leader` of a partition that no replica leads.
pub const NO_LEADER: NodeId = -1;
/// `leader` of a change that elects nobody.
pub const NO_LEADER_CHANGE: NodeId = -2;
/// `leader_recovery_state` of a change that leaves it alone.
const NO_RECOVERY_STATE_CHANGE: i8 = -1;

/// Ids of brokers; up to four without an allocation.
type Nodes = SmallVec<[NodeId; 4]>;
/// A log directory for each replica; one without an allocation.
type Directories = SmallVec<[Uuid; 1]>;

/// A partition as the controller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionImage {
    replicas: Nodes,
    isr: Nodes,
    directories: Directories,
    uncommon: Option<Box<Uncommon>>,
    /// The broker that leads, or [`NO_LEADER`].
    pub leader: NodeId,
    /// Counts elections.
    pub leader_epoch: LeaderEpoch,
    /// Counts changes of any kind.
    pub partition_epoch: i32,
    /// 0 when the leader holds all that was committed, 1 while it recovers from an unclean election.
    pub leader_recovery_state: i8,
}

/// What few partitions have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Uncommon {
    adding_replicas: Nodes,
    removing_replicas: Nodes,
    elr: Nodes,
    last_known_elr: Nodes,
}

impl Uncommon {
    fn is_empty(&self) -> bool {
        self.adding_replicas.is_empty()
            && self.removing_replicas.is_empty()
            && self.elr.is_empty()
            && self.last_known_elr.is_empty()
    }
}

impl PartitionImage {
    /// Brokers that hold the partition, the preferred leader first.
    pub fn replicas(&self) -> &[NodeId] {
        &self.replicas
    }

    /// Replicas in sync with the leader.
    pub fn isr(&self) -> &[NodeId] {
        &self.isr
    }

    /// Log directory of each replica, in the order of `replicas` (KIP-858).
    pub fn directories(&self) -> &[Uuid] {
        &self.directories
    }

    /// Replicas that a reassignment in progress adds.
    pub fn adding_replicas(&self) -> &[NodeId] {
        self.uncommon.as_ref().map_or(&[], |uncommon| &uncommon.adding_replicas)
    }

    /// Replicas that a reassignment in progress takes away.
    pub fn removing_replicas(&self) -> &[NodeId] {
        self.uncommon.as_ref().map_or(&[], |uncommon| &uncommon.removing_replicas)
    }

    /// Replicas outside the ISR that hold all committed records all the same (KIP-966).
    pub fn elr(&self) -> &[NodeId] {
        self.uncommon.as_ref().map_or(&[], |uncommon| &uncommon.elr)
    }

    /// The last members of ISR and ELR before they became empty (KIP-966).
    pub fn last_known_elr(&self) -> &[NodeId] {
        self.uncommon.as_ref().map_or(&[], |uncommon| &uncommon.last_known_elr)
    }

    /// Whether a reassignment is in progress.
    pub fn is_reassigning(&self) -> bool {
        !self.adding_replicas().is_empty() || !self.removing_replicas().is_empty()
    }

    /// The log directory of a broker's replica; None when the broker has none.
    pub fn directory_of(&self, broker: NodeId) -> Option<Uuid> {
        let position = self.replicas.iter().position(|&replica| replica == broker)?;
        self.directories.get(position).copied()
    }

    /// The state that a record describes as a whole.
    pub(crate) fn from_record(record: &PartitionRecord) -> Result<PartitionImage, ReplayError> {
        check_recovery_state("PartitionRecord", record.leader_recovery_state)?;
        let mut partition = PartitionImage {
            replicas: Nodes::from_slice(&record.replicas),
            isr: Nodes::from_slice(&record.isr),
            directories: directories_of(&record.directories, record.replicas.len())?,
            uncommon: None,
            leader: record.leader,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
            leader_recovery_state: record.leader_recovery_state,
        };
        partition.set_uncommon(
            Some(&record.adding_replicas),
            Some(&record.removing_replicas),
            record.eligible_leader_replicas.as_deref(),
            record.last_known_elr.as_deref(),
        );
        Ok(partition)
    }

    /// Applies a change. `leader_epoch` grows also when the change elects the leader that leads already.
    pub(crate) fn apply(&mut self, change: &PartitionChangeRecord) -> Result<(), ReplayError> {
        if change.leader_recovery_state != NO_RECOVERY_STATE_CHANGE {
            check_recovery_state("PartitionChangeRecord", change.leader_recovery_state)?;
        }
        let replicas = change.replicas.as_ref().map_or(self.replicas.len(), Vec::len);
        let directories = change.directories.as_deref().unwrap_or(&self.directories);
        self.directories = directories_of(directories, replicas)?;
        if let Some(replicas) = &change.replicas {
            self.replicas = Nodes::from_slice(replicas);
        }
        if let Some(isr) = &change.isr {
            self.isr = Nodes::from_slice(isr);
        }
        self.set_uncommon(
            change.adding_replicas.as_deref(),
            change.removing_replicas.as_deref(),
            change.eligible_leader_replicas.as_deref(),
            change.last_known_elr.as_deref(),
        );
        if change.leader != NO_LEADER_CHANGE {
            self.leader = change.leader;
            self.leader_epoch += 1;
        }
        if change.leader_recovery_state != NO_RECOVERY_STATE_CHANGE {
            self.leader_recovery_state = change.leader_recovery_state;
        }
        self.partition_epoch += 1;
        Ok(())
    }

    /// The record that describes the whole state, for records of `version`.
    pub(crate) fn to_record(&self, topic: TopicId, index: PartitionIndex, version: i16) -> PartitionRecord {
        let elr = |nodes: &[NodeId]| (version >= 2 && !nodes.is_empty()).then(|| nodes.to_vec());
        PartitionRecord {
            partition_id: index,
            topic_id: topic,
            replicas: self.replicas.to_vec(),
            isr: self.isr.to_vec(),
            removing_replicas: self.removing_replicas().to_vec(),
            adding_replicas: self.adding_replicas().to_vec(),
            leader: self.leader,
            leader_recovery_state: self.leader_recovery_state,
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            directories: if version >= 1 { self.directories.to_vec() } else { Vec::new() },
            eligible_leader_replicas: elr(self.elr()),
            last_known_elr: elr(self.last_known_elr()),
        }
    }

    /// Forgets the ELR, which is a change like any other.
    pub(crate) fn clear_elr(&mut self) {
        self.set_uncommon(None, None, Some(&[]), Some(&[]));
        self.partition_epoch += 1;
    }

    pub(crate) fn has_elr(&self) -> bool {
        !self.elr().is_empty() || !self.last_known_elr().is_empty()
    }

    /// Sets the rare lists; None leaves one as it is.
    fn set_uncommon(
        &mut self,
        adding: Option<&[NodeId]>,
        removing: Option<&[NodeId]>,
        elr: Option<&[NodeId]>,
        last_known_elr: Option<&[NodeId]>,
    ) {
        let nothing_new =
            [adding, removing, elr, last_known_elr].iter().all(|list| list.is_none_or(<[_]>::is_empty));
        if self.uncommon.is_none() && nothing_new {
            return;
        }
        let uncommon = self.uncommon.get_or_insert_default();
        let lists = [
            (&mut uncommon.adding_replicas, adding),
            (&mut uncommon.removing_replicas, removing),
            (&mut uncommon.elr, elr),
            (&mut uncommon.last_known_elr, last_known_elr),
        ];
        for (list, new) in lists {
            if let Some(new) = new {
                *list = Nodes::from_slice(new);
            }
        }
        if uncommon.is_empty() {
            self.uncommon = None;
        }
    }
}

/// A directory for each replica: "migrating" where none are known (KIP-858).
fn directories_of(given: &[Uuid], replicas: usize) -> Result<Directories, ReplayError> {
    if given.iter().all(|directory| *directory == Uuid::DIRECTORY_MIGRATING) {
        return Ok(smallvec![Uuid::DIRECTORY_MIGRATING; replicas]);
    }
    if given.len() != replicas {
        return Err(ReplayError::Directories { directories: given.len(), replicas });
    }
    Ok(Directories::from_slice(given))
}

fn check_recovery_state(record: &'static str, state: i8) -> Result<(), ReplayError> {
    match state {
        0 | 1 => Ok(()),
        _ => Err(ReplayError::Value { record, field: "leaderRecoveryState", value: state.into() }),
    }
}
