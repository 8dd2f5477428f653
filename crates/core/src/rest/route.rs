//! Requests with one plain record, whose way Python has shown: what answers them, and where their records go.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::Arc;

use barnabas_http::{Inbox, Reply, Request};
use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use pyo3::prelude::*;

use super::plain::{self, PlainRecord};
use super::reply::To;
use super::target::{hand_in, RecordTarget};
use crate::http::request::HttpRequest;

/// Paths of a service that are remembered; with one more all are forgotten, and shown again by who knows them.
const PATHS_MAX: usize = 10_000;
const JSON: &str = "application/json";

/// Where the records of a path go.
pub(crate) struct Route {
    pub(crate) target: Py<RecordTarget>,
    /// Number of the operation that answers them.
    pub(crate) operation: usize,
    /// Called with a request and why its record was not written.
    pub(crate) failed: Py<PyAny>,
}

/// The ways that were shown, by number of the service and path.
#[derive(Default)]
pub(crate) struct Routes(HashMap<usize, HashMap<String, Arc<Route>>>);

/// A request that is answered when its record is written.
pub(super) struct Asked {
    inbox: Arc<Inbox>,
    request: Request,
    route: Arc<Route>,
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
    pub(crate) fn take(&self, py: Python<'_>, inbox: &Arc<Inbox>, request: Request) -> Option<Request> {
        let Some((route, record)) = self.of(&request) else { return Some(request) };
        let asked = Asked { inbox: inbox.clone(), request, route: route.clone() };
        match hand_in(py, &route.target, &record, To::Asked(Box::new(asked)))? {
            To::Asked(asked) => Some(asked.request),
            To::Line(_) => None,
        }
    }

    fn of(&self, request: &Request) -> Option<(Arc<Route>, PlainRecord)> {
        let routes = self.0.get(&request.service)?;
        let is_plain = request.method == Method::POST
            && request.pieces.is_none()
            && request.target.query().is_none()
            && request.headers.get(header::CONTENT_TYPE).is_none_or(|given| given == JSON);
        let route = routes.get(request.target.path()).filter(|_| is_plain)?;
        Some((route.clone(), plain::record(&request.body)?))
    }
}

impl Asked {
    /// Gives the reply, or has Python tell of an error.
    pub(super) fn answer(self, py: Python<'_>, body: Result<Vec<u8>, &Bound<'_, PyAny>>) -> PyResult<()> {
        let Asked { inbox, request, route } = self;
        match body {
            Ok(body) => {
                let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(JSON))]);
                let mut reply = Reply::new(StatusCode::OK, headers, Bytes::from(body));
                reply.operation = route.operation;
                // Who has gone is not answered.
                inbox.answer(request.id, Arc::new(reply));
                Ok(())
            }
            Err(error) => {
                let request = HttpRequest::new(request);
                request.operation.store(route.operation, Ordering::Relaxed);
                route.failed.call1(py, (request, error)).map(drop)
            }
        }
    }
}
