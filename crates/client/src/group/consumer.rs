//! A member of a group that the coordinator shares out (KIP-848): ConsumerGroupHeartbeat.
//!
//! Always true:
//!   one heartbeat at a time is on its way
//!   the coordinator is told that a partition is given up only once the user has done so, and that one is owned
//!   only once the user knows
//!   after an answer that was lost, the next heartbeat says everything

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::consumer_group_heartbeat_request::{
    ConsumerGroupHeartbeatRequest, TopicPartitions,
};
use barnabas_protocol::generated::consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse;
use barnabas_protocol::{Millis, NodeId, TopicId};

use crate::cluster::Cluster;
use crate::error::ClientError;
use crate::fetch_session::Partition;
use crate::group::config::GroupConfig;
use crate::group::desk::Wanted;
use crate::group::possession::Possession;
use crate::group::{unwritable, Around, Purpose, Reply, Spoken};
use crate::link::Links;

/// Joins.
const JOINING: i32 = 0;
/// Leaves.
const LEAVING: i32 = -1;
/// Leaves, and comes back under the same instance id.
const LEAVING_STATIC: i32 = -2;
/// The version from which members choose their ids, and topics can be given as a regular expression.
const REGEX: i16 = 1;

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Joins or takes part.
    Active,
    /// It has left, for the user did not poll; it joins once that changes.
    Idle,
    /// Something went wrong that the user was told at this time; it joins once the user polls again.
    Failed(Millis),
    /// The last heartbeat is due, with this epoch.
    Leaving(i32),
    /// It is on its way.
    Parting,
    Left,
}

/// What the coordinator knows from the heartbeats that it has answered.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    wanted: Wanted,
    owned: BTreeSet<Partition>,
}

/// The member's side of the consumer protocol.
#[derive(Debug)]
pub struct ConsumerMember {
    config: Arc<GroupConfig>,
    state: State,
    member_id: String,
    epoch: i32,
    wanted: Option<Wanted>,
    /// The share that was given last, by topic id.
    target: Option<BTreeMap<TopicId, Vec<i32>>>,
    told: Option<Told>,
    /// What the heartbeat on its way tells.
    telling: Option<Told>,
    /// A share came, and the coordinator has not heard since what is owned. It waits for that before others get what
    /// the share takes away, even if the member never got that far.
    is_unanswered: bool,
    in_flight: bool,
    heartbeat_at: Millis,
    not_before: Millis,
}

type Result<T> = std::result::Result<T, ClientError>;

impl ConsumerMember {
    /// Not a member yet.
    pub fn new(config: Arc<GroupConfig>) -> ConsumerMember {
        ConsumerMember {
            state: State::Active,
            member_id: config.member_id.clone(),
            config,
            epoch: JOINING,
            wanted: None,
            target: None,
            told: None,
            telling: None,
            is_unanswered: false,
            in_flight: false,
            heartbeat_at: Millis::MIN,
            not_before: Millis::MIN,
        }
    }

    /// Epoch and member id, as commits have to name them; -1 when it is no member.
    pub fn identity(&self) -> (i32, &str) {
        match self.is_out() {
            true => (-1, ""),
            false => (self.epoch, &self.member_id),
        }
    }

    /// Whether it is not known to the coordinator.
    pub fn is_out(&self) -> bool {
        self.epoch == JOINING || self.state != State::Active
    }

    /// Whether the first answer is still to come.
    pub fn is_joining(&self) -> bool {
        self.state == State::Active && self.epoch == JOINING && self.in_flight
    }

    /// Goes on with what the user wants.
    pub fn step(
        &mut self,
        wanted: Option<&Wanted>,
        possession: &mut Possession,
        cluster: &mut Cluster,
        polled_at: Millis,
        now: Millis,
    ) {
        let Some(wanted) = wanted else { return };
        if self.wanted.as_ref() != Some(wanted) {
            self.wanted = Some(wanted.clone());
            self.heartbeat_at = now;
        }
        let is_overdue = self.config.is_overdue(polled_at, now);
        match self.state {
            State::Idle if is_overdue => return,
            State::Failed(at) if polled_at <= at => return,
            State::Idle | State::Failed(_) => self.begin(now),
            State::Active if is_overdue => return self.stop_for_lack_of_polls(possession),
            State::Active => {}
            _ => return,
        }
        if !possession.is_settled() {
            return;
        }
        if let Some(target) = self.resolved(cluster, now) {
            if target != *possession.owned() {
                possession.give_up(|partition| target.contains(partition));
                possession.take_over(&target);
            }
        }
        let owned = self.told.as_ref().map(|told| &told.owned);
        let is_told = owned == Some(possession.owned()) && !self.is_unanswered;
        if possession.is_settled() && self.target.is_some() && !is_told {
            self.heartbeat_at = now;
        }
    }

    /// The share by names, as far as they are known; None when nothing was given yet.
    fn resolved(&self, cluster: &mut Cluster, now: Millis) -> Option<BTreeSet<Partition>> {
        let target = self.target.as_ref()?;
        let mut names: BTreeMap<TopicId, Arc<str>> = BTreeMap::new();
        for (name, topic) in cluster.topics().filter(|(_, topic)| target.contains_key(&topic.id)) {
            names.insert(topic.id, name.into());
        }
        if names.len() < target.len() {
            cluster.refresh(now);
        }
        let named = target.iter().filter_map(|(id, partitions)| Some((names.get(id)?, partitions)));
        let all = named.flat_map(|(name, indexes)| indexes.iter().map(|&index| (name.clone(), index)));
        Some(all.collect())
    }

    fn begin(&mut self, now: Millis) {
        self.state = State::Active;
        self.epoch = JOINING;
        (self.target, self.told) = (None, None);
        self.is_unanswered = false;
        self.heartbeat_at = now;
    }

    fn stop_for_lack_of_polls(&mut self, possession: &mut Possession) {
        let limit = self.config.max_poll_interval_ms;
        log::warn!("no poll() for max.poll.interval.ms={limit}: leaving group {}", self.config.group_id);
        possession.lose();
        self.epoch = JOINING;
        self.state = State::Idle;
    }

    /// The epoch with which a member that stops polling has to tell the coordinator.
    pub fn is_overdue(&self, polled_at: Millis, now: Millis) -> Option<i32> {
        let overdue = !self.is_out() && self.config.is_overdue(polled_at, now);
        overdue.then(|| self.leave_epoch(false))
    }

    fn leave_epoch(&self, for_good: bool) -> i32 {
        if self.config.instance_id.is_some() && !for_good {
            LEAVING_STATIC
        } else {
            LEAVING
        }
    }

    /// Begins to leave; a static one does so `for_good`, or comes back. False when nobody has to be told.
    pub fn leave(&mut self, tell: bool, for_good: bool) -> bool {
        let tells = tell && !self.is_out();
        self.state = if tells { State::Leaving(self.leave_epoch(for_good)) } else { State::Left };
        tells
    }

    /// Whether it has left, or never was there.
    pub fn has_left(&self) -> bool {
        self.state == State::Left
    }

    /// Begins anew after it has left.
    pub fn reset(&mut self, now: Millis) {
        self.wanted = None;
        self.begin(now);
    }

    /// Sends what is due.
    pub fn transmit<P: Spoken>(
        &mut self,
        links: &mut Links<P>,
        around: &Around<'_>,
        now: Millis,
    ) -> Result<()> {
        let Around { coordinator: node, cluster, possession } = *around;
        if let State::Leaving(epoch) = self.state {
            self.state = State::Parting;
            return self.send_leave(node, links, epoch, now);
        }
        let due = self.heartbeat_at.max(self.not_before) <= now && !self.in_flight;
        let Some(wanted) = self.wanted.clone().filter(|_| due && self.state == State::Active) else {
            return Ok(());
        };
        // Before it has let go of everything it can't be told that it has nothing.
        if self.epoch == JOINING && !(possession.is_settled() && possession.owned().is_empty()) {
            return Ok(());
        }
        self.beat(node, links, cluster, &wanted, possession, now)
    }

    fn beat<P: Spoken>(
        &mut self,
        node: NodeId,
        links: &mut Links<P>,
        cluster: &Cluster,
        wanted: &Wanted,
        possession: &Possession,
        now: Millis,
    ) -> Result<()> {
        let Some(version) = links.version(node, ApiKey::ConsumerGroupHeartbeat) else {
            return Err(not_spoken());
        };
        let told = self.told.as_ref();
        let says_wanted = told.is_none_or(|told| told.wanted != *wanted);
        // While the user is at work on a change the coordinator is told the state before.
        let owned = told.filter(|_| !possession.is_settled()).map_or(possession.owned(), |told| &told.owned);
        let answers = self.is_unanswered && possession.is_settled();
        let says_owned = answers || told.is_none_or(|told| told.owned != *owned);
        let (names, regex) = match wanted {
            Wanted::Topics(topics) => (Some(topics.iter().map(|topic| &**topic).collect()), None),
            Wanted::Pattern(_) if version < REGEX => return Err(not_spoken()),
            Wanted::Pattern(regex) => (None, Some(regex.as_str())),
        };
        let was_regex = told.is_some_and(|told| matches!(told.wanted, Wanted::Pattern(_)));
        // An empty one ends what was subscribed to by a regular expression.
        let regex = regex.or((was_regex && says_wanted).then_some(""));
        let was_named = told.is_some_and(|told| matches!(told.wanted, Wanted::Topics(_)));
        let names: Option<Vec<&str>> = names.or((was_named && says_wanted).then(Vec::new));
        let is_full = told.is_none();
        let request = ConsumerGroupHeartbeatRequest {
            group_id: &self.config.group_id,
            member_id: &self.member_id,
            member_epoch: self.epoch,
            instance_id: self.config.instance_id.as_deref().filter(|_| is_full),
            rack_id: Some(self.config.rack.as_str()).filter(|rack| is_full && !rack.is_empty()),
            rebalance_timeout_ms: if is_full { self.config.max_poll_interval_ms } else { -1 },
            subscribed_topic_names: names.filter(|_| says_wanted),
            subscribed_topic_regex: regex.filter(|_| says_wanted && version >= REGEX),
            server_assignor: self.config.remote_assignor.as_deref().filter(|_| is_full),
            topic_partitions: says_owned.then(|| self.by_id(owned, cluster)),
        };
        let telling = Told { wanted: wanted.clone(), owned: owned.clone() };
        let api = (ApiKey::ConsumerGroupHeartbeat, version);
        let purpose = P::group(Purpose::ConsumerHeartbeat);
        links
            .send(now, node, api, Some(purpose), &[], |writer| request.encode(writer, version))
            .map_err(unwritable)?;
        (self.telling, self.in_flight) = (Some(telling), true);
        self.is_unanswered &= !answers;
        Ok(())
    }

    fn by_id(&self, owned: &BTreeSet<Partition>, cluster: &Cluster) -> Vec<TopicPartitions> {
        let mut topics: BTreeMap<TopicId, Vec<i32>> = BTreeMap::new();
        for (topic, index) in owned {
            if let Some(known) = cluster.topic(topic) {
                topics.entry(known.id).or_default().push(*index);
            }
        }
        topics.into_iter().map(|(topic_id, partitions)| TopicPartitions { topic_id, partitions }).collect()
    }

    /// Tells the coordinator that it is gone.
    pub fn send_leave<P: Spoken>(
        &mut self,
        node: NodeId,
        links: &mut Links<P>,
        epoch: i32,
        now: Millis,
    ) -> Result<()> {
        let Some(version) = links.version(node, ApiKey::ConsumerGroupHeartbeat) else { return Ok(()) };
        let request = ConsumerGroupHeartbeatRequest {
            group_id: &self.config.group_id,
            member_id: &self.member_id,
            member_epoch: epoch,
            instance_id: self.config.instance_id.as_deref(),
            rebalance_timeout_ms: -1,
            ..Default::default()
        };
        let api = (ApiKey::ConsumerGroupHeartbeat, version);
        let purpose = P::group(Purpose::Leave);
        links
            .send(now, node, api, Some(purpose), &[], |writer| request.encode(writer, version))
            .map_err(unwritable)
    }

    /// The coordinator was told that it leaves, or can't be told.
    pub fn parted(&mut self) {
        if self.state == State::Parting {
            self.state = State::Left;
        }
    }

    /// Takes the answer to a heartbeat.
    pub fn heard(
        &mut self,
        answer: &Reply<'_>,
        possession: &mut Possession,
        now: Millis,
    ) -> Result<ErrorCode> {
        self.in_flight = false;
        let telling = self.telling.take();
        if self.state != State::Active {
            return Ok(ErrorCode::NONE);
        }
        let mut reader = answer.body();
        let response =
            reader.as_mut().and_then(|r| ConsumerGroupHeartbeatResponse::decode(r, answer.version).ok());
        let Some(response) = response else {
            self.told = None;
            self.retry(now);
            return Ok(ErrorCode::NETWORK_EXCEPTION);
        };
        let code = ErrorCode(response.error_code);
        match code {
            ErrorCode::NONE => {
                self.accepted(&response, telling, now);
                return Ok(code);
            }
            ErrorCode::FENCED_MEMBER_EPOCH | ErrorCode::UNKNOWN_MEMBER_ID => {
                self.expelled(code, possession, now);
                return Ok(ErrorCode::NONE);
            }
            _ => {}
        }
        self.told = None;
        self.retry(now);
        if code.retriable() {
            return Ok(code);
        }
        self.failed(possession, now);
        let about = format!("group {}", self.config.group_id);
        Err(match response.error_message {
            Some(message) => ClientError::Broker { code, message: format!("{about}: {message}") },
            None => ClientError::broker(code, &about),
        })
    }

    fn accepted(
        &mut self,
        response: &ConsumerGroupHeartbeatResponse<'_>,
        telling: Option<Told>,
        now: Millis,
    ) {
        self.told = telling;
        self.epoch = response.member_epoch;
        if let Some(member_id) = response.member_id {
            self.member_id = member_id.to_string();
        }
        self.heartbeat_at = now + Millis::from(response.heartbeat_interval_ms.max(1));
        if let Some(assignment) = &response.assignment {
            let topics = assignment.topic_partitions.iter();
            let target = Some(topics.map(|topic| (topic.topic_id, topic.partitions.clone())).collect());
            self.is_unanswered |= target != self.target;
            self.target = target;
        }
    }

    fn retry(&mut self, now: Millis) {
        self.heartbeat_at = now;
        self.not_before = now + self.config.retry_backoff_ms;
    }

    /// The coordinator does not know the member any more, or not in its epoch.
    pub fn expelled(&mut self, code: ErrorCode, possession: &mut Possession, now: Millis) {
        log::info!("member {} of group {} has lost its place: {code}", self.member_id, self.config.group_id);
        possession.lose();
        self.begin(now);
    }

    /// The user is told of something that the member can't get over.
    pub fn failed(&mut self, possession: &mut Possession, now: Millis) {
        possession.lose();
        self.begin(now);
        self.state = State::Failed(now);
    }

    /// When it has something to do.
    pub fn deadline(&self, polled_at: Millis) -> Option<Millis> {
        if self.state != State::Active {
            return None;
        }
        let beat = Some(self.heartbeat_at.max(self.not_before)).filter(|_| !self.in_flight);
        let overdue = polled_at + Millis::from(self.config.max_poll_interval_ms) + 1;
        [beat, Some(overdue)].into_iter().flatten().min()
    }
}

fn not_spoken() -> ClientError {
    let about = "group.protocol=consumer, or a pattern in it, is more than the broker speaks";
    ClientError::broker(ErrorCode::UNSUPPORTED_VERSION, about)
}
