//! The Python extension `barnabas._core`: what crosses between Python and Rust, and nothing else.

mod codec;
mod uuid;

use pyo3::prelude::*;

/// The native half of barnabas.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<uuid::Uuid>()?;
    module.add_function(wrap_pyfunction!(codec::encode, module)?)?;
    module.add_function(wrap_pyfunction!(codec::decode, module)?)
}
