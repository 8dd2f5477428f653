//! What Python says about the node, taken out of a dict once.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use barnabas_image::{MetadataImage, ResourceType};
use barnabas_log::LogConfig;
use barnabas_net::{ConnectionBounds, ListenerSettings, NetworkSettings};
use barnabas_raft::MetadataLogConfig;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Files in memory, which outlive the node that writes them.
#[pyclass(frozen, module = "barnabas._core")]
pub(crate) struct MemoryDisk(pub(crate) barnabas_disk::MemoryDisk);

#[pymethods]
impl MemoryDisk {
    #[new]
    fn new() -> MemoryDisk {
        MemoryDisk(barnabas_disk::MemoryDisk::new())
    }
}

/// The argument of `Node`; `barnabas.server.native` makes it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct NodeSettings {
    pub(crate) node_id: i32,
    /// Where the files are, in memory; None: in the directories of the operating system.
    pub(crate) memory: Option<Py<MemoryDisk>>,
    pub(crate) log_dirs: Vec<PathBuf>,
    pub(crate) metadata_log_dir: PathBuf,
    pub(crate) listeners: Vec<(String, String, u16)>,
    pub(crate) controller_listeners: Vec<(String, String, u16)>,
    /// Where others find the controller; port 0 stands for the one that its listener gets.
    pub(crate) voter_endpoints: Vec<(String, String, u16)>,
    pub(crate) max_connections_per_ip_overrides: String,
    /// Broker configs that are numbers, by Kafka's names.
    pub(crate) numbers: HashMap<String, i64>,
    /// Broker configs that are fractions, by Kafka's names.
    pub(crate) doubles: HashMap<String, f64>,
    pub(crate) log_defaults: BTreeMap<String, String>,
    pub(crate) features: BTreeMap<String, (i16, i16)>,
    pub(crate) bootstrap_features: BTreeMap<String, i16>,
    pub(crate) bootstrap_configs: Vec<(String, String)>,
    pub(crate) cold_apis: Vec<i16>,
}

impl NodeSettings {
    /// A number that always has a value.
    pub(crate) fn number(&self, name: &str) -> PyResult<i64> {
        number(&self.numbers, name)
    }

    /// A number as the metadata has it for this broker or for all of them, else as it was set.
    pub(crate) fn number_in_force(&self, name: &str, image: &MetadataImage) -> PyResult<i64> {
        let dynamic =
            |broker: &str| image.configs.value(ResourceType::BROKER, broker, name)?.trim().parse().ok();
        match dynamic(&self.node_id.to_string()).or_else(|| dynamic("")) {
            Some(number) => Ok(number),
            None => self.number(name),
        }
    }

    /// A number that may be null.
    fn optional(&self, name: &str) -> Option<i64> {
        self.numbers.get(name).copied()
    }

    /// A number of which -1 says that there is no limit.
    fn limit(&self, name: &str) -> PyResult<Option<u64>> {
        Ok(u64::try_from(self.number(name)?).ok())
    }

    /// The broker's listeners to bind.
    pub(crate) fn listeners(&self) -> PyResult<Vec<ListenerSettings>> {
        self.to_bind(&self.listeners)
    }

    /// The controller's listeners to bind.
    pub(crate) fn controller_listeners(&self) -> PyResult<Vec<ListenerSettings>> {
        self.to_bind(&self.controller_listeners)
    }

    fn to_bind(&self, listeners: &[(String, String, u16)]) -> PyResult<Vec<ListenerSettings>> {
        let backlog = self.number("socket.listen.backlog.size")? as i32;
        let settings = |(name, host, port): &(String, String, u16)| ListenerSettings {
            backlog,
            ..ListenerSettings::new(name, host, *port)
        };
        Ok(listeners.iter().map(settings).collect())
    }

    /// The network's limits.
    pub(crate) fn network(&self) -> PyResult<NetworkSettings> {
        Ok(NetworkSettings {
            reactors: self.number("num.network.threads")? as usize,
            request_bytes_max: self.number("socket.request.max.bytes")? as usize,
            queued_request_bytes_max: self.limit("queued.max.request.bytes")?,
            send_buffer_bytes: self.limit("socket.send.buffer.bytes")?.map(|bytes| bytes as usize),
            receive_buffer_bytes: self.limit("socket.receive.buffer.bytes")?.map(|bytes| bytes as usize),
            idle_max: self.limit("connections.max.idle.ms")?.map(Duration::from_millis),
            connections: connection_bounds(&self.numbers, &self.max_connections_per_ip_overrides)?,
            slow_request: slow_request(&self.numbers)?,
            ..NetworkSettings::default()
        })
    }

    /// How the metadata log is kept.
    pub(crate) fn metadata_log(&self) -> PyResult<MetadataLogConfig> {
        Ok(MetadataLogConfig {
            segment_bytes: self.number("metadata.log.segment.bytes")? as u64,
            segment_ms: self.number("metadata.log.segment.ms")?,
            max_record_bytes_between_snapshots: self
                .number("metadata.log.max.record.bytes.between.snapshots")?
                as u64,
            max_snapshot_interval_ms: self.number("metadata.log.max.snapshot.interval.ms")?,
            max_retention_bytes: self.limit("metadata.max.retention.bytes")?,
            max_retention_ms: self.limit("metadata.max.retention.ms")?.map(|ms| ms as i64),
            batch_bytes_max: self
                .optional("internal.metadata.max.batch.size.in.bytes")
                .map_or_else(|| MetadataLogConfig::default().batch_bytes_max, |bytes| bytes as usize),
        })
    }
}

/// The configuration of topics that override nothing.
pub(crate) fn log_config(texts: &BTreeMap<String, String>) -> PyResult<LogConfig> {
    let texts = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    LogConfig::default().with_overrides(texts).map_err(|error| PyValueError::new_err(error.to_string()))
}

pub(crate) fn number(numbers: &HashMap<String, i64>, name: &str) -> PyResult<i64> {
    let found = numbers.get(name).copied();
    found.ok_or_else(|| PyValueError::new_err(format!("the settings lack {name}")))
}

/// Configs that change while the node runs and that Python hands over, because nobody here looks them up.
pub(crate) struct DynamicConfigs {
    pub(crate) connections: ConnectionBounds,
    /// `num.network.threads`.
    pub(crate) reactors: usize,
    /// `barnabas.slow.request.ms`.
    pub(crate) slow_request: Option<Duration>,
    pub(crate) producer_id_expiration_ms: i64,
    /// `transaction.partition.verification.enable`.
    pub(crate) transaction_verification: bool,
}

impl DynamicConfigs {
    /// From all numbers in force, and `max.connections.per.ip.overrides`.
    pub(crate) fn new(numbers: &HashMap<String, i64>, connections_per_ip: &str) -> PyResult<Self> {
        Ok(DynamicConfigs {
            connections: connection_bounds(numbers, connections_per_ip)?,
            reactors: number(numbers, "num.network.threads")? as usize,
            slow_request: slow_request(numbers)?,
            producer_id_expiration_ms: number(numbers, "producer.id.expiration.ms")?,
            transaction_verification: number(numbers, "transaction.partition.verification.enable")? != 0,
        })
    }
}

/// 0 says that no request is slow.
fn slow_request(numbers: &HashMap<String, i64>) -> PyResult<Option<Duration>> {
    let millis = number(numbers, "barnabas.slow.request.ms")?;
    Ok(u64::try_from(millis).ok().filter(|millis| *millis > 0).map(Duration::from_millis))
}

/// How many connections there may be, by the configs in force; `overrides`: `address:count` pairs. Host names are
/// not looked up.
fn connection_bounds(numbers: &HashMap<String, i64>, overrides: &str) -> PyResult<ConnectionBounds> {
    let pairs = overrides.split(',').filter(|pair| !pair.trim().is_empty());
    let per_ip_overrides: Option<HashMap<IpAddr, usize>> = pairs
        .map(|pair| {
            let (address, count) = pair.trim().rsplit_once(':')?;
            Some((address.trim_matches(['[', ']']).parse().ok()?, count.parse().ok()?))
        })
        .collect();
    Ok(ConnectionBounds {
        connections_max: number(numbers, "max.connections")? as usize,
        per_ip_max: number(numbers, "max.connections.per.ip")? as usize,
        per_ip_overrides: per_ip_overrides.ok_or_else(|| {
            PyValueError::new_err(format!(
                "max.connections.per.ip.overrides={overrides}: pairs of address:count are wanted"
            ))
        })?,
    })
}
