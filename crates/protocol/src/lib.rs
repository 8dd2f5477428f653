//! Kafka's wire: primitives, messages of every API, record batches, compression.

pub mod types;
pub mod wire;

pub use types::{
    LeaderEpoch, Millis, NodeId, Offset, PartitionIndex, ProducerEpoch, ProducerId, TopicId, Uuid,
};
