//! What the coordinators of this node hear of their partitions, and what is asked of them.
//!
//! Always true of the events of one partition: they come in the order in which things happened, for they are
//! told under the partition's role; whoever has heard that a leadership is over hears no more of it.

use std::fmt;
use std::sync::Arc;

use barnabas_datum::Schema;
use barnabas_log::SubjectNameStrategy;
use barnabas_protocol::schema_id::SchemaId;
use barnabas_protocol::{LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, TopicId};

/// The topic of groups and of committed offsets: the one of theirs that transactions write to.
pub(crate) const CONSUMER_OFFSETS: &str = "__consumer_offsets";
/// The topic of transactions' states.
pub(crate) const TRANSACTION_STATE: &str = "__transaction_state";
/// The topic of share groups' progress.
pub(crate) const SHARE_GROUP_STATE: &str = "__share_group_state";

/// What coordinators hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoordinatorEvent {
    /// This node leads a coordinator's partition from now on, or leads it no more.
    Leadership {
        /// One of the internal topics.
        topic: Arc<str>,
        /// The partition.
        index: PartitionIndex,
        /// The epoch of the leadership that begins; None when one ends.
        leader_epoch: Option<LeaderEpoch>,
    },
    /// The high watermark of a coordinator's partition has moved otherwise than by its own append.
    Committed {
        /// One of the internal topics.
        topic: Arc<str>,
        /// The partition.
        index: PartitionIndex,
        /// Where it is now.
        high_watermark: Offset,
    },
    /// A marker was appended to a partition of `__consumer_offsets`.
    TransactionEnded {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        index: PartitionIndex,
        /// Offset of the marker.
        offset: Offset,
        /// The producer whose transaction it ends.
        producer_id: ProducerId,
        /// The epoch in the marker.
        producer_epoch: ProducerEpoch,
        /// Whether what was written counts.
        committed: bool,
    },
    /// Markers that were written for a coordinator, and waited, are committed now, or never will be: it is time
    /// to look. Told once until somebody has looked.
    MarkersMoved {
        /// Names them.
        id: u64,
    },
    /// A share partition that is watched has more to read.
    Readable {
        /// Its topic.
        topic_id: TopicId,
        /// The partition.
        index: PartitionIndex,
    },
    /// A Produce waits for the word of the transaction coordinator.
    TransactionCheck(TransactionCheck),
    /// Produce requests wait for the word of the schema registry, or will.
    SchemaCheck(SchemaCheck),
}

/// Part of a record that may have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchemaField {
    /// The key.
    Key,
    /// The value.
    Value,
}

impl fmt::Display for SchemaField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SchemaField::Key => "key",
            SchemaField::Value => "value",
        })
    }
}

/// A schema that keys, or values, of a topic have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NamedSchema {
    /// Which of the two.
    pub field: SchemaField,
    /// What records call it.
    pub id: SchemaId,
}

/// Are these schemas versions of the subjects that records of the topic have them under?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaCheck {
    /// Names the check in the answer.
    pub id: u64,
    /// The topic.
    pub topic: Arc<str>,
    /// How the subjects of keys are named.
    pub key_strategy: SubjectNameStrategy,
    /// How the subjects of values are named.
    pub value_strategy: SubjectNameStrategy,
    /// Whether keys are to be held against their schemas.
    pub reads_keys: bool,
    /// Whether values are.
    pub reads_values: bool,
    /// The schemas.
    pub schemas: Vec<NamedSchema>,
}

/// What the registry says of a schema.
#[derive(Debug, Clone)]
pub enum SchemaVerdict {
    /// It is no version of the subject.
    Foreign,
    /// It is one, but nothing can be held against it; why.
    Unreadable(Arc<str>),
    /// It may be used; what records have with it is held against this, if there is anything.
    Usable(Option<Arc<Schema>>),
}

/// Are these partitions part of the producer's ongoing transaction?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionCheck {
    /// Names the check in the answer.
    pub id: u64,
    /// The transactional id of the request.
    pub transactional_id: String,
    /// The producer of its records.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
    /// The partitions.
    pub partitions: Vec<(Arc<str>, PartitionIndex)>,
    /// Whether a partition that is not part of the transaction is to be added (transaction version 2).
    pub add: bool,
}

/// Who hears it. Told on any thread, with partitions locked: an implementation takes note and returns.
pub trait CoordinatorEvents: Send + Sync {
    /// Takes note.
    fn tell(&self, event: CoordinatorEvent);
}
