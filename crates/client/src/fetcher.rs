//! Reads partitions from their leaders: where to begin, what to ask for, what came.
//!
//! A turn of the owner is `exchange` (under the lock that the user's threads share), then `transmit` (without it).
//! Checking and decompressing happen in `received`, without the lock. One fetch at a time is under way to a broker,
//! since a session has an order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::fetch_request::FetchPartition;
use barnabas_protocol::generated::fetch_response::{FetchResponse, PartitionData};
use barnabas_protocol::generated::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use barnabas_protocol::generated::list_offsets_response::ListOffsetsResponse;
use barnabas_protocol::{Millis, NodeId, Offset};

use crate::assignment::{Assignment, Slot, Start};
use crate::closest::Closest;
use crate::cluster::{Cluster, NO_NODE};
use crate::error::ClientError;
use crate::fetch_session::{FetchSession, Partition};
use crate::fetched::{decode, Decoded};
use crate::group;
use crate::link::{Answer, Links};
use crate::truncation::{diverged, Divergence};

mod request;

/// ListOffsets: the first record.
const EARLIEST: i64 = -2;
/// ListOffsets: after the last record.
const LATEST: i64 = -1;
/// FetchRequest: from a consumer, not a replica.
const CONSUMER: i32 = -1;

/// The configs of a consumer that decide how it reads.
#[derive(Debug, Clone)]
pub struct FetcherConfig {
    /// `fetch.min.bytes`.
    pub fetch_min_bytes: i32,
    /// `fetch.max.bytes`.
    pub fetch_max_bytes: i32,
    /// `fetch.max.wait.ms`.
    pub fetch_max_wait_ms: i32,
    /// `max.partition.fetch.bytes`.
    pub max_partition_fetch_bytes: i32,
    /// `isolation.level` is `read_committed`.
    pub read_committed: bool,
    /// `check.crcs`.
    pub check_crcs: bool,
    /// `client.rack`.
    pub client_rack: String,
    /// `auto.offset.reset`.
    pub reset: Start,
    /// `retry.backoff.ms`.
    pub retry_backoff_ms: Millis,
    /// Milliseconds since the Unix epoch at the time 0 of this client's clock.
    pub clock_zero: Millis,
}

/// What a partition was asked for, and who may use the answer.
#[derive(Debug, Clone)]
pub struct Asked {
    generation: u64,
    offset: Offset,
}

/// What a consumer asks brokers.
#[derive(Debug)]
pub enum Purpose {
    /// Where the leaders are.
    Metadata,
    /// For offsets, on behalf of partitions (generation) or of questions (number).
    ListOffsets(BTreeMap<Partition, Whom>),
    /// For records.
    Fetch(BTreeMap<Partition, Asked>),
    /// What a member of a group asks.
    Group(group::Purpose),
}

impl group::Spoken for Purpose {
    fn group(purpose: group::Purpose) -> Purpose {
        Purpose::Group(purpose)
    }
}

/// On whose behalf an offset is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// A partition that has to begin, in this generation.
    Slot(u64),
    /// A question of the user, by number.
    Lookup(u64),
}

/// What came, on its way to the assignment.
#[derive(Debug)]
enum News {
    Records(Partition, Asked, Decoded, Offset),
    Diverged(Divergence),
    /// The offset is not in the log any more, or not yet.
    OutOfRange(Partition, u64, Offset),
    Failed(Partition, u64, ClientError),
    Offset(Partition, Whom, Result<Option<(Offset, Millis)>, ErrorCode>),
}

/// What is to be sent next.
#[derive(Debug, Default)]
struct Plan {
    offsets: BTreeMap<NodeId, BTreeMap<Partition, (Whom, i64)>>,
    fetches: BTreeMap<NodeId, BTreeMap<Partition, (FetchPartition, Asked)>>,
}

/// The reading half of a consumer.
#[derive(Debug)]
pub struct Fetcher {
    config: FetcherConfig,
    cluster: Cluster,
    links: Links<Purpose>,
    sessions: HashMap<NodeId, FetchSession>,
    /// Who is read from.
    closest: Closest,
    /// Brokers that a fetch is under way to.
    fetching: Vec<NodeId>,
    /// Partitions of which an offset is being looked for.
    resetting: BTreeSet<Partition>,
    news: Vec<News>,
    plan: Plan,
    /// Answers to the group's requests.
    group_answers: Vec<Answer<Purpose>>,
    /// After an error: not before.
    retry_at: Millis,
}

impl Fetcher {
    /// Nothing is read.
    pub fn new(config: FetcherConfig, cluster: Cluster, mut links: Links<Purpose>, now: Millis) -> Fetcher {
        cluster.bootstrap(&mut links, now);
        Fetcher {
            config,
            cluster,
            links,
            sessions: HashMap::new(),
            closest: Closest::default(),
            fetching: Vec::new(),
            resetting: BTreeSet::new(),
            news: Vec::new(),
            plan: Plan::default(),
            group_answers: Vec::new(),
            retry_at: Millis::MIN,
        }
    }

    /// The connections, for the owner of sockets.
    pub fn links(&mut self) -> &mut Links<Purpose> {
        &mut self.links
    }

    /// The metadata and the connections, for a group's member.
    pub fn shared(&mut self) -> (&mut Cluster, &mut Links<Purpose>) {
        (&mut self.cluster, &mut self.links)
    }

    /// Answers to requests of a group's member.
    pub fn take_group_answers(&mut self) -> Vec<Answer<Purpose>> {
        std::mem::take(&mut self.group_answers)
    }

    /// Gives what came to the user's side, and looks what is wanted next. True when something came.
    pub fn exchange(&mut self, assignment: &mut Assignment, now: Millis) -> bool {
        let mut came = false;
        for news in std::mem::take(&mut self.news) {
            came = true;
            self.tell(assignment, news);
        }
        if let Some(refusal) = self.links.take_refusal() {
            assignment.refusal = Some(refusal);
            came = true;
        } else if self.links.problem().is_none() {
            assignment.refusal = None;
        }
        let topics: Vec<Arc<str>> = assignment.partitions().map(|((topic, _), _)| topic.clone()).collect();
        let asked = assignment.lookups.iter().map(|lookup| lookup.partition.0.clone());
        for topic in topics.into_iter().chain(asked.collect::<Vec<_>>()) {
            self.cluster.want(&topic, now);
        }
        for (name, known) in assignment.topics_mut() {
            self.cluster.want(name, now);
            let counted = self.cluster.topic(name).map(counted);
            came |= counted.is_some() && known.is_none();
            *known = counted;
        }
        self.plan = Plan::default();
        if now >= self.retry_at {
            self.plan(assignment, now);
        }
        came
    }

    fn tell(&self, assignment: &mut Assignment, news: News) {
        match news {
            News::Records(partition, asked, decoded, high_watermark) => {
                let Some(slot) = assignment.current(&partition, asked.generation) else { return };
                // Who was asked before may answer too, when another is read from by now.
                if slot.fetch_offset == Some(asked.offset) {
                    take_in(slot, decoded, high_watermark);
                }
            }
            News::Diverged(found) => diverged(assignment, &found, self.config.reset),
            News::OutOfRange(partition, generation, offset) => {
                let Some(slot) = assignment.current(&partition, generation) else { return };
                if slot.fetch_offset == Some(offset) && slot.queue.is_empty() {
                    slot.reason = "its offset is out of range";
                    slot.begin(self.config.reset);
                }
            }
            News::Failed(partition, generation, error) => {
                if let Some(slot) = assignment.current(&partition, generation) {
                    slot.error = Some(error);
                }
            }
            News::Offset(partition, Whom::Slot(generation), found) => {
                let Some(slot) = assignment.current(&partition, generation) else { return };
                match found {
                    Ok(Some((offset, _))) => slot.begin(Start::Offset(offset)),
                    // No record is that new: go on after the last one.
                    Ok(None) => slot.start = Some(Start::Latest),
                    Err(_) => {}
                }
            }
            News::Offset(_, Whom::Lookup(id), found) => {
                let lookup = assignment.lookups.iter_mut().find(|lookup| lookup.id == id);
                let Some(lookup) = lookup else { return };
                match found {
                    Ok(found) => lookup.answer = Some(Ok(found)),
                    Err(error) if error.retriable() => {}
                    Err(error) => {
                        let (topic, partition) = &lookup.partition;
                        let error = ClientError::broker(error, &format!("{topic}-{partition}"));
                        lookup.answer = Some(Err(error));
                    }
                }
            }
        }
    }

    fn plan(&mut self, assignment: &mut Assignment, now: Millis) {
        for (partition, slot) in assignment.slots_mut() {
            if slot.start == Some(Start::None) && slot.error.is_none() {
                slot.start = None;
                let (topic, partition) = partition.clone();
                let reason = slot.reason.to_string();
                slot.error = Some(ClientError::NoOffset { topic: topic.to_string(), partition, reason });
            }
        }
        for (partition, slot) in assignment.partitions() {
            let Some(leader) = self.leader(partition, now) else { continue };
            match (slot.start, slot.fetch_offset) {
                (Some(Start::Committed), _) => {}
                (Some(start), _) if slot.error.is_none() => {
                    self.plan_offset(leader, partition, Whom::Slot(slot.generation), start, now);
                }
                (None, Some(offset)) if assignment.is_hungry(slot) => {
                    let node = self.closest.node(partition, leader, now);
                    if !self.fetching.contains(&node) {
                        let asked = self.wanted(partition, slot, offset);
                        self.plan.fetches.entry(node).or_default().insert(partition.clone(), asked);
                    }
                }
                _ => {}
            }
        }
        for lookup in assignment.lookups.iter().filter(|lookup| lookup.answer.is_none()) {
            if let Some(leader) = self.leader(&lookup.partition, now) {
                self.plan_offset(leader, &lookup.partition, Whom::Lookup(lookup.id), lookup.start, now);
            }
        }
    }

    /// One question about a partition comes after the other: brokers refuse requests that name one twice.
    fn plan_offset(&mut self, leader: NodeId, partition: &Partition, whom: Whom, start: Start, now: Millis) {
        if !self.resetting.contains(partition) {
            let asked = (whom, self.timestamp(start, now));
            self.plan.offsets.entry(leader).or_default().entry(partition.clone()).or_insert(asked);
        }
    }

    fn wanted(&self, partition: &Partition, slot: &Slot, offset: Offset) -> (FetchPartition, Asked) {
        let known = self.cluster.partition(&partition.0, partition.1);
        let data = FetchPartition {
            partition: partition.1,
            current_leader_epoch: known.map_or(-1, |known| known.leader_epoch),
            fetch_offset: offset,
            last_fetched_epoch: slot.last_epoch,
            partition_max_bytes: self.config.max_partition_fetch_bytes,
            ..Default::default()
        };
        (data, Asked { generation: slot.generation, offset })
    }

    fn timestamp(&self, start: Start, now: Millis) -> i64 {
        match start {
            Start::Earliest => EARLIEST,
            Start::Timestamp(timestamp) => timestamp,
            Start::Ago(duration) => (self.config.clock_zero + now - duration).max(0),
            _ => LATEST,
        }
    }

    fn leader(&mut self, partition: &Partition, now: Millis) -> Option<NodeId> {
        match self.cluster.partition(&partition.0, partition.1) {
            Some(known) if known.leader != NO_NODE => Some(known.leader),
            _ => {
                self.cluster.refresh(now);
                None
            }
        }
    }

    /// Sends what was planned.
    pub fn transmit(&mut self, now: Millis) {
        self.cluster.step(&mut self.links, Purpose::Metadata, now);
        let plan = std::mem::take(&mut self.plan);
        for (leader, asked) in plan.offsets {
            if self.links.ready(leader, now) {
                self.list_offsets(leader, asked, now);
            }
        }
        for (leader, asked) in plan.fetches {
            if self.links.ready(leader, now) {
                self.fetch(leader, asked, now);
            }
        }
    }

    fn isolation_level(&self) -> i8 {
        i8::from(self.config.read_committed)
    }

    fn list_offsets(&mut self, leader: NodeId, asked: BTreeMap<Partition, (Whom, i64)>, now: Millis) {
        let Some(version) = self.links.version(leader, ApiKey::ListOffsets) else { return };
        let mut topics: Vec<ListOffsetsTopic<'_>> = Vec::new();
        for ((topic, index), (_, timestamp)) in &asked {
            let known = self.cluster.partition(topic, *index);
            let epoch = known.map_or(-1, |known| known.leader_epoch);
            let partition = ListOffsetsPartition {
                partition_index: *index,
                current_leader_epoch: if version >= 4 { epoch } else { -1 },
                timestamp: *timestamp,
            };
            match topics.last_mut().filter(|last| last.name == &**topic) {
                Some(last) => last.partitions.push(partition),
                None => topics.push(ListOffsetsTopic { name: topic, partitions: vec![partition] }),
            }
        }
        let request = ListOffsetsRequest {
            replica_id: CONSUMER,
            isolation_level: if version >= 2 { self.isolation_level() } else { 0 },
            topics,
            ..Default::default()
        };
        let whom: BTreeMap<Partition, Whom> = asked.iter().map(|(p, (whom, _))| (p.clone(), *whom)).collect();
        let api = (ApiKey::ListOffsets, version);
        let purpose = Some(Purpose::ListOffsets(whom));
        let encode = |writer: &mut _| request.encode(writer, version);
        if self.links.send(now, leader, api, purpose, &[], encode).is_ok() {
            self.resetting.extend(asked.into_keys());
        }
    }

    fn fetch(&mut self, leader: NodeId, wanted: BTreeMap<Partition, (FetchPartition, Asked)>, now: Millis) {
        let Some(version) = self.links.version(leader, ApiKey::Fetch) else { return };
        let (mut data, mut asked) = (BTreeMap::new(), BTreeMap::new());
        for (partition, (fetch, ask)) in wanted {
            data.insert(partition.clone(), fetch);
            asked.insert(partition, ask);
        }
        let session = self.sessions.entry(leader).or_default().request(data);
        let request = request::fetch(&self.config, version, &session);
        let api = (ApiKey::Fetch, version);
        let encode = |writer: &mut _| request.encode(writer, version);
        match self.links.send(now, leader, api, Some(Purpose::Fetch(asked)), &[], encode) {
            Ok(()) => self.fetching.push(leader),
            Err(error) => log::error!("a fetch request can't be written: {error}"),
        }
    }

    /// Takes bytes of a broker.
    pub fn received(&mut self, node: NodeId, bytes: &[u8], now: Millis) {
        for answer in self.links.received(node, bytes, now) {
            self.answered(answer, now);
        }
    }

    /// Lets time pass for requests, and takes those whose connection was lost.
    pub fn settle(&mut self, now: Millis) {
        self.links.expire(now);
        for answer in self.links.take_lost() {
            self.cluster.refresh(now);
            self.answered(answer, now);
        }
    }

    fn answered(&mut self, answer: Answer<Purpose>, now: Millis) {
        match &answer.purpose {
            Purpose::Metadata => self.cluster.answered(&answer, &mut self.links, now),
            Purpose::ListOffsets(asked) => self.offsets_answered(&answer, asked, now),
            Purpose::Fetch(_) => self.fetch_answered(answer, now),
            Purpose::Group(_) => self.group_answers.push(answer),
        }
    }

    fn offsets_answered(&mut self, answer: &Answer<Purpose>, asked: &BTreeMap<Partition, Whom>, now: Millis) {
        self.resetting.retain(|partition| !asked.contains_key(partition));
        let mut reader = answer.body();
        let response = reader.as_mut().and_then(|r| ListOffsetsResponse::decode(r, answer.version).ok());
        // Brokers answer in an order of their own.
        let mut told = BTreeMap::new();
        for topic in response.iter().flat_map(|response| &response.topics) {
            told.extend(topic.partitions.iter().map(|found| ((topic.name, found.partition_index), found)));
        }
        for (partition, whom) in asked {
            let result = match told.get(&(&*partition.0, partition.1)) {
                Some(found) if found.error_code == 0 && found.offset < 0 => Ok(None),
                Some(found) if found.error_code == 0 => Ok(Some((found.offset, found.timestamp))),
                Some(found) => Err(ErrorCode(found.error_code)),
                None => Err(ErrorCode::NETWORK_EXCEPTION),
            };
            match (result, whom) {
                (Err(error), Whom::Slot(generation)) if !error.retriable() => {
                    let (topic, index) = partition;
                    let error = ClientError::broker(error, &format!("{topic}-{index}"));
                    self.news.push(News::Failed(partition.clone(), *generation, error));
                }
                (result, whom) => {
                    if result.is_err() {
                        self.back_off(now);
                    }
                    self.news.push(News::Offset(partition.clone(), *whom, result));
                }
            }
        }
    }

    fn back_off(&mut self, now: Millis) {
        self.retry_at = now + self.config.retry_backoff_ms;
        self.cluster.refresh(now);
    }

    fn fetch_answered(&mut self, answer: Answer<Purpose>, now: Millis) {
        self.fetching.retain(|&node| node != answer.node);
        let session = self.sessions.entry(answer.node).or_default();
        let (Some((frame, body_at)), Purpose::Fetch(asked)) = (answer.frame, answer.purpose) else {
            session.forget();
            self.closest.lost(answer.node);
            return self.back_off(now);
        };
        let frame = Arc::new(frame);
        let mut reader = barnabas_protocol::wire::Reader::new(&frame[body_at..]);
        let Ok(response) = FetchResponse::decode(&mut reader, answer.version) else {
            session.forget();
            self.links.close(answer.node, now);
            return self.back_off(now);
        };
        let error = ErrorCode(response.error_code);
        if !session.answered(error, response.session_id) {
            let of_session = [ErrorCode::FETCH_SESSION_ID_NOT_FOUND, ErrorCode::INVALID_FETCH_SESSION_EPOCH];
            if !of_session.contains(&error) {
                self.back_off(now);
            }
            return;
        }
        self.links.figures().fetched.add(frame.len() as u64);
        for topic in &response.responses {
            for data in &topic.partitions {
                let partition = (Arc::from(topic.topic), data.partition_index);
                if let Some(ask) = asked.get(&partition) {
                    self.partition_answered(answer.node, &frame, partition, ask, data, now);
                }
            }
        }
    }

    fn partition_answered(
        &mut self,
        node: NodeId,
        frame: &Arc<Vec<u8>>,
        partition: Partition,
        ask: &Asked,
        data: &PartitionData<'_>,
        now: Millis,
    ) {
        let code = ErrorCode(data.error_code);
        let was_named = code.is_error() && self.closest.forget(&partition, node);
        match code {
            ErrorCode::NONE if data.diverging_epoch.epoch >= 0 => {
                let (generation, asked) = (ask.generation, ask.offset);
                let (end_offset, epoch) = (data.diverging_epoch.end_offset, data.diverging_epoch.epoch);
                let found = Divergence { partition, generation, asked, end_offset, epoch };
                self.news.push(News::Diverged(found));
            }
            ErrorCode::NONE => {
                if data.preferred_read_replica >= 0 && data.preferred_read_replica != node {
                    let until = now + self.cluster.max_age_ms();
                    self.closest.name(partition.clone(), data.preferred_read_replica, until);
                }
                let Some(bytes) = data.records.bytes() else { return };
                let start = bytes.as_ptr() as usize - frame.as_ptr() as usize;
                let aborted = data.aborted_transactions.as_deref().unwrap_or_default();
                let aborted = self.config.read_committed.then_some(aborted);
                let range = start..start + bytes.len();
                let decoded = decode(frame, range, ask.offset, aborted, self.config.check_crcs);
                let news = News::Records(partition, ask.clone(), decoded, data.high_watermark);
                self.news.push(news);
            }
            // A follower may not have it yet, or still: the leader knows.
            ErrorCode::OFFSET_OUT_OF_RANGE if was_named => {}
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                self.news.push(News::OutOfRange(partition, ask.generation, ask.offset));
            }
            error if error.retriable() || error == ErrorCode::UNKNOWN_SERVER_ERROR => self.back_off(now),
            error => {
                let about = format!("{}-{}", partition.0, partition.1);
                let error = ClientError::broker(error, &about);
                self.news.push(News::Failed(partition, ask.generation, error));
            }
        }
    }

    /// When the owner has to look again if nothing happens.
    pub fn deadline(&self, now: Millis) -> Option<Millis> {
        let at = [self.links.deadline(now), self.cluster.deadline(), Some(self.retry_at)];
        at.into_iter().flatten().filter(|&at| at > now).min()
    }

    /// Whether a turn would do something at once.
    pub fn has_news(&self) -> bool {
        !self.news.is_empty()
    }
}

/// How many partitions a topic has, as it is told to the user.
fn counted(topic: &crate::cluster::Topic) -> Result<usize, ClientError> {
    match topic.partitions.len() {
        0 => Err(ClientError::broker(topic.error, "the topic")),
        count => Ok(count),
    }
}

/// Puts what came behind what waits.
fn take_in(slot: &mut Slot, decoded: Decoded, high_watermark: Offset) {
    slot.high_watermark = high_watermark;
    let count = decoded.batches.len();
    // The bytes of a response count as long as one of its batches is there; the last one carries the rest.
    let share = decoded.size / count.max(1);
    if let Some(last) = decoded.batches.last() {
        slot.visible_end = Some(last.header.next_offset());
    }
    slot.queue.extend(decoded.batches.into_iter().map(|batch| (batch, share)));
    slot.buffered += share * count;
    let all_taken = slot.position == slot.fetch_offset;
    if let Some(next) = decoded.next_offset {
        slot.fetch_offset = Some(next);
        if count == 0 && all_taken {
            slot.position = Some(next); // Markers and what was aborted: nothing for the user.
        }
    }
    slot.last_epoch = decoded.last_epoch.unwrap_or(slot.last_epoch);
    slot.error = decoded.error;
}
