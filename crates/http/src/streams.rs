//! Bodies that come and go in pieces, for requests and replies that need not end soon.
//!
//! Always true:
//!   what is held of a body that comes in is at most one piece over `INFLOW_BYTES_MAX`, and is charged to the budget
//!   whoever waits for pieces, for room or for the end hears of it through the inbox's news

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{ready, Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch, Notify};

use crate::body::Charge;
use crate::inbox::Inbox;

/// Bytes of a body that wait to be taken; no more is read from the client before.
const INFLOW_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a reply on their way, from which on who writes should wait.
pub const OUTFLOW_BYTES_MAX: usize = 256 * 1024;

/// How a body has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyEnd {
    /// It was all there.
    Complete,
    /// The client has gone, or its framing is wrong.
    Broken,
    /// Nothing came for too long.
    Silent,
    /// All bodies together are over their budget.
    Busy,
    /// The server stops.
    Stopping,
}

/// A body that comes in.
#[derive(Debug)]
pub(crate) struct Inflow {
    id: AtomicU64,
    inbox: Arc<Inbox>,
    state: Mutex<InflowState>,
    /// Heard by the one task that reads from the client: there is room, or nobody wants more.
    changed: Notify,
}

#[derive(Debug)]
struct InflowState {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    charge: Charge,
    end: Option<BodyEnd>,
    abandoned: bool,
}

impl Inflow {
    pub(crate) fn new(inbox: Arc<Inbox>, charge: Charge) -> Arc<Inflow> {
        let state = InflowState { pieces: VecDeque::new(), bytes: 0, charge, end: None, abandoned: false };
        Arc::new(Inflow { id: AtomicU64::new(0), inbox, state: Mutex::new(state), changed: Notify::new() })
    }

    pub(crate) fn set_id(&self, id: u64) {
        self.id.store(id, Ordering::Relaxed);
    }

    fn tell(&self) {
        self.inbox.tell(self.id.load(Ordering::Relaxed));
    }

    /// Takes a piece in; how the body ends for want of room.
    fn push(&self, piece: Bytes) -> Result<(), BodyEnd> {
        let mut state = self.state.lock();
        state.charge.grow(piece.len()).map_err(|_| BodyEnd::Busy)?;
        state.bytes += piece.len();
        state.pieces.push_back(piece);
        drop(state);
        self.tell();
        Ok(())
    }

    fn end(&self, end: BodyEnd) {
        self.state.lock().end = Some(end);
        self.tell();
    }

    /// Waits while there is no room. False when nobody wants more.
    async fn room(&self) -> bool {
        loop {
            {
                let state = self.state.lock();
                if state.abandoned || state.bytes < INFLOW_BYTES_MAX {
                    return !state.abandoned;
                }
            }
            self.changed.notified().await;
        }
    }

    async fn abandoned(&self) {
        while !self.state.lock().abandoned {
            self.changed.notified().await;
        }
    }
}

/// Reads a body from the client for as long as there is room.
pub(crate) async fn pump(
    mut body: Incoming,
    inflow: Arc<Inflow>,
    mut stopping: watch::Receiver<Option<Duration>>,
    silence_max: Duration,
) {
    let end = loop {
        let frame = tokio::select! {
            frame = tokio::time::timeout(silence_max, body.frame()) => frame,
            _ = stopping.wait_for(Option::is_some) => break BodyEnd::Stopping,
            () = inflow.abandoned() => return,
        };
        let piece = match frame {
            Err(_) => break BodyEnd::Silent,
            Ok(None) => break BodyEnd::Complete,
            Ok(Some(Err(_))) => break BodyEnd::Broken,
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        };
        if let Err(end) = inflow.push(piece) {
            break end;
        }
        if !inflow.room().await {
            return;
        }
    };
    inflow.end(end);
}

/// The application's end of a body that comes in. Once it is dropped no more is read.
#[derive(Debug)]
pub struct BodyReader(pub(crate) Arc<Inflow>);

impl BodyReader {
    /// What has come since it was asked last, and how the body has ended, if nothing more will come.
    pub fn take(&self) -> (Bytes, Option<BodyEnd>) {
        let mut state = self.0.state.lock();
        let taken = std::mem::take(&mut state.bytes);
        state.charge.shrink(taken);
        let pieces = std::mem::take(&mut state.pieces);
        let end = state.end;
        drop(state);
        self.0.changed.notify_one();
        (joined(pieces), end)
    }
}

impl Drop for BodyReader {
    fn drop(&mut self) {
        self.0.state.lock().abandoned = true;
        self.0.changed.notify_one();
    }
}

fn joined(mut pieces: VecDeque<Bytes>) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop_front().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
    whole.freeze()
}

/// The application's end of a reply's body. Once it is dropped the reply is complete.
#[derive(Debug)]
pub struct BodyWriter {
    pieces: mpsc::UnboundedSender<Bytes>,
    under_way: Arc<AtomicUsize>,
    reason: Arc<OnceLock<(u16, String)>>,
}

impl BodyWriter {
    /// Why a WebSocket will end once this is dropped: a code of RFC 6455, and words. Without it, all is said.
    pub fn end_with(&self, code: u16, reason: String) {
        // The first reason stays.
        let _ = self.reason.set((code, reason));
    }

    /// Hands a piece over; the bytes that are on their way, which should stay below [`OUTFLOW_BYTES_MAX`]. None when
    /// the client has gone.
    pub fn write(&self, piece: Bytes) -> Option<usize> {
        let before = self.under_way.fetch_add(piece.len(), Ordering::Relaxed);
        let after = before + piece.len();
        // An empty piece asks whether the client is still there.
        if piece.is_empty() {
            return (!self.pieces.is_closed()).then_some(after);
        }
        self.pieces.send(piece).ok().map(|()| after)
    }
}

/// The connection's end of a reply's body.
#[derive(Debug)]
pub(crate) struct Outlet {
    id: u64,
    inbox: Arc<Inbox>,
    pieces: mpsc::UnboundedReceiver<Bytes>,
    under_way: Arc<AtomicUsize>,
    reason: Arc<OnceLock<(u16, String)>>,
}

impl Outlet {
    /// The next piece; None when the application has no more.
    pub(crate) async fn piece(&mut self) -> Option<Bytes> {
        std::future::poll_fn(|context| self.poll_piece(context)).await
    }

    /// Why the application has ended it, if it said so.
    pub(crate) fn reason(&self) -> Option<(u16, String)> {
        self.reason.get().cloned()
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(piece) = ready!(self.pieces.poll_recv(context)) else { return Poll::Ready(None) };
        let before = self.under_way.fetch_sub(piece.len(), Ordering::Relaxed);
        if before >= OUTFLOW_BYTES_MAX && before - piece.len() < OUTFLOW_BYTES_MAX {
            self.inbox.tell(self.id);
        }
        Poll::Ready(Some(piece))
    }
}

/// Both ends of the body of the reply to request `id`.
pub(crate) fn outflow(id: u64, inbox: Arc<Inbox>) -> (BodyWriter, Outlet) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let under_way = Arc::new(AtomicUsize::new(0));
    let reason = Arc::new(OnceLock::new());
    let writer = BodyWriter { pieces: sender, under_way: under_way.clone(), reason: reason.clone() };
    (writer, Outlet { id, inbox, pieces: receiver, under_way, reason })
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.inbox.tell(self.id);
    }
}

/// The body of a reply.
#[derive(Debug)]
pub(crate) enum ReplyBody {
    /// In one piece.
    Whole(Full<Bytes>),
    /// In pieces, as the application gives them.
    Pieces(Outlet),
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            ReplyBody::Whole(body) => Pin::new(body).poll_frame(context),
            ReplyBody::Pieces(outlet) => {
                Poll::Ready(ready!(outlet.poll_piece(context)).map(|piece| Ok(Frame::data(piece))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ReplyBody::Whole(body) => body.is_end_stream(),
            ReplyBody::Pieces(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ReplyBody::Whole(body) => body.size_hint(),
            ReplyBody::Pieces(_) => SizeHint::default(),
        }
    }
}
