//! Produce: records to the logs, and the answer when as many replicas have them as the client wants.
//!
//! A partition that a request names twice is written once, with what was said last, as in Apache Kafka.

mod diverting;
mod unjudged;

use std::collections::HashMap;
use std::sync::Arc;

use barnabas_image::{MetadataImage, TopicImage};
use barnabas_log::Durability;
use barnabas_protocol::batch_validate::{check_format, is_transactional};
use barnabas_protocol::error_tally::ErrorTally;
use barnabas_protocol::generated::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use barnabas_protocol::generated::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, ProduceResponse,
    TopicProduceResponse,
};
use barnabas_protocol::wire::{Reader, Records};
use barnabas_protocol::{LeaderEpoch, Millis, NodeId, Offset, PartitionIndex, TopicId, Uuid};
use smallvec::{smallvec, SmallVec};

use crate::append::{Grounds, Outcome, ProduceError, ACKS_ALL};
use crate::authorize::{allowed, Operation, Resource};
use crate::broker::Broker;
use crate::current_leader::{current_leader, endpoints, Node};
use crate::error_code;
use crate::partition::Partition;
use crate::request::{BrokerRequest, Handled, Parked, ReplyTo, Waiting};
use crate::schema_table::Unjudged;
use crate::topic_name;
use crate::verify::{Verdicts, Verified};
use crate::waiters::{Registration, Wake, Want};

pub(crate) use diverting::Diverted;
pub(crate) use unjudged::ParkedUnjudged;

pub(crate) const KEY: i16 = 0;
const FLEXIBLE_FROM: i16 = 9;
/// Topics are named by id from here on.
const IDS_FROM: i16 = 13;

/// The answer for one partition, complete or waiting for all of `until`.
#[derive(Debug, Default)]
struct PartitionAnswer {
    index: PartitionIndex,
    error_code: i16,
    base_offset: Offset,
    log_append_time: Millis,
    log_start_offset: Offset,
    record_errors: Vec<(i32, String)>,
    message: Option<String>,
    leader: Option<(NodeId, LeaderEpoch)>,
    /// The partition's own, and one that records of the batch were diverted to.
    until: SmallVec<[(Arc<Partition>, Until); 1]>,
    /// What must be known of schemas before there is an answer.
    unjudged: Option<Unjudged>,
}

/// Which time the batches of a request are gone through.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    /// When the first began.
    since: Millis,
    /// Whether batches are refused that can't be judged.
    is_last: bool,
}

/// What an answer waits for.
#[derive(Debug, Clone, Copy)]
enum Until {
    /// The whole ISR has the records up to this offset.
    Committed(Offset),
    /// The leader's disk has.
    Durable(Offset),
}

impl PartitionAnswer {
    fn error(index: PartitionIndex, error_code: i16) -> PartitionAnswer {
        PartitionAnswer {
            index,
            error_code,
            base_offset: -1,
            log_append_time: -1,
            log_start_offset: -1,
            ..PartitionAnswer::default()
        }
    }
}

#[derive(Debug)]
struct TopicAnswer {
    name: Arc<str>,
    id: TopicId,
    partitions: SmallVec<[PartitionAnswer; 1]>,
}

/// Most requests of clients that don't wait are of one partition.
type TopicAnswers = SmallVec<[TopicAnswer; 1]>;

/// What a request says of one topic.
type Said<'r, 'a> = (&'r TopicProduceData<'a>, SmallVec<[&'r PartitionProduceData<'a>; 1]>);

/// A Produce whose records are in the leader's log and not yet in those of the whole ISR.
pub(crate) struct ParkedProduce {
    reply_to: ReplyTo,
    topics: TopicAnswers,
    nodes: Vec<Node>,
    deadline: Millis,
    wake: Arc<dyn Wake>,
    /// Held for its drop, which takes the request out of the partitions' lists.
    _registration: Registration,
}

impl Broker {
    pub(crate) fn produce(&self, request: &BrokerRequest<'_>) -> Handled {
        let version = request.api_version;
        let asked = match ProduceRequest::decode(&mut Reader::new(request.body), version) {
            Ok(asked) => asked,
            Err(error) => return error.into(),
        };
        if let Some((error, message)) = refused(&asked, request) {
            let refused = all_refused(&asked, error, message.as_deref());
            return self.answer_produce(&asked, request, refused);
        }
        match self.verify(&asked, request, &self.image()) {
            Ok(Ok(verdicts)) => self.produce_verified(&asked, request, verdicts),
            Ok(Err(parked)) => parked,
            Err(error) => {
                let message = "the request has transactional records of more than one producer";
                self.answer_produce(&asked, request, all_refused(&asked, error, Some(message)))
            }
        }
    }

    /// Appends what was verified as far as it needs to be.
    pub(crate) fn produce_verified(
        &self,
        asked: &ProduceRequest<'_>,
        request: &BrokerRequest<'_>,
        verdicts: Verdicts,
    ) -> Handled {
        let topics = self.produce_topics(asked, request, &self.image(), &verdicts);
        match unjudged::is_any(&topics) {
            false => self.answer_produce(asked, request, topics),
            true => self.park_unjudged(request, topics, verdicts),
        }
    }

    fn answer_produce(
        &self,
        asked: &ProduceRequest<'_>,
        request: &BrokerRequest<'_>,
        mut topics: TopicAnswers,
    ) -> Handled {
        let failed =
            || topics.iter().flat_map(|topic| &topic.partitions).find(|answer| answer.error_code != 0);
        if asked.acks == 0 {
            // The client expects no answer: a closed connection is how it learns to look for the leader anew.
            return match failed() {
                None => Handled::NoReply,
                Some(answer) => Handled::Fail {
                    reason: format!("produce with acks=0 failed: error {}", answer.error_code),
                    api_key: KEY,
                    errors: tally(&topics),
                },
            };
        }
        let leaders = topics.iter().flat_map(|topic| &topic.partitions).filter_map(|answer| answer.leader);
        let nodes = endpoints(&self.image(), leaders.map(|(id, _)| id), request.listener);
        let deadline = request.now.saturating_add(asked.timeout_ms.max(0).into());
        if settle(&mut topics, request.now >= deadline) {
            return reply(request.reply_to(), &topics, &nodes);
        }
        wait(request.reply_to(), topics, nodes, deadline, request.ticket.wake(), request.now)
    }

    pub(crate) fn resume_produce(&self, parked: ParkedProduce, now: Millis) -> Handled {
        let ParkedProduce { reply_to, topics, nodes, deadline, wake, _registration } = parked;
        wait(reply_to, topics, nodes, deadline, wake, now)
    }

    fn produce_topics(
        &self,
        asked: &ProduceRequest<'_>,
        request: &BrokerRequest<'_>,
        image: &MetadataImage,
        verdicts: &Verdicts,
    ) -> TopicAnswers {
        let attempt = Attempt { since: request.now, is_last: false };
        let mut topics = TopicAnswers::new();
        for (topic, partitions) in last_said(&asked.topic_data) {
            let found = asked_topic(topic, request.api_version, image);
            let mut answer = TopicAnswer {
                name: found.map_or_else(|| topic.name.into(), |found| found.name.clone()),
                id: found.map_or(topic.topic_id, |found| found.id),
                partitions: SmallVec::with_capacity(partitions.len()),
            };
            let refused = match found {
                None if request.api_version >= IDS_FROM => Some(error_code::UNKNOWN_TOPIC_ID),
                None => Some(error_code::UNKNOWN_TOPIC_OR_PARTITION),
                Some(found) => may_write(request, &found.name),
            };
            for data in partitions {
                let one = match refused {
                    Some(error) => PartitionAnswer::error(data.index, error),
                    None => {
                        let verified = verdicts.of(answer.id, data.index);
                        self.produce_partition(answer.id, data, asked.acks, verified, request, attempt)
                    }
                };
                answer.partitions.push(one);
            }
            topics.push(answer);
        }
        topics
    }

    fn produce_partition(
        &self,
        topic_id: TopicId,
        data: &PartitionProduceData<'_>,
        acks: i16,
        verified: &Verified,
        request: &BrokerRequest<'_>,
        attempt: Attempt,
    ) -> PartitionAnswer {
        let index = data.index;
        let partition = match self.partition(topic_id, index) {
            Ok(partition) => partition,
            Err(error) => return PartitionAnswer::error(index, error),
        };
        // Null records make Kafka 4.3.1 stop answering the connection.
        let Records::Bytes(records) = data.records else {
            return PartitionAnswer::error(index, error_code::INVALID_RECORD);
        };
        let schema_tables = &self.schema_tables;
        let (schemas_since, is_last) = (attempt.since, attempt.is_last);
        let grounds = Grounds { verified, schema_tables, schemas_since, is_last };
        let appended = match partition.append(records, request.api_version, acks, &grounds, request.now) {
            Err(ProduceError::Unjudged(unjudged)) if !attempt.is_last => {
                let unjudged = Some(unjudged);
                return PartitionAnswer { unjudged, ..PartitionAnswer::error(index, error_code::NONE) };
            }
            Ok(Outcome::Diverted(diverted)) => {
                self.divert(&partition, &diverted, acks, verified, request.now)
            }
            Ok(Outcome::Appended(appended)) => Ok((appended, None)),
            Err(error) => Err(error),
        };
        partition.metrics.produced(appended.as_ref().map_or_else(ProduceError::code, |_| 0), records.len());
        match appended {
            Ok((appended, letters)) => {
                let own = until(acks, appended.last_offset, appended.durability);
                PartitionAnswer {
                    index,
                    base_offset: appended.base_offset,
                    log_append_time: appended.log_append_time,
                    log_start_offset: appended.log_start_offset,
                    until: own.map(|until| (partition, until)).into_iter().chain(letters).collect(),
                    ..PartitionAnswer::default()
                }
            }
            Err(error) => {
                if let Some(failure) = error.storage_failure() {
                    self.storage_failed(&partition, failure);
                }
                self.failed(&partition, records, request.api_version, error)
            }
        }
    }

    fn failed(
        &self,
        partition: &Partition,
        records: &[u8],
        version: i16,
        error: ProduceError,
    ) -> PartitionAnswer {
        let code = error.code();
        let mut answer = PartitionAnswer::error(partition.index, code);
        if error.tells_log_start_offset() && check_format(records, version).is_ok() {
            answer.log_start_offset = partition.log.load().read().log_start_offset();
        }
        if code == error_code::NOT_LEADER_OR_FOLLOWER {
            answer.leader = Some(current_leader(&self.image(), partition.topic_id, partition.index));
        }
        match error {
            ProduceError::Code(_) => {}
            ProduceError::Unverified { message, .. } => answer.message = message,
            ProduceError::Invalid(invalid) => {
                answer.message = Some(invalid.message);
                answer.record_errors = invalid.record_errors;
            }
            ProduceError::Unjudged(_) => {
                answer.message = Some("the schema registry can't be asked about the schemas".to_owned());
            }
            ProduceError::NotDiverted { .. } => answer.message = Some(error.to_string()),
            // Kafka has no words for these.
            ProduceError::Producer(_) | ProduceError::Append(_) => {}
        }
        answer
    }
}

fn until(acks: i16, last_offset: Offset, durability: Durability) -> Option<Until> {
    match (acks, durability) {
        (ACKS_ALL, _) => Some(Until::Committed(last_offset)),
        (1, Durability::Fsync) => Some(Until::Durable(last_offset)),
        _ => None,
    }
}

/// Why nothing of the request is done, if so: the error and what is said of it.
fn refused(asked: &ProduceRequest<'_>, request: &BrokerRequest<'_>) -> Option<(i16, Option<String>)> {
    let records = asked.topic_data.iter().flat_map(|topic| &topic.partition_data).map(|data| &data.records);
    for records in records.filter_map(Records::bytes) {
        match is_transactional(records) {
            Err(error) => return Some((error.code(), Some(error.message))),
            Ok(false) => {}
            Ok(true) => {
                let may = |id| allowed(request, Operation::Write, Resource::TransactionalId(id));
                let refused = !asked.transactional_id.is_some_and(may);
                return refused.then_some((error_code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, None));
            }
        }
    }
    None
}

/// The topic that a request of this version means.
pub(crate) fn asked_topic<'i>(
    topic: &TopicProduceData<'_>,
    version: i16,
    image: &'i MetadataImage,
) -> Option<&'i Arc<TopicImage>> {
    match version >= IDS_FROM {
        true => image.topics.by_id(topic.topic_id),
        false => image.topics.by_name(topic.name),
    }
}

/// The error for a client that may not write to the topic.
pub(crate) fn may_write(request: &BrokerRequest<'_>, topic: &str) -> Option<i16> {
    if !allowed(request, Operation::Write, Resource::Topic(topic)) {
        return Some(error_code::TOPIC_AUTHORIZATION_FAILED);
    }
    let by_admin = request.client_id == Some(topic_name::ADMIN_CLIENT_ID);
    (topic_name::is_internal(topic) && !by_admin).then_some(error_code::INVALID_TOPIC_EXCEPTION)
}

fn all_refused(asked: &ProduceRequest<'_>, error: i16, message: Option<&str>) -> TopicAnswers {
    let answer = |data: &&PartitionProduceData<'_>| PartitionAnswer {
        message: message.map(str::to_owned),
        ..PartitionAnswer::error(data.index, error)
    };
    let refused = |(topic, partitions): Said<'_, '_>| TopicAnswer {
        name: topic.name.into(),
        id: topic.topic_id,
        partitions: partitions.iter().map(answer).collect(),
    };
    last_said(&asked.topic_data).into_iter().map(refused).collect()
}

/// Each topic and partition once, in the order of their first mention, with what was said of them last.
/// Topics without partitions are left out.
pub(crate) fn last_said<'r, 'a>(topics: &'r [TopicProduceData<'a>]) -> SmallVec<[Said<'r, 'a>; 1]> {
    if let [topic] = topics {
        if let [data] = &topic.partition_data[..] {
            return smallvec![(topic, smallvec![data])];
        }
    }
    let mut said: SmallVec<[Said<'r, 'a>; 1]> = SmallVec::new();
    let mut topic_places: HashMap<(&str, Uuid), usize> = HashMap::new();
    let mut places: HashMap<(usize, PartitionIndex), usize> = HashMap::new();
    for topic in topics.iter().filter(|topic| !topic.partition_data.is_empty()) {
        let at = *topic_places.entry((topic.name, topic.topic_id)).or_insert_with(|| {
            said.push((topic, SmallVec::new()));
            said.len() - 1
        });
        for data in &topic.partition_data {
            let partitions = &mut said[at].1;
            let place = *places.entry((at, data.index)).or_insert(partitions.len());
            match partitions.get_mut(place) {
                Some(earlier) => *earlier = data,
                None => partitions.push(data),
            }
        }
    }
    said
}

/// Answers when every partition is committed or failed, or when time is up; parks otherwise.
fn wait(
    reply_to: ReplyTo,
    mut topics: TopicAnswers,
    nodes: Vec<Node>,
    deadline: Millis,
    wake: Arc<dyn Wake>,
    now: Millis,
) -> Handled {
    if settle(&mut topics, now >= deadline) {
        return reply(reply_to, &topics, &nodes);
    }
    let mut registration = Registration::new(wake.clone(), 0);
    for (partition, until) in
        topics.iter().flat_map(|topic| &topic.partitions).flat_map(|answer| &answer.until)
    {
        let want = match until {
            Until::Committed(last_offset) => Want::HighWatermark(last_offset + 1),
            Until::Durable(last_offset) => Want::Durable(last_offset + 1),
        };
        registration.wait(partition.clone(), want);
    }
    // Whatever moved between the first look and the registration is seen now.
    if settle(&mut topics, false) {
        return reply(reply_to, &topics, &nodes);
    }
    let parked = ParkedProduce { reply_to, topics, nodes, deadline, wake, _registration: registration };
    Handled::Park { deadline, state: Parked(Waiting::Produce(Box::new(parked))) }
}

/// Ends the waits that are over. Returns whether all are.
fn settle(topics: &mut [TopicAnswer], time_is_up: bool) -> bool {
    let mut settled = true;
    for answer in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        let mut failed = None;
        answer.until.retain(|(partition, until)| {
            let reached = match *until {
                Until::Committed(last_offset) => partition.is_committed(last_offset),
                Until::Durable(last_offset) => partition.is_durable(last_offset),
            };
            match reached {
                Ok(false) if time_is_up => failed = failed.or(Some(error_code::REQUEST_TIMED_OUT)),
                Ok(_) => {}
                Err(error) => failed = Some(error),
            }
            reached == Ok(false)
        });
        if let Some(error_code) = failed {
            answer.error_code = error_code;
            answer.until.clear();
        }
        settled &= answer.until.is_empty();
    }
    settled
}

fn tally(topics: &[TopicAnswer]) -> ErrorTally {
    let mut errors = ErrorTally::default();
    for answer in topics.iter().flat_map(|topic| &topic.partitions) {
        errors.note(answer.error_code);
    }
    errors
}

fn reply(reply_to: ReplyTo, topics: &[TopicAnswer], nodes: &[Node]) -> Handled {
    let response = ProduceResponse {
        responses: topics.iter().map(topic_response).collect(),
        throttle_time_ms: 0,
        node_endpoints: nodes
            .iter()
            .map(|node| NodeEndpoint {
                node_id: node.id,
                host: &node.host,
                port: node.port,
                rack: node.rack.as_deref(),
            })
            .collect(),
    };
    reply_to.reply(FLEXIBLE_FROM, Vec::new(), |writer, version| response.encode(writer, version))
}

fn topic_response(topic: &TopicAnswer) -> TopicProduceResponse<'_> {
    TopicProduceResponse {
        name: &topic.name,
        topic_id: topic.id,
        partition_responses: topic.partitions.iter().map(partition_response).collect(),
    }
}

fn partition_response(answer: &PartitionAnswer) -> PartitionProduceResponse<'_> {
    let (leader_id, leader_epoch) = answer.leader.unwrap_or((-1, -1));
    PartitionProduceResponse {
        index: answer.index,
        error_code: answer.error_code,
        base_offset: answer.base_offset,
        log_append_time_ms: answer.log_append_time,
        log_start_offset: answer.log_start_offset,
        record_errors: answer
            .record_errors
            .iter()
            .map(|(index, message)| BatchIndexAndErrorMessage {
                batch_index: *index,
                batch_index_error_message: Some(message),
            })
            .collect(),
        error_message: answer.message.as_deref(),
        current_leader: LeaderIdAndEpoch { leader_id, leader_epoch },
    }
}
