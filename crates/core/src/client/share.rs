//! `barnabas._core.NativeShareConsumer`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use barnabas_client::fetch_session::Partition;
use barnabas_client::share::acknowledgements::AcknowledgeType;
use barnabas_client::share::desk::{Asking, Ready};
use barnabas_client::share_consumer::ShareConsumer;
use barnabas_client::ClientError;
use barnabas_protocol::record::RecordIter;
use barnabas_protocol::Offset;
use parking_lot::Mutex;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::doorbell::{Doorbell, Watched};
use super::errors::{exception, raised};
use super::fork::Owned;
use super::membership::partition;
use super::options::Options;
use super::record::Record;
use super::waiting::{self, seconds};

/// Topic, partition, offsets, and why they were not acknowledged.
type Acknowledged<'py> = (String, i32, Vec<Offset>, Option<Bound<'py, PyAny>>);

/// The share consumer below `barnabas.ShareConsumer`.
#[pyclass(frozen, extends = Watched, module = "barnabas._core")]
pub(crate) struct NativeShareConsumer {
    consumer: Owned<ShareConsumer>,
    /// Names of topics as Python has them; held by who polls.
    names: Mutex<HashMap<Arc<str>, Py<PyString>>>,
}

fn word(name: &str) -> PyResult<AcknowledgeType> {
    match name {
        "accept" => Ok(AcknowledgeType::Accept),
        "release" => Ok(AcknowledgeType::Release),
        "reject" => Ok(AcknowledgeType::Reject),
        "renew" => Ok(AcknowledgeType::Renew),
        other => Err(PyValueError::new_err(format!("accept, release, reject or renew, not {other}"))),
    }
}

/// Makes records of those of a batch that the member has.
fn give(py: Python<'_>, ready: &Ready, name: &Py<PyString>, records: &mut Vec<Py<Record>>) -> PyResult<()> {
    let batch = &ready.acquired.batch;
    let base = batch.bytes();
    let mut wanted = ready.acquired.offsets.iter().peekable();
    for fields in RecordIter::new(&batch.header, base) {
        let Some(&&(offset, count)) = wanted.peek() else { break };
        let (topic, index) = &ready.partition;
        let corrupt = |error| raised(py, &ClientError::Corrupt(format!("{topic}-{index}: {error}")));
        let fields = fields.map_err(corrupt)?;
        if fields.offset == offset {
            wanted.next();
            let record = Record::new(batch, base, &fields, name.clone_ref(py), *index);
            records.push(Py::new(py, record.delivered(count))?);
        }
    }
    Ok(())
}

#[pymethods]
impl NativeShareConsumer {
    #[new]
    fn new(configs: &Bound<'_, PyDict>) -> PyResult<PyClassInitializer<NativeShareConsumer>> {
        let config = Options(configs).share_consumer()?;
        let doorbell = Doorbell::new()?;
        let consumer = ShareConsumer::start(config, Some(doorbell.notify()));
        let consumer = consumer.map_err(|error| PyOSError::new_err(error.to_string()))?;
        let names = Mutex::default();
        Ok(Watched::base(doorbell)
            .add_subclass(NativeShareConsumer { consumer: Owned::new(consumer), names }))
    }

    /// Wants these topics from now on.
    fn subscribe(&self, py: Python<'_>, topics: Vec<String>) -> PyResult<()> {
        self.consumer.check(py)?;
        self.consumer.subscribe(topics.iter().map(|topic| Arc::from(&**topic)).collect());
        Ok(())
    }

    /// What it is subscribed to.
    fn subscription(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.consumer.check(py)?;
        let topics = self.consumer.subscription().unwrap_or_default();
        Ok(topics.iter().map(ToString::to_string).collect())
    }

    /// Up to `max_records` records; waits up to `timeout` seconds for the first.
    fn poll<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
        max_records: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        self.consumer.check(py)?;
        let timeout = seconds(timeout)?;
        let busy = || PyRuntimeError::new_err("another thread is in poll() of this consumer");
        let mut names = self.names.try_lock().ok_or_else(busy)?;
        if let Asking::Unsaid(count) = self.consumer.ask() {
            return Err(PyRuntimeError::new_err(format!(
                "{count} records are not acknowledged: with share.acknowledgement.mode=explicit each has to be, \
                 before more are asked for"
            )));
        }
        let taken = waiting::until(py, timeout, |slice| {
            let taken = self.consumer.take(max_records, slice);
            taken.or_else(|| self.consumer.take_refusal().map(Err))
        })?;
        let taken = taken.unwrap_or_else(|| Ok(Vec::new())).map_err(|error| raised(py, &error))?;
        let mut records = Vec::new();
        for ready in &taken {
            let topic = &ready.partition.0;
            let name = names.entry(topic.clone()).or_insert_with(|| PyString::new(py, topic).unbind());
            give(py, ready, name, &mut records)?;
        }
        PyList::new(py, records)
    }

    /// Notes what became of a record; False when the caller does not have it.
    fn acknowledge(
        &self,
        py: Python<'_>,
        topic: &str,
        index: i32,
        offset: i64,
        name: &str,
    ) -> PyResult<bool> {
        self.consumer.check(py)?;
        Ok(self.consumer.acknowledge(&partition(topic, index), offset, word(name)?))
    }

    /// Hands over what was said. Where nothing need be said, everything is accepted that was given out, but the
    /// records that the caller has not `seen`.
    fn commit(&self, py: Python<'_>, unseen: Vec<(String, i32, Offset)>) -> PyResult<()> {
        self.consumer.check(py)?;
        let mut offsets: BTreeMap<Partition, BTreeSet<Offset>> = BTreeMap::new();
        for (topic, index, offset) in &unseen {
            offsets.entry(partition(topic, *index)).or_default().insert(*offset);
        }
        self.consumer.commit(&offsets);
        Ok(())
    }

    /// Waits until brokers have answered to all that was handed over; False when `timeout` seconds were not enough.
    fn is_settled(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        self.consumer.check(py)?;
        let look = |slice| self.consumer.is_settled(slice).then_some(());
        Ok(waiting::until(py, seconds(timeout)?, look)?.is_some())
    }

    /// What became of acknowledgements since the last call.
    fn take_results<'py>(&self, py: Python<'py>) -> PyResult<Vec<Acknowledged<'py>>> {
        self.consumer.check(py)?;
        let results = self.consumer.take_results().into_iter();
        results
            .map(|result| {
                let (topic, index) = result.partition;
                let error = result.error.map(|error| exception(py, &error)).transpose()?;
                Ok((topic.to_string(), index, result.offsets, error))
            })
            .collect()
    }

    /// How long records are the caller's, in milliseconds; None before the first came.
    #[getter]
    fn lock_timeout_ms(&self) -> Option<i32> {
        self.consumer.lock_timeout_ms()
    }

    /// Begins to give everything back and to leave the group.
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        self.consumer.check(py)?;
        self.consumer.leave();
        Ok(())
    }

    /// Whether it has left; waits up to `timeout` seconds.
    fn has_left(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        self.consumer.check(py)?;
        let look = |slice| self.consumer.has_left(slice).then_some(());
        Ok(waiting::until(py, seconds(timeout)?, look)?.is_some())
    }

    /// Ends the thread.
    fn close(&self, py: Python<'_>) {
        if !self.consumer.is_gone() {
            py.detach(|| self.consumer.close());
        }
    }
}
