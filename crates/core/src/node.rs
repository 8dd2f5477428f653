//! `barnabas._core.Node`: the data plane of one node, as Python drives it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use barnabas_broker::SchemaVerdict;
use barnabas_net::{Chunk, Request, Ticket};
use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyList;

use crate::clock::NodeClock;
use crate::codec;
use crate::coordinators;
use crate::events::{
    python_level, ColdRequest, Committed, ConnectionClosed, CoordinatorCommitted, DirectoryFailed,
    DirectoryReturned, Fatal, FaultedRequest, FiguresWanted, LogLine, ReplicaDirectory, SchemaSaid,
};
use crate::figures::Figure;
use crate::image::MetadataImage;
use crate::inbox::{Event, Inbox};
use crate::log_lines;
use crate::metadata::describe;
use crate::quorum::QuorumInfo;
use crate::running::Running;
use crate::settings::{log_config, DynamicConfigs, NodeSettings};
use crate::start_error::start_error;
use crate::uuid::Uuid;
use barnabas_log::Unverified;

/// The data plane of one node: log directories, metadata log, partitions, network.
#[pyclass(frozen, module = "barnabas._core")]
pub(crate) struct Node {
    settings: NodeSettings,
    inbox: Arc<Inbox>,
    clock: Arc<NodeClock>,
    running: Mutex<Option<Arc<Running>>>,
}

/// A log directory of the node.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct LogDirectory {
    path: String,
    id: Uuid,
    error_code: i16,
    total_bytes: i64,
    usable_bytes: i64,
    /// (topic, partition, size, offset lag, whether it is a future one)
    replicas: Vec<(String, i32, u64, i64, bool)>,
}

impl Node {
    /// The node's parts. RuntimeError while it does not run.
    pub(crate) fn running(&self) -> PyResult<Arc<Running>> {
        let running = self.running.lock().clone();
        running.ok_or_else(|| PyRuntimeError::new_err("the node is not running"))
    }

    /// The node's parts, which the caller is to end; None when it does not run.
    pub(crate) fn take_running(&self) -> Option<Arc<Running>> {
        self.running.lock().take()
    }

    /// The node's clock.
    pub(crate) fn clock(&self) -> &NodeClock {
        &self.clock
    }

    fn event(&self, py: Python<'_>, event: Event) -> PyResult<Option<Py<PyAny>>> {
        Ok(Some(match event {
            Event::Request { id, request } => match self.cold_request(py, id, &request)? {
                Some(request) => request,
                None => return Ok(None),
            },
            Event::Committed { offset } => Py::new(py, Committed { offset })?.into_any(),
            Event::ReplicaDirectory { topic_id, index, directory } => {
                let (topic_id, directory) = (Uuid(topic_id), Uuid(directory));
                Py::new(py, ReplicaDirectory { topic_id, partition: index, directory })?.into_any()
            }
            Event::DirectoryFailed { directory } => {
                Py::new(py, DirectoryFailed { directory: Uuid(directory) })?.into_any()
            }
            Event::DirectoryReturned { directory } => {
                Py::new(py, DirectoryReturned { directory: Uuid(directory) })?.into_any()
            }
            Event::HighWatermark { topic, index, at } => {
                let (topic, high_watermark) = (topic.to_string(), at.load(Ordering::Relaxed));
                Py::new(py, CoordinatorCommitted { topic, partition: index, high_watermark })?.into_any()
            }
            Event::ConnectionClosed { connection } => {
                Py::new(py, ConnectionClosed { connection })?.into_any()
            }
            Event::Coordinator(event) => return coordinators::event(py, event),
            Event::Log { level, target, message } => {
                let target = target.replace("::", ".");
                Py::new(py, LogLine { level: python_level(level), target, message })?.into_any()
            }
            Event::Faulted { id, request, error_code } => match self.cold_request(py, id, &request)? {
                Some(request) => Py::new(py, FaultedRequest { request, error_code })?.into_any(),
                None => return Ok(None),
            },
            Event::FiguresWanted => Py::new(py, FiguresWanted {})?.into_any(),
            Event::Fatal(reason) => Py::new(py, Fatal { reason })?.into_any(),
        }))
    }

    /// The request with its body as a message; None when it is malformed, which closes its connection.
    fn cold_request(&self, py: Python<'_>, id: u64, request: &Request) -> PyResult<Option<Py<PyAny>>> {
        let body = &request.frame[request.body..];
        let body = match codec::decode_request(py, request.api_key, request.api_version, body) {
            Ok(body) => body,
            Err(error) => {
                let address = request.peer.address;
                log::warn!("closing {address}: malformed request of api {}: {error}", request.api_key);
                if let Some(request) = self.inbox.take(id) {
                    request.ticket.reply(None);
                }
                return Ok(None);
            }
        };
        let cold = ColdRequest {
            id,
            api_key: request.api_key,
            api_version: request.api_version,
            correlation_id: request.correlation_id,
            client_id: request.client_id.as_deref().map(str::to_owned),
            listener: request.peer.listener.to_string(),
            client_address: request.peer.address.to_string(),
            connection: request.peer.number,
            body,
        };
        Ok(Some(Py::new(py, cold)?.into_any()))
    }
}

#[pymethods]
impl Node {
    #[new]
    fn new(settings: NodeSettings) -> PyResult<Node> {
        let inbox = Arc::new(Inbox::new()?);
        log_lines::forward_to(&inbox);
        Ok(Node { settings, inbox, clock: Arc::default(), running: Mutex::default() })
    }

    /// Opens the directories, replays the metadata, loads the logs and takes the metadata log's leadership.
    fn start(&self, py: Python<'_>) -> PyResult<()> {
        let started = py.detach(|| {
            let running = Running::open(&self.settings, &self.inbox, &self.clock)?;
            running.run(&self.inbox)?;
            running.cleaners.configure(&self.settings.numbers, &self.settings.doubles)?;
            Ok(running)
        });
        let running = started.map_err(|error| start_error(py, error))?;
        *self.running.lock() = Some(Arc::new(running));
        Ok(())
    }

    fn bind(&self, py: Python<'_>) -> PyResult<Vec<(String, String, u16)>> {
        let running = self.running()?;
        py.detach(|| running.bind(&self.settings)).map_err(|error| start_error(py, error))
    }

    fn serve(&self, py: Python<'_>) -> PyResult<()> {
        let running = self.running()?;
        py.detach(|| running.serve()).map_err(|error| start_error(py, error))
    }

    fn serve_metrics(&self, py: Python<'_>, host: &str, port: u16) -> PyResult<u16> {
        let running = self.running()?;
        let served = py.detach(|| running.serve_metrics(host, port, &self.inbox));
        served.map_err(|error| start_error(py, error))
    }

    fn stop_serving(&self, py: Python<'_>, grace_ms: u64) {
        let running = self.running.lock().clone();
        if let Some(running) = running {
            py.detach(|| running.stop_serving(Duration::from_millis(grace_ms)));
        }
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        match self.take_running() {
            Some(running) => {
                py.detach(|| running.close()).map_err(|error| PyRuntimeError::new_err(describe(&error)))
            }
            None => Ok(()),
        }
    }

    fn now(&self) -> i64 {
        self.clock.wall()
    }

    fn event_descriptor(&self) -> i32 {
        self.inbox.descriptor()
    }

    fn drain<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for event in self.inbox.drain(limit) {
            if let Some(event) = self.event(py, event)? {
                list.append(event)?;
            }
        }
        Ok(list)
    }

    fn respond(&self, py: Python<'_>, responses: Vec<(u64, Option<Py<PyAny>>)>) {
        let mut replies = Vec::with_capacity(responses.len());
        let running = self.running.lock().clone();
        for (id, message) in responses {
            let Some(request) = self.inbox.take(id) else { continue };
            let encoded = match &message {
                Some(message) => codec::encode_response(&request, message.bind(py)).map(Some),
                None => Ok(None),
            };
            let reply = encoded.unwrap_or_else(|error| {
                log::error!("the response of api {} can't be written: {error}", request.api_key);
                None
            });
            let reply = reply.map(|(bytes, errors)| {
                running.iter().for_each(|running| running.service.count(request.api_key, &errors));
                vec![Chunk::Bytes(bytes)]
            });
            replies.push((request.ticket.clone(), reply));
        }
        py.detach(|| Ticket::reply_all(replies));
    }

    fn answer_natively(&self, py: Python<'_>, id: u64) -> PyResult<()> {
        let running = self.running()?;
        if let Some(request) = self.inbox.take(id) {
            py.detach(|| running.service.answer_again(&request));
        }
        Ok(())
    }

    fn propose(&self, py: Python<'_>, records: Vec<(Py<PyAny>, i16)>) -> PyResult<i64> {
        let running = self.running()?;
        let mut encoded = Vec::with_capacity(records.len());
        for (record, version) in &records {
            let mut bytes = Vec::with_capacity(64);
            codec::encode_metadata_record(record.bind(py), *version, &mut bytes)?;
            encoded.push(bytes);
        }
        py.detach(|| running.metadata.propose(&encoded)).map_err(PyRuntimeError::new_err)
    }

    fn wait_committed(&self, py: Python<'_>, offset: i64, most_ms: u64) -> PyResult<bool> {
        let running = self.running()?;
        let most = Duration::from_millis(most_ms);
        py.detach(|| running.metadata.wait_committed(offset, most)).map_err(PyRuntimeError::new_err)
    }

    fn head(&self) -> PyResult<MetadataImage> {
        Ok(MetadataImage(self.running()?.metadata.head()))
    }

    fn image(&self) -> PyResult<MetadataImage> {
        Ok(MetadataImage(self.running()?.metadata.image()))
    }

    #[getter]
    fn cluster_id(&self) -> PyResult<String> {
        Ok(self.running()?.cluster_id.clone())
    }

    fn directory_ids(&self) -> PyResult<Vec<Uuid>> {
        let directories = self.running()?.broker.logs().directories();
        Ok(directories.iter().filter(|one| one.offline.is_none()).map(|one| Uuid(one.id)).collect())
    }

    fn previous_broker_epoch(&self) -> PyResult<i64> {
        Ok(self.running()?.previous_broker_epoch())
    }

    fn set_broker_epoch(&self, epoch: i64) -> PyResult<()> {
        self.running()?.set_broker_epoch(epoch);
        Ok(())
    }

    fn set_log_defaults(&self, py: Python<'_>, defaults: BTreeMap<String, String>) -> PyResult<()> {
        let running = self.running()?;
        let defaults = log_config(&defaults)?;
        py.detach(|| running.set_log_defaults(defaults));
        Ok(())
    }

    fn set_cleaners(
        &self,
        py: Python<'_>,
        numbers: HashMap<String, i64>,
        doubles: HashMap<String, f64>,
    ) -> PyResult<()> {
        let running = self.running()?;
        py.detach(|| running.cleaners.configure(&numbers, &doubles))
    }

    fn apply_configs(
        &self,
        py: Python<'_>,
        numbers: HashMap<String, i64>,
        connections_per_ip: &str,
    ) -> PyResult<()> {
        let running = self.running()?;
        let configs = DynamicConfigs::new(&numbers, connections_per_ip)?;
        Ok(py.detach(|| running.apply_configs(configs))?)
    }

    fn log_directories(&self, py: Python<'_>) -> PyResult<Vec<LogDirectory>> {
        let running = self.running()?;
        let found = py.detach(|| running.broker.log_dirs());
        let directories = found.into_iter().map(|directory| LogDirectory {
            path: directory.path,
            id: Uuid(directory.id),
            error_code: directory.error_code,
            total_bytes: directory.total_bytes,
            usable_bytes: directory.usable_bytes,
            replicas: directory
                .replicas
                .into_iter()
                .map(|one| (one.topic.to_string(), one.index, one.size, one.offset_lag, one.is_future))
                .collect(),
        });
        Ok(directories.collect())
    }

    fn alter_replica_log_dir(
        &self,
        py: Python<'_>,
        topic: &str,
        partition: i32,
        path: &str,
    ) -> PyResult<i16> {
        let running = self.running()?;
        Ok(py.detach(|| running.broker.alter_replica_log_dir(path, topic, partition, self.clock.wall())))
    }

    #[pyo3(signature = (topic, partition, leader_epoch, records, timestamp,
                        producer_id = -1, producer_epoch = -1, verification_guard = 0))]
    #[allow(clippy::too_many_arguments, reason = "Python gives them by name")]
    fn append_records(
        &self,
        py: Python<'_>,
        topic: PyBackedStr,
        partition: i32,
        leader_epoch: i32,
        records: Vec<coordinators::KeyValue>,
        timestamp: i64,
        producer_id: i64,
        producer_epoch: i16,
        verification_guard: u64,
    ) -> PyResult<coordinators::Appended> {
        let running = self.running()?;
        let batch = (
            topic,
            partition,
            leader_epoch,
            records,
            timestamp,
            producer_id,
            producer_epoch,
            verification_guard,
        );
        Ok(py.detach(|| coordinators::append(&running.broker, &batch, self.clock.wall())))
    }

    fn append_many(
        &self,
        py: Python<'_>,
        batches: Vec<coordinators::Batch>,
    ) -> PyResult<Vec<coordinators::Appended>> {
        let running = self.running()?;
        let append = |batch| coordinators::append(&running.broker, batch, self.clock.wall());
        Ok(py.detach(|| batches.iter().map(append).collect()))
    }

    fn read_records<'py>(
        &self,
        py: Python<'py>,
        topic: PyBackedStr,
        partition: i32,
        offset: i64,
        bytes_max: usize,
    ) -> PyResult<(i16, i64, Bound<'py, PyList>)> {
        let running = self.running()?;
        let read = py.detach(|| running.broker.read_as_coordinator(&topic, partition, offset, bytes_max));
        match read {
            Ok(read) => Ok((0, read.next_offset, coordinators::records(py, &read)?)),
            Err(error) => Ok((error, -1, PyList::empty(py))),
        }
    }

    fn read_for_share<'py>(
        &self,
        py: Python<'py>,
        topic_id: &Uuid,
        partition: i32,
        offset: i64,
        bytes_max: usize,
        committed: bool,
    ) -> PyResult<coordinators::ShareRead<'py>> {
        let (running, topic_id) = (self.running()?, topic_id.0);
        let read =
            py.detach(|| running.broker.read_for_share(topic_id, partition, offset, bytes_max, committed));
        Ok(coordinators::share_read(py, read))
    }

    fn share_offset(
        &self,
        py: Python<'_>,
        topic_id: &Uuid,
        partition: i32,
        timestamp: i64,
        committed: bool,
    ) -> PyResult<(i16, i64)> {
        let (running, topic_id) = (self.running()?, topic_id.0);
        let found = py.detach(|| running.broker.share_offset(topic_id, partition, timestamp, committed));
        Ok(found.map_or_else(|error| (error, -1), |offset| (0, offset)))
    }

    fn watch_for_share(&self, topic_id: &Uuid, partition: i32) -> PyResult<i16> {
        let running = self.running()?;
        Ok(running.broker.watch_for_share(topic_id.0, partition).err().unwrap_or(0))
    }

    #[allow(clippy::too_many_arguments, reason = "Python gives them by position")]
    fn append_dead_letters(
        &self,
        py: Python<'_>,
        topic_id: &Uuid,
        topic: PyBackedStr,
        partition: i32,
        first_offset: i64,
        last_offset: i64,
        group_id: PyBackedStr,
        delivery_count: i16,
        message: PyBackedStr,
        target: PyBackedStr,
        target_partition: i32,
        copies: bool,
    ) -> PyResult<i16> {
        let (running, topic_id) = (self.running()?, topic_id.0);
        let letters = barnabas_broker::DeadLetters {
            topic_id,
            topic: &topic,
            index: partition,
            first_offset,
            last_offset,
            group_id: &group_id,
            delivery_count,
            message: &message,
            target: &target,
            target_index: target_partition,
            copy: copies,
        };
        Ok(py.detach(|| running.broker.append_dead_letters(&letters, self.clock.wall()).err().unwrap_or(0)))
    }

    fn delete_coordinator_records(
        &self,
        py: Python<'_>,
        topic: PyBackedStr,
        partition: i32,
        offset: i64,
    ) -> PyResult<i16> {
        let running = self.running()?;
        Ok(py.detach(|| running.broker.delete_as_coordinator(&topic, partition, offset).err().unwrap_or(0)))
    }

    fn watch_connection(&self, request_id: u64) -> PyResult<bool> {
        self.running()?;
        Ok(self.inbox.watch_connection(request_id))
    }

    fn unwatch_for_share(&self, topic_id: &Uuid, partition: i32) -> PyResult<()> {
        self.running()?.broker.unwatch_for_share(topic_id.0, partition);
        Ok(())
    }

    #[pyo3(signature = (topic, partition, producer_id, producer_epoch, transaction_version = 0))]
    fn begin_verification(
        &self,
        py: Python<'_>,
        topic: PyBackedStr,
        partition: i32,
        producer_id: i64,
        producer_epoch: i16,
        transaction_version: i16,
    ) -> PyResult<(i16, u64)> {
        let running = self.running()?;
        let batch = Unverified {
            producer_id,
            producer_epoch,
            base_sequence: -1,
            epoch_per_transaction: transaction_version >= 2,
        };
        let begin = || running.broker.begin_verification(&topic, partition, &batch, self.clock.wall());
        Ok(py.detach(begin).map_or_else(|error| (error, 0), |guard| (0, guard)))
    }

    fn write_markers(
        &self,
        py: Python<'_>,
        coordinator_epoch: i32,
        markers: Vec<coordinators::Marker>,
    ) -> PyResult<Vec<(u64, Vec<i16>)>> {
        let running = self.running()?;
        let now = self.clock.wall();
        Ok(py.detach(|| coordinators::write_markers(&running.broker, coordinator_epoch, &markers, now)))
    }

    fn markers_written(&self, py: Python<'_>, id: u64) -> PyResult<Option<Vec<i16>>> {
        let running = self.running()?;
        Ok(py.detach(|| running.broker.markers_written(id)))
    }

    fn publish_transactions(
        &self,
        py: Python<'_>,
        ended: Vec<i64>,
        open: Vec<coordinators::Open>,
    ) -> PyResult<()> {
        let running = self.running()?;
        py.detach(|| coordinators::publish_transactions(&running.broker, &ended, &open));
        Ok(())
    }

    fn publish_steady(
        &self,
        py: Python<'_>,
        withdrawn: Option<Vec<PyBackedStr>>,
        members: Vec<coordinators::Steady>,
    ) -> PyResult<()> {
        let running = self.running()?;
        let now = self.clock.wall();
        py.detach(|| coordinators::publish_steady(&running.broker, withdrawn.as_deref(), members, now));
        Ok(())
    }

    fn tell_figures(&self, figures: Vec<Figure>) -> PyResult<()> {
        self.running()?.figures.tell(figures);
        Ok(())
    }

    fn last_heartbeat(&self, group_id: &str, member_id: &str) -> PyResult<Option<i64>> {
        Ok(self.running()?.broker.last_heartbeat(group_id, member_id))
    }

    fn transaction_checked(&self, py: Python<'_>, check_id: u64, errors: Vec<i16>) -> PyResult<()> {
        let running = self.running()?;
        py.detach(|| running.broker.transaction_checked(check_id, errors));
        Ok(())
    }

    fn schemas_checked(
        &self,
        py: Python<'_>,
        check_id: u64,
        answers: Vec<Option<SchemaSaid>>,
    ) -> PyResult<()> {
        let running = self.running()?;
        let now = self.clock.wall();
        py.detach(|| {
            let answers = answers.into_iter().map(|said| said.map(SchemaVerdict::from)).collect();
            running.broker.schemas_checked(check_id, answers, now);
        });
        Ok(())
    }

    fn quorum(&self) -> PyResult<QuorumInfo> {
        let info = self.running()?.metadata.with_log(|log| QuorumInfo::of(log, self.settings.node_id));
        info.ok_or_else(|| PyRuntimeError::new_err("the node is not running"))
    }
}
