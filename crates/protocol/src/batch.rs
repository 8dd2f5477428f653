//! Record batches (magic 2): the header, a walk over batches that lie one after another, edits in place.
//!
//! ```text
//!  0 base_offset i64            23 last_offset_delta i32     51 producer_epoch i16
//!  8 batch_length i32           27 base_timestamp i64        53 base_sequence i32
//! 12 partition_leader_epoch i32 35 max_timestamp i64         57 records_count i32
//! 16 magic i8                   43 producer_id i64           61 records
//! 17 crc u32, over everything from byte 21 on
//! 21 attributes i16: 0-2 codec, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon
//! ```
//!
//! Always true of a parsed header: its magic is 2 and its `size()` is at least `HEADER_SIZE`. Everything else
//! is as the writer said it; `batch_validate` decides what a leader takes from a client.

use crate::compression::{Compression, CompressionError};
use crate::crc::{crc32c, crc32c_append};
use crate::record::BatchRecords;
use crate::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};

/// Bytes of a batch before its first record.
pub const HEADER_SIZE: usize = 61;
/// Bytes of a batch that `batch_length` does not count: the base offset and the length itself.
pub const LOG_OVERHEAD: usize = 12;
/// The one message format that is written and read.
pub const MAGIC: i8 = 2;
/// A record or batch without a timestamp.
pub const NO_TIMESTAMP: Millis = -1;
/// A batch that no idempotent producer wrote.
pub const NO_PRODUCER_ID: ProducerId = -1;
/// The producer epoch of a batch without a producer id.
pub const NO_PRODUCER_EPOCH: ProducerEpoch = -1;
/// The sequence of a batch without a producer id.
pub const NO_SEQUENCE: i32 = -1;

pub(crate) mod at {
    pub(crate) const BATCH_LENGTH: usize = 8;
    pub(crate) const PARTITION_LEADER_EPOCH: usize = 12;
    pub(crate) const MAGIC: usize = 16;
    pub(crate) const CRC: usize = 17;
    pub(crate) const ATTRIBUTES: usize = 21;
    pub(crate) const LAST_OFFSET_DELTA: usize = 23;
    pub(crate) const BASE_TIMESTAMP: usize = 27;
    pub(crate) const MAX_TIMESTAMP: usize = 35;
    pub(crate) const PRODUCER_ID: usize = 43;
    pub(crate) const PRODUCER_EPOCH: usize = 51;
    pub(crate) const BASE_SEQUENCE: usize = 53;
    pub(crate) const RECORDS_COUNT: usize = 57;
}

/// Why bytes are not a batch that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The bytes end inside the batch.
    #[error("the batch ends after {have} of {need} bytes")]
    Truncated {
        /// Bytes that the batch takes, or that are needed to learn how many it takes.
        need: usize,
        /// Bytes that are there.
        have: usize,
    },
    /// The length field is below what a header takes.
    #[error("batch length {batch_length} is below the minimum of {}", HEADER_SIZE - LOG_OVERHEAD)]
    Length {
        /// The length field.
        batch_length: i32,
    },
    /// Not message format 2.
    #[error("batch has magic {magic}; only magic {MAGIC} is served")]
    Magic {
        /// The magic byte.
        magic: i8,
    },
    /// The checksum in the header is not that of the bytes.
    #[error("batch is corrupt (stored crc = {stored}, computed crc = {computed})")]
    Crc {
        /// CRC-32C in the header.
        stored: u32,
        /// CRC-32C of the bytes.
        computed: u32,
    },
    /// The records section cannot be decompressed.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// A record's bytes do not make a record.
    #[error(transparent)]
    Record(#[from] crate::record::RecordError),
}

/// What the timestamps of a batch mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimestampType {
    /// Each record has the time its producer gave it.
    #[default]
    CreateTime,
    /// All records have the time the leader appended the batch: `max_timestamp`.
    LogAppendTime,
}

/// The attributes field of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    const CODEC: i16 = 0x07;
    const LOG_APPEND_TIME: i16 = 0x08;
    const TRANSACTIONAL: i16 = 0x10;
    const CONTROL: i16 = 0x20;
    const DELETE_HORIZON: i16 = 0x40;

    /// Codec of the records section.
    pub fn compression(self) -> Result<Compression, CompressionError> {
        Compression::from_id((self.0 & Self::CODEC) as i8)
    }

    /// What the timestamps mean.
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME != 0 {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        }
    }

    /// Whether the batch is part of a transaction.
    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether the records are markers for brokers and clients rather than messages for users.
    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Whether `base_timestamp` is the time from which a tombstone or marker may be removed (KIP-534).
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    /// These attributes without the bits that have no meaning.
    pub fn defined(self) -> Self {
        Self(self.0 & 0x7f)
    }

    /// These attributes with the codec replaced.
    pub fn with_compression(self, compression: Compression) -> Self {
        Self(self.0 & !Self::CODEC | compression.id() as i16)
    }

    /// These attributes with the timestamp type replaced.
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        self.with(Self::LOG_APPEND_TIME, timestamp_type == TimestampType::LogAppendTime)
    }

    /// These attributes with the transactional bit replaced.
    pub fn with_transactional(self, transactional: bool) -> Self {
        self.with(Self::TRANSACTIONAL, transactional)
    }

    /// These attributes with the control bit replaced.
    pub fn with_control(self, control: bool) -> Self {
        self.with(Self::CONTROL, control)
    }

    /// These attributes with the delete horizon bit replaced.
    pub fn with_delete_horizon(self, delete_horizon: bool) -> Self {
        self.with(Self::DELETE_HORIZON, delete_horizon)
    }

    fn with(self, bit: i16, on: bool) -> Self {
        Self(if on { self.0 | bit } else { self.0 & !bit })
    }
}

/// The 61 bytes before the records, as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record; what compaction removed still counts.
    pub base_offset: Offset,
    /// Bytes after this field.
    pub batch_length: i32,
    /// Epoch of the leader that appended the batch.
    pub partition_leader_epoch: LeaderEpoch,
    /// Message format, always 2.
    pub magic: i8,
    /// CRC-32C of everything from `attributes` on.
    pub crc: u32,
    /// Codec and flags.
    pub attributes: Attributes,
    /// Offset of the last record, relative to `base_offset`.
    pub last_offset_delta: i32,
    /// What the records' timestamps are relative to; or the delete horizon.
    pub base_timestamp: Millis,
    /// The largest timestamp of the records, or the append time.
    pub max_timestamp: Millis,
    /// The idempotent producer, or -1.
    pub producer_id: ProducerId,
    /// Its epoch, or -1.
    pub producer_epoch: ProducerEpoch,
    /// Sequence of the first record, or -1.
    pub base_sequence: i32,
    /// Number of records.
    pub records_count: i32,
}

impl BatchHeader {
    /// Reads the header at the beginning of `bytes`, which need not hold the records.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        // The two fields that all message formats share come first, so that an old batch shorter than this
        // header is called old and not truncated.
        if bytes.len() <= at::MAGIC {
            return Err(BatchError::Truncated { need: HEADER_SIZE, have: bytes.len() });
        }
        let magic = bytes[at::MAGIC] as i8;
        if magic != MAGIC {
            return Err(BatchError::Magic { magic });
        }
        let batch_length = i32::from_be_bytes(field(bytes, at::BATCH_LENGTH));
        if batch_length < (HEADER_SIZE - LOG_OVERHEAD) as i32 {
            return Err(BatchError::Length { batch_length });
        }
        if bytes.len() < HEADER_SIZE {
            return Err(BatchError::Truncated { need: HEADER_SIZE, have: bytes.len() });
        }
        Ok(BatchHeader {
            base_offset: i64::from_be_bytes(field(bytes, 0)),
            batch_length,
            partition_leader_epoch: i32::from_be_bytes(field(bytes, at::PARTITION_LEADER_EPOCH)),
            magic,
            crc: u32::from_be_bytes(field(bytes, at::CRC)),
            attributes: Attributes(i16::from_be_bytes(field(bytes, at::ATTRIBUTES))),
            last_offset_delta: i32::from_be_bytes(field(bytes, at::LAST_OFFSET_DELTA)),
            base_timestamp: i64::from_be_bytes(field(bytes, at::BASE_TIMESTAMP)),
            max_timestamp: i64::from_be_bytes(field(bytes, at::MAX_TIMESTAMP)),
            producer_id: i64::from_be_bytes(field(bytes, at::PRODUCER_ID)),
            producer_epoch: i16::from_be_bytes(field(bytes, at::PRODUCER_EPOCH)),
            base_sequence: i32::from_be_bytes(field(bytes, at::BASE_SEQUENCE)),
            records_count: i32::from_be_bytes(field(bytes, at::RECORDS_COUNT)),
        })
    }

    /// The header's bytes, `crc` as it stands.
    pub fn to_bytes(&self) -> [u8; HEADER_SIZE] {
        let mut bytes = [0; HEADER_SIZE];
        put(&mut bytes, 0, self.base_offset.to_be_bytes());
        put(&mut bytes, at::BATCH_LENGTH, self.batch_length.to_be_bytes());
        put(&mut bytes, at::PARTITION_LEADER_EPOCH, self.partition_leader_epoch.to_be_bytes());
        put(&mut bytes, at::MAGIC, self.magic.to_be_bytes());
        put(&mut bytes, at::CRC, self.crc.to_be_bytes());
        put(&mut bytes, at::ATTRIBUTES, self.attributes.0.to_be_bytes());
        put(&mut bytes, at::LAST_OFFSET_DELTA, self.last_offset_delta.to_be_bytes());
        put(&mut bytes, at::BASE_TIMESTAMP, self.base_timestamp.to_be_bytes());
        put(&mut bytes, at::MAX_TIMESTAMP, self.max_timestamp.to_be_bytes());
        put(&mut bytes, at::PRODUCER_ID, self.producer_id.to_be_bytes());
        put(&mut bytes, at::PRODUCER_EPOCH, self.producer_epoch.to_be_bytes());
        put(&mut bytes, at::BASE_SEQUENCE, self.base_sequence.to_be_bytes());
        put(&mut bytes, at::RECORDS_COUNT, self.records_count.to_be_bytes());
        bytes
    }

    /// Bytes of the whole batch.
    pub fn size(&self) -> usize {
        self.batch_length as usize + LOG_OVERHEAD
    }

    /// Offset of the last record (it may have been removed by compaction). Wraps on a header that lies.
    pub fn last_offset(&self) -> Offset {
        self.base_offset.wrapping_add(self.last_offset_delta as i64)
    }

    /// Offset of whatever follows the batch.
    pub fn next_offset(&self) -> Offset {
        self.last_offset().wrapping_add(1)
    }

    /// Sequence of the last record, or -1; sequences go from `i32::MAX` to 0.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            return NO_SEQUENCE;
        }
        sequence_after(self.base_sequence, self.last_offset_delta)
    }

    /// Whether an idempotent or transactional producer wrote the batch.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// See [`Attributes::is_control`].
    pub fn is_control(&self) -> bool {
        self.attributes.is_control()
    }

    /// See [`Attributes::is_transactional`].
    pub fn is_transactional(&self) -> bool {
        self.attributes.is_transactional()
    }

    /// See [`Attributes::compression`].
    pub fn compression(&self) -> Result<Compression, CompressionError> {
        self.attributes.compression()
    }

    /// See [`Attributes::timestamp_type`].
    pub fn timestamp_type(&self) -> TimestampType {
        self.attributes.timestamp_type()
    }

    /// See [`Attributes::has_delete_horizon`].
    pub fn has_delete_horizon(&self) -> bool {
        self.attributes.has_delete_horizon()
    }

    /// The time from which tombstones and markers of the batch may be removed, if it was set.
    pub fn delete_horizon_ms(&self) -> Option<Millis> {
        self.has_delete_horizon().then_some(self.base_timestamp)
    }
}

/// The sequence `steps` after `sequence`; `i32::MAX` is followed by 0.
pub fn sequence_after(sequence: i32, steps: i32) -> i32 {
    (sequence as i64 + steps as i64).rem_euclid(1 << 31) as i32
}

/// One whole batch.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Its header.
    pub header: BatchHeader,
    /// All its bytes, the header's included.
    pub bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Reads the batch at the beginning of `bytes`; what follows it is left alone.
    pub fn parse(bytes: &'a [u8]) -> Result<Batch<'a>, BatchError> {
        let header = BatchHeader::parse(bytes)?;
        let size = header.size();
        match bytes.get(..size) {
            Some(bytes) => Ok(Batch { header, bytes }),
            None => Err(BatchError::Truncated { need: size, have: bytes.len() }),
        }
    }

    /// CRC-32C of the bytes that the header's checksum covers.
    pub fn computed_crc(&self) -> u32 {
        crc32c(&self.bytes[at::ATTRIBUTES..])
    }

    /// Whether the checksum in the header is that of the bytes.
    pub fn crc_is_valid(&self) -> bool {
        self.header.crc == self.computed_crc()
    }

    /// The records section as it lies there, compressed or not.
    pub fn records_bytes(&self) -> &'a [u8] {
        &self.bytes[HEADER_SIZE..]
    }

    /// The records; a compressed section is decompressed first, into `max_decompressed` bytes at most.
    pub fn records(&self, max_decompressed: usize) -> Result<BatchRecords<'a>, BatchError> {
        BatchRecords::new(self, max_decompressed)
    }
}

/// Walks over batches that lie one after another. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
    position: usize,
}

/// The batches in `bytes`, first to last. Bytes that end inside a batch give [`BatchError::Truncated`].
pub fn batches(bytes: &[u8]) -> Batches<'_> {
    Batches { rest: bytes, position: 0 }
}

impl Batches<'_> {
    /// Bytes of the batches that came out so far.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let batch = Batch::parse(self.rest);
        match &batch {
            Ok(batch) => {
                self.position += batch.bytes.len();
                self.rest = &self.rest[batch.bytes.len()..];
            }
            Err(_) => self.rest = &[],
        }
        Some(batch)
    }
}

/// Moves a batch to another offset. The checksum does not cover this field.
///
/// `batch` holds at least a header.
pub fn set_base_offset(batch: &mut [u8], base_offset: Offset) {
    put(batch, 0, base_offset.to_be_bytes());
}

/// Notes the leader that appends a batch. The checksum does not cover this field.
///
/// `batch` holds at least a header.
pub fn set_partition_leader_epoch(batch: &mut [u8], epoch: LeaderEpoch) {
    put(batch, at::PARTITION_LEADER_EPOCH, epoch.to_be_bytes());
}

/// Sets the timestamp type and the largest timestamp, and the checksum anew.
///
/// `batch` holds exactly one whole batch.
pub fn set_max_timestamp_and_type(batch: &mut [u8], timestamp_type: TimestampType, max_timestamp: Millis) {
    let attributes = Attributes(i16::from_be_bytes(field(batch, at::ATTRIBUTES)));
    put(batch, at::ATTRIBUTES, attributes.defined().with_timestamp_type(timestamp_type).0.to_be_bytes());
    put(batch, at::MAX_TIMESTAMP, max_timestamp.to_be_bytes());
    let crc = crc32c(&batch[at::ATTRIBUTES..]);
    put(batch, at::CRC, crc.to_be_bytes());
}

/// Names the idempotent producer and the place in its sequence, and sets the checksum anew.
///
/// `batch` holds exactly one whole batch.
pub fn set_producer(batch: &mut [u8], id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) {
    put(batch, at::PRODUCER_ID, id.to_be_bytes());
    put(batch, at::PRODUCER_EPOCH, epoch.to_be_bytes());
    put(batch, at::BASE_SEQUENCE, base_sequence.to_be_bytes());
    let crc = crc32c(&batch[at::ATTRIBUTES..]);
    put(batch, at::CRC, crc.to_be_bytes());
}

/// CRC-32C of a batch whose header and records lie apart.
pub(crate) fn crc_of(header: &[u8; HEADER_SIZE], records: &[u8]) -> u32 {
    crc32c_append(crc32c(&header[at::ATTRIBUTES..]), records)
}

/// The `N` bytes at `position`, which the caller knows to be there.
pub(crate) fn field<const N: usize>(bytes: &[u8], position: usize) -> [u8; N] {
    let mut value = [0; N];
    value.copy_from_slice(&bytes[position..position + N]);
    value
}

pub(crate) fn put<const N: usize>(bytes: &mut [u8], position: usize, value: [u8; N]) {
    bytes[position..position + N].copy_from_slice(&value);
}

#[cfg(test)]
mod tests;
