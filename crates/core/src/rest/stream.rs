//! `RecordStream`: records that come on one connection for as long as the client likes, and their replies.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::asked::LINE_END;
use super::cutter::Cutter;
use super::plain;
use super::reply::{Delivered, Told};
use super::target::RecordTarget;

/// Records that wait for their replies; no more are read before.
const UNDER_WAY_MAX: usize = 10_000;
/// Bytes of one object.
const OBJECT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Replies in the order of their records.
struct Replies {
    state: Mutex<State>,
    /// Called when there are replies to take.
    ready: Py<PyAny>,
    /// Called with why a record was not written; gives the reply.
    failed: Py<PyAny>,
}

#[derive(Default)]
struct State {
    /// Number of the first line.
    first: u64,
    lines: VecDeque<Option<Vec<u8>>>,
    /// Whether somebody was called since they were taken last.
    is_told: bool,
}

impl Replies {
    /// A place for the next reply.
    fn reserve(&self) -> u64 {
        let mut state = self.state.lock();
        state.lines.push_back(None);
        state.first + state.lines.len() as u64 - 1
    }

    /// Each place is filled once.
    fn fill(&self, py: Python<'_>, number: u64, mut reply: Vec<u8>) -> PyResult<()> {
        reply.extend_from_slice(LINE_END.as_bytes());
        let mut state = self.state.lock();
        let place = number.checked_sub(state.first).and_then(|place| state.lines.get_mut(place as usize));
        if let Some(line) = place {
            *line = Some(reply);
        }
        if state.is_told || !state.lines.front().is_some_and(Option::is_some) {
            return Ok(());
        }
        state.is_told = true;
        drop(state);
        self.ready.call0(py).map(drop)
    }
}

/// The place of the reply to a record.
pub(crate) struct Line {
    replies: Arc<Replies>,
    number: u64,
    target: Py<RecordTarget>,
    told: Told,
}

impl Line {
    /// When the record was made, in milliseconds since the Unix epoch.
    pub(crate) fn timestamp(&self) -> i64 {
        self.told.timestamp
    }

    /// Says where the record lies.
    pub(crate) fn answer(self, py: Python<'_>, delivered: Delivered) -> PyResult<()> {
        let line = self.told.line(self.target.get().names(), delivered);
        self.replies.fill(py, self.number, line.into_bytes())
    }

    /// Says why it was not written.
    pub(crate) fn fail(self, py: Python<'_>, error: &Bound<'_, PyAny>) -> PyResult<()> {
        let body = self.replies.failed.call1(py, (error,))?.extract(py)?;
        self.replies.fill(py, self.number, body)
    }
}

/// Records of a stream: those that are plain go to a producer at once, others to Python.
#[pyclass(frozen, module = "barnabas._core")]
pub(crate) struct RecordStream {
    /// None: all go to Python.
    target: Option<Py<RecordTarget>>,
    cutter: Mutex<Cutter>,
    replies: Arc<Replies>,
}

#[pymethods]
impl RecordStream {
    /// `ready` is called when there are replies to take, `failed` with why a record was not written, and gives the
    /// reply. Without a target all records are given back.
    #[new]
    fn new(target: Option<Py<RecordTarget>>, ready: Py<PyAny>, failed: Py<PyAny>) -> RecordStream {
        let replies = Arc::new(Replies { state: Mutex::default(), ready, failed });
        RecordStream { target, cutter: Mutex::default(), replies }
    }

    /// Hands in what a piece completes. The first object that is not plain, or can't be handed in at once, is given
    /// back; then it goes on with an empty piece. None when nothing is left to do but to wait: for more pieces, or
    /// while there are too many replies under way.
    fn feed<'py>(&self, py: Python<'py>, piece: &[u8]) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let mut cutter = self.cutter.lock();
        cutter.feed(piece);
        while !self.is_full() {
            let Some(object) = cutter.next() else { break };
            if !self.hand_in(py, object)? {
                return Ok(Some(PyBytes::new(py, object)));
            }
        }
        let is_too_large = cutter.len() > OBJECT_BYTES_MAX && !self.is_full();
        Ok(is_too_large.then(|| PyBytes::new(py, cutter.rest())))
    }

    /// What has come of an object that is not complete.
    fn rest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.cutter.lock().rest())
    }

    /// A place for the reply to a record that was given back.
    fn reserve(&self) -> u64 {
        self.replies.reserve()
    }

    /// Puts a reply into its place.
    fn fill(&self, py: Python<'_>, number: u64, reply: Vec<u8>) -> PyResult<()> {
        self.replies.fill(py, number, reply)
    }

    /// Up to `limit` replies, each a line, up to the first that has to be waited for.
    fn take<'py>(&self, py: Python<'py>, limit: usize) -> Bound<'py, PyBytes> {
        let mut state = self.replies.state.lock();
        state.is_told = false;
        let count = state.lines.iter().take(limit).take_while(|line| line.is_some()).count();
        state.first += count as u64;
        let lines: Vec<Vec<u8>> = state.lines.drain(..count).flatten().collect();
        drop(state);
        PyBytes::new(py, &lines.concat())
    }

    /// Records whose replies were not taken.
    #[getter]
    fn under_way(&self) -> usize {
        self.replies.state.lock().lines.len()
    }

    /// Whether so many replies are under way that no more is read.
    #[getter]
    fn is_full(&self) -> bool {
        self.under_way() >= UNDER_WAY_MAX
    }
}

impl RecordStream {
    /// False where the object is not plain, or has to wait.
    fn hand_in(&self, py: Python<'_>, object: &[u8]) -> PyResult<bool> {
        let Some((target, record)) = self.target.as_ref().zip(plain::record(object)) else {
            return Ok(false);
        };
        let topic = target.get().topic(py)?;
        let (replies, number) = (self.replies.clone(), self.replies.reserve());
        let line = Line { replies, number, target: target.clone_ref(py), told: Told::of(&record) };
        let is_taken = target.get().hand_in(topic, &record, Box::new(line)).is_ok();
        if !is_taken {
            self.replies.state.lock().lines.pop_back();
        }
        Ok(is_taken)
    }
}
