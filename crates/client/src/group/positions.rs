//! OffsetFetch in all its versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use barnabas_protocol::generated::offset_fetch_response::OffsetFetchResponse;

use crate::fetch_session::Partition;
use crate::group::commits::Identity;
use crate::group::desk::{Committed, Positions};
use crate::group::Reply;

/// The versions from which several groups can be asked for, member epochs are looked at, and offsets of open
/// transactions are an error.
const BATCHED: i16 = 8;
const EPOCHS: i16 = 9;
const STABLE: i16 = 7;

/// The request for positions of these partitions.
pub fn request<'a>(
    version: i16,
    identity: &Identity<'a>,
    topics: &BTreeMap<&'a str, Vec<i32>>,
) -> OffsetFetchRequest<'a> {
    let require_stable = version >= STABLE;
    if version < BATCHED {
        let topics = topics
            .iter()
            .map(|(&name, indexes)| OffsetFetchRequestTopic { name, partition_indexes: indexes.clone() });
        return OffsetFetchRequest {
            group_id: identity.group_id,
            topics: Some(topics.collect()),
            require_stable,
            ..Default::default()
        };
    }
    let topics = topics.iter().map(|(&name, indexes)| OffsetFetchRequestTopics {
        name,
        partition_indexes: indexes.clone(),
        ..Default::default()
    });
    let names_member = identity.has_epochs && version >= EPOCHS && !identity.is_out;
    let group = OffsetFetchRequestGroup {
        group_id: identity.group_id,
        member_id: names_member.then_some(identity.member_id),
        member_epoch: if names_member { identity.generation } else { -1 },
        topics: Some(topics.collect()),
    };
    OffsetFetchRequest { groups: vec![group], require_stable, ..Default::default() }
}

/// What an answer says.
pub enum Found {
    /// Every partition that was asked for.
    Positions(Positions),
    /// There is no answer, or one that is an error.
    Refused(ErrorCode),
}

/// Reads an answer about these partitions.
pub fn read(reply: &Reply<'_>, asked: &[&Partition]) -> Found {
    let mut reader = reply.body();
    let response = reader.as_mut().and_then(|r| OffsetFetchResponse::decode(r, reply.version).ok());
    let Some(response) = response else { return Found::Refused(ErrorCode::NETWORK_EXCEPTION) };
    let mut positions: Positions = asked.iter().map(|&partition| (partition.clone(), None)).collect();
    let code = match response.groups.first() {
        Some(group) => group.error_code,
        None => response.error_code,
    };
    if ErrorCode(code).is_error() {
        return Found::Refused(ErrorCode(code));
    }
    let old = response.topics.iter().flat_map(|topic| {
        let one = |p: &_| entry(topic.name, p);
        topic.partitions.iter().map(one).collect::<Vec<_>>()
    });
    let new = response.groups.iter().flat_map(|group| &group.topics).flat_map(|topic| {
        let partitions = topic.partitions.iter();
        partitions.map(|p| {
            let committed = (p.committed_offset, p.committed_leader_epoch, p.metadata);
            (topic.name, p.partition_index, ErrorCode(p.error_code), committed)
        })
    });
    for (topic, partition, code, (offset, leader_epoch, metadata)) in old.chain(new) {
        if code.is_error() {
            return Found::Refused(code);
        }
        let metadata = metadata.unwrap_or_default().to_string();
        let committed = (offset >= 0).then_some(Committed { offset, leader_epoch, metadata });
        let key: Partition = (Arc::from(topic), partition);
        if let Some(slot) = positions.get_mut(&key) {
            *slot = committed;
        }
    }
    Found::Positions(positions)
}

type Entry<'a> = (&'a str, i32, ErrorCode, (i64, i32, Option<&'a str>));

fn entry<'a>(
    topic: &'a str,
    p: &barnabas_protocol::generated::offset_fetch_response::OffsetFetchResponsePartition<'a>,
) -> Entry<'a> {
    let committed = (p.committed_offset, p.committed_leader_epoch, p.metadata);
    (topic, p.partition_index, ErrorCode(p.error_code), committed)
}
