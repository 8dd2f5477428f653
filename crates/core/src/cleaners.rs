//! The threads that compact logs (`log.cleaner.*`).
//!
//! A cleaner decides and renames at the node's own priority, for it holds a log's lock meanwhile; it reads,
//! copies and syncs on a thread of the lowest priority, which holds none.

use std::collections::HashMap;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use barnabas_broker::Broker;
use barnabas_log::{CleanerHost, CleanerSettings, HashKey, LogCleaner};
use barnabas_protocol::Millis;
use parking_lot::{Condvar, Mutex};
use pyo3::exceptions::PyValueError;
use pyo3::PyResult;

use crate::clock::{self, NodeClock};
use crate::settings::number;

/// Waits shorter than this are put off until they have added up.
const PAUSE_MIN: Duration = Duration::from_millis(2);
/// Longest wait at a time, after which the cleaner looks whether it is to stop.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// `log.cleaner.*`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CleanerConfig {
    threads: usize,
    backoff: Duration,
    settings: CleanerSettings,
    bytes_per_second: f64,
}

impl CleanerConfig {
    /// From broker configs by Kafka's names: whole numbers, and those that are not.
    pub(crate) fn new(
        numbers: &HashMap<String, i64>,
        doubles: &HashMap<String, f64>,
        hash_key: HashKey,
    ) -> PyResult<CleanerConfig> {
        let double = |name: &str| {
            let found = doubles.get(name).copied();
            found.ok_or_else(|| PyValueError::new_err(format!("the settings lack {name}")))
        };
        let size = |name: &str| PyResult::Ok(number(numbers, name)?.max(0) as usize);
        let enabled = number(numbers, "log.cleaner.enable")? != 0;
        let threads = size("log.cleaner.threads")?.max(1);
        Ok(CleanerConfig {
            threads: if enabled { threads } else { 0 },
            backoff: Duration::from_millis(number(numbers, "log.cleaner.backoff.ms")?.max(1) as u64),
            settings: CleanerSettings {
                dedupe_buffer_bytes: size("log.cleaner.dedupe.buffer.size")? / threads,
                load_factor: double("log.cleaner.io.buffer.load.factor")?,
                io_buffer_bytes: size("log.cleaner.io.buffer.size")? / threads / 2,
                hash_key,
            },
            bytes_per_second: double("log.cleaner.io.max.bytes.per.second")?,
        })
    }
}

/// The cleaners of a node.
pub(crate) struct Cleaners {
    cleaner: Arc<LogCleaner>,
    broker: Arc<Broker>,
    clock: Arc<NodeClock>,
    hash_key: HashKey,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    config: Option<CleanerConfig>,
    team: Option<Arc<Team>>,
    threads: Vec<JoinHandle<()>>,
}

/// Threads of one configuration.
struct Team {
    clock: Arc<NodeClock>,
    config: CleanerConfig,
    stopping: AtomicBool,
    /// When the bytes that were read and written so far are paid for.
    paid: Mutex<Instant>,
    wake: Condvar,
}

impl Cleaners {
    pub(crate) fn new(broker: Arc<Broker>, clock: Arc<NodeClock>, hash_key: HashKey) -> Cleaners {
        let cleaner = Arc::new(LogCleaner::new(broker.logs().clone()));
        Cleaners { cleaner, broker, clock, hash_key, current: Mutex::default() }
    }

    /// What they work with.
    pub(crate) fn cleaner(&self) -> Arc<LogCleaner> {
        self.cleaner.clone()
    }

    /// Lets the threads run that the configs ask for, instead of those that run now. What these have begun is
    /// given up, and nobody waits for it.
    pub(crate) fn configure(
        &self,
        numbers: &HashMap<String, i64>,
        doubles: &HashMap<String, f64>,
    ) -> PyResult<()> {
        let config = CleanerConfig::new(numbers, doubles, self.hash_key)?;
        let mut current = self.current.lock();
        if current.config.as_ref() == Some(&config) {
            return Ok(());
        }
        if let Some(team) = current.team.take() {
            team.stop();
        }
        current.threads.retain(|thread| !thread.is_finished());
        let team = Arc::new(Team {
            clock: self.clock.clone(),
            config: config.clone(),
            stopping: AtomicBool::new(false),
            paid: Mutex::new(clock::instant()),
            wake: Condvar::new(),
        });
        for index in 0..config.threads {
            let (team, cleaner, broker) = (team.clone(), self.cleaner.clone(), self.broker.clone());
            let thread = std::thread::Builder::new().name(format!("log-cleaner-{index}"));
            current.threads.push(thread.spawn(move || team.run(&cleaner, &broker))?);
        }
        (current.config, current.team) = (Some(config), Some(team));
        Ok(())
    }

    /// Ends all threads and waits for them.
    pub(crate) fn stop(&self) {
        let mut current = self.current.lock();
        if let Some(team) = current.team.take() {
            team.stop();
        }
        for thread in current.threads.drain(..) {
            if thread.join().is_err() {
                log::error!("a cleaner has panicked");
            }
        }
    }
}

impl Team {
    fn run(&self, cleaner: &LogCleaner, broker: &Broker) {
        while !self.stopping.load(Ordering::Acquire) {
            let round = catch_unwind(AssertUnwindSafe(|| cleaner.run_once(&self.config.settings, self)));
            let cleaned = round.is_ok_and(|round| {
                broker.note_failures(round.failures);
                round.cleaned
            });
            if !cleaned {
                self.wait_until(clock::instant() + self.config.backoff);
            }
        }
    }

    /// Waits, unless the threads are to stop.
    fn wait_until(&self, end: Instant) {
        let mut paid = self.paid.lock();
        while !self.stopping.load(Ordering::Acquire) {
            let left = end.saturating_duration_since(clock::instant());
            if left.is_zero() {
                return;
            }
            self.wake.wait_for(&mut paid, left.min(PAUSE_MAX));
        }
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        // Whoever is about to wait has looked before or waits already.
        drop(self.paid.lock());
        self.wake.notify_all();
    }
}

impl CleanerHost for Team {
    fn now(&self) -> Millis {
        self.clock.wall()
    }

    fn pace(&self, bytes: u64) -> bool {
        let seconds = bytes as f64 / self.config.bytes_per_second;
        if seconds > 1e-12 {
            let now = clock::instant();
            let paid = {
                let mut paid = self.paid.lock();
                *paid = (*paid).max(now) + Duration::from_secs_f64(seconds.min(3600.0));
                *paid
            };
            if paid.saturating_duration_since(now) > PAUSE_MIN {
                self.wait_until(paid);
            }
        }
        !self.stopping.load(Ordering::Acquire)
    }

    fn in_background(&self, work: &mut (dyn FnMut() + Send)) {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("log-cleaner-copy".to_string());
            let started = thread.spawn_scoped(scope, || {
                step_behind_others();
                work();
            });
            if let Err(error) = started {
                log::warn!("compaction waits, for the operating system gives no thread: {error}");
            }
        });
    }
}

/// Gives this thread the lowest priority, for the processor and with it for the disk.
#[cfg(target_os = "linux")]
fn step_behind_others() {
    const LOWEST: i32 = 19;
    // SAFETY: takes numbers only; 0 means the calling thread, as Linux counts priorities by thread.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, LOWEST) } != 0 {
        log::debug!("the cleaner keeps its priority: {}", std::io::Error::last_os_error());
    }
}

/// Elsewhere a priority is that of the whole process.
#[cfg(not(target_os = "linux"))]
fn step_behind_others() {}
