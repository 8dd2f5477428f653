//! What `Node.drain` gives to Python.

use std::sync::Arc;

use barnabas_broker::SchemaVerdict;
use barnabas_datum::Schema;
use pyo3::prelude::*;

use crate::uuid::Uuid;

/// Somebody wants to see what Python counts.
#[pyclass(frozen, module = "barnabas._core")]
pub(crate) struct FiguresWanted {}

/// A whole request that Python answers.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct ColdRequest {
    pub(crate) id: u64,
    pub(crate) api_key: i16,
    pub(crate) api_version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<String>,
    pub(crate) listener: String,
    pub(crate) client_address: String,
    pub(crate) connection: u64,
    pub(crate) body: Py<PyAny>,
}

/// A request that a test wants answered with an error.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct FaultedRequest {
    pub(crate) request: Py<PyAny>,
    pub(crate) error_code: i16,
}

/// Metadata records up to this offset are committed and applied.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct Committed {
    pub(crate) offset: i64,
}

/// This node's replica lies in that directory.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct ReplicaDirectory {
    pub(crate) topic_id: Uuid,
    pub(crate) partition: i32,
    pub(crate) directory: Uuid,
}

/// A log directory has failed.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct DirectoryFailed {
    pub(crate) directory: Uuid,
}

/// A log directory that had failed works again.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct DirectoryReturned {
    pub(crate) directory: Uuid,
}

/// This node leads a coordinator's partition from now on, or no more (epoch -1).
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct CoordinatorLeadership {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) leader_epoch: i32,
}

/// The high watermark of a coordinator's partition has moved by itself.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct CoordinatorCommitted {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) high_watermark: i64,
}

/// A marker was appended to a partition of `__consumer_offsets`.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct TransactionEnded {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) committed: bool,
}

/// It is time to look at markers that wait.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct MarkersMoved {
    pub(crate) id: u64,
}

/// A share partition that is watched has more to read.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct PartitionReadable {
    pub(crate) topic_id: Uuid,
    pub(crate) partition: i32,
}

/// A connection that was watched has closed.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct ConnectionClosed {
    pub(crate) connection: u64,
}

/// A transactional Produce waits for its coordinator's word.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct TransactionCheck {
    pub(crate) id: u64,
    pub(crate) transactional_id: String,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) partitions: Vec<(String, i32)>,
    pub(crate) add: bool,
}

/// What names a schema: the number of its registry, or the text of its GUID.
#[derive(Clone, IntoPyObject)]
pub(crate) enum SchemaName {
    Id(u32),
    Guid(String),
}

/// What is said of a schema.
#[derive(FromPyObject)]
pub(crate) enum SchemaSaid {
    MayBeUsed(bool),
    /// May be used, but nothing can be held against it; why.
    Unreadable(String),
    /// May be used, with what is held against it.
    Program(Vec<u8>),
}

impl From<SchemaSaid> for SchemaVerdict {
    fn from(said: SchemaSaid) -> SchemaVerdict {
        match said {
            SchemaSaid::MayBeUsed(false) => SchemaVerdict::Foreign,
            SchemaSaid::MayBeUsed(true) => SchemaVerdict::Usable(None),
            SchemaSaid::Unreadable(why) => SchemaVerdict::Unreadable(why.into()),
            SchemaSaid::Program(program) => match Schema::read(&program) {
                Ok(schema) => SchemaVerdict::Usable(Some(Arc::new(schema))),
                Err(error) => SchemaVerdict::Unreadable(error.to_string().into()),
            },
        }
    }
}

/// Records have schemas of which it must be known whether they may be used.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct SchemaCheck {
    pub(crate) id: u64,
    pub(crate) topic: String,
    pub(crate) key_strategy: &'static str,
    pub(crate) value_strategy: &'static str,
    pub(crate) reads_keys: bool,
    pub(crate) reads_values: bool,
    pub(crate) schemas: Vec<(bool, SchemaName)>,
}

/// A line for the log; the level is Python's.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct LogLine {
    pub(crate) level: u8,
    pub(crate) target: String,
    pub(crate) message: String,
}

/// The node can't go on.
#[pyclass(frozen, get_all, module = "barnabas._core")]
pub(crate) struct Fatal {
    pub(crate) reason: String,
}

/// Python's number of a level.
pub(crate) fn python_level(level: log::Level) -> u8 {
    match level {
        log::Level::Error => 40,
        log::Level::Warn => 30,
        log::Level::Info => 20,
        log::Level::Debug | log::Level::Trace => 10,
    }
}
