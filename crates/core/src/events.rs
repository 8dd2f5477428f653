//! What `Node.drain` gives to Python.

use pyo3::prelude::*;

use crate::uuid::Uuid;

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
    pub(crate) body: Py<PyAny>,
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
