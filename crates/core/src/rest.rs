//! Records of the REST Proxy's API v3 that need no decision: read, handed to a producer and answered without objects
//! of Python for each. Everything else is left to Python, which would come to the same.
//!
//! A request with a whole body is read by the thread of its connection, and answered by the one that drives the
//! producer: neither waits for the interpreter. Records of a stream are read and answered in the thread of Python's event loop,
//! which sees to others between them.
//!
//! Always true:
//!   records of a request reach the producer in their order, whoever reads them
//!   what a producer does not take at once, and what it could not write, is for Python

mod asked;
mod cutter;
mod plain;
mod reply;
mod route;
mod stream;
mod target;
mod time;

pub(crate) use asked::{Answers, Place};
pub(crate) use plain::{Part, PlainRecord};
pub(crate) use reply::Delivered;
pub(crate) use route::{Express, Route};
pub(crate) use stream::Line;
pub(crate) use target::RecordTarget;

use pyo3::prelude::*;

/// Adds the classes to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<target::RecordCount>()?;
    module.add_class::<target::RecordTarget>()?;
    module.add_class::<stream::RecordStream>()
}
