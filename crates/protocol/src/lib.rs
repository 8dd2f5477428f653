//! Kafka's wire: primitives, messages of every API, record batches, compression.

pub mod types;

pub use types::{
    LeaderEpoch, Millis, NodeId, Offset, PartitionIndex, ProducerEpoch, ProducerId, TopicId, Uuid,
};
