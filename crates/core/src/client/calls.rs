//! `barnabas._core.NativeCalls`.

use std::sync::Arc;

use barnabas_client::caller::Caller;
use barnabas_client::calls::{Body, NewCall, Outcome, Target};
use barnabas_protocol::api::ApiKey;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use super::doorbell::{Doorbell, Watched};
use super::errors::{exception, raised};
use super::fork::Owned;
use super::options::Options;
use super::waiting::{self, seconds};
use crate::codec;

/// An answer as Python gets it: the message, who sent it, and its version.
type Answer = (Py<PyAny>, i32, i16);

/// The engine below `barnabas.Admin` and all who send requests now and then.
#[pyclass(frozen, extends = Watched, module = "barnabas._core")]
pub(crate) struct NativeCalls {
    caller: Owned<Caller>,
}

/// The request in all versions that it may be sent in: which one is known only when the broker is.
fn bodies(request: &Bound<'_, PyAny>, api: ApiKey, lowest: i16, highest: i16) -> PyResult<Body> {
    let kind = request.get_type();
    let ours = |name: &str| kind.getattr(name)?.extract::<i16>();
    let first = lowest.max(ours("LOWEST_VERSION")?).max(api.lowest());
    let last = highest.min(ours("HIGHEST_VERSION")?);
    let body = (first..=last).map(|version| {
        let mut bytes = Vec::new();
        let encoded = codec::encode_message(request, version, &mut bytes);
        (version, encoded.map(|_| Arc::new(bytes)).map_err(|error| error.value(request.py()).to_string()))
    });
    let body: Body = body.collect();
    match body.last() {
        Some((_, Ok(_))) => Ok(body),
        // The caller's mistake rather than an old broker: no version can say it.
        Some((_, Err(error))) if body.iter().all(|(_, encoded)| encoded.is_err()) => {
            Err(PyValueError::new_err(error.clone()))
        }
        Some(_) => Ok(body),
        None => Err(PyValueError::new_err(format!("no version of {} is allowed", api.name()))),
    }
}

fn target(kind: &str, node: i32) -> PyResult<Target> {
    match kind {
        "any" => Ok(Target::Any),
        "node" => Ok(Target::Node(node)),
        "controller" => Ok(Target::Controller),
        other => Err(PyValueError::new_err(format!("nobody to ask: {other}"))),
    }
}

fn answer(response: &Bound<'_, PyType>, outcome: Outcome) -> PyResult<Answer> {
    let answered = outcome.map_err(|error| raised(response.py(), &error))?;
    let message = codec::decode(response, answered.version, &answered.frame[answered.at..])?;
    Ok((message.unbind(), answered.node, answered.version))
}

#[pymethods]
impl NativeCalls {
    #[new]
    fn new(configs: &Bound<'_, PyDict>) -> PyResult<PyClassInitializer<NativeCalls>> {
        let config = Options(configs).caller()?;
        let doorbell = Doorbell::new()?;
        let caller = Caller::start(config, Some(doorbell.notify()));
        let caller = caller.map_err(|error| PyOSError::new_err(error.to_string()))?;
        Ok(Watched::base(doorbell).add_subclass(NativeCalls { caller: Owned::new(caller) }))
    }

    /// Begins a call; its number.
    #[pyo3(signature = (request, kind, node, timeout, lowest=0, highest=i16::MAX))]
    fn send(
        &self,
        request: &Bound<'_, PyAny>,
        kind: &str,
        node: i32,
        timeout: f64,
        lowest: i16,
        highest: i16,
    ) -> PyResult<u64> {
        let py = request.py();
        self.caller.check(py)?;
        let code = request.get_type().getattr("API_KEY")?.extract()?;
        let api = ApiKey::from_code(code);
        let api = api.ok_or_else(|| PyValueError::new_err(format!("API key {code} is not known")))?;
        let timeout_ms = seconds(Some(timeout))?.unwrap_or_default().as_millis() as i64;
        let body = bodies(request, api, lowest, highest)?;
        let call =
            NewCall { api, target: target(kind, node)?, body, deadline: self.caller.now() + timeout_ms };
        self.caller.call(call).map_err(|error| raised(py, &error))
    }

    /// Waits for the answer, read as `response`; raises why there is none.
    fn result(&self, py: Python<'_>, id: u64, response: &Bound<'_, PyType>) -> PyResult<Answer> {
        self.caller.check(py)?;
        match waiting::until(py, None, |slice| self.caller.outcome(id, slice)) {
            Ok(Some(outcome)) => answer(response, outcome),
            Ok(None) => Err(PyValueError::new_err(format!("call {id} has no outcome"))),
            Err(signal) => {
                self.caller.cancel(id);
                Err(signal)
            }
        }
    }

    /// Numbers of calls that are done, and their outcomes: the answer's bytes with node and version, or an error.
    fn take(&self, py: Python<'_>) -> PyResult<Vec<(u64, Py<PyAny>)>> {
        self.caller.check(py)?;
        let outcome = |outcome: Outcome| match outcome {
            Ok(answered) => {
                let body = pyo3::types::PyBytes::new(py, &answered.frame[answered.at..]);
                Ok((body, answered.node, answered.version).into_pyobject(py)?.into_any().unbind())
            }
            Err(error) => exception(py, &error).map(Bound::unbind),
        };
        self.caller.take_outcomes().into_iter().map(|(id, done)| Ok((id, outcome(done)?))).collect()
    }

    /// Nobody waits for the call any more.
    fn cancel(&self, id: u64) {
        if !self.caller.is_gone() {
            self.caller.cancel(id);
        }
    }

    /// Something was not where it was thought to be: asks for the metadata anew.
    fn refresh(&self, py: Python<'_>) -> PyResult<()> {
        self.caller.check(py)?;
        self.caller.refresh();
        Ok(())
    }

    /// Gives up all calls, and ends the thread.
    fn close(&self, py: Python<'_>) {
        if !self.caller.is_gone() {
            py.detach(|| self.caller.close());
        }
    }
}
