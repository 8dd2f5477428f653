//! A share consumer's engine (KIP-932): a member of a share group that takes records from the leaders of its
//! partitions, and tells them what became of each.
//!
//! A turn of the owner is `exchange` (under the lock that the user's threads share), then `transmit` (without it).
//!
//! Always true:
//!   records are asked for only while a user asks for some and has none waiting: nothing is taken from others in vain
//!   what became of a record is told to who gave it, in the session in which it did: in no other would it count

pub mod acknowledgements;
pub mod acquired;
pub mod config;
pub mod desk;
pub mod member;
mod requests;
pub mod session;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::share_acknowledge_response::ShareAcknowledgeResponse;
use barnabas_protocol::generated::share_fetch_response::{PartitionData, ShareFetchResponse};
use barnabas_protocol::{Millis, NodeId, TopicId};

use crate::cluster::{Cluster, NO_NODE};
use crate::coordinator::{Coordinator, Kind};
use crate::error::ClientError;
use crate::link::{Answer, Links};
use crate::share::acquired::read;
use crate::share::config::ShareConfig;
use crate::share::desk::{Acknowledged, Desk, Ready};
use crate::share::member::{not_served, Member};
use crate::share::session::{Place, ShareSession, Told};

/// How long after it was asked for records a user still counts as waiting for them.
const ASKING_MS: Millis = 2_000;
/// ShareFetch and ShareAcknowledge: `share.acquire.mode` and renewals come with this version.
const MODES: i16 = 2;

/// What a share consumer asks brokers.
#[derive(Debug)]
pub enum Purpose {
    /// Where the leaders are.
    Metadata,
    /// Where the coordinator is.
    Coordinator,
    /// ShareGroupHeartbeat.
    Heartbeat,
    /// ShareFetch, and what was said with it.
    Fetch(Told),
    /// ShareAcknowledge.
    Acknowledge {
        /// What was said.
        told: Told,
        /// Whether it has ended the session.
        is_last: bool,
    },
}

/// What came, on its way to the desk.
#[derive(Debug)]
enum News {
    Records(Ready),
    Acknowledged(Acknowledged),
    Failed(ClientError),
    /// A session has ended, and what was given in it is others'.
    Lost(NodeId),
    LockTimeout(i32),
}

/// The engine.
#[derive(Debug)]
pub struct ShareEngine {
    config: Arc<ShareConfig>,
    cluster: Cluster,
    links: Links<Purpose>,
    coordinator: Coordinator,
    member: Member,
    sessions: BTreeMap<NodeId, ShareSession>,
    /// Names of topics by their ids, as far as something was assigned of them.
    names: BTreeMap<TopicId, Arc<str>>,
    news: Vec<News>,
    /// Whether the user waits for records.
    is_asked: bool,
    is_subscribed: bool,
    is_leaving: bool,
    polled_at: Millis,
    /// Who was asked last, where one broker is asked at a time.
    turn: NodeId,
    /// After an error: not before.
    retry_at: Millis,
}

impl ShareEngine {
    /// Nothing is read.
    pub fn new(config: ShareConfig, cluster: Cluster, mut links: Links<Purpose>, now: Millis) -> ShareEngine {
        cluster.bootstrap(&mut links, now);
        let config = Arc::new(config);
        ShareEngine {
            coordinator: Coordinator::new(Kind::Group, &config.group_id, config.retry_backoff_ms),
            member: Member::new(config.clone()),
            config,
            cluster,
            links,
            sessions: BTreeMap::new(),
            names: BTreeMap::new(),
            news: Vec::new(),
            is_asked: false,
            is_subscribed: false,
            is_leaving: false,
            polled_at: 0,
            turn: NO_NODE,
            retry_at: Millis::MIN,
        }
    }

    /// The connections, for the owner of sockets.
    pub fn links(&mut self) -> &mut Links<Purpose> {
        &mut self.links
    }

    /// Exchanges with the user's threads. True when somebody may wait for what has happened.
    pub fn exchange(&mut self, desk: &mut Desk, now: Millis) -> bool {
        let mut came = false;
        for news in std::mem::take(&mut self.news) {
            came = true;
            tell(desk, news);
        }
        if let Some(refusal) = self.links.take_refusal() {
            desk.refusal = Some(refusal);
            came = true;
        } else if self.links.problem().is_none() {
            desk.refusal = None;
        }
        for (node, place, said) in std::mem::take(&mut desk.pending) {
            self.sessions.entry(node).or_default().say(place, said, true);
        }
        self.polled_at = desk.polled_at;
        self.is_leaving = desk.leaving;
        self.is_subscribed = desk.wanted.is_some();
        self.is_asked = self.is_subscribed && desk.ready.is_empty() && now - desk.polled_at < ASKING_MS;
        if desk.leaving {
            came |= self.leave(desk);
        } else {
            for topic in desk.wanted.iter().flatten() {
                self.cluster.want(topic, now);
            }
            self.member.step(desk.wanted.as_ref(), desk.polled_at, now);
        }
        came
    }

    /// Ends the sessions, then the membership. True when that is done.
    fn leave(&mut self, desk: &mut Desk) -> bool {
        let is_told = self.sessions.values().all(|session| !session.is_open() && !session.is_asking());
        if is_told {
            self.member.leave();
        }
        if !is_told || !self.member.has_left() || !desk.is_settled() {
            return false;
        }
        (desk.leaving, desk.has_left) = (false, true);
        true
    }

    /// Sends what is due.
    pub fn transmit(&mut self, now: Millis) {
        self.cluster.step(&mut self.links, Purpose::Metadata, now);
        if self.is_subscribed || !self.member.has_left() {
            let purpose = || Purpose::Coordinator;
            let node = self.coordinator.step(&mut self.cluster, &mut self.links, purpose, now);
            let sent = node.map_or(Ok(()), |node| self.member.transmit(node, &mut self.links, now));
            if let Err(error) = sent {
                self.fail(error, now);
            }
        }
        let mut wanted = self.wanted(now);
        let nodes: BTreeSet<NodeId> = self.sessions.keys().chain(wanted.keys()).copied().collect();
        for &node in nodes.range(self.turn + 1..).chain(nodes.range(..=self.turn)) {
            self.converse(node, wanted.remove(&node).unwrap_or_default(), now);
        }
    }

    /// What is to be asked for next, by leader.
    fn wanted(&mut self, now: Millis) -> BTreeMap<NodeId, BTreeSet<Place>> {
        let mut wanted: BTreeMap<NodeId, BTreeSet<Place>> = BTreeMap::new();
        if !self.is_asked || self.is_leaving || now < self.retry_at {
            return wanted;
        }
        for (name, topic) in self.cluster.topics() {
            self.names.entry(topic.id).or_insert_with(|| name.into());
        }
        let mut is_missing = false;
        for &place in self.member.assigned() {
            let name = self.names.get(&place.0);
            let known = name.and_then(|name| self.cluster.partition(name, place.1));
            match known.filter(|known| known.leader != NO_NODE) {
                Some(known) => drop(wanted.entry(known.leader).or_default().insert(place)),
                None => is_missing = true,
            }
        }
        if is_missing {
            self.cluster.refresh(now);
        }
        wanted
    }

    /// Sends one broker what is due in its session.
    fn converse(&mut self, node: NodeId, wanted: BTreeSet<Place>, now: Millis) {
        let session = self.sessions.entry(node).or_default();
        if session.is_asking() {
            return;
        }
        if session.has_to_tell() && !session.is_open() {
            return self.lose(node, ErrorCode::SHARE_SESSION_NOT_FOUND);
        }
        let fetches = !wanted.is_empty() && session.tells_with(&wanted);
        let is_last = self.is_leaving && session.is_open();
        if !(fetches || is_last || session.has_to_tell()) || !self.links.ready(node, now) {
            return;
        }
        // Where no more than so many records may come, one broker is asked after the other.
        let waits = self.config.is_limited && self.sessions.values().any(ShareSession::is_asking);
        let sent = match fetches {
            true if waits => Ok(()),
            true => self.fetch(node, wanted, now),
            false => self.acknowledge(node, is_last, now),
        };
        if let Err(error) = sent {
            self.lose(node, ErrorCode::UNSUPPORTED_VERSION);
            self.fail(error, now);
        }
    }

    fn fetch(&mut self, node: NodeId, wanted: BTreeSet<Place>, now: Millis) -> Result<(), ClientError> {
        let version = self.links.version(node, ApiKey::ShareFetch).ok_or_else(not_served)?;
        if self.config.is_limited && version < MODES {
            let about = "share.acquire.mode=record_limit is more than the broker speaks";
            return Err(ClientError::broker(ErrorCode::UNSUPPORTED_VERSION, about));
        }
        let order = self.sessions.entry(node).or_default().fetch(wanted);
        self.turn = node;
        let request = requests::fetch(&self.config, &order);
        let api = (ApiKey::ShareFetch, version);
        let purpose = Some(Purpose::Fetch(order.told));
        self.links
            .send(now, node, api, purpose, &[], |writer| request.encode(writer, version))
            .map_err(crate::group::unwritable)
    }

    fn acknowledge(&mut self, node: NodeId, is_last: bool, now: Millis) -> Result<(), ClientError> {
        let version = self.links.version(node, ApiKey::ShareAcknowledge).ok_or_else(not_served)?;
        let (epoch, told) = self.sessions.entry(node).or_default().tell(is_last);
        if told.renews() && version < MODES {
            let about = "a renewal is more than the broker speaks";
            self.answer_all(&told, ErrorCode::UNSUPPORTED_VERSION, None);
            return Err(ClientError::broker(ErrorCode::UNSUPPORTED_VERSION, about));
        }
        let request = requests::acknowledge(&self.config, epoch, &told);
        let api = (ApiKey::ShareAcknowledge, version);
        let purpose = Some(Purpose::Acknowledge { told, is_last });
        self.links
            .send(now, node, api, purpose, &[], |writer| request.encode(writer, version))
            .map_err(crate::group::unwritable)
    }

    fn fail(&mut self, error: ClientError, now: Millis) {
        self.member.failed(now);
        self.news.push(News::Failed(error));
    }

    /// The session with a broker is over: what was to be said in it is said in vain.
    fn lose(&mut self, node: NodeId, code: ErrorCode) {
        if let Some(mut session) = self.sessions.remove(&node) {
            let told = session.end();
            self.answer_all(&told, code, None);
        }
        self.news.push(News::Lost(node));
    }

    /// Tells the user the same of all that was said.
    fn answer_all(&mut self, told: &Told, code: ErrorCode, message: Option<&str>) {
        for (place, offsets) in &told.reported {
            self.answer(*place, offsets, code, message);
        }
    }

    fn answer(&mut self, place: Place, offsets: &[i64], code: ErrorCode, message: Option<&str>) {
        let (topic, index) = (self.name(place.0), place.1);
        let error = code.is_error().then(|| match message {
            Some(message) => ClientError::Broker { code, message: format!("{topic}-{index}: {message}") },
            None => ClientError::broker(code, &format!("{topic}-{index}")),
        });
        let (partition, offsets) = ((topic, index), offsets.to_vec());
        self.news.push(News::Acknowledged(Acknowledged { partition, offsets, error }));
    }

    fn name(&self, id: TopicId) -> Arc<str> {
        self.names.get(&id).cloned().unwrap_or_else(|| Arc::from(id.to_string()))
    }

    /// Takes bytes of a broker.
    pub fn received(&mut self, node: NodeId, bytes: &[u8], now: Millis) {
        for answer in self.links.received(node, bytes, now) {
            self.answered(answer, now);
        }
    }

    /// Lets time pass for requests, and takes those whose connection was lost; sessions end with theirs.
    pub fn settle(&mut self, now: Millis) {
        self.links.expire(now);
        for answer in self.links.take_lost() {
            self.cluster.refresh(now);
            self.answered(answer, now);
        }
        let gone = |(node, session): (&NodeId, &ShareSession)| {
            (session.is_open() && !self.links.is_usable(*node)).then_some(*node)
        };
        for node in self.sessions.iter().filter_map(gone).collect::<Vec<_>>() {
            self.lose(node, ErrorCode::NETWORK_EXCEPTION);
        }
    }

    fn answered(&mut self, mut answer: Answer<Purpose>, now: Millis) {
        match std::mem::replace(&mut answer.purpose, Purpose::Metadata) {
            Purpose::Metadata => self.cluster.answered(&answer, &mut self.links, now),
            Purpose::Coordinator => {
                if let Err(error) = self.coordinator.answered(&answer, &mut self.links, now) {
                    self.fail(error, now);
                }
            }
            Purpose::Heartbeat => match self.member.heard(&answer, now) {
                Ok(code) => drop(self.coordinator.refused(&answer, code, now)),
                Err(error) => self.fail(error, now),
            },
            Purpose::Fetch(told) => self.fetch_answered(answer, &told, now),
            Purpose::Acknowledge { told, is_last } => {
                self.acknowledge_answered(&answer, &told, is_last, now);
            }
        }
    }

    fn back_off(&mut self, now: Millis) {
        self.retry_at = now + self.config.retry_backoff_ms;
        self.cluster.refresh(now);
    }

    /// The whole request came to nothing.
    fn refused(&mut self, node: NodeId, told: &Told, code: ErrorCode, now: Millis) {
        self.answer_all(told, code, None);
        self.lose(node, code);
        self.back_off(now);
        let is_known = [
            ErrorCode::SHARE_SESSION_NOT_FOUND,
            ErrorCode::INVALID_SHARE_SESSION_EPOCH,
            ErrorCode::SHARE_SESSION_LIMIT_REACHED,
            ErrorCode::UNKNOWN_SERVER_ERROR,
        ];
        if !code.retriable() && !is_known.contains(&code) {
            let error = ClientError::broker(code, &format!("group {}", self.config.group_id));
            self.news.push(News::Failed(error));
        }
    }

    fn fetch_answered(&mut self, answer: Answer<Purpose>, told: &Told, now: Millis) {
        let Some((frame, body_at)) = answer.frame else {
            return self.refused(answer.node, told, ErrorCode::NETWORK_EXCEPTION, now);
        };
        let frame = Arc::new(frame);
        let mut reader = barnabas_protocol::wire::Reader::new(&frame[body_at..]);
        let Ok(response) = ShareFetchResponse::decode(&mut reader, answer.version) else {
            self.links.close(answer.node, now);
            return self.refused(answer.node, told, ErrorCode::NETWORK_EXCEPTION, now);
        };
        let code = ErrorCode(response.error_code);
        if code.is_error() {
            return self.refused(answer.node, told, code, now);
        }
        self.sessions.entry(answer.node).or_default().answered();
        if response.acquisition_lock_timeout_ms > 0 {
            self.news.push(News::LockTimeout(response.acquisition_lock_timeout_ms));
        }
        let mut unheard = told.clone();
        for topic in &response.responses {
            for data in &topic.partitions {
                let place = (topic.topic_id, data.partition_index);
                if let Some(offsets) = unheard.reported.remove(&place) {
                    let code = ErrorCode(data.acknowledge_error_code);
                    self.answer(place, &offsets, code, data.acknowledge_error_message);
                }
                self.partition_answered(answer.node, place, &frame, data, now);
            }
        }
        self.answer_all(&unheard, ErrorCode::UNKNOWN_SERVER_ERROR, None);
    }

    fn partition_answered(
        &mut self,
        node: NodeId,
        place: Place,
        frame: &Arc<Vec<u8>>,
        data: &PartitionData<'_>,
        now: Millis,
    ) {
        let partition = (self.name(place.0), place.1);
        let code = ErrorCode(data.error_code);
        if code.is_error() {
            self.back_off(now);
            let may_pass = code.retriable() || code == ErrorCode::UNKNOWN_SERVER_ERROR;
            if !may_pass && code != ErrorCode::UNKNOWN_TOPIC_ID {
                let about = format!("{}-{}", partition.0, partition.1);
                self.news.push(News::Failed(ClientError::broker(code, &about)));
            }
            return;
        }
        let Some(bytes) = data.records.bytes() else { return };
        let start = bytes.as_ptr() as usize - frame.as_ptr() as usize;
        let range = start..start + bytes.len();
        let Some(acquired) = read(frame, range, &data.acquired_records, self.config.check_crcs) else {
            // The broker gives the records to others once the connection is gone.
            return self.links.close(node, now);
        };
        if !acquired.spare.is_empty() {
            self.sessions.entry(node).or_default().say(place, acquired.spare, false);
        }
        for acquired in acquired.batches {
            self.news.push(News::Records(Ready { partition: partition.clone(), place, node, acquired }));
        }
        if let Some(error) = acquired.error {
            let about = format!("{}-{}: {error}", partition.0, partition.1);
            self.news.push(News::Failed(ClientError::Corrupt(about)));
        }
    }

    fn acknowledge_answered(&mut self, answer: &Answer<Purpose>, told: &Told, is_last: bool, now: Millis) {
        let mut reader = answer.body();
        let response = reader.as_mut().and_then(|r| ShareAcknowledgeResponse::decode(r, answer.version).ok());
        let Some(response) = response else {
            return self.refused(answer.node, told, ErrorCode::NETWORK_EXCEPTION, now);
        };
        let code = ErrorCode(response.error_code);
        if code.is_error() {
            return self.refused(answer.node, told, code, now);
        }
        let mut unheard = told.clone();
        for topic in &response.responses {
            for data in &topic.partitions {
                let place = (topic.topic_id, data.partition_index);
                if let Some(offsets) = unheard.reported.remove(&place) {
                    self.answer(place, &offsets, ErrorCode(data.error_code), data.error_message);
                }
            }
        }
        self.answer_all(&unheard, ErrorCode::UNKNOWN_SERVER_ERROR, None);
        match is_last {
            true => self.lose(answer.node, ErrorCode::SHARE_SESSION_NOT_FOUND),
            false => self.sessions.entry(answer.node).or_default().answered(),
        }
    }

    /// When the owner has to look again if nothing happens.
    pub fn deadline(&self, now: Millis) -> Option<Millis> {
        let mut at = vec![self.links.deadline(now), self.cluster.deadline(), Some(self.retry_at)];
        if self.is_subscribed || !self.member.has_left() {
            at.extend([self.coordinator.deadline(), self.member.deadline(self.polled_at)]);
        }
        at.into_iter().flatten().filter(|&at| at > now).min()
    }

    /// Whether a turn would do something at once.
    pub fn has_news(&self) -> bool {
        !self.news.is_empty()
    }
}

fn tell(desk: &mut Desk, news: News) {
    match news {
        News::Records(_) if desk.leaving => {}
        News::Records(ready) => desk.ready.push_back(ready),
        News::Acknowledged(result) => desk.answer(result),
        News::Failed(error) => desk.fail(error),
        News::Lost(node) => desk.lose(node),
        News::LockTimeout(timeout_ms) => desk.lock_timeout_ms = Some(timeout_ms),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::config::ShareConfig;

    pub(crate) fn config() -> ShareConfig {
        ShareConfig {
            group_id: "g".to_string(),
            member_id: "m".to_string(),
            rack: String::new(),
            is_explicit: false,
            is_limited: false,
            max_poll_records: 500,
            max_poll_interval_ms: 300_000,
            fetch_min_bytes: 1,
            fetch_max_bytes: 1 << 20,
            fetch_max_wait_ms: 500,
            check_crcs: true,
            retry_backoff_ms: 100,
        }
    }
}
