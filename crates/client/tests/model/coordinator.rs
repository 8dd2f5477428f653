//! A coordinator of one group, in either protocol: as simple as it can be, and right.

use std::collections::{BTreeMap, BTreeSet};

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest;
use barnabas_protocol::generated::consumer_group_heartbeat_response::{
    Assignment, ConsumerGroupHeartbeatResponse, TopicPartitions,
};
use barnabas_protocol::generated::find_coordinator_response::{
    Coordinator as Found, FindCoordinatorResponse,
};
use barnabas_protocol::generated::heartbeat_request::HeartbeatRequest;
use barnabas_protocol::generated::heartbeat_response::HeartbeatResponse;
use barnabas_protocol::generated::join_group_request::JoinGroupRequest;
use barnabas_protocol::generated::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use barnabas_protocol::generated::leave_group_request::LeaveGroupRequest;
use barnabas_protocol::generated::leave_group_response::LeaveGroupResponse;
use barnabas_protocol::generated::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use barnabas_protocol::generated::offset_commit_request::OffsetCommitRequest;
use barnabas_protocol::generated::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use barnabas_protocol::generated::offset_fetch_request::OffsetFetchRequest;
use barnabas_protocol::generated::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use barnabas_protocol::generated::sync_group_request::SyncGroupRequest;
use barnabas_protocol::generated::sync_group_response::SyncGroupResponse;
use barnabas_protocol::{Millis, NodeId, Uuid};

use super::{PARTITIONS, SESSION_MS};
use crate::support::{versions, Asked};

/// How long members may take to join anew.
const REBALANCE_MS: Millis = 2_500;
const TOPIC_ID: Uuid = Uuid([7; 16]);
const NODES: [NodeId; 2] = [1, 2];
/// Connections to coordinators are numbered from here.
const LINK_BASE: NodeId = 1 << 30;

/// A request that is held.
struct Held {
    client: usize,
    asked: Asked,
}

#[derive(Default)]
struct Member {
    client: usize,
    seen: Millis,
    // Classic.
    protocols: Vec<(String, Vec<u8>)>,
    joining: Option<Held>,
    syncing: Option<Held>,
    has_joined: bool,
    share: Option<Vec<u8>>,
    // Consumer.
    epoch: i32,
    /// The epoch before: a member that has not heard of its new one is let in with it.
    previous: i32,
    /// What it was given, what it has to give up before it goes on, and what it says it has.
    given: BTreeSet<i32>,
    revoking: BTreeSet<i32>,
    owned: BTreeSet<i32>,
}

#[derive(Debug, Default, PartialEq)]
enum Phase {
    #[default]
    Stable,
    Joining(Millis),
    Syncing,
}

#[derive(Default)]
pub(crate) struct Coordinator {
    members: BTreeMap<String, Member>,
    /// Of the classic protocol; the last epoch that was given out of the other.
    generation: i32,
    phase: Phase,
    leader: String,
    next_id: u32,
    /// Ids that were given out to who has still to join.
    pending: BTreeSet<String>,
    /// Which of the brokers it is.
    place: usize,
    offsets: BTreeMap<i32, i64>,
    answers: Vec<(usize, NodeId, Vec<u8>)>,
    pub(crate) commits: u64,
}

impl Coordinator {
    pub(crate) fn move_away(&mut self) {
        self.place = 1 - self.place;
    }

    pub(crate) fn take_answers(&mut self, _now: Millis) -> Vec<(usize, NodeId, Vec<u8>)> {
        std::mem::take(&mut self.answers)
    }

    /// Nobody waits on the connection any more.
    pub(crate) fn forget(&mut self, client: usize, link: NodeId) {
        self.answers.retain(|(to, node, _)| (*to, *node) != (client, link));
        for member in self.members.values_mut().filter(|member| member.client == client) {
            member.joining.take_if(|held| held.asked.link == link);
            member.syncing.take_if(|held| held.asked.link == link);
        }
    }

    /// Whether the client is a member, and in its present generation or epoch.
    pub(crate) fn is_current(&self, client: usize, (generation, member_id): &(i32, String)) -> bool {
        self.members.get(member_id).is_some_and(|member| {
            let is_classic = member.epoch == 0;
            member.client == client && (!is_classic || *generation == self.generation)
        })
    }

    fn answer(&mut self, held: &Held, bytes: Vec<u8>) {
        self.answers.push((held.client, held.asked.link, bytes));
    }

    pub(crate) fn pass(&mut self, now: Millis) {
        let expelled: Vec<String> = self
            .members
            .iter()
            .filter(|(_, m)| m.joining.is_none() && m.seen + SESSION_MS < now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in expelled {
            self.remove(&id, now);
        }
        if let Phase::Joining(until) = self.phase {
            let waits = self.members.values().any(|member| !member.has_joined);
            if !waits || until <= now {
                self.complete_join(now);
            }
        }
    }

    fn remove(&mut self, id: &str, now: Millis) {
        if self.members.remove(id).is_some_and(|member| member.epoch == 0) {
            self.rebalance(now);
        }
        self.share_out();
    }

    fn rebalance(&mut self, now: Millis) {
        if matches!(self.phase, Phase::Joining(_)) {
            return;
        }
        for member in self.members.values_mut() {
            member.has_joined = false;
            member.share = None;
        }
        let syncing: Vec<Held> = self.members.values_mut().filter_map(|m| m.syncing.take()).collect();
        for held in syncing {
            let error_code = ErrorCode::REBALANCE_IN_PROGRESS.code();
            let response = SyncGroupResponse { error_code, ..Default::default() };
            let bytes = held.asked.answer(|writer, version| response.encode(writer, version));
            self.answer(&held, bytes);
        }
        self.phase = Phase::Joining(now + REBALANCE_MS);
    }

    fn complete_join(&mut self, now: Millis) {
        self.members.retain(|_, member| member.has_joined);
        let Some(leader) = self.members.keys().next().cloned() else {
            self.phase = Phase::Stable;
            return;
        };
        self.generation += 1;
        self.phase = Phase::Syncing;
        self.leader = leader;
        let all: Vec<(String, Vec<u8>)> =
            self.members.iter().map(|(id, m)| (id.clone(), m.protocols[0].1.clone())).collect();
        let mut answers = Vec::new();
        for (id, member) in &mut self.members {
            member.seen = now;
            let Some(held) = member.joining.take() else { continue };
            let members = all.iter().map(|(id, metadata)| JoinGroupResponseMember {
                member_id: id,
                group_instance_id: None,
                metadata,
            });
            let response = JoinGroupResponse {
                generation_id: self.generation,
                protocol_type: Some("consumer"),
                protocol_name: Some(&member.protocols[0].0),
                leader: &self.leader,
                member_id: id,
                members: if *id == self.leader { members.collect() } else { Vec::new() },
                ..Default::default()
            };
            let bytes = held.asked.answer(|writer, version| response.encode(writer, version));
            answers.push((held.client, held.asked.link, bytes));
        }
        self.answers.extend(answers);
    }

    pub(crate) fn ask(&mut self, client: usize, asked: Asked, now: Millis) {
        let held = Held { client, asked };
        let is_here = held.asked.link - LINK_BASE == NODES[self.place];
        match held.asked.api {
            ApiKey::ApiVersions => self.api_versions(&held),
            ApiKey::Metadata => self.metadata(&held),
            ApiKey::FindCoordinator => self.find(&held),
            ApiKey::JoinGroup => self.join(held, is_here, now),
            ApiKey::SyncGroup => self.sync(held, is_here, now),
            ApiKey::Heartbeat => self.heartbeat(&held, is_here, now),
            ApiKey::LeaveGroup => self.leave(&held, is_here, now),
            ApiKey::ConsumerGroupHeartbeat => self.consumer_heartbeat(&held, is_here, now),
            ApiKey::OffsetCommit => self.commit(&held, is_here, now),
            ApiKey::OffsetFetch => self.fetch(&held, is_here),
            other => panic!("{other:?} is not asked for by a member"),
        }
    }

    fn api_versions(&mut self, held: &Held) {
        let apis = [
            (ApiKey::Metadata, 12),
            (ApiKey::FindCoordinator, 6),
            (ApiKey::JoinGroup, 9),
            (ApiKey::SyncGroup, 5),
            (ApiKey::Heartbeat, 4),
            (ApiKey::LeaveGroup, 5),
            (ApiKey::OffsetCommit, 9),
            (ApiKey::OffsetFetch, 9),
            (ApiKey::ConsumerGroupHeartbeat, 1),
        ];
        let bytes = held.asked.answer(|writer, version| versions(&apis).encode(writer, version));
        self.answer(held, bytes);
    }

    fn metadata(&mut self, held: &Held) {
        let partition = |partition_index| MetadataResponsePartition {
            partition_index,
            leader_id: 1,
            ..Default::default()
        };
        let topic = MetadataResponseTopic {
            name: Some("t"),
            topic_id: TOPIC_ID,
            partitions: (0..PARTITIONS).map(partition).collect(),
            ..Default::default()
        };
        let broker = |&node_id: &NodeId| MetadataResponseBroker { node_id, host: "h", port: 9, rack: None };
        let brokers = NODES.iter().map(broker).collect();
        let response = MetadataResponse { brokers, topics: vec![topic], ..Default::default() };
        let bytes = held.asked.answer(|writer, version| response.encode(writer, version));
        self.answer(held, bytes);
    }

    fn find(&mut self, held: &Held) {
        let node_id = NODES[self.place];
        let found = Found { key: "g", node_id, host: "h", port: 9, ..Default::default() };
        let response = FindCoordinatorResponse { coordinators: vec![found], ..Default::default() };
        let bytes = held.asked.answer(|writer, version| response.encode(writer, version));
        self.answer(held, bytes);
    }

    fn join(&mut self, held: Held, is_here: bool, now: Millis) {
        let asked = held.asked.body().rest().to_vec();
        let mut reader = barnabas_protocol::wire::Reader::new(&asked);
        let request = JoinGroupRequest::decode(&mut reader, held.asked.version).unwrap();
        let id = request.member_id.to_string();
        let refused = |error: ErrorCode, member_id: &str| {
            let error_code = error.code();
            let response = JoinGroupResponse { error_code, member_id, ..Default::default() };
            held.asked.answer(|writer, version| response.encode(writer, version))
        };
        let refusal = match () {
            () if !is_here => Some(refused(ErrorCode::NOT_COORDINATOR, "")),
            () if id.is_empty() => {
                self.next_id += 1;
                let id = format!("m{}", self.next_id);
                self.pending.insert(id.clone());
                Some(refused(ErrorCode::MEMBER_ID_REQUIRED, &id))
            }
            () if !self.members.contains_key(&id) && !self.pending.remove(&id) => {
                Some(refused(ErrorCode::UNKNOWN_MEMBER_ID, ""))
            }
            () => None,
        };
        if let Some(bytes) = refusal {
            return self.answer(&held, bytes);
        }
        self.rebalance(now);
        let client = held.client;
        let member = self.members.entry(id).or_default();
        member.client = client;
        member.seen = now;
        let protocols = request.protocols.iter().map(|p| (p.name.to_string(), p.metadata.to_vec()));
        member.protocols = protocols.collect();
        member.has_joined = true;
        member.joining = Some(held);
    }

    /// Why a member can't be served, if so.
    fn check(&self, is_here: bool, id: &str, generation: i32) -> ErrorCode {
        match self.members.get(id) {
            _ if !is_here => ErrorCode::NOT_COORDINATOR,
            None => ErrorCode::UNKNOWN_MEMBER_ID,
            Some(_) if generation != self.generation => ErrorCode::ILLEGAL_GENERATION,
            Some(_) => ErrorCode::NONE,
        }
    }

    fn sync(&mut self, held: Held, is_here: bool, now: Millis) {
        let asked = held.asked.body().rest().to_vec();
        let mut reader = barnabas_protocol::wire::Reader::new(&asked);
        let request = SyncGroupRequest::decode(&mut reader, held.asked.version).unwrap();
        let mut code = self.check(is_here, request.member_id, request.generation_id);
        if code == ErrorCode::NONE && matches!(self.phase, Phase::Joining(_)) {
            code = ErrorCode::REBALANCE_IN_PROGRESS;
        }
        if code.is_error() {
            let response = SyncGroupResponse { error_code: code.code(), ..Default::default() };
            let bytes = held.asked.answer(|writer, version| response.encode(writer, version));
            return self.answer(&held, bytes);
        }
        if request.member_id == self.leader && self.phase == Phase::Syncing {
            for share in &request.assignments {
                if let Some(member) = self.members.get_mut(share.member_id) {
                    member.share = Some(share.assignment.to_vec());
                }
            }
            self.phase = Phase::Stable;
        }
        if let Some(member) = self.members.get_mut(request.member_id) {
            member.seen = now;
            member.syncing = Some(held);
        }
        if self.phase != Phase::Stable {
            return;
        }
        let mut answers = Vec::new();
        for member in self.members.values_mut() {
            let Some(held) = member.syncing.take() else { continue };
            let assignment = member.share.as_deref().unwrap_or_default();
            let response = SyncGroupResponse { assignment, ..Default::default() };
            let bytes = held.asked.answer(|writer, version| response.encode(writer, version));
            answers.push((held.client, held.asked.link, bytes));
        }
        self.answers.extend(answers);
    }

    fn heartbeat(&mut self, held: &Held, is_here: bool, now: Millis) {
        let request = HeartbeatRequest::decode(&mut held.asked.body(), held.asked.version).unwrap();
        let mut code = self.check(is_here, request.member_id, request.generation_id);
        if code == ErrorCode::NONE {
            if matches!(self.phase, Phase::Joining(_)) {
                code = ErrorCode::REBALANCE_IN_PROGRESS;
            }
            if let Some(member) = self.members.get_mut(request.member_id) {
                member.seen = now;
            }
        }
        let response = HeartbeatResponse { error_code: code.code(), ..Default::default() };
        let bytes = held.asked.answer(|writer, version| response.encode(writer, version));
        self.answer(held, bytes);
    }

    fn leave(&mut self, held: &Held, is_here: bool, now: Millis) {
        let request = LeaveGroupRequest::decode(&mut held.asked.body(), held.asked.version).unwrap();
        if is_here {
            for member in &request.members {
                self.remove(member.member_id, now);
            }
        }
        let response = LeaveGroupResponse::default();
        let bytes = held.asked.answer(|writer, version| response.encode(writer, version));
        self.answer(held, bytes);
    }

    fn consumer_heartbeat(&mut self, held: &Held, is_here: bool, now: Millis) {
        let asked = &held.asked;
        let request = ConsumerGroupHeartbeatRequest::decode(&mut asked.body(), asked.version).unwrap();
        let id = request.member_id.to_string();
        let known = self.members.get(&id).map(|member| [member.epoch, member.previous]);
        let error = match (request.member_epoch, known) {
            _ if !is_here => ErrorCode::NOT_COORDINATOR,
            (-1, _) => {
                self.remove(&id, now);
                ErrorCode::NONE
            }
            (0, _) => {
                let none = request.topic_partitions.as_ref().is_some_and(|topics| topics.is_empty());
                assert!(none, "who joins has nothing");
                self.generation += 1;
                let epoch = self.generation;
                let member = Member { client: held.client, epoch, previous: epoch, ..Member::default() };
                self.members.insert(id.clone(), member);
                ErrorCode::NONE
            }
            (_, None) => ErrorCode::UNKNOWN_MEMBER_ID,
            (epoch, Some(known)) if !known.contains(&epoch) => ErrorCode::FENCED_MEMBER_EPOCH,
            _ => ErrorCode::NONE,
        };
        if error == ErrorCode::NONE {
            if let (Some(member), Some(owned)) = (self.members.get_mut(&id), &request.topic_partitions) {
                member.owned = owned.iter().flat_map(|topic| topic.partitions.iter().copied()).collect();
                // As in Apache Kafka: a heartbeat that does not say what is owned gives nothing up.
                if member.owned.is_disjoint(&member.revoking) {
                    member.revoking.clear();
                }
            }
            self.share_out();
        }
        let mut response = ConsumerGroupHeartbeatResponse { error_code: error.code(), ..Default::default() };
        if let Some(member) = self.members.get_mut(&id).filter(|_| error == ErrorCode::NONE) {
            member.seen = now;
            let partitions = member.given.iter().copied().collect();
            let topic_partitions = vec![TopicPartitions { topic_id: TOPIC_ID, partitions }];
            response.member_epoch = member.epoch;
            response.heartbeat_interval_ms = 200;
            response.assignment = Some(Assignment { topic_partitions });
        }
        let bytes = held.asked.answer(|writer, version| response.encode(writer, version));
        self.answer(held, bytes);
    }

    /// Gives each member of the consumer protocol what it is to have and nobody else still has.
    fn share_out(&mut self) {
        let ids: Vec<String> =
            self.members.iter().filter(|(_, member)| member.epoch > 0).map(|(id, _)| id.clone()).collect();
        for (index, id) in ids.iter().enumerate() {
            let target = (0..PARTITIONS).filter(|partition| *partition as usize % ids.len() == index);
            let free = |partition: &i32| {
                let mut others = self.members.iter().filter(|(other, _)| *other != id);
                others.all(|(_, m)| {
                    ![&m.owned, &m.given, &m.revoking].iter().any(|has| has.contains(partition))
                })
            };
            let given: BTreeSet<i32> = target.filter(free).collect();
            // What it has to give up comes first.
            if let Some(member) = self.members.get_mut(id).filter(|member| member.revoking.is_empty()) {
                member.revoking = member.given.difference(&given).copied().collect();
                if given != member.given {
                    self.generation += 1;
                    (member.previous, member.epoch) = (member.epoch, self.generation);
                }
                member.given = match member.revoking.is_empty() {
                    true => given,
                    false => given.intersection(&member.given).copied().collect(),
                };
            }
        }
    }

    fn commit(&mut self, held: &Held, is_here: bool, now: Millis) {
        let asked = &held.asked;
        let request = OffsetCommitRequest::decode(&mut asked.body(), asked.version).unwrap();
        let known = self.members.get_mut(request.member_id);
        let generation = request.generation_id_or_member_epoch;
        let code = match known {
            _ if !is_here => ErrorCode::NOT_COORDINATOR,
            None => ErrorCode::UNKNOWN_MEMBER_ID,
            Some(member) if member.epoch > 0 && generation < member.epoch => ErrorCode::STALE_MEMBER_EPOCH,
            Some(member) if member.epoch > 0 => {
                member.seen = now;
                ErrorCode::NONE
            }
            Some(_) if generation != self.generation => ErrorCode::ILLEGAL_GENERATION,
            Some(_) if self.phase == Phase::Syncing => ErrorCode::REBALANCE_IN_PROGRESS,
            Some(_) => ErrorCode::NONE,
        };
        let mut topics = Vec::new();
        for topic in &request.topics {
            let mut partitions = Vec::new();
            for partition in &topic.partitions {
                let (partition_index, offset) = (partition.partition_index, partition.committed_offset);
                if code == ErrorCode::NONE {
                    let before = self.offsets.insert(partition_index, offset).unwrap_or(0);
                    assert!(offset >= before, "{partition_index} went back from {before} to {offset}");
                    self.commits += 1;
                }
                partitions.push(OffsetCommitResponsePartition { partition_index, error_code: code.code() });
            }
            topics.push(OffsetCommitResponseTopic { name: topic.name, partitions, ..Default::default() });
        }
        let response = OffsetCommitResponse { topics, ..Default::default() };
        let bytes = held.asked.answer(|writer, version| response.encode(writer, version));
        self.answer(held, bytes);
    }

    fn fetch(&mut self, held: &Held, is_here: bool) {
        let asked = &held.asked;
        let request = OffsetFetchRequest::decode(&mut asked.body(), asked.version).unwrap();
        let mut topics = Vec::new();
        for topic in request.groups[0].topics.iter().flatten() {
            let one = |&partition_index: &i32| OffsetFetchResponsePartitions {
                partition_index,
                committed_offset: self.offsets.get(&partition_index).copied().unwrap_or(-1),
                committed_leader_epoch: -1,
                ..Default::default()
            };
            let partitions = topic.partition_indexes.iter().map(one).collect();
            topics.push(OffsetFetchResponseTopics { name: topic.name, partitions, ..Default::default() });
        }
        let error = if is_here { ErrorCode::NONE } else { ErrorCode::NOT_COORDINATOR };
        let group = OffsetFetchResponseGroup { group_id: "g", topics, error_code: error.code() };
        let response = OffsetFetchResponse { groups: vec![group], ..Default::default() };
        let bytes = held.asked.answer(|writer, version| response.encode(writer, version));
        self.answer(held, bytes);
    }
}
