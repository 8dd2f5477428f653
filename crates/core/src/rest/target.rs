//! Where records go: a topic of a producer, and what the replies to all of them begin with.

use barnabas_client::accumulator::TopicIndex;
use barnabas_metrics::SharedCounter;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::plain::PlainRecord;
use crate::client::producer::{Listener, NativeProducer};

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

    /// The number of the topic.
    pub(super) fn topic(&self, py: Python<'_>) -> PyResult<TopicIndex> {
        self.producer.get().topic(self.topic.bind(py))
    }

    /// The number of the topic, for who hands in without Python, and is told so.
    pub(super) fn prepare(&self, py: Python<'_>) -> PyResult<TopicIndex> {
        self.producer.get().tell_promptly();
        self.topic(py)
    }

    /// Hands a record in. Gives `listener` back where that can't be done at once.
    pub(super) fn hand_in(
        &self,
        topic: TopicIndex,
        record: &PlainRecord,
        listener: Listener,
    ) -> Option<Listener> {
        let refused = self.producer.get().hand_in_plain(topic, record, listener);
        if refused.is_none() {
            self.count.get().0.add(1);
        }
        refused
    }
}
