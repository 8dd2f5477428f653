//! OffsetForLeaderEpoch: where an epoch ends, for followers and consumers that look for a divergence.

use barnabas_image::MetadataImage;
use barnabas_protocol::generated::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition,
};
use barnabas_protocol::generated::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};
use barnabas_protocol::wire::Reader;
use barnabas_protocol::{LeaderEpoch, Offset};

use crate::authorize::{allowed, Operation, Resource};
use crate::broker::Broker;
use crate::error_code;
use crate::request::{BrokerRequest, Handled};

pub(crate) const KEY: i16 = 23;
const FLEXIBLE_FROM: i16 = 4;
/// Epoch and end offset of an epoch that is not known.
const UNDEFINED: (LeaderEpoch, Offset) = (-1, -1);

impl Broker {
    pub(crate) fn offset_for_leader_epoch(&self, request: &BrokerRequest<'_>) -> Handled {
        let mut reader = Reader::new(request.body);
        let asked = match OffsetForLeaderEpochRequest::decode(&mut reader, request.api_version) {
            Ok(asked) => asked,
            Err(error) => return error.into(),
        };
        let image = self.image();
        let topics = asked.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let found = match allowed(request, Operation::Describe, Resource::Topic(topic.topic)) {
                    true => self.epoch_end(&image, topic.topic, asked),
                    false => Err(error_code::TOPIC_AUTHORIZATION_FAILED),
                };
                let error_code = found.err().unwrap_or(error_code::NONE);
                let (leader_epoch, end_offset) = found.unwrap_or(UNDEFINED);
                EpochEndOffset { error_code, partition: asked.partition, leader_epoch, end_offset }
            });
            OffsetForLeaderTopicResult { topic: topic.topic, partitions: partitions.collect() }
        });
        let response = OffsetForLeaderEpochResponse { throttle_time_ms: 0, topics: topics.collect() };
        request
            .reply_to()
            .reply(FLEXIBLE_FROM, Vec::new(), |writer, version| response.encode(writer, version))
    }

    fn epoch_end(
        &self,
        image: &MetadataImage,
        topic: &str,
        asked: &OffsetForLeaderPartition,
    ) -> Result<(LeaderEpoch, Offset), i16> {
        let partition = self.partition_by_name(image, topic, asked.partition)?;
        let role = partition.role.read();
        role.leader(asked.current_leader_epoch)?;
        let log = partition.log.load();
        let log = log.read();
        Ok(log.end_offset_for(asked.leader_epoch).unwrap_or(UNDEFINED))
    }
}
