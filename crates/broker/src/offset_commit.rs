//! OffsetCommits that change nothing but offsets: written here, for as long as their coordinator lends the group.
//!
//! What is plain is for `lent_groups` to say, and of members for `steady`: their generation or member epoch is
//! right. Whatever is not so plain is the coordinator's.

use barnabas_image::{MetadataImage, TopicImage};
use barnabas_protocol::generated::offset_commit_key::OffsetCommitKey;
use barnabas_protocol::generated::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use barnabas_protocol::generated::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use barnabas_protocol::generated::offset_commit_value::OffsetCommitValue;
use barnabas_protocol::wire::{EncodeError, Reader, Writer};

use crate::authorize::{allowed, Operation, Resource};
use crate::broker::Broker;
use crate::coordinator::CONSUMER_OFFSETS;
use crate::lent_groups::LentGroup;
use crate::request::{BrokerRequest, Handled};
use crate::steady::{Heard, Says};

pub(crate) const KEY: i16 = OffsetCommitRequest::KEY;
const FLEXIBLE_FROM: i16 = 8;
/// Topics are named by id from here on.
const IDS_FROM: i16 = 10;
/// What a client says that leaves it to the broker how long its offsets are kept.
const NO_RETENTION: i64 = -1;
/// Of OffsetCommitKey; what is written before it is its type.
const KEY_VERSION: i16 = 0;
/// Of OffsetCommitValue, as the coordinator writes it.
const VALUE_VERSION: i16 = 4;

/// Keys and values.
type Records = Vec<(Vec<u8>, Vec<u8>)>;

impl Broker {
    pub(crate) fn offset_commit(&self, request: &BrokerRequest<'_>) -> Handled {
        match OffsetCommitRequest::decode(&mut Reader::new(request.body), request.api_version) {
            Ok(asked) => self.commit_plainly(&asked, request).unwrap_or(Handled::Cold),
            Err(error) => error.into(),
        }
    }

    /// None when the coordinator must decide.
    fn commit_plainly(
        &self,
        asked: &OffsetCommitRequest<'_>,
        request: &BrokerRequest<'_>,
    ) -> Option<Handled> {
        let lent = self.lent_groups.find(asked.group_id)?;
        let image = self.image.load();
        if image.topics.by_name(CONSUMER_OFFSETS)?.partitions().len() != lent.group.partitions {
            return None;
        }
        let records = records(asked, request, &lent.group, &image)?;
        if !self.may_commit(&lent.group, asked, request) {
            return None;
        }
        self.write_commit(&lent, records, request.now)?;
        Some(committed(asked, request))
    }

    /// Whether it is somebody who may commit just now; a member counts as heard of.
    fn may_commit(
        &self,
        group: &LentGroup,
        asked: &OffsetCommitRequest<'_>,
        request: &BrokerRequest<'_>,
    ) -> bool {
        let epoch = asked.generation_id_or_member_epoch;
        if group.empty || epoch < 0 {
            let group_id = Resource::Group(asked.group_id);
            return group.empty && epoch < 0 && allowed(request, Operation::Read, group_id);
        }
        let heard = Heard {
            member_id: asked.member_id,
            instance_id: asked.group_instance_id,
            epoch,
            says: Says::Commit { version: request.api_version, to_classic: group.classic },
            connection: request.connection,
            now: request.now,
        };
        self.hear(asked.group_id, &heard, request).is_some()
    }
}

/// The records of a plain commit; None when it is not one.
fn records(
    asked: &OffsetCommitRequest<'_>,
    request: &BrokerRequest<'_>,
    group: &LentGroup,
    image: &MetadataImage,
) -> Option<Records> {
    if asked.retention_time_ms != NO_RETENTION {
        return None;
    }
    let mut records = Vec::new();
    for topic in &asked.topics {
        let found = committable(topic, request, group, image)?;
        for partition in &topic.partitions {
            found.partition(partition.partition_index)?;
            records.push(record(asked.group_id, found, partition, request, group)?);
        }
    }
    (!records.is_empty()).then_some(records)
}

/// The topic, if it may be committed to without the coordinator.
fn committable<'i>(
    topic: &OffsetCommitRequestTopic<'_>,
    request: &BrokerRequest<'_>,
    group: &LentGroup,
    image: &'i MetadataImage,
) -> Option<&'i TopicImage> {
    let found = match request.api_version >= IDS_FROM {
        true => image.topics.by_id(topic.topic_id),
        false => image.topics.by_name(topic.name),
    }?;
    let may = !topic.partitions.is_empty()
        && group.topics.contains(&found.id)
        && allowed(request, Operation::Read, Resource::Topic(&found.name));
    may.then_some(found)
}

fn record(
    group_id: &str,
    topic: &TopicImage,
    partition: &OffsetCommitRequestPartition<'_>,
    request: &BrokerRequest<'_>,
    group: &LentGroup,
) -> Option<(Vec<u8>, Vec<u8>)> {
    let metadata = partition.committed_metadata.unwrap_or_default();
    // Its length counts in characters, which are at most as many as its bytes.
    if metadata.len() > group.metadata_bytes_max {
        return None;
    }
    let key = OffsetCommitKey { group: group_id, topic: &topic.name, partition: partition.partition_index };
    let value = OffsetCommitValue {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata,
        commit_timestamp: request.now,
        topic_id: topic.id,
        ..OffsetCommitValue::default()
    };
    Some((
        encoded(OffsetCommitKey::KEY, |writer| key.encode(writer, KEY_VERSION))?,
        encoded(VALUE_VERSION, |writer| value.encode(writer, VALUE_VERSION))?,
    ))
}

/// A number that says what follows, and the message; None when it does not fit.
fn encoded(what: i16, encode: impl FnOnce(&mut Writer) -> Result<(), EncodeError>) -> Option<Vec<u8>> {
    let mut writer = Writer::append_to(Vec::with_capacity(64));
    writer.i16(what);
    encode(&mut writer).ok()?;
    Some(writer.into_bytes())
}

/// The answer once everything is committed.
fn committed(asked: &OffsetCommitRequest<'_>, request: &BrokerRequest<'_>) -> Handled {
    let partition = |partition: &OffsetCommitRequestPartition<'_>| OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: 0,
    };
    let topics = asked.topics.iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name,
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(partition).collect(),
    });
    let response = OffsetCommitResponse { throttle_time_ms: 0, topics: topics.collect() };
    request.reply_to().reply(FLEXIBLE_FROM, Vec::new(), |writer, version| response.encode(writer, version))
}
