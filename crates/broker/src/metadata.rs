//! Metadata: brokers, topics and partitions, straight from the image.

use std::collections::HashSet;

use barnabas_image::{MetadataImage, TopicImage, NO_LEADER};
use barnabas_protocol::generated::metadata_request::{MetadataRequest, MetadataRequestTopic};
use barnabas_protocol::generated::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use barnabas_protocol::wire::Reader;
use barnabas_protocol::{NodeId, PartitionIndex, TopicId, Uuid};

use crate::authorize::{
    allowed, Operation, Resource, CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED, TOPIC_OPERATIONS,
};
use crate::broker::Broker;
use crate::cluster_view::{is_alive, PartitionView};
use crate::error_code;
use crate::request::{BrokerRequest, Handled};
use crate::topic_name;

pub(crate) const KEY: i16 = 3;
const FLEXIBLE_FROM: i16 = 9;
/// Topics may be named by id from here on (v10 and v11 have the field, but Kafka refuses its use).
const IDS_FROM: i16 = 12;

impl Broker {
    pub(crate) fn metadata(&self, request: &BrokerRequest<'_>) -> Handled {
        let version = request.api_version;
        let asked = match MetadataRequest::decode(&mut Reader::new(request.body), version) {
            Ok(asked) => asked,
            Err(error) => return error.into(),
        };
        if let Some(error) = refused(&asked, version) {
            return refuse(request, &asked, error);
        }
        let image = self.image();
        let view = View { broker: self, image: &image, request, asked: &asked };
        let topics = match &asked.topics {
            None => view.all(),
            Some(topics) if topics.is_empty() && version == 0 => view.all(),
            Some(topics) if topics.iter().any(|topic| !topic.topic_id.is_zero()) => view.by_id(topics),
            Some(topics) => match view.by_name(topics) {
                Some(topics) => topics,
                None => return Handled::Cold,
            },
        };
        let response = MetadataResponse {
            brokers: view.brokers(),
            cluster_id: Some(&self.settings().cluster_id),
            controller_id: view.controller(),
            topics,
            cluster_authorized_operations: match asked.include_cluster_authorized_operations {
                true => CLUSTER_OPERATIONS,
                false => OPERATIONS_NOT_ASKED,
            },
            ..MetadataResponse::default()
        };
        request
            .reply_to()
            .reply(FLEXIBLE_FROM, Vec::new(), |writer, version| response.encode(writer, version))
    }
}

/// What makes Kafka refuse the request as a whole.
fn refused(asked: &MetadataRequest<'_>, version: i16) -> Option<i16> {
    let topics = asked.topics.as_deref().unwrap_or_default();
    if version < IDS_FROM && topics.iter().any(|topic| !topic.topic_id.is_zero() || topic.name.is_none()) {
        return Some(error_code::INVALID_REQUEST);
    }
    // Neither name nor id: Kafka 4.3.1 fails on it.
    let nameless = |topic: &MetadataRequestTopic<'_>| topic.name.is_none() && topic.topic_id.is_zero();
    let by_id = topics.iter().any(|topic| !topic.topic_id.is_zero());
    (!by_id && topics.iter().any(nameless)).then_some(error_code::UNKNOWN_SERVER_ERROR)
}

fn refuse(request: &BrokerRequest<'_>, asked: &MetadataRequest<'_>, error: i16) -> Handled {
    let topics = asked.topics.iter().flatten();
    let response = MetadataResponse {
        controller_id: NO_LEADER,
        topics: topics
            .map(|topic| without_partitions(error, Some(topic.name.unwrap_or("")), topic.topic_id))
            .collect(),
        cluster_authorized_operations: OPERATIONS_NOT_ASKED,
        error_code: error,
        ..MetadataResponse::default()
    };
    request.reply_to().reply(FLEXIBLE_FROM, Vec::new(), |writer, version| response.encode(writer, version))
}

fn without_partitions(error_code: i16, name: Option<&str>, id: TopicId) -> MetadataResponseTopic<'_> {
    MetadataResponseTopic {
        error_code,
        name,
        topic_id: id,
        is_internal: name.is_some_and(topic_name::is_internal),
        partitions: Vec::new(),
        topic_authorized_operations: OPERATIONS_NOT_ASKED,
    }
}

struct View<'a> {
    broker: &'a Broker,
    image: &'a MetadataImage,
    request: &'a BrokerRequest<'a>,
    asked: &'a MetadataRequest<'a>,
}

impl<'a> View<'a> {
    fn brokers(&self) -> Vec<MetadataResponseBroker<'a>> {
        let shown = |broker: &'a std::sync::Arc<barnabas_image::BrokerImage>| {
            let (host, port) = is_alive(broker, self.request.listener)?;
            let rack = broker.rack.as_deref();
            Some(MetadataResponseBroker { node_id: broker.id, host, port: port.into(), rack })
        };
        self.image.brokers.iter().filter_map(shown).collect()
    }

    /// Where clients send what is the controller's: any broker forwards it, so every node names itself, which
    /// spreads the load as Kafka's random choice does.
    fn controller(&self) -> NodeId {
        let alive = |id: NodeId| {
            let broker = self.image.brokers.get(id);
            broker.is_some_and(|broker| is_alive(broker, self.request.listener).is_some())
        };
        let own = self.broker.settings().node_id;
        if alive(own) {
            return own;
        }
        self.image.brokers.iter().map(|broker| broker.id).find(|id| alive(*id)).unwrap_or(NO_LEADER)
    }

    fn all(&self) -> Vec<MetadataResponseTopic<'a>> {
        let visible =
            |topic: &TopicImage| allowed(self.request, Operation::Describe, Resource::Topic(&topic.name));
        self.image.topics.iter().filter(|topic| visible(topic)).map(|topic| self.topic(topic)).collect()
    }

    /// Unknown ids come first, as in Kafka; each id is answered once.
    fn by_id(&self, topics: &[MetadataRequestTopic<'a>]) -> Vec<MetadataResponseTopic<'a>> {
        let mut seen = HashSet::new();
        let (mut unknown, mut known) = (Vec::new(), Vec::new());
        let ids = topics.iter().map(|topic| topic.topic_id).filter(|id| !id.is_zero());
        for id in ids.filter(|id| seen.insert(*id)) {
            match self.image.topics.by_id(id) {
                Some(topic) => known.push(self.topic(topic)),
                None => unknown.push(without_partitions(error_code::UNKNOWN_TOPIC_ID, None, id)),
            }
        }
        unknown.append(&mut known);
        unknown
    }

    /// Known topics come first, as in Kafka; each name is answered once. None when topics must be created
    /// before the answer.
    fn by_name(&self, topics: &[MetadataRequestTopic<'a>]) -> Option<Vec<MetadataResponseTopic<'a>>> {
        let create = self.asked.allow_auto_topic_creation
            && self.broker.settings().auto_create_topics_enable
            && self.request.cold_allowed;
        let mut seen = HashSet::new();
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for name in topics.iter().filter_map(|topic| topic.name).filter(|name| seen.insert(*name)) {
            match self.image.topics.by_name(name) {
                Some(topic) => known.push(self.topic(topic)),
                None if !topic_name::is_valid(name) => {
                    unknown.push(self.nothing(error_code::INVALID_TOPIC_EXCEPTION, name));
                }
                None if create => return None,
                None => unknown.push(self.nothing(error_code::UNKNOWN_TOPIC_OR_PARTITION, name)),
            }
        }
        known.append(&mut unknown);
        Some(known)
    }

    /// A name without a topic. What one may do with it is told all the same, as in Kafka.
    fn nothing(&self, error_code: i16, name: &'a str) -> MetadataResponseTopic<'a> {
        MetadataResponseTopic {
            topic_authorized_operations: self.topic_operations(),
            ..without_partitions(error_code, Some(name), Uuid::ZERO)
        }
    }

    fn topic_operations(&self) -> i32 {
        match self.asked.include_topic_authorized_operations {
            true => TOPIC_OPERATIONS,
            false => OPERATIONS_NOT_ASKED,
        }
    }

    fn topic(&self, topic: &'a TopicImage) -> MetadataResponseTopic<'a> {
        let partition =
            |(index, partition): (PartitionIndex, &std::sync::Arc<barnabas_image::PartitionImage>)| {
                let view = PartitionView::new(
                    self.image,
                    partition,
                    self.request.listener,
                    self.request.api_version >= 6,
                );
                MetadataResponsePartition {
                    error_code: view.error_code,
                    partition_index: index,
                    leader_id: view.leader_id,
                    leader_epoch: view.leader_epoch,
                    replica_nodes: partition.replicas().to_vec(),
                    isr_nodes: partition.isr().to_vec(),
                    offline_replicas: view.offline_replicas,
                }
            };
        MetadataResponseTopic {
            error_code: error_code::NONE,
            name: Some(&topic.name),
            topic_id: topic.id,
            is_internal: topic_name::is_internal(&topic.name),
            partitions: topic.partitions().map(partition).collect(),
            topic_authorized_operations: self.topic_operations(),
        }
    }
}
