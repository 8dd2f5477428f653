//! What is left of a batch once records have been taken out of it, byte for byte what Kafka's compaction leaves.
//!
//! Always true of what comes out: base offset, last offset, epochs, producer and sequences are those that went
//! in, and records that stay keep their offsets and their order. So an idempotent producer goes on from it as
//! from the whole batch.

use crate::batch::{
    Attributes, Batch, BatchError, BatchHeader, TimestampType, HEADER_SIZE, LOG_OVERHEAD, NO_TIMESTAMP,
};
use crate::batch_builder::{BatchBuilder, BuildError, BuilderConfig};
use crate::record::BatchRecords;
use crate::types::Millis;

/// Why there is no remainder.
#[derive(Debug, thiserror::Error)]
pub enum RemainderError {
    /// The batch can't be read.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// What stays can't be written.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// A batch with those of its records for which `stays` has true; at least one has to.
pub fn remainder(
    header: &BatchHeader,
    records: &BatchRecords<'_>,
    stays: &[bool],
    delete_horizon_ms: Option<Millis>,
) -> Result<Vec<u8>, RemainderError> {
    let timestamp_type = header.timestamp_type();
    let mut builder = BatchBuilder::new(BuilderConfig {
        compression: header.compression().map_err(BatchError::from)?,
        level: None,
        base_offset: header.base_offset,
        timestamp_type,
        log_append_time: match timestamp_type {
            TimestampType::LogAppendTime => header.max_timestamp,
            TimestampType::CreateTime => NO_TIMESTAMP,
        },
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
        transactional: header.is_transactional(),
        control: header.is_control(),
        leader_epoch: header.partition_leader_epoch,
        delete_horizon_ms,
    });
    for (record, _) in records.iter().zip(stays).filter(|(_, stays)| **stays) {
        let record = record.map_err(BatchError::from)?;
        builder.append_record(record.offset, &record)?;
    }
    // The last sequence is told from the last offset.
    builder.end_at(header.last_offset());
    Ok(builder.finish()?)
}

/// A batch without any of its records.
pub fn empty(header: &BatchHeader) -> Vec<u8> {
    let attributes = Attributes::default()
        .with_timestamp_type(header.timestamp_type())
        .with_transactional(header.is_transactional())
        .with_control(header.is_control());
    let mut header = BatchHeader {
        batch_length: (HEADER_SIZE - LOG_OVERHEAD) as i32,
        attributes,
        base_timestamp: NO_TIMESTAMP,
        records_count: 0,
        ..*header
    };
    let bytes = header.to_bytes();
    header.crc = Batch { header, bytes: &bytes }.computed_crc();
    header.to_bytes().to_vec()
}
