//! The Python extension `barnabas._core`: what crosses between Python and Rust, and nothing else.

use pyo3::prelude::*;

/// The native half of barnabas.
#[pymodule]
fn _core(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
