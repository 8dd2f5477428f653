//! `barnabas._core.NativeProducer`.

mod reports;

pub(crate) use reports::Listener;

use std::sync::Arc;
use std::time::Duration;

use barnabas_client::accumulator::{Completed, NewRecord, Refused, TopicIndex};
use barnabas_client::producer::{Producer, Waited};
use barnabas_client::transaction::{CommittedOffset, End, GroupMetadata};
use barnabas_client::ClientError;
use barnabas_protocol::record::Header;
use parking_lot::Mutex;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::arrow::rows::Rows;
use super::doorbell::{Doorbell, Watched};
use super::errors::{exception, raised};
use super::figures::shown;
use super::fork::Owned;
use super::options::Options;
use super::record::RecordMetadata;
use super::text::{data, headers, Data};
use super::{waiting, waiting::seconds};
use crate::clock;
use crate::rest::{Answers, Line, Part, Place, PlainRecord};
use reports::{offset_of, Reports};

/// A record as Python gives it.
struct Given<'a, 'py> {
    partition: Option<i32>,
    timestamp: Option<i64>,
    key: Option<&'a Bound<'py, PyAny>>,
    value: Option<&'a Bound<'py, PyAny>>,
    headers: Option<&'a Bound<'py, PyAny>>,
}

fn headers_of<'a>(record: &'a PlainRecord<'_>) -> Vec<Header<'a>> {
    let all = record.headers.iter();
    all.map(|(name, value)| Header { key: name.as_bytes(), value: value.as_deref() }).collect()
}

fn new_record<'a>(
    record: &'a PlainRecord<'_>,
    timestamp: i64,
    headers: &'a [Header<'a>],
    report: u64,
) -> NewRecord<'a> {
    let part = |part: &'a Option<Part>| part.as_ref().and_then(Part::bytes);
    let (partition, report) = (record.partition, Some(report));
    NewRecord { partition, timestamp, key: part(&record.key), value: part(&record.value), headers, report }
}

/// A topic's name as the user gave it last, and its number: the next record mostly has the same.
type LastTopic = Option<(Py<PyString>, TopicIndex)>;

/// The producer below `barnabas.Producer`.
#[pyclass(frozen, extends = Watched, subclass, module = "barnabas._core")]
pub(crate) struct NativeProducer {
    producer: Owned<Producer>,
    last: Mutex<LastTopic>,
    reports: Arc<Mutex<Reports>>,
    /// The user's own: called with key, value and the number of partitions.
    partitioner: Option<Py<PyAny>>,
}

impl NativeProducer {
    /// The number of a topic.
    pub(crate) fn topic(&self, topic: &Bound<'_, PyString>) -> PyResult<TopicIndex> {
        let mut last = self.last.lock();
        match &*last {
            Some((name, index)) if name.as_ptr() == topic.as_ptr() => Ok(*index),
            _ => {
                let index = self.producer.topic(topic.to_str()?);
                *last = Some((topic.clone().unbind(), index));
                Ok(index)
            }
        }
    }

    /// Hands a record in; False when there is no room and nobody `may_wait`.
    #[inline]
    fn hand_in(
        &self,
        py: Python<'_>,
        topic: &Bound<'_, PyString>,
        given: &Given<'_, '_>,
        listener: Option<Listener>,
        may_wait: bool,
    ) -> PyResult<bool> {
        self.producer.check(py)?;
        let index = self.topic(topic)?;
        let partition = match (&self.partitioner, given.partition) {
            (Some(_), None) if !may_wait && self.producer.partition_count(index) == 0 => return Ok(false),
            (Some(partitioner), None) => {
                Some(self.partition(py, index, partitioner, given.key, given.value)?)
            }
            (_, partition) => partition,
        };
        let value = given.value.map(|value| data(value, "value")).transpose()?;
        let key = given.key.map(|key| data(key, "key")).transpose()?;
        let owned = given.headers.map(self::headers).transpose()?.unwrap_or_default();
        let headers: Vec<Header<'_>> = owned
            .iter()
            .map(|(name, value)| Header { key: name.as_bytes(), value: value.as_deref() })
            .collect();
        let report = listener.map(|listener| self.reports.lock().add(listener));
        let record = NewRecord {
            partition,
            timestamp: given.timestamp.unwrap_or_else(clock::now),
            key: key.as_ref().map(Data::bytes),
            value: value.as_ref().map(Data::bytes),
            headers: &headers,
            report,
        };
        let appended = match self.producer.append(index, &record) {
            Ok(()) => return Ok(true),
            Err(Refused::Failed(error)) => Err(raised(py, &error)),
            Err(_) if !may_wait => Ok(false),
            Err(refused) => self.append_later(py, index, &record, refused).map(|()| true),
        };
        if let (Err(_) | Ok(false), Some(report)) = (&appended, report) {
            self.reports.lock().take(report);
        }
        appended
    }

    /// Hands a record of a stream of the REST Proxy in. Gives `line` back where that can't be done at once.
    pub(crate) fn hand_in_line(
        &self,
        topic: TopicIndex,
        record: &PlainRecord<'_>,
        line: Box<Line>,
    ) -> Result<(), Box<Line>> {
        if self.producer.is_gone() || self.partitioner.is_some() {
            return Err(line);
        }
        let timestamp = line.timestamp();
        // First: it may be done before this returns.
        let report = self.reports.lock().add(Listener::Line(line));
        let headers = headers_of(record);
        let appended = self.producer.append(topic, &new_record(record, timestamp, &headers, report));
        match appended.map_err(|_| self.reports.lock().take(report)) {
            Err(Some(Listener::Line(line))) => Err(line),
            _ => Ok(()),
        }
    }

    /// Hands the records of a request to the REST Proxy in, all or none. Whether the producer has to be told, with
    /// [`NativeProducer::wake`]; None where they can't be taken at once.
    pub(crate) fn hand_in_all(
        &self,
        topic: TopicIndex,
        records: &[PlainRecord<'_>],
        places: impl Iterator<Item = Place>,
    ) -> Option<bool> {
        if self.producer.is_gone() || self.partitioner.is_some() {
            return None;
        }
        let mut waiting = self.reports.lock();
        let told: Vec<(i64, u64)> =
            places.map(|place| (place.timestamp(), waiting.add(Listener::Place(place)))).collect();
        drop(waiting);
        let headers: Vec<Vec<Header<'_>>> = records.iter().map(headers_of).collect();
        let all: Vec<NewRecord<'_>> = records
            .iter()
            .zip(&headers)
            .zip(&told)
            .map(|((record, headers), &(timestamp, report))| new_record(record, timestamp, headers, report))
            .collect();
        let is_due = self.producer.append_all(topic, &all);
        if is_due.is_none() {
            let mut waiting = self.reports.lock();
            told.iter().for_each(|&(_, report)| drop(waiting.take(report)));
        }
        is_due
    }

    /// Has the producer look at what was handed in.
    pub(crate) fn wake(&self) {
        if !self.producer.is_gone() {
            self.producer.wake();
        }
    }

    /// From now on batches gather records while others are on their way.
    pub(crate) fn gather(&self) {
        if !self.producer.is_gone() {
            self.producer.gather();
        }
    }

    /// From now on who has asked the REST Proxy is answered by who drives the client, without the interpreter, if
    /// the record was written.
    pub(crate) fn tell_promptly(&self) {
        let reports = self.reports.clone();
        self.producer.set_teller(Box::new(move |all| {
            let mut written = Vec::new();
            // Not held while they are answered: others hand in meanwhile.
            let mut waiting = reports.lock();
            for completed in all.iter_mut() {
                waiting.take_written(completed, &mut written);
            }
            drop(waiting);
            all.retain(|completed| !completed.reports.is_empty());
            let mut answers = Answers::default();
            written.into_iter().for_each(|(place, delivered)| place.written(delivered, &mut answers));
            answers.give();
        }));
    }

    /// The partition that the user's own partitioner chooses.
    fn partition(
        &self,
        py: Python<'_>,
        topic: TopicIndex,
        partitioner: &Py<PyAny>,
        key: Option<&Bound<'_, PyAny>>,
        value: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<i32> {
        let count = self.partitions(py, topic, Some(self.max_block_time()))?;
        partitioner.call1(py, (key, value, count))?.extract(py)
    }

    fn max_block_time(&self) -> Duration {
        Duration::from_millis(self.producer.max_block_ms().max(0) as u64)
    }

    fn partitions(&self, py: Python<'_>, topic: TopicIndex, timeout: Option<Duration>) -> PyResult<usize> {
        match self.producer.partition_count(topic) {
            0 => {}
            known => return Ok(known),
        }
        let found = waiting::until(py, timeout, |slice| {
            let count = self.producer.partition_count(topic);
            if count == 0 {
                self.producer.wait(slice);
            }
            Some(count).filter(|&count| count > 0)
        })?;
        found.ok_or_else(|| raised(py, &self.producer.timed_out(topic, &Refused::NoMetadata)))
    }

    /// Asks until something about the transaction is done; False when `timeout` seconds were not enough, which are
    /// `max.block.ms` when nothing is said.
    fn until_done<L>(&self, py: Python<'_>, timeout: Option<f64>, look: L) -> PyResult<bool>
    where
        L: Fn(u64) -> Result<Waited, ClientError> + Sync + Send,
    {
        let timeout = seconds(timeout)?.unwrap_or_else(|| self.max_block_time());
        let done = waiting::until(py, Some(timeout), |slice| match look(slice) {
            Ok(Waited::NotYet) => None,
            Ok(Waited::Done) => Some(Ok(())),
            Err(error) => Some(Err(error)),
        })?;
        match done {
            None => Ok(false),
            Some(Ok(())) => Ok(true),
            Some(Err(error)) => Err(raised(py, &error)),
        }
    }

    /// Hands a record in that was refused once: waits for metadata or room.
    #[cold]
    fn append_later(
        &self,
        py: Python<'_>,
        topic: TopicIndex,
        record: &NewRecord<'_>,
        refused: Refused,
    ) -> PyResult<()> {
        let mut last = refused;
        let limit = self.max_block_time();
        let appended = waiting::until(py, Some(limit), |slice| {
            if matches!(last, Refused::Failed(_)) {
                return Some(Err(()));
            }
            match self.producer.append_within(topic, record, slice) {
                Ok(()) => return Some(Ok(())),
                Err(refused) => last = refused,
            }
            None
        })?;
        match appended {
            Some(Ok(())) => Ok(()),
            _ => Err(raised(py, &self.producer.timed_out(topic, &last))),
        }
    }

    /// Hands in records of columns, without the interpreter; `max.block.ms` begins anew whenever some were taken.
    fn append_rows(&self, py: Python<'_>, topic: TopicIndex, rows: &Rows) -> PyResult<()> {
        let limit = self.max_block_time();
        let mut next = 0;
        loop {
            let before = next;
            let mut last = Refused::Full;
            let ended = waiting::until(py, Some(limit), |slice| {
                match self.producer.append_rows(topic, rows, &mut next, slice) {
                    Ok(()) => Some(true),
                    Err(refused) => {
                        let is_over = matches!(refused, Refused::Failed(_));
                        last = refused;
                        (is_over || next > before).then_some(false)
                    }
                }
            })?;
            let failed = matches!(last, Refused::Failed(_)) || ended.is_none();
            match ended {
                Some(true) => return Ok(()),
                Some(false) if !failed => {}
                _ => return Err(raised(py, &self.producer.timed_out(topic, &last))),
            }
        }
    }

    fn report(&self, py: Python<'_>, all: Vec<Completed>) -> PyResult<usize> {
        let mut count = 0;
        let mut failed = Ok(());
        for completed in all {
            let error = match &completed.result {
                Ok(_) => None,
                Err(error) => Some(exception(py, error)?),
            };
            let topic = PyString::new(py, &completed.topic).unbind();
            for (index, report) in &completed.reports {
                let Some(listener) = self.reports.lock().take(*report) else { continue };
                count += 1;
                let metadata = completed.result.as_ref().ok().map(|&base| RecordMetadata {
                    topic: topic.clone_ref(py),
                    partition: completed.partition,
                    offset: offset_of(base, *index),
                    timestamp: completed.log_append_time,
                });
                let called = listener.tell(py, error.as_ref(), metadata);
                // The others are told all the same; the first exception is the caller's.
                failed = failed.and(called);
            }
        }
        failed.map(|()| count)
    }
}

#[pymethods]
impl NativeProducer {
    #[new]
    #[pyo3(signature = (configs, seed, partitioner=None))]
    fn new(
        configs: &Bound<'_, PyDict>,
        seed: u64,
        partitioner: Option<Py<PyAny>>,
    ) -> PyResult<PyClassInitializer<NativeProducer>> {
        let config = Options(configs).producer(seed)?;
        let doorbell = Doorbell::new()?;
        let producer = Producer::start(config, Some(doorbell.notify()));
        let producer = producer.map_err(|error| PyOSError::new_err(error.to_string()))?;
        let producer = NativeProducer {
            producer: Owned::new(producer),
            last: Mutex::new(None),
            reports: Arc::default(),
            partitioner,
        };
        Ok(Watched::base(doorbell).add_subclass(producer))
    }

    /// Hands a record in. Waits at most `max.block.ms` for metadata and for room in `buffer.memory`.
    #[pyo3(signature = (topic, value=None, key=None, partition=None, on_delivery=None, timestamp=None, headers=None))]
    #[allow(clippy::too_many_arguments, reason = "the fields of a record, as keywords in Python")]
    fn produce(
        &self,
        py: Python<'_>,
        topic: &Bound<'_, PyString>,
        value: Option<&Bound<'_, PyAny>>,
        key: Option<&Bound<'_, PyAny>>,
        partition: Option<i32>,
        on_delivery: Option<Py<PyAny>>,
        timestamp: Option<i64>,
        headers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let given = Given { partition, timestamp, key, value, headers };
        let listener = on_delivery.map(Listener::Callable);
        self.hand_in(py, topic, &given, listener, true).map(drop)
    }

    /// As `produce`, but does not wait: False when there is no room, or no metadata, yet. `future` gets the result.
    #[pyo3(signature = (topic, future, value=None, key=None, partition=None, timestamp=None, headers=None))]
    #[allow(clippy::too_many_arguments, reason = "the fields of a record, as keywords in Python")]
    fn offer(
        &self,
        py: Python<'_>,
        topic: &Bound<'_, PyString>,
        future: Py<PyAny>,
        value: Option<&Bound<'_, PyAny>>,
        key: Option<&Bound<'_, PyAny>>,
        partition: Option<i32>,
        timestamp: Option<i64>,
        headers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let given = Given { partition, timestamp, key, value, headers };
        self.hand_in(py, topic, &given, Some(Listener::Future(future)), false)
    }

    /// Hands many records in, from columns; how many. Waits as `produce` does, for each of them.
    #[pyo3(signature = (topic, batch, partition=None))]
    fn send_batch(
        &self,
        py: Python<'_>,
        topic: &Bound<'_, PyString>,
        batch: &Bound<'_, PyAny>,
        partition: Option<i32>,
    ) -> PyResult<usize> {
        self.producer.check(py)?;
        let index = self.topic(topic)?;
        let mut count = 0;
        for rows in Rows::of(batch, partition, clock::now())? {
            self.append_rows(py, index, &rows)?;
            count += rows.length;
        }
        Ok(count)
    }

    /// Calls `on_delivery` for what is done; waits up to `timeout` seconds for one. How many were called.
    #[pyo3(signature = (timeout=Some(0.0)))]
    fn poll(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<usize> {
        self.producer.check(py)?;
        let completed = waiting::until(py, seconds(timeout)?, |slice| {
            Some(self.producer.wait_completed(slice)).filter(|completed| !completed.is_empty())
        })?;
        self.report(py, completed.unwrap_or_default())
    }

    /// Sends what waits to be sent, in this thread if nobody else is at it. Does not wait.
    fn transmit(&self, py: Python<'_>) -> PyResult<()> {
        self.producer.check(py)?;
        py.detach(|| self.producer.transmit());
        Ok(())
    }

    /// Sends everything and waits until it is done; False when `timeout` seconds were not enough.
    fn flush_all(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        self.producer.check(py)?;
        if self.producer.is_closed() {
            return Ok(true);
        }
        let timeout = seconds(timeout)?;
        let mark = self.producer.begin_flush();
        let waited = waiting::until(py, timeout, |slice| {
            (self.producer.flushed(mark, slice) == Waited::Done).then_some(())
        });
        self.producer.end_flush();
        let done = waited?.is_some();
        self.report(py, self.producer.take_completed())?;
        match self.producer.take_unreported() {
            Some(error) => Err(raised(py, &error)),
            None => Ok(done),
        }
    }

    /// Begins to send everything at once; the mark that [`NativeProducer::is_flushed`] is asked with.
    fn begin_flush(&self, py: Python<'_>) -> PyResult<u64> {
        self.producer.check(py)?;
        Ok(self.producer.begin_flush())
    }

    /// Whether everything before the mark is done.
    fn is_flushed(&self, py: Python<'_>, mark: u64) -> PyResult<bool> {
        self.producer.check(py)?;
        Ok(self.producer.is_closed() || self.producer.flushed(mark, 0) == Waited::Done)
    }

    /// Ends what `begin_flush` began. Raises the first failure that nobody asked about.
    fn end_flush(&self, py: Python<'_>) -> PyResult<()> {
        self.producer.check(py)?;
        self.producer.end_flush();
        self.producer.take_unreported().map_or(Ok(()), |error| Err(raised(py, &error)))
    }

    /// How many partitions a topic has; waits for it.
    fn partition_count(
        &self,
        py: Python<'_>,
        topic: &Bound<'_, PyString>,
        timeout: Option<f64>,
    ) -> PyResult<usize> {
        self.producer.check(py)?;
        let index = self.topic(topic)?;
        self.partitions(py, index, seconds(timeout)?)
    }

    /// Waits until the coordinator knows the producer; False when `timeout` seconds were not enough.
    fn transactions_ready(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        self.producer.check(py)?;
        self.until_done(py, timeout, |slice| self.producer.initialized(slice))
    }

    /// Begins a transaction; False when that could not be done within `timeout` seconds.
    fn transaction_begun(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        self.producer.check(py)?;
        self.until_done(py, timeout, |slice| self.producer.begin_transaction(slice))
    }

    /// Begins to commit or abort.
    fn end_transaction(&self, py: Python<'_>, commit: bool) -> PyResult<()> {
        self.producer.check(py)?;
        let end = if commit { End::Commit } else { End::Abort };
        self.producer.end_transaction(end).map_err(|error| raised(py, &error))
    }

    /// Waits for that; False when `timeout` seconds were not enough: it goes on.
    fn transaction_ended(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        self.producer.check(py)?;
        let done = self.until_done(py, timeout, |slice| self.producer.transaction_ended(slice));
        self.report(py, self.producer.take_completed())?;
        done
    }

    /// Makes offsets a part of the transaction.
    fn add_offsets(
        &self,
        py: Python<'_>,
        group: (String, i32, String, Option<String>),
        offsets: Vec<(String, i32, i64, i32, String)>,
    ) -> PyResult<()> {
        self.producer.check(py)?;
        let (group_id, generation, member_id, group_instance_id) = group;
        let group = GroupMetadata { group_id, generation, member_id, group_instance_id };
        let offsets = offsets.into_iter().map(|(topic, partition, offset, leader_epoch, metadata)| {
            CommittedOffset { topic, partition, offset, leader_epoch, metadata }
        });
        let sent = self.producer.send_offsets((group, offsets.collect()));
        sent.map_err(|error| raised(py, &error))
    }

    /// Waits until the coordinator has them; False when `timeout` seconds were not enough.
    fn offsets_added(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        self.producer.check(py)?;
        self.until_done(py, timeout, |slice| self.producer.offsets_sent(slice))
    }

    /// Whether an abort would end something.
    #[getter]
    fn in_transaction(&self, py: Python<'_>) -> PyResult<bool> {
        self.producer.check(py)?;
        Ok(self.producer.is_in_transaction())
    }

    /// `max.block.ms` in seconds.
    #[getter]
    fn max_block(&self) -> f64 {
        self.max_block_time().as_secs_f64()
    }

    /// What it has counted, by the names of Apache Kafka's clients.
    fn figures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.producer.check(py)?;
        shown(py, self.producer.figures())
    }

    /// Bytes of records that wait, with the room that is set aside for more.
    #[getter]
    fn buffered_bytes(&self, py: Python<'_>) -> PyResult<usize> {
        self.producer.check(py)?;
        Ok(self.producer.buffered_bytes())
    }

    /// Gives up what is not sent, tells those who wait, and ends the thread. Raises if nobody waited for it.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        if self.producer.is_gone() {
            return Ok(());
        }
        py.detach(|| self.producer.close());
        self.report(py, self.producer.take_completed())?;
        match self.producer.take_unreported() {
            None => Ok(()),
            Some(error) => Err(raised(py, &error)),
        }
    }
}
