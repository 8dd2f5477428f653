//! What Python gets: a record, read from its batch when it is asked for; where a sent record lies.

use std::sync::Arc;

use barnabas_client::fetched::FetchedBatch;
use barnabas_protocol::batch::TimestampType;
use barnabas_protocol::record::{Headers, Record as Fields};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// A part of a batch's bytes; absent where a key or value is null.
#[derive(Clone, Copy)]
struct Part {
    at: u32,
    length: i32,
}

impl Part {
    fn of(base: &[u8], bytes: Option<&[u8]>) -> Part {
        match bytes {
            // A batch has at most 2 GiB.
            Some(bytes) => Part {
                at: (bytes.as_ptr() as usize - base.as_ptr() as usize) as u32,
                length: bytes.len() as i32,
            },
            None => Part { at: 0, length: -1 },
        }
    }

    fn read<'py>(self, py: Python<'py>, base: &[u8]) -> Option<Bound<'py, PyBytes>> {
        let length = usize::try_from(self.length).ok()?;
        let at = self.at as usize;
        Some(PyBytes::new(py, &base[at..at + length]))
    }
}

/// One record of a topic.
#[pyclass(frozen, module = "barnabas", freelist = 1024)]
pub(crate) struct Record {
    batch: Arc<FetchedBatch>,
    topic: Py<PyString>,
    offset: i64,
    timestamp: i64,
    key: Part,
    value: Part,
    headers_at: u32,
    headers_count: u32,
    partition: i32,
    /// 0 where nobody counts.
    delivery_count: i16,
}

impl Record {
    pub(crate) fn new(
        batch: &Arc<FetchedBatch>,
        base: &[u8],
        fields: &Fields<'_>,
        topic: Py<PyString>,
        partition: i32,
    ) -> Record {
        let headers = Part::of(base, Some(fields.headers.bytes()));
        Record {
            batch: batch.clone(),
            topic,
            offset: fields.offset,
            timestamp: fields.timestamp,
            key: Part::of(base, fields.key),
            value: Part::of(base, fields.value),
            headers_at: headers.at,
            headers_count: fields.headers.len() as u32,
            partition,
            delivery_count: 0,
        }
    }

    /// The same, as a share group has delivered it.
    pub(crate) fn delivered(self, delivery_count: i16) -> Record {
        Record { delivery_count, ..self }
    }
}

#[pymethods]
impl Record {
    #[getter]
    fn topic<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        self.topic.bind(py).clone()
    }

    #[getter]
    fn partition(&self) -> i32 {
        self.partition
    }

    #[getter]
    fn offset(&self) -> i64 {
        self.offset
    }

    #[getter]
    fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// As clients number them: 0 the producer's time, 1 the time of append.
    #[getter]
    fn timestamp_type(&self) -> i32 {
        match self.batch.header.attributes.timestamp_type() {
            TimestampType::CreateTime => 0,
            TimestampType::LogAppendTime => 1,
        }
    }

    #[getter]
    fn leader_epoch(&self) -> i32 {
        self.batch.header.partition_leader_epoch
    }

    /// How often a share group has delivered it, this time included.
    #[getter]
    fn delivery_count(&self) -> Option<i16> {
        (self.delivery_count > 0).then_some(self.delivery_count)
    }

    #[getter]
    fn key<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.key.read(py, self.batch.bytes())
    }

    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.value.read(py, self.batch.bytes())
    }

    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> Vec<(String, Option<Bound<'py, PyBytes>>)> {
        let bytes = &self.batch.bytes()[self.headers_at as usize..];
        let headers = Headers::new(bytes, self.headers_count);
        let pair = |name: &[u8], value: Option<&[u8]>| {
            (String::from_utf8_lossy(name).into_owned(), value.map(|value| PyBytes::new(py, value)))
        };
        headers.map(|header| pair(header.key, header.value)).collect()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = |part: Option<Bound<'_, PyBytes>>| match part {
            Some(bytes) => bytes.repr().map(|text| text.to_string()),
            None => Ok("None".to_string()),
        };
        let (key, value) = (shown(self.key(py))?, shown(self.value(py))?);
        let (topic, partition, offset) = (self.topic.bind(py), self.partition, self.offset);
        Ok(format!("Record({topic}-{partition}@{offset}, key={key}, value={value})"))
    }
}

/// Where a record lies that was sent.
#[pyclass(frozen, get_all, module = "barnabas", freelist = 1024)]
pub(crate) struct RecordMetadata {
    /// The topic: one string for all records of a batch.
    pub(crate) topic: Py<PyString>,
    /// The partition.
    pub(crate) partition: i32,
    /// The offset; -1 where no broker has told (acks=0, or the batch was a repetition).
    pub(crate) offset: i64,
    /// The time of append, where the topic stamps records; else -1.
    pub(crate) timestamp: i64,
}

#[pymethods]
impl RecordMetadata {
    fn __eq__(&self, py: Python<'_>, other: &RecordMetadata) -> PyResult<bool> {
        let numbers = |at: &RecordMetadata| (at.partition, at.offset, at.timestamp);
        Ok(numbers(self) == numbers(other) && self.topic.bind(py).as_any().eq(other.topic.bind(py))?)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        (self.topic.bind(py), self.partition, self.offset, self.timestamp).into_pyobject(py)?.hash()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("RecordMetadata({}-{}@{})", self.topic.bind(py), self.partition, self.offset)
    }
}
