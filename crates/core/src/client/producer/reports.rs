//! Who waits for the results of records, and how they are told.

use barnabas_client::accumulator::Completed;
use barnabas_protocol::Offset;
use pyo3::intern;
use pyo3::prelude::*;

use super::super::record::RecordMetadata;
use crate::rest::{Answers, Delivered, Line, Place};

/// Who waits for the result of a record.
pub(crate) enum Listener {
    /// Called with an exception or where the record lies.
    Callable(Py<PyAny>),
    /// Of the event loop that polls; nobody may be waiting any more.
    Future(Py<PyAny>),
    /// The place of a record in the answer to a request to the REST Proxy.
    Place(Place),
    /// The place of a record in a stream of the REST Proxy.
    Line(Box<Line>),
}

impl Listener {
    /// Says why a record was not written, or where it lies.
    pub(super) fn tell(
        self,
        py: Python<'_>,
        error: Option<&Bound<'_, PyAny>>,
        metadata: Option<RecordMetadata>,
    ) -> PyResult<()> {
        match self {
            Listener::Callable(callback) => callback.call1(py, (error, metadata)).map(drop),
            Listener::Place(place) => {
                let mut answers = Answers::default();
                match (error, metadata) {
                    (Some(error), _) => place.fail(py, error, &mut answers)?,
                    (None, Some(lies)) => place.written(delivered(&lies), &mut answers),
                    (None, None) => {}
                }
                answers.give();
                Ok(())
            }
            Listener::Line(line) => match (error, metadata) {
                (Some(error), _) => line.fail(py, error),
                (None, Some(lies)) => line.answer(py, delivered(&lies)),
                (None, None) => Ok(()),
            },
            Listener::Future(future) => {
                let future = future.bind(py);
                if future.call_method0(intern!(py, "done"))?.is_truthy()? {
                    return Ok(());
                }
                let told = match error {
                    Some(error) => future.call_method1(intern!(py, "set_exception"), (error,)),
                    None => future.call_method1(intern!(py, "set_result"), (metadata,)),
                };
                told.map(drop)
            }
        }
    }
}

/// Those who wait for results, by the number that their record carries.
#[derive(Default)]
pub(super) struct Reports {
    waiting: Vec<Option<Listener>>,
    free: Vec<u32>,
}

impl Reports {
    /// The number that its record is to carry.
    pub(super) fn add(&mut self, listener: Listener) -> u64 {
        if let Some(index) = self.free.pop() {
            self.waiting[index as usize] = Some(listener);
            return u64::from(index);
        }
        self.waiting.push(Some(listener));
        self.waiting.len() as u64 - 1
    }

    /// Takes those who have asked the REST Proxy for records that were written.
    pub(super) fn take_written(&mut self, completed: &mut Completed, written: &mut Vec<(Place, Delivered)>) {
        let Ok(base) = completed.result else { return };
        let (partition, timestamp) = (completed.partition, completed.log_append_time);
        completed.reports.retain(|&(index, report)| {
            if !matches!(self.waiting[report as usize], Some(Listener::Place(_))) {
                return true;
            }
            if let Some(Listener::Place(place)) = self.take(report) {
                written.push((place, Delivered { partition, offset: offset_of(base, index), timestamp }));
            }
            false
        });
    }

    /// Who waits with a number, which is free from now on.
    pub(super) fn take(&mut self, report: u64) -> Option<Listener> {
        self.free.push(report as u32);
        self.waiting[report as usize].take()
    }
}

/// What a reply of the REST Proxy says of where a record lies.
fn delivered(&RecordMetadata { partition, offset, timestamp, .. }: &RecordMetadata) -> Delivered {
    Delivered { partition, offset, timestamp }
}

/// Where a record of a batch lies; -1 where the broker does not say.
pub(super) fn offset_of(base: Offset, index: i32) -> Offset {
    if base < 0 {
        -1
    } else {
        base + i64::from(index)
    }
}
