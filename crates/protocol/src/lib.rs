//! Kafka's wire: primitives, messages of every API, record batches, compression.

#[rustfmt::skip]
pub mod generated;
pub mod api;
pub mod batch;
pub mod batch_builder;
pub mod batch_remainder;
pub mod batch_validate;
pub mod compression;
pub mod control;
pub mod crc;
pub mod error;
pub mod error_tally;
pub mod header;
pub mod record;
pub mod schema_id;
pub mod table;
pub mod types;
pub mod wire;

pub use types::{
    LeaderEpoch, Millis, NodeId, Offset, PartitionIndex, ProducerEpoch, ProducerId, TopicId, Uuid,
};
