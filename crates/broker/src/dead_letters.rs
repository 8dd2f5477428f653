//! Dead letters (KIP-1191): records that a share group has given up go to a topic of their own, with headers that
//! say where they come from and why. Key and value go with them where the group wants that.

use std::collections::HashMap;

use barnabas_log::NO_GUARD;
use barnabas_protocol::batch;
use barnabas_protocol::batch_builder::BatchBuilder;
use barnabas_protocol::batch_validate::DECOMPRESSED_BATCH_BYTES_MAX;
use barnabas_protocol::compression::Compression;
use barnabas_protocol::record::Header;
use barnabas_protocol::{Millis, Offset, PartitionIndex, TopicId};

use crate::append::ProduceError;
use crate::broker::Broker;
use crate::coordinator_log::{build_error, builder_config};
use crate::partition::{Partition, NO_EPOCH};

/// Bytes of the source that are read at once.
const READ_BYTES: usize = 1 << 20;
/// Bytes of one batch beside its records, and of one record beside key, value and headers, at most.
const OVERHEAD_BYTES: usize = 128;

/// Consecutive records that were given up for one reason.
#[derive(Debug, Clone, Copy)]
pub struct DeadLetters<'a> {
    /// Where they are.
    pub topic_id: TopicId,
    /// Name of that topic.
    pub topic: &'a str,
    /// Partition of that topic.
    pub index: PartitionIndex,
    /// The first of them.
    pub first_offset: Offset,
    /// The last of them.
    pub last_offset: Offset,
    /// The group.
    pub group_id: &'a str,
    /// How often they were delivered.
    pub delivery_count: i16,
    /// Why they were given up.
    pub message: &'a str,
    /// Where they are to go.
    pub target: &'a str,
    /// Partition of the target.
    pub target_index: PartitionIndex,
    /// Whether keys and values go with them.
    pub copy: bool,
}

/// Bytes of a header beside its name and value, at most.
const HEADER_OVERHEAD_BYTES: usize = 10;

type LetterHeaders = [(&'static str, String); 6];

/// Key and value.
type Body = (Option<Vec<u8>>, Option<Vec<u8>>);

impl Broker {
    /// Appends dead letters, all in the order of offsets; an error code otherwise, and then some may have been
    /// appended. What the source does not have any more, or what is too large for the target with key and
    /// value, goes without them.
    pub fn append_dead_letters(&self, letters: &DeadLetters<'_>, now: Millis) -> Result<(), i16> {
        let target = self.partition_by_name(&self.image.load(), letters.target, letters.target_index)?;
        let mut offset = letters.first_offset;
        while offset <= letters.last_offset {
            let bodies = match letters.copy {
                true => self.bodies(letters, offset),
                false => Bodies { found: HashMap::new(), end: letters.last_offset + 1 },
            };
            offset = target.append_letters(letters, offset, &bodies, now).map_err(|error| {
                if let Some(failure) = error.storage_failure() {
                    self.storage_failed(&target, failure);
                }
                error.code()
            })?;
        }
        Ok(())
    }

    /// Keys and values of a part of the records from `offset` on.
    fn bodies(&self, letters: &DeadLetters<'_>, offset: Offset) -> Bodies {
        let mut bodies = Bodies { found: HashMap::new(), end: letters.last_offset + 1 };
        match self.read_for_share(letters.topic_id, letters.index, offset, READ_BYTES, false) {
            Ok(read) => bodies.take(&read.bytes, offset),
            Err(code) => {
                let (topic, index) = (letters.topic, letters.index);
                log::warn!(
                    "dead letters of {topic}-{index} from {offset} on have no key and value: error {code}"
                );
            }
        }
        bodies
    }
}

/// Keys and values by offset, of the records before `end`.
struct Bodies {
    found: HashMap<Offset, Body>,
    end: Offset,
}

impl Bodies {
    /// Takes what can be read of whole batches.
    fn take(&mut self, bytes: &[u8], first: Offset) {
        let mut next = None;
        for batch in batch::batches(bytes).map_while(Result::ok) {
            next = Some(batch.header.next_offset());
            let Ok(records) = batch.records(DECOMPRESSED_BATCH_BYTES_MAX) else { continue };
            let wanted = first..self.end;
            for record in records.iter().map_while(Result::ok).filter(|one| wanted.contains(&one.offset)) {
                let body = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
                self.found.insert(record.offset, body);
            }
        }
        self.end = self.end.min(next.unwrap_or(self.end)).max(first + 1);
    }

    /// Key and value of a record, unless they have more bytes than that.
    fn fitting(&self, offset: Offset, bytes_max: usize) -> (Option<&[u8]>, Option<&[u8]>) {
        let Some((key, value)) = self.found.get(&offset) else { return (None, None) };
        let (key, value) = (key.as_deref(), value.as_deref());
        match key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len) + OVERHEAD_BYTES <= bytes_max {
            true => (key, value),
            false => (None, None),
        }
    }
}

impl Partition {
    /// Appends one batch of letters from `offset` on. Returns the offset of the next letter.
    fn append_letters(
        &self,
        letters: &DeadLetters<'_>,
        offset: Offset,
        bodies: &Bodies,
        now: Millis,
    ) -> Result<Offset, ProduceError> {
        let mut next = offset;
        self.append_own(NO_EPOCH, NO_GUARD, now, |_, config| {
            let bytes_max = config.validation.max_message_bytes;
            let mut builder = BatchBuilder::new(builder_config(config, Compression::None, now));
            let mut size = OVERHEAD_BYTES;
            while next < bodies.end {
                let headers = letters.headers(next);
                let (key, value) =
                    bodies.fitting(next, bytes_max.saturating_sub(letter_size(&headers, None, None)));
                let more = letter_size(&headers, key, value);
                if next > offset && size + more > bytes_max {
                    break;
                }
                let headers = headers
                    .each_ref()
                    .map(|(key, value)| Header { key: key.as_bytes(), value: Some(value.as_bytes()) });
                builder.append(now, key, value, &headers).map_err(build_error)?;
                size += more;
                next += 1;
            }
            builder.finish().map_err(build_error)
        })?;
        Ok(next)
    }
}

/// Bytes that a letter takes, at most.
fn letter_size(headers: &LetterHeaders, key: Option<&[u8]>, value: Option<&[u8]>) -> usize {
    let body = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
    let headers: usize =
        headers.iter().map(|(key, value)| key.len() + value.len() + HEADER_OVERHEAD_BYTES).sum();
    OVERHEAD_BYTES + headers + body
}

impl DeadLetters<'_> {
    /// Kafka's headers of a dead letter.
    fn headers(&self, offset: Offset) -> LetterHeaders {
        [
            ("__dlq.errors.topic", self.topic.to_string()),
            ("__dlq.errors.partition", self.index.to_string()),
            ("__dlq.errors.offset", offset.to_string()),
            ("__dlq.errors.group", self.group_id.to_string()),
            ("__dlq.errors.delivery.count", self.delivery_count.to_string()),
            ("__dlq.errors.message", self.message.to_string()),
        ]
    }
}
