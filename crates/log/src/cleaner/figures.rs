//! What is to be seen of compaction from outside.

use std::path::PathBuf;

use barnabas_protocol::Millis;

use super::{choose::Cleanable, LogCleaner, PassReport};
use crate::log::Log;

/// How compaction goes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CleanerFigures {
    /// When a log to compact was looked for last.
    pub looked_at: Option<Millis>,
    /// The largest share of uncompacted bytes among the logs that were due then, 0 to 1.
    pub dirty_ratio_max: f64,
    /// How long the last pass took.
    pub pass_ms: Millis,
    /// Share of the bytes that the last pass went through that it has kept.
    pub kept_ratio: f64,
    /// Share of the memory for keys that the last pass has filled.
    pub memory_ratio: f64,
}

/// Logs of one directory that can't be compacted because they are damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncleanable {
    /// The directory.
    pub directory: PathBuf,
    /// How many they are.
    pub logs: usize,
    /// Their bytes that no pass has gone through.
    pub bytes: u64,
}

impl CleanerFigures {
    pub(super) fn look(&mut self, now: Millis, dirtiest: Option<&Cleanable>) {
        (self.looked_at, self.dirty_ratio_max) = (Some(now), dirtiest.map_or(0.0, Cleanable::dirty_ratio));
    }

    pub(super) fn pass(&mut self, taken_ms: Millis, report: &PassReport) {
        let PassReport { bytes_before, bytes_after, memory_ratio, .. } = *report;
        self.pass_ms = taken_ms;
        self.kept_ratio = bytes_after as f64 / bytes_before.max(1) as f64;
        self.memory_ratio = memory_ratio;
    }
}

impl LogCleaner {
    /// How compaction goes.
    pub fn figures(&self) -> CleanerFigures {
        self.state.lock().figures
    }

    /// What can't be compacted, for each directory that is online.
    pub fn uncleanable_by_directory(&self) -> Vec<Uncleanable> {
        let damaged: Vec<_> =
            self.state.lock().uncleanable.values().filter_map(|log| log.upgrade()).collect();
        let online = self.logs.directories().into_iter().filter(|directory| directory.offline.is_none());
        let told = online.map(|directory| {
            let there = damaged.iter().filter(|log| log.read().dir().parent() == Some(&directory.path));
            let bytes = there.clone().map(|log| log.read().dirty_bytes());
            Uncleanable { logs: there.clone().count(), bytes: bytes.sum(), directory: directory.path.clone() }
        });
        told.collect()
    }
}

impl Log {
    fn dirty_bytes(&self) -> u64 {
        let dirty = self.segment_index(self.first_dirty_offset()).unwrap_or(0);
        self.segments[dirty..self.segments.len() - 1].iter().map(|segment| segment.size).sum()
    }
}
