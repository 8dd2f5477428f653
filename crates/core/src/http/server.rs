//! `HttpServer`: threads, services, and what waits for Python.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use barnabas_http::{BodyWriter, HttpSettings, Reply, Service, Serving, Tls, TlsTexts};
use barnabas_metrics::Exposition;
use barnabas_net::{BoundListener, ListenerSettings};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::StatusCode;
use parking_lot::Mutex;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use crate::client::doorbell::Doorbell;
use crate::clock;
use crate::http::request::HttpRequest;
use crate::metadata::describe;
use crate::rest::{Express, RecordTarget, Route};

/// Headers as Python has them.
type Headers = Vec<(String, String)>;

/// Certificates, key, and authorities of clients, in PEM.
type TlsOf = (String, String, Option<String>);

/// An answer: to which request, status, headers, body, and whether it is published.
type Answer<'py> = (PyRef<'py, HttpRequest>, u16, Headers, Vec<u8>, bool);

/// A server of one or more services.
#[pyclass(frozen, module = "barnabas._core")]
pub(crate) struct HttpServer {
    server: barnabas_http::HttpServer,
    services: Mutex<Vec<Service>>,
    /// Ways of requests that are answered without Python.
    express: Arc<Express>,
    doorbell: Arc<Doorbell>,
}

#[pymethods]
impl HttpServer {
    /// Starts `threads` threads. A request's body may have `body_bytes_max` bytes.
    #[new]
    fn new(threads: usize, body_bytes_max: usize) -> PyResult<HttpServer> {
        let settings = HttpSettings { threads, body_bytes_max, ..HttpSettings::default() };
        let doorbell = Doorbell::new()?;
        let server = barnabas_http::HttpServer::start(settings, doorbell.notify())?;
        let express = Arc::new(Express::default());
        server.inbox().set_taker(express.clone());
        Ok(HttpServer { server, services: Mutex::default(), express, doorbell })
    }

    /// Lets clients of a service in: its number, and the port, which may have been 0. To paths that end with
    /// `in_pieces`, bodies without a length are handed over as they come. Raises OSError.
    /// `tls` has PEM texts: certificates, key, and authorities of clients' certificates, if clients must have some.
    /// Raises ValueError where they can't be used.
    #[pyo3(signature = (name, host, port, published_bytes_max, in_pieces=None, tls=None))]
    #[allow(clippy::too_many_arguments, reason = "all but the first have names in Python")]
    fn listen(
        &self,
        py: Python<'_>,
        name: &str,
        host: &str,
        port: u16,
        published_bytes_max: usize,
        in_pieces: Option<&str>,
        tls: Option<TlsOf>,
    ) -> PyResult<(usize, u16)> {
        let tls = tls.map(|texts| secured(&texts)).transpose()?;
        let settings = ListenerSettings::new(name, host, port);
        let bound = py.detach(|| BoundListener::bind(&settings));
        let bound = bound.map_err(|error| PyOSError::new_err(describe(&error)))?;
        let port = bound.address().port();
        let mut services = self.services.lock();
        let how = Serving { in_pieces: in_pieces.map(Arc::from), tls };
        let service = self.server.serve_with(bound.into_socket(), published_bytes_max, how)?;
        assert_eq!(service.number, services.len(), "services are numbered as they come");
        let number = service.number;
        services.push(service);
        Ok((number, port))
    }

    /// A descriptor that is readable when [`HttpServer::drain`] has something to give.
    fn fileno(&self) -> i32 {
        self.doorbell.listen()
    }

    /// Takes up to `limit` requests, and silences the descriptor.
    fn drain(&self, limit: usize) -> Vec<HttpRequest> {
        // First: what arrives from now on rings again.
        self.doorbell.clear();
        let requests = self.server.inbox().drain(limit);
        requests.into_iter().map(HttpRequest::new).collect()
    }

    /// Waits up to `micros` for requests, awake; whether there are some. To be woken takes as long.
    fn await_requests(&self, py: Python<'_>, micros: u64) -> bool {
        let inbox = self.server.inbox();
        py.detach(|| {
            let begun = clock::instant();
            while begun.elapsed() < Duration::from_micros(micros) && !inbox.has_arrived(true) {
                // Who has something to do goes first: the client, perhaps.
                std::thread::yield_now();
            }
            inbox.has_arrived(false)
        })
    }

    /// From now on the records of plain requests to the path of this one, which are batches or not, go to `target`,
    /// and are answered, without Python but for those that were not written: `refusal` is called with why, and gives
    /// status and body of the reply to one alone.
    fn show_records(
        &self,
        request: &HttpRequest,
        target: Bound<'_, RecordTarget>,
        refusal: Py<PyAny>,
        is_batch: bool,
    ) -> PyResult<()> {
        let operation = request.operation.load(Ordering::Relaxed);
        let route = Route::new(target, operation, refusal, is_batch)?;
        let request = &request.request;
        self.express.add(request.service, request.target.path(), route);
        Ok(())
    }

    /// Answers requests: status, headers, body, and whether the same request is answered so from now on without
    /// Python. What names or values can't be headers raises ValueError, before anybody is answered.
    fn respond(&self, answers: Vec<Answer<'_>>) -> PyResult<()> {
        let replies: PyResult<Vec<_>> = answers
            .into_iter()
            .map(|(request, status, headers, body, publish)| {
                let reply = reply(&request, status, headers, body)?;
                Ok((request, reply, publish))
            })
            .collect();
        let mut answers = Vec::new();
        for (request, reply, publish) in replies? {
            let request = &request.request;
            if publish {
                let method = if request.method == "HEAD" { "GET" } else { request.method.as_str() };
                let target = request.target.path_and_query().map_or("", |target| target.as_str());
                let services = self.services.lock();
                services[request.service].published.publish(method, target, &request.body, reply.clone());
            }
            answers.push((request.id, reply));
        }
        self.server.inbox().answer_all(answers);
        Ok(())
    }

    /// Begins the answer to a request; its body is what [`HttpRequest::write`] is given. False when the client has
    /// gone.
    fn begin(&self, request: PyRef<'_, HttpRequest>, status: u16, headers: Headers) -> PyResult<bool> {
        let head = reply(&request, status, headers, Vec::new())?;
        Ok(begun(&request, self.server.inbox().begin(request.request.id, head)))
    }

    /// Makes a WebSocket of the connection of a request that asks for one: each piece that is written is a message.
    /// False when the client has gone.
    fn begin_websocket(&self, request: PyRef<'_, HttpRequest>) -> PyResult<bool> {
        let head = reply(&request, 101, Headers::new(), Vec::new())?;
        Ok(begun(&request, self.server.inbox().begin_websocket(request.request.id, head)))
    }

    /// What a service has answered, in the text format of Prometheus; `operations` are the names of numbers from 1 on.
    fn figures(&self, service: usize, operations: Vec<String>) -> PyResult<String> {
        let mut exposition = Exposition::default();
        let services = self.services.lock();
        let service = services.get(service).ok_or_else(no_such_service)?;
        service.figures.write(&operations, &mut exposition);
        Ok(exposition.into_text())
    }

    /// Requests of which there is something new: pieces of a body, room for more of a reply, or an end of either.
    fn news(&self) -> Vec<u64> {
        self.server.inbox().news()
    }

    /// Takes back all replies that were published for a service.
    fn withdraw(&self, service: usize) -> PyResult<()> {
        let services = self.services.lock();
        let service = services.get(service).ok_or_else(no_such_service)?;
        service.published.withdraw_all();
        Ok(())
    }

    /// Lets nobody in any more; who waits for an answer may get it within `grace_ms`. Stopping twice does nothing.
    fn stop(&self, py: Python<'_>, grace_ms: u64) {
        py.detach(|| self.server.stop(Duration::from_millis(grace_ms)));
        // Who was shown a way may hold this.
        self.express.clear();
    }
}

fn secured((certificates, key, authorities): &TlsOf) -> PyResult<Tls> {
    let texts = TlsTexts { certificates, key, client_authorities: authorities.as_deref() };
    Tls::new(texts).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn no_such_service() -> PyErr {
    PyValueError::new_err("no such service")
}

/// Keeps what writes the reply to a request; false when there is nobody to write to.
fn begun(request: &HttpRequest, writer: Option<BodyWriter>) -> bool {
    let begun = writer.is_some();
    *request.writer.lock() = writer;
    begun
}

fn reply(request: &HttpRequest, status: u16, headers: Headers, body: Vec<u8>) -> PyResult<Arc<Reply>> {
    let status = StatusCode::from_u16(status).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let name =
            HeaderName::try_from(&name).map_err(|_| PyValueError::new_err(format!("header {name:?}")))?;
        let value =
            HeaderValue::try_from(&value).map_err(|_| PyValueError::new_err(format!("value {value:?}")))?;
        map.append(name, value);
    }
    let mut reply = Reply::new(status, map, body.into());
    reply.operation = request.operation.load(Ordering::Relaxed);
    Ok(Arc::new(reply))
}
