//! `barnabas._core.NativeConsumer`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use barnabas_client::assignment::{Start, Taken};
use barnabas_client::columns::Columns;
use barnabas_client::consumer::Consumer;
use barnabas_client::ClientError;
use barnabas_protocol::record::RecordIter;
use parking_lot::Mutex;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::columns::RecordBatch;
use super::doorbell::{Doorbell, Watched};
use super::errors::{exception, raised};
use super::figures::shown;
use super::fork::Owned;
use super::membership::{
    entries, kind_name, leaving, named, offsets, partition, silence, subscription, told, unseen, wanted,
    Called, Metadata, Offsets, Subscribed, Told, Unseen,
};
use super::options::Options;
use super::record::Record;
use super::waiting::{self, seconds};

/// A batch of which the user has a part.
struct Rest {
    taken: Taken,
    /// Bytes of the records that the user has.
    at: usize,
    /// How many those are.
    count: i32,
}

/// What of the last batches is still to be given out, and names as Python has them.
#[derive(Default)]
struct Reading {
    rest: Option<Rest>,
    /// Came behind records that the user got first.
    error: Option<ClientError>,
    names: HashMap<Arc<str>, Py<PyString>>,
}

/// The consumer below `barnabas.Consumer`.
#[pyclass(frozen, extends = Watched, module = "barnabas._core")]
pub(crate) struct NativeConsumer {
    consumer: Owned<Consumer>,
    reading: Mutex<Reading>,
}

/// Where to begin: an offset, or one of the words for a place.
fn start(offset: Option<i64>, place: Option<&str>) -> PyResult<Option<Start>> {
    match (offset, place) {
        (None, None) => Ok(None),
        (None, Some("earliest")) => Ok(Some(Start::Earliest)),
        (None, Some("latest")) => Ok(Some(Start::Latest)),
        (Some(timestamp), Some("timestamp")) if timestamp >= 0 => Ok(Some(Start::Timestamp(timestamp))),
        (Some(offset), None) if offset >= 0 => Ok(Some(Start::Offset(offset))),
        (offset, place) => Err(PyValueError::new_err(format!("no place to begin: {offset:?} {place:?}"))),
    }
}

impl Reading {
    fn name(&mut self, py: Python<'_>, topic: &Arc<str>) -> Py<PyString> {
        let name = self.names.entry(topic.clone()).or_insert_with(|| PyString::new(py, topic).unbind());
        name.clone_ref(py)
    }
}

impl NativeConsumer {
    /// The batch to go on with: what is left of the last one, or the next; waits for it.
    fn first(
        &self,
        py: Python<'_>,
        reading: &mut Reading,
        timeout: Option<Duration>,
    ) -> PyResult<Option<Rest>> {
        if let Some(rest) = reading.rest.take() {
            if self.consumer.is_current(&rest.taken.partition, rest.taken.generation) {
                return Ok(Some(rest));
            }
            self.consumer.put_back(rest.taken);
        }
        let taken = self.until(py, timeout, |slice| self.next(slice))?.flatten();
        let taken = taken.transpose().map_err(|error| raised(py, &error))?;
        Ok(taken.map(|taken| Rest { taken, at: 0, count: 0 }))
    }

    /// As [`waiting::until`]; raises at once when a broker does not let this client in.
    fn until<T, F>(&self, py: Python<'_>, timeout: Option<Duration>, mut look: F) -> PyResult<Option<T>>
    where
        T: Send,
        F: FnMut(u64) -> Option<T> + Send,
    {
        let found = waiting::until(py, timeout, |slice| {
            look(slice).map(Ok).or_else(|| self.consumer.take_refusal().map(Err))
        })?;
        found.transpose().map_err(|error| raised(py, &error))
    }

    /// The next batch; Some(None) when the caller has something to do for its group first.
    fn next(&self, slice_ms: u64) -> Option<Option<Result<Taken, ClientError>>> {
        match self.consumer.next(slice_ms).transpose() {
            None => self.consumer.needs_attention().then_some(None),
            taken => Some(taken),
        }
    }

    /// Notes that the user polls. True when it has something to do for its group first.
    fn begin_poll(&self) -> bool {
        if !self.consumer.has_group() {
            return false;
        }
        self.consumer.begin_poll();
        self.consumer.needs_attention()
    }

    /// Columns of one batch and those behind it that are there, of the same partition; needs no interpreter.
    fn fill(&self, reading: &mut Reading, first: Rest, max: usize) -> Result<Columns, ClientError> {
        let mut columns = Columns::default();
        let mut rest = first;
        loop {
            if let Err(error) = self.fill_one(&mut columns, &mut rest, max) {
                if columns.is_empty() {
                    return Err(error);
                }
                // The user gets first what was read before.
                reading.error = Some(error);
                return Ok(columns);
            }
            if rest.count < rest.taken.batch.header.records_count {
                reading.rest = Some(rest);
                return Ok(columns);
            }
            let more = columns.len() < max;
            match more.then(|| self.consumer.next_of(&rest.taken)).flatten() {
                Some(taken) => rest = Rest { taken, at: 0, count: 0 },
                None => return Ok(columns),
            }
        }
    }

    /// Adds records of one batch, as many as there may be; notes how far the user is.
    fn fill_one(&self, columns: &mut Columns, rest: &mut Rest, max: usize) -> Result<(), ClientError> {
        let batch = rest.taken.batch.clone();
        let bytes = batch.bytes();
        let mut header = batch.header;
        header.records_count -= rest.count;
        let mut iter = RecordIter::new(&header, &bytes[rest.at..]);
        let (was_at, before) = (rest.at, columns.len());
        columns
            .reserve((max - columns.len()).min(header.records_count.max(0) as usize), bytes.len() - rest.at);
        let (mut next, mut wrong) = (None, None);
        while columns.len() < max {
            let at = bytes.len() - iter.rest().len();
            let Some(fields) = iter.next() else { break };
            let fields = match fields {
                Ok(fields) => fields,
                Err(error) => {
                    let (topic, index) = &rest.taken.partition;
                    wrong = Some(ClientError::Corrupt(format!("{topic}-{index}: {error}")));
                    break;
                }
            };
            if fields.offset >= rest.taken.from && !columns.push(&fields) {
                // It is the first of the next columns.
                rest.at = at;
                break;
            }
            rest.count += 1;
            rest.at = bytes.len() - iter.rest().len();
            next = Some(fields.offset + 1);
        }
        self.consumer.consumed(columns.len() - before, rest.at - was_at);
        let is_done = rest.count == batch.header.records_count;
        let next = if is_done { Some(batch.header.next_offset()) } else { next };
        if let Some(next) = next {
            self.consumer.advance(&rest.taken.partition, rest.taken.generation, next);
        }
        wrong.map_or(Ok(()), Err)
    }

    /// Makes records of a batch, until there are `max` of them; what is left is kept.
    fn give(
        &self,
        py: Python<'_>,
        reading: &mut Reading,
        mut rest: Rest,
        records: &mut Vec<Py<Record>>,
        max: usize,
    ) -> PyResult<()> {
        let (key, generation) = (rest.taken.partition.clone(), rest.taken.generation);
        let name = reading.name(py, &key.0);
        let batch = rest.taken.batch.clone();
        let base = batch.bytes();
        let mut header = batch.header;
        header.records_count -= rest.count;
        let mut iter = RecordIter::new(&header, &base[rest.at..]);
        let mut next = None;
        let before = records.len();
        while records.len() < max {
            let Some(fields) = iter.next() else { break };
            let fields = fields.map_err(|error| {
                let (topic, index) = &key;
                raised(py, &ClientError::Corrupt(format!("{topic}-{index}: {error}")))
            })?;
            rest.count += 1;
            next = Some(fields.offset + 1);
            if fields.offset >= rest.taken.from {
                let record = Record::new(&batch, base, &fields, name.clone_ref(py), key.1);
                records.push(Py::new(py, record)?);
            }
        }
        let was_at = std::mem::replace(&mut rest.at, base.len() - iter.rest().len());
        self.consumer.consumed(records.len() - before, rest.at - was_at);
        let is_done = iter.remaining() == 0;
        let next = if is_done { Some(batch.header.next_offset()) } else { next };
        if let Some(next) = next {
            self.consumer.advance(&key, generation, next);
        }
        reading.rest = (!is_done).then_some(rest);
        Ok(())
    }
}

#[pymethods]
impl NativeConsumer {
    #[new]
    fn new(configs: &Bound<'_, PyDict>) -> PyResult<PyClassInitializer<NativeConsumer>> {
        let config = Options(configs).consumer()?;
        let doorbell = Doorbell::new()?;
        let consumer = Consumer::start(config, Some(doorbell.notify()));
        let consumer = consumer.map_err(|error| PyOSError::new_err(error.to_string()))?;
        let reading = Mutex::new(Reading::default());
        Ok(Watched::base(doorbell).add_subclass(NativeConsumer { consumer: Owned::new(consumer), reading }))
    }

    /// Reads exactly these from now on: topic, partition, and where to begin.
    fn assign(
        &self,
        py: Python<'_>,
        partitions: Vec<(String, i32, Option<i64>, Option<String>)>,
    ) -> PyResult<()> {
        self.consumer.check(py)?;
        let mut wanted = Vec::with_capacity(partitions.len());
        for (topic, index, offset, place) in &partitions {
            wanted.push((partition(topic, *index), start(*offset, place.as_deref())?));
        }
        self.consumer.assign(wanted);
        Ok(())
    }

    /// Goes to another place; False when the partition is not read.
    fn seek(
        &self,
        py: Python<'_>,
        topic: &str,
        index: i32,
        offset: Option<i64>,
        place: Option<&str>,
    ) -> PyResult<bool> {
        self.consumer.check(py)?;
        let start = start(offset, place)?.ok_or_else(|| PyValueError::new_err("where to?"))?;
        Ok(self.consumer.seek(&partition(topic, index), start))
    }

    /// Stops or goes on giving out records; False when the partition is not read.
    fn pause(&self, py: Python<'_>, topic: &str, index: i32, paused: bool) -> PyResult<bool> {
        self.consumer.check(py)?;
        Ok(self.consumer.pause(&partition(topic, index), paused))
    }

    /// What is read.
    fn assignment(&self, py: Python<'_>) -> PyResult<Vec<(String, i32)>> {
        self.consumer.check(py)?;
        Ok(self.consumer.assignment().into_iter().map(|(topic, index)| (topic.to_string(), index)).collect())
    }

    /// What of it is paused.
    fn paused(&self, py: Python<'_>) -> PyResult<Vec<(String, i32)>> {
        self.consumer.check(py)?;
        Ok(self.consumer.paused().into_iter().map(|(topic, index)| (topic.to_string(), index)).collect())
    }

    /// Offset of the record that comes next; waits until it is known. None when `timeout` seconds were not enough.
    fn position(
        &self,
        py: Python<'_>,
        topic: &str,
        index: i32,
        timeout: Option<f64>,
    ) -> PyResult<Option<i64>> {
        self.consumer.check(py)?;
        let partition = partition(topic, index);
        let found = self.until(py, seconds(timeout)?, |slice| match self.consumer.position(&partition) {
            None => Some(None),
            Some(Some(offset)) => Some(Some(offset)),
            Some(None) => {
                self.consumer.wait(slice);
                None
            }
        })?;
        match found {
            Some(None) => Err(PyValueError::new_err(format!("{topic}-{index} is not assigned"))),
            Some(offset) => Ok(offset),
            None => Ok(None),
        }
    }

    /// Up to `max_records` records; waits up to `timeout` seconds for the first. None when the caller has something
    /// to do for its group first.
    fn poll<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
        max_records: usize,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        self.consumer.check(py)?;
        let timeout = seconds(timeout)?;
        if self.begin_poll() {
            return Ok(None);
        }
        // As in Java's client: two threads that read would each get a part of what they expect.
        let busy = || PyRuntimeError::new_err("another thread is in poll() of this consumer");
        let mut reading = self.reading.try_lock().ok_or_else(busy)?;
        if let Some(error) = reading.error.take() {
            return Err(raised(py, &error));
        }
        let mut records: Vec<Py<Record>> = Vec::new();
        if let Some(rest) = reading.rest.take() {
            if self.consumer.is_current(&rest.taken.partition, rest.taken.generation) {
                self.give(py, &mut reading, rest, &mut records, max_records)?;
            } else {
                self.consumer.put_back(rest.taken);
            }
        }
        while records.len() < max_records {
            let first = records.is_empty();
            let taken = match self.consumer.next(0) {
                Ok(None) if first => self.until(py, timeout, |slice| self.next(slice))?,
                Ok(None) => None,
                Ok(Some(taken)) => Some(Some(Ok(taken))),
                Err(error) => Some(Some(Err(error))),
            };
            let taken = match taken {
                None => break,
                Some(None) => return Ok(None),
                Some(Some(Ok(taken))) => taken,
                Some(Some(Err(error))) if first => return Err(raised(py, &error)),
                Some(Some(Err(error))) => {
                    reading.error = Some(error);
                    break;
                }
            };
            let rest = Rest { taken, at: 0, count: 0 };
            self.give(py, &mut reading, rest, &mut records, max_records)?;
        }
        PyList::new(py, records).map(Some)
    }

    /// Wants topics, or a pattern of them, from now on.
    fn subscribe(
        &self,
        py: Python<'_>,
        topics: Option<Vec<String>>,
        pattern: Option<String>,
    ) -> PyResult<()> {
        self.consumer.check(py)?;
        self.consumer.subscribe(wanted(topics, pattern)?).map_err(|error| raised(py, &error))
    }

    /// What it is subscribed to: topics, or a pattern.
    fn subscription(&self, py: Python<'_>) -> PyResult<Subscribed> {
        self.consumer.check(py)?;
        Ok(subscription(self.consumer.subscription()))
    }

    /// What the caller has to do: "assigned", "revoked" or "lost", and the partitions; to be followed by
    /// [`NativeConsumer::called`]. Raises what the membership can't get over.
    fn take_call(&self, py: Python<'_>) -> PyResult<Option<Called>> {
        self.consumer.check(py)?;
        if let Some(error) = self.consumer.take_error() {
            return Err(raised(py, &error));
        }
        let call = self.consumer.take_call();
        Ok(call.map(|call| (kind_name(call.kind), named(&call.partitions))))
    }

    /// The caller has done what it was called for.
    fn called(&self, py: Python<'_>) -> PyResult<()> {
        self.consumer.check(py)?;
        self.consumer.called();
        Ok(())
    }

    /// Orders a commit of these offsets, or of all positions; the caller has seen nothing from `unseen` on. The
    /// result comes under the number.
    fn commit(&self, py: Python<'_>, given: Option<Offsets>, not_seen: Unseen) -> PyResult<u64> {
        self.consumer.check(py)?;
        if !self.consumer.has_group() {
            return Err(raised(py, &ClientError::NoGroup));
        }
        Ok(self.consumer.commit(given.map(offsets).transpose()?, &unseen(not_seen)))
    }

    /// Waits for a commit; raises why it has failed. False when it is not done in `timeout` seconds.
    fn committed(&self, py: Python<'_>, id: u64, timeout: Option<f64>) -> PyResult<bool> {
        self.consumer.check(py)?;
        match self.until(py, seconds(timeout)?, |slice| self.consumer.committed(id, slice))? {
            Some(result) => result.map(|()| true).map_err(|error| raised(py, &error)),
            None => Ok(false),
        }
    }

    /// All commits that are done and that nobody has waited for: numbers, and why they have failed.
    fn take_committed<'py>(&self, py: Python<'py>) -> PyResult<Vec<(u64, Option<Bound<'py, PyAny>>)>> {
        self.consumer.check(py)?;
        let done = self.consumer.take_all_committed().into_iter();
        done.map(|(id, result)| Ok((id, result.err().map(|error| exception(py, &error)).transpose()?)))
            .collect()
    }

    /// What became of all commits since the last call: topic, partition, offset, leader epoch and metadata of each
    /// partition, and why it has failed.
    fn take_told<'py>(&self, py: Python<'py>) -> PyResult<Vec<(Offsets, Option<Bound<'py, PyAny>>)>> {
        self.consumer.check(py)?;
        let told = self.consumer.take_told().into_iter();
        told.map(|(offsets, result)| {
            let error = result.err().map(|error| exception(py, &error)).transpose()?;
            Ok((entries(offsets), error))
        })
        .collect()
    }

    /// What it has counted, by the names of Apache Kafka's clients.
    fn figures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.consumer.check(py)?;
        shown(py, self.consumer.figures())
    }

    /// Whether positions are committed without being asked.
    #[getter]
    fn commits_itself(&self) -> bool {
        self.consumer.commits_itself()
    }

    /// Committed positions; waits for the coordinator.
    fn committed_positions(
        &self,
        py: Python<'_>,
        partitions: Vec<(String, i32)>,
        timeout: Option<f64>,
    ) -> PyResult<Told> {
        self.consumer.check(py)?;
        if !self.consumer.has_group() {
            return Err(raised(py, &ClientError::NoGroup));
        }
        let asked = partitions.iter().map(|(topic, index)| partition(topic, *index)).collect();
        let id = self.consumer.ask_positions(asked);
        let found = self.until(py, seconds(timeout)?, |slice| self.consumer.positions(id, slice))?;
        found.unwrap_or_else(|| Err(silence("positions"))).map(told).map_err(|error| raised(py, &error))
    }

    /// Group id, generation or member epoch, member id, instance id; None without a group.
    fn group_metadata(&self, py: Python<'_>) -> PyResult<Option<Metadata>> {
        self.consumer.check(py)?;
        let metadata = self.consumer.group_metadata();
        Ok(metadata.map(|m| (m.group_id, m.generation, m.member_id, m.instance_id)))
    }

    /// Begins to give everything up and to leave the group.
    fn leave(&self, py: Python<'_>, operation: &str) -> PyResult<()> {
        self.consumer.check(py)?;
        self.consumer.leave(leaving(operation)?);
        Ok(())
    }

    /// Whether it has left; None when the caller has something to do first. Waits up to `timeout` seconds.
    fn has_left(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<bool>> {
        self.consumer.check(py)?;
        let left = waiting::until(py, seconds(timeout)?, |slice| {
            let left = self.consumer.has_left(slice);
            (left || self.consumer.needs_attention()).then_some(left)
        })?;
        Ok(left.map_or(Some(false), |left| left.then_some(true)))
    }

    /// Up to `max_records` records of one partition as columns; waits up to `timeout` seconds for the first. None
    /// too when the caller has something to do for its group first.
    fn poll_batch(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        max_records: usize,
    ) -> PyResult<Option<RecordBatch>> {
        self.consumer.check(py)?;
        let timeout = seconds(timeout)?;
        if self.begin_poll() {
            return Ok(None);
        }
        let busy = || PyRuntimeError::new_err("another thread is in poll_batch() of this consumer");
        let mut reading = self.reading.try_lock().ok_or_else(busy)?;
        if let Some(error) = reading.error.take() {
            return Err(raised(py, &error));
        }
        loop {
            let Some(rest) = self.first(py, &mut reading, timeout)? else { return Ok(None) };
            let key = rest.taken.partition.clone();
            let state = &mut *reading;
            let columns = py.detach(|| self.fill(state, rest, max_records));
            match columns {
                Err(error) => return Err(raised(py, &error)),
                Ok(columns) if columns.is_empty() => {}
                Ok(columns) => {
                    return Ok(Some(RecordBatch::new(columns, reading.name(py, &key.0), key.1)));
                }
            }
        }
    }

    /// How many partitions a topic has; waits for it.
    fn partition_count(&self, py: Python<'_>, topic: &str, timeout: Option<f64>) -> PyResult<usize> {
        self.consumer.check(py)?;
        let mut last = None;
        let found =
            self.until(py, seconds(timeout)?, |slice| match self.consumer.partition_count(topic, slice) {
                Some(Ok(count)) => Some(count),
                Some(Err(error)) => {
                    last = Some(error);
                    self.consumer.wait(slice);
                    None
                }
                None => None,
            })?;
        let silence = || ClientError::Timeout(format!("no broker has told of topic {topic}"));
        found.ok_or_else(|| raised(py, &last.unwrap_or_else(silence)))
    }

    /// Offset and timestamp of a place in a partition; waits for the answer. None when no record is that new.
    fn offset_of(
        &self,
        py: Python<'_>,
        topic: &str,
        index: i32,
        offset: Option<i64>,
        place: &str,
        timeout: Option<f64>,
    ) -> PyResult<Option<(i64, i64)>> {
        self.consumer.check(py)?;
        let start = start(offset, Some(place))?.ok_or_else(|| PyValueError::new_err("where?"))?;
        let id = self.consumer.look_up(partition(topic, index), start);
        let found = self.until(py, seconds(timeout)?, |slice| self.consumer.looked_up(id, slice));
        // Without an answer, after Ctrl-C say, nobody asks for it any more.
        self.consumer.forget_lookup(id);
        let found = found?;
        let silence = || ClientError::Timeout(format!("no broker has told of offsets of {topic}-{index}"));
        found.unwrap_or_else(|| Err(silence())).map_err(|error| raised(py, &error))
    }

    /// Ends the thread.
    fn close(&self, py: Python<'_>) {
        if !self.consumer.is_gone() {
            py.detach(|| self.consumer.close());
        }
    }
}
