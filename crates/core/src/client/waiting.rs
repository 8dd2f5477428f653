//! Waits of Python's threads: without the interpreter, and in slices, so that Ctrl-C works at once.

use std::time::Duration;

use pyo3::prelude::*;

use crate::clock;

/// How long a signal may have to wait.
const SLICE_MS: u64 = 50;

/// Calls `look` with milliseconds that it may wait, until it gives something or the time is over; None then. No
/// time-out waits for ever.
pub(crate) fn until<T, F>(py: Python<'_>, timeout: Option<Duration>, mut look: F) -> PyResult<Option<T>>
where
    T: Send,
    F: FnMut(u64) -> Option<T> + Send,
{
    let start = clock::instant();
    loop {
        let left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
        let slice = left.map_or(SLICE_MS, |left| (left.as_millis() as u64).min(SLICE_MS));
        // Less than a millisecond is left: one last look, which does not wait.
        let is_last = left.is_some_and(|left| left < Duration::from_millis(1));
        if let Some(found) = py.detach(|| look(if is_last { 0 } else { slice })) {
            return Ok(Some(found));
        }
        py.check_signals()?;
        if is_last {
            return Ok(None);
        }
    }
}

/// Seconds of Python as a duration; None for ever.
pub(crate) fn seconds(timeout: Option<f64>) -> PyResult<Option<Duration>> {
    timeout
        .map(|seconds| {
            Duration::try_from_secs_f64(seconds.max(0.0))
                .map_err(|error| pyo3::exceptions::PyValueError::new_err(format!("timeout: {error}")))
        })
        .transpose()
}
