//! DescribeTopicPartitions (KIP-966): topics page by page, with the replicas that may still be elected.

use std::collections::BTreeSet;

use barnabas_image::{MetadataImage, TopicImage};
use barnabas_protocol::generated::describe_topic_partitions_request::DescribeTopicPartitionsRequest;
use barnabas_protocol::generated::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use barnabas_protocol::wire::Reader;
use barnabas_protocol::{PartitionIndex, Uuid};

use crate::authorize::{allowed, Operation, Resource, OPERATIONS_NOT_ASKED, TOPIC_OPERATIONS};
use crate::broker::Broker;
use crate::cluster_view::PartitionView;
use crate::error_code;
use crate::request::{BrokerRequest, Handled};
use crate::topic_name;

pub(crate) const KEY: i16 = 75;

impl Broker {
    pub(crate) fn describe_topic_partitions(&self, request: &BrokerRequest<'_>) -> Handled {
        let mut reader = Reader::new(request.body);
        let asked = match DescribeTopicPartitionsRequest::decode(&mut reader, request.api_version) {
            Ok(asked) => asked,
            Err(error) => return error.into(),
        };
        let image = self.image();
        let limit =
            asked.response_partition_limit.min(self.settings().max_request_partition_size_limit).max(1);
        let response = match names(&image, request, &asked) {
            Ok(names) => page(&image, request, &asked, names, limit as usize),
            Err(error) => refuse(&asked, error),
        };
        request.reply_to().reply(0, Vec::new(), |writer, version| response.encode(writer, version))
    }
}

/// The topics from the cursor on, by name.
fn names<'a>(
    image: &'a MetadataImage,
    request: &BrokerRequest<'_>,
    asked: &DescribeTopicPartitionsRequest<'a>,
) -> Result<BTreeSet<&'a str>, i16> {
    let from = asked.cursor.as_ref().map_or("", |cursor| cursor.topic_name);
    let all = asked.topics.is_empty();
    let mut names: BTreeSet<&str> = match all {
        true => image.topics.iter().map(|topic| &*topic.name).filter(|name| *name >= from).collect(),
        false => asked.topics.iter().map(|topic| topic.name).filter(|name| *name >= from).collect(),
    };
    names.retain(|name| allowed(request, Operation::Describe, Resource::Topic(name)));
    match &asked.cursor {
        Some(cursor) if cursor.partition_index < 0 => Err(error_code::INVALID_REQUEST),
        Some(_) if !all && !names.contains(from) => Err(error_code::INVALID_REQUEST),
        _ => Ok(names),
    }
}

fn page<'a>(
    image: &'a MetadataImage,
    request: &BrokerRequest<'_>,
    asked: &DescribeTopicPartitionsRequest<'a>,
    names: BTreeSet<&'a str>,
    limit: usize,
) -> DescribeTopicPartitionsResponse<'a> {
    let mut response = DescribeTopicPartitionsResponse::default();
    let mut left = limit;
    for name in names {
        if left == 0 {
            response.next_cursor = Some(Cursor { topic_name: name, partition_index: 0 });
            break;
        }
        let Some(topic) = image.topics.by_name(name) else {
            // A topic of "all" that is gone by now is left out; one that was named is answered.
            if !asked.topics.is_empty() {
                response.topics.push(unknown(name));
            }
            continue;
        };
        let cursor = asked.cursor.as_ref().filter(|cursor| cursor.topic_name == name);
        let first = cursor.map_or(0, |cursor| cursor.partition_index as usize);
        let partitions: Vec<_> = described(image, topic, request.listener, first, left);
        left -= partitions.len();
        let next = first + partitions.len();
        response.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code: error_code::NONE,
            name: Some(name),
            topic_id: topic.id,
            is_internal: topic_name::is_internal(name),
            partitions,
            topic_authorized_operations: TOPIC_OPERATIONS,
        });
        if next < topic.partition_count() {
            response.next_cursor = Some(Cursor { topic_name: name, partition_index: next as PartitionIndex });
            break;
        }
    }
    response
}

fn described(
    image: &MetadataImage,
    topic: &TopicImage,
    listener: &str,
    first: usize,
    limit: usize,
) -> Vec<DescribeTopicPartitionsResponsePartition> {
    let partitions = topic.partitions().skip(first).take(limit);
    partitions
        .map(|(index, partition)| {
            let view = PartitionView::new(image, partition, listener, true);
            DescribeTopicPartitionsResponsePartition {
                error_code: view.error_code,
                partition_index: index,
                leader_id: view.leader_id,
                leader_epoch: view.leader_epoch,
                replica_nodes: partition.replicas().to_vec(),
                isr_nodes: partition.isr().to_vec(),
                eligible_leader_replicas: Some(partition.elr().to_vec()),
                last_known_elr: Some(partition.last_known_elr().to_vec()),
                offline_replicas: view.offline_replicas,
            }
        })
        .collect()
}

fn unknown(name: &str) -> DescribeTopicPartitionsResponseTopic<'_> {
    DescribeTopicPartitionsResponseTopic {
        error_code: match topic_name::is_valid(name) {
            true => error_code::UNKNOWN_TOPIC_OR_PARTITION,
            false => error_code::INVALID_TOPIC_EXCEPTION,
        },
        name: Some(name),
        is_internal: topic_name::is_internal(name),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

fn refuse<'a>(
    asked: &DescribeTopicPartitionsRequest<'a>,
    error_code: i16,
) -> DescribeTopicPartitionsResponse<'a> {
    let topic = |name| DescribeTopicPartitionsResponseTopic {
        error_code,
        name: Some(name),
        topic_id: Uuid::ZERO,
        topic_authorized_operations: OPERATIONS_NOT_ASKED,
        ..DescribeTopicPartitionsResponseTopic::default()
    };
    DescribeTopicPartitionsResponse {
        topics: asked.topics.iter().map(|asked| topic(asked.name)).collect(),
        ..DescribeTopicPartitionsResponse::default()
    }
}
