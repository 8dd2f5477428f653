//! A request in Python's hands.

use std::sync::atomic::{AtomicUsize, Ordering};

use barnabas_http::{BodyEnd, BodyWriter, Request};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A request that waits for its answer.
#[pyclass(frozen, module = "barnabas._core")]
pub(crate) struct HttpRequest {
    pub(super) request: Request,
    /// Writes the body of its reply, once that has begun.
    pub(super) writer: Mutex<Option<BodyWriter>>,
    /// Number of the operation that answers it; 0 until that is known.
    pub(super) operation: AtomicUsize,
}

impl HttpRequest {
    pub(super) fn new(request: Request) -> HttpRequest {
        HttpRequest { request, writer: Mutex::default(), operation: AtomicUsize::new(0) }
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

    /// Whether its body comes in pieces, which [`HttpRequest::read`] gives.
    #[getter]
    fn in_pieces(&self) -> bool {
        self.request.pieces.is_some()
    }

    /// What has come of its body since it was asked last, and how that has ended: None while more may come,
    /// "complete", or why there will be no more.
    fn read<'py>(&self, py: Python<'py>) -> (Bound<'py, PyBytes>, Option<&'static str>) {
        let Some(reader) = &self.request.pieces else { return (self.body(py), Some("complete")) };
        let (pieces, end) = reader.take();
        let end = end.map(|end| match end {
            BodyEnd::Complete => "complete",
            BodyEnd::Broken => "broken",
            BodyEnd::Silent => "silent",
            BodyEnd::Busy => "busy",
            BodyEnd::Stopping => "stopping",
        });
        (PyBytes::new(py, &pieces), end)
    }

    /// Writes a piece of the body of the reply that was begun: the bytes that are on their way. None when the client
    /// has gone, or nothing was begun.
    fn write(&self, piece: &[u8]) -> Option<usize> {
        self.writer.lock().as_ref()?.write(piece.to_vec().into())
    }

    /// Says why the WebSocket that was begun will end: a code of RFC 6455, and words.
    fn end_with(&self, code: u16, reason: String) {
        if let Some(writer) = self.writer.lock().as_ref() {
            writer.end_with(code, reason);
        }
    }

    /// Ends the reply that was begun.
    fn finish(&self) {
        self.writer.lock().take();
    }

    /// Whether it came through TLS.
    #[getter]
    fn is_secured(&self) -> bool {
        self.request.is_secured
    }

    /// Whose certificate the client has shown: the subject's name as RFC 2253 writes it, and Java. None: it has shown
    /// none.
    #[getter]
    fn subject(&self) -> Option<&str> {
        self.request.subject.as_deref()
    }

    /// Whether it asks for a WebSocket.
    #[getter]
    fn is_websocket(&self) -> bool {
        self.request.is_websocket
    }

    /// Says which operation answers it, by its number.
    fn note_operation(&self, number: usize) {
        self.operation.store(number, Ordering::Relaxed);
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
