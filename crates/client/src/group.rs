//! A consumer's membership of its group, and its commits: machines on the connections of its fetcher.
//!
//! `classic` and `consumer` are the two protocols; `possession` is what the member owns, `desk` what its user's
//! threads are told and what they want, `commits` the positions. A turn of the owner is `exchange` (under the lock
//! that the user's threads share), then `transmit` (without it).
//!
//! Always true:
//!   heartbeats need nothing of the user's threads: only `max.poll.interval.ms` ends a membership from this side
//!   a partition is given up for others only after the user's thread has said so, unless it was lost already

pub mod assignors;
pub mod classic;
pub mod commits;
pub mod config;
pub mod consumer;
pub mod desk;
pub mod positions;
pub mod possession;
pub mod sticky;
pub mod subscription;

use std::collections::BTreeSet;
use std::sync::Arc;

use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::wire::{EncodeError, Reader};
use barnabas_protocol::{Millis, NodeId};
use regex::Regex;

use crate::assignment::{Assignment, Start};
use crate::cluster::Cluster;
use crate::coordinator::{Coordinator, Kind};
use crate::error::ClientError;
use crate::group::classic::Classic;
use crate::group::commits::{Commits, Identity, Whom};
use crate::group::config::{GroupConfig, Protocol};
use crate::group::consumer::ConsumerMember;
use crate::group::desk::{Desk, GroupMetadata, Leaving, Wanted};
use crate::group::possession::Possession;
use crate::link::{Answer, Links};

/// Topics that are the broker's own.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// What a member asks brokers.
#[derive(Debug)]
pub enum Purpose {
    /// Where the coordinator is.
    Coordinator,
    /// JoinGroup.
    Join,
    /// SyncGroup.
    Sync,
    /// Heartbeat, in this generation.
    Heartbeat(i32),
    /// ConsumerGroupHeartbeat.
    ConsumerHeartbeat,
    /// The last word, of either protocol.
    Leave,
    /// OffsetCommit.
    Commit,
    /// OffsetFetch.
    Positions(Whom),
}

/// What a member looks at when it sends.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// Whom it talks to.
    pub coordinator: NodeId,
    /// The metadata.
    pub cluster: &'a Cluster,
    /// What it owns.
    pub possession: &'a Possession,
}

/// Purposes of a client that has a group among other things.
pub trait Spoken {
    /// One of the group's.
    fn group(purpose: Purpose) -> Self;
}

/// An answer without its purpose.
pub struct Reply<'a> {
    version: i16,
    bytes: Option<&'a [u8]>,
}

impl Reply<'_> {
    fn body(&self) -> Option<Reader<'_>> {
        self.bytes.map(Reader::new)
    }
}

#[derive(Debug)]
enum Member {
    Classic(Classic),
    Consumer(ConsumerMember),
}

/// Whom the coordinator is to be told of that did not poll.
#[derive(Debug)]
enum Farewell {
    Classic(String),
    Consumer(i32),
}

/// A consumer's side of its group.
#[derive(Debug)]
pub struct Group {
    config: Arc<GroupConfig>,
    reset: Start,
    coordinator: Coordinator,
    member: Member,
    possession: Possession,
    commits: Commits,
    pattern: Option<(String, Regex)>,
    is_subscribed: bool,
    polled_at: Millis,
    farewell: Option<Farewell>,
    /// The last commit that was ordered before partitions were given up: others get them after it.
    barrier: u64,
    /// The connection is held by a JoinGroup that nobody waits for any more.
    cut: bool,
    errors: Vec<ClientError>,
    news: bool,
}

impl Group {
    /// No member yet. `reset` is where partitions begin for which nothing is committed.
    pub fn new(config: GroupConfig, reset: Start) -> Group {
        let config = Arc::new(config);
        let member = match config.protocol {
            Protocol::Classic => Member::Classic(Classic::new(config.clone())),
            Protocol::Consumer => Member::Consumer(ConsumerMember::new(config.clone())),
        };
        Group {
            coordinator: Coordinator::new(Kind::Group, &config.group_id, config.retry_backoff_ms),
            commits: Commits::new(config.retry_backoff_ms),
            config,
            reset,
            member,
            possession: Possession::default(),
            pattern: None,
            is_subscribed: false,
            polled_at: 0,
            farewell: None,
            barrier: 0,
            cut: false,
            errors: Vec::new(),
            news: false,
        }
    }

    /// Exchanges with the user's threads. True when somebody may wait for what has happened.
    pub fn exchange(
        &mut self,
        desk: &mut Desk,
        assignment: &mut Assignment,
        cluster: &mut Cluster,
        now: Millis,
    ) -> bool {
        let mut came = std::mem::take(&mut self.news) | !self.errors.is_empty();
        self.errors.drain(..).for_each(|error| desk.fail(error));
        self.polled_at = desk.polled_at;
        self.is_subscribed = desk.wanted.is_some() || desk.leaving.is_some();
        self.possession.set_ending(desk.leaving.is_some());
        if self.possession.exchange(desk, assignment) {
            came = true;
            self.barrier = desk.last_id();
        }
        if desk.leaving.is_some() {
            came |= self.leave(desk, now);
        } else {
            self.step(desk, cluster, now);
        }
        came |= self.possession.exchange(desk, assignment);
        came |= self.commits.exchange(desk, assignment, self.reset, now);
        self.tell_metadata(desk);
        came
    }

    fn step(&mut self, desk: &Desk, cluster: &mut Cluster, now: Millis) {
        if self.has_left() {
            self.come_back(now);
        }
        let wanted = desk.wanted.as_ref();
        match wanted {
            Some(Wanted::Topics(topics)) => topics.iter().for_each(|topic| cluster.want(topic, now)),
            Some(Wanted::Pattern(_)) => cluster.want_all(now),
            None => {}
        }
        let farewell = match &self.member {
            Member::Classic(member) => member.is_overdue(self.polled_at, now).map(Farewell::Classic),
            Member::Consumer(member) => member.is_overdue(self.polled_at, now).map(Farewell::Consumer),
        };
        self.farewell = farewell.or(self.farewell.take());
        let topics = wanted.map(|wanted| self.topics(wanted, cluster));
        let (possession, polled_at) = (&mut self.possession, self.polled_at);
        match &mut self.member {
            Member::Classic(member) => member.step(topics, possession, cluster, polled_at, now),
            Member::Consumer(member) => member.step(wanted, possession, cluster, polled_at, now),
        }
    }

    /// The topics of a subscription, for the protocol in which members name them.
    fn topics(&mut self, wanted: &Wanted, cluster: &Cluster) -> BTreeSet<Arc<str>> {
        let pattern = match wanted {
            Wanted::Topics(topics) => return topics.clone(),
            Wanted::Pattern(_) if self.config.protocol == Protocol::Consumer => return BTreeSet::new(),
            Wanted::Pattern(pattern) => pattern,
        };
        if self.pattern.as_ref().is_none_or(|(text, _)| text != pattern) {
            self.pattern = whole(pattern).ok().map(|regex| (pattern.clone(), regex));
        }
        let Some((_, regex)) = &self.pattern else { return BTreeSet::new() };
        let exists = cluster.topics().filter(|(_, topic)| !topic.partitions.is_empty());
        let excluded = |name: &str| self.config.exclude_internal && INTERNAL.contains(&name);
        let names = exists.map(|(name, _)| name).filter(|name| regex.is_match(name) && !excluded(name));
        names.map(Arc::from).collect()
    }

    fn has_left(&self) -> bool {
        match &self.member {
            Member::Classic(member) => member.has_left(),
            Member::Consumer(member) => member.has_left(),
        }
    }

    fn come_back(&mut self, now: Millis) {
        match &mut self.member {
            Member::Classic(member) => member.reset(),
            Member::Consumer(member) => member.reset(now),
        }
    }

    /// Gives everything up, then leaves. True when it has.
    fn leave(&mut self, desk: &mut Desk, now: Millis) -> bool {
        let Some(leaving) = desk.leaving else { return false };
        if self.leave_if_done(desk, now) {
            return true;
        }
        if !self.possession.is_settled() {
            return false;
        }
        if !self.possession.owned().is_empty() {
            match self.identity().is_out {
                true => self.possession.lose(),
                false => drop(self.possession.give_up(|_| false)),
            }
            return false;
        }
        if !self.commits.is_idle() {
            return false;
        }
        let is_static = self.config.instance_id.is_some();
        let for_good = leaving == Leaving::Leave;
        let remains = leaving == Leaving::Remain;
        match &mut self.member {
            Member::Classic(member) => {
                self.cut |= member.holds_connection();
                member.leave(for_good || !(remains || is_static));
            }
            Member::Consumer(member) => {
                member.leave(!remains, for_good);
            }
        }
        self.leave_if_done(desk, now)
    }

    fn leave_if_done(&mut self, desk: &mut Desk, now: Millis) -> bool {
        if self.has_left() {
            (desk.leaving, desk.has_left) = (None, true);
            self.come_back(now);
            // Whoever has subscribed meanwhile joins at once.
            self.news = true;
        }
        desk.has_left
    }

    fn tell_metadata(&self, desk: &mut Desk) {
        let identity = self.identity();
        let known = desk.metadata.as_ref();
        if known.is_some_and(|k| k.generation == identity.generation && k.member_id == identity.member_id) {
            return;
        }
        let is_new = known.is_none_or(|known| known.generation != identity.generation);
        desk.rebalances += u64::from(is_new && identity.generation >= 0);
        desk.metadata = Some(GroupMetadata {
            group_id: self.config.group_id.clone(),
            generation: identity.generation,
            member_id: identity.member_id.to_string(),
            instance_id: self.config.instance_id.clone(),
        });
    }

    fn identity(&self) -> Identity<'_> {
        let ((generation, member_id), is_joining, is_out) = match &self.member {
            Member::Classic(member) => (member.identity(), member.is_joining(), member.is_out()),
            Member::Consumer(member) => (member.identity(), member.is_joining(), member.is_out()),
        };
        Identity {
            group_id: &self.config.group_id,
            instance_id: self.config.instance_id.as_deref(),
            generation,
            member_id,
            is_subscribed: self.is_subscribed,
            is_joining,
            is_out,
            has_epochs: self.config.protocol == Protocol::Consumer,
            possession: &self.possession,
        }
    }

    /// Sends what is due.
    pub fn transmit<P: Spoken>(&mut self, cluster: &mut Cluster, links: &mut Links<P>, now: Millis) {
        if let Some(node) = self.coordinator.node().filter(|_| std::mem::take(&mut self.cut)) {
            links.close(node, now);
        }
        if !self.is_subscribed && !self.commits.wants_coordinator() {
            return;
        }
        let purpose = || P::group(Purpose::Coordinator);
        let Some(node) = self.coordinator.step(cluster, links, purpose, now) else { return };
        if let Err(error) = self.send(node, cluster, links, now) {
            self.fail(error, now);
        }
    }

    fn send<P: Spoken>(
        &mut self,
        node: NodeId,
        cluster: &Cluster,
        links: &mut Links<P>,
        now: Millis,
    ) -> Result<(), ClientError> {
        let farewell = self.farewell.take();
        match (&mut self.member, farewell) {
            (Member::Classic(member), Some(Farewell::Classic(id))) => {
                member.send_leave(node, links, &id, now)?
            }
            (Member::Consumer(member), Some(Farewell::Consumer(epoch))) => {
                member.send_leave(node, links, epoch, now)?;
            }
            _ => {}
        }
        let mut commits = std::mem::take(&mut self.commits);
        let sent = commits.transmit(node, links, &self.identity(), now);
        self.commits = commits;
        sent?;
        let around = Around { coordinator: node, cluster, possession: &self.possession };
        let holds = self.commits.has_before(self.barrier, now);
        match &mut self.member {
            Member::Classic(member) if holds => member.beat(node, links, now),
            Member::Consumer(_) if holds => Ok(()),
            Member::Classic(member) => member.transmit(links, &around, now),
            Member::Consumer(member) => member.transmit(links, &around, now),
        }
    }

    fn fail(&mut self, error: ClientError, now: Millis) {
        match &mut self.member {
            Member::Classic(member) => member.failed(&mut self.possession, now),
            Member::Consumer(member) => member.failed(&mut self.possession, now),
        }
        self.errors.push(error);
        self.news = true;
    }

    /// Takes an answer to one of its requests.
    pub fn answered<P>(&mut self, answer: Answer<P>, purpose: Purpose, links: &mut Links<P>, now: Millis) {
        self.news = true;
        if matches!(purpose, Purpose::Coordinator) {
            if let Err(error) = self.coordinator.answered(&answer, links, now) {
                self.fail(error, now);
            }
            return;
        }
        let bytes = answer.frame.as_ref().map(|(bytes, at)| &bytes[*at..]);
        let reply = Reply { version: answer.version, bytes };
        match self.take(&reply, purpose, now) {
            Ok(code) => drop(self.coordinator.refused(&answer, code, now)),
            Err(error) => self.fail(error, now),
        }
    }

    fn take(&mut self, reply: &Reply<'_>, purpose: Purpose, now: Millis) -> Result<ErrorCode, ClientError> {
        let possession = &mut self.possession;
        match (purpose, &mut self.member) {
            (Purpose::Join, Member::Classic(member)) => member.joined(reply, possession, now),
            (Purpose::Sync, Member::Classic(member)) => member.synced(reply, possession, now),
            (Purpose::Heartbeat(generation), Member::Classic(member)) => {
                member.heard(reply, generation, possession, now)
            }
            (Purpose::ConsumerHeartbeat, Member::Consumer(member)) => member.heard(reply, possession, now),
            (Purpose::Leave, Member::Classic(member)) => {
                member.parted();
                Ok(ErrorCode::NONE)
            }
            (Purpose::Leave, Member::Consumer(member)) => {
                member.parted();
                Ok(ErrorCode::NONE)
            }
            (Purpose::Commit, _) => Ok(self.committed(reply, now)),
            (Purpose::Positions(whom), _) => Ok(self.commits.positions(reply, whom, now)),
            _ => Ok(ErrorCode::NONE),
        }
    }

    fn committed(&mut self, reply: &Reply<'_>, now: Millis) -> ErrorCode {
        let generation = self.identity().generation;
        let (code, is_current) = self.commits.committed(reply, generation, now);
        let expels =
            [ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::ILLEGAL_GENERATION, ErrorCode::FENCED_MEMBER_EPOCH];
        if expels.contains(&code) && is_current && self.is_subscribed {
            match &mut self.member {
                Member::Classic(member) => member.expelled(code, &mut self.possession),
                Member::Consumer(member) => member.expelled(code, &mut self.possession, now),
            }
        }
        code
    }

    /// When the owner has to look again if nothing happens.
    pub fn deadline(&self, now: Millis) -> Option<Millis> {
        let mut at = vec![self.commits.deadline()];
        if self.is_subscribed {
            at.push(match &self.member {
                Member::Classic(member) => member.deadline(self.polled_at),
                Member::Consumer(member) => member.deadline(self.polled_at),
            });
        }
        if self.is_subscribed || self.commits.wants_coordinator() {
            at.push(self.coordinator.deadline());
        }
        at.into_iter().flatten().filter(|&at| at > now).min()
    }

    /// Whether a turn would do something at once.
    pub fn has_news(&self) -> bool {
        self.news || self.commits.has_news()
    }
}

/// A regular expression that has to match a whole name.
pub fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

pub(crate) fn unwritable(error: EncodeError) -> ClientError {
    ClientError::Corrupt(format!("a request of the group can't be written: {error}"))
}
