//! WriteTxnMarkers: the ends of transactions, as control records in the partitions that they have written to.

use std::sync::Arc;

use barnabas_log::EndTxnMarker;
use barnabas_protocol::batch::{self, BatchHeader, TimestampType, HEADER_SIZE};
use barnabas_protocol::batch_builder::{BatchBuilder, BuilderConfig};
use barnabas_protocol::control::ControlRecordType;
use barnabas_protocol::generated::write_txn_markers_request::WriteTxnMarkersRequest;
use barnabas_protocol::generated::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
    WriteTxnMarkersResponse,
};
use barnabas_protocol::wire::Reader;
use barnabas_protocol::{Millis, Offset, PartitionIndex, ProducerEpoch, ProducerId};

use crate::append::ProduceError;
use crate::authorize::{allowed, Operation, Resource};
use crate::broker::Broker;
use crate::coordinator::{CoordinatorEvent, CONSUMER_OFFSETS};
use crate::error_code;
use crate::partition::{Partition, NO_EPOCH};
use crate::request::{BrokerRequest, Handled, Parked, ReplyTo, Waiting};
use crate::waiters::{Move, Registration, Wake, Want};

pub(crate) const KEY: i16 = 27;
/// All versions that are served have tagged fields.
const FLEXIBLE_FROM: i16 = 0;

/// The end of one producer's transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionMarker {
    /// The producer.
    pub producer_id: ProducerId,
    /// The epoch of the transaction; from transaction version 2 on the one after it.
    pub producer_epoch: ProducerEpoch,
    /// Whether what it wrote counts.
    pub committed: bool,
    /// The leader epoch of the coordinator that has decided.
    pub coordinator_epoch: i32,
    /// The coordinator's transaction version for the producer.
    pub transaction_version: i16,
}

/// The answer for one partition, complete or waiting for the whole ISR.
pub(crate) struct Answer {
    index: PartitionIndex,
    pub(crate) error_code: i16,
    until: Option<(Arc<Partition>, Offset)>,
}

impl Answer {
    pub(crate) fn new(index: PartitionIndex, written: Result<(Arc<Partition>, Offset), i16>) -> Answer {
        match written {
            Ok(until) => Answer { index, error_code: error_code::NONE, until: Some(until) },
            Err(error_code) => Answer { index, error_code, until: None },
        }
    }
}

struct TopicAnswer {
    name: String,
    partitions: Vec<Answer>,
}

struct MarkerAnswer {
    producer_id: ProducerId,
    topics: Vec<TopicAnswer>,
}

impl MarkerAnswer {
    fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.topics.iter().flat_map(|topic| &topic.partitions)
    }

    fn answers_mut(&mut self) -> impl Iterator<Item = &mut Answer> {
        self.topics.iter_mut().flat_map(|topic| &mut topic.partitions)
    }
}

/// A WriteTxnMarkers whose markers are in the leaders' logs and not yet in those of the whole ISR.
pub(crate) struct ParkedMarkers {
    reply_to: ReplyTo,
    markers: Vec<MarkerAnswer>,
    deadline: Millis,
    wake: Arc<dyn Wake>,
    /// Held for its drop, which takes the request out of the partitions' lists.
    _registration: Registration,
}

impl Broker {
    pub(crate) fn write_txn_markers(&self, request: &BrokerRequest<'_>) -> Handled {
        let mut reader = Reader::new(request.body);
        let asked = match WriteTxnMarkersRequest::decode(&mut reader, request.api_version) {
            Ok(asked) => asked,
            Err(error) => return error.into(),
        };
        let may = allowed(request, Operation::Alter, Resource::Cluster)
            || allowed(request, Operation::ClusterAction, Resource::Cluster);
        let markers = asked.markers.iter().map(|asked| {
            let marker = TransactionMarker {
                producer_id: asked.producer_id,
                producer_epoch: asked.producer_epoch,
                committed: asked.transaction_result,
                coordinator_epoch: asked.coordinator_epoch,
                transaction_version: asked.transaction_version.into(),
            };
            let write = |topic: &str, &index: &PartitionIndex| {
                let written = match may {
                    true => self.append_marker(&marker, topic, index, request.now),
                    false => Err(error_code::CLUSTER_AUTHORIZATION_FAILED),
                };
                Answer::new(index, written)
            };
            let topics = asked.topics.iter().map(|topic| TopicAnswer {
                name: topic.name.to_owned(),
                partitions: topic.partition_indexes.iter().map(|index| write(topic.name, index)).collect(),
            });
            MarkerAnswer { producer_id: marker.producer_id, topics: topics.collect() }
        });
        let markers: Vec<MarkerAnswer> = markers.collect();
        let deadline = request.now.saturating_add(self.settings().request_timeout_ms);
        wait(request.reply_to(), markers, deadline, request.ticket.wake(), request.now)
    }

    pub(crate) fn resume_markers(&self, parked: ParkedMarkers, now: Millis) -> Handled {
        let ParkedMarkers { reply_to, markers, deadline, wake, _registration } = parked;
        wait(reply_to, markers, deadline, wake, now)
    }

    /// The partition, and the marker's offset in it.
    pub(crate) fn append_marker(
        &self,
        marker: &TransactionMarker,
        topic: &str,
        index: PartitionIndex,
        now: Millis,
    ) -> Result<(Arc<Partition>, Offset), i16> {
        let partition = self.partition_by_name(&self.image.load(), topic, index);
        // Kafka says so of whatever is not online here; a coordinator then looks for the leader anew.
        let partition = partition.map_err(|_| error_code::UNKNOWN_TOPIC_OR_PARTITION)?;
        match partition.append_marker(marker, now) {
            Ok(offset) => Ok((partition, offset)),
            Err(error) => {
                if let Some(failure) = error.storage_failure() {
                    self.storage_failed(&partition, failure);
                }
                Err(error.code())
            }
        }
    }
}

impl Partition {
    /// Ends the producer's transaction, if it has one here; the marker is written in either case, as in Apache
    /// Kafka, for the epoch in it fences. Returns its offset.
    fn append_marker(&self, marker: &TransactionMarker, now: Millis) -> Result<Offset, ProduceError> {
        let role = self.role.read();
        let leader = role.leader(NO_EPOCH).map_err(ProduceError::Code)?;
        let config = self.config.load();
        if leader.is_under_min_isr(config.log.min_insync_replicas) {
            return Err(ProduceError::Code(error_code::NOT_ENOUGH_REPLICAS));
        }
        let mut bytes = build(marker, config.validation.timestamp_type, now)?;
        let log = self.log.load();
        let mut log = log.write();
        batch::set_base_offset(&mut bytes, log.log_end_offset());
        let header = BatchHeader::parse(&bytes).map_err(|_| unbuildable())?;
        let end = EndTxnMarker { committed: marker.committed, coordinator_epoch: marker.coordinator_epoch };
        log.check_end_txn(&header, &end, marker.transaction_version)?;
        let written = self.write(leader, &mut log, header.to_bytes(), &bytes[HEADER_SIZE..], now)?;
        let offset = written.info.last_offset;
        if &*self.topic == CONSUMER_OFFSETS {
            self.tell(|topic, index| CoordinatorEvent::TransactionEnded {
                topic,
                index,
                offset,
                producer_id: marker.producer_id,
                producer_epoch: marker.producer_epoch,
                committed: marker.committed,
            });
        }
        if written.high_watermark_moved {
            self.tell_committed(written.moved.high_watermark);
        }
        drop(log);
        // To readers of committed records the whole transaction is new, however small the marker.
        self.waiters.moved(Move { bytes: i64::MAX, ..written.moved });
        Ok(offset)
    }
}

fn unbuildable() -> ProduceError {
    ProduceError::Code(error_code::UNKNOWN_SERVER_ERROR)
}

/// The control batch, with base offset 0.
fn build(
    marker: &TransactionMarker,
    timestamp_type: TimestampType,
    now: Millis,
) -> Result<Vec<u8>, ProduceError> {
    let mut builder = BatchBuilder::new(BuilderConfig {
        timestamp_type,
        log_append_time: now,
        producer_id: marker.producer_id,
        producer_epoch: marker.producer_epoch,
        transactional: true,
        control: true,
        ..BuilderConfig::default()
    });
    let kind = match marker.committed {
        true => ControlRecordType::Commit,
        false => ControlRecordType::Abort,
    };
    // EndTxnMarker, version 0.
    let mut value = [0; 6];
    value[2..].copy_from_slice(&marker.coordinator_epoch.to_be_bytes());
    let added = builder.append(now, Some(&kind.key()), Some(&value), &[]);
    added.and_then(|()| builder.finish()).map_err(|_| unbuildable())
}

/// Has `wake` woken when one of the answers that wait may be there.
pub(crate) fn register<'a>(wake: Arc<dyn Wake>, answers: impl Iterator<Item = &'a Answer>) -> Registration {
    let mut registration = Registration::new(wake, 0);
    for (partition, offset) in answers.filter_map(|answer| answer.until.as_ref()) {
        registration.wait(partition.clone(), Want::HighWatermark(offset + 1));
    }
    registration
}

/// Answers when every marker is committed or failed, or when time is up; parks otherwise.
fn wait(
    reply_to: ReplyTo,
    mut markers: Vec<MarkerAnswer>,
    deadline: Millis,
    wake: Arc<dyn Wake>,
    now: Millis,
) -> Handled {
    if settle(markers.iter_mut().flat_map(MarkerAnswer::answers_mut), now >= deadline) {
        return reply(reply_to, &markers);
    }
    let registration = register(wake.clone(), markers.iter().flat_map(MarkerAnswer::answers));
    // Whatever moved between the first look and the registration is seen now.
    if settle(markers.iter_mut().flat_map(MarkerAnswer::answers_mut), false) {
        return reply(reply_to, &markers);
    }
    let parked = ParkedMarkers { reply_to, markers, deadline, wake, _registration: registration };
    Handled::Park { deadline, state: Parked(Waiting::Markers(Box::new(parked))) }
}

/// Ends the waits that are over. Returns whether all are.
pub(crate) fn settle<'a>(answers: impl Iterator<Item = &'a mut Answer>, time_is_up: bool) -> bool {
    let mut settled = true;
    for answer in answers {
        let Some((partition, offset)) = &answer.until else { continue };
        answer.error_code = match partition.is_committed(*offset) {
            Ok(true) => error_code::NONE,
            Ok(false) if time_is_up => error_code::REQUEST_TIMED_OUT,
            Ok(false) => {
                settled = false;
                continue;
            }
            Err(error) => error,
        };
        answer.until = None;
    }
    settled
}

fn reply(reply_to: ReplyTo, markers: &[MarkerAnswer]) -> Handled {
    let partition = |answer: &Answer| WritableTxnMarkerPartitionResult {
        partition_index: answer.index,
        error_code: answer.error_code,
    };
    let topic = |topic: &'_ TopicAnswer| topic.partitions.iter().map(partition).collect();
    let markers = markers.iter().map(|marker| WritableTxnMarkerResult {
        producer_id: marker.producer_id,
        topics: marker
            .topics
            .iter()
            .map(|answer| WritableTxnMarkerTopicResult { name: &answer.name, partitions: topic(answer) })
            .collect(),
    });
    let response = WriteTxnMarkersResponse { markers: markers.collect() };
    reply_to.reply(FLEXIBLE_FROM, Vec::new(), |writer, version| response.encode(writer, version))
}
