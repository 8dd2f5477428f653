//! Where records go: a topic of a producer, and what the replies to all of them begin with.

use barnabas_client::accumulator::TopicIndex;
use barnabas_metrics::SharedCounter;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::asked::Place;
use super::plain::PlainRecord;
use super::stream::Line;
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
    names: String,
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
        let names = format!("\"cluster_id\":{cluster_id},\"topic_name\":{name}");
        producer.get().gather();
        RecordTarget { producer, topic, names, count }
    }
}

impl RecordTarget {
    /// The members of a reply that name the cluster and the topic.
    pub(super) fn names(&self) -> &str {
        &self.names
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

    /// Hands a record in. Gives `line` back where that can't be done at once.
    pub(super) fn hand_in(
        &self,
        topic: TopicIndex,
        record: &PlainRecord<'_>,
        line: Box<Line>,
    ) -> Result<(), Box<Line>> {
        self.producer.get().hand_in_line(topic, record, line)?;
        self.count.get().0.add(1);
        Ok(())
    }

    /// Hands all of these records in, or none. Whether the producer has to be told of them, with
    /// [`RecordTarget::wake`]; None where they can't be taken at once.
    pub(super) fn hand_in_all(
        &self,
        topic: TopicIndex,
        records: &[PlainRecord<'_>],
        places: impl Iterator<Item = Place>,
    ) -> Option<bool> {
        let is_due = self.producer.get().hand_in_all(topic, records, places)?;
        self.count.get().0.add(records.len() as u64);
        Some(is_due)
    }

    /// Has the producer look at what was handed in.
    pub(super) fn wake(&self) {
        self.producer.get().wake();
    }

    /// Whether both are of one producer.
    pub(super) fn shares_producer(&self, other: &RecordTarget) -> bool {
        self.producer.as_ptr() == other.producer.as_ptr()
    }
}
