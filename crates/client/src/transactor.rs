//! The sender's half of transactions: what the coordinators are asked, one request after another.
//!
//! Always true:
//!   one request to a coordinator is in flight at most
//!   no record of a partition is sent before the coordinator knows of the partition, or is told of it by the leader
//!   (transaction version 2, KIP-890)
//!   a transaction ends once everything of it is answered or given up, and the next one has another epoch wherever
//!   something of this one may still arrive

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use barnabas_protocol::api::ApiKey;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::add_offsets_to_txn_request::AddOffsetsToTxnRequest;
use barnabas_protocol::generated::add_offsets_to_txn_response::AddOffsetsToTxnResponse;
use barnabas_protocol::generated::add_partitions_to_txn_request::AddPartitionsToTxnRequest;
use barnabas_protocol::generated::add_partitions_to_txn_response::AddPartitionsToTxnResponse;
use barnabas_protocol::generated::end_txn_request::EndTxnRequest;
use barnabas_protocol::generated::end_txn_response::EndTxnResponse;
use barnabas_protocol::generated::init_producer_id_request::InitProducerIdRequest;
use barnabas_protocol::generated::init_producer_id_response::InitProducerIdResponse;
use barnabas_protocol::generated::txn_offset_commit_request::TxnOffsetCommitRequest;
use barnabas_protocol::generated::txn_offset_commit_response::TxnOffsetCommitResponse;
use barnabas_protocol::{Millis, NodeId};

use crate::cluster::Cluster;
use crate::coordinator::{Coordinator, Kind};
use crate::error::ClientError;
use crate::link::{Answer, Links};
use crate::pipeline::Identity;
use crate::sender::{Key, Purpose};
use crate::transaction::{End, Offsets, Transaction};

mod topics;

use topics::{offsets_by_topic, topics_of};

/// AddPartitionsToTxn is for brokers among themselves from the next version on.
const ADD_PARTITIONS_HIGHEST: i16 = 3;
/// The last versions that know no transaction version 2.
const END_TXN_V1: i16 = 4;
/// As above.
const TXN_OFFSET_COMMIT_V1: i16 = 4;
/// As above; what brokers do with transactional Produce requests depends on it.
const PRODUCE_V1: i16 = 11;
/// TxnOffsetCommit names topics from the next version on.
const TXN_OFFSET_COMMIT_BY_NAME: i16 = 5;
/// InitProducerId can raise the epoch of a producer that is known from this version on (KIP-360).
const BUMPS_EPOCH: i16 = 3;
/// The `transaction.version` in which each transaction has an epoch of its own (KIP-890).
const EPOCH_EACH: i16 = 2;
/// Pause while the coordinator still writes the markers of the transaction before.
const CONCURRENT_BACKOFF_MS: Millis = 20;

/// The configs of a transactional producer.
#[derive(Debug, Clone)]
pub struct TransactorConfig {
    /// `transactional.id`.
    pub transactional_id: String,
    /// `transaction.timeout.ms`.
    pub timeout_ms: i32,
    /// `retry.backoff.ms`.
    pub retry_backoff_ms: Millis,
}

/// A request to a coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// For an id and an epoch, which ends what an earlier producer has left open.
    Init,
    /// To take partitions into the transaction.
    AddPartitions(Vec<Key>),
    /// To take a group's offsets into it.
    AddOffsets,
    /// To commit offsets as a part of it.
    CommitOffsets,
    /// To end it.
    End(End),
}

/// What is to be told to the user's side.
#[derive(Debug)]
enum Event {
    Ready,
    OffsetsDone,
    Failed(ClientError),
    Fatal(ClientError),
}

/// What the answer to a request means.
enum Verdict {
    Done,
    Again,
    Abort(ErrorCode),
    Stop(ErrorCode),
}

/// Keeps the coordinators informed.
#[derive(Debug)]
pub struct Transactor {
    config: TransactorConfig,
    coordinator: Coordinator,
    /// Of the group whose offsets are committed.
    group: Option<Coordinator>,
    identity: Option<Identity>,
    /// A new epoch was given, and the sender has not taken it.
    identity_changed: bool,
    /// Each transaction gets an epoch of its own (KIP-890).
    epoch_each: bool,
    in_flight: bool,
    retry_at: Millis,
    /// The coordinator knows of the open transaction, or will when what was sent arrives.
    started: bool,
    /// A call whose answer was lost: nobody knows whether the coordinator has begun the transaction because of it,
    /// and so it is repeated even while the transaction is given up.
    unsure: Option<Call>,
    /// Partitions that the coordinator knows of, and those it is to be told of.
    added: BTreeSet<Key>,
    wanted: BTreeSet<Key>,
    /// Offsets that wait, and whether the coordinator knows of the group of the first ones.
    offsets: VecDeque<Offsets>,
    group_added: bool,
    ending: Option<End>,
    /// Everything of the transaction is answered or given up.
    is_drained: bool,
    /// The epoch has to be raised before the next transaction.
    bump: bool,
    /// The coordinator has forgotten the producer: there is no transaction that it could end.
    forgotten: bool,
    is_stopped: bool,
    events: Vec<Event>,
}

impl Transactor {
    /// Asks for an id at once.
    pub fn new(config: TransactorConfig) -> Transactor {
        Transactor {
            coordinator: Coordinator::new(
                Kind::Transaction,
                &config.transactional_id,
                config.retry_backoff_ms,
            ),
            config,
            group: None,
            identity: None,
            identity_changed: false,
            epoch_each: false,
            in_flight: false,
            retry_at: Millis::MIN,
            started: false,
            unsure: None,
            added: BTreeSet::new(),
            wanted: BTreeSet::new(),
            offsets: VecDeque::new(),
            group_added: false,
            ending: None,
            is_drained: false,
            bump: false,
            forgotten: false,
            is_stopped: false,
            events: Vec::new(),
        }
    }

    /// `transactional.id`.
    pub fn transactional_id(&self) -> &str {
        &self.config.transactional_id
    }

    /// The highest version of Produce.
    pub fn produce_highest(&self) -> i16 {
        if self.epoch_each {
            i16::MAX
        } else {
            PRODUCE_V1
        }
    }

    /// A new id or epoch, once; nothing of the one before is under way.
    pub fn take_identity(&mut self) -> Option<Identity> {
        std::mem::take(&mut self.identity_changed).then_some(self.identity).flatten()
    }

    /// Whether batches of the partition may be sent; if not, that is seen to.
    pub fn admits(&mut self, key: Key) -> bool {
        if self.identity.is_none() || self.is_stopped {
            return false;
        }
        if !self.epoch_each && !self.added.contains(&key) {
            self.wanted.insert(key);
            return false;
        }
        true
    }

    /// A batch of the transaction is on its way.
    pub fn sent(&mut self) {
        self.started = true;
    }

    /// A batch was given up or refused. `may_arrive`: it was sent before, or is a gap in the sequence.
    pub fn batch_failed(&mut self, error: &ClientError, may_arrive: bool) {
        self.bump |= may_arrive;
        if *error == ClientError::Aborted {
            return;
        }
        let fatal = [
            ErrorCode::PRODUCER_FENCED,
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            ErrorCode::UNSUPPORTED_VERSION,
        ];
        match error {
            ClientError::Broker { code, .. } if fatal.contains(code) => self.stop(error.clone()),
            _ => self.events.push(Event::Failed(error.clone())),
        }
    }

    fn stop(&mut self, error: ClientError) {
        self.is_stopped = true;
        self.events.push(Event::Fatal(error));
    }

    /// Exchanges with the user's side; `is_drained`: no record waits or is on its way. True when somebody may wait
    /// for what has happened.
    pub fn exchange(&mut self, shared: &mut Transaction, is_drained: bool) -> bool {
        let news = !self.events.is_empty();
        for event in self.events.drain(..) {
            match event {
                Event::Ready => shared.ready(),
                Event::OffsetsDone => shared.offsets_done(),
                Event::Failed(error) => shared.fail(error),
                Event::Fatal(error) => shared.fail_for_good(error),
            }
        }
        self.offsets.extend(shared.take_offsets());
        if shared.is_given_up() {
            self.wanted.clear();
            // What is unsure is repeated for the first group.
            self.offsets.truncate(usize::from(self.unsure == Some(Call::AddOffsets)));
        }
        self.ending = shared.ending();
        self.is_drained = is_drained;
        news
    }

    /// What is to be asked next.
    fn next(&self) -> Option<Call> {
        if self.unsure.is_some() {
            return self.unsure.clone();
        }
        let ends = self.ending.is_some() && self.is_drained;
        let is_over = ends && (self.forgotten || !self.started);
        if self.identity.is_none() || is_over && self.bump {
            return Some(Call::Init);
        }
        if !self.wanted.is_empty() {
            return Some(Call::AddPartitions(self.wanted.iter().copied().collect()));
        }
        if !self.offsets.is_empty() {
            let known = self.group_added || self.epoch_each;
            return Some(if known { Call::CommitOffsets } else { Call::AddOffsets });
        }
        self.ending.filter(|_| ends && !is_over).map(Call::End)
    }

    /// Asks what is to be asked, if that can be done now.
    pub fn step(
        &mut self,
        cluster: &mut Cluster,
        links: &mut Links<Purpose>,
        names: &[Arc<str>],
        now: Millis,
    ) {
        if self.in_flight || self.is_stopped {
            return;
        }
        let Some(call) = self.next() else {
            if self.ending.is_some() && self.is_drained {
                self.finish(); // Nothing of it was ever sent.
            }
            return;
        };
        if self.retry_at > now {
            return;
        }
        let node = match call {
            Call::CommitOffsets => self.group_node(cluster, links, now),
            _ => self.coordinator.step(cluster, links, || Purpose::Coordinator, now),
        };
        if let Some(node) = node {
            self.ask(node, call, links, names, now);
        }
    }

    fn group_node(
        &mut self,
        cluster: &mut Cluster,
        links: &mut Links<Purpose>,
        now: Millis,
    ) -> Option<NodeId> {
        let id = &self.offsets.front()?.0.group_id;
        if self.group.as_ref().is_none_or(|group| group.key() != id) {
            self.group = Some(Coordinator::new(Kind::Group, id, self.config.retry_backoff_ms));
        }
        self.group.as_mut()?.step(cluster, links, || Purpose::GroupCoordinator, now)
    }

    fn api(&self, call: &Call) -> (ApiKey, i16) {
        let limited = |highest| if self.epoch_each { i16::MAX } else { highest };
        match call {
            Call::Init => (ApiKey::InitProducerId, i16::MAX),
            Call::AddPartitions(_) => (ApiKey::AddPartitionsToTxn, ADD_PARTITIONS_HIGHEST),
            Call::AddOffsets => (ApiKey::AddOffsetsToTxn, i16::MAX),
            Call::CommitOffsets => {
                (ApiKey::TxnOffsetCommit, limited(TXN_OFFSET_COMMIT_V1).min(TXN_OFFSET_COMMIT_BY_NAME))
            }
            Call::End(_) => (ApiKey::EndTxn, limited(END_TXN_V1)),
        }
    }

    fn ask(&mut self, node: NodeId, call: Call, links: &mut Links<Purpose>, names: &[Arc<str>], now: Millis) {
        let (api, highest) = self.api(&call);
        let Some(version) = links.version(node, api).map(|version| version.min(highest)) else {
            let what = format!("the broker does not know {}", api.name());
            return self.stop(ClientError::broker(ErrorCode::UNSUPPORTED_VERSION, &what));
        };
        if call == Call::Init && self.identity.is_some() && version < BUMPS_EPOCH {
            // Before Kafka 2.5 nothing else keeps what may still arrive out of the next transaction.
            let what = "the producer can't go on after a failed transaction";
            return self.stop(ClientError::broker(ErrorCode::UNSUPPORTED_VERSION, what));
        }
        let id = &self.config.transactional_id;
        let Identity { id: producer_id, epoch: producer_epoch } =
            self.identity.unwrap_or(Identity { id: -1, epoch: -1 });
        let to = (api, version);
        let purpose = Some(Purpose::Transaction(call.clone()));
        let sent = match &call {
            Call::Init => {
                let request = InitProducerIdRequest {
                    transactional_id: Some(id),
                    transaction_timeout_ms: self.config.timeout_ms,
                    producer_id,
                    producer_epoch,
                    ..Default::default()
                };
                links.send(now, node, to, purpose, &[], |writer| request.encode(writer, version))
            }
            Call::AddPartitions(keys) => {
                let request = AddPartitionsToTxnRequest {
                    v3_and_below_transactional_id: id,
                    v3_and_below_producer_id: producer_id,
                    v3_and_below_producer_epoch: producer_epoch,
                    v3_and_below_topics: topics_of(keys, names),
                    ..Default::default()
                };
                links.send(now, node, to, purpose, &[], |writer| request.encode(writer, version))
            }
            Call::AddOffsets => {
                let Some((group, _)) = self.offsets.front() else { return };
                let group_id = &group.group_id;
                let request =
                    AddOffsetsToTxnRequest { transactional_id: id, producer_id, producer_epoch, group_id };
                links.send(now, node, to, purpose, &[], |writer| request.encode(writer, version))
            }
            Call::CommitOffsets => {
                let Some((group, offsets)) = self.offsets.front() else { return };
                let request = TxnOffsetCommitRequest {
                    transactional_id: id,
                    group_id: &group.group_id,
                    producer_id,
                    producer_epoch,
                    generation_id_or_member_epoch: group.generation,
                    member_id: &group.member_id,
                    group_instance_id: group.group_instance_id.as_deref(),
                    topics: offsets_by_topic(offsets),
                };
                links.send(now, node, to, purpose, &[], |writer| request.encode(writer, version))
            }
            Call::End(end) => {
                let committed = *end == End::Commit;
                let request = EndTxnRequest { transactional_id: id, producer_id, producer_epoch, committed };
                links.send(now, node, to, purpose, &[], |writer| request.encode(writer, version))
            }
        };
        match sent {
            Ok(()) => {
                self.in_flight = true;
                // In version 2 this call itself begins a transaction.
                self.started |= call == Call::CommitOffsets;
            }
            Err(error) => self.stop(ClientError::Corrupt(error.to_string())),
        }
    }

    /// Takes the answer of a look-up: of the transaction's coordinator, or of the group's.
    pub fn found(&mut self, answer: &Answer<Purpose>, links: &mut Links<Purpose>, now: Millis) {
        let of_group = matches!(answer.purpose, Purpose::GroupCoordinator);
        let coordinator = if of_group { self.group.as_mut() } else { Some(&mut self.coordinator) };
        match coordinator.map(|coordinator| coordinator.answered(answer, links, now)) {
            Some(Err(error)) if of_group => {
                self.offsets.clear();
                self.events.push(Event::Failed(error));
            }
            Some(Err(error)) => self.stop(error),
            _ => {}
        }
    }

    /// Takes the answer to a call.
    pub fn answered(&mut self, answer: &Answer<Purpose>, call: &Call, links: &Links<Purpose>, now: Millis) {
        self.in_flight = false;
        let code = self.read(answer, call, links).unwrap_or(ErrorCode::NETWORK_EXCEPTION);
        if matches!(call, Call::AddPartitions(_) | Call::AddOffsets) && code == ErrorCode::NETWORK_EXCEPTION {
            self.unsure = Some(call.clone());
        }
        match self.verdict(answer, call, code, now) {
            Verdict::Done => self.done(call),
            Verdict::Again => {
                let backoff = self.config.retry_backoff_ms;
                let concurrent = code == ErrorCode::CONCURRENT_TRANSACTIONS;
                self.retry_at = now + if concurrent { backoff.min(CONCURRENT_BACKOFF_MS) } else { backoff };
            }
            Verdict::Abort(code) => {
                self.unsure = None;
                self.wanted.clear();
                self.offsets.clear();
                self.forgotten |= code == ErrorCode::INVALID_PRODUCER_ID_MAPPING;
                self.bump |=
                    matches!(code, ErrorCode::INVALID_PRODUCER_ID_MAPPING | ErrorCode::UNKNOWN_PRODUCER_ID);
                self.events.push(Event::Failed(self.error(code)));
            }
            Verdict::Stop(code) => self.stop(self.error(code)),
        }
    }

    fn error(&self, code: ErrorCode) -> ClientError {
        ClientError::broker(code, &format!("transactional id {}", self.config.transactional_id))
    }

    /// The error of an answer, the first one of several; None when there is no answer to read.
    fn read(&mut self, answer: &Answer<Purpose>, call: &Call, links: &Links<Purpose>) -> Option<ErrorCode> {
        let mut reader = answer.body()?;
        let version = answer.version;
        let first = |codes: &[i16]| codes.iter().copied().find(|&code| code != 0).unwrap_or(0);
        let code = match call {
            Call::Init => {
                let response = InitProducerIdResponse::decode(&mut reader, version).ok()?;
                if response.error_code == 0 {
                    self.identify(response.producer_id, response.producer_epoch);
                    self.epoch_each = links.transaction_version(answer.node) >= EPOCH_EACH;
                }
                response.error_code
            }
            Call::AddPartitions(_) => {
                let response = AddPartitionsToTxnResponse::decode(&mut reader, version).ok()?;
                let topics = &response.results_by_topic_v3_and_below;
                let partitions = topics.iter().flat_map(|topic| &topic.results_by_partition);
                // What was not attempted says nothing of why.
                let not_attempted = ErrorCode::OPERATION_NOT_ATTEMPTED.code();
                let codes: Vec<i16> = partitions.map(|partition| partition.partition_error_code).collect();
                let why = codes.iter().copied().find(|&code| code != 0 && code != not_attempted);
                why.unwrap_or_else(|| first(&codes))
            }
            Call::AddOffsets => AddOffsetsToTxnResponse::decode(&mut reader, version).ok()?.error_code,
            Call::CommitOffsets => {
                let response = TxnOffsetCommitResponse::decode(&mut reader, version).ok()?;
                let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
                first(&partitions.map(|partition| partition.error_code).collect::<Vec<_>>())
            }
            Call::End(_) => {
                let response = EndTxnResponse::decode(&mut reader, version).ok()?;
                if response.error_code == 0 && version > END_TXN_V1 {
                    self.identify(response.producer_id, response.producer_epoch);
                    self.bump = false;
                }
                if response.error_code == 0 {
                    self.epoch_each = links.transaction_version(answer.node) >= EPOCH_EACH;
                }
                response.error_code
            }
        };
        Some(ErrorCode(code))
    }

    fn identify(&mut self, id: i64, epoch: i16) {
        // Brokers leave the fields of EndTxn out where nothing has changed.
        if id >= 0 && epoch >= 0 {
            self.identity = Some(Identity { id, epoch });
            self.identity_changed = true;
        }
    }

    fn verdict(&mut self, answer: &Answer<Purpose>, call: &Call, code: ErrorCode, now: Millis) -> Verdict {
        let coordinator = match call {
            Call::CommitOffsets => self.group.as_mut(),
            _ => Some(&mut self.coordinator),
        };
        if coordinator.is_some_and(|coordinator| coordinator.refused(answer, code, now)) {
            return Verdict::Again;
        }
        match (code, call) {
            (ErrorCode::NONE, _) => Verdict::Done,
            (ErrorCode::INVALID_PRODUCER_EPOCH | ErrorCode::PRODUCER_FENCED, _) => {
                Verdict::Stop(ErrorCode::PRODUCER_FENCED)
            }
            (code, _) if code.retriable() => Verdict::Again,
            (ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED | ErrorCode::UNSUPPORTED_VERSION, _) => {
                Verdict::Stop(code)
            }
            (ErrorCode::TRANSACTION_ABORTABLE, _)
            | (_, Call::AddOffsets | Call::CommitOffsets)
            | (ErrorCode::UNKNOWN_PRODUCER_ID | ErrorCode::INVALID_PRODUCER_ID_MAPPING, _)
            | (
                ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::OPERATION_NOT_ATTEMPTED,
                Call::AddPartitions(_),
            ) if *call != Call::Init => Verdict::Abort(code),
            _ => Verdict::Stop(code),
        }
    }

    fn done(&mut self, call: &Call) {
        self.unsure = None;
        match call {
            Call::Init if self.ending.is_some() => {
                self.bump = false;
                self.finish();
            }
            Call::Init => self.events.push(Event::Ready),
            Call::AddPartitions(keys) => {
                self.started = true;
                for key in keys {
                    self.wanted.remove(key);
                    self.added.insert(*key);
                }
            }
            Call::AddOffsets => (self.started, self.group_added) = (true, true),
            Call::CommitOffsets => {
                // None are left when they were given up meanwhile.
                self.offsets.pop_front();
                self.group_added = false;
                self.events.push(Event::OffsetsDone);
            }
            // The coordinator has ended it; what may still arrive of it needs another epoch.
            Call::End(_) => {
                self.started = false;
                if !self.bump {
                    self.finish();
                }
            }
        }
    }

    /// The transaction is over.
    fn finish(&mut self) {
        self.started = false;
        self.forgotten = false;
        self.group_added = false;
        self.ending = None;
        self.added.clear();
        self.wanted.clear();
        self.offsets.clear();
        self.events.push(Event::Ready);
    }

    /// When there is something to do that nothing else wakes the owner for.
    pub fn deadline(&self) -> Option<Millis> {
        if self.in_flight || self.is_stopped {
            return None;
        }
        let coordinator = match self.next()? {
            Call::CommitOffsets => self.group.as_ref().and_then(Coordinator::deadline),
            _ => self.coordinator.deadline(),
        };
        coordinator.into_iter().chain([self.retry_at]).max()
    }

    /// Whether the user's side is to be told something.
    pub fn has_news(&self) -> bool {
        !self.events.is_empty()
    }
}
