//! What the data plane holds values against, for Python to ask.

use barnabas_datum::Schema;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Why `payload` is no value of the schema that `program` is, None if it is one.
#[pyfunction]
#[pyo3(signature = (program, payload, in_header = None))]
pub(crate) fn misfit(program: &[u8], payload: &[u8], in_header: Option<&[u8]>) -> PyResult<Option<String>> {
    let schema = Schema::read(program).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(schema.check(in_header, payload).err().map(|misfit| misfit.to_string()))
}
