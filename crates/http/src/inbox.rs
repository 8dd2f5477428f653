//! Requests that wait for the application, and clients that wait for its answers.
//!
//! Always true:
//!   a request is answered at most once; the answer to one whose client has gone is thrown away
//!   what was not drained when its client went is never given out

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, Uri};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::body::Charge;
use crate::courier::{give_out, Couriers, Delivery};
use crate::reply::Reply;
use crate::streams::{outflow, BodyReader, BodyWriter, Outlet};

/// Called when the inbox is no longer empty. It must not wait.
pub type Notify = Box<dyn Fn() + Send + Sync>;

/// Sees to requests before they wait for the application. It must not wait.
pub trait Taker: Send + Sync {
    /// Is given each request by the thread of its connection; gives back what it does not see to.
    fn take(&self, inbox: &Arc<Inbox>, request: Request) -> Option<Request>;

    /// A thread has given all that its clients have sent, and is about to wait for more: now is the time for what is
    /// better done once for many requests.
    fn settle(&self) {}
}

/// A request with its whole body, or with one that comes in pieces.
#[derive(Debug)]
pub struct Request {
    /// By which it is answered.
    pub id: u64,
    /// Number of the service that it came to.
    pub service: usize,
    /// Its method.
    pub method: Method,
    /// Path and query, as they were sent.
    pub target: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; empty when it comes in pieces.
    pub body: Bytes,
    /// Gives the pieces of a body that need not end soon.
    pub pieces: Option<BodyReader>,
    /// Address of the client.
    pub peer: std::net::SocketAddr,
    /// Whether it came through TLS.
    pub is_secured: bool,
    /// Whose certificate the client has shown: the subject's name, by RFC 2253.
    pub subject: Option<Arc<str>>,
    /// Whether it asks for a WebSocket.
    pub is_websocket: bool,
    /// What the body takes of the budget, given back with the request.
    pub(crate) _charge: Charge,
}

/// The queue, and those who wait.
pub struct Inbox {
    state: Mutex<State>,
    notify: Notify,
    taker: OnceLock<Arc<dyn Taker>>,
    couriers: Couriers,
}

/// Who waits for an answer, and the number of the thread that he waits in.
struct Waiter {
    thread: usize,
    sender: oneshot::Sender<Answered>,
}

#[derive(Default)]
struct State {
    arrived: VecDeque<Request>,
    waiting: HashMap<u64, Waiter>,
    /// Requests with pieces, room or an end that the application has not heard of.
    news: HashSet<u64>,
    next_id: u64,
    /// Whether the application looks for requests itself.
    is_watched: bool,
    closed: bool,
}

/// What a client is answered.
pub(crate) enum Answered {
    /// A reply.
    Whole(Arc<Reply>),
    /// The head of a reply whose body comes in pieces.
    Pieces(Arc<Reply>, Outlet),
    /// From now on messages of a WebSocket. The reply has but the number of the operation.
    WebSocket(Arc<Reply>, Outlet),
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Inbox").finish_non_exhaustive()
    }
}

impl Inbox {
    pub(crate) fn new(notify: Notify, couriers: Couriers) -> Inbox {
        Inbox { state: Mutex::default(), notify, taker: OnceLock::new(), couriers }
    }

    /// From now on `taker` is given requests first. The first stays.
    pub fn set_taker(&self, taker: Arc<dyn Taker>) {
        let _ = self.taker.set(taker);
    }

    /// The thread that calls this is about to wait for its clients.
    pub(crate) fn settle(&self) {
        if let Some(taker) = self.taker.get() {
            taker.settle();
        }
    }

    /// Hands a request over in the thread with this number; what comes back waits for its answer. None when nobody
    /// answers any more.
    pub(crate) fn hand_over(self: &Arc<Self>, mut request: Request, thread: usize) -> Option<Waiting> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        if state.closed {
            return None;
        }
        state.next_id += 1;
        let id = state.next_id;
        request.id = id;
        if let Some(BodyReader(inflow)) = &request.pieces {
            inflow.set_id(id);
        }
        state.waiting.insert(id, Waiter { thread, sender });
        drop(state);
        let waiting = Waiting { id, receiver, inbox: self.clone() };
        let left = match self.taker.get() {
            Some(taker) => taker.take(self, request),
            None => Some(request),
        };
        if let Some(request) = left {
            self.queue(request);
        }
        Some(waiting)
    }

    fn queue(&self, request: Request) {
        let mut state = self.state.lock();
        if state.closed {
            // Who waits was let go of already. Dropped without the lock, as below.
            drop(state);
            return drop(request);
        }
        let is_unseen = state.arrived.is_empty() && !state.is_watched;
        state.arrived.push_back(request);
        drop(state);
        if is_unseen {
            (self.notify)();
        }
    }

    /// Whether there are requests to be drained. While the application `looks` again and again, nobody notifies it.
    pub fn has_arrived(&self, looks: bool) -> bool {
        let mut state = self.state.lock();
        state.is_watched = looks;
        !state.arrived.is_empty()
    }

    /// Takes up to `limit` requests, oldest first.
    pub fn drain(&self, limit: usize) -> Vec<Request> {
        let mut state = self.state.lock();
        let mut drained = Vec::new();
        while drained.len() < limit {
            let Some(request) = state.arrived.pop_front() else { break };
            if state.waiting.contains_key(&request.id) {
                drained.push(request);
            }
        }
        drained
    }

    /// Answers request `id`. False when its client has gone, or it was answered already.
    pub fn answer(&self, id: u64, reply: Arc<Reply>) -> bool {
        let sender = self.sender(id);
        sender.is_some_and(|sender| sender.send(Answered::Whole(reply)).is_ok())
    }

    /// As [`Inbox::answer`], many at once, for which their threads are woken but once.
    pub fn answer_all(&self, replies: Vec<(u64, Arc<Reply>)>) {
        let mut deliveries: Vec<Delivery> = self.couriers.iter().map(|_| Delivery::new()).collect();
        let mut state = self.state.lock();
        for (id, reply) in replies {
            if let Some(Waiter { thread, sender }) = state.waiting.remove(&id) {
                deliveries[thread].push((sender, Answered::Whole(reply)));
            }
        }
        drop(state);
        for (courier, delivery) in self.couriers.iter().zip(deliveries) {
            // One wakes its thread by itself.
            match delivery.len() {
                0 => {}
                1 => give_out(delivery),
                // A thread that has ended has nobody left who waits.
                _ => drop(courier.send(delivery)),
            }
        }
    }

    fn sender(&self, id: u64) -> Option<oneshot::Sender<Answered>> {
        self.state.lock().waiting.remove(&id).map(|waiter| waiter.sender)
    }

    /// Begins the answer to request `id` with status and headers of `head`; the body is what is written then. None
    /// when its client has gone, or it was answered already.
    pub fn begin(self: &Arc<Self>, id: u64, head: Arc<Reply>) -> Option<BodyWriter> {
        let sender = self.sender(id)?;
        let (writer, outlet) = outflow(id, self.clone());
        sender.send(Answered::Pieces(head, outlet)).is_ok().then_some(writer)
    }

    /// Makes a WebSocket of the connection that request `id` has come on, which must ask for one; each piece that is
    /// written is a message. None as for [`Inbox::begin`].
    pub fn begin_websocket(self: &Arc<Self>, id: u64, head: Arc<Reply>) -> Option<BodyWriter> {
        let sender = self.sender(id)?;
        let (writer, outlet) = outflow(id, self.clone());
        sender.send(Answered::WebSocket(head, outlet)).is_ok().then_some(writer)
    }

    /// Requests of which there is something new: pieces of a body, room for more of a reply, or an end of either.
    pub fn news(&self) -> Vec<u64> {
        std::mem::take(&mut self.state.lock().news).into_iter().collect()
    }

    pub(crate) fn tell(&self, id: u64) {
        let mut state = self.state.lock();
        let was_empty = state.news.is_empty();
        state.news.insert(id);
        drop(state);
        if was_empty {
            (self.notify)();
        }
    }

    /// Clients that wait for an answer.
    pub fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Lets go of everybody who waits, and of everybody who comes.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        // Dropped without the lock: the ends of bodies take it.
        let arrived = std::mem::take(&mut state.arrived);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop((arrived, waiting));
    }
}

/// A client that waits for its answer. Dropped when the client goes.
pub(crate) struct Waiting {
    id: u64,
    receiver: oneshot::Receiver<Answered>,
    inbox: Arc<Inbox>,
}

impl Waiting {
    /// The answer; None when there will be none.
    pub(crate) async fn answer(&mut self) -> Option<Answered> {
        (&mut self.receiver).await.ok()
    }

    /// The answer, if it comes within this time, awake: to be woken takes a large part of it. For one who waits alone;
    /// others on this thread are served meanwhile.
    pub(crate) async fn answer_soon(&mut self, time_max: Duration) -> Option<Answered> {
        if self.inbox.waiting() == 1 {
            // Who waits awake does not come to where the thread would wait.
            self.inbox.settle();
        }
        let begun = Instant::now();
        while begun.elapsed() < time_max && self.inbox.waiting() == 1 {
            if let Ok(answer) = self.receiver.try_recv() {
                return Some(answer);
            }
            // Who has something to do goes first: the application, perhaps.
            std::thread::yield_now();
            tokio::task::yield_now().await;
        }
        None
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.inbox.state.lock().waiting.remove(&self.id);
    }
}
