//! Metadata on its way: proposed by Python, synced and committed by a thread of its own, applied by the broker.
//!
//! Always true:
//!   records are appended in the order of proposals, and applied in that order
//!   nothing is applied, and Python hears of nothing, before it is on stable storage
//!   proposals that arrive during a sync share the next one

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use barnabas_image::MetadataImage;
use barnabas_protocol::{Millis, Offset};
use barnabas_raft::{MetadataLog, RaftError};
use parking_lot::{Condvar, Mutex};

use crate::clock::NodeClock;
use crate::inbox::{Event, Inbox};

/// What acts on committed metadata: the broker.
pub(crate) type Apply = Arc<dyn Fn(Arc<MetadataImage>, Millis) + Send + Sync>;

/// The metadata log with the images at its end and at its high watermark.
pub(crate) struct Metadata {
    clock: Arc<NodeClock>,
    log: Mutex<Option<MetadataLog>>,
    state: Mutex<State>,
    /// Something was proposed, or the thread shall end.
    proposed: Condvar,
    /// The committed offset has moved, or the log has failed.
    committed: Condvar,
}

struct State {
    /// With everything that was proposed.
    head: Arc<MetadataImage>,
    /// With everything that is committed and applied.
    image: Arc<MetadataImage>,
    /// Images after each proposal that is not applied yet, oldest first.
    waiting: VecDeque<Arc<MetadataImage>>,
    stopping: bool,
    failure: Option<String>,
}

impl Metadata {
    pub(crate) fn new(log: MetadataLog, image: MetadataImage, clock: Arc<NodeClock>) -> Arc<Metadata> {
        let image = Arc::new(image);
        let state =
            State { head: image.clone(), image, waiting: VecDeque::new(), stopping: false, failure: None };
        Arc::new(Metadata {
            clock,
            log: Mutex::new(Some(log)),
            state: Mutex::new(state),
            proposed: Condvar::new(),
            committed: Condvar::new(),
        })
    }

    pub(crate) fn head(&self) -> Arc<MetadataImage> {
        self.state.lock().head.clone()
    }

    pub(crate) fn image(&self) -> Arc<MetadataImage> {
        self.state.lock().image.clone()
    }

    /// Looks at the log; None once it is closed.
    pub(crate) fn with_log<T>(&self, look: impl FnOnce(&MetadataLog) -> T) -> Option<T> {
        self.log.lock().as_ref().map(look)
    }

    /// Appends one atomic batch of records, each with its frame. Gives the offset of the last.
    pub(crate) fn propose(&self, records: &[Vec<u8>]) -> Result<Offset, String> {
        // The log's lock is held across both, so that the head and the log's end never part.
        let mut log = self.log.lock();
        let log = log.as_mut().ok_or("the node has stopped")?;
        let head = self.head();
        let epoch = log.epoch();
        let (head, offset) =
            log.propose(&head, records, epoch, self.clock.wall()).map_err(|error| describe(&error))?;
        let mut state = self.state.lock();
        state.head = Arc::new(head);
        let head = state.head.clone();
        state.waiting.push_back(head);
        self.proposed.notify_one();
        Ok(offset)
    }

    /// Waits until everything up to `offset` is committed and applied; false when that takes too long.
    pub(crate) fn wait_committed(&self, offset: Offset, most: Duration) -> Result<bool, String> {
        let mut state = self.state.lock();
        loop {
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            if state.image.offset() >= offset {
                return Ok(true);
            }
            if self.committed.wait_for(&mut state, most).timed_out() {
                return Ok(state.image.offset() >= offset);
            }
        }
    }

    /// Starts the thread that syncs, commits and applies. A failing metadata log ends the node.
    pub(crate) fn run(self: &Arc<Self>, apply: Apply, inbox: Arc<Inbox>) -> std::io::Result<JoinHandle<()>> {
        let metadata = self.clone();
        std::thread::Builder::new().name("metadata".to_string()).spawn(move || {
            while metadata.wait_proposed() {
                match metadata.commit() {
                    Ok(Some(image)) => metadata.applied(image, &apply, &inbox),
                    Ok(None) => (),
                    Err(error) => return metadata.fail(describe(&error), &inbox),
                }
            }
        })
    }

    fn wait_proposed(&self) -> bool {
        let mut state = self.state.lock();
        while state.waiting.is_empty() && !state.stopping {
            self.proposed.wait(&mut state);
        }
        !state.waiting.is_empty()
    }

    /// Syncs what was proposed so far; the image at the new high watermark.
    fn commit(&self) -> Result<Option<Arc<MetadataImage>>, RaftError> {
        let flush = match self.log.lock().as_mut() {
            Some(log) => log.start_flush(self.clock.wall())?,
            None => return Ok(None),
        };
        if let Some(flush) = &flush {
            flush.run().map_err(RaftError::from)?;
        }
        let high_watermark = match (self.log.lock().as_mut(), flush) {
            (Some(log), Some(flush)) => log.finish_flush(flush),
            (Some(log), None) => log.high_watermark(),
            (None, _) => return Ok(None),
        };
        let mut state = self.state.lock();
        let mut newest = None;
        while state.waiting.front().is_some_and(|image| image.offset() < high_watermark) {
            newest = state.waiting.pop_front();
        }
        Ok(newest)
    }

    fn applied(&self, image: Arc<MetadataImage>, apply: &Apply, inbox: &Inbox) {
        apply(image.clone(), self.clock.wall());
        let offset = image.offset();
        self.state.lock().image = image;
        self.committed.notify_all();
        inbox.tell(Event::Committed { offset });
    }

    fn fail(&self, reason: String, inbox: &Inbox) {
        self.state.lock().failure = Some(reason.clone());
        self.committed.notify_all();
        inbox.tell(Event::Fatal(format!("the metadata log has failed: {reason}")));
    }

    /// Writes a snapshot when one is due. Called from time to time, by a thread that may wait for the disk.
    pub(crate) fn snapshot_if_due(&self, now: Millis) -> Result<(), RaftError> {
        let image = self.image();
        let task = match self.log.lock().as_mut() {
            Some(log) if log.snapshot_due(now) => log.start_snapshot(&image, now),
            _ => None,
        };
        let Some(task) = task else { return Ok(()) };
        let outcome = task.run();
        match self.log.lock().as_mut() {
            Some(log) => log.finish_snapshot(outcome, now),
            None => Ok(()),
        }
    }

    /// Ends the thread once everything proposed is committed.
    pub(crate) fn stop(&self) {
        self.state.lock().stopping = true;
        self.proposed.notify_one();
    }

    /// Closes the log. The thread must have ended.
    pub(crate) fn close(&self) -> Result<(), RaftError> {
        match self.log.lock().take() {
            Some(log) => log.close(self.clock.wall()),
            None => Ok(()),
        }
    }
}

/// An error with the errors behind it, in one line.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}
