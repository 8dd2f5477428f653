//! Writes record batches (magic 2), byte for byte as Kafka's own builder does where nothing is compressed.

use crate::batch::{
    crc_of, put, Attributes, BatchHeader, TimestampType, HEADER_SIZE, LOG_OVERHEAD, MAGIC, NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP,
};
use crate::compression::{compress, Compression, CompressionError};
use crate::record::{Header, Record};
use crate::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};
use crate::wire::Writer;

/// What is the same for all records of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuilderConfig {
    /// Codec of the records section.
    pub compression: Compression,
    /// Level of the codec; None is its default.
    pub level: Option<i32>,
    /// Offset of the first record.
    pub base_offset: Offset,
    /// What the timestamps mean.
    pub timestamp_type: TimestampType,
    /// The time of append, where `timestamp_type` is LogAppendTime. As in Kafka it goes to the header alone;
    /// the records keep their own timestamps, which readers pass over.
    pub log_append_time: Millis,
    /// The idempotent producer, or -1.
    pub producer_id: ProducerId,
    /// Its epoch, or -1.
    pub producer_epoch: ProducerEpoch,
    /// Sequence of the first record, or -1.
    pub base_sequence: i32,
    /// Whether the batch is part of a transaction.
    pub transactional: bool,
    /// Whether the records are control records.
    pub control: bool,
    /// Epoch of the leader that appends, or -1.
    pub leader_epoch: LeaderEpoch,
    /// From when on tombstones and markers of the batch may be removed, if that is set.
    pub delete_horizon_ms: Option<Millis>,
}

impl Default for BuilderConfig {
    fn default() -> Self {
        BuilderConfig {
            compression: Compression::None,
            level: None,
            base_offset: 0,
            timestamp_type: TimestampType::CreateTime,
            log_append_time: NO_TIMESTAMP,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            transactional: false,
            control: false,
            leader_epoch: -1,
            delete_horizon_ms: None,
        }
    }
}

/// Why a record can't be added or a batch not be finished.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Offsets of a batch go up, and not by more than its header can say.
    #[error("offset {offset} can't follow offset {previous} in a batch with base offset {base_offset}")]
    Offset {
        /// The record's.
        offset: Offset,
        /// That of the record before it, or one less than the base.
        previous: Offset,
        /// The batch's.
        base_offset: Offset,
    },
    /// A key, value, record or batch of more than 2 GiB.
    #[error("{size} bytes do not fit into a batch")]
    TooLarge {
        /// Its size.
        size: usize,
    },
    /// The records can't be compressed.
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

/// A batch in the making. Records are added in the order of their offsets.
#[derive(Debug)]
pub struct BatchBuilder {
    config: BuilderConfig,
    /// Room for the header, then the records as they are before compression.
    writer: Writer,
    records_count: i32,
    last_offset: Offset,
    base_timestamp: Option<Millis>,
    max_timestamp: Millis,
    offset_of_max_timestamp: Offset,
}

impl BatchBuilder {
    /// A batch without records.
    pub fn new(config: BuilderConfig) -> BatchBuilder {
        BatchBuilder::with_buffer(config, Vec::new())
    }

    /// A batch without records, in a buffer that is used again: what it holds is thrown away.
    pub fn with_buffer(config: BuilderConfig, mut buffer: Vec<u8>) -> BatchBuilder {
        buffer.clear();
        buffer.resize(HEADER_SIZE, 0);
        BatchBuilder {
            config,
            writer: Writer::append_to(buffer),
            records_count: 0,
            last_offset: config.base_offset.wrapping_sub(1),
            base_timestamp: config.delete_horizon_ms,
            max_timestamp: NO_TIMESTAMP,
            offset_of_max_timestamp: -1,
        }
    }

    /// Adds a record at the next offset.
    pub fn append(
        &mut self,
        timestamp: Millis,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<(), BuildError> {
        let offset = self.last_offset.wrapping_add(1);
        self.append_parts(offset, timestamp, key, value, headers.iter().copied())
    }

    /// Adds a record at `offset`, which may leave a gap.
    pub fn append_at(
        &mut self,
        offset: Offset,
        timestamp: Millis,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<(), BuildError> {
        self.append_parts(offset, timestamp, key, value, headers.iter().copied())
    }

    /// Adds what was read from another batch, at `offset`.
    pub fn append_record(&mut self, offset: Offset, record: &Record<'_>) -> Result<(), BuildError> {
        self.append_parts(offset, record.timestamp, record.key, record.value, record.headers)
    }

    /// Lets the batch end at `last_offset` though its last record may lie before: compaction removes records and
    /// keeps the offsets, and with them the sequences, that a batch covers.
    pub fn end_at(&mut self, last_offset: Offset) {
        self.last_offset = self.last_offset.max(last_offset);
    }

    /// Number of records so far.
    pub fn records_count(&self) -> i32 {
        self.records_count
    }

    /// Size of the batch so far, before compression.
    pub fn uncompressed_size(&self) -> usize {
        self.writer.bytes.len()
    }

    /// Size of the buffer that the batch is written to.
    pub fn capacity(&self) -> usize {
        self.writer.bytes.capacity()
    }

    /// The buffer, to be used again; the batch is given up.
    pub fn into_buffer(self) -> Vec<u8> {
        self.writer.bytes
    }

    /// Names the idempotent producer, when the batch is about to be sent: its place in the sequence is known then.
    pub fn set_producer(&mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) {
        self.config.producer_id = id;
        self.config.producer_epoch = epoch;
        self.config.base_sequence = base_sequence;
    }

    /// The largest of the records' own timestamps so far, or -1.
    pub fn max_timestamp(&self) -> Millis {
        self.max_timestamp
    }

    /// Offset of the first record with the largest timestamp, or -1.
    pub fn offset_of_max_timestamp(&self) -> Offset {
        self.offset_of_max_timestamp
    }

    fn append_parts<'h>(
        &mut self,
        offset: Offset,
        timestamp: Millis,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl ExactSizeIterator<Item = Header<'h>> + Clone,
    ) -> Result<(), BuildError> {
        let base_offset = self.config.base_offset;
        let delta = offset.checked_sub(base_offset).and_then(|delta| i32::try_from(delta).ok());
        let Some(offset_delta) = delta.filter(|&delta| delta >= 0 && offset > self.last_offset) else {
            return Err(BuildError::Offset { offset, previous: self.last_offset, base_offset });
        };
        let base_timestamp = *self.base_timestamp.get_or_insert(timestamp);
        let timestamp_delta = timestamp.wrapping_sub(base_timestamp);
        let mut length = 1 + varlong_size(timestamp_delta) + varint_size(offset_delta);
        length += part_size(key) + part_size(value) + varint_size(headers.len() as i32);
        length += headers.clone().map(|h| part_size(Some(h.key)) + part_size(h.value)).sum::<usize>();
        let size = self.writer.bytes.len() + length;
        if i32::try_from(size).is_err() {
            return Err(BuildError::TooLarge { size });
        }
        let writer = &mut self.writer;
        writer.bytes.reserve(length + 5);
        writer.varint(length as i32);
        writer.i8(0);
        writer.varlong(timestamp_delta);
        writer.varint(offset_delta);
        write_part(writer, key);
        write_part(writer, value);
        writer.varint(headers.len() as i32);
        for header in headers {
            write_part(writer, Some(header.key));
            write_part(writer, header.value);
        }
        self.records_count += 1;
        self.last_offset = offset;
        if timestamp > self.max_timestamp {
            self.max_timestamp = timestamp;
            self.offset_of_max_timestamp = offset;
        }
        Ok(())
    }

    /// The batch; without records there is none, and no bytes come out.
    pub fn finish(self) -> Result<Vec<u8>, BuildError> {
        if self.records_count == 0 {
            return Ok(Vec::new());
        }
        let config = self.config;
        let mut bytes = self.writer.bytes;
        if config.compression != Compression::None {
            let mut compressed = Vec::with_capacity(HEADER_SIZE + bytes.len() / 2);
            compressed.resize(HEADER_SIZE, 0);
            compress(config.compression, config.level, &bytes[HEADER_SIZE..], &mut compressed)?;
            bytes = compressed;
        }
        let Ok(batch_length) = i32::try_from(bytes.len() - LOG_OVERHEAD) else {
            return Err(BuildError::TooLarge { size: bytes.len() });
        };
        let attributes = Attributes::default()
            .with_compression(config.compression)
            .with_timestamp_type(config.timestamp_type)
            .with_transactional(config.transactional)
            .with_control(config.control)
            .with_delete_horizon(config.delete_horizon_ms.is_some());
        let mut header = BatchHeader {
            base_offset: config.base_offset,
            batch_length,
            partition_leader_epoch: config.leader_epoch,
            magic: MAGIC,
            crc: 0,
            attributes,
            last_offset_delta: (self.last_offset.wrapping_sub(config.base_offset)) as i32,
            base_timestamp: self.base_timestamp.unwrap_or(NO_TIMESTAMP),
            max_timestamp: self.max_timestamp,
            producer_id: config.producer_id,
            producer_epoch: config.producer_epoch,
            base_sequence: config.base_sequence,
            records_count: self.records_count,
        };
        if config.timestamp_type == TimestampType::LogAppendTime {
            header.max_timestamp = config.log_append_time;
        }
        header.crc = crc_of(&header.to_bytes(), &bytes[HEADER_SIZE..]);
        put(&mut bytes, 0, header.to_bytes());
        Ok(bytes)
    }
}

fn write_part(writer: &mut Writer, part: Option<&[u8]>) {
    match part {
        None => writer.varint(-1),
        Some(bytes) => {
            writer.varint(bytes.len() as i32);
            writer.bytes.extend_from_slice(bytes);
        }
    }
}

/// Bytes of a key or value with its length.
fn part_size(part: Option<&[u8]>) -> usize {
    match part {
        None => 1,
        Some(bytes) => varlong_size(bytes.len() as i64) + bytes.len(),
    }
}

fn varint_size(value: i32) -> usize {
    varlong_size(i64::from(value))
}

fn varlong_size(value: i64) -> usize {
    let bits = 64 - ((value << 1) ^ (value >> 63)).leading_zeros() as usize;
    bits.max(1).div_ceil(7)
}

#[cfg(test)]
mod tests;
