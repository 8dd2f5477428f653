//! What has happened in any of a node's logs since somebody looked after them, so that nobody has to look at very
//! many logs to find that there is nothing to do.
//!
//! Always true: a mark may be there without need; it is never missing where there is something to do.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::LogConfig;

/// Marks that logs make, and housekeeping takes.
#[derive(Debug, Default)]
pub struct LogChanges {
    /// A segment was completed that a flush may be due for.
    completed: AtomicBool,
    /// A log has flushes by `flush.ms` or `flush.messages`. Stays.
    timed_flushes: AtomicBool,
    /// A high watermark has moved, or a log has come or gone.
    high_watermarks: AtomicBool,
}

impl LogChanges {
    pub(crate) fn note_completed(&self) {
        mark(&self.completed);
    }

    pub(crate) fn note_high_watermark(&self) {
        mark(&self.high_watermarks);
    }

    /// A log uses this configuration from now on.
    pub(crate) fn note_config(&self, config: &LogConfig) {
        if config.flush_ms < i64::MAX || config.flush_messages < i64::MAX {
            mark(&self.timed_flushes);
        }
    }

    /// Logs were opened, created or removed: all may be due.
    pub(crate) fn note_all(&self) {
        self.note_completed();
        self.note_high_watermark();
    }

    /// Whether a flush may be due somewhere.
    pub(crate) fn take_flushes(&self) -> bool {
        let completed = take(&self.completed);
        completed || self.timed_flushes.load(Ordering::Relaxed)
    }

    /// Whether a high watermark may differ from what is written down.
    pub(crate) fn take_high_watermarks(&self) -> bool {
        take(&self.high_watermarks)
    }
}

/// Writes only what is new, for the mark is shared by all who append.
fn mark(mark: &AtomicBool) {
    if !mark.load(Ordering::Relaxed) {
        mark.store(true, Ordering::Release);
    }
}

/// Who takes a mark looks at the logs afterwards, each under its lock.
fn take(mark: &AtomicBool) -> bool {
    mark.load(Ordering::Relaxed) && mark.swap(false, Ordering::Acquire)
}
