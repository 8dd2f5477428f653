//! Figures of clients, as Python has them.

use barnabas_client::figures::{Figure, Shown};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Numbers by their names.
pub(crate) fn shown(py: Python<'_>, figures: Shown) -> PyResult<Bound<'_, PyDict>> {
    let all = PyDict::new(py);
    for (name, figure) in figures {
        match figure {
            Figure::Count(count) => all.set_item(name, count)?,
            Figure::Mean(mean) => all.set_item(name, mean)?,
        }
    }
    Ok(all)
}
