//! The Python face of `barnabas_http`: services listen, their requests are drained and answered in batches.
//!
//! Nothing here decides anything. Python watches a descriptor; no thread of the server calls into Python.

pub(crate) mod request;
mod server;

use pyo3::prelude::*;

/// Adds the classes to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<request::HttpRequest>()?;
    module.add_class::<server::HttpServer>()
}
