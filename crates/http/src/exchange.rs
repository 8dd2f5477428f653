//! One request and its response: a published reply, or the application's.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Response};
use tokio::sync::watch;

use crate::body::{self, Budget};
use crate::compression;
use crate::inbox::{Answered, Inbox, Request};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::settings::HttpSettings;
use crate::streams::{self, BodyReader, Inflow, ReplyBody};
use crate::worker::Served;

/// Who sends it gets it back, to find a request in several logs.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What connections of all threads have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: HttpSettings,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) budget: Arc<Budget>,
}

/// What one connection knows.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) shared: Arc<Shared>,
    pub(crate) served: Served,
    pub(crate) peer: SocketAddr,
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
    let (head, body) = request.into_parts();
    let request_id = head.headers.get(REQUEST_ID).cloned();
    let gzip = compression::accepted(&head.headers);
    if body.is_end_stream() {
        if let Some(reply) = published(origin, &head, &Bytes::new()) {
            return Answer::Ready(Some(Ok(response(&reply, None, request_id, gzip))));
        }
    }
    let origin = origin.clone();
    Answer::Waiting(Box::pin(async move {
        Ok(match reply(&origin, head, body).await {
            Ok(Answered::Whole(reply)) => response(&reply, None, request_id, gzip),
            Ok(Answered::Pieces(head, outlet)) => {
                response(&head, Some(ReplyBody::Pieces(outlet)), request_id, false)
            }
            Err(refusal) => response(&refusal.reply(), None, request_id, gzip),
        })
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
        _charge: charge,
    };
    let mut waiting = shared.inbox.hand_over(request).ok_or(Refusal::Stopping)?;
    if let Some((body, inflow)) = body.zip(inflow) {
        let silence_max = shared.settings.piece_time_max;
        tokio::spawn(streams::pump(body, inflow, origin.stopping.clone(), silence_max));
    }
    let limit = shared.settings.answer_time_max;
    match tokio::time::timeout(limit, waiting.answer()).await {
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
