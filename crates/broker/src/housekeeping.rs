//! What comes back from time to time: checkpoints, retention, syncs, expiry, replicas that lag or move.

use barnabas_log::DirectoryFailure;
use barnabas_protocol::Millis;

use crate::broker::{Broker, Hosted};
use crate::partition::{Partition, Role};
use crate::settings::BrokerSettings;

/// How often syncs that are due, removals of deleted logs and moves between directories are looked after.
const TICK_MS: Millis = 1_000;

/// How often directories that have failed are tried again.
const MEND_MS: Millis = 5_000;

/// When each duty is due next.
#[derive(Debug)]
pub(crate) struct Timers {
    tick: Millis,
    high_watermarks: Millis,
    offsets: Millis,
    retention: Millis,
    producers: Millis,
    isr: Millis,
    mend: Millis,
}

impl Timers {
    pub(crate) fn new(settings: &BrokerSettings, now: Millis) -> Timers {
        Timers {
            tick: now,
            high_watermarks: now.saturating_add(settings.high_watermark_checkpoint_interval_ms),
            offsets: now.saturating_add(settings.checkpoint_interval_ms),
            retention: now.saturating_add(settings.retention_check_interval_ms),
            producers: now.saturating_add(settings.producer_expiration_check_interval_ms),
            isr: now.saturating_add(settings.replica_lag_time_max_ms / 2),
            mend: now.saturating_add(MEND_MS),
        }
    }

    /// Everything is due at `now`.
    fn all_due(now: Millis) -> Timers {
        Timers {
            tick: now,
            high_watermarks: now,
            offsets: now,
            retention: now,
            producers: now,
            isr: now,
            mend: now,
        }
    }

    fn next(&self) -> Millis {
        let all = [
            self.tick,
            self.high_watermarks,
            self.offsets,
            self.retention,
            self.producers,
            self.isr,
            self.mend,
        ];
        all.into_iter().min().unwrap_or(self.tick)
    }
}

/// Whether `timer` is due; sets it for the next time.
fn due(timer: &mut Millis, interval: Millis, now: Millis) -> bool {
    let due = now >= *timer;
    if due {
        *timer = now.saturating_add(interval.max(1));
    }
    due
}

impl Broker {
    /// Does what is due and returns when to call again. Blocks for the disk: for a thread of its own.
    pub fn tick(&self, now: Millis) -> Millis {
        let settings = self.settings();
        let mut timers = self.timers.lock();
        let mut failures = Vec::new();
        if due(&mut timers.tick, TICK_MS, now) {
            failures.extend(self.logs.flush_due(now));
            failures.extend(self.logs.remove_due(now));
            if self.move_replicas(now) {
                timers.tick = now;
            }
        }
        if due(&mut timers.high_watermarks, settings.high_watermark_checkpoint_interval_ms, now) {
            failures.extend(self.logs.checkpoint_moved_high_watermarks());
        }
        if due(&mut timers.offsets, settings.checkpoint_interval_ms, now) {
            failures.extend(self.logs.checkpoint_offsets());
        }
        if due(&mut timers.retention, settings.retention_check_interval_ms, now) {
            failures.extend(self.logs.delete_old_segments(now));
        }
        if due(&mut timers.producers, settings.producer_expiration_check_interval_ms, now) {
            self.logs.remove_expired_producers(now);
        }
        if due(&mut timers.isr, settings.replica_lag_time_max_ms / 2, now) {
            self.shrink_isrs(now);
        }
        self.note_failures(failures);
        if due(&mut timers.mend, MEND_MS, now) {
            self.mend_directories(now);
        }
        timers.next()
    }

    /// Does everything as if it were due, for the clock was moved on. Blocks for the disk.
    pub fn tick_all(&self, now: Millis) {
        *self.timers.lock() = Timers::all_due(now);
        self.tick(now);
    }

    /// Closes all logs so that the next start needs no recovery. `broker_epoch` is that of the registration, -1
    /// when there was none. Requests are answered with errors from now on.
    pub fn shutdown(&self, broker_epoch: i64, now: Millis) {
        let _one_at_a_time = self.applying.lock();
        self.each_partition(|partition| partition.take_offline(crate::error_code::NOT_LEADER_OR_FOLLOWER));
        let failures = self.logs.shut_down(broker_epoch, now);
        self.note_failures(failures);
    }

    fn shrink_isrs(&self, now: Millis) {
        let lag_max_ms = self.settings().replica_lag_time_max_ms;
        self.each_partition(|partition| {
            let mut role = partition.role.write();
            let Role::Leader(leader) = &mut *role else { return };
            let leader_end = partition.log.load().read().log_end_offset();
            if let Some(proposal) = leader.propose_to_drop(leader_end, lag_max_ms, now) {
                self.propose_isr(partition, proposal);
            }
        });
    }

    pub(crate) fn each_partition(&self, act: impl Fn(&Partition)) {
        for slot in self.hosted.load().values().flat_map(|slots| slots.iter().flatten()) {
            if let Hosted::Online(partition) = slot {
                act(partition);
            }
        }
    }

    /// Takes the directories offline that have failed under whoever works on the logs.
    pub fn note_failures(&self, failures: Vec<DirectoryFailure>) {
        for failure in failures {
            self.fail_directory(failure.directory, &failure.error);
        }
    }
}
