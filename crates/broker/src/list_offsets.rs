//! ListOffsets: the ends of partitions, and offsets by time.

use std::collections::{HashMap, HashSet};

use barnabas_image::MetadataImage;
use barnabas_log::{Log, LogError, TimestampedOffset};
use barnabas_protocol::generated::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use barnabas_protocol::generated::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use barnabas_protocol::wire::Reader;
use barnabas_protocol::{LeaderEpoch, Millis, NodeId, Offset, PartitionIndex, TopicId};

use crate::authorize::{allowed, Operation, Resource};
use crate::broker::Broker;
use crate::error_code;
use crate::partition::Partition;
use crate::read::ReadFailure;
use crate::request::{BrokerRequest, Handled};

pub(crate) const KEY: i16 = 2;
const FLEXIBLE_FROM: i16 = 6;
/// OFFSET_NOT_AVAILABLE is known from here on; before it is LEADER_NOT_AVAILABLE.
const OFFSET_NOT_AVAILABLE_FROM: i16 = 5;

/// Answers tell the leader epoch from here on.
const LEADER_EPOCH_FROM: i16 = 4;

/// Timestamps with a meaning of their own.
const LATEST: Millis = -1;
const EARLIEST: Millis = -2;
const MAX_TIMESTAMP: Millis = -3;
const EARLIEST_LOCAL: Millis = -4;
const LATEST_TIERED: Millis = -5;
const EARLIEST_PENDING_UPLOAD: Millis = -6;

const CONSUMER: NodeId = -1;

/// How far the sender may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    HighWatermark,
    LastStableOffset,
    LogEnd,
}

impl Broker {
    pub(crate) fn list_offsets(&self, request: &BrokerRequest<'_>) -> Handled {
        let version = request.api_version;
        let asked = match ListOffsetsRequest::decode(&mut Reader::new(request.body), version) {
            Ok(asked) => asked,
            Err(error) => return error.into(),
        };
        let image = self.image();
        let bound = match (asked.replica_id, asked.isolation_level) {
            (_, level) if !(0..=1).contains(&level) => Err(error_code::UNKNOWN_SERVER_ERROR),
            (CONSUMER, 0) => Ok(Bound::HighWatermark),
            (CONSUMER, _) => Ok(Bound::LastStableOffset),
            _ => Ok(Bound::LogEnd),
        };
        let twice = twice(&asked);
        let topics = each_once(&asked).into_iter().map(|(name, partitions)| {
            let partition = |asked: &ListOffsetsPartition| {
                let answer = match bound {
                    Err(error) => Err(error),
                    Ok(_) if twice.contains(&(name, asked.partition_index)) => {
                        Err(error_code::INVALID_REQUEST)
                    }
                    Ok(bound) => self.list_offset(name, asked, bound, request, &image),
                };
                response(asked.partition_index, answer, version)
            };
            ListOffsetsTopicResponse { name, partitions: partitions.into_iter().map(partition).collect() }
        });
        let response = ListOffsetsResponse { throttle_time_ms: 0, topics: topics.collect() };
        request
            .reply_to()
            .reply(FLEXIBLE_FROM, Vec::new(), |writer, version| response.encode(writer, version))
    }

    fn list_offset(
        &self,
        topic: &str,
        asked: &ListOffsetsPartition,
        bound: Bound,
        request: &BrokerRequest<'_>,
        image: &MetadataImage,
    ) -> Result<TimestampedOffset, i16> {
        if !allowed(request, Operation::Describe, Resource::Topic(topic)) {
            return Err(error_code::TOPIC_AUTHORIZATION_FAILED);
        }
        if !is_supported(asked.timestamp, request.api_version) {
            return Err(error_code::UNSUPPORTED_VERSION);
        }
        let partition = self.partition_by_name(image, topic, asked.partition_index)?;
        let found = partition.list_offset(asked.timestamp, asked.current_leader_epoch, bound);
        found.map_err(|failure| match self.code_of(&partition, failure) {
            error_code::OFFSET_NOT_AVAILABLE if request.api_version < OFFSET_NOT_AVAILABLE_FROM => {
                error_code::LEADER_NOT_AVAILABLE
            }
            other => other,
        })
    }

    /// The replica of a partition that is named by its topic's name.
    pub(crate) fn partition_by_name(
        &self,
        image: &MetadataImage,
        topic: &str,
        index: PartitionIndex,
    ) -> Result<std::sync::Arc<Partition>, i16> {
        let id: Option<TopicId> = image.topics.by_name(topic).map(|topic| topic.id);
        self.partition(id.ok_or(error_code::UNKNOWN_TOPIC_OR_PARTITION)?, index)
    }
}

/// Each topic and partition once, in the order of their first mention. Topics without partitions are left
/// out, as in Apache Kafka.
fn each_once<'r, 'a>(asked: &'r ListOffsetsRequest<'a>) -> Vec<(&'a str, Vec<&'r ListOffsetsPartition>)> {
    let mut topics: Vec<(&'a str, Vec<&'r ListOffsetsPartition>)> = Vec::with_capacity(asked.topics.len());
    let mut places: HashMap<&'a str, usize> = HashMap::with_capacity(asked.topics.len());
    let mut seen = HashSet::new();
    for topic in asked.topics.iter().filter(|topic| !topic.partitions.is_empty()) {
        let place = *places.entry(topic.name).or_insert_with(|| {
            topics.push((topic.name, Vec::with_capacity(topic.partitions.len())));
            topics.len() - 1
        });
        let new = topic.partitions.iter().filter(|asked| seen.insert((place, asked.partition_index)));
        topics[place].1.extend(new);
    }
    topics
}

/// Partitions that the request names more than once.
fn twice<'a>(asked: &ListOffsetsRequest<'a>) -> HashSet<(&'a str, PartitionIndex)> {
    let mut seen = HashSet::new();
    let mut twice = HashSet::new();
    for topic in &asked.topics {
        for partition in &topic.partitions {
            if !seen.insert((topic.name, partition.partition_index)) {
                twice.insert((topic.name, partition.partition_index));
            }
        }
    }
    twice
}

fn is_supported(timestamp: Millis, version: i16) -> bool {
    match timestamp {
        LATEST | EARLIEST => version >= 1,
        MAX_TIMESTAMP => version >= 7,
        EARLIEST_LOCAL => version >= 8,
        LATEST_TIERED => version >= 9,
        EARLIEST_PENDING_UPLOAD => version >= 11,
        timestamp => timestamp >= 0,
    }
}

const NOTHING: TimestampedOffset = TimestampedOffset { timestamp: -1, offset: -1, leader_epoch: -1 };

fn response(
    partition_index: PartitionIndex,
    answer: Result<TimestampedOffset, i16>,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let (error_code, found) = match answer {
        Ok(found) => (error_code::NONE, found),
        Err(error) => (error, NOTHING),
    };
    let TimestampedOffset { timestamp, offset, leader_epoch } = found;
    let leader_epoch = if version >= LEADER_EPOCH_FROM { leader_epoch } else { -1 };
    ListOffsetsPartitionResponse { partition_index, error_code, timestamp, offset, leader_epoch }
}

impl Partition {
    pub(crate) fn list_offset(
        &self,
        timestamp: Millis,
        current_leader_epoch: LeaderEpoch,
        bound: Bound,
    ) -> Result<TimestampedOffset, ReadFailure> {
        let role = self.role.read();
        let leader = role.leader(current_leader_epoch)?;
        let log = self.log.load();
        let log = log.read();
        let end = match bound {
            Bound::HighWatermark => log.high_watermark(),
            Bound::LastStableOffset => log.last_stable_offset(),
            Bound::LogEnd => log.log_end_offset(),
        };
        // After an election what the old leader had committed may be above the high watermark known here.
        let settled = bound == Bound::LogEnd || leader.epoch_start_offset <= log.high_watermark();
        let at = |offset, leader_epoch| TimestampedOffset { timestamp: -1, offset, leader_epoch };
        match timestamp {
            LATEST if !settled => Err(error_code::OFFSET_NOT_AVAILABLE.into()),
            LATEST => Ok(at(end, leader.leader_epoch)),
            EARLIEST => Ok(at(log.log_start_offset(), epoch_of(&log, log.log_start_offset()))),
            EARLIEST_LOCAL => {
                Ok(at(log.local_log_start_offset(), epoch_of(&log, log.local_log_start_offset())))
            }
            // Nothing is tiered.
            LATEST_TIERED | EARLIEST_PENDING_UPLOAD => Ok(NOTHING),
            timestamp => match by_time(&log, timestamp)? {
                Some(found) if found.offset < end => Ok(found),
                Some(_) if !settled => Err(error_code::OFFSET_NOT_AVAILABLE.into()),
                _ => Ok(NOTHING),
            },
        }
    }
}

fn epoch_of(log: &Log, offset: Offset) -> LeaderEpoch {
    log.epoch_for_offset(offset).unwrap_or(-1)
}

fn by_time(log: &Log, timestamp: Millis) -> Result<Option<TimestampedOffset>, LogError> {
    match timestamp {
        MAX_TIMESTAMP => log.max_timestamp(),
        timestamp => log.offset_for_timestamp(timestamp),
    }
}
