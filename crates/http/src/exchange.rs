//! One request and its response: a published reply, or the application's.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Response};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::body::{self, Budget};
use crate::compression;
use crate::inbox::{Answered, Inbox, Request};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::settings::HttpSettings;
use crate::streams::{self, BodyReader, Inflow, Outlet, ReplyBody};
use crate::websocket;
use crate::worker::Served;

/// Who sends it gets it back, to find a request in several logs.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers that come within this time are waited for awake, where the one before did.
const AWAKE_MAX: Duration = Duration::from_millis(1);

/// What connections of all threads have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Whether the application may run while a thread waits awake.
    pub(crate) may_stay_awake: bool,
    pub(crate) settings: HttpSettings,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) budget: Arc<Budget>,
}

/// What one connection knows.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) shared: Arc<Shared>,
    pub(crate) served: Served,
    /// Number of the thread that serves it.
    pub(crate) thread: usize,
    pub(crate) peer: SocketAddr,
    /// Whose certificate the client has shown.
    pub(crate) subject: Option<Arc<str>>,
    /// Whether its last answer came at once.
    pub(crate) is_quick: AtomicBool,
    /// What the connection becomes when its last response is sent.
    pub(crate) websocket: Mutex<Option<(OnUpgrade, Outlet)>>,
    pub(crate) stopping: watch::Receiver<Option<Duration>>,
}

type Outcome = Result<Response<ReplyBody>, Infallible>;

/// An answer on its way.
pub(crate) enum Answer {
    /// It was published.
    Ready(Option<Outcome>),
    /// Others are asked for it. Boxed, so that those who need not wait don't carry what waiting takes.
    Waiting(Pin<Box<dyn Future<Output = Outcome> + Send>>),
}

impl Future for Answer {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        match &mut *self {
            Answer::Ready(outcome) => outcome.take().map_or(Poll::Pending, Poll::Ready),
            Answer::Waiting(outcome) => outcome.as_mut().poll(context),
        }
    }
}

/// Answers one request.
pub(crate) fn answer(origin: &Arc<Origin>, request: hyper::Request<Incoming>) -> Answer {
    let begun = Instant::now();
    let (mut head, body) = request.into_parts();
    let request_id = head.headers.get(REQUEST_ID).cloned();
    let gzip = compression::accepted(&head.headers);
    if body.is_end_stream() {
        if let Some(reply) = published(origin, &head, &Bytes::new()) {
            origin.served.figures.note(reply.operation, reply.status, begun.elapsed());
            return Answer::Ready(Some(Ok(response(&reply, None, request_id, gzip))));
        }
    }
    let origin = origin.clone();
    Answer::Waiting(Box::pin(async move {
        let upgrade = head.extensions.remove::<OnUpgrade>();
        let key = head.headers.get(header::SEC_WEBSOCKET_KEY).cloned();
        let (operation, response) = match reply(&origin, head, body).await {
            Ok(Answered::Whole(reply)) => (reply.operation, response(&reply, None, request_id, gzip)),
            Ok(Answered::Pieces(head, outlet)) => {
                (head.operation, response(&head, Some(ReplyBody::Pieces(outlet)), request_id, false))
            }
            Ok(Answered::WebSocket(head, outlet)) => {
                *origin.websocket.lock() = upgrade.map(|upgrade| (upgrade, outlet));
                (head.operation, websocket::switching(key.as_ref()))
            }
            Err(refusal) => (0, response(&refusal.reply(), None, request_id, gzip)),
        };
        origin.served.figures.note(operation, response.status(), begun.elapsed());
        Ok(response)
    }))
}

async fn reply(
    origin: &Origin,
    head: hyper::http::request::Parts,
    body: Incoming,
) -> Result<Answered, Refusal> {
    let shared = &origin.shared;
    let mut charge = shared.budget.charge();
    let mut read = Bytes::new();
    let mut pieces = None;
    if comes_in_pieces(origin, &head, &body) {
        let inflow = Inflow::new(shared.inbox.clone(), shared.budget.charge());
        pieces = Some((body, BodyReader(inflow)));
    } else if !body.is_end_stream() {
        let asks_first = head.headers.contains_key(header::EXPECT);
        read = body::read(body, asks_first, &shared.settings, &mut charge).await?;
        if let Some(reply) = published(origin, &head, &read) {
            return Ok(Answered::Whole(reply));
        }
    }
    let (body, pieces) = pieces.unzip();
    let inflow = pieces.as_ref().map(|BodyReader(inflow)| inflow.clone());
    let is_websocket = websocket::is_asked_for(&head.method, &head.headers);
    let request = Request {
        id: 0,
        service: origin.served.service,
        method: head.method,
        target: head.uri,
        headers: head.headers,
        body: read,
        pieces,
        peer: origin.peer,
        is_secured: origin.served.tls.is_some(),
        subject: origin.subject.clone(),
        is_websocket,
        _charge: charge,
    };
    let mut waiting = shared.inbox.hand_over(request, origin.thread).ok_or(Refusal::Stopping)?;
    if let Some((body, inflow)) = body.zip(inflow) {
        let silence_max = shared.settings.piece_time_max;
        tokio::spawn(streams::pump(body, inflow, origin.stopping.clone(), silence_max));
    }
    let begun = Instant::now();
    let was_quick = origin.is_quick.load(Ordering::Relaxed);
    let soon = if was_quick { waiting.answer_soon(AWAKE_MAX).await } else { None };
    let limit = shared.settings.answer_time_max;
    let answer = match soon {
        Some(answer) => Ok(Some(answer)),
        None => tokio::time::timeout(limit, waiting.answer()).await,
    };
    origin.is_quick.store(shared.may_stay_awake && begun.elapsed() < AWAKE_MAX, Ordering::Relaxed);
    match answer {
        Ok(answer) => answer.ok_or(Refusal::Stopping),
        Err(_) => Err(Refusal::NoAnswer { seconds: limit.as_secs() }),
    }
}

/// Whether the body is handed over as it comes. One with a length has an end, and is waited for.
fn comes_in_pieces(origin: &Origin, head: &hyper::http::request::Parts, body: &Incoming) -> bool {
    let wanted = origin.served.in_pieces.as_ref().is_some_and(|end| head.uri.path().ends_with(&**end));
    wanted && head.method == Method::POST && !body.is_end_stream() && body.size_hint().upper().is_none()
}

fn published(origin: &Origin, head: &hyper::http::request::Parts, body: &Bytes) -> Option<Arc<Reply>> {
    let target = head.uri.path_and_query()?.as_str();
    // HEAD is GET whose body is not sent.
    let method = if head.method == Method::HEAD { "GET" } else { head.method.as_str() };
    origin.served.published.find(method, target, body, &head.headers)
}

fn response(
    reply: &Reply,
    body: Option<ReplyBody>,
    request_id: Option<HeaderValue>,
    gzip: bool,
) -> Response<ReplyBody> {
    let encoded = if gzip { reply.gzip() } else { None };
    let is_encoded = encoded.is_some();
    let whole = || ReplyBody::Whole(Full::new(encoded.unwrap_or_else(|| reply.body.clone())));
    let mut response = Response::new(body.unwrap_or_else(whole));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers.clone();
    let headers = response.headers_mut();
    if is_encoded {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if compressible(reply, headers) {
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    if let Some(request_id) = request_id {
        headers.insert(REQUEST_ID, request_id);
    }
    response
}

/// Whether the reply depends on the client's `Accept-Encoding`.
fn compressible(reply: &Reply, headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_ENCODING) || reply.body.len() >= 1024
}
