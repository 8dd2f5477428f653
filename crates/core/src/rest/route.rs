//! Requests with one plain record, whose way Python has shown: what answers them, and where their records go.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::Arc;

use barnabas_client::accumulator::TopicIndex;
use barnabas_http::{Inbox, Reply, Request};
use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use pyo3::prelude::*;

use super::plain::{self, PlainRecord};
use super::reply::{Delivered, Told};
use super::target::RecordTarget;
use crate::client::producer::Listener;
use crate::http::request::HttpRequest;

/// Paths of a service that are remembered; with one more all are forgotten, and shown again by who knows them.
const PATHS_MAX: usize = 10_000;
/// Bytes of a body that is read in the thread of its connection, which has others.
const BODY_BYTES_MAX: usize = 256 * 1024;
const JSON: &str = "application/json";

/// Where the records of a path go.
pub(crate) struct Route {
    target: Py<RecordTarget>,
    topic: TopicIndex,
    /// Number of the operation that answers them.
    operation: usize,
    /// Called with a request and why its record was not written.
    failed: Py<PyAny>,
}

impl Route {
    /// Requests are answered as those of this operation.
    pub(crate) fn new(
        target: Bound<'_, RecordTarget>,
        operation: usize,
        failed: Py<PyAny>,
    ) -> PyResult<Route> {
        let topic = target.get().prepare(target.py())?;
        Ok(Route { target: target.unbind(), topic, operation, failed })
    }
}

/// The ways that were shown, by number of the service and path.
#[derive(Default)]
pub(crate) struct Routes(HashMap<usize, HashMap<String, Arc<Route>>>);

/// A request that is answered when its record is written.
pub(crate) struct Asked {
    inbox: Arc<Inbox>,
    request: Request,
    route: Arc<Route>,
    told: Told,
}

impl Routes {
    /// From now on this is the way of plain requests to this path of a service.
    pub(crate) fn add(&mut self, service: usize, path: &str, route: Route) {
        let routes = self.0.entry(service).or_default();
        if routes.len() >= PATHS_MAX {
            routes.clear();
        }
        routes.insert(path.to_owned(), Arc::new(route));
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Hands the record of a request in, if it has a plain one whose way is known; gives the request back otherwise.
    pub(crate) fn take(&self, inbox: &Arc<Inbox>, request: Request) -> Option<Request> {
        let Some((route, record)) = self.of(&request) else { return Some(request) };
        let told = Told::now(&record);
        let asked = Box::new(Asked { inbox: inbox.clone(), request, route: route.clone(), told });
        let refused = route.target.get().hand_in(route.topic, &record, Listener::Asked(asked));
        match refused? {
            Listener::Asked(asked) => Some(asked.request),
            _ => None,
        }
    }

    fn of(&self, request: &Request) -> Option<(Arc<Route>, PlainRecord)> {
        let routes = self.0.get(&request.service)?;
        let is_plain = request.method == Method::POST
            && request.pieces.is_none()
            && request.body.len() <= BODY_BYTES_MAX
            && request.target.query().is_none()
            && request.headers.get(header::CONTENT_TYPE).is_none_or(|given| given == JSON);
        let route = routes.get(request.target.path()).filter(|_| is_plain)?;
        Some((route.clone(), plain::record(&request.body)?))
    }
}

impl Asked {
    /// When the record was made, in milliseconds since the Unix epoch.
    pub(crate) fn timestamp(&self) -> i64 {
        self.told.timestamp
    }

    /// Says where the record lies. Needs no Python.
    pub(crate) fn answer(self, delivered: Delivered) {
        let Asked { inbox, request, route, told } = self;
        let body = told.body(route.target.get().head(), delivered);
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(JSON))]);
        let mut reply = Reply::new(StatusCode::OK, headers, Bytes::from(body));
        reply.operation = route.operation;
        // Who has gone is not answered.
        inbox.answer(request.id, Arc::new(reply));
    }

    /// Has Python tell why it was not written.
    pub(crate) fn fail(self, py: Python<'_>, error: &Bound<'_, PyAny>) -> PyResult<()> {
        let request = HttpRequest::new(self.request);
        request.operation.store(self.route.operation, Ordering::Relaxed);
        self.route.failed.call1(py, (request, error)).map(drop)
    }
}
