//! The plain steps of transactions, made without the coordinator: AddPartitionsToTxn, the addition by a Produce
//! (KIP-890), and EndTxn with its markers.
//!
//! A step is plain when the id is lent, the request comes from its producer with its current epoch by its latest
//! connection, and everything that it writes is committed as soon as it is appended. Whatever is otherwise
//! (an error, a repetition, a fence, a partition elsewhere) the coordinator decides, which takes the id back.
//!
//! Always true:
//!   a step is answered when its records are committed
//!   a partition is published as part of the transaction before whoever has added it is answered, and withdrawn
//!   before the first marker is written
//!   a transaction whose markers are not all written stays prepared, and its request goes to the coordinator,
//!   which carries on

use std::collections::BTreeSet;

use barnabas_image::MetadataImage;
use barnabas_protocol::generated::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use barnabas_protocol::generated::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnTopicResult,
};
use barnabas_protocol::generated::end_txn_request::EndTxnRequest;
use barnabas_protocol::generated::end_txn_response::EndTxnResponse;
use barnabas_protocol::wire::Reader;
use barnabas_protocol::{Millis, PartitionIndex, ProducerEpoch, ProducerId};

use crate::authorize::{allowed, Operation, Resource};
use crate::broker::Broker;
use crate::coordinator::{TransactionCheck, CONSUMER_OFFSETS, SHARE_GROUP_STATE, TRANSACTION_STATE};
use crate::coordinator_log::CoordinatorBatch;
use crate::error_code;
use crate::lent_transactions::LentTransaction;
use crate::markers::{settle, Answer, TransactionMarker};
use crate::open_transactions::OpenTransaction;
use crate::request::{BrokerRequest, Handled};
use crate::transaction::{Transaction, EPOCH_BUMP_VERSION};

/// AddPartitionsToTxn.
pub(crate) const ADD_PARTITIONS: i16 = AddPartitionsToTxnRequest::KEY;
const ADD_PARTITIONS_FLEXIBLE_FROM: i16 = 3;
/// From here on it is brokers that ask.
const BROKERS_FROM: i16 = 4;
/// EndTxn.
pub(crate) const END: i16 = EndTxnRequest::KEY;
const END_FLEXIBLE_FROM: i16 = 3;
/// From here on the client's transaction version is 2.
const END_BUMPS_FROM: i16 = 5;
/// The feature whose level says how records are written.
const VERSION_FEATURE: &str = "transaction.version";
const INTERNAL_TOPICS: [&str; 3] = [CONSUMER_OFFSETS, TRANSACTION_STATE, SHARE_GROUP_STATE];

type Partitions = BTreeSet<(String, PartitionIndex)>;

/// Who asks, and how.
struct Asker<'a> {
    transactional_id: &'a str,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    /// 2 for clients that expect their epoch to be raised by the end of a transaction, 0 for others.
    transaction_version: i16,
    /// Number of the connection; 0 when it does not matter.
    connection: u64,
    now: Millis,
}

impl Asker<'_> {
    /// Whether this is the id's producer, now. Below transaction version 2 the epoch does not tell one transaction
    /// from the next: what comes by a connection that was given up may be meant for one that is over.
    fn is_of(&self, lent: &LentTransaction) -> bool {
        lent.transaction.is_of(self.producer_id, self.producer_epoch)
            && (self.connection == 0 || self.connection >= lent.connection)
    }

    fn note_connection(&self, lent: &mut LentTransaction) {
        lent.connection = lent.connection.max(self.connection);
    }
}

impl Broker {
    pub(crate) fn add_partitions_to_txn(&self, request: &BrokerRequest<'_>) -> Handled {
        if request.api_version >= BROKERS_FROM {
            return Handled::Cold;
        }
        let mut reader = Reader::new(request.body);
        let asked = match AddPartitionsToTxnRequest::decode(&mut reader, request.api_version) {
            Ok(asked) => asked,
            Err(error) => return error.into(),
        };
        let topics = &asked.v3_and_below_topics;
        let asker = Asker {
            transactional_id: asked.v3_and_below_transactional_id,
            producer_id: asked.v3_and_below_producer_id,
            producer_epoch: asked.v3_and_below_producer_epoch,
            transaction_version: 0,
            connection: request.connection,
            now: request.now,
        };
        self.lent.note_connection(request.connection);
        let partitions = || topics.iter().flat_map(|topic| topic.partitions.iter().map(|&p| (topic.name, p)));
        if !may_write(request, asker.transactional_id, topics)
            || !self.are_clients_partitions(&self.image.load(), partitions())
            || !self.add_plainly(&asker, partitions())
        {
            return Handled::Cold;
        }
        let response = AddPartitionsToTxnResponse {
            results_by_topic_v3_and_below: topics.iter().map(added).collect(),
            ..AddPartitionsToTxnResponse::default()
        };
        request.reply_to().reply(ADD_PARTITIONS_FLEXIBLE_FROM, Vec::new(), |writer, version| {
            response.encode(writer, version)
        })
    }

    fn are_clients_partitions<'a>(
        &self,
        image: &MetadataImage,
        mut partitions: impl Iterator<Item = (&'a str, PartitionIndex)>,
    ) -> bool {
        partitions.all(|(topic, index)| {
            !INTERNAL_TOPICS.contains(&topic)
                && image.topics.by_name(topic).is_some_and(|found| found.partition(index).is_some())
        })
    }

    /// Adds the partitions of a Produce of transaction version 2, if that is a plain step.
    pub(crate) fn add_checked(&self, asked: &TransactionCheck, now: Millis) -> bool {
        let asker = Asker {
            transactional_id: &asked.transactional_id,
            producer_id: asked.producer_id,
            producer_epoch: asked.producer_epoch,
            transaction_version: EPOCH_BUMP_VERSION,
            connection: 0,
            now,
        };
        self.add_plainly(&asker, asked.partitions.iter().map(|(topic, index)| (&**topic, *index)))
    }

    fn add_plainly<'a>(
        &self,
        asker: &Asker<'_>,
        partitions: impl Iterator<Item = (&'a str, PartitionIndex)>,
    ) -> bool {
        let Some(slot) = self.lent.slot(asker.transactional_id) else { return false };
        let mut slot = slot.lock();
        let Some(lent) = slot.as_mut() else { return false };
        if lent.transaction.state.is_ending() || !asker.is_of(lent) {
            return false;
        }
        let added: Partitions = partitions.map(|(topic, index)| (topic.to_owned(), index)).collect();
        let known = lent.transaction.is_ongoing() && added.is_subset(&lent.transaction.partitions);
        if !known {
            let next = lent.transaction.with_partitions(&added, asker.transaction_version, asker.now);
            if !self.make_true(lent, next, asker.now) {
                return false;
            }
            // Later clients add a partition with the question about its first batch: there is no other.
            if asker.transaction_version < EPOCH_BUMP_VERSION {
                self.publish_added(lent, &added);
            }
        }
        asker.note_connection(lent);
        true
    }

    fn publish_added(&self, lent: &LentTransaction, added: &Partitions) {
        let open = OpenTransaction {
            index: lent.index,
            leader_epoch: lent.leader_epoch,
            transactional_id: &lent.transaction.transactional_id,
            producer_id: lent.transaction.producer_id,
            producer_epoch: lent.transaction.producer_epoch,
            partitions: added.iter().map(|(topic, index)| (&**topic, *index)).collect(),
        };
        self.publish_transactions(&[], &[open]);
    }

    pub(crate) fn end_txn(&self, request: &BrokerRequest<'_>) -> Handled {
        let mut reader = Reader::new(request.body);
        let asked = match EndTxnRequest::decode(&mut reader, request.api_version) {
            Ok(asked) => asked,
            Err(error) => return error.into(),
        };
        let bumps = request.api_version >= END_BUMPS_FROM;
        let asker = Asker {
            transactional_id: asked.transactional_id,
            producer_id: asked.producer_id,
            producer_epoch: asked.producer_epoch,
            transaction_version: if bumps { EPOCH_BUMP_VERSION } else { 0 },
            connection: if bumps { 0 } else { request.connection },
            now: request.now,
        };
        self.lent.note_connection(request.connection);
        if !may_write(request, asker.transactional_id, &[]) {
            return Handled::Cold;
        }
        let Some(producer_epoch) = self.end_plainly(&asker, asked.committed) else { return Handled::Cold };
        let response = match bumps {
            true => {
                EndTxnResponse { producer_id: asked.producer_id, producer_epoch, ..EndTxnResponse::default() }
            }
            false => EndTxnResponse::default(),
        };
        let encode = |writer: &mut _, version| response.encode(writer, version);
        request.reply_to().reply(END_FLEXIBLE_FROM, Vec::new(), encode)
    }

    /// The epoch that the producer goes on with; None when the coordinator is to decide.
    fn end_plainly(&self, asker: &Asker<'_>, committed: bool) -> Option<ProducerEpoch> {
        let slot = self.lent.slot(asker.transactional_id)?;
        let mut slot = slot.lock();
        let lent = slot.as_mut()?;
        let open = &lent.transaction;
        let bumps = asker.transaction_version >= EPOCH_BUMP_VERSION;
        if !open.is_ongoing() || !asker.is_of(lent) || (bumps && open.is_epoch_exhausted()) {
            return None;
        }
        if !open.partitions.iter().all(|(topic, index)| self.commits_at_once(topic, *index)) {
            return None;
        }
        let prepared = open.prepared(committed, asker.transaction_version, asker.now);
        asker.note_connection(lent);
        if !self.make_true(lent, prepared, asker.now) || !self.mark(lent, asker.now) {
            return None;
        }
        let completed = lent.transaction.completed(asker.now);
        self.make_true(lent, completed, asker.now).then_some(lent.transaction.producer_epoch)
    }

    /// Writes the markers of a transaction whose outcome is committed; whether all are committed themselves.
    fn mark(&self, lent: &LentTransaction, now: Millis) -> bool {
        let ended = &lent.transaction;
        self.publish_transactions(&[ended.producer_id], &[]);
        let marker = TransactionMarker {
            producer_id: ended.producer_id,
            producer_epoch: ended.producer_epoch,
            committed: ended.is_committed(),
            coordinator_epoch: lent.leader_epoch,
            transaction_version: ended.transaction_version,
        };
        let write = |(topic, index): &(String, PartitionIndex)| {
            Answer::new(*index, self.append_marker(&marker, topic, *index, now))
        };
        let mut answers: Vec<Answer> = ended.partitions.iter().map(write).collect();
        settle(answers.iter_mut(), false)
            && answers.iter().all(|answer| answer.error_code == error_code::NONE)
    }

    /// Writes the record of a step; false when it is not written, and nothing has changed.
    fn make_true(&self, lent: &mut LentTransaction, next: Transaction, now: Millis) -> bool {
        let value_version = self.image.load().features.level(VERSION_FEATURE).min(1);
        let Ok((key, value)) = next.record(value_version) else { return false };
        let batch = CoordinatorBatch {
            topic: TRANSACTION_STATE,
            index: lent.index,
            leader_epoch: lent.leader_epoch,
            records: vec![(&key, Some(&value))],
            timestamp: now,
            producer_id: -1,
            producer_epoch: -1,
            guard: barnabas_log::NO_GUARD,
        };
        let written = self.append_committed(&batch, now).is_ok();
        if written {
            lent.transaction = next;
        }
        written
    }
}

fn may_write(
    request: &BrokerRequest<'_>,
    transactional_id: &str,
    topics: &[AddPartitionsToTxnTopic<'_>],
) -> bool {
    allowed(request, Operation::Write, Resource::TransactionalId(transactional_id))
        && topics.iter().all(|topic| allowed(request, Operation::Write, Resource::Topic(topic.name)))
}

/// Each partition is answered once, in the order in which it was asked for.
fn added<'a>(topic: &AddPartitionsToTxnTopic<'a>) -> AddPartitionsToTxnTopicResult<'a> {
    let mut seen = BTreeSet::new();
    let once = topic.partitions.iter().filter(|index| seen.insert(**index));
    let result = |&partition_index| AddPartitionsToTxnPartitionResult {
        partition_index,
        partition_error_code: error_code::NONE,
    };
    AddPartitionsToTxnTopicResult { name: topic.name, results_by_partition: once.map(result).collect() }
}
