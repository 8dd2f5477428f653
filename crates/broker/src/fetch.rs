//! Fetch: records for consumers and followers, as slices of files, at once or when there are enough.

use std::sync::Arc;

use barnabas_disk::FileSlice;
use barnabas_image::MetadataImage;
use barnabas_protocol::generated::fetch_request::FetchRequest;
use barnabas_protocol::generated::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch,
    NodeEndpoint, PartitionData,
};
use barnabas_protocol::wire::{Reader as WireReader, Records};
use barnabas_protocol::{LeaderEpoch, Millis, NodeId, Uuid};

use crate::authorize::{allowed, Operation, Resource};
use crate::broker::Broker;
use crate::cold_reads::Arrival;
use crate::current_leader::{current_leader, endpoints, Node};
use crate::error_code;
use crate::fetch_session::{Asked, Context, Key, Told, TopicRef, Wanted};
use crate::leader::FollowerFetch;
use crate::partition::{Partition, NO_EPOCH};
use crate::read::{Read, ReadBounds, Reader};
use crate::request::{BrokerRequest, Handled, Parked, ReplyTo, Waiting};
use crate::waiters::{Registration, Wake, Want};

pub(crate) const KEY: i16 = 1;
const FLEXIBLE_FROM: i16 = 12;
/// Topics are named by id from here on.
const IDS_FROM: i16 = 13;
/// The replica's id moved into a struct of its own.
const REPLICA_STATE_FROM: i16 = 15;
/// Answers tell where the leader is from here on (KIP-951).
const NODE_ENDPOINTS_FROM: i16 = 16;
/// Replica id of tools that read everything.
const DEBUG_REPLICA: NodeId = -2;
/// How often a request lets the disk bring bytes in that are gone again when it looks; then it waits itself.
const ARRIVALS_MAX: u32 = 3;
/// Pause between two looks at a disk that takes its time. What it brings wakes the request anyway.
const DISK_WAIT_MS: Millis = 1_000;

/// One partition of the request.
struct Part {
    key: Key,
    wanted: Wanted,
    /// The replica here; or an error, and whether it says only that the partition does not exist.
    target: Result<Arc<Partition>, (i16, bool)>,
}

/// What a request is once it has been understood.
struct Plan {
    reply_to: ReplyTo,
    context: Context,
    parts: Vec<Part>,
    reader: Reader,
    min_bytes: i64,
    max_bytes: i32,
    deadline: Millis,
    listener: Arc<str>,
    /// How often the disk was waited for.
    arrivals: u32,
}

/// A Fetch that waits for bytes.
pub(crate) struct ParkedFetch {
    plan: Plan,
    wake: Arc<dyn Wake>,
    waits: Waits,
}

/// What for.
enum Waits {
    /// Records that nobody has written yet. Held for its drop, which takes the request out of the partitions'
    /// lists.
    Growth { _registration: Registration },
    /// Records that come from the disk.
    Disk(Arc<Arrival>),
}

/// One round over all partitions.
struct Round {
    answers: Vec<Result<Read, i16>>,
    bytes: i64,
    /// Whether something was found that must be told at once.
    urgent: bool,
    /// What must come from the disk before there is more.
    cold: Vec<FileSlice>,
}

impl Broker {
    pub(crate) fn fetch(&self, request: &BrokerRequest<'_>) -> Handled {
        let version = request.api_version;
        let asked = match FetchRequest::decode(&mut WireReader::new(request.body), version) {
            Ok(asked) => asked,
            Err(error) => return error.into(),
        };
        let reader = match reader(&asked, version) {
            Ok(reader) => reader,
            Err(error) => return refuse(request.reply_to(), error),
        };
        let follows = matches!(reader, Reader::Follower { .. });
        if follows && !allowed(request, Operation::ClusterAction, Resource::Cluster) {
            return refuse(request.reply_to(), error_code::CLUSTER_AUTHORIZATION_FAILED);
        }
        let image = self.image();
        let session = asked_of_session(&asked, version, follows, &image);
        let (context, partitions) = match self.sessions().begin(session, request.now) {
            Ok(begun) => begun,
            Err(error) => return refuse(request.reply_to(), error),
        };
        let part = |(key, wanted): (Key, Wanted)| {
            let target = self.fetch_target(request, &image, &key);
            Part { key, wanted, target }
        };
        let plan = Plan {
            reply_to: request.reply_to(),
            context,
            parts: partitions.into_iter().map(part).collect(),
            reader,
            min_bytes: asked.min_bytes.into(),
            max_bytes: asked.max_bytes.min(self.settings().fetch_max_bytes),
            deadline: request.now.saturating_add(asked.max_wait_ms.into()),
            listener: request.listener.clone(),
            arrivals: 0,
        };
        let round = self.fetch_round(&plan, request.now);
        if plan.is_answered_by(&round, request.now) {
            return self.fetch_reply(plan, round, request.now);
        }
        self.fetch_wait(plan, round, request.ticket.wake(), request.now)
    }

    pub(crate) fn resume_fetch(&self, parked: ParkedFetch, now: Millis) -> Handled {
        let ParkedFetch { mut plan, wake, waits } = parked;
        if let Waits::Disk(arrival) = &waits {
            if !arrival.is_there() {
                let deadline = now.saturating_add(DISK_WAIT_MS);
                return park(deadline, ParkedFetch { plan, wake, waits });
            }
            plan.arrivals += 1;
        }
        let round = self.fetch_round(&plan, now);
        if plan.is_answered_by(&round, now) {
            return self.fetch_reply(plan, round, now);
        }
        self.fetch_wait(plan, round, wake, now)
    }

    /// Parks until there is more.
    fn fetch_wait(&self, plan: Plan, round: Round, wake: Arc<dyn Wake>, now: Millis) -> Handled {
        match round.cold.is_empty() {
            true => self.fetch_wait_for_growth(plan, round.bytes, wake, now),
            false => self.fetch_wait_for_disk(plan, round.cold, wake, now),
        }
    }

    fn fetch_wait_for_disk(
        &self,
        plan: Plan,
        cold: Vec<FileSlice>,
        wake: Arc<dyn Wake>,
        now: Millis,
    ) -> Handled {
        let waits = Waits::Disk(self.cold_reads.fetch(cold, wake.clone()));
        park(now.saturating_add(DISK_WAIT_MS), ParkedFetch { plan, wake, waits })
    }

    /// Registers, looks once more, and parks when there is still too little.
    fn fetch_wait_for_growth(&self, plan: Plan, found: i64, wake: Arc<dyn Wake>, now: Millis) -> Handled {
        let mut registration = Registration::new(wake.clone(), plan.min_bytes - found);
        for partition in plan.parts.iter().filter_map(|part| part.target.as_ref().ok()) {
            registration.wait(partition.clone(), Want::Bytes);
        }
        let round = self.fetch_round(&plan, now);
        if plan.is_answered_by(&round, now) {
            return self.fetch_reply(plan, round, now);
        }
        if !round.cold.is_empty() {
            return self.fetch_wait_for_disk(plan, round.cold, wake, now);
        }
        registration.found(round.bytes - found);
        let waits = Waits::Growth { _registration: registration };
        park(plan.deadline, ParkedFetch { plan, wake, waits })
    }

    fn fetch_target(
        &self,
        request: &BrokerRequest<'_>,
        image: &MetadataImage,
        (topic, index): &Key,
    ) -> Result<Arc<Partition>, (i16, bool)> {
        let (found, unknown) = match topic {
            TopicRef::Id(id) => (image.topics.by_id(*id), error_code::UNKNOWN_TOPIC_ID),
            TopicRef::Name(name) => (image.topics.by_name(name), error_code::UNKNOWN_TOPIC_OR_PARTITION),
        };
        let found = found.ok_or((unknown, true))?;
        if !allowed(request, Operation::Read, Resource::Topic(&found.name)) {
            return Err((error_code::TOPIC_AUTHORIZATION_FAILED, true));
        }
        self.partition(found.id, *index)
            .map_err(|error| (error, error == error_code::UNKNOWN_TOPIC_OR_PARTITION))
    }

    fn fetch_round(&self, plan: &Plan, now: Millis) -> Round {
        let answers = Vec::with_capacity(plan.parts.len());
        let mut round = Round { answers, bytes: 0, urgent: false, cold: Vec::new() };
        let mut left = plan.max_bytes;
        for part in &plan.parts {
            let answer = match &part.target {
                Err((error, unknown)) => {
                    // As in Kafka, what does not exist does not make the rest hurry.
                    round.urgent |= !unknown;
                    Err(*error)
                }
                Ok(partition) => {
                    let mut answer = self.fetch_partition(plan, part, partition, left, round.bytes == 0, now);
                    round.urgent |= answer.as_ref().map_or(true, |read| read.diverging.is_some());
                    round.cold.extend(answer.as_mut().ok().and_then(|read| read.cold.take()));
                    answer
                }
            };
            let bytes = answer.as_ref().map_or(0, Read::bytes);
            round.bytes += bytes as i64;
            left = left.saturating_sub(i32::try_from(bytes).unwrap_or(i32::MAX)).max(left.min(0));
            round.answers.push(answer);
        }
        round
    }

    fn fetch_partition(
        &self,
        plan: &Plan,
        part: &Part,
        partition: &Arc<Partition>,
        left: i32,
        first: bool,
        now: Millis,
    ) -> Result<Read, i16> {
        let bounds = ReadBounds {
            max_bytes: part.wanted.partition_max_bytes.min(left),
            min_one_batch: first,
            only_cached: plan.arrivals < ARRIVALS_MAX,
        };
        let read = partition.read(&part.wanted, plan.reader, bounds);
        let read = read.map_err(|failure| self.code_of(partition, failure))?;
        if let (Reader::Follower { replica, broker_epoch }, None) = (plan.reader, read.diverging) {
            let Wanted { fetch_offset, log_start_offset, .. } = part.wanted;
            let fetch = FollowerFetch { replica, fetch_offset, log_start_offset, broker_epoch };
            if let Some(proposal) = partition.follower_fetched(&fetch, now) {
                self.propose_isr(partition, proposal);
            }
        }
        Ok(read)
    }

    fn fetch_reply(&self, plan: Plan, mut round: Round, now: Millis) -> Handled {
        if !round.cold.is_empty() {
            self.cold_reads.hint(std::mem::take(&mut round.cold));
        }
        let mut keep = Vec::with_capacity(plan.parts.len());
        let told = plan
            .parts
            .iter()
            .zip(&round.answers)
            .map(|(part, answer)| (&part.key, part.wanted, told(answer)));
        let session_id = match self.sessions().finish(&plan.context, told, now, &mut keep) {
            Ok(session_id) => session_id,
            Err(error) => return refuse(plan.reply_to, error),
        };
        let mut answers = Answers::new(&plan, self.image());
        for ((part, answer), keep) in plan.parts.iter().zip(round.answers).zip(keep) {
            plan.count(part, &answer);
            if keep {
                answers.push(part, answer);
            }
        }
        answers.reply(session_id)
    }
}

impl Plan {
    /// Counts an answer to a consumer; what followers read is no traffic of clients.
    fn count(&self, part: &Part, answer: &Result<Read, i16>) {
        if let (Ok(partition), false) = (&part.target, matches!(self.reader, Reader::Follower { .. })) {
            partition.metrics.fetched(answer.as_ref().map(Read::bytes).map_err(|code| *code));
        }
    }

    fn is_answered_by(&self, round: &Round, now: Millis) -> bool {
        if round.bytes == 0 && !round.urgent && !round.cold.is_empty() {
            return false; // There are bytes, they only take their time.
        }
        let waitable = self.parts.iter().any(|part| part.target.is_ok());
        round.urgent || !waitable || round.bytes >= self.min_bytes || now >= self.deadline
    }
}

fn park(deadline: Millis, parked: ParkedFetch) -> Handled {
    Handled::Park { deadline, state: Parked(Waiting::Fetch(Box::new(parked))) }
}

/// The answers, with the files and leaders that they point to.
struct Answers<'p> {
    plan: &'p Plan,
    image: Arc<MetadataImage>,
    /// The topic of each run of partitions.
    topics: Vec<(&'p TopicRef, Vec<PartitionData<'static>>)>,
    files: Vec<FileSlice>,
    leaders: Vec<NodeId>,
}

impl<'p> Answers<'p> {
    fn new(plan: &'p Plan, image: Arc<MetadataImage>) -> Answers<'p> {
        Answers { plan, image, topics: Vec::new(), files: Vec::new(), leaders: Vec::new() }
    }

    fn push(&mut self, part: &'p Part, answer: Result<Read, i16>) {
        let (topic, index) = &part.key;
        let mut data = match answer {
            Ok(read) => self.data(read),
            Err(error) => self.error(part, error),
        };
        data.partition_index = *index;
        match self.topics.last_mut() {
            Some((last, partitions)) if *last == topic => partitions.push(data),
            _ => self.topics.push((topic, vec![data])),
        }
    }

    fn data(&mut self, read: Read) -> PartitionData<'static> {
        let aborted = |txn: barnabas_log::AbortedTxn| AbortedTransaction {
            producer_id: txn.producer_id,
            first_offset: txn.first_offset,
        };
        let records = match read.records {
            None => Records::Bytes(&[]),
            Some(slice) => {
                let (index, length) = (self.files.len() as u32, slice.length);
                self.files.push(slice);
                Records::External { index, length }
            }
        };
        let (epoch, end_offset) = read.diverging.unwrap_or((-1, -1));
        PartitionData {
            high_watermark: read.high_watermark,
            last_stable_offset: read.last_stable_offset,
            log_start_offset: read.log_start_offset,
            diverging_epoch: EpochEndOffset { epoch, end_offset },
            aborted_transactions: match read.diverging {
                None => read.aborted.map(|list| list.into_iter().map(aborted).collect()),
                Some(_) => None, // Nothing was read that could hold them.
            },
            preferred_read_replica: -1,
            records,
            ..PartitionData::default()
        }
    }

    fn error(&mut self, part: &Part, error_code: i16) -> PartitionData<'static> {
        let mut current = (-1, -1);
        let moved =
            matches!(error_code, error_code::NOT_LEADER_OR_FOLLOWER | error_code::FENCED_LEADER_EPOCH);
        if moved && self.plan.reply_to.api_version >= NODE_ENDPOINTS_FROM {
            if let TopicRef::Id(id) = &part.key.0 {
                current = self.leader_of(*id, part.key.1);
            }
        }
        let (leader_id, leader_epoch) = current;
        PartitionData {
            error_code,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            current_leader: LeaderIdAndEpoch { leader_id, leader_epoch },
            aborted_transactions: matches!(part.target, Err((_, true))).then(Vec::new),
            preferred_read_replica: -1,
            records: Records::Bytes(&[]),
            ..PartitionData::default()
        }
    }

    fn leader_of(&mut self, id: Uuid, index: i32) -> (NodeId, LeaderEpoch) {
        let current = current_leader(&self.image, id, index);
        self.leaders.push(current.0);
        current
    }

    fn reply(self, session_id: i32) -> Handled {
        let nodes = endpoints(&self.image, self.leaders.into_iter(), &self.plan.listener);
        let topic = |(topic, partitions)| {
            let (topic, topic_id) = match topic {
                &TopicRef::Id(id) => ("", id),
                TopicRef::Name(name) => (&**name, Uuid::ZERO),
            };
            FetchableTopicResponse { topic, topic_id, partitions }
        };
        let response = FetchResponse {
            session_id,
            responses: self.topics.into_iter().map(topic).collect(),
            node_endpoints: nodes.iter().map(node_endpoint).collect(),
            ..FetchResponse::default()
        };
        let encode = |writer: &mut _, version| response.encode(writer, version);
        self.plan.reply_to.reply(FLEXIBLE_FROM, self.files, encode)
    }
}

fn node_endpoint(node: &Node) -> NodeEndpoint<'_> {
    NodeEndpoint { node_id: node.id, host: &node.host, port: node.port, rack: node.rack.as_deref() }
}

fn told(answer: &Result<Read, i16>) -> Told {
    match answer {
        Ok(read) => Told {
            error: error_code::NONE,
            records_bytes: read.bytes(),
            high_watermark: read.high_watermark,
            log_start_offset: read.log_start_offset,
            diverging: read.diverging.is_some(),
            preferred_read_replica: false,
        },
        Err(error) => Told {
            error: *error,
            records_bytes: 0,
            high_watermark: -1,
            log_start_offset: -1,
            diverging: false,
            preferred_read_replica: false,
        },
    }
}

fn reader(asked: &FetchRequest<'_>, version: i16) -> Result<Reader, i16> {
    let (replica, broker_epoch) = match version >= REPLICA_STATE_FROM {
        true => (asked.replica_state.replica_id, asked.replica_state.replica_epoch),
        false => (asked.replica_id, -1),
    };
    match (replica, asked.isolation_level) {
        (_, level) if !(0..=1).contains(&level) => Err(error_code::UNKNOWN_SERVER_ERROR),
        (DEBUG_REPLICA, _) => Ok(Reader::Debug),
        (replica, _) if replica >= 0 => Ok(Reader::Follower { replica, broker_epoch }),
        (_, 1) => Ok(Reader::Committed),
        _ => Ok(Reader::Uncommitted),
    }
}

fn asked_of_session(
    asked: &FetchRequest<'_>,
    version: i16,
    from_follower: bool,
    image: &MetadataImage,
) -> Asked {
    let uses_topic_ids = version >= IDS_FROM;
    let topic_ref = |name: &str, id: Uuid| match uses_topic_ids {
        true => TopicRef::Id(id),
        // The image's own copy of the name costs nothing.
        false => {
            TopicRef::Name(image.topics.by_name(name).map_or_else(|| name.into(), |topic| topic.name.clone()))
        }
    };
    let mut partitions = Vec::new();
    for topic in &asked.topics {
        let key = topic_ref(topic.topic, topic.topic_id);
        partitions.extend(topic.partitions.iter().map(|partition| {
            let wanted = Wanted {
                fetch_offset: partition.fetch_offset,
                log_start_offset: partition.log_start_offset,
                partition_max_bytes: partition.partition_max_bytes,
                // Here alone any negative number says that the client knows none.
                current_leader_epoch: partition.current_leader_epoch.max(NO_EPOCH),
                last_fetched_epoch: partition.last_fetched_epoch,
            };
            ((key.clone(), partition.partition), wanted)
        }));
    }
    let forgotten = asked.forgotten_topics_data.iter().flat_map(|topic| {
        let key = topic_ref(topic.topic, topic.topic_id);
        topic.partitions.iter().map(move |index| (key.clone(), *index))
    });
    Asked {
        session_id: asked.session_id,
        session_epoch: asked.session_epoch,
        uses_topic_ids,
        from_follower,
        partitions,
        forgotten: forgotten.collect(),
    }
}

/// An answer without partitions.
fn refuse(reply_to: ReplyTo, error_code: i16) -> Handled {
    let response = FetchResponse { error_code, ..FetchResponse::default() };
    reply_to.reply(FLEXIBLE_FROM, Vec::new(), |writer, version| response.encode(writer, version))
}
