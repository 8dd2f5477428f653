//! A request in Python's hands.

use barnabas_http::Request;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A request that waits for its answer.
#[pyclass(frozen, module = "barnabas._core")]
pub(crate) struct HttpRequest {
    pub(super) request: Request,
}

impl HttpRequest {
    pub(crate) fn new(request: Request) -> HttpRequest {
        HttpRequest { request }
    }
}

#[pymethods]
impl HttpRequest {
    /// By which it is answered.
    #[getter]
    fn id(&self) -> u64 {
        self.request.id
    }

    /// Number of the service that it came to.
    #[getter]
    fn service(&self) -> usize {
        self.request.service
    }

    #[getter]
    fn method(&self) -> &str {
        self.request.method.as_str()
    }

    /// The path as it was sent, percent signs included.
    #[getter]
    fn path(&self) -> &str {
        self.request.target.path()
    }

    /// What stands behind the question mark, as it was sent.
    #[getter]
    fn query(&self) -> &str {
        self.request.target.query().unwrap_or_default()
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.request.body)
    }

    /// Address of the client.
    #[getter]
    fn peer(&self) -> String {
        self.request.peer.to_string()
    }

    /// The first header of this name, in lower case; None without one, or where it is no text.
    fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.get(name)?.to_str().ok()
    }
}
