//! Records that do not pass the schemas of their topic go to the topic that it names; the others go on.
//!
//! Always true:
//!   letters are in the log of their topic before what is left of their batch is in its own, and the answer
//!   waits until both are as safe as it promises; where letters can't be written nothing is
//!   a batch that is sent again may have letters again: they are written once at least
//!   no lock of one partition is held while another one is written to

use std::sync::Arc;

use barnabas_log::{Durability, NO_GUARD};
use barnabas_protocol::batch::{Batch, BatchError, BatchHeader, HEADER_SIZE};
use barnabas_protocol::batch_builder::BatchBuilder;
use barnabas_protocol::batch_remainder::{empty, remainder, RemainderError};
use barnabas_protocol::batch_validate::{
    InvalidKind, InvalidRecords, Validated, DECOMPRESSED_BATCH_BYTES_MAX,
};
use barnabas_protocol::compression::Compression;
use barnabas_protocol::record::{Header, Record};
use barnabas_protocol::{Millis, Offset, PartitionIndex};

use super::{until, Until};
use crate::append::{Appended, CheckedBatch, ProduceError};
use crate::broker::Broker;
use crate::coordinator_log::{build_error, builder_config};
use crate::error_code;
use crate::partition::{Partition, PartitionConfig, NO_EPOCH};
use crate::schema_table::{Diversion, Letter};
use crate::verify::Verified;

/// Bytes of a batch beside its records, and of a record or header beside what is in it, at most.
const OVERHEAD_BYTES: usize = 128;

/// A batch of which some records go elsewhere.
#[derive(Debug)]
pub(crate) struct Diverted {
    pub(crate) diversion: Diversion,
    /// The batch as it would have been appended, at offset 0.
    whole: Vec<u8>,
    /// The same without the records that go elsewhere, and its header.
    rest: Vec<u8>,
    header: BatchHeader,
    log_append_time: Option<Millis>,
}

impl Diverted {
    pub(crate) fn new(validated: &Validated<'_>, diversion: Diversion) -> Result<Diverted, ProduceError> {
        let mut whole = Vec::new();
        validated.write_to(0, &mut whole);
        let batch = Batch::parse(&whole).map_err(invalid)?;
        let mut stays = vec![true; usize::try_from(batch.header.records_count).unwrap_or(0)];
        for letter in &diversion.letters {
            stays[letter.index as usize] = false;
        }
        let rest = match stays.contains(&true) {
            true => {
                let records = batch.records(DECOMPRESSED_BATCH_BYTES_MAX).map_err(invalid)?;
                remainder(&batch.header, &records, &stays, None).map_err(|error| match error {
                    RemainderError::Batch(error) => invalid(error),
                    RemainderError::Build(error) => build_error(error),
                })?
            }
            false => empty(&batch.header),
        };
        let header = Batch::parse(&rest).map_err(invalid)?.header;
        Ok(Diverted { log_append_time: validated.log_append_time(), diversion, whole, header, rest })
    }

    /// Why the whole batch is refused: a letter has no room in its topic.
    fn refused(&self) -> ProduceError {
        let letters = &self.diversion.letters;
        let message = format!("records do not pass, and are too large for topic {}", self.diversion.target);
        let record_errors = letters.iter().map(|letter| (letter.index as i32, letter.why.clone())).collect();
        ProduceError::Invalid(InvalidRecords { kind: InvalidKind::Record, message, record_errors })
    }
}

fn invalid(error: BatchError) -> ProduceError {
    ProduceError::Invalid(error.into())
}

/// Whoever is to be waited for.
pub(super) type Wait = (Arc<Partition>, Until);

impl Broker {
    /// Appends the letters of a batch, and then what is left of it.
    pub(super) fn divert(
        &self,
        partition: &Arc<Partition>,
        diverted: &Diverted,
        acks: i16,
        verified: &Verified,
        now: Millis,
    ) -> Result<(Appended, Option<Wait>), ProduceError> {
        let name = &diverted.diversion.target;
        let not_diverted = |code| ProduceError::NotDiverted { target: name.clone(), code };
        let target = self.letter_box(name, partition.index).map_err(not_diverted)?;
        let (last_offset, durability) =
            target.append_diverted(partition.index, diverted, now).map_err(|error| {
                if let Some(failure) = error.storage_failure() {
                    self.storage_failed(&target, failure);
                }
                match error.code() {
                    error_code::MESSAGE_TOO_LARGE => diverted.refused(),
                    code => not_diverted(code),
                }
            })?;
        let Diverted { header, log_append_time, .. } = diverted;
        let records = &diverted.rest[HEADER_SIZE..];
        let rest = CheckedBatch { header, records, log_append_time: *log_append_time };
        let appended = partition.append_rest(&rest, acks, verified, now)?;
        let wait = until(acks, last_offset, durability).map(|until| (target, until));
        Ok((appended, wait))
    }

    /// The partition that letters of partition `index` go to: one that is led here, the same one each time as
    /// long as leaders stay where they are.
    fn letter_box(&self, name: &str, index: PartitionIndex) -> Result<Arc<Partition>, i16> {
        let image = self.image();
        let topic = image.topics.by_name(name).ok_or(error_code::UNKNOWN_TOPIC_OR_PARTITION)?;
        let count = topic.partitions().len() as PartitionIndex;
        let partitions = (0..count).map(|step| self.partition(topic.id, (index + step) % count));
        partitions
            .filter_map(Result::ok)
            .find(|partition| partition.role.read().leader(NO_EPOCH).is_ok())
            .ok_or(error_code::NOT_LEADER_OR_FOLLOWER)
    }
}

impl Partition {
    /// Appends all letters of a batch of partition `index`; the last one's offset, and when it counts.
    fn append_diverted(
        &self,
        index: PartitionIndex,
        diverted: &Diverted,
        now: Millis,
    ) -> Result<(Offset, Durability), ProduceError> {
        let batch = Batch::parse(&diverted.whole).map_err(invalid)?;
        let records = batch.records(DECOMPRESSED_BATCH_BYTES_MAX).map_err(invalid)?;
        let mut letters = diverted.diversion.letters.iter().peekable();
        let mut to_go = Vec::with_capacity(letters.len());
        for (at, record) in records.iter().enumerate() {
            let record = record.map_err(|error| invalid(error.into()))?;
            if let Some(letter) = letters.next_if(|letter| letter.index as usize == at) {
                to_go.push((record, letter));
            }
        }
        let source = (&*diverted.diversion.source, index.to_string());
        let mut rest = &to_go[..];
        loop {
            let mut durability = Durability::default();
            let appended = self.append_own(NO_EPOCH, NO_GUARD, now, |_, config| {
                durability = config.log.durability;
                written(&mut rest, (source.0, &source.1), config, now)
            })?;
            if rest.is_empty() {
                return Ok((appended.log_end_offset - 1, durability));
            }
        }
    }
}

/// A batch of as many letters as there is room for, at least one.
fn written(
    letters: &mut &[(Record<'_>, &Letter)],
    (topic, partition): (&str, &str),
    config: &PartitionConfig,
    now: Millis,
) -> Result<Vec<u8>, ProduceError> {
    let mut builder = BatchBuilder::new(builder_config(config, Compression::None, now));
    let mut size = OVERHEAD_BYTES;
    while let Some(((record, letter), rest)) = letters.split_first() {
        let timestamp = record.timestamp.to_string();
        let own = [
            ("__dlq.errors.topic", topic),
            ("__dlq.errors.partition", partition),
            ("__dlq.errors.timestamp", &timestamp),
            ("__dlq.errors.message", &letter.why),
        ];
        let own = own.map(|(key, value)| Header { key: key.as_bytes(), value: Some(value.as_bytes()) });
        let headers: Vec<Header<'_>> = record.headers.chain(own).collect();
        let part = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let of_header = |header: &Header<'_>| header.key.len() + part(header.value) + OVERHEAD_BYTES;
        let more = part(record.key)
            + part(record.value)
            + headers.iter().map(of_header).sum::<usize>()
            + OVERHEAD_BYTES;
        if builder.records_count() > 0 && size + more > config.validation.max_message_bytes {
            break;
        }
        builder.append(now, record.key, record.value, &headers).map_err(build_error)?;
        size += more;
        *letters = rest;
    }
    builder.finish().map_err(build_error)
}
