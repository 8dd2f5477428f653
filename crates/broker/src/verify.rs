//! Produce in a transaction (KIP-890): before a batch begins one in a partition, the transaction coordinator is
//! asked whether the partition is part of it. The whole request waits for that, as in Apache Kafka; what the
//! coordinator on this node has said beforehand (`open_transactions`) it need not be asked.
//!
//! Clients of transaction version 2 (Produce 12 and later) have not added the partition themselves: for them
//! the question adds it.

use std::collections::HashMap;
use std::sync::Arc;

use barnabas_image::MetadataImage;
use barnabas_log::{Unverified, VerificationGuard, NO_GUARD};
use barnabas_protocol::batch::BatchHeader;
use barnabas_protocol::error::ErrorCode;
use barnabas_protocol::generated::produce_request::ProduceRequest;
use barnabas_protocol::wire::{Reader, Records};
use barnabas_protocol::{Millis, PartitionIndex, ProducerEpoch, ProducerId, TopicId};

use crate::append::ProduceError;
use crate::broker::Broker;
use crate::coordinator::{CoordinatorEvent, TransactionCheck};
use crate::error_code;
use crate::produce::{asked_topic, last_said, may_write};
use crate::request::{BrokerRequest, Handled, OwnedRequest, Parked, Waiting};
use crate::transaction_checks::Check;

/// From here on the partition is added to the transaction by the Produce itself.
const ADDS_FROM: i16 = 12;
/// From here on clients know TRANSACTION_ABORTABLE.
const ABORTABLE_FROM: i16 = 11;

/// What is known of a batch's place in its transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verified {
    /// Nothing is to be verified (`transaction.partition.verification.enable`).
    NotRequired,
    /// The guard of the verification; `NO_GUARD` for a batch that needs none, or is in no transaction.
    Guard(VerificationGuard),
    /// The batch must not be appended.
    Refused(i16, Option<String>),
}

impl Verified {
    /// The error for a batch that must not be appended.
    pub(crate) fn refusal(&self) -> Option<ProduceError> {
        match self {
            Verified::Refused(code, message) => {
                Some(ProduceError::Unverified { code: *code, message: message.clone() })
            }
            _ => None,
        }
    }
}

type Place = (TopicId, PartitionIndex);

/// What is known of all batches of one request.
#[derive(Debug)]
pub(crate) struct Verdicts {
    asked: HashMap<Place, Verified>,
    others: Verified,
}

impl Verdicts {
    /// What is known before the coordinator is asked.
    fn before(enabled: bool, fenced: Vec<(Place, i16)>, version: i16) -> Verdicts {
        let others = if enabled { Verified::Guard(NO_GUARD) } else { Verified::NotRequired };
        let mut asked = HashMap::new();
        for (place, error) in fenced {
            if let Some((code, message)) = refused(error, version) {
                asked.insert(place, Verified::Refused(code, message));
            }
        }
        Verdicts { asked, others }
    }

    /// The coordinator has said that the partition is part of the transaction.
    fn passed(&mut self, place: Place, guard: VerificationGuard, enabled: bool) {
        let verdict = if enabled { Verified::Guard(guard) } else { Verified::NotRequired };
        self.asked.insert(place, verdict);
    }

    pub(crate) fn of(&self, topic_id: TopicId, index: PartitionIndex) -> &Verified {
        self.asked.get(&(topic_id, index)).unwrap_or(&self.others)
    }
}

/// A Produce whose transaction is being verified.
pub(crate) struct ParkedVerification {
    request: OwnedRequest,
    check: Check,
    /// In the order of the question.
    guards: Vec<(Place, VerificationGuard)>,
    fenced: Vec<(Place, i16)>,
    deadline: Millis,
}

/// The one producer of a request's transactional batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Producer {
    id: ProducerId,
    epoch: ProducerEpoch,
}

/// The partitions of a question, and the guard of each.
#[derive(Default)]
struct Question {
    partitions: Vec<(Arc<str>, PartitionIndex)>,
    guards: Vec<(Place, VerificationGuard)>,
    /// Partitions that know the producer with a higher epoch: nothing is to be asked of them.
    fenced: Vec<(Place, i16)>,
}

impl Broker {
    /// Whether batches may be appended: the verdicts, or the request parked until there are any. An error
    /// refuses the whole request.
    pub(crate) fn verify(
        &self,
        asked: &ProduceRequest<'_>,
        request: &BrokerRequest<'_>,
        image: &MetadataImage,
    ) -> Result<Result<Verdicts, Handled>, i16> {
        let adds = request.api_version >= ADDS_FROM;
        let enabled = self.transaction_verification();
        let producer = transactional_producer(asked)?.filter(|_| adds || enabled);
        let version = request.api_version;
        let Some(producer) = producer else { return Ok(Ok(Verdicts::before(enabled, Vec::new(), version))) };
        let Question { partitions, guards, fenced } = self.question(asked, producer, request, image);
        if guards.is_empty() {
            return Ok(Ok(Verdicts::before(enabled, fenced, version)));
        }
        let mut question = TransactionCheck {
            id: 0,
            transactional_id: asked.transactional_id.unwrap_or_default().to_owned(),
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            partitions,
            add: adds,
        };
        if self.is_answered(&question) || (adds && self.add_checked(&question, request.now)) {
            let mut verdicts = Verdicts::before(enabled, fenced, version);
            for (place, guard) in guards {
                verdicts.passed(place, guard, enabled);
            }
            return Ok(Ok(verdicts));
        }
        let wake = request.ticket.wake();
        let check = self.transaction_checks.begin(wake.clone());
        question.id = check.id;
        self.events.tell(CoordinatorEvent::TransactionCheck(question));
        let deadline = request.now.saturating_add(self.settings().request_timeout_ms);
        let request = request.kept(wake);
        Ok(Err(park(ParkedVerification { request, check, guards, fenced, deadline })))
    }

    /// What is to be asked: partitions in which the request begins the producer's transaction.
    fn question(
        &self,
        asked: &ProduceRequest<'_>,
        producer: Producer,
        request: &BrokerRequest<'_>,
        image: &MetadataImage,
    ) -> Question {
        let mut question = Question::default();
        for (topic, asked) in last_said(&asked.topic_data) {
            let Some(found) = asked_topic(topic, request.api_version, image) else { continue };
            if may_write(request, &found.name).is_some() {
                continue;
            }
            for data in asked {
                let Some(header) = transactional_batch(&data.records) else { continue };
                let unverified = Unverified {
                    producer_id: producer.id,
                    producer_epoch: producer.epoch,
                    base_sequence: header.base_sequence,
                    epoch_per_transaction: request.api_version >= ADDS_FROM,
                };
                let partition = self.partition(found.id, data.index);
                let guard = partition.and_then(|one| one.begin_verification(&unverified, request.now));
                let place = (found.id, data.index);
                match guard {
                    Ok(NO_GUARD) => {}
                    Ok(guard) => {
                        question.partitions.push((found.name.clone(), data.index));
                        question.guards.push((place, guard));
                    }
                    Err(code @ error_code::INVALID_PRODUCER_EPOCH) => question.fenced.push((place, code)),
                    Err(_) => {} // What is wrong with the partition the append tells.
                }
            }
        }
        question
    }

    /// Answers a [`TransactionCheck`]: an error code for each of its partitions.
    pub fn transaction_checked(&self, check_id: u64, errors: Vec<i16>) {
        self.transaction_checks.answer(check_id, errors);
    }

    pub(crate) fn resume_verification(&self, parked: ParkedVerification, now: Millis) -> Handled {
        let errors = match parked.check.take_answer() {
            Some(errors) => errors,
            None if now < parked.deadline => return park(parked),
            None => Vec::new(),
        };
        let ParkedVerification { request, guards, fenced, .. } = parked;
        let request = request.at(now);
        let enabled = self.transaction_verification();
        let mut verdicts = Verdicts::before(enabled, fenced, request.api_version);
        for (at, (place, guard)) in guards.into_iter().enumerate() {
            let error = errors.get(at).copied().unwrap_or(error_code::NETWORK_EXCEPTION);
            match refused(error, request.api_version) {
                Some((code, message)) => {
                    verdicts.asked.insert(place, Verified::Refused(code, message));
                }
                None => verdicts.passed(place, guard, enabled),
            }
        }
        match ProduceRequest::decode(&mut Reader::new(request.body), request.api_version) {
            Ok(asked) => self.produce_verified(&asked, &request, verdicts),
            Err(error) => error.into(),
        }
    }
}

fn park(parked: ParkedVerification) -> Handled {
    let deadline = parked.deadline;
    Handled::Park { deadline, state: Parked(Waiting::Verification(Box::new(parked))) }
}

/// What a coordinator's error means to a Produce of `version`: the error for the client, and what is said of it.
fn refused(error: i16, version: i16) -> Option<(i16, Option<String>)> {
    let retriable = |error: i16| {
        let message =
            format!("the partition can't be shown to be part of the transaction: {}", ErrorCode(error));
        Some((error_code::NOT_ENOUGH_REPLICAS, Some(message)))
    };
    let not_part = || {
        let message = "the partition is not part of the transaction".to_owned();
        Some((error_code::INVALID_TXN_STATE, Some(message)))
    };
    match error {
        error_code::NONE => None,
        error_code::INVALID_TXN_STATE => not_part(),
        error_code::TRANSACTION_ABORTABLE if version < ABORTABLE_FROM => not_part(),
        error_code::PRODUCER_FENCED => Some((error_code::INVALID_PRODUCER_EPOCH, None)),
        // Clients know these of coordinators only, and NOT_ENOUGH_REPLICAS as a reason to try again.
        error_code::NETWORK_EXCEPTION
        | error_code::COORDINATOR_LOAD_IN_PROGRESS
        | error_code::COORDINATOR_NOT_AVAILABLE
        | error_code::NOT_COORDINATOR => retriable(error),
        error_code::CONCURRENT_TRANSACTIONS if version < ADDS_FROM => retriable(error),
        error => Some((error, None)),
    }
}

/// The header of a transactional batch with a producer id, if that is what the records are.
fn transactional_batch(records: &Records<'_>) -> Option<BatchHeader> {
    let header = BatchHeader::parse(records.bytes()?).ok()?;
    (header.is_transactional() && header.has_producer_id()).then_some(header)
}

/// The producer of the transactional batches, if there are any; an error when there are several.
fn transactional_producer(asked: &ProduceRequest<'_>) -> Result<Option<Producer>, i16> {
    let mut found = None;
    let all = asked.topic_data.iter().flat_map(|topic| &topic.partition_data);
    for header in all.filter_map(|data| transactional_batch(&data.records)) {
        let producer = Producer { id: header.producer_id, epoch: header.producer_epoch };
        match found {
            Some(earlier) if earlier != producer => return Err(error_code::INVALID_PRODUCER_ID_MAPPING),
            _ => found = Some(producer),
        }
    }
    Ok(found)
}
