//! Heartbeats of members that are steady: answered here, for as long as their coordinator says so.
//!
//! A coordinator that has answered a heartbeat which changed nothing *publishes* the member: the next heartbeat
//! that says the same on the same connection has the same answer. Whatever changes in the group *withdraws* it,
//! and so do a change of leadership, another connection and a pause longer than the session: then heartbeats
//! are the coordinator's again. What it asks for in return is when a member was heard of last, before it
//! declares the member dead. The commits of a group's members too are written without the
//! coordinator (`offset_commit`) only while they are steady, and keep members of classic groups alive.
//!
//! Always true:
//!   a heartbeat that is not exactly the published one goes to the coordinator
//!   when a member was heard of last outlives its withdrawal by the length of its session
//!   members that nobody has heard of for longer than their sessions are forgotten, so that there are at most
//!   about twice as many as the coordinators have

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use barnabas_protocol::generated::consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest;
use barnabas_protocol::generated::consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse;
use barnabas_protocol::generated::heartbeat_request::HeartbeatRequest;
use barnabas_protocol::generated::heartbeat_response::HeartbeatResponse;
use barnabas_protocol::wire::Reader;
use barnabas_protocol::{LeaderEpoch, Millis, PartitionIndex};
use parking_lot::RwLock;

use crate::authorize::{allowed, Operation, Resource};
use crate::broker::Broker;
use crate::coordinator::CONSUMER_OFFSETS;
use crate::request::{BrokerRequest, Handled};

/// Heartbeat of classic groups.
pub(crate) const CLASSIC: i16 = 12;
const CLASSIC_FLEXIBLE_FROM: i16 = 4;
/// ConsumerGroupHeartbeat.
pub(crate) const CONSUMER: i16 = 68;
/// OffsetCommits of members that are told a member epoch.
const MEMBER_EPOCHS_FROM: i16 = 9;
/// What a ConsumerGroupHeartbeat says that leaves the rebalance timeout as it is.
const UNSAID: i32 = -1;
/// Members below which it is not worth looking for forgotten ones.
const SWEEP_FROM: usize = 1_000;

/// A member whose heartbeats change nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SteadyMember {
    /// Partition of `__consumer_offsets` that the group belongs to.
    pub index: PartitionIndex,
    /// The leadership of its coordinator.
    pub leader_epoch: LeaderEpoch,
    /// The member.
    pub member_id: String,
    /// What its heartbeats say of its instance.
    pub instance_id: Option<String>,
    /// Its generation in a classic group, its member epoch in another.
    pub epoch: i32,
    /// What it is told when to come back, in milliseconds; None in a classic group.
    pub heartbeat_interval_ms: Option<i32>,
    /// How long it may be silent.
    pub session_timeout_ms: Millis,
    /// The connection that its heartbeats come in by.
    pub connection: u64,
}

#[derive(Debug)]
struct Entry {
    member: SteadyMember,
    published: AtomicBool,
    heard_at: AtomicI64,
}

impl Entry {
    fn lives(&self, now: Millis) -> bool {
        now.saturating_sub(self.heard_at.load(Ordering::Relaxed)) <= self.member.session_timeout_ms
    }
}

type Members = HashMap<String, Entry>;

/// All members that are or were steady, by group and member id.
#[derive(Debug, Default)]
pub(crate) struct SteadyMembers {
    groups: RwLock<Groups>,
}

#[derive(Debug, Default)]
struct Groups {
    by_id: HashMap<String, Members>,
    count: usize,
    /// Members at which forgotten ones are looked for next.
    sweep_at: usize,
}

impl Groups {
    fn publish(&mut self, group_id: &str, member: SteadyMember, now: Millis) {
        let member_id = member.member_id.clone();
        let entry = Entry { member, published: AtomicBool::new(true), heard_at: AtomicI64::new(now) };
        let members = match self.by_id.get_mut(group_id) {
            Some(members) => members,
            None => self.by_id.entry(group_id.to_owned()).or_default(),
        };
        if members.insert(member_id, entry).is_none() {
            self.count += 1;
        }
    }

    fn sweep(&mut self, now: Millis) {
        if self.count < self.sweep_at.max(SWEEP_FROM) {
            return;
        }
        self.by_id.retain(|_, members| {
            members.retain(|_, entry| entry.lives(now));
            !members.is_empty()
        });
        self.count = self.by_id.values().map(HashMap::len).sum();
        self.sweep_at = 2 * self.count;
    }
}

impl SteadyMembers {
    /// The answer's interval for what `connection` says; None when the coordinator decides.
    fn hear(&self, group_id: &str, heard: &Heard<'_>, leads: impl Fn(&SteadyMember) -> bool) -> Option<i32> {
        let groups = self.groups.read();
        let entry = groups.by_id.get(group_id)?.get(heard.member_id)?;
        let member = &entry.member;
        let same = member.epoch == heard.epoch
            && member.connection == heard.connection
            && heard.says.as_published(member, heard.instance_id);
        if !same || !entry.published.load(Ordering::Relaxed) || !entry.lives(heard.now) || !leads(member) {
            return None;
        }
        if heard.says.prolongs() {
            entry.heard_at.fetch_max(heard.now, Ordering::Relaxed);
        }
        Some(member.heartbeat_interval_ms.unwrap_or(0))
    }
}

/// What a member says.
pub(crate) struct Heard<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) instance_id: Option<&'a str>,
    pub(crate) epoch: i32,
    pub(crate) says: Says,
    pub(crate) connection: u64,
    pub(crate) now: Millis,
}

/// How it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// By a Heartbeat.
    Classic,
    /// By a ConsumerGroupHeartbeat.
    Consumer,
    /// By an OffsetCommit of this version.
    Commit { version: i16, to_classic: bool },
}

impl Says {
    /// Whether the member says so of itself that it was published for.
    fn as_published(self, member: &SteadyMember, instance_id: Option<&str>) -> bool {
        let classic = member.heartbeat_interval_ms.is_none();
        match self {
            Says::Classic => classic && member.instance_id.as_deref() == instance_id,
            Says::Consumer => !classic && member.instance_id.as_deref() == instance_id,
            Says::Commit { to_classic: true, .. } => classic && member.instance_id.as_deref() == instance_id,
            // A group with member epochs asks for the member id alone.
            Says::Commit { version, .. } => classic || version >= MEMBER_EPOCHS_FROM,
        }
    }

    /// Whether the member's session goes on with it.
    fn prolongs(self) -> bool {
        !matches!(self, Says::Commit { to_classic: false, .. })
    }
}

impl Broker {
    pub(crate) fn classic_heartbeat(&self, request: &BrokerRequest<'_>) -> Handled {
        let mut reader = Reader::new(request.body);
        let asked = match HeartbeatRequest::decode(&mut reader, request.api_version) {
            Ok(asked) => asked,
            Err(error) => return error.into(),
        };
        let heard = Heard {
            member_id: asked.member_id,
            instance_id: asked.group_instance_id,
            epoch: asked.generation_id,
            says: Says::Classic,
            connection: request.connection,
            now: request.now,
        };
        if self.hear(asked.group_id, &heard, request).is_none() {
            return Handled::Cold;
        }
        let response = HeartbeatResponse::default();
        let encode = |writer: &mut _, version| response.encode(writer, version);
        request.reply_to().reply(CLASSIC_FLEXIBLE_FROM, Vec::new(), encode)
    }

    pub(crate) fn consumer_group_heartbeat(&self, request: &BrokerRequest<'_>) -> Handled {
        let mut reader = Reader::new(request.body);
        let asked = match ConsumerGroupHeartbeatRequest::decode(&mut reader, request.api_version) {
            Ok(asked) => asked,
            Err(error) => return error.into(),
        };
        let says_nothing_new = asked.rack_id.is_none()
            && asked.rebalance_timeout_ms == UNSAID
            && asked.subscribed_topic_names.is_none()
            && asked.subscribed_topic_regex.is_none()
            && asked.server_assignor.is_none()
            && asked.topic_partitions.is_none();
        let heard = Heard {
            member_id: asked.member_id,
            instance_id: asked.instance_id,
            epoch: asked.member_epoch,
            says: Says::Consumer,
            connection: request.connection,
            now: request.now,
        };
        let heard = says_nothing_new.then(|| self.hear(asked.group_id, &heard, request)).flatten();
        let Some(heartbeat_interval_ms) = heard else { return Handled::Cold };
        let response = ConsumerGroupHeartbeatResponse {
            member_id: Some(asked.member_id),
            member_epoch: asked.member_epoch,
            heartbeat_interval_ms,
            ..ConsumerGroupHeartbeatResponse::default()
        };
        request.reply_to().reply(0, Vec::new(), |writer, version| response.encode(writer, version))
    }

    /// What the member's heartbeat is answered with, if it is steady; then it counts as heard of.
    pub(crate) fn hear(&self, group_id: &str, heard: &Heard<'_>, request: &BrokerRequest<'_>) -> Option<i32> {
        if !allowed(request, Operation::Read, Resource::Group(group_id)) {
            return None;
        }
        self.steady.hear(group_id, heard, |member| self.leads_offsets(member))
    }

    fn leads_offsets(&self, member: &SteadyMember) -> bool {
        let partition = self.partition_by_name(&self.image.load(), CONSUMER_OFFSETS, member.index);
        partition.is_ok_and(|partition| partition.role.read().leader(member.leader_epoch).is_ok())
    }

    /// Lets the coordinators answer the heartbeats of these groups again (None: of all), then publishes
    /// members, by group id: their heartbeats are answered here.
    pub fn publish_steady(
        &self,
        withdrawn: Option<&[&str]>,
        members: impl Iterator<Item = (String, SteadyMember)>,
        now: Millis,
    ) {
        let mut groups = self.steady.groups.write();
        let withdraw = |members: &Members| {
            members.values().for_each(|entry| entry.published.store(false, Ordering::Relaxed));
        };
        match withdrawn {
            None => groups.by_id.values().for_each(withdraw),
            Some(ids) => ids.iter().filter_map(|id| groups.by_id.get(*id)).for_each(withdraw),
        }
        for (group_id, member) in members {
            groups.publish(&group_id, member, now);
        }
        groups.sweep(now);
    }

    /// When a heartbeat of the member was answered here last, or the member was published; None when that is
    /// not known (any more).
    pub fn last_heartbeat(&self, group_id: &str, member_id: &str) -> Option<Millis> {
        let groups = self.steady.groups.read();
        let entry = groups.by_id.get(group_id)?.get(member_id)?;
        Some(entry.heard_at.load(Ordering::Relaxed))
    }
}
