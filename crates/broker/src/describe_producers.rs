//! DescribeProducers: the idempotent and transactional producers that a partition knows.

use barnabas_image::MetadataImage;
use barnabas_protocol::generated::describe_producers_request::DescribeProducersRequest;
use barnabas_protocol::generated::describe_producers_response::{
    DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use barnabas_protocol::wire::Reader;
use barnabas_protocol::PartitionIndex;

use crate::authorize::{allowed, Operation, Resource};
use crate::broker::Broker;
use crate::error_code;
use crate::request::{BrokerRequest, Handled};
use crate::topic_name;

pub(crate) const KEY: i16 = 61;

impl Broker {
    pub(crate) fn describe_producers(&self, request: &BrokerRequest<'_>) -> Handled {
        let mut reader = Reader::new(request.body);
        let asked = match DescribeProducersRequest::decode(&mut reader, request.api_version) {
            Ok(asked) => asked,
            Err(error) => return error.into(),
        };
        let image = self.image();
        let topics = asked.topics.iter().map(|topic| {
            let partitions = topic.partition_indexes.iter().map(|&partition_index| {
                let found = self.producers_of(request, &image, topic.name, partition_index);
                let (error_code, error_message) = found.as_ref().err().copied().unwrap_or_default();
                let active_producers = found.unwrap_or_default();
                PartitionResponse { partition_index, error_code, error_message, active_producers }
            });
            TopicResponse { name: topic.name, partitions: partitions.collect() }
        });
        let response = DescribeProducersResponse { throttle_time_ms: 0, topics: topics.collect() };
        request.reply_to().reply(0, Vec::new(), |writer, version| response.encode(writer, version))
    }

    fn producers_of(
        &self,
        request: &BrokerRequest<'_>,
        image: &MetadataImage,
        topic: &str,
        index: PartitionIndex,
    ) -> Result<Vec<ProducerState>, (i16, Option<&'static str>)> {
        if !topic_name::is_valid(topic) {
            return Err((error_code::INVALID_TOPIC_EXCEPTION, Some("The topic's name is not valid.")));
        }
        if !allowed(request, Operation::Read, Resource::Topic(topic)) {
            return Err((error_code::TOPIC_AUTHORIZATION_FAILED, None));
        }
        if image.topics.by_name(topic).is_none() {
            let message = "This node does not know the topic.";
            return Err((error_code::UNKNOWN_TOPIC_OR_PARTITION, Some(message)));
        }
        let bare = |error| (error, None);
        let partition = self.partition_by_name(image, topic, index).map_err(bare)?;
        let role = partition.role.read();
        role.leader(-1).map_err(bare)?;
        let log = partition.log.load();
        let log = log.read();
        let producers = log.active_producers();
        Ok(producers
            .into_iter()
            .map(|producer| ProducerState {
                producer_id: producer.producer_id,
                producer_epoch: producer.epoch.into(),
                last_sequence: producer.last_sequence,
                last_timestamp: producer.last_timestamp,
                coordinator_epoch: producer.coordinator_epoch,
                current_txn_start_offset: producer.current_txn_first_offset,
            })
            .collect())
    }
}
