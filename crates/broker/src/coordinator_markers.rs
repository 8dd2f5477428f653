//! Markers that the transaction coordinator on this node has written.
//!
//! Always true:
//!   a marker counts as written when it is as safe as its partition promises: committed, and on disk where the
//!   topic's durability asks for that. The transaction is not over before, for whoever forgets a transaction
//!   whose marker is lost leaves its partition blocked for ever
//!   of markers that wait there is one event until somebody has looked

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use barnabas_protocol::{Millis, PartitionIndex};
use parking_lot::Mutex;

use crate::broker::Broker;
use crate::coordinator::{CoordinatorEvent, CoordinatorEvents};
use crate::markers::{register, settle, Answer, TransactionMarker};
use crate::waiters::{Registration, Wake};

/// What has become of the markers that a coordinator on this node has had written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkersWritten {
    /// An error code for each partition; those that are written are committed.
    Done(Vec<i16>),
    /// Some are not committed yet: [`CoordinatorEvent::MarkersMoved`] with this id says when
    /// [`Broker::markers_written`] is to be asked.
    Waiting(u64),
}

/// Markers that coordinators on this node wait for.
#[derive(Default)]
pub(crate) struct CoordinatorMarkers {
    state: Mutex<Coordinated>,
}

#[derive(Default)]
struct Coordinated {
    last_id: u64,
    waiting: HashMap<u64, CoordinatedMarkers>,
}

struct CoordinatedMarkers {
    answers: Vec<Answer>,
    wake: Arc<CoordinatorWake>,
    /// Held for its drop.
    _registration: Registration,
}

/// Tells the coordinators, once until they have looked.
struct CoordinatorWake {
    id: u64,
    told: AtomicBool,
    events: Arc<dyn CoordinatorEvents>,
}

impl Wake for CoordinatorWake {
    fn wake(&self) {
        if !self.told.swap(true, Ordering::AcqRel) {
            self.events.tell(CoordinatorEvent::MarkersMoved { id: self.id });
        }
    }
}

impl CoordinatorMarkers {
    fn wait(&self, mut answers: Vec<Answer>, events: &Arc<dyn CoordinatorEvents>) -> MarkersWritten {
        let mut state = self.state.lock();
        state.last_id += 1;
        let id = state.last_id;
        let wake = Arc::new(CoordinatorWake { id, told: AtomicBool::new(false), events: events.clone() });
        let registration = register(wake.clone(), answers.iter());
        // Whatever moved between the first look and the registration is seen now.
        if settle(answers.iter_mut(), false) {
            return MarkersWritten::Done(codes(&answers));
        }
        state.waiting.insert(id, CoordinatedMarkers { answers, wake, _registration: registration });
        MarkersWritten::Waiting(id)
    }

    fn look(&self, id: u64) -> Option<Vec<i16>> {
        let mut state = self.state.lock();
        let markers = state.waiting.get_mut(&id)?;
        // Before the look: what moves during it is told again.
        markers.wake.told.store(false, Ordering::Release);
        if !settle(markers.answers.iter_mut(), false) {
            return None;
        }
        let done = state.waiting.remove(&id)?;
        Some(codes(&done.answers))
    }
}

fn codes(answers: &[Answer]) -> Vec<i16> {
    answers.iter().map(|answer| answer.error_code).collect()
}

impl Broker {
    /// Writes a marker for a coordinator on this node to partitions that this node leads.
    pub fn write_markers(
        &self,
        marker: &TransactionMarker,
        partitions: &[(&str, PartitionIndex)],
        now: Millis,
    ) -> MarkersWritten {
        let write = |&(topic, index): &(&str, PartitionIndex)| {
            Answer::new(index, self.append_marker(marker, topic, index, now))
        };
        let mut answers: Vec<Answer> = partitions.iter().map(write).collect();
        if settle(answers.iter_mut(), false) {
            return MarkersWritten::Done(codes(&answers));
        }
        self.coordinator_markers.wait(answers, &self.events)
    }

    /// An error code for each partition of markers that have waited; None while they do, and when they are not
    /// known (any more).
    pub fn markers_written(&self, id: u64) -> Option<Vec<i16>> {
        self.coordinator_markers.look(id)
    }
}
