//! The Python faces of `barnabas_client`: producer, consumer, records, and calls of any kind.
//!
//! Nothing here decides anything about Kafka. A call copies bytes in or out; waits give the interpreter back in
//! slices, so that signals are heard; the threads of clients never call into Python, they ring a doorbell.

mod arrow;
mod calls;
mod columns;
mod consumer;
pub(crate) mod doorbell;
mod errors;
mod figures;
mod fork;
mod membership;
mod options;
pub(crate) mod producer;
mod record;
mod security;
mod share;
mod text;
mod waiting;

use pyo3::prelude::*;

/// Adds the classes to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<doorbell::Watched>()?;
    module.add_class::<calls::NativeCalls>()?;
    module.add_class::<security::BearerToken>()?;
    module.add_class::<producer::NativeProducer>()?;
    module.add_class::<consumer::NativeConsumer>()?;
    module.add_class::<share::NativeShareConsumer>()?;
    module.add_class::<record::Record>()?;
    module.add_class::<columns::RecordBatch>()?;
    module.add_class::<record::RecordMetadata>()?;
    module.add_function(wrap_pyfunction!(partition_of_key, module)?)
}

/// The partition of a key among `count`, as Java's default partitioner finds it.
#[pyfunction]
fn partition_of_key(key: &[u8], count: usize) -> PyResult<usize> {
    if count == 0 {
        return Err(pyo3::exceptions::PyValueError::new_err("a topic has at least one partition"));
    }
    Ok(barnabas_client::partitioner::partition_of_key(key, count))
}
