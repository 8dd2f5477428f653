//! Requests with plain records, whose way Python has shown: who takes them, and where their records go.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use barnabas_client::accumulator::TopicIndex;
use barnabas_http::{Inbox, Request, Taker};
use hyper::{header, Method, StatusCode};
use parking_lot::{Mutex, RwLock};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::asked::{Asked, Form, Place, JSON};
use super::plain::{self, PlainRecord};
use super::reply::Told;
use super::target::RecordTarget;

/// Paths of a service that are remembered; with one more all are forgotten, and shown again by who knows them.
const PATHS_MAX: usize = 10_000;
/// Bytes of a body that is read in the thread of its connection, which has others.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// Requests that producers are not told of until the thread of their connections has no more for the moment.
const UNTOLD_MAX: usize = 32;

/// Where the records of a path go.
pub(crate) struct Route {
    target: Py<RecordTarget>,
    topic: TopicIndex,
    /// Number of the operation that answers them.
    pub(super) operation: usize,
    /// Called with why a record was not written; gives status and body of the reply to it alone.
    refusal: Py<PyAny>,
    /// Whether bodies are batches, whose records have names.
    is_batch: bool,
}

impl Route {
    /// Requests are answered as those of this operation.
    pub(crate) fn new(
        target: Bound<'_, RecordTarget>,
        operation: usize,
        refusal: Py<PyAny>,
        is_batch: bool,
    ) -> PyResult<Route> {
        let topic = target.get().prepare(target.py())?;
        Ok(Route { target: target.unbind(), topic, operation, refusal, is_batch })
    }

    /// The members of a reply that name the cluster and the topic.
    pub(super) fn names(&self) -> &str {
        self.target.get().names()
    }

    pub(super) fn refusal(&self, py: Python<'_>, error: &Bound<'_, PyAny>) -> PyResult<(StatusCode, String)> {
        let (status, body): (u16, String) = self.refusal.call1(py, (error,))?.extract(py)?;
        let status =
            StatusCode::from_u16(status).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok((status, body))
    }

    /// The records of a body, and the form of its reply; None where some are not plain.
    fn read<'a>(&self, body: &'a [u8]) -> Option<(Form, Vec<PlainRecord<'a>>)> {
        if self.is_batch {
            let (names, records) = plain::entries(body)?;
            return Some((Form::Batch(names), records));
        }
        let records = plain::records(body)?;
        Some((if records.len() == 1 { Form::One } else { Form::Lines }, records))
    }
}

/// Takes the requests whose ways were shown.
#[derive(Default)]
pub(crate) struct Express {
    /// By number of the service and path.
    routes: RwLock<HashMap<usize, HashMap<String, Arc<Route>>>>,
    untold: Mutex<Untold>,
    /// Whether there are some.
    is_untold: AtomicBool,
}

/// Producers that were not told yet that they have records to send.
#[derive(Default)]
struct Untold {
    routes: Vec<Arc<Route>>,
    requests: usize,
}

impl Express {
    /// From now on this is the way of plain requests to this path of a service.
    pub(crate) fn add(&self, service: usize, path: &str, route: Route) {
        let mut all = self.routes.write();
        let routes = all.entry(service).or_default();
        if routes.len() >= PATHS_MAX {
            routes.clear();
        }
        routes.insert(path.to_owned(), Arc::new(route));
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.routes.write().clear();
    }

    fn route(&self, request: &Request) -> Option<Arc<Route>> {
        let is_plain = request.method == Method::POST
            && request.pieces.is_none()
            && request.body.len() <= BODY_BYTES_MAX
            && request.target.query().is_none()
            && request.headers.get(header::CONTENT_TYPE).is_none_or(|given| given == JSON);
        if !is_plain {
            return None;
        }
        self.routes.read().get(&request.service)?.get(request.target.path()).cloned()
    }

    /// Hands the records of a request in; None where that can't be done at once.
    fn hand_in(&self, inbox: &Arc<Inbox>, request: &Request) -> Option<()> {
        let route = self.route(request)?;
        let (form, records) = route.read(&request.body)?;
        let asked = Asked::new(inbox, request.id, &route, form, records.len());
        let places = records.iter().enumerate().map(|(index, record)| Place {
            asked: asked.clone(),
            index,
            told: Told::of(record),
        });
        let is_due = route.target.get().hand_in_all(route.topic, &records, places)?;
        if is_due {
            self.tell_later(route);
        }
        Some(())
    }

    /// Leaves it to the end of the turn to tell a producer that it has records to send: with many at once.
    fn tell_later(&self, route: Arc<Route>) {
        let mut untold = self.untold.lock();
        untold.requests += 1;
        if untold.routes.iter().all(|other| !other.target.get().shares_producer(route.target.get())) {
            untold.routes.push(route);
        }
        let is_enough = untold.requests >= UNTOLD_MAX;
        drop(untold);
        self.is_untold.store(true, Ordering::Release);
        if is_enough {
            self.settle();
        }
    }
}

impl Taker for Express {
    fn take(&self, inbox: &Arc<Inbox>, request: Request) -> Option<Request> {
        match self.hand_in(inbox, &request) {
            Some(()) => None,
            None => Some(request),
        }
    }

    fn settle(&self) {
        if self.is_untold.swap(false, Ordering::AcqRel) {
            let untold = std::mem::take(&mut *self.untold.lock());
            untold.routes.iter().for_each(|route| route.target.get().wake());
        }
    }
}
