//! DeleteRecords: readers begin later from now on, on all replicas.

use std::collections::HashMap;
use std::sync::Arc;

use barnabas_image::MetadataImage;
use barnabas_protocol::generated::delete_records_request::{DeleteRecordsRequest, DeleteRecordsTopic};
use barnabas_protocol::generated::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use barnabas_protocol::wire::Reader;
use barnabas_protocol::{Millis, Offset, PartitionIndex};

use crate::authorize::{allowed, Operation, Resource};
use crate::broker::Broker;
use crate::error_code;
use crate::partition::{Partition, Role};
use crate::read::ReadFailure;
use crate::request::{BrokerRequest, Handled, Parked, ReplyTo, Waiting};
use crate::topic_name;
use crate::waiters::{Move, Registration, Wake, Want};

pub(crate) const KEY: i16 = 21;
const FLEXIBLE_FROM: i16 = 2;
/// Everything that is committed.
const HIGH_WATERMARK: Offset = -1;

#[derive(Debug)]
struct Answer {
    index: PartitionIndex,
    error_code: i16,
    low_watermark: Offset,
    /// The partition and the offset that its low watermark must reach.
    until: Option<(Arc<Partition>, Offset)>,
}

#[derive(Debug)]
struct TopicAnswer {
    name: String,
    partitions: Vec<Answer>,
}

/// A DeleteRecords that followers have not done yet.
pub(crate) struct ParkedDeleteRecords {
    reply_to: ReplyTo,
    topics: Vec<TopicAnswer>,
    deadline: Millis,
    wake: Arc<dyn Wake>,
    /// Held for its drop, which takes the request out of the partitions' lists.
    _registration: Registration,
}

impl Broker {
    pub(crate) fn delete_records(&self, request: &BrokerRequest<'_>) -> Handled {
        let mut reader = Reader::new(request.body);
        let asked = match DeleteRecordsRequest::decode(&mut reader, request.api_version) {
            Ok(asked) => asked,
            Err(error) => return error.into(),
        };
        let image = self.image();
        let topics = last_said(&asked.topics).into_iter().map(|(name, partitions)| TopicAnswer {
            name: name.to_string(),
            partitions: partitions
                .into_iter()
                .map(|(index, offset)| match self.delete_up_to(request, &image, name, index, offset) {
                    Ok(until) => {
                        Answer { index, error_code: error_code::NONE, low_watermark: -1, until: Some(until) }
                    }
                    Err(error_code) => Answer { index, error_code, low_watermark: -1, until: None },
                })
                .collect(),
        });
        let mut topics: Vec<TopicAnswer> = topics.collect();
        let deadline = request.now.saturating_add(asked.timeout_ms.max(0).into());
        if settle(&mut topics, request.now >= deadline) {
            return reply(request.reply_to(), &topics);
        }
        wait(request.reply_to(), topics, deadline, request.ticket.wake(), request.now)
    }

    pub(crate) fn resume_delete_records(&self, parked: ParkedDeleteRecords, now: Millis) -> Handled {
        let ParkedDeleteRecords { reply_to, topics, deadline, wake, _registration } = parked;
        wait(reply_to, topics, deadline, wake, now)
    }

    /// Has readers of one of the internal topics begin later, as its coordinator asks.
    pub fn delete_as_coordinator(
        &self,
        topic: &str,
        index: PartitionIndex,
        offset: Offset,
    ) -> Result<(), i16> {
        let partition = self.partition_by_name(&self.image.load(), topic, index)?;
        partition.delete_up_to(offset).map(drop).map_err(|failure| self.code_of(&partition, failure))
    }

    fn delete_up_to(
        &self,
        request: &BrokerRequest<'_>,
        image: &MetadataImage,
        topic: &str,
        index: PartitionIndex,
        offset: Offset,
    ) -> Result<(Arc<Partition>, Offset), i16> {
        if !allowed(request, Operation::Delete, Resource::Topic(topic)) {
            return Err(error_code::TOPIC_AUTHORIZATION_FAILED);
        }
        let partition = self.partition_by_name(image, topic, index)?;
        if topic_name::is_internal(topic) {
            return Err(error_code::INVALID_TOPIC_EXCEPTION);
        }
        let until = partition.delete_up_to(offset).map_err(|failure| self.code_of(&partition, failure))?;
        Ok((partition, until))
    }
}

impl Partition {
    /// Moves the log start offset. Returns where it should be.
    fn delete_up_to(&self, offset: Offset) -> Result<Offset, ReadFailure> {
        let role = self.role.read();
        let leader = role.leader(-1)?;
        // An empty policy keeps everything, and forbids nothing.
        let config = self.config.load();
        if config.log.compact && !config.log.delete {
            return Err(error_code::POLICY_VIOLATION.into());
        }
        let log = self.log.load();
        let mut log = log.write();
        let high_watermark = log.high_watermark();
        let until = if offset == HIGH_WATERMARK { high_watermark } else { offset };
        if until < 0 || until > high_watermark {
            return Err(error_code::OFFSET_OUT_OF_RANGE.into());
        }
        log.advance_log_start_offset(until)?;
        let low_watermark = leader.low_watermark(log.log_start_offset());
        drop(log);
        self.waiters.moved(Move { bytes: 0, high_watermark, low_watermark, durable_end: 0 });
        Ok(until)
    }

    fn low_watermark(&self) -> Result<Offset, i16> {
        match &*self.role.read() {
            Role::Leader(leader) => Ok(leader.low_watermark(self.log.load().read().log_start_offset())),
            _ => Err(error_code::NOT_LEADER_OR_FOLLOWER),
        }
    }
}

/// Each topic and partition once, with the offset that was said last.
fn last_said<'a>(topics: &[DeleteRecordsTopic<'a>]) -> Vec<(&'a str, Vec<(PartitionIndex, Offset)>)> {
    let mut said: Vec<(&str, Vec<(PartitionIndex, Offset)>)> = Vec::new();
    let mut topic_places: HashMap<&str, usize> = HashMap::new();
    let mut places: HashMap<(usize, PartitionIndex), usize> = HashMap::new();
    for topic in topics.iter().filter(|topic| !topic.partitions.is_empty()) {
        let at = *topic_places.entry(topic.name).or_insert_with(|| {
            said.push((topic.name, Vec::new()));
            said.len() - 1
        });
        for asked in &topic.partitions {
            let partitions = &mut said[at].1;
            let place = *places.entry((at, asked.partition_index)).or_insert(partitions.len());
            match partitions.get_mut(place) {
                Some(earlier) => earlier.1 = asked.offset,
                None => partitions.push((asked.partition_index, asked.offset)),
            }
        }
    }
    said
}

fn wait(
    reply_to: ReplyTo,
    mut topics: Vec<TopicAnswer>,
    deadline: Millis,
    wake: Arc<dyn Wake>,
    now: Millis,
) -> Handled {
    if settle(&mut topics, now >= deadline) {
        return reply(reply_to, &topics);
    }
    let mut registration = Registration::new(wake.clone(), 0);
    let answers = topics.iter().flat_map(|topic| &topic.partitions);
    for (partition, offset) in answers.filter_map(|answer| answer.until.as_ref()) {
        registration.wait(partition.clone(), Want::LowWatermark(*offset));
    }
    // Whatever moved between the first look and the registration is seen now.
    if settle(&mut topics, false) {
        return reply(reply_to, &topics);
    }
    let parked = ParkedDeleteRecords { reply_to, topics, deadline, wake, _registration: registration };
    Handled::Park { deadline, state: Parked(Waiting::DeleteRecords(Box::new(parked))) }
}

/// Ends the waits that are over. Returns whether all are.
fn settle(topics: &mut [TopicAnswer], time_is_up: bool) -> bool {
    let mut settled = true;
    for answer in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        let Some((partition, offset)) = &answer.until else { continue };
        match partition.low_watermark() {
            Ok(low_watermark) if low_watermark >= *offset => answer.low_watermark = low_watermark,
            Ok(_) if time_is_up => answer.error_code = error_code::REQUEST_TIMED_OUT,
            Ok(_) => {
                settled = false;
                continue;
            }
            Err(error) => answer.error_code = error,
        }
        answer.until = None;
    }
    settled
}

fn reply(reply_to: ReplyTo, topics: &[TopicAnswer]) -> Handled {
    let result = |answer: &Answer| DeleteRecordsPartitionResult {
        partition_index: answer.index,
        low_watermark: answer.low_watermark,
        error_code: answer.error_code,
    };
    let topics = topics.iter().map(|topic| DeleteRecordsTopicResult {
        name: &topic.name,
        partitions: topic.partitions.iter().map(result).collect(),
    });
    let response = DeleteRecordsResponse { throttle_time_ms: 0, topics: topics.collect() };
    reply_to.reply(FLEXIBLE_FROM, Vec::new(), |writer, version| response.encode(writer, version))
}
