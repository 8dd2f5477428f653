//! Two brokers with share partitions of one topic, which lose connections, requests and answers, move leaders and
//! forget members: where share consumers are tested. A run is its seed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    unreachable_pub,
    reason = "a test fails by panicking, and needs not all of this"
)]

use std::collections::{BTreeMap, BTreeSet};

use barnabas_client::coordinator::is_coordinator_link;
use barnabas_protocol::api::ApiKey;
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::find_coordinator_response::{
    Coordinator as Found, FindCoordinatorResponse,
};
use barnabas_protocol::generated::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use barnabas_protocol::generated::share_acknowledge_request::ShareAcknowledgeRequest;
use barnabas_protocol::generated::share_acknowledge_response::{
    self as told, ShareAcknowledgeResponse, ShareAcknowledgeTopicResponse,
};
use barnabas_protocol::generated::share_fetch_request::ShareFetchRequest;
use barnabas_protocol::generated::share_fetch_response::{
    AcquiredRecords, PartitionData, ShareFetchResponse, ShareFetchableTopicResponse,
};
use barnabas_protocol::generated::share_group_heartbeat_request::ShareGroupHeartbeatRequest;
use barnabas_protocol::generated::share_group_heartbeat_response::{
    Assignment, ShareGroupHeartbeatResponse, TopicPartitions,
};
use barnabas_protocol::wire::Records;
use barnabas_protocol::{NodeId, Offset, TopicId};

use crate::support::{Asked, Random};

pub const NODES: [NodeId; 2] = [1, 2];
pub const PARTITIONS: i32 = 2;
pub const RECORDS: usize = 60;
/// Every so many offsets there is one without a record.
pub const GAP_EVERY: Offset = 7;
pub const TOPIC: TopicId = barnabas_protocol::Uuid([7; 16]);

/// Who a member is, by its number.
pub type Number = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Available,
    Acquired(Number),
    Accepted,
    Archived,
}

#[derive(Default)]
struct Session {
    epoch: i32,
    partitions: BTreeSet<i32>,
}

/// What is said of one partition in an answer to ShareFetch.
#[derive(Default)]
struct Part {
    code: ErrorCode,
    told: ErrorCode,
    bytes: Vec<u8>,
    acquired: Vec<AcquiredRecords>,
}

/// What brokers know.
pub struct Queue {
    pub random: Random,
    pub faults: bool,
    pub leaders: [NodeId; PARTITIONS as usize],
    pub states: Vec<Vec<State>>,
    pub deliveries: Vec<Vec<i16>>,
    sessions: BTreeMap<(Number, NodeId), Session>,
    members: BTreeMap<Number, i32>,
}

impl Queue {
    pub fn new(seed: u64) -> Queue {
        Queue {
            random: Random(seed | 1),
            faults: true,
            leaders: NODES,
            states: vec![vec![State::Available; RECORDS]; PARTITIONS as usize],
            deliveries: vec![vec![0; RECORDS]; PARTITIONS as usize],
            sessions: BTreeMap::new(),
            members: BTreeMap::new(),
        }
    }

    pub fn fault(&mut self, n: u64) -> bool {
        self.faults && self.random.one_in(n)
    }

    pub fn is_done(&self) -> bool {
        self.states.iter().flatten().all(|state| matches!(state, State::Accepted | State::Archived))
    }

    pub fn members(&self) -> usize {
        self.members.len()
    }

    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The connection of a member to a broker is gone: so is its session.
    pub fn disconnected(&mut self, member: Number, node: NodeId) {
        if self.sessions.remove(&(member, node)).is_some() {
            let mine = State::Acquired(member);
            for (states, _) in self.states.iter_mut().zip(self.leaders).filter(|(_, leader)| *leader == node)
            {
                states.iter_mut().filter(|state| **state == mine).for_each(|state| *state = State::Available);
            }
        }
    }

    /// Another broker leads the partition: what was acquired there is acquired no more.
    pub fn move_leader(&mut self, partition: usize) {
        self.leaders[partition] = NODES[usize::from(self.leaders[partition] == NODES[0])];
        for state in &mut self.states[partition] {
            if matches!(state, State::Acquired(_)) {
                *state = State::Available;
            }
        }
    }

    /// The answer to a request of a member.
    pub fn answer(&mut self, member: Number, asked: &Asked) -> Vec<u8> {
        let node = if is_coordinator_link(asked.link) || asked.link < 0 { NODES[0] } else { asked.link };
        match asked.api {
            ApiKey::ApiVersions => {
                let apis = [
                    (ApiKey::Metadata, 12),
                    (ApiKey::FindCoordinator, 4),
                    (ApiKey::ShareGroupHeartbeat, 1),
                    (ApiKey::ShareFetch, 2),
                    (ApiKey::ShareAcknowledge, 2),
                ];
                asked.answer(|writer, version| crate::support::versions(&apis).encode(writer, version))
            }
            ApiKey::Metadata => self.metadata(asked),
            ApiKey::FindCoordinator => {
                let found = Found { key: "g", node_id: 1, host: "h", port: 9, ..Default::default() };
                let response = FindCoordinatorResponse { coordinators: vec![found], ..Default::default() };
                asked.answer(|writer, version| response.encode(writer, version))
            }
            ApiKey::ShareGroupHeartbeat => self.heartbeat(member, asked),
            ApiKey::ShareFetch => self.fetch(member, node, asked),
            ApiKey::ShareAcknowledge => self.acknowledge(member, node, asked),
            other => panic!("{other:?} is not asked for by a share consumer"),
        }
    }

    fn metadata(&self, asked: &Asked) -> Vec<u8> {
        let partition = |(partition_index, leader_id): (i32, NodeId)| MetadataResponsePartition {
            partition_index,
            leader_id,
            ..Default::default()
        };
        let topic = MetadataResponseTopic {
            name: Some("t"),
            topic_id: TOPIC,
            partitions: (0..).zip(self.leaders).map(partition).collect(),
            ..Default::default()
        };
        let broker = |&node_id: &NodeId| MetadataResponseBroker { node_id, host: "h", port: 9, rack: None };
        let brokers = NODES.iter().map(broker).collect();
        let response = MetadataResponse { brokers, topics: vec![topic], ..Default::default() };
        asked.answer(|writer, version| response.encode(writer, version))
    }

    fn heartbeat(&mut self, member: Number, asked: &Asked) -> Vec<u8> {
        let mut body = asked.body();
        let request = ShareGroupHeartbeatRequest::decode(&mut body, asked.version).unwrap();
        let mut response = ShareGroupHeartbeatResponse { heartbeat_interval_ms: 50, ..Default::default() };
        let known = self.members.get(&member).copied();
        match request.member_epoch {
            -1 => {
                self.members.remove(&member);
                response.member_epoch = -1;
            }
            0 => {
                let names = request.subscribed_topic_names.unwrap();
                assert_eq!(names, ["t"]);
                self.members.insert(member, 1);
                response.member_epoch = 1;
                let partitions = (0..PARTITIONS).collect();
                let topic_partitions = vec![TopicPartitions { topic_id: TOPIC, partitions }];
                response.assignment = Some(Assignment { topic_partitions });
            }
            epoch if known == Some(epoch) && !self.fault(30) => response.member_epoch = epoch,
            _ => response.error_code = ErrorCode::UNKNOWN_MEMBER_ID.code(),
        }
        asked.answer(|writer, version| response.encode(writer, version))
    }

    /// Whether the session goes on in this epoch.
    fn goes_on(&mut self, member: Number, node: NodeId, epoch: i32) -> ErrorCode {
        let Some(session) = self.sessions.get_mut(&(member, node)) else {
            return ErrorCode::SHARE_SESSION_NOT_FOUND;
        };
        if epoch != -1 && session.epoch != epoch {
            return ErrorCode::INVALID_SHARE_SESSION_EPOCH;
        }
        session.epoch += 1;
        ErrorCode::NONE
    }

    fn fetch(&mut self, member: Number, node: NodeId, asked: &Asked) -> Vec<u8> {
        let mut body = asked.body();
        let request = ShareFetchRequest::decode(&mut body, asked.version).unwrap();
        let mut parts: BTreeMap<i32, Part> = BTreeMap::new();
        let told = request.topics.iter().flat_map(|topic| &topic.partitions);
        let told: Vec<_> = told.filter(|one| !one.acknowledgement_batches.is_empty()).collect();
        let code = match request.share_session_epoch {
            0 => {
                assert!(told.is_empty(), "the first request of a session can't acknowledge");
                self.disconnected(member, node);
                self.sessions.insert((member, node), Session { epoch: 1, ..Session::default() });
                ErrorCode::NONE
            }
            epoch => self.goes_on(member, node, epoch),
        };
        if !code.is_error() {
            for one in told {
                let batches = one.acknowledgement_batches.iter();
                let batches =
                    batches.map(|one| (one.first_offset, one.last_offset, &one.acknowledge_types[..]));
                let code = self.take_word(member, node, one.partition_index, &batches.collect::<Vec<_>>());
                parts.entry(one.partition_index).or_default().told = code;
            }
            self.acquire_all(member, node, &request, &mut parts);
        }
        let partition = |(&partition_index, part): (&i32, &Part)| PartitionData {
            partition_index,
            error_code: part.code.code(),
            acknowledge_error_code: part.told.code(),
            records: Records::Bytes(&[]),
            acquired_records: part.acquired.clone(),
            ..Default::default()
        };
        let mut partitions: Vec<PartitionData<'_>> = parts.iter().map(partition).collect();
        for (partition, part) in partitions.iter_mut().zip(parts.values()) {
            partition.records = Records::Bytes(&part.bytes);
        }
        let responses = vec![ShareFetchableTopicResponse { topic_id: TOPIC, partitions }];
        let response = ShareFetchResponse {
            error_code: code.code(),
            acquisition_lock_timeout_ms: 30_000,
            responses,
            ..Default::default()
        };
        asked.answer(|writer, version| response.encode(writer, version))
    }

    fn acquire_all(
        &mut self,
        member: Number,
        node: NodeId,
        request: &ShareFetchRequest<'_>,
        parts: &mut BTreeMap<i32, Part>,
    ) {
        let session = self.sessions.get_mut(&(member, node)).unwrap();
        let added = request.topics.iter().flat_map(|topic| &topic.partitions);
        session.partitions.extend(added.map(|partition| partition.partition_index));
        for index in request.forgotten_topics_data.iter().flat_map(|topic| &topic.partitions) {
            assert!(session.partitions.remove(index), "only what is in a session is forgotten");
        }
        for index in session.partitions.clone() {
            let part = parts.entry(index).or_default();
            if self.leaders[index as usize] != node {
                part.code = ErrorCode::NOT_LEADER_OR_FOLLOWER;
            } else {
                (part.bytes, part.acquired) = self.acquire(member, index as usize);
            }
        }
    }

    /// Gives the next few records, with the batches that hold them.
    fn acquire(&mut self, member: Number, partition: usize) -> (Vec<u8>, Vec<AcquiredRecords>) {
        let count = 1 + self.random.below(5) as usize;
        let states = &mut self.states[partition];
        let free = (0..RECORDS).filter(|&at| states[at] == State::Available).take(count);
        let free: Vec<usize> = free.collect();
        let (mut bytes, mut acquired) = (Vec::new(), Vec::new());
        for at in free {
            states[at] = State::Acquired(member);
            self.deliveries[partition][at] += 1;
            let offset = at as Offset;
            let delivery_count = self.deliveries[partition][at];
            acquired.push(AcquiredRecords { first_offset: offset, last_offset: offset, delivery_count });
            if offset % GAP_EVERY != GAP_EVERY - 1 {
                let config = BuilderConfig { base_offset: offset, ..Default::default() };
                let mut builder = BatchBuilder::new(config);
                builder.append(5, None, Some(&offset.to_be_bytes()), &[]).unwrap();
                bytes.extend(builder.finish().unwrap());
            }
        }
        (bytes, acquired)
    }

    fn acknowledge(&mut self, member: Number, node: NodeId, asked: &Asked) -> Vec<u8> {
        let mut body = asked.body();
        let request = ShareAcknowledgeRequest::decode(&mut body, asked.version).unwrap();
        let epoch = request.share_session_epoch;
        assert_ne!(epoch, 0);
        let code = self.goes_on(member, node, epoch);
        let mut partitions = Vec::new();
        if !code.is_error() {
            for one in request.topics.iter().flat_map(|topic| &topic.partitions) {
                let batches = one.acknowledgement_batches.iter();
                let batches =
                    batches.map(|one| (one.first_offset, one.last_offset, &one.acknowledge_types[..]));
                let code = self.take_word(member, node, one.partition_index, &batches.collect::<Vec<_>>());
                let partition_index = one.partition_index;
                partitions.push(told::PartitionData {
                    partition_index,
                    error_code: code.code(),
                    ..Default::default()
                });
            }
            if epoch == -1 {
                self.disconnected(member, node);
            }
        }
        let responses = vec![ShareAcknowledgeTopicResponse { topic_id: TOPIC, partitions }];
        let response = ShareAcknowledgeResponse { error_code: code.code(), responses, ..Default::default() };
        asked.answer(|writer, version| response.encode(writer, version))
    }

    /// What a member says of records: all of it counts, or none.
    fn take_word(
        &mut self,
        member: Number,
        node: NodeId,
        partition: i32,
        batches: &[(Offset, Offset, &[i8])],
    ) -> ErrorCode {
        let index = partition as usize;
        if self.leaders[index] != node {
            return ErrorCode::NOT_LEADER_OR_FOLLOWER;
        }
        let said =
            batches.iter().flat_map(|&(first, last, types)| (first..=last).map(move |at| (at, types[0])));
        let said: Vec<(Offset, i8)> = said.collect();
        if said.iter().any(|&(at, _)| self.states[index][at as usize] != State::Acquired(member)) {
            return ErrorCode::INVALID_RECORD_STATE;
        }
        for (at, code) in said {
            let is_gap = at % GAP_EVERY == GAP_EVERY - 1;
            assert_eq!(code == 0, is_gap, "offset {at}");
            self.states[index][at as usize] = match code {
                1 => State::Accepted,
                2 => State::Available,
                4 => State::Acquired(member),
                _ => State::Archived,
            };
        }
        ErrorCode::NONE
    }
}
