//! What the users of `calls` hold: the thread that asks, and the outcomes that wait to be taken.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use barnabas_protocol::{Millis, NodeId};
use parking_lot::{Condvar, Mutex};

use crate::calls::{Calls, CallsConfig, NewCall, Outcome, Purpose};
use crate::cluster::{Cluster, ClusterConfig};
use crate::driver::{Clock, Driver, Machine, Wake};
use crate::error::ClientError;
use crate::link::{LinkConfig, Links};
use crate::producer::Notify;

/// Calls whose outcome nobody has taken; more are refused.
pub const CALLS_MAX: usize = 10_000;

/// All configs of a caller.
#[derive(Debug, Clone)]
pub struct CallerConfig {
    /// Of the calls.
    pub calls: CallsConfig,
    /// Of the metadata.
    pub cluster: ClusterConfig,
    /// Of the connections.
    pub link: LinkConfig,
}

#[derive(Default)]
struct Desk {
    /// Calls that the thread has not seen yet.
    new: Vec<(u64, NewCall)>,
    cancelled: Vec<u64>,
    refresh: bool,
    /// None: not done yet.
    outcomes: HashMap<u64, Option<Outcome>>,
    next_id: u64,
    closed: bool,
}

struct Shared {
    desk: Mutex<Desk>,
    progress: Condvar,
    notify: Option<Notify>,
}

/// Asks brokers, for any number of threads.
pub struct Caller {
    shared: Arc<Shared>,
    wake: Wake,
    clock: Clock,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Caller {
    /// Begins, without a connection. `notify` is called on the caller's thread when outcomes wait.
    pub fn start(config: CallerConfig, notify: Option<Notify>) -> io::Result<Caller> {
        let clock = Clock::start();
        let (driver, wake) = Driver::new(clock)?;
        let shared = Arc::new(Shared { desk: Mutex::default(), progress: Condvar::new(), notify });
        let calls =
            Calls::new(config.calls, Cluster::new(config.cluster), Links::new(config.link), clock.now());
        let mut machine = Running { shared: shared.clone(), calls };
        let run = move || driver.run(&mut machine);
        let thread = std::thread::Builder::new().name("barnabas-calls".to_string()).spawn(run)?;
        Ok(Caller { shared, wake, clock, thread: Mutex::new(Some(thread)) })
    }

    /// Time by the clock of [`NewCall::deadline`].
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Begins a call; its number.
    pub fn call(&self, call: NewCall) -> Result<u64, ClientError> {
        let mut desk = self.shared.desk.lock();
        if desk.closed {
            return Err(ClientError::Closed);
        }
        if desk.outcomes.len() >= CALLS_MAX {
            return Err(ClientError::Io(format!("{CALLS_MAX} calls have no outcome yet")));
        }
        desk.next_id += 1;
        let id = desk.next_id;
        desk.new.push((id, call));
        desk.outcomes.insert(id, None);
        drop(desk);
        self.wake.wake();
        Ok(id)
    }

    /// Takes the outcome; waits up to `slice_ms` for it. None while there is none.
    pub fn outcome(&self, id: u64, slice_ms: u64) -> Option<Outcome> {
        let mut desk = self.shared.desk.lock();
        if slice_ms > 0 && matches!(desk.outcomes.get(&id), Some(None)) {
            self.shared.progress.wait_for(&mut desk, Duration::from_millis(slice_ms));
        }
        match desk.outcomes.get(&id) {
            Some(None) => None,
            Some(Some(_)) => desk.outcomes.remove(&id).flatten(),
            None => Some(Err(ClientError::Closed)),
        }
    }

    /// Takes all outcomes that are there, for one who waits for many calls at once.
    pub fn take_outcomes(&self) -> Vec<(u64, Outcome)> {
        let mut desk = self.shared.desk.lock();
        let done = desk.outcomes.iter().filter(|(_, outcome)| outcome.is_some()).map(|(&id, _)| id);
        let done: Vec<u64> = done.collect();
        done.into_iter().filter_map(|id| Some((id, desk.outcomes.remove(&id)??))).collect()
    }

    /// Nobody waits for the call any more.
    pub fn cancel(&self, id: u64) {
        let mut desk = self.shared.desk.lock();
        desk.outcomes.remove(&id);
        desk.cancelled.push(id);
        drop(desk);
        self.wake.wake();
    }

    /// Something was not where the metadata says: asks for it anew.
    pub fn refresh(&self) {
        self.shared.desk.lock().refresh = true;
        self.wake.wake();
    }

    /// Gives up all calls, and ends the thread.
    pub fn close(&self) {
        self.shared.desk.lock().closed = true;
        self.wake.wake();
        if let Some(thread) = self.thread.lock().take() {
            if thread.join().is_err() {
                log::error!("the thread of a client has failed");
            }
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.close();
    }
}

/// The machine with what it shares.
struct Running {
    shared: Arc<Shared>,
    calls: Calls,
}

impl Running {
    /// Takes what the users have left; false when it is time to end.
    fn collect(&mut self, now: Millis) -> bool {
        let mut desk = self.shared.desk.lock();
        if desk.closed {
            let unfinished = desk.outcomes.values_mut().filter(|outcome| outcome.is_none());
            unfinished.for_each(|outcome| *outcome = Some(Err(ClientError::Closed)));
            return false;
        }
        if std::mem::take(&mut desk.refresh) {
            self.calls.refresh(now);
        }
        for (id, call) in std::mem::take(&mut desk.new) {
            self.calls.add(id, call);
        }
        for id in std::mem::take(&mut desk.cancelled) {
            self.calls.cancel(id);
        }
        true
    }

    /// Whether there are outcomes that nobody knew of.
    fn hand_out(&mut self) -> bool {
        let done = self.calls.take_done();
        if done.is_empty() {
            return false;
        }
        let mut desk = self.shared.desk.lock();
        for (id, outcome) in done {
            // Who has cancelled the call has taken the slot away.
            if let Some(slot) = desk.outcomes.get_mut(&id) {
                *slot = Some(outcome);
            }
        }
        true
    }
}

impl Machine for Running {
    type Purpose = Purpose;

    fn links(&mut self) -> &mut Links<Purpose> {
        self.calls.links()
    }

    fn received(&mut self, node: NodeId, bytes: &[u8], now: Millis) {
        self.calls.received(node, bytes, now);
    }

    fn turn(&mut self, now: Millis) -> Option<Millis> {
        let goes_on = self.collect(now);
        if goes_on {
            self.calls.step(now);
        }
        if !goes_on || self.hand_out() {
            self.shared.progress.notify_all();
            if let Some(notify) = &self.shared.notify {
                notify();
            }
        }
        goes_on.then(|| self.calls.deadline(now).unwrap_or(Millis::MAX))
    }
}
