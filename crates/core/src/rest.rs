//! Records of the REST Proxy's API v3 that need no decision: read, handed to a producer and answered without objects
//! of Python for each. Everything else is left to Python, which would come to the same.
//!
//! Always true:
//!   all of it runs in the thread of Python's event loop, as what drains requests and results does, and holds the
//!   interpreter
//!   records that are handed in here and by Python to one producer keep their order

mod cutter;
mod plain;
mod reply;
mod route;
mod stream;
mod target;

pub(crate) use plain::{Part, PlainRecord};
pub(crate) use reply::{Delivered, Pending};
pub(crate) use route::{Route, Routes};
pub(crate) use target::RecordTarget;

use pyo3::prelude::*;

/// Adds the classes to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<target::RecordCount>()?;
    module.add_class::<target::RecordTarget>()?;
    module.add_class::<stream::RecordStream>()
}
