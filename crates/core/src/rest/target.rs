//! Where records go: a topic of a producer, and what the replies to all of them begin with.

use barnabas_metrics::SharedCounter;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::plain::PlainRecord;
use super::reply::{Pending, To};
use crate::client::producer::NativeProducer;

/// Counts records, those that Python hands in and others.
#[pyclass(frozen, module = "barnabas._core")]
#[derive(Default)]
pub(crate) struct RecordCount(SharedCounter);

#[pymethods]
impl RecordCount {
    #[new]
    fn new() -> RecordCount {
        RecordCount::default()
    }

    /// Counts one more.
    fn note(&self) {
        self.0.add(1);
    }

    /// How many there were.
    #[getter]
    fn value(&self) -> u64 {
        self.0.get()
    }
}

/// A topic that plain records are handed in for.
#[pyclass(frozen, module = "barnabas._core")]
pub(crate) struct RecordTarget {
    producer: Py<NativeProducer>,
    topic: Py<PyString>,
    head: String,
    count: Py<RecordCount>,
}

#[pymethods]
impl RecordTarget {
    /// `names`: the cluster's id and the topic's name, as JSON has them. `count` counts what is handed in.
    #[new]
    fn new(
        producer: Py<NativeProducer>,
        topic: Py<PyString>,
        names: (String, String),
        count: Py<RecordCount>,
    ) -> RecordTarget {
        let (cluster_id, name) = names;
        let head = format!(
            "{{\"error_code\":200,\"cluster_id\":{cluster_id},\"topic_name\":{name},\"partition_id\":"
        );
        RecordTarget { producer, topic, head, count }
    }
}

impl RecordTarget {
    /// What the reply to each record begins with, up to the number of its partition.
    pub(super) fn head(&self) -> &str {
        &self.head
    }
}

/// Hands a record in, whose result is told to `to`. Gives `to` back where that can't be done at once.
pub(super) fn hand_in(py: Python<'_>, target: &Py<RecordTarget>, record: &PlainRecord, to: To) -> Option<To> {
    let RecordTarget { producer, topic, count, .. } = target.get();
    let pending = Pending::new(target.clone_ref(py), record, to);
    let refused = producer.get().hand_in_plain(py, topic.bind(py), record, pending);
    if refused.is_none() {
        count.get().0.add(1);
    }
    refused.map(Pending::into_recipient)
}
