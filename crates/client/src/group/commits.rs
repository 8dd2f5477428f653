//! Committed positions: written for the user, and read for the user and for partitions that have to begin.
//!
//! Always true:
//!   one OffsetCommit at a time is on its way, and orders are sent in the order in which they were given: a
//!   position that is committed never replaces a later one
//!   an order from before a rebalance does not touch partitions that have moved away in it
//!   every order is answered by its deadline

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use barnabas_protocol::generated::offset_commit_response::OffsetCommitResponse;
use barnabas_protocol::{Millis, NodeId};

use crate::assignment::{Assignment, Start};
use crate::error::ClientError;
use crate::fetch_session::Partition;
use crate::group::desk::{Commit, Committed, Desk, Positions, Question};
use crate::group::positions::{self, Found};
use crate::group::possession::Possession;
use crate::group::{unwritable, Purpose, Reply, Spoken};
use crate::link::Links;

/// The versions from which a commit may name leader epochs and an instance.
const COMMIT_EPOCH: i16 = 6;
const COMMIT_INSTANCE: i16 = 7;

/// In whose name requests are sent.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// `group.id`.
    pub group_id: &'a str,
    /// `group.instance.id`.
    pub instance_id: Option<&'a str>,
    /// Generation or member epoch; -1 without one.
    pub generation: i32,
    /// Empty without one.
    pub member_id: &'a str,
    /// Whether the consumer is subscribed: else it commits as nobody, as `assign` has it.
    pub is_subscribed: bool,
    /// Whether another generation is about to begin.
    pub is_joining: bool,
    /// Whether it is no member, and will not be one before the user polls.
    pub is_out: bool,
    /// Whether the coordinator shares out (KIP-848).
    pub has_epochs: bool,
    /// What the member owns, and has given up.
    pub possession: &'a Possession,
}

impl Identity<'_> {
    fn has_moved(&self, partition: &Partition, order: u64) -> bool {
        !self.possession.owned().contains(partition) || self.possession.has_moved(partition, order)
    }
}

/// On whose behalf positions are read.
#[derive(Debug)]
pub enum Whom {
    /// Partitions that begin, in their generations.
    Slots(Vec<(Partition, u64)>),
    /// The user.
    User(Question),
}

impl Whom {
    fn partitions(&self) -> Vec<&Partition> {
        match self {
            Whom::Slots(slots) => slots.iter().map(|(partition, _)| partition).collect(),
            Whom::User(question) => question.partitions.iter().collect(),
        }
    }
}

type Result<T> = std::result::Result<T, ClientError>;

/// Orders, and what has become of them.
#[derive(Debug, Default)]
pub struct Commits {
    retry_backoff_ms: Millis,
    orders: VecDeque<Commit>,
    /// What is on its way, and in which generation it was sent.
    sent: Option<(Vec<Commit>, i32)>,
    questions: VecDeque<Question>,
    /// Partitions that begin: to be asked for, and asked for already.
    slots: Vec<(Partition, u64)>,
    asked: BTreeSet<(Partition, u64)>,
    retry_at: Millis,
    done: Vec<(Commit, Result<()>)>,
    answers: Vec<(u64, Result<Positions>)>,
    found: Vec<(Partition, u64, Result<Option<Committed>>)>,
}

impl Commits {
    /// Nothing is ordered.
    pub fn new(retry_backoff_ms: Millis) -> Commits {
        Commits { retry_backoff_ms, ..Commits::default() }
    }

    /// Whether every order is answered.
    pub fn is_idle(&self) -> bool {
        self.orders.is_empty() && self.sent.is_none() && self.done.is_empty()
    }

    /// Whether an order up to this one is still being worked on, for the first time.
    pub fn has_before(&self, id: u64, now: Millis) -> bool {
        let sent = self.sent.iter().flat_map(|(orders, _)| orders);
        self.retry_at <= now && sent.chain(&self.orders).any(|order| order.id <= id)
    }

    /// Whether a turn would do something at once.
    pub fn has_news(&self) -> bool {
        !(self.done.is_empty() && self.answers.is_empty() && self.found.is_empty())
    }

    /// Takes orders, and tells what has become of those before.
    pub fn exchange(
        &mut self,
        desk: &mut Desk,
        assignment: &mut Assignment,
        reset: Start,
        now: Millis,
    ) -> bool {
        self.orders.append(&mut desk.commits);
        self.questions.extend(desk.questions.drain(..));
        self.expire(now);
        let news = self.has_news();
        for (order, result) in self.done.drain(..) {
            desk.answer_commit(order, result);
        }
        for (id, result) in self.answers.drain(..) {
            desk.answer(id, result);
        }
        for (partition, generation, found) in self.found.drain(..) {
            let Some(slot) = assignment.current(&partition, generation) else { continue };
            match found {
                Ok(Some(committed)) => {
                    slot.begin(Start::Offset(committed.offset));
                    (slot.last_epoch, slot.position_epoch) = (committed.leader_epoch, committed.leader_epoch);
                }
                Ok(None) => {
                    slot.reason = "the group has committed none";
                    slot.begin(reset);
                }
                Err(error) => slot.error = Some(error),
            }
        }
        let begins = |slot: &crate::assignment::Slot| slot.start == Some(Start::Committed);
        let waiting = assignment.partitions().filter(|(_, slot)| begins(slot) && slot.error.is_none());
        let waiting = waiting.map(|(partition, slot)| (partition.clone(), slot.generation));
        self.slots = waiting.filter(|slot| !self.asked.contains(slot)).collect();
        news
    }

    fn expire(&mut self, now: Millis) {
        while let Some(at) = self.orders.iter().position(|order| order.deadline <= now) {
            if let Some(order) = self.orders.remove(at) {
                let error = ClientError::Timeout("the commit was not acknowledged in time".to_string());
                self.done.push((order, Err(error)));
            }
        }
        while let Some(at) = self.questions.iter().position(|question| question.deadline <= now) {
            if let Some(question) = self.questions.remove(at) {
                let silence = "the coordinator has not told committed positions in time".to_string();
                self.answers.push((question.id, Err(ClientError::Timeout(silence))));
            }
        }
    }

    /// Whether the coordinator is needed.
    pub fn wants_coordinator(&self) -> bool {
        !(self.orders.is_empty() && self.questions.is_empty() && self.slots.is_empty())
    }

    /// Sends what is due.
    pub fn transmit<P: Spoken>(
        &mut self,
        node: NodeId,
        links: &mut Links<P>,
        identity: &Identity<'_>,
        now: Millis,
    ) -> Result<()> {
        if now < self.retry_at {
            return Ok(());
        }
        if !self.slots.is_empty() {
            let slots = std::mem::take(&mut self.slots);
            self.asked.extend(slots.iter().cloned());
            self.ask(node, links, identity, Whom::Slots(slots), now)?;
        }
        while let Some(question) = self.questions.pop_front() {
            self.ask(node, links, identity, Whom::User(question), now)?;
        }
        if self.sent.is_none() && !self.orders.is_empty() && !identity.is_joining {
            self.commit(node, links, identity, now)?;
        }
        Ok(())
    }

    fn ask<P: Spoken>(
        &mut self,
        node: NodeId,
        links: &mut Links<P>,
        identity: &Identity<'_>,
        whom: Whom,
        now: Millis,
    ) -> Result<()> {
        let Some(version) = links.version(node, ApiKey::OffsetFetch) else { return Ok(()) };
        let partitions: Vec<Partition> = whom.partitions().into_iter().cloned().collect();
        let topics = by_topic(partitions.iter());
        let request = positions::request(version, identity, &topics);
        let written = |writer: &mut _| request.encode(writer, version);
        let purpose = P::group(Purpose::Positions(whom));
        links.send(now, node, (ApiKey::OffsetFetch, version), Some(purpose), &[], written).map_err(unwritable)
    }

    /// Refuses orders that can't be kept any more.
    fn refuse(&mut self, identity: &Identity<'_>) {
        let orders = std::mem::take(&mut self.orders);
        for order in orders {
            let is_of_before = order.generation != identity.generation;
            let has_moved = identity.is_subscribed
                && is_of_before
                && order.offsets.keys().any(|partition| identity.has_moved(partition, order.id));
            if identity.is_subscribed && identity.is_out || has_moved {
                let about = "the partitions were given to another member before the commit";
                let error = ClientError::broker(ErrorCode::ILLEGAL_GENERATION, about);
                self.done.push((order, Err(error)));
            } else {
                self.orders.push_back(order);
            }
        }
    }

    fn commit<P: Spoken>(
        &mut self,
        node: NodeId,
        links: &mut Links<P>,
        identity: &Identity<'_>,
        now: Millis,
    ) -> Result<()> {
        let Some(version) = links.version(node, ApiKey::OffsetCommit) else { return Ok(()) };
        self.refuse(identity);
        let orders: Vec<Commit> = std::mem::take(&mut self.orders).into();
        let mut offsets: BTreeMap<&Partition, &Committed> = BTreeMap::new();
        for order in &orders {
            offsets.extend(&order.offsets);
        }
        if offsets.is_empty() {
            return Ok(());
        }
        let mut topics: Vec<OffsetCommitRequestTopic<'_>> = Vec::new();
        for ((name, partition_index), committed) in offsets {
            let partition = OffsetCommitRequestPartition {
                partition_index: *partition_index,
                committed_offset: committed.offset,
                committed_leader_epoch: if version >= COMMIT_EPOCH { committed.leader_epoch } else { -1 },
                committed_metadata: Some(&committed.metadata),
            };
            match topics.last_mut().filter(|topic| topic.name == &**name) {
                Some(topic) => topic.partitions.push(partition),
                None => {
                    let partitions = vec![partition];
                    topics.push(OffsetCommitRequestTopic { name, partitions, ..Default::default() });
                }
            }
        }
        let is_member = identity.is_subscribed;
        let request = OffsetCommitRequest {
            group_id: identity.group_id,
            generation_id_or_member_epoch: if is_member { identity.generation } else { -1 },
            member_id: if is_member { identity.member_id } else { "" },
            group_instance_id: identity.instance_id.filter(|_| is_member && version >= COMMIT_INSTANCE),
            topics,
            ..Default::default()
        };
        let written = |writer: &mut _| request.encode(writer, version);
        let purpose = P::group(Purpose::Commit);
        let api = (ApiKey::OffsetCommit, version);
        links.send(now, node, api, Some(purpose), &[], written).map_err(unwritable)?;
        self.sent = Some((orders, identity.generation));
        Ok(())
    }

    /// Takes the answer to a commit. Gives the worst code, and whether the generation is the one it was sent in.
    pub fn committed(&mut self, reply: &Reply<'_>, generation: i32, now: Millis) -> (ErrorCode, bool) {
        let Some((orders, sent_in)) = self.sent.take() else { return (ErrorCode::NONE, false) };
        let mut reader = reply.body();
        let response = reader.as_mut().and_then(|r| OffsetCommitResponse::decode(r, reply.version).ok());
        let mut codes: BTreeMap<(&str, i32), ErrorCode> = BTreeMap::new();
        for topic in response.iter().flat_map(|response| &response.topics) {
            for partition in &topic.partitions {
                codes.insert((topic.name, partition.partition_index), ErrorCode(partition.error_code));
            }
        }
        let code_of = |(topic, partition): &Partition| {
            codes.get(&(&**topic, *partition)).copied().unwrap_or(ErrorCode::NETWORK_EXCEPTION)
        };
        let mut worst = ErrorCode::NONE;
        for order in orders.into_iter().rev() {
            let mut failed = order.offsets.keys().map(|partition| (code_of(partition), partition));
            let Some((code, (topic, partition))) = failed.find(|(code, _)| code.is_error()) else {
                self.done.push((order, Ok(())));
                continue;
            };
            worst = code;
            // A stale epoch is followed by the right one: a heartbeat tells it.
            let again = code.retriable()
                || [ErrorCode::STALE_MEMBER_EPOCH, ErrorCode::REBALANCE_IN_PROGRESS].contains(&code);
            if again {
                self.retry_at = now + self.retry_backoff_ms;
                self.orders.push_front(order);
            } else {
                let error = ClientError::broker(code, &format!("commit of {topic}-{partition}"));
                self.done.push((order, Err(error)));
            }
        }
        (worst, sent_in == generation)
    }

    /// Takes the answer to a question for positions.
    pub fn positions(&mut self, reply: &Reply<'_>, whom: Whom, now: Millis) -> ErrorCode {
        if let Whom::Slots(slots) = &whom {
            self.asked.retain(|asked| !slots.contains(asked));
        }
        let (code, found) = match positions::read(reply, &whom.partitions()) {
            Found::Positions(found) => (ErrorCode::NONE, Ok(found)),
            // The member's epoch may be another one by now.
            Found::Refused(code)
                if code.retriable()
                    || [ErrorCode::STALE_MEMBER_EPOCH, ErrorCode::UNKNOWN_MEMBER_ID].contains(&code) =>
            {
                self.retry_at = now + self.retry_backoff_ms;
                if let Whom::User(question) = whom {
                    self.questions.push_back(question);
                }
                return code;
            }
            Found::Refused(code) => (code, Err(ClientError::broker(code, "committed positions"))),
        };
        match whom {
            Whom::User(question) => self.answers.push((question.id, found)),
            Whom::Slots(slots) => {
                for (partition, generation) in slots {
                    let one = found.as_ref().map(|all| all.get(&partition).cloned().flatten());
                    self.found.push((partition, generation, one.map_err(Clone::clone)));
                }
            }
        }
        code
    }

    /// When it has something to do.
    pub fn deadline(&self) -> Option<Millis> {
        let orders = self.orders.iter().map(|order| order.deadline);
        let questions = self.questions.iter().map(|question| question.deadline);
        orders.chain(questions).chain(Some(self.retry_at)).min()
    }
}

pub(super) fn by_topic<'a>(partitions: impl Iterator<Item = &'a Partition>) -> BTreeMap<&'a str, Vec<i32>> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        topics.entry(topic).or_default().push(*partition);
    }
    topics
}
