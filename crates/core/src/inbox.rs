//! The way from Rust to Python: a queue that Python drains in batches, and a descriptor that is readable
//! whenever the queue holds something. Rust never calls into Python.
//!
//! Always true:
//!   a connection has at most one request in here (net mutes it), so the queue is bounded by connections
//!   a request is answered at most once; what is never answered ends with its connection
//!   of one leadership at most one move of the high watermark is in here: it may move much faster than
//!   Python looks

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;

use barnabas_broker::{CoordinatorEvent, CoordinatorEvents};
use barnabas_net::{ConnectionId, Request};
use barnabas_protocol::{Offset, PartitionIndex, Uuid};
use parking_lot::Mutex;

/// Log lines that wait for Python; more are counted and dropped, so that a stalled interpreter can't be
/// made to hold memory by what others make the node log.
const LOG_LINES_MAX: usize = 1_000;

/// What Python hears of.
#[derive(Debug)]
pub(crate) enum Event {
    /// A request to answer.
    Request { id: u64, request: Arc<Request> },
    /// Metadata records up to this offset are committed and applied by the broker.
    Committed { offset: i64 },
    /// A request to answer with this error, which a test has asked for.
    Faulted { id: u64, request: Arc<Request>, error_code: i16 },
    /// This node's replica lies in that directory: to be recorded (AssignReplicasToDirs).
    ReplicaDirectory { topic_id: Uuid, index: i32, directory: Uuid },
    /// A log directory has failed: to be recorded.
    DirectoryFailed { directory: Uuid },
    /// A log directory works again: to be recorded.
    DirectoryReturned { directory: Uuid },
    /// The high watermark of a coordinator's partition has moved, to where it is when Python looks.
    HighWatermark { topic: Arc<str>, index: PartitionIndex, at: Arc<AtomicI64> },
    /// A connection that was watched has closed; its number.
    ConnectionClosed { connection: u64 },
    /// Whatever else coordinators hear of their partitions.
    Coordinator(CoordinatorEvent),
    /// A line for the log.
    Log { level: log::Level, target: String, message: String },
    /// Somebody wants to see what Python counts.
    FiguresWanted,
    /// The node can't go on; the reason.
    Fatal(String),
}

/// The queue, the descriptor and the requests in Python's hands.
#[derive(Debug)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    pending: Mutex<Pending>,
    reader: Mutex<UnixStream>,
    writer: UnixStream,
}

#[derive(Debug, Default)]
struct Pending {
    requests: HashMap<u64, Arc<Request>>,
    /// Connections whose end Python wants to hear of, with their numbers.
    watched: HashMap<ConnectionId, u64>,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    /// High watermarks whose move stands in `events`.
    high_watermarks: HashMap<(Arc<str>, PartitionIndex), Arc<AtomicI64>>,
    log_lines: usize,
    log_lines_dropped: usize,
    next_id: u64,
}

impl Inbox {
    pub(crate) fn new() -> io::Result<Inbox> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Inbox { queue: Mutex::default(), pending: Mutex::default(), reader: Mutex::new(reader), writer })
    }

    /// Readable whenever `drain` has something.
    pub(crate) fn descriptor(&self) -> i32 {
        self.reader.lock().as_raw_fd()
    }

    /// Hands a request to Python.
    pub(crate) fn request(&self, request: Request) {
        self.hand_over(request, |id, request| Event::Request { id, request });
    }

    /// Hands a request to Python that is to be answered with an error.
    pub(crate) fn faulted(&self, request: Request, error_code: i16) {
        self.hand_over(request, |id, request| Event::Faulted { id, request, error_code });
    }

    fn hand_over(&self, request: Request, event: impl FnOnce(u64, Arc<Request>) -> Event) {
        let request = Arc::new(request);
        let mut queue = self.queue.lock();
        queue.next_id += 1;
        let id = queue.next_id;
        self.pending.lock().requests.insert(id, request.clone());
        self.push(queue, event(id, request));
    }

    /// Tells Python something.
    pub(crate) fn tell(&self, event: Event) {
        let mut queue = self.queue.lock();
        if matches!(event, Event::Log { .. }) {
            if queue.log_lines >= LOG_LINES_MAX {
                queue.log_lines_dropped += 1;
                return;
            }
            queue.log_lines += 1;
        }
        self.push(queue, event);
    }

    fn tell_committed(&self, topic: Arc<str>, index: PartitionIndex, high_watermark: Offset) {
        let mut queue = self.queue.lock();
        let key = (topic, index);
        if let Some(at) = queue.high_watermarks.get(&key) {
            at.store(high_watermark, Ordering::Relaxed);
            return;
        }
        let (topic, at) = (key.0.clone(), Arc::new(AtomicI64::new(high_watermark)));
        queue.high_watermarks.insert(key, at.clone());
        self.push(queue, Event::HighWatermark { topic, index, at });
    }

    fn tell_leadership(&self, event: CoordinatorEvent, topic: &Arc<str>, index: PartitionIndex) {
        let mut queue = self.queue.lock();
        // What moves from now on moves in another leadership, and is told behind this.
        queue.high_watermarks.remove(&(topic.clone(), index));
        self.push(queue, Event::Coordinator(event));
    }

    fn push(&self, mut queue: parking_lot::MutexGuard<'_, Queue>, event: Event) {
        let was_empty = queue.events.is_empty();
        queue.events.push_back(event);
        drop(queue);
        if was_empty {
            // A full pipe is readable already, which is all that is wanted.
            let _ = (&self.writer).write(&[1]);
        }
    }

    /// Events that wait for Python.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.lock().events.len()
    }

    /// Takes up to `limit` events, oldest first.
    pub(crate) fn drain(&self, limit: usize) -> Vec<Event> {
        let mut queue = self.queue.lock();
        let count = limit.min(queue.events.len());
        let mut events: Vec<Event> = queue.events.drain(..count).collect();
        for event in &events {
            let Event::HighWatermark { topic, index, at } = event else { continue };
            let key = (topic.clone(), *index);
            if queue.high_watermarks.get(&key).is_some_and(|known| Arc::ptr_eq(known, at)) {
                queue.high_watermarks.remove(&key);
            }
        }
        queue.log_lines -= events.iter().filter(|event| matches!(event, Event::Log { .. })).count();
        if queue.events.is_empty() {
            let mut sink = [0u8; 64];
            while matches!(self.reader.lock().read(&mut sink), Ok(n) if n == sink.len()) {}
            let dropped = std::mem::take(&mut queue.log_lines_dropped);
            if dropped > 0 {
                let message = format!("{dropped} log lines were dropped because Python did not keep up");
                events.push(Event::Log {
                    level: log::Level::Warn,
                    target: "barnabas_core".to_string(),
                    message,
                });
            }
        }
        events
    }

    /// Takes request `id` out of Python's hands; None when it was answered already or its connection is gone.
    pub(crate) fn take(&self, id: u64) -> Option<Arc<Request>> {
        self.pending.lock().requests.remove(&id)
    }

    /// Has the end of the connection told from which request `id` came. False when it is gone already, or the
    /// request was answered.
    pub(crate) fn watch_connection(&self, id: u64) -> bool {
        let mut pending = self.pending.lock();
        let Some(request) = pending.requests.get(&id) else { return false };
        let (connection, number) = (request.ticket.connection, request.peer.number);
        pending.watched.insert(connection, number);
        true
    }

    /// Forgets the requests of a connection that is gone.
    pub(crate) fn forget(&self, connection: ConnectionId) {
        let mut pending = self.pending.lock();
        pending.requests.retain(|_, request| request.ticket.connection != connection);
        let watched = pending.watched.remove(&connection);
        drop(pending);
        if let Some(connection) = watched {
            self.tell(Event::ConnectionClosed { connection });
        }
    }
}

impl CoordinatorEvents for Inbox {
    fn tell(&self, event: CoordinatorEvent) {
        match event {
            CoordinatorEvent::Committed { topic, index, high_watermark } => {
                self.tell_committed(topic, index, high_watermark);
            }
            CoordinatorEvent::Leadership { ref topic, index, .. } => {
                let topic = topic.clone();
                self.tell_leadership(event, &topic, index);
            }
            event => Inbox::tell(self, Event::Coordinator(event)),
        }
    }
}
