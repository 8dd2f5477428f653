//! How long syncs of logs take, by a stopwatch from outside.

use std::sync::OnceLock;

use barnabas_metrics::{Distribution, Histogram};
use parking_lot::Mutex;

use crate::error::LogError;
use crate::flush::Flush;
use crate::log_manager::LogManager;

/// Microseconds that never go back.
pub type Stopwatch = fn() -> u64;

#[derive(Debug, Default)]
pub(crate) struct FlushTimes {
    stopwatch: OnceLock<Stopwatch>,
    taken: Mutex<Histogram>,
}

impl LogManager {
    /// Measures syncs from now on; before, they are not counted.
    pub fn measure_flushes(&self, stopwatch: Stopwatch) {
        self.flush_times.stopwatch.get_or_init(|| stopwatch);
    }

    /// Microseconds that syncs of logs have taken.
    pub fn flush_times(&self) -> Distribution {
        self.flush_times.taken.lock().distribution()
    }

    /// Syncs what the flush names, and notes how long that takes.
    pub fn run_flush(&self, flush: &Flush) -> Result<(), LogError> {
        let Some(stopwatch) = self.flush_times.stopwatch.get() else { return flush.run() };
        let began = stopwatch();
        flush.run()?;
        self.flush_times.taken.lock().record(stopwatch().saturating_sub(began));
        Ok(())
    }
}
