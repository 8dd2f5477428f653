//! What coordinators ask of their partitions, between Python's values and the broker's.

use barnabas_broker::{
    Broker, CoordinatorBatch, CoordinatorEvent, CoordinatorRead, MarkersWritten, OpenTransaction,
    SchemaField, SteadyMember, TransactionMarker,
};
use barnabas_protocol::schema_id::SchemaId;
use barnabas_protocol::{LeaderEpoch, Millis, Offset, PartitionIndex, ProducerEpoch, ProducerId};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBytes, PyList};

use crate::events::{
    CoordinatorLeadership, MarkersMoved, PartitionReadable, SchemaCheck, SchemaName, TransactionCheck,
    TransactionEnded,
};
use crate::uuid::Uuid;

/// Key and value.
pub(crate) type KeyValue = (PyBackedBytes, Option<PyBackedBytes>);

/// (topic, partition, leader epoch, records, timestamp, producer id, producer epoch, verification guard)
pub(crate) type Batch =
    (PyBackedStr, PartitionIndex, LeaderEpoch, Vec<KeyValue>, Millis, ProducerId, ProducerEpoch, u64);

/// (error code, base offset, log end offset, high watermark)
pub(crate) type Appended = (i16, Offset, Offset, Offset);

pub(crate) fn append(broker: &Broker, batch: &Batch, now: Millis) -> Appended {
    let (topic, index, leader_epoch, records, timestamp, producer_id, producer_epoch, guard) = batch;
    let batch = CoordinatorBatch {
        topic,
        index: *index,
        leader_epoch: *leader_epoch,
        records: records.iter().map(|(key, value)| (&**key, value.as_deref())).collect(),
        timestamp: *timestamp,
        producer_id: *producer_id,
        producer_epoch: *producer_epoch,
        guard: *guard,
    };
    match broker.append_as_coordinator(&batch, now) {
        Ok(appended) => (0, appended.base_offset, appended.log_end_offset, appended.high_watermark),
        Err(error) => (error, -1, -1, -1),
    }
}

/// (error code, log start offset, end offset, bytes, batches); a batch is (base offset, last offset, where it ends in
/// the bytes, whether it was aborted)
pub(crate) type ShareRead<'py> =
    (i16, Offset, Offset, Bound<'py, PyBytes>, Vec<(Offset, Offset, usize, bool)>);

pub(crate) fn share_read(py: Python<'_>, read: Result<barnabas_broker::ShareRead, i16>) -> ShareRead<'_> {
    match read {
        Ok(read) => {
            let batches = read.batches.iter();
            let batches =
                batches.map(|batch| (batch.base_offset, batch.last_offset, batch.end, batch.aborted));
            let bytes = PyBytes::new(py, &read.bytes);
            (0, read.log_start_offset, read.end_offset, bytes, batches.collect())
        }
        Err(error) => (error, -1, -1, PyBytes::new(py, &[]), Vec::new()),
    }
}

/// (offset, timestamp, lane, deliver at or -1, expires at or -1, priority)
pub(crate) type ShareRecord = (Offset, Millis, u64, Millis, Millis, i64);

/// What the delivery of the records of whole batches may depend on; ValueError for what can't be read.
#[pyfunction]
pub(crate) fn share_records(py: Python<'_>, batches: PyBackedBytes) -> PyResult<Vec<ShareRecord>> {
    let found = py.detach(|| barnabas_broker::share_records(&batches));
    let found = found.map_err(|error| PyValueError::new_err(error.to_string()))?;
    let row = |record: &barnabas_broker::ShareRecord| {
        let (at, until) = (record.deliver_at.unwrap_or(-1), record.expires_at.unwrap_or(-1));
        (record.offset, record.timestamp, record.lane, at, until, record.priority)
    };
    Ok(found.iter().map(row).collect())
}

/// The records as tuples of (offset, timestamp, producer id, producer epoch, key, value, control).
pub(crate) fn records<'py>(py: Python<'py>, read: &CoordinatorRead) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for record in &read.records {
        let bytes = |range: &std::ops::Range<usize>| PyBytes::new(py, &read.bytes[range.clone()]);
        let control = record.control.map_or(-1, i8::from);
        list.append((
            record.offset,
            record.timestamp,
            record.producer_id,
            record.producer_epoch,
            record.key.as_ref().map(bytes),
            record.value.as_ref().map(bytes),
            control,
        ))?;
    }
    Ok(list)
}

/// (producer id, producer epoch, committed, transaction version, partitions)
pub(crate) type Marker = (ProducerId, ProducerEpoch, bool, i16, Vec<(PyBackedStr, PartitionIndex)>);

/// Ends transactions. For each marker 0 and an error code for each partition, or what its results are known by
/// later and none.
pub(crate) fn write_markers(
    broker: &Broker,
    coordinator_epoch: i32,
    markers: &[Marker],
    now: Millis,
) -> Vec<(u64, Vec<i16>)> {
    let write = |marker: &Marker| {
        let (producer_id, producer_epoch, committed, transaction_version, partitions) = marker;
        let marker = TransactionMarker {
            producer_id: *producer_id,
            producer_epoch: *producer_epoch,
            committed: *committed,
            coordinator_epoch,
            transaction_version: *transaction_version,
        };
        let partitions: Vec<(&str, PartitionIndex)> =
            partitions.iter().map(|(topic, index)| (&**topic, *index)).collect();
        match broker.write_markers(&marker, &partitions, now) {
            MarkersWritten::Done(codes) => (0, codes),
            MarkersWritten::Waiting(id) => (id, Vec::new()),
        }
    };
    markers.iter().map(write).collect()
}

/// (partition of `__transaction_state`, leader epoch, transactional id, producer id, producer epoch, partitions)
pub(crate) type Open =
    (PartitionIndex, LeaderEpoch, PyBackedStr, ProducerId, ProducerEpoch, Vec<(PyBackedStr, PartitionIndex)>);

/// Forgets the transactions of producers, then takes note of open ones.
pub(crate) fn publish_transactions(broker: &Broker, ended: &[ProducerId], open: &[Open]) {
    let open =
        open.iter().map(|(index, leader_epoch, transactional_id, producer_id, producer_epoch, parts)| {
            OpenTransaction {
                index: *index,
                leader_epoch: *leader_epoch,
                transactional_id,
                producer_id: *producer_id,
                producer_epoch: *producer_epoch,
                partitions: parts.iter().map(|(topic, index)| (&**topic, *index)).collect(),
            }
        });
    broker.publish_transactions(ended, &open.collect::<Vec<_>>());
}

/// (partition, leader epoch, group id, member id, instance id, generation or member epoch, heartbeat interval
/// or -1 in a classic group, session time-out, connection)
pub(crate) type Steady = (PartitionIndex, LeaderEpoch, String, String, Option<String>, i32, i32, Millis, u64);

/// Withdraws groups (None: all), then publishes members.
pub(crate) fn publish_steady(
    broker: &Broker,
    withdrawn: Option<&[PyBackedStr]>,
    members: Vec<Steady>,
    now: Millis,
) {
    let withdrawn: Option<Vec<&str>> = withdrawn.map(|ids| ids.iter().map(|id| &**id).collect());
    let members = members.into_iter().map(|row| {
        let (index, leader_epoch, group_id, member_id, instance_id, epoch, interval, session, connection) =
            row;
        let member = SteadyMember {
            index,
            leader_epoch,
            member_id,
            instance_id,
            epoch,
            heartbeat_interval_ms: (interval >= 0).then_some(interval),
            session_timeout_ms: session,
            connection,
        };
        (group_id, member)
    });
    broker.publish_steady(withdrawn.as_deref(), members, now);
}

/// The event as Python sees it; None for one that comes another way.
pub(crate) fn event(py: Python<'_>, event: CoordinatorEvent) -> PyResult<Option<Py<PyAny>>> {
    Ok(Some(match event {
        CoordinatorEvent::Leadership { topic, index, leader_epoch } => {
            let (topic, leader_epoch) = (topic.to_string(), leader_epoch.unwrap_or(-1));
            Py::new(py, CoordinatorLeadership { topic, partition: index, leader_epoch })?.into_any()
        }
        CoordinatorEvent::TransactionEnded {
            topic,
            index,
            offset,
            producer_id,
            producer_epoch,
            committed,
        } => {
            let (topic, partition) = (topic.to_string(), index);
            let ended = TransactionEnded { topic, partition, offset, producer_id, producer_epoch, committed };
            Py::new(py, ended)?.into_any()
        }
        CoordinatorEvent::TransactionCheck(check) => {
            let partitions = check.partitions.iter().map(|(topic, index)| (topic.to_string(), *index));
            let check = TransactionCheck {
                id: check.id,
                transactional_id: check.transactional_id,
                producer_id: check.producer_id,
                producer_epoch: check.producer_epoch,
                partitions: partitions.collect(),
                add: check.add,
            };
            Py::new(py, check)?.into_any()
        }
        CoordinatorEvent::SchemaCheck(check) => {
            let schemas = check.schemas.iter().map(|schema| {
                let name = match schema.id {
                    SchemaId::Id(id) => SchemaName::Id(id),
                    guid @ SchemaId::Guid(_) => SchemaName::Guid(guid.to_string()),
                };
                (schema.field == SchemaField::Key, name)
            });
            let check = SchemaCheck {
                id: check.id,
                topic: check.topic.to_string(),
                key_strategy: check.key_strategy.name(),
                value_strategy: check.value_strategy.name(),
                reads_keys: check.reads_keys,
                reads_values: check.reads_values,
                schemas: schemas.collect(),
            };
            Py::new(py, check)?.into_any()
        }
        CoordinatorEvent::MarkersMoved { id } => Py::new(py, MarkersMoved { id })?.into_any(),
        CoordinatorEvent::Readable { topic_id, index } => {
            Py::new(py, PartitionReadable { topic_id: Uuid(topic_id), partition: index })?.into_any()
        }
        CoordinatorEvent::Committed { .. } => return Ok(None),
    }))
}
