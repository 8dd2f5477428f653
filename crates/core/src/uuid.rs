//! `barnabas._core.Uuid`.

use barnabas_protocol::Uuid as Id;
use pyo3::exceptions::{PyOSError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// Ids below this number are reserved by Kafka.
const RESERVED: u128 = 100;

/// Sixteen bytes that name a topic, a directory, an incarnation; written as unpadded base64url.
#[pyclass(frozen, eq, ord, hash, module = "barnabas._core", name = "Uuid")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub Id);

#[pymethods]
impl Uuid {
    /// No id.
    #[classattr]
    const ZERO: Uuid = Uuid(Id::ZERO);

    #[new]
    fn new(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(text) = value.cast::<PyString>() {
            let text = text.to_str()?;
            return match Id::parse(text) {
                Some(id) => Ok(Uuid(id)),
                None => Err(PyValueError::new_err(format!("not an id of 22 base64url characters: '{text}'"))),
            };
        }
        let Ok(bytes) = value.cast::<PyBytes>() else {
            return Err(PyTypeError::new_err("a Uuid is made of str or bytes"));
        };
        match <[u8; 16]>::try_from(bytes.as_bytes()) {
            Ok(bytes) => Ok(Uuid(Id(bytes))),
            Err(_) => Err(PyValueError::new_err("an id has 16 bytes")),
        }
    }

    /// A new id; never a reserved one, and its text never starts with '-'.
    #[staticmethod]
    fn random() -> PyResult<Self> {
        random_uuid().map(Uuid).map_err(|error| PyOSError::new_err(error.to_string()))
    }

    #[getter]
    fn bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0 .0)
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyBytes>,) {
        (self.bytes(py),)
    }

    fn __bool__(&self) -> bool {
        !self.0.is_zero()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("Uuid('{}')", self.0)
    }
}

/// A new id; never a reserved one, and its text never starts with '-', which would look like an option on a
/// command line.
pub(crate) fn random_uuid() -> Result<Id, getrandom::Error> {
    loop {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        // Version 4 of RFC 9562, as Java's random ids are.
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let id = Id(bytes);
        if u128::from_be_bytes(bytes) >= RESERVED && !id.to_string().starts_with('-') {
            return Ok(id);
        }
    }
}
