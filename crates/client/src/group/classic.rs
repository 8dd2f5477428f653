//! A member of a classic group: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.
//!
//! Always true:
//!   no JoinGroup is sent before the user has given up what the protocol takes away
//!   partitions are shared out by the member that the coordinator made the leader, and by nobody else
//!   an answer from before the member lost its place changes nothing

mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::heartbeat_request::HeartbeatRequest;
use barnabas_protocol::generated::heartbeat_response::HeartbeatResponse;
use barnabas_protocol::generated::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use barnabas_protocol::generated::join_group_response::JoinGroupResponse;
use barnabas_protocol::generated::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use barnabas_protocol::generated::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use barnabas_protocol::generated::sync_group_response::SyncGroupResponse;
use barnabas_protocol::{Millis, NodeId};

use crate::cluster::Cluster;
use crate::error::ClientError;
use crate::fetch_session::Partition;
use crate::group::assignors::{layout_of, Assignor, Layout};
use crate::group::classic::state::State;
use crate::group::config::GroupConfig;
use crate::group::possession::Possession;
use crate::group::subscription::{
    decode_assignment, decode_subscription, encode_assignment, encode_subscription, Subscription,
    NO_GENERATION,
};
use crate::group::{unwritable, Around, Purpose, Reply, Spoken};
use crate::link::Links;

const PROTOCOL_TYPE: &str = "consumer";
/// What the coordinator may need beyond the rebalance timeout to answer a JoinGroup.
const JOIN_EXTRA_MS: Millis = 5_000;
/// The versions from which requests may name an instance, a protocol, a reason.
const JOIN_INSTANCE: i16 = 5;
const SYNC_INSTANCE: i16 = 3;
const SYNC_PROTOCOL: i16 = 5;
const HEARTBEAT_INSTANCE: i16 = 3;
const LEAVE_MEMBERS: i16 = 3;

/// The member's side of the classic protocol.
#[derive(Debug)]
pub struct Classic {
    config: Arc<GroupConfig>,
    state: State,
    member_id: String,
    generation: i32,
    assignor: Option<Assignor>,
    /// The group has to be joined anew.
    rejoin: bool,
    retry_at: Millis,
    heartbeat_at: Millis,
    heartbeat_in_flight: bool,
    topics: BTreeSet<Arc<str>>,
    /// Topics that it said it reads when it joined.
    joined_topics: BTreeSet<Arc<str>>,
    /// Whether it is the leader.
    leads: bool,
    /// What the leader shared out.
    led: Option<Layout>,
    /// Topics of all members, for the leader.
    group_topics: BTreeSet<Arc<str>>,
    /// The last share and its generation, for sticky assignors.
    last: (BTreeSet<Partition>, i32),
}

/// What became of a step.
type Result<T> = std::result::Result<T, ClientError>;

impl Classic {
    /// Not a member yet.
    pub fn new(config: Arc<GroupConfig>) -> Classic {
        Classic {
            config,
            state: State::Away,
            member_id: String::new(),
            generation: NO_GENERATION,
            assignor: None,
            rejoin: false,
            retry_at: Millis::MIN,
            heartbeat_at: Millis::MAX,
            heartbeat_in_flight: false,
            topics: BTreeSet::new(),
            joined_topics: BTreeSet::new(),
            leads: false,
            led: None,
            group_topics: BTreeSet::new(),
            last: (BTreeSet::new(), NO_GENERATION),
        }
    }

    /// Generation and member id, as commits have to name them.
    pub fn identity(&self) -> (i32, &str) {
        (self.generation, &self.member_id)
    }

    /// Whether the generation may change at any moment: commits wait for the next.
    pub fn is_joining(&self) -> bool {
        matches!(self.state, State::Joining | State::Leading(_) | State::Following | State::Syncing)
    }

    /// Whether it is waiting for the user to poll before it can be a member again.
    pub fn is_out(&self) -> bool {
        match self.state {
            State::Idle | State::Failed(_) | State::Left | State::Leaving | State::Parting => true,
            State::Away | State::Preparing => self.generation == NO_GENERATION,
            _ => false,
        }
    }

    /// Goes on with what the user wants; `topics` is None when it wants nothing any more.
    pub fn step(
        &mut self,
        topics: Option<BTreeSet<Arc<str>>>,
        possession: &mut Possession,
        cluster: &mut Cluster,
        polled_at: Millis,
        now: Millis,
    ) {
        let Some(topics) = topics else { return };
        self.topics = topics;
        let is_overdue = self.config.is_overdue(polled_at, now);
        match self.state {
            State::Idle if is_overdue => return,
            State::Failed(at) if polled_at <= at => return,
            State::Idle | State::Failed(_) => self.state = State::Away,
            State::Left | State::Leaving | State::Parting => return,
            _ if is_overdue => return self.stop_for_lack_of_polls(possession),
            _ => {}
        }
        if self.leads {
            self.group_topics.iter().for_each(|topic| cluster.want(topic, now));
        }
        if self.state == State::Stable {
            self.rejoin |= self.have_partitions_changed(cluster) || self.topics != self.joined_topics;
        }
        if !possession.is_settled() {
            return;
        }
        match self.state {
            State::Stable if self.rejoin => self.prepare(possession),
            State::Away => self.prepare(possession),
            _ => {}
        }
    }

    /// Whether there are other partitions than those that it shared out as the leader.
    fn have_partitions_changed(&mut self, cluster: &Cluster) -> bool {
        let layout = layout_of(&self.group_topics, cluster).filter(|_| self.leads);
        match (&self.led, layout) {
            (None, layout) => self.led = layout,
            // As in Java: whoever leads minds racks if it has told its own.
            (Some(led), Some(layout)) if self.config.rack.is_empty() => return led.counts != layout.counts,
            (Some(led), Some(layout)) => return *led != layout,
            (Some(_), None) => {}
        }
        false
    }

    fn prepare(&mut self, possession: &mut Possession) {
        self.state = State::Preparing;
        if self.generation == NO_GENERATION {
            possession.lose();
        } else if self.config.is_cooperative() {
            let topics = &self.topics;
            possession.give_up(|(topic, _)| topics.contains(topic));
        } else {
            possession.give_up(|_| false);
        }
    }

    fn stop_for_lack_of_polls(&mut self, possession: &mut Possession) {
        let limit = self.config.max_poll_interval_ms;
        log::warn!("no poll() for max.poll.interval.ms={limit}: leaving group {}", self.config.group_id);
        possession.lose();
        self.forget();
        // A static member stays: who restarts under its name takes its place.
        self.state = State::Idle;
    }

    /// Whether a member that stops polling has to tell the coordinator, and who it was.
    pub fn is_overdue(&self, polled_at: Millis, now: Millis) -> Option<String> {
        let tells = !self.is_out() && self.config.instance_id.is_none() && !self.member_id.is_empty();
        (tells && self.config.is_overdue(polled_at, now)).then(|| self.member_id.clone())
    }

    /// Its place is another's, or nobody's.
    fn forget(&mut self) {
        self.member_id.clear();
        self.generation = NO_GENERATION;
        self.leads = false;
    }

    /// Begins to leave. False when nobody has to be told.
    pub fn leave(&mut self, tell: bool) -> bool {
        let tells = tell && !self.member_id.is_empty() && self.state != State::Idle;
        self.state = if tells { State::Leaving } else { State::Left };
        tells
    }

    /// Whether it has left, or never was there.
    pub fn has_left(&self) -> bool {
        self.state == State::Left
    }

    /// The coordinator was told that it leaves, or can't be told.
    pub fn parted(&mut self) {
        if self.state == State::Parting {
            self.state = State::Left;
        }
    }

    /// Begins anew after it has left.
    pub fn reset(&mut self) {
        self.forget();
        (self.state, self.rejoin) = (State::Away, false);
        self.retry_at = Millis::MIN;
    }

    /// Whether a JoinGroup holds the connection.
    pub fn holds_connection(&self) -> bool {
        self.state == State::Joining
    }

    /// Sends what is due.
    pub fn transmit<P: Spoken>(
        &mut self,
        links: &mut Links<P>,
        around: &Around<'_>,
        now: Millis,
    ) -> Result<()> {
        let Around { coordinator: node, cluster, possession } = *around;
        let sent = match &self.state {
            State::Preparing if possession.is_settled() && self.retry_at <= now => {
                self.join(node, links, possession, now)
            }
            State::Leading(_) => self.lead(node, links, cluster, now),
            State::Following => self.sync(node, links, &BTreeMap::new(), now),
            State::Leaving => {
                let member_id = self.member_id.clone();
                self.state = State::Parting;
                self.send_leave(node, links, &member_id, now)
            }
            _ => Ok(()),
        };
        sent?;
        self.beat(node, links, now)
    }

    /// Sends a heartbeat when it is time.
    pub fn beat<P: Spoken>(&mut self, node: NodeId, links: &mut Links<P>, now: Millis) -> Result<()> {
        if self.beats() && self.heartbeat_at <= now && !self.heartbeat_in_flight {
            return self.heartbeat(node, links, now);
        }
        Ok(())
    }

    fn beats(&self) -> bool {
        matches!(self.state, State::Stable | State::Preparing) && self.generation != NO_GENERATION
    }

    fn join<P: Spoken>(
        &mut self,
        node: NodeId,
        links: &mut Links<P>,
        possession: &Possession,
        now: Millis,
    ) -> Result<()> {
        let Some(version) = links.version(node, ApiKey::JoinGroup) else { return Ok(()) };
        let none = BTreeSet::new();
        let said = Subscription {
            topics: &self.topics,
            owned: if self.config.is_cooperative() { possession.owned() } else { &none },
            last: &self.last.0,
            generation: self.last.1,
            rack: &self.config.rack,
        };
        let mut metadata = Vec::new();
        for assignor in &self.config.assignors {
            let bytes = encode_subscription(assignor.name(), &said).map_err(unwritable)?;
            metadata.push((assignor.name(), bytes));
        }
        let protocols =
            metadata.iter().map(|(name, bytes)| JoinGroupRequestProtocol { name, metadata: bytes });
        let request = JoinGroupRequest {
            group_id: &self.config.group_id,
            session_timeout_ms: self.config.session_timeout_ms,
            rebalance_timeout_ms: self.config.max_poll_interval_ms,
            member_id: &self.member_id,
            group_instance_id: self.instance_id(version >= JOIN_INSTANCE)?,
            protocol_type: PROTOCOL_TYPE,
            protocols: protocols.collect(),
            reason: None,
        };
        let api = (ApiKey::JoinGroup, version);
        let purpose = P::group(Purpose::Join);
        links
            .send(now, node, api, Some(purpose), &[], |writer| request.encode(writer, version))
            .map_err(unwritable)?;
        let patience = Millis::from(self.config.max_poll_interval_ms) + JOIN_EXTRA_MS;
        links.extend_last(node, now + patience);
        self.joined_topics = self.topics.clone();
        (self.state, self.rejoin) = (State::Joining, false);
        Ok(())
    }

    fn instance_id(&self, can: bool) -> Result<Option<&str>> {
        match &self.config.instance_id {
            Some(_) if !can => Err(ClientError::broker(
                ErrorCode::UNSUPPORTED_VERSION,
                "the broker knows no static members (group.instance.id)",
            )),
            instance_id => Ok(instance_id.as_deref()),
        }
    }

    /// Shares out once it is known how many partitions there are.
    fn lead<P: Spoken>(
        &mut self,
        node: NodeId,
        links: &mut Links<P>,
        cluster: &Cluster,
        now: Millis,
    ) -> Result<()> {
        let State::Leading(members) = &self.state else { return Ok(()) };
        let Some(layout) = layout_of(&self.group_topics, cluster) else { return Ok(()) };
        let Some(assignor) = self.assignor else { return Ok(()) };
        let shares = assignor.assign(members, &layout);
        self.led = Some(layout);
        let mut assignments = BTreeMap::new();
        for (member, share) in shares {
            assignments.insert(member, encode_assignment(&share).map_err(unwritable)?);
        }
        self.sync(node, links, &assignments, now)
    }

    fn sync<P: Spoken>(
        &mut self,
        node: NodeId,
        links: &mut Links<P>,
        assignments: &BTreeMap<String, Vec<u8>>,
        now: Millis,
    ) -> Result<()> {
        let Some(version) = links.version(node, ApiKey::SyncGroup) else { return Ok(()) };
        let assignments = assignments
            .iter()
            .map(|(member_id, assignment)| SyncGroupRequestAssignment { member_id, assignment });
        let names_protocol = version >= SYNC_PROTOCOL;
        let request = SyncGroupRequest {
            group_id: &self.config.group_id,
            generation_id: self.generation,
            member_id: &self.member_id,
            group_instance_id: self.instance_id(version >= SYNC_INSTANCE)?,
            protocol_type: names_protocol.then_some(PROTOCOL_TYPE),
            protocol_name: self.assignor.map(Assignor::name).filter(|_| names_protocol),
            assignments: assignments.collect(),
        };
        let api = (ApiKey::SyncGroup, version);
        let purpose = P::group(Purpose::Sync);
        links
            .send(now, node, api, Some(purpose), &[], |writer| request.encode(writer, version))
            .map_err(unwritable)?;
        // The leader may take its time, and the coordinator waits for it as long as for those who join.
        let patience = Millis::from(self.config.max_poll_interval_ms) + JOIN_EXTRA_MS;
        links.extend_last(node, now + patience);
        self.state = State::Syncing;
        Ok(())
    }

    fn heartbeat<P: Spoken>(&mut self, node: NodeId, links: &mut Links<P>, now: Millis) -> Result<()> {
        let Some(version) = links.version(node, ApiKey::Heartbeat) else { return Ok(()) };
        let request = HeartbeatRequest {
            group_id: &self.config.group_id,
            generation_id: self.generation,
            member_id: &self.member_id,
            group_instance_id: self.instance_id(version >= HEARTBEAT_INSTANCE)?,
        };
        let api = (ApiKey::Heartbeat, version);
        let purpose = P::group(Purpose::Heartbeat(self.generation));
        links
            .send(now, node, api, Some(purpose), &[], |writer| request.encode(writer, version))
            .map_err(unwritable)?;
        self.heartbeat_in_flight = true;
        self.heartbeat_at = now + self.config.heartbeat_interval_ms;
        Ok(())
    }

    /// Tells the coordinator that `member_id` is gone.
    pub fn send_leave<P: Spoken>(
        &mut self,
        node: NodeId,
        links: &mut Links<P>,
        member_id: &str,
        now: Millis,
    ) -> Result<()> {
        let Some(version) = links.version(node, ApiKey::LeaveGroup) else { return Ok(()) };
        let instance_id = self.config.instance_id.as_deref();
        let member = MemberIdentity { member_id, group_instance_id: instance_id, reason: None };
        let names_members = version >= LEAVE_MEMBERS;
        let request = LeaveGroupRequest {
            group_id: &self.config.group_id,
            member_id: if names_members { "" } else { member_id },
            members: if names_members { vec![member] } else { Vec::new() },
        };
        let api = (ApiKey::LeaveGroup, version);
        let purpose = P::group(Purpose::Leave);
        links
            .send(now, node, api, Some(purpose), &[], |writer| request.encode(writer, version))
            .map_err(unwritable)
    }

    /// Takes the answer to a JoinGroup.
    pub fn joined(
        &mut self,
        answer: &Reply<'_>,
        possession: &mut Possession,
        now: Millis,
    ) -> Result<ErrorCode> {
        if self.state != State::Joining {
            return Ok(ErrorCode::NONE);
        }
        self.state = State::Preparing;
        let mut reader = answer.body();
        let response = reader.as_mut().and_then(|r| JoinGroupResponse::decode(r, answer.version).ok());
        let Some(response) = response else {
            self.retry_at = now + self.config.retry_backoff_ms;
            return Ok(ErrorCode::NETWORK_EXCEPTION);
        };
        match ErrorCode(response.error_code) {
            ErrorCode::NONE => self.take_place(&response)?,
            ErrorCode::MEMBER_ID_REQUIRED => self.member_id = response.member_id.to_string(),
            code => return self.refused(code, possession, now),
        }
        Ok(ErrorCode::NONE)
    }

    fn take_place(&mut self, response: &JoinGroupResponse<'_>) -> Result<()> {
        let name = response.protocol_name.unwrap_or_default();
        let assignor = self.config.assignors.iter().copied().find(|assignor| assignor.name() == name);
        let Some(assignor) = assignor else {
            let about = format!("the group shares out by '{name}', which this member has not offered");
            return Err(ClientError::broker(ErrorCode::INCONSISTENT_GROUP_PROTOCOL, &about));
        };
        self.assignor = Some(assignor);
        self.member_id = response.member_id.to_string();
        self.generation = response.generation_id;
        (self.leads, self.led) = (response.leader == response.member_id, None);
        self.group_topics.clear();
        if !self.leads {
            self.state = State::Following;
            return Ok(());
        }
        let mut members = Vec::new();
        for member in &response.members {
            let (id, instance_id) = (member.member_id, member.group_instance_id);
            let read = decode_subscription(name, id, instance_id, member.metadata);
            let member =
                read.map_err(|error| ClientError::Corrupt(format!("subscription of {id}: {error}")))?;
            self.group_topics.extend(member.topics.iter().cloned());
            members.push(member);
        }
        // A leader that came back under its instance's name: the shares stay as they are (KIP-814).
        self.state = if response.skip_assignment { State::Following } else { State::Leading(members) };
        Ok(())
    }

    /// Takes the answer to a SyncGroup.
    pub fn synced(
        &mut self,
        answer: &Reply<'_>,
        possession: &mut Possession,
        now: Millis,
    ) -> Result<ErrorCode> {
        if self.state != State::Syncing {
            return Ok(ErrorCode::NONE);
        }
        self.state = State::Preparing;
        let mut reader = answer.body();
        let response = reader.as_mut().and_then(|r| SyncGroupResponse::decode(r, answer.version).ok());
        let Some(response) = response else { return Ok(ErrorCode::NETWORK_EXCEPTION) };
        match ErrorCode(response.error_code) {
            ErrorCode::NONE => {
                let share = decode_assignment(response.assignment);
                let share = share.map_err(|error| ClientError::Corrupt(format!("assignment: {error}")))?;
                self.settle(share, possession, now);
                Ok(ErrorCode::NONE)
            }
            ErrorCode::REBALANCE_IN_PROGRESS => Ok(ErrorCode::NONE),
            code => self.refused(code, possession, now),
        }
    }

    fn settle(&mut self, share: BTreeSet<Partition>, possession: &mut Possession, now: Millis) {
        self.state = State::Stable;
        self.heartbeat_at = now + self.config.heartbeat_interval_ms;
        if self.config.is_cooperative() {
            // What it lets go of is given to others in the next round.
            self.rejoin |= possession.give_up(|partition| share.contains(partition));
        }
        possession.take_over(&share);
        self.last = (share, self.generation);
    }

    /// Takes the answer to a heartbeat of `generation`.
    pub fn heard(
        &mut self,
        answer: &Reply<'_>,
        generation: i32,
        possession: &mut Possession,
        now: Millis,
    ) -> Result<ErrorCode> {
        self.heartbeat_in_flight = false;
        let mut reader = answer.body();
        let response = reader.as_mut().and_then(|r| HeartbeatResponse::decode(r, answer.version).ok());
        let code = response.map_or(ErrorCode::NETWORK_EXCEPTION, |response| ErrorCode(response.error_code));
        if !self.beats() || generation != self.generation {
            return Ok(ErrorCode::NONE);
        }
        match code {
            ErrorCode::NONE => Ok(code),
            ErrorCode::REBALANCE_IN_PROGRESS => {
                self.rejoin = true;
                Ok(ErrorCode::NONE)
            }
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION => {
                self.expelled(code, possession);
                Ok(ErrorCode::NONE)
            }
            code => {
                // Soon again: the session goes on while the coordinator is elsewhere.
                self.heartbeat_at = self.heartbeat_at.min(now + self.config.retry_backoff_ms);
                self.refused(code, possession, now)
            }
        }
    }

    /// The coordinator does not know the member any more, or not in its generation.
    pub fn expelled(&mut self, code: ErrorCode, possession: &mut Possession) {
        if self.is_out() {
            return;
        }
        log::info!("member {} of group {} has lost its place: {code}", self.member_id, self.config.group_id);
        let member_id = std::mem::take(&mut self.member_id);
        self.forget();
        if code == ErrorCode::ILLEGAL_GENERATION {
            self.member_id = member_id;
        }
        possession.lose();
        self.state = State::Preparing;
    }

    /// An error of any of its requests: what can be waited for is, the rest is the user's.
    fn refused(&mut self, code: ErrorCode, possession: &mut Possession, now: Millis) -> Result<ErrorCode> {
        self.retry_at = now + self.config.retry_backoff_ms;
        match code {
            ErrorCode::UNKNOWN_MEMBER_ID => self.forget(),
            ErrorCode::ILLEGAL_GENERATION => self.generation = NO_GENERATION,
            ErrorCode::REBALANCE_IN_PROGRESS => {}
            code if code.retriable() => {}
            code => {
                self.failed(possession, now);
                return Err(ClientError::broker(code, &format!("group {}", self.config.group_id)));
            }
        }
        if self.generation == NO_GENERATION {
            possession.lose();
        }
        Ok(code)
    }

    /// The user is told of something that the member can't get over.
    pub fn failed(&mut self, possession: &mut Possession, now: Millis) {
        self.forget();
        possession.lose();
        self.state = State::Failed(now);
    }

    /// When it has something to do.
    pub fn deadline(&self, polled_at: Millis) -> Option<Millis> {
        let beat = Some(self.heartbeat_at).filter(|_| self.beats() && !self.heartbeat_in_flight);
        let overdue = polled_at + Millis::from(self.config.max_poll_interval_ms) + 1;
        let overdue = Some(overdue).filter(|_| !self.is_out());
        let retry = Some(self.retry_at).filter(|_| self.state == State::Preparing);
        [beat, overdue, retry].into_iter().flatten().min()
    }
}
