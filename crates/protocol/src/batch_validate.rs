//! What the leader of a partition does with the records of a Produce request before they are appended.
//!
//! Always true of a [`Validated`] batch: its checksum is right; its records fill it exactly, are as many as the
//! header says and have the offsets base, base + 1, …; `max_timestamp` is the largest of their timestamps, or
//! the time of append; nothing in it makes a consumer fail. The request's own bytes are never changed: what the
//! leader decides is in the header, which lies apart, and the records follow it as they came, unless they had
//! to be written anew.
//!
//! What is not looked at here: who may write, the producer's epoch and sequence against its earlier batches,
//! whether its transaction is open.

mod error;
mod walk;

use std::borrow::Cow;

use crate::batch::{
    at, crc_of, put, Attributes, Batch, BatchError, BatchHeader, TimestampType, HEADER_SIZE, LOG_OVERHEAD,
    MAGIC, NO_PRODUCER_ID, NO_TIMESTAMP,
};
use crate::batch_builder::{BatchBuilder, BuildError, BuilderConfig};
use crate::compression::{decompress, Compression};
use crate::record::RecordIter;
use crate::schema_id::{AnySchema, SchemaJudge};
use crate::types::{LeaderEpoch, Millis, Offset};

use error::RecordErrors;
pub use error::{InvalidKind, InvalidRecords, RECORD_ERRORS_MAX};
use walk::Walked;

/// What a batch may have in it after decompression, all records together, unless the caller decides otherwise.
///
/// Kafka has no such bound (`max.decompressed.message.bytes` is for one record): there a batch of a megabyte can
/// keep a thread busy for many seconds.
pub const DECOMPRESSED_BATCH_BYTES_MAX: usize = 256 << 20;

/// Lowest version of Produce that may carry zstd (KIP-110).
const PRODUCE_VERSION_ZSTD: i16 = 7;

/// The topic's `compression.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TopicCompression {
    /// As the producer chose.
    #[default]
    Producer,
    /// Always this codec, at this level or its default.
    Codec(Compression, Option<i32>),
}

/// What a topic asks of the batches that are produced to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidationConfig {
    /// Whether `cleanup.policy` has `compact`, so that records need keys.
    pub compacted: bool,
    /// `compression.type` and the level of its codec.
    pub compression_type: TopicCompression,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how old a timestamp may be.
    pub timestamp_before_max_ms: Millis,
    /// `message.timestamp.after.max.ms`: how far in the future a timestamp may be.
    pub timestamp_after_max_ms: Millis,
    /// `max.message.bytes`: how large a batch may be.
    pub max_message_bytes: usize,
    /// `max.decompressed.message.bytes`: how large a record of a compressed batch may be.
    pub max_decompressed_bytes: usize,
    /// How large all records of a compressed batch may be together.
    pub max_decompressed_batch_bytes: usize,
    /// Epoch of the leader that appends.
    pub leader_epoch: LeaderEpoch,
}

impl Default for ValidationConfig {
    /// Kafka's defaults of a topic.
    fn default() -> Self {
        ValidationConfig {
            compacted: false,
            compression_type: TopicCompression::Producer,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: Millis::MAX,
            timestamp_after_max_ms: 3_600_000,
            max_message_bytes: 1_048_588,
            max_decompressed_bytes: 2_147_483_639,
            max_decompressed_batch_bytes: DECOMPRESSED_BATCH_BYTES_MAX,
            leader_epoch: -1,
        }
    }
}

/// A batch that may be appended.
#[derive(Debug, Clone)]
pub struct Validated<'a> {
    header: BatchHeader,
    records: Cow<'a, [u8]>,
    offset_delta_of_max_timestamp: i32,
}

impl Validated<'_> {
    /// The header to append, with base offset 0.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The header to append at `base_offset`.
    pub fn header_bytes(&self, base_offset: Offset) -> [u8; HEADER_SIZE] {
        let mut bytes = self.header.to_bytes();
        put(&mut bytes, 0, base_offset.to_be_bytes());
        bytes
    }

    /// What follows the header.
    pub fn records_bytes(&self) -> &[u8] {
        &self.records
    }

    /// Appends the batch, at `base_offset`, to `out`.
    pub fn write_to(&self, base_offset: Offset, out: &mut Vec<u8>) {
        out.reserve(self.size());
        out.extend_from_slice(&self.header_bytes(base_offset));
        out.extend_from_slice(&self.records);
    }

    /// Bytes of the batch.
    pub fn size(&self) -> usize {
        self.header.size()
    }

    /// Whether the records had to be written anew, because of their codec or their timestamps.
    pub fn is_rebuilt(&self) -> bool {
        matches!(self.records, Cow::Owned(_))
    }

    /// Offset, relative to the base, of the first record with the largest timestamp; -1 if none has one.
    pub fn offset_delta_of_max_timestamp(&self) -> i32 {
        self.offset_delta_of_max_timestamp
    }

    /// The time of append, where it counts as the records' timestamp.
    pub fn log_append_time(&self) -> Option<Millis> {
        match self.header.timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(self.header.max_timestamp),
        }
    }
}

/// Checks `records`, what a Produce request of `produce_version` has for one partition, at the time `now`.
///
/// Bytes behind the first batch that are too few for another one are left out, as in Kafka.
pub fn validate<'a>(
    records: &'a [u8],
    produce_version: i16,
    config: &ValidationConfig,
    now: Millis,
) -> Result<Validated<'a>, InvalidRecords> {
    validate_schemas(records, produce_version, config, now, &mut AnySchema)
}

/// The same, and `judge` says what it has against the schemas of records.
pub fn validate_schemas<'a, J: SchemaJudge>(
    records: &'a [u8],
    produce_version: i16,
    config: &ValidationConfig,
    now: Millis,
    judge: &mut J,
) -> Result<Validated<'a>, InvalidRecords> {
    let batch = the_one_batch(records, produce_version)?;
    check_batch(&batch, config)?;
    let codec = batch.header.compression().map_err(BatchError::from)?;
    let (target, level) = match config.compression_type {
        TopicCompression::Producer => (codec, None),
        TopicCompression::Codec(target, level) => (target, level),
    };
    if target != codec && codec != Compression::None {
        let mut plain = Vec::new();
        decompress(codec, batch.records_bytes(), config.max_decompressed_batch_bytes, &mut plain)
            .map_err(BatchError::from)?;
        let walked = walk::plain(&batch.header, &plain, config, now, judge)?;
        return rebuilt(&batch.header, &plain, &walked, target, level, config, now);
    }
    let walked = match codec {
        Compression::None => walk::plain(&batch.header, batch.records_bytes(), config, now, judge)?,
        codec => walk::compressed(&batch, codec, config, now, judge)?,
    };
    // A producer that claims LogAppendTime gave all its records one timestamp, that of the header. Kafka puts
    // CreateTime into the header and leaves the records, which thereby get timestamps that nobody checked.
    let timestamps_are_own = batch.header.timestamp_type() == TimestampType::CreateTime;
    if target == codec && timestamps_are_own {
        return Ok(in_place(&batch, &walked, config, now));
    }
    let plain = batch.records(config.max_decompressed_batch_bytes)?;
    rebuilt(&batch.header, plain.bytes(), &walked, target, level, config, now)
}

/// What Kafka checks of a Produce's records before anything else of the request: that there is one batch of
/// the format that is served.
pub fn check_format(records: &[u8], produce_version: i16) -> Result<(), InvalidRecords> {
    the_one_batch(records, produce_version).map(|_| ())
}

/// Whether the first batch is a transaction's; an error if it can't be one of any format. Kafka looks at this
/// for all partitions of a Produce before it does anything, and refuses the whole request with the error.
pub fn is_transactional(records: &[u8]) -> Result<bool, InvalidRecords> {
    let Some(size) = next_batch_size(records)? else { return Ok(false) };
    let header = BatchHeader::parse(&records[..size]);
    Ok(header.is_ok_and(|header| header.is_transactional()))
}

/// The first batch, if it is of the format that is served and no other follows. In the order of Kafka's checks.
fn the_one_batch(records: &[u8], produce_version: i16) -> Result<Batch<'_>, InvalidRecords> {
    let Some(size) = next_batch_size(records)? else {
        return Err(InvalidRecords::new(InvalidKind::Record, "there is no record batch"));
    };
    let (bytes, rest) = records.split_at(size);
    let magic = bytes[at::MAGIC] as i8;
    if magic != MAGIC {
        return Err(BatchError::Magic { magic }.into());
    }
    let codec = bytes.get(at::ATTRIBUTES + 1).map(|&low| Attributes(i16::from(low)).compression());
    if produce_version < PRODUCE_VERSION_ZSTD && codec == Some(Ok(Compression::Zstd)) {
        let message = format!("zstd needs Produce version {PRODUCE_VERSION_ZSTD}, this is {produce_version}");
        return Err(InvalidRecords::new(InvalidKind::UnsupportedCompressionType, message));
    }
    if next_batch_size(rest)?.is_some() {
        return Err(InvalidRecords::new(InvalidKind::Record, "there is more than one record batch"));
    }
    Ok(Batch::parse(bytes)?)
}

/// Size of the batch at the beginning of `bytes`, of whatever format; None if it is not all there.
fn next_batch_size(bytes: &[u8]) -> Result<Option<usize>, InvalidRecords> {
    /// What the smallest message of format 0 takes after its length.
    const LENGTH_MIN: i32 = 14;
    let Some(&[_, _, _, _, _, _, _, _, a, b, c, d]) = bytes.first_chunk::<LOG_OVERHEAD>() else {
        return Ok(None);
    };
    let length = i32::from_be_bytes([a, b, c, d]);
    if length < LENGTH_MIN {
        return Err(InvalidRecords::new(InvalidKind::Corrupt, format!("a batch can't have length {length}")));
    }
    let Some(&magic) = bytes.get(at::MAGIC) else { return Ok(None) };
    if magic as i8 > MAGIC || (magic as i8) < 0 {
        return Err(InvalidRecords::new(InvalidKind::Corrupt, format!("there is no magic {}", magic as i8)));
    }
    let size = length as usize + LOG_OVERHEAD;
    Ok((size <= bytes.len()).then_some(size))
}

/// What can be known without the records.
fn check_batch(batch: &Batch<'_>, config: &ValidationConfig) -> Result<(), InvalidRecords> {
    let header = &batch.header;
    let invalid = |message: String| Err(InvalidRecords::new(InvalidKind::Record, message));
    if header.base_offset != 0 {
        return invalid(format!("base offset is {}, a producer's is 0", header.base_offset));
    }
    if header.size() > config.max_message_bytes {
        return Err(InvalidRecords::too_large(header.size(), config.max_message_bytes));
    }
    let computed = batch.computed_crc();
    if header.crc != computed {
        return Err(BatchError::Crc { stored: header.crc, computed }.into());
    }
    if header.last_offset_delta < 0 {
        return invalid(format!("last offset delta is {}", header.last_offset_delta));
    }
    if header.records_count <= 0 {
        return invalid(format!("batch has {} records", header.records_count));
    }
    if i64::from(header.last_offset_delta) + 1 != i64::from(header.records_count) {
        let (last, count) = (header.last_offset_delta, header.records_count);
        return invalid(format!("batch has {count} records, but its last offset delta is {last}"));
    }
    if header.is_control() {
        return invalid("control records are written by brokers only".to_owned());
    }
    check_producer(header)
}

/// Whether id, epoch and sequence go together. Kafka 4.3.1 looks at the sequence here, and at the rest only
/// when it writes the batch anew, where it answers UNKNOWN_SERVER_ERROR.
fn check_producer(header: &BatchHeader) -> Result<(), InvalidRecords> {
    let (id, epoch, sequence) = (header.producer_id, header.producer_epoch, header.base_sequence);
    let wrong = match id {
        ..NO_PRODUCER_ID => true,
        NO_PRODUCER_ID => header.is_transactional(),
        0.. => epoch < 0 || sequence < 0,
    };
    if !wrong {
        return Ok(());
    }
    let message = format!("producer id {id}, epoch {epoch} and sequence {sequence} do not go together");
    Err(InvalidRecords::new(InvalidKind::Record, message))
}

/// The batch with the client's own record bytes.
fn in_place<'a>(batch: &Batch<'a>, walked: &Walked, config: &ValidationConfig, now: Millis) -> Validated<'a> {
    let mut header = batch.header;
    header.partition_leader_epoch = config.leader_epoch;
    let (max_timestamp, offset_delta_of_max_timestamp) = max_timestamp(walked, config, now);
    let records = batch.records_bytes();
    if (header.timestamp_type(), header.max_timestamp) != (config.timestamp_type, max_timestamp) {
        header.attributes = header.attributes.defined().with_timestamp_type(config.timestamp_type);
        header.max_timestamp = max_timestamp;
        header.crc = crc_of(&header.to_bytes(), records);
    }
    Validated { header, records: Cow::Borrowed(records), offset_delta_of_max_timestamp }
}

/// The batch written anew, with another codec or with the timestamps that its header claims for the records.
fn rebuilt<'a>(
    header: &BatchHeader,
    plain: &[u8],
    walked: &Walked,
    compression: Compression,
    level: Option<i32>,
    config: &ValidationConfig,
    now: Millis,
) -> Result<Validated<'a>, InvalidRecords> {
    let mut builder = BatchBuilder::new(BuilderConfig {
        compression,
        level,
        timestamp_type: config.timestamp_type,
        log_append_time: now,
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
        transactional: header.is_transactional(),
        leader_epoch: config.leader_epoch,
        ..BuilderConfig::default()
    });
    // Kafka takes a record from before 1970 as it comes; where it packs it anew, it fails with
    // UNKNOWN_SERVER_ERROR.
    let packed_anew = header.compression() != Ok(compression);
    let mut errors = RecordErrors::default();
    for (index, record) in RecordIter::new(header, plain).enumerate() {
        let record = record.map_err(BatchError::from)?;
        if packed_anew && record.timestamp < NO_TIMESTAMP {
            errors.timestamp(index as u32, record.timestamp, NO_TIMESTAMP, Millis::MAX);
        }
        builder.append_record(index as Offset, &record)?;
    }
    errors.finish()?;
    let mut bytes = builder.finish()?;
    if bytes.len() > config.max_message_bytes {
        return Err(InvalidRecords::too_large(bytes.len(), config.max_message_bytes));
    }
    let header = BatchHeader::parse(&bytes)?;
    bytes.drain(..HEADER_SIZE);
    let (_, offset_delta_of_max_timestamp) = max_timestamp(walked, config, now);
    Ok(Validated { header, records: Cow::Owned(bytes), offset_delta_of_max_timestamp })
}

fn max_timestamp(walked: &Walked, config: &ValidationConfig, now: Millis) -> (Millis, i32) {
    match config.timestamp_type {
        TimestampType::CreateTime => (walked.max_timestamp, walked.index_of_max_timestamp),
        TimestampType::LogAppendTime => (now, 0),
    }
}

impl From<BuildError> for InvalidRecords {
    fn from(error: BuildError) -> Self {
        InvalidRecords::new(InvalidKind::Record, error.to_string())
    }
}

#[cfg(test)]
mod tests;
