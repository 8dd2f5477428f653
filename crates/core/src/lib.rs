//! The Python extension `barnabas._core`: what crosses between Python and Rust, and nothing else.
//!
//! `node` is the face to Python, `running` the node behind it; `inbox` and `events` are the way from Rust to
//! Python, `codec` turns messages, `image` shows the metadata. No thread of Rust ever calls into Python.

mod avro;
mod cleaners;
mod client;
mod clock;
mod codec;
mod coordinators;
mod datum;
mod directories;
mod events;
mod faults;
mod figures;
mod http;
mod image;
mod inbox;
mod json;
mod lent_groups;
mod lent_transactions;
mod log_lines;
mod metadata;
mod metrics;
mod node;
mod process;
mod quorum;
mod response_errors;
mod rest;
mod running;
mod service;
mod settings;
mod start_error;
mod subscriptions;
mod topic_pattern;
mod uuid;

use barnabas_broker::Broker;
use pyo3::prelude::*;

/// API keys that are answered without Python.
#[pyfunction]
fn native_apis() -> Vec<i16> {
    Broker::NATIVE.to_vec()
}

/// The native half of barnabas.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<uuid::Uuid>()?;
    module.add_class::<node::Node>()?;
    module.add_class::<lent_groups::LentGroups>()?;
    module.add_class::<lent_transactions::LentTransactions>()?;
    module.add_class::<node::LogDirectory>()?;
    module.add_class::<quorum::QuorumInfo>()?;
    module.add_class::<events::ColdRequest>()?;
    module.add_class::<events::FaultedRequest>()?;
    module.add_class::<events::Committed>()?;
    module.add_class::<settings::MemoryDisk>()?;
    faults::register(module)?;
    module.add_class::<events::ReplicaDirectory>()?;
    module.add_class::<events::DirectoryFailed>()?;
    module.add_class::<events::DirectoryReturned>()?;
    module.add_class::<events::CoordinatorLeadership>()?;
    module.add_class::<events::CoordinatorCommitted>()?;
    module.add_class::<events::PartitionReadable>()?;
    module.add_class::<events::TransactionEnded>()?;
    module.add_class::<events::TransactionCheck>()?;
    module.add_class::<events::SchemaCheck>()?;
    module.add_class::<events::MarkersMoved>()?;
    module.add_class::<events::LogLine>()?;
    module.add_class::<events::Fatal>()?;
    module.add_class::<events::FiguresWanted>()?;
    module.add_class::<events::ConnectionClosed>()?;
    image::register(module)?;
    subscriptions::register(module)?;
    client::register(module)?;
    http::register(module)?;
    rest::register(module)?;
    module.add("RELEASE", !cfg!(debug_assertions))?;
    module.add_function(wrap_pyfunction!(native_apis, module)?)?;
    module.add_function(wrap_pyfunction!(coordinators::share_records, module)?)?;
    module.add_function(wrap_pyfunction!(codec::decompress, module)?)?;
    module.add_function(wrap_pyfunction!(datum::misfit, module)?)?;
    module.add_function(wrap_pyfunction!(json::flat_json, module)?)?;
    module.add_function(wrap_pyfunction!(json::compact_json, module)?)?;
    module.add_function(wrap_pyfunction!(avro::plain_avro, module)?)?;
    module.add_function(wrap_pyfunction!(codec::encode, module)?)?;
    module.add_function(wrap_pyfunction!(codec::decode, module)?)
}
