//! The metadata image as Python sees it: frozen views that share the Rust value and copy what is asked for.

use std::path::PathBuf;
use std::sync::Arc;

use barnabas_disk::{OpenFiles, OsDisk};
use barnabas_image as image;
use barnabas_image::ResourceType;
use barnabas_protocol::wire::Writer;
use barnabas_protocol::{NodeId, Offset, PartitionIndex};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::uuid::Uuid;

/// A listener: (name, host, port, security protocol).
type Listener = (String, String, u16, i16);
/// An access control entry: (id, resource type, resource name, pattern type, principal, host, operation,
/// permission type).
type Acl = (Uuid, i8, String, i8, String, String, i8, i8);
/// A SCRAM credential: (mechanism, user, salt, stored key, server key, iterations).
type Scram<'py> = (i8, String, Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>, i32);
/// Quotas of an entity: ([(type, name or None)], {key: value}).
type Quota<'py> = (Vec<(String, Option<String>)>, Bound<'py, PyDict>);
/// A delegation token: (id, owner, requester, renewers, issued, max, expires).
type Token = (String, String, String, Vec<String>, i64, i64, i64);

/// Adds the classes and functions of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PartitionImage>()?;
    module.add_class::<TopicImage>()?;
    module.add_class::<BrokerImage>()?;
    module.add_class::<ControllerImage>()?;
    module.add_class::<MetadataImage>()?;
    module.add_function(wrap_pyfunction!(load_metadata, module)?)
}

/// One partition.
#[pyclass(frozen, eq, module = "barnabas._core")]
#[derive(PartialEq)]
pub(crate) struct PartitionImage(Arc<image::PartitionImage>);

#[pymethods]
impl PartitionImage {
    #[getter]
    fn replicas(&self) -> Vec<NodeId> {
        self.0.replicas().to_vec()
    }

    #[getter]
    fn isr(&self) -> Vec<NodeId> {
        self.0.isr().to_vec()
    }

    #[getter]
    fn adding_replicas(&self) -> Vec<NodeId> {
        self.0.adding_replicas().to_vec()
    }

    #[getter]
    fn removing_replicas(&self) -> Vec<NodeId> {
        self.0.removing_replicas().to_vec()
    }

    #[getter]
    fn elr(&self) -> Vec<NodeId> {
        self.0.elr().to_vec()
    }

    #[getter]
    fn last_known_elr(&self) -> Vec<NodeId> {
        self.0.last_known_elr().to_vec()
    }

    #[getter]
    fn directories(&self) -> Vec<Uuid> {
        self.0.directories().iter().map(|id| Uuid(*id)).collect()
    }

    #[getter]
    fn leader(&self) -> NodeId {
        self.0.leader
    }

    #[getter]
    fn leader_epoch(&self) -> i32 {
        self.0.leader_epoch
    }

    #[getter]
    fn partition_epoch(&self) -> i32 {
        self.0.partition_epoch
    }

    #[getter]
    fn leader_recovery_state(&self) -> i8 {
        self.0.leader_recovery_state
    }

    fn __repr__(&self) -> String {
        let partition = &*self.0;
        format!(
            "PartitionImage(replicas={:?}, isr={:?}, leader={}, leader_epoch={}, partition_epoch={})",
            partition.replicas(),
            partition.isr(),
            partition.leader,
            partition.leader_epoch,
            partition.partition_epoch,
        )
    }
}

/// One topic.
#[pyclass(frozen, eq, module = "barnabas._core")]
#[derive(PartialEq)]
pub(crate) struct TopicImage(Arc<image::TopicImage>);

#[pymethods]
impl TopicImage {
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    #[getter]
    fn id(&self) -> Uuid {
        Uuid(self.0.id)
    }

    #[getter]
    fn partition_count(&self) -> usize {
        self.0.partition_count()
    }

    fn partition(&self, index: PartitionIndex) -> Option<PartitionImage> {
        self.0.partition(index).cloned().map(PartitionImage)
    }

    fn partitions(&self) -> Vec<(PartitionIndex, PartitionImage)> {
        self.0.partitions().map(|(index, partition)| (index, PartitionImage(partition.clone()))).collect()
    }

    fn __repr__(&self) -> String {
        format!("TopicImage('{}', {}, {} partitions)", self.0.name, self.0.id, self.0.partition_count())
    }
}

/// One registered broker.
#[pyclass(frozen, eq, module = "barnabas._core")]
#[derive(PartialEq)]
pub(crate) struct BrokerImage(Arc<image::BrokerImage>);

#[pymethods]
impl BrokerImage {
    #[getter]
    fn id(&self) -> NodeId {
        self.0.id
    }

    #[getter]
    fn epoch(&self) -> Offset {
        self.0.epoch
    }

    #[getter]
    fn incarnation_id(&self) -> Uuid {
        Uuid(self.0.incarnation_id)
    }

    #[getter]
    fn fenced(&self) -> bool {
        self.0.fenced
    }

    #[getter]
    fn in_controlled_shutdown(&self) -> bool {
        self.0.in_controlled_shutdown
    }

    #[getter]
    fn rack(&self) -> Option<&str> {
        self.0.rack.as_deref()
    }

    #[getter]
    fn listeners(&self) -> Vec<Listener> {
        listeners(&self.0.listeners)
    }

    #[getter]
    fn log_dirs(&self) -> Vec<Uuid> {
        self.0.log_dirs.iter().map(|id| Uuid(*id)).collect()
    }

    #[getter]
    fn cordoned_log_dirs(&self) -> Option<Vec<Uuid>> {
        self.0.cordoned_log_dirs.as_ref().map(|ids| ids.iter().map(|id| Uuid(*id)).collect())
    }

    #[getter]
    fn features<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        features(py, &self.0.features)
    }

    fn __repr__(&self) -> String {
        format!("BrokerImage({}, epoch={}, fenced={})", self.0.id, self.0.epoch, self.0.fenced)
    }
}

/// One registered controller.
#[pyclass(frozen, eq, module = "barnabas._core")]
#[derive(PartialEq)]
pub(crate) struct ControllerImage(Arc<image::ControllerImage>);

#[pymethods]
impl ControllerImage {
    #[getter]
    fn id(&self) -> NodeId {
        self.0.id
    }

    #[getter]
    fn incarnation_id(&self) -> Uuid {
        Uuid(self.0.incarnation_id)
    }

    #[getter]
    fn listeners(&self) -> Vec<Listener> {
        listeners(&self.0.listeners)
    }

    #[getter]
    fn features<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        features(py, &self.0.features)
    }

    fn __repr__(&self) -> String {
        format!("ControllerImage({}, {})", self.0.id, self.0.incarnation_id)
    }
}

fn listeners(endpoints: &[image::Endpoint]) -> Vec<Listener> {
    endpoints.iter().map(|e| (e.name.to_string(), e.host.to_string(), e.port, e.security_protocol)).collect()
}

fn features<'py>(py: Python<'py>, supported: &[image::SupportedFeature]) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for feature in supported {
        dict.set_item(&*feature.name, (feature.min, feature.max))?;
    }
    Ok(dict)
}

/// One state of the cluster's metadata.
#[pyclass(frozen, module = "barnabas._core")]
pub(crate) struct MetadataImage(pub(crate) Arc<image::MetadataImage>);

#[pymethods]
impl MetadataImage {
    #[new]
    fn empty() -> Self {
        Self(Arc::default())
    }

    #[getter]
    fn offset(&self) -> Offset {
        self.0.offset()
    }

    #[getter]
    fn epoch(&self) -> i32 {
        self.0.epoch()
    }

    fn with_records(&self, records: Vec<Vec<u8>>) -> PyResult<Self> {
        let mut image = (*self.0).clone();
        let epoch = image.epoch().max(0);
        for (record, offset) in records.iter().zip(image.offset() + 1..) {
            let replayed = image.replay_bytes(record, offset, epoch);
            replayed.map_err(|error| PyValueError::new_err(error.to_string()))?;
        }
        Ok(Self(Arc::new(image)))
    }

    fn to_records<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let encoded = self.0.to_records().map(|(record, version)| {
            let mut writer = Writer::new();
            match record.encode(&mut writer, version) {
                Ok(()) => Ok(PyBytes::new(py, &writer.into_bytes())),
                Err(error) => Err(PyValueError::new_err(error.to_string())),
            }
        });
        encoded.collect()
    }

    fn topic(&self, name: &str) -> Option<TopicImage> {
        self.0.topics.by_name(name).cloned().map(TopicImage)
    }

    fn topic_by_id(&self, topic_id: &Uuid) -> Option<TopicImage> {
        self.0.topics.by_id(topic_id.0).cloned().map(TopicImage)
    }

    fn topics(&self) -> Vec<TopicImage> {
        self.0.topics.iter().cloned().map(TopicImage).collect()
    }

    fn topic_count(&self) -> usize {
        self.0.topics.len()
    }

    fn partition_count(&self) -> usize {
        self.0.topics.partition_count()
    }

    fn broker(&self, broker_id: NodeId) -> Option<BrokerImage> {
        self.0.brokers.get(broker_id).cloned().map(BrokerImage)
    }

    fn brokers(&self) -> Vec<BrokerImage> {
        self.0.brokers.iter().cloned().map(BrokerImage).collect()
    }

    fn controller(&self, controller_id: NodeId) -> Option<ControllerImage> {
        self.0.controllers.get(controller_id).cloned().map(ControllerImage)
    }

    fn controllers(&self) -> Vec<(NodeId, Uuid)> {
        self.0.controllers.iter().map(|known| (known.id, Uuid(known.incarnation_id))).collect()
    }

    fn config<'py>(&self, py: Python<'py>, resource_type: i8, name: &str) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (config, value) in self.0.configs.get(ResourceType(resource_type), name).iter() {
            dict.set_item(config, value)?;
        }
        Ok(dict)
    }

    fn config_resources(&self) -> Vec<(i8, String)> {
        let resources = self.0.configs.iter().map(|(resource, _)| resource);
        resources.map(|resource| (resource.resource_type.0, resource.name.to_string())).collect()
    }

    fn features<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, level) in self.0.features.iter() {
            dict.set_item(&**name, level)?;
        }
        Ok(dict)
    }

    fn next_producer_id(&self) -> i64 {
        self.0.producer_ids.next_producer_id()
    }

    fn acls(&self) -> Vec<Acl> {
        let entry = |id: &barnabas_protocol::Uuid, acl: &image::Acl| {
            let (name, principal) = (acl.resource_name.to_string(), acl.principal.to_string());
            let (host, operation) = (acl.host.to_string(), acl.operation);
            let (kind, pattern) = (acl.resource_type, acl.pattern_type);
            (Uuid(*id), kind, name, pattern, principal, host, operation, acl.permission_type)
        };
        self.0.acls.iter().map(|(id, acl)| entry(id, acl)).collect()
    }

    fn scram<'py>(&self, py: Python<'py>) -> Vec<Scram<'py>> {
        let bytes = |bytes: &[u8]| PyBytes::new(py, bytes);
        let all = self.0.scram.iter().map(|(mechanism, user, credential)| {
            let (salt, stored) = (bytes(&credential.salt), bytes(&credential.stored_key));
            let server = bytes(&credential.server_key);
            (mechanism.0, user.to_string(), salt, stored, server, credential.iterations)
        });
        all.collect()
    }

    fn quotas<'py>(&self, py: Python<'py>) -> PyResult<Vec<Quota<'py>>> {
        let mut all = Vec::new();
        for (entity, quotas) in self.0.quotas.iter() {
            let dict = PyDict::new(py);
            for (key, value) in quotas.iter() {
                dict.set_item(&**key, value)?;
            }
            let name = |name: &Option<Arc<str>>| name.as_ref().map(ToString::to_string);
            all.push((entity.iter().map(|(kind, of)| (kind.to_string(), name(of))).collect(), dict));
        }
        Ok(all)
    }

    fn tokens(&self) -> Vec<Token> {
        let entry = |id: &Arc<str>, token: &image::DelegationToken| {
            let (owner, requester) = (token.owner.to_string(), token.requester.to_string());
            let renewers = token.renewers.iter().map(ToString::to_string).collect();
            let (issued, max) = (token.issue_timestamp, token.max_timestamp);
            (id.to_string(), owner, requester, renewers, issued, max, token.expiration_timestamp)
        };
        self.0.tokens.iter().map(|(id, token)| entry(id, token)).collect()
    }

    fn __repr__(&self) -> String {
        let topics = &self.0.topics;
        let (offset, topics, partitions) = (self.0.offset(), topics.len(), topics.partition_count());
        format!("MetadataImage(offset={offset}, {topics} topics, {partitions} partitions)")
    }
}

/// Reads the metadata in a log directory that no node uses.
#[pyfunction]
fn load_metadata(py: Python<'_>, log_dir: PathBuf) -> PyResult<MetadataImage> {
    let files = Arc::new(OpenFiles::new(Arc::new(OsDisk::new()), 16));
    let loaded = py.detach(|| barnabas_raft::load(files, &log_dir, crate::clock::now()));
    match loaded {
        Ok(image) => Ok(MetadataImage(Arc::new(image))),
        Err(error) => Err(PyOSError::new_err(error.to_string())),
    }
}
