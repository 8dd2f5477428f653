//! `barnabas._core.NativeProducer`.

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::Duration;

use barnabas_client::accumulator::{Completed, NewRecord, Refused, TopicIndex};
use barnabas_client::producer::{Producer, Waited};
use barnabas_protocol::record::Header;
use parking_lot::Mutex;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::arrow::rows::Rows;
use super::doorbell::Doorbell;
use super::errors::{exception, raised};
use super::fork::Process;
use super::options::Options;
use super::record::RecordMetadata;
use super::text::{data, headers, Data};
use super::{waiting, waiting::seconds};
use crate::clock;

/// Those who wait for results: callables, by the number that their record carries.
#[derive(Default)]
struct Reports {
    waiting: Vec<Option<Py<PyAny>>>,
    free: Vec<u32>,
}

impl Reports {
    fn add(&mut self, callback: Py<PyAny>) -> u64 {
        if let Some(index) = self.free.pop() {
            self.waiting[index as usize] = Some(callback);
            return u64::from(index);
        }
        self.waiting.push(Some(callback));
        self.waiting.len() as u64 - 1
    }

    fn take(&mut self, report: u64) -> Option<Py<PyAny>> {
        self.free.push(report as u32);
        self.waiting[report as usize].take()
    }
}

/// A topic's name as the user gave it last, and its number: the next record mostly has the same.
type LastTopic = Option<(Py<PyString>, TopicIndex)>;

/// The producer below `barnabas.Producer`.
#[pyclass(frozen, subclass, module = "barnabas._core")]
pub(crate) struct NativeProducer {
    producer: ManuallyDrop<Producer>,
    process: Process,
    last: Mutex<LastTopic>,
    reports: Mutex<Reports>,
    doorbell: Arc<Doorbell>,
}

impl Drop for NativeProducer {
    fn drop(&mut self) {
        if !self.process.is_gone() {
            // SAFETY: dropped here only, and nobody uses it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.producer) };
        }
    }
}

impl NativeProducer {
    fn topic(&self, topic: &Bound<'_, PyString>) -> PyResult<TopicIndex> {
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
        let limit = Duration::from_millis(self.producer.max_block_ms().max(0) as u64);
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
        let limit = Duration::from_millis(self.producer.max_block_ms().max(0) as u64);
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
            for (index, report) in &completed.reports {
                let Some(callback) = self.reports.lock().take(*report) else { continue };
                count += 1;
                let called = match (&error, &completed.result) {
                    (None, Ok(base)) => {
                        let offset = if *base < 0 { -1 } else { base + i64::from(*index) };
                        let metadata = RecordMetadata {
                            topic: completed.topic.to_string(),
                            partition: completed.partition,
                            offset,
                            timestamp: completed.log_append_time,
                        };
                        callback.call1(py, (py.None(), metadata))
                    }
                    (error, _) => callback.call1(py, (error, py.None())),
                };
                // The others are told all the same; the first exception is the caller's.
                failed = failed.and(called.map(drop));
            }
        }
        failed.map(|()| count)
    }
}

#[pymethods]
impl NativeProducer {
    #[new]
    fn new(configs: &Bound<'_, PyDict>, seed: u64) -> PyResult<NativeProducer> {
        let config = Options(configs).producer(seed)?;
        let doorbell = Doorbell::new()?;
        let producer = Producer::start(config, Some(doorbell.notify()));
        let producer = producer.map_err(|error| PyOSError::new_err(error.to_string()))?;
        Ok(NativeProducer {
            producer: ManuallyDrop::new(producer),
            process: Process::current(),
            last: Mutex::new(None),
            reports: Mutex::new(Reports::default()),
            doorbell,
        })
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
        self.process.check(py)?;
        let index = self.topic(topic)?;
        let value = value.map(|value| data(value, "value")).transpose()?;
        let key = key.map(|key| data(key, "key")).transpose()?;
        let owned = headers.map(self::headers).transpose()?.unwrap_or_default();
        let headers: Vec<Header<'_>> = owned
            .iter()
            .map(|(name, value)| Header { key: name.as_bytes(), value: value.as_deref() })
            .collect();
        let report = on_delivery.map(|callback| self.reports.lock().add(callback));
        let record = NewRecord {
            partition,
            timestamp: timestamp.unwrap_or_else(clock::now),
            key: key.as_ref().map(Data::bytes),
            value: value.as_ref().map(Data::bytes),
            headers: &headers,
            report,
        };
        let appended = match self.producer.append(index, &record) {
            Ok(()) => return Ok(()),
            Err(refused) => self.append_later(py, index, &record, refused),
        };
        if let (Err(_), Some(report)) = (&appended, report) {
            self.reports.lock().take(report);
        }
        appended
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
        self.process.check(py)?;
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
        self.process.check(py)?;
        let completed = waiting::until(py, seconds(timeout)?, |slice| {
            Some(self.producer.wait_completed(slice)).filter(|completed| !completed.is_empty())
        })?;
        self.report(py, completed.unwrap_or_default())
    }

    /// Sends everything and waits until it is done; False when `timeout` seconds were not enough.
    fn flush_all(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        self.process.check(py)?;
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

    /// How many partitions a topic has; waits for it.
    fn partition_count(
        &self,
        py: Python<'_>,
        topic: &Bound<'_, PyString>,
        timeout: Option<f64>,
    ) -> PyResult<usize> {
        self.process.check(py)?;
        let index = self.topic(topic)?;
        let found = waiting::until(py, seconds(timeout)?, |slice| {
            let count = self.producer.partition_count(index);
            if count == 0 {
                self.producer.wait(slice);
            }
            Some(count).filter(|&count| count > 0)
        })?;
        found.ok_or_else(|| raised(py, &self.producer.timed_out(index, &Refused::NoMetadata)))
    }

    /// Bytes of records that wait, with the room that is set aside for more.
    #[getter]
    fn buffered_bytes(&self, py: Python<'_>) -> PyResult<usize> {
        self.process.check(py)?;
        Ok(self.producer.buffered_bytes())
    }

    /// A descriptor that is readable when [`NativeProducer::poll`] has something to tell.
    fn fileno(&self) -> i32 {
        self.doorbell.listen()
    }

    /// Silences the descriptor.
    fn clear(&self) {
        self.doorbell.clear();
    }

    /// Gives up what is not sent, tells those who wait, and ends the thread. Raises if nobody waited for it.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        if self.process.is_gone() {
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
