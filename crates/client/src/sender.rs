//! Sends a producer's batches: who is asked, what is asked again, and when it is given up.
//!
//! A turn of the owner is `collect` (under the lock that the user's threads share), then `transmit` (without it).
//! Every batch that was collected comes to an end: it is acknowledged, refused for good, or its time is up.

use std::collections::BTreeMap;
use std::sync::Arc;

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use barnabas_protocol::generated::produce_response::ProduceResponse;
use barnabas_protocol::wire::Records;
use barnabas_protocol::{Millis, NodeId, Offset};

use crate::accumulator::{Accumulator, Completed, TopicIndex};
use crate::cluster::{Cluster, NO_NODE};
use crate::error::ClientError;
use crate::link::{Answer, Chunk, Links};
use crate::pipeline::{Identity, Pending, Pipeline};
use crate::transactor::{Call, Transactor, TransactorConfig};

mod identity;
mod outcome;
mod transactions;

use outcome::{found, Outcome};

/// What a batch may take when it is read again to be split.
const SPLIT_BYTES_MAX: usize = 1 << 30;

/// A partition by the numbers of this client.
pub type Key = (TopicIndex, usize);

/// The configs of a producer that decide how batches are sent.
#[derive(Debug, Clone)]
pub struct SenderConfig {
    /// `acks`: -1 for all.
    pub acks: i16,
    /// `enable.idempotence`.
    pub idempotent: bool,
    /// `retries`.
    pub retries: u32,
    /// `max.in.flight.requests.per.connection`.
    pub in_flight_max: usize,
    /// `max.request.size`.
    pub max_request_size: usize,
    /// `delivery.timeout.ms`.
    pub delivery_timeout_ms: Millis,
    /// `retry.backoff.ms`.
    pub retry_backoff_ms: Millis,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max_ms: Millis,
    /// Of a producer with a `transactional.id`.
    pub transactions: Option<TransactorConfig>,
}

/// What a producer asks brokers.
#[derive(Debug)]
pub enum Purpose {
    /// Where the leaders are.
    Metadata,
    /// For an id, to be idempotent.
    ProducerId,
    /// To take batches, by partition and number.
    Produce(Vec<(Key, u64)>),
    /// Where the coordinator of the transactional id is.
    Coordinator,
    /// Where the coordinator of a group is, whose offsets become part of a transaction.
    GroupCoordinator,
    /// To do something about the transaction.
    Transaction(Call),
}

/// What may be said of a batch that the broker has.
const MAY_BE_WRITTEN: [ErrorCode; 3] =
    [ErrorCode::NETWORK_EXCEPTION, ErrorCode::REQUEST_TIMED_OUT, ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND];

/// The sending half of a producer.
#[derive(Debug)]
pub struct Sender {
    config: SenderConfig,
    cluster: Cluster,
    links: Links<Purpose>,
    identity: Option<Identity>,
    /// When an id may be asked for; None while one is.
    identity_at: Option<Millis>,
    /// Why there will be none: what waits for one fails.
    identity_refused: Option<ErrorCode>,
    pipelines: BTreeMap<Key, Pipeline>,
    names: Vec<Arc<str>>,
    done: Vec<(Key, Pending, Completed)>,
    /// Halves of split batches, whose numbers the accumulator has yet to give.
    too_large: Vec<(Key, u64)>,
    metadata_changed: bool,
    /// Something was sent that nobody answers.
    unanswered: bool,
    /// Of a transactional producer.
    transactor: Option<Transactor>,
}

impl Sender {
    /// Nothing is known, nothing is sent.
    pub fn new(config: SenderConfig, cluster: Cluster, mut links: Links<Purpose>, now: Millis) -> Sender {
        cluster.bootstrap(&mut links, now);
        Sender {
            identity_at: (config.idempotent && config.transactions.is_none()).then_some(now),
            transactor: config.transactions.clone().map(Transactor::new),
            config,
            cluster,
            links,
            identity: None,
            identity_refused: None,
            pipelines: BTreeMap::new(),
            names: Vec::new(),
            done: Vec::new(),
            too_large: Vec::new(),
            metadata_changed: false,
            unanswered: false,
        }
    }

    /// The connections, for the owner of sockets.
    pub fn links(&mut self) -> &mut Links<Purpose> {
        &mut self.links
    }

    /// Exchanges with what the user's threads share: results go there, batches that are due come from there.
    /// True when somebody may wait for what has happened.
    pub fn collect(&mut self, accumulator: &mut Accumulator, now: Millis) -> bool {
        for name in accumulator.topic_names().skip(self.names.len()) {
            self.cluster.want(name, now);
            self.names.push(name.clone());
        }
        self.split(accumulator);
        self.unanswered = false;
        let mut news = std::mem::take(&mut self.metadata_changed);
        if news {
            self.tell_partitions(accumulator);
        }
        if let Some(refusal) = self.links.take_refusal() {
            accumulator.refuse(refusal);
            news = true;
        }
        self.expire(accumulator, now);
        news |= self.hand_back(accumulator) | self.exchange_transaction(accumulator);
        for key in accumulator.active() {
            if accumulator.ready_at(key).is_some_and(|at| at <= now) && self.can_take(key, now) {
                if let Some(batch) = accumulator.take(key) {
                    self.pipelines.entry(key).or_default().pending.push_back(Pending::new(batch));
                    accumulator.set_on_its_way(key, true);
                }
            }
        }
        let deadline = self.deadline(now);
        let lingering = accumulator.active().into_iter().filter_map(|key| accumulator.ready_at(key));
        // What is due and was not taken waits for an answer or for metadata, which wake the owner anyway.
        let lingering = lingering.filter(|&at| at > now).min();
        let created = accumulator.active().into_iter().filter_map(|key| accumulator.created(key)).min();
        let expiry = created.map(|created| created + self.config.delivery_timeout_ms);
        let at = [deadline, lingering, expiry].into_iter().flatten().min().unwrap_or(Millis::MAX);
        accumulator.sleep_until(at);
        news
    }

    /// Hands over what became of batches; whether there were any.
    fn hand_back(&mut self, accumulator: &mut Accumulator) -> bool {
        let any = !self.done.is_empty();
        for (key, pending, completed) in self.done.drain(..) {
            let (order, memory) = (pending.order, pending.memory);
            accumulator.complete(order, memory, completed, pending.into_buffer());
            let others = self.pipelines.get(&key).is_some_and(|pipeline| !pipeline.pending.is_empty());
            accumulator.set_on_its_way(key, others);
        }
        any
    }

    fn tell_partitions(&self, accumulator: &mut Accumulator) {
        for (name, topic) in self.cluster.topics() {
            let index = accumulator.topic(name);
            let led = topic.partitions.iter().enumerate().filter(|(_, p)| p.leader != NO_NODE);
            let available = led.map(|(index, _)| index).collect();
            accumulator.set_partitions(index, topic.partitions.len(), available, topic.error);
        }
    }

    /// Whether the partition's next batch could be sent in this turn; begins to connect to the leader.
    fn can_take(&mut self, key: Key, now: Millis) -> bool {
        let Some(leader) = self.leader(&self.names[key.0].clone(), key.1) else {
            self.cluster.refresh(now);
            return false;
        };
        let room = self.pipelines.get(&key).is_none_or(|p| p.has_room(self.config.in_flight_max));
        room && self.links.ready(leader, now)
            && self.may_send(leader)
            && (self.identity.is_some() || !self.config.idempotent)
            && self.transactor.as_mut().is_none_or(|transactor| transactor.admits(key))
    }

    /// Whether a request may follow those that are under way. Where nobody answers, what is unsent counts.
    fn may_send(&self, node: NodeId) -> bool {
        match self.config.acks {
            0 => !self.links.has_output(node),
            _ => self.links.in_flight(node) < self.config.in_flight_max,
        }
    }

    fn leader(&self, topic: &str, partition: usize) -> Option<NodeId> {
        let partition = self.cluster.partition(topic, partition as i32)?;
        (partition.leader != NO_NODE).then_some(partition.leader)
    }

    /// Gives up what has waited for `delivery.timeout.ms`, or waits for an id that the cluster refuses; what is in
    /// flight is waited for.
    fn expire(&mut self, accumulator: &mut Accumulator, now: Millis) {
        let born = now - self.config.delivery_timeout_ms;
        let refused = self.identity_refused.take();
        for key in accumulator.active() {
            while accumulator.created(key).is_some_and(|created| created <= born || refused.is_some()) {
                let Some(batch) = accumulator.take(key) else { break };
                self.give_up(key, Pending::new(batch), refused);
            }
        }
        let keys: Vec<Key> = self.pipelines.keys().copied().collect();
        for key in keys {
            while let Some(pipeline) = self.pipelines.get_mut(&key) {
                let late = |pending: &Pending| pending.created <= born && !pending.in_flight;
                let Some(id) = pipeline.pending.iter().find(|p| late(p)).map(|p| p.id) else { break };
                let Some(pending) = pipeline.remove(id) else { break };
                if pending.is_stamped() {
                    pipeline.break_off();
                }
                self.give_up(key, pending, None);
            }
        }
    }

    fn give_up(&mut self, key: Key, pending: Pending, refused: Option<ErrorCode>) {
        let topic = self.names[key.0].clone();
        let error = match refused {
            Some(error) => ClientError::broker(error, "no producer id"),
            None => {
                let (count, timeout) = (pending.count, self.config.delivery_timeout_ms);
                let text =
                    format!("{count} records for {topic}-{} were not delivered in {timeout} ms", key.1);
                ClientError::Timeout(text)
            }
        };
        self.finish(&topic, key, pending, Err(error), -1);
    }

    fn finish(
        &mut self,
        topic: &Arc<str>,
        key: Key,
        mut pending: Pending,
        result: Result<Offset, ClientError>,
        log_append_time: Millis,
    ) {
        if let (Some(transactor), Err(error)) = (&mut self.transactor, &result) {
            transactor.batch_failed(error, pending.is_stamped());
        }
        if result.is_err() {
            self.links.figures().batch_failed(pending.count);
        }
        let reports = std::mem::take(&mut pending.reports);
        let (topic, partition) = (topic.clone(), key.1 as i32);
        self.done.push((key, pending, Completed { topic, partition, result, log_append_time, reports }));
    }

    /// Makes two of batches that a broker found too large, or gives them up where that can't be.
    fn split(&mut self, accumulator: &mut Accumulator) {
        for (key, id) in std::mem::take(&mut self.too_large) {
            let topic = self.names[key.0].clone();
            let Some(pipeline) = self.pipelines.get_mut(&key) else { continue };
            let Some((pending, _)) = pipeline.find(id) else { continue };
            if let Some((first, mut second)) = pending.split(SPLIT_BYTES_MAX) {
                let added = (first.memory + second.memory).saturating_sub(pending.memory);
                // The halves share what the whole counted for, and what they take beyond that.
                second.memory = pending.memory + added - first.memory;
                second.id = accumulator.split(first.order, added);
                pipeline.replace(id, first, second);
            } else if let Some(pending) = pipeline.remove(id) {
                if pending.is_stamped() {
                    pipeline.break_off();
                }
                let error = ClientError::broker(ErrorCode::MESSAGE_TOO_LARGE, &format!("{topic}-{}", key.1));
                self.finish(&topic, key, pending, Err(error), -1);
            }
        }
    }

    /// Sends what can be sent.
    pub fn transmit(&mut self, now: Millis) {
        self.cluster.step(&mut self.links, Purpose::Metadata, now);
        self.ask_for_identity(now);
        match &mut self.transactor {
            Some(transactor) => {
                transactor.step(&mut self.cluster, &mut self.links, &self.names, now);
                self.begin_sequences();
            }
            None => self.restart_sequences(),
        }
        let mut by_leader: BTreeMap<NodeId, Vec<Key>> = BTreeMap::new();
        let known =
            |pipeline: &Pipeline| !self.config.idempotent || pipeline.identity().or(self.identity).is_some();
        let in_flight_max = self.config.in_flight_max;
        let waiting = self.pipelines.iter().filter(|(_, p)| known(p) && p.next(now, in_flight_max).is_some());
        for key in waiting.map(|(&key, _)| key).collect::<Vec<_>>() {
            match self.leader(&self.names[key.0], key.1) {
                Some(leader) => by_leader.entry(leader).or_default().push(key),
                None => self.cluster.refresh(now),
            }
        }
        for (leader, keys) in by_leader {
            self.produce_all(leader, keys, now);
        }
    }

    /// Sends requests of one batch for each partition until nothing more may be sent.
    fn produce_all(&mut self, leader: NodeId, mut keys: Vec<Key>, now: Millis) {
        let max = self.config.in_flight_max;
        while !keys.is_empty() && self.links.ready(leader, now) && self.may_send(leader) {
            let Some(version) = self.links.version(leader, ApiKey::Produce) else { return };
            let version = version.min(self.transactor.as_ref().map_or(i16::MAX, Transactor::produce_highest));
            let (mut size, mut records) = (0, 0);
            let mut sent: Vec<(Key, u64)> = Vec::new();
            let mut chunks: Vec<Chunk> = Vec::new();
            let identity = self.identity;
            for &key in &keys {
                let Some(pipeline) = self.pipelines.get_mut(&key) else { continue };
                let Some(index) = pipeline.next(now, max) else { continue };
                let memory = pipeline.pending[index].memory;
                if !sent.is_empty() && size + memory > self.config.max_request_size {
                    break;
                }
                let pending = &pipeline.pending[index];
                let (id, count) = (pending.id, pending.count);
                let waited = (pending.attempts == 0).then(|| now - pending.created);
                match pipeline.send(index, identity) {
                    Ok(chunk) => {
                        size += memory;
                        records += count as u64;
                        self.links.figures().batch_sent(chunk.len(), count, waited);
                        sent.push((key, id));
                        chunks.push(chunk);
                    }
                    Err(error) => {
                        let removed = pipeline.remove(id);
                        if let Some(pending) = removed {
                            let error = ClientError::Corrupt(error.to_string());
                            self.finish(&self.names[key.0].clone(), key, pending, Err(error), -1);
                        }
                    }
                }
            }
            if sent.is_empty() {
                return;
            }
            self.links.figures().produced.add(records);
            self.produce(leader, version, sent, &chunks, now);
            let pipelines = &self.pipelines;
            keys.retain(|key| pipelines.get(key).is_some_and(|p| p.next(now, max).is_some()));
        }
    }

    fn produce(
        &mut self,
        leader: NodeId,
        version: i16,
        sent: Vec<(Key, u64)>,
        chunks: &[Chunk],
        now: Millis,
    ) {
        let topics: Vec<Arc<str>> = sent.iter().map(|((topic, _), _)| self.names[*topic].clone()).collect();
        let mut topic_data: Vec<TopicProduceData<'_>> = Vec::new();
        let mut last = None;
        for (slot, ((topic, partition), _)) in sent.iter().enumerate() {
            let records = Records::External { index: slot as u32, length: chunks[slot].len() };
            let data = PartitionProduceData { index: *partition as i32, records };
            match topic_data.last_mut().filter(|_| last == Some(*topic)) {
                Some(topic) => topic.partition_data.push(data),
                None => topic_data.push(TopicProduceData {
                    name: &topics[slot],
                    partition_data: vec![data],
                    ..Default::default()
                }),
            }
            last = Some(*topic);
        }
        let timeout_ms = self.links.request_timeout_ms().try_into().unwrap_or(i32::MAX);
        if let Some(transactor) = &mut self.transactor {
            transactor.sent();
        }
        let transactional_id = self.transactor.as_ref().map(Transactor::transactional_id);
        let request = ProduceRequest { transactional_id, acks: self.config.acks, timeout_ms, topic_data };
        let unanswered = (self.config.acks == 0).then(|| sent.clone());
        let purpose = (self.config.acks != 0).then_some(Purpose::Produce(sent));
        let api = (ApiKey::Produce, version);
        let encoded =
            self.links.send(now, leader, api, purpose, chunks, |writer| request.encode(writer, version));
        assert!(encoded.is_ok(), "a produce request of names that brokers know");
        self.unanswered |= unanswered.is_some();
        for (key, id) in unanswered.unwrap_or_default() {
            self.outcome(&self.names[key.0].clone(), key, id, Outcome::of(ErrorCode::NONE), now);
        }
    }

    /// Takes bytes of a broker.
    pub fn received(&mut self, node: NodeId, bytes: &[u8], now: Millis) {
        for answer in self.links.received(node, bytes, now) {
            self.answered(&answer, now);
        }
    }

    /// Lets time pass for requests, and takes those whose connection was lost.
    pub fn settle(&mut self, now: Millis) {
        self.links.expire(now);
        for answer in self.links.take_lost() {
            self.cluster.refresh(now);
            self.answered(&answer, now);
        }
    }

    fn answered(&mut self, answer: &Answer<Purpose>, now: Millis) {
        match &answer.purpose {
            Purpose::Metadata => {
                self.cluster.answered(answer, &mut self.links, now);
                self.metadata_changed = true;
            }
            Purpose::ProducerId => self.identity_answered(answer, now),
            Purpose::Produce(sent) => self.produce_answered(answer, sent, now),
            Purpose::Coordinator | Purpose::GroupCoordinator => {
                if let Some(transactor) = &mut self.transactor {
                    transactor.found(answer, &mut self.links, now);
                }
            }
            Purpose::Transaction(call) => {
                if let Some(transactor) = &mut self.transactor {
                    transactor.answered(answer, call, &self.links, now);
                }
            }
        }
    }

    fn produce_answered(&mut self, answer: &Answer<Purpose>, sent: &[(Key, u64)], now: Millis) {
        let mut reader = answer.body();
        let response = reader.as_mut().and_then(|r| ProduceResponse::decode(r, answer.version).ok());
        for &(key, id) in sent {
            let topic = self.names[key.0].clone();
            let outcome = match &response {
                Some(response) => found(response, &topic, key.1 as i32),
                None => Outcome::of(ErrorCode::NETWORK_EXCEPTION),
            };
            self.outcome(&topic, key, id, outcome, now);
        }
    }

    /// Acts on what became of one batch.
    fn outcome(&mut self, topic: &Arc<str>, key: Key, id: u64, outcome: Outcome, now: Millis) {
        let Some(pipeline) = self.pipelines.get_mut(&key) else { return };
        let Some((pending, _)) = pipeline.find(id) else { return };
        pending.in_flight = false;
        let error = outcome.error;
        match error {
            ErrorCode::NONE | ErrorCode::DUPLICATE_SEQUENCE_NUMBER => {
                if let Some(pending) = pipeline.remove(id) {
                    self.finish(topic, key, pending, Ok(outcome.base_offset), outcome.log_append_time);
                }
                return;
            }
            ErrorCode::MESSAGE_TOO_LARGE => return self.too_large.push((key, id)),
            _ => {}
        }
        let lost_track = [
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
            ErrorCode::UNKNOWN_PRODUCER_ID,
            ErrorCode::INVALID_PRODUCER_EPOCH,
        ]
        .contains(&error);
        if lost_track {
            pipeline.is_absent(id);
        }
        let Some((pending, first)) = pipeline.find(id) else { return };
        pending.unsure |= MAY_BE_WRITTEN.contains(&error);
        // Within a transaction no sequence begins anew: what the broker has lost can't be committed. But a batch is
        // sent again that was refused because an earlier one has not arrived.
        let may_restart =
            self.transactor.is_none() || error == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER && !first;
        let again = pending.is_stamped() && lost_track && may_restart || error.retriable();
        if again && pending.attempts < self.config.retries {
            let backoff = self.config.retry_backoff_ms << pending.attempts.min(16);
            pending.attempts += 1;
            pending.retry_at = now + backoff.min(self.config.retry_backoff_max_ms);
            if lost_track && first {
                // Everything before it is acknowledged: the broker has lost track, not this client.
                pipeline.break_off();
            }
            self.cluster.refresh(now);
            return;
        }
        if let Some(pending) = pipeline.remove(id) {
            if pending.is_stamped() {
                pipeline.break_off();
            }
            let about = format!("{topic}-{}", key.1);
            let failed = match outcome.message {
                Some(message) => ClientError::Broker { code: error, message: format!("{about}: {message}") },
                None => ClientError::broker(error, &about),
            };
            self.finish(topic, key, pending, Err(failed), -1);
        }
    }

    /// When the owner has to look again if nothing happens.
    pub fn deadline(&self, now: Millis) -> Option<Millis> {
        let retries = self.pipelines.values().filter_map(Pipeline::retry_at);
        let oldest = self.pipelines.values().flat_map(|pipeline| &pipeline.pending);
        let expiry = oldest.filter(|p| !p.in_flight).map(|p| p.created + self.config.delivery_timeout_ms);
        let wanted = [self.links.deadline(now), self.cluster.deadline()];
        let identity = self.identity_at.filter(|_| self.identity.is_none());
        let transaction = self.transactor.as_ref().and_then(Transactor::deadline);
        let at = retries.chain(expiry).chain(wanted.into_iter().flatten()).chain(identity).chain(transaction);
        at.filter(|&at| at > now).min()
    }

    /// Whether a turn would do something at once.
    pub fn has_news(&self) -> bool {
        !self.done.is_empty()
            || self.identity_refused.is_some()
            || self.metadata_changed
            || self.unanswered
            || !self.too_large.is_empty()
            || self.transactor.as_ref().is_some_and(Transactor::has_news)
    }

    /// Gives up all that is not done, at the end.
    pub fn abandon(&mut self, accumulator: &mut Accumulator) {
        for key in accumulator.active() {
            while let Some(batch) = accumulator.take(key) {
                self.pipelines.entry(key).or_default().pending.push_back(Pending::new(batch));
            }
        }
        for (key, pipeline) in std::mem::take(&mut self.pipelines) {
            let topic = self.names[key.0].clone();
            for pending in pipeline.pending {
                self.finish(&topic, key, pending, Err(ClientError::Closed), -1);
            }
        }
        self.hand_back(accumulator);
    }
}
