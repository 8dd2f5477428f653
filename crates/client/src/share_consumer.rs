//! A share consumer: what the user's threads hold, and the thread that takes records for it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use barnabas_protocol::{Millis, NodeId, Offset};
use parking_lot::{Condvar, Mutex};

use crate::cluster::{Cluster, ClusterConfig};
use crate::driver::{Clock, Driver, Machine, Wake};
use crate::error::ClientError;
use crate::fetch_session::Partition;
use crate::link::{LinkConfig, Links};
use crate::producer::Notify;
use crate::share::acknowledgements::AcknowledgeType;
use crate::share::config::ShareConfig;
use crate::share::desk::{Acknowledged, Asking, Desk, Ready};
use crate::share::{Purpose, ShareEngine};

/// All configs of a share consumer.
#[derive(Debug, Clone)]
pub struct ShareConsumerConfig {
    /// Of the engine.
    pub share: ShareConfig,
    /// Of the metadata.
    pub cluster: ClusterConfig,
    /// Of the connections.
    pub link: LinkConfig,
}

struct Shared {
    desk: Mutex<Desk>,
    /// Something came.
    progress: Condvar,
    notify: Option<Notify>,
}

/// Takes records as a member of a share group.
pub struct ShareConsumer {
    shared: Arc<Shared>,
    wake: Wake,
    clock: Clock,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl ShareConsumer {
    /// Begins, with nothing to read yet. `notify` is called on the consumer's thread when something came.
    pub fn start(config: ShareConsumerConfig, notify: Option<Notify>) -> io::Result<ShareConsumer> {
        let clock = Clock::start();
        let (driver, wake) = Driver::new(clock)?;
        let desk = Desk::new(config.share.is_explicit);
        let shared = Arc::new(Shared { desk: Mutex::new(desk), progress: Condvar::new(), notify });
        let (cluster, links) = (Cluster::new(config.cluster), Links::new(config.link));
        let engine = ShareEngine::new(config.share, cluster, links, clock.now());
        let mut machine = Running { shared: shared.clone(), engine };
        let run = move || driver.run(&mut machine);
        let thread = std::thread::Builder::new().name("barnabas-share".to_string()).spawn(run)?;
        Ok(ShareConsumer { shared, wake, clock, thread: Mutex::new(Some(thread)) })
    }

    /// Wants these topics from now on.
    pub fn subscribe(&self, topics: BTreeSet<Arc<str>>) {
        self.shared.desk.lock().subscribe(topics, self.clock.now());
        self.wake.wake();
    }

    /// What it is subscribed to.
    pub fn subscription(&self) -> Option<BTreeSet<Arc<str>>> {
        self.shared.desk.lock().wanted.clone()
    }

    /// Asks for records: what became of those before is handed over, where the user need not say it.
    pub fn ask(&self) -> Asking {
        let asking = self.shared.desk.lock().ask(self.clock.now());
        self.wake.wake();
        asking
    }

    /// Up to `max` records that are there; waits up to `slice_ms` for some. None while there are none.
    pub fn take(&self, max: usize, slice_ms: u64) -> Option<Result<Vec<Ready>, ClientError>> {
        let mut desk = self.shared.desk.lock();
        if !desk.has_something() && slice_ms > 0 {
            desk.polled_at = self.clock.now();
            self.shared.progress.wait_for(&mut desk, Duration::from_millis(slice_ms));
        }
        if desk.is_closed {
            return Some(Err(ClientError::Closed));
        }
        let taken = desk.take(max);
        if !taken.is_empty() {
            return Some(Ok(taken));
        }
        desk.take_error().map(Err)
    }

    /// Notes what became of a record. False when the user does not have it.
    pub fn acknowledge(&self, partition: &Partition, offset: Offset, word: AcknowledgeType) -> bool {
        self.shared.desk.lock().acknowledge(partition, offset, word)
    }

    /// Hands over what was said; [`ShareConsumer::is_settled`] says when brokers have answered. Where nothing need be
    /// said, all records are accepted but the `unseen`.
    pub fn commit(&self, unseen: &BTreeMap<Partition, BTreeSet<Offset>>) {
        self.shared.desk.lock().commit(unseen);
        self.wake.wake();
    }

    /// Whether brokers have answered to all that was handed over; waits up to `slice_ms` for that.
    pub fn is_settled(&self, slice_ms: u64) -> bool {
        self.within(slice_ms, Desk::is_settled)
    }

    fn within(&self, slice_ms: u64, look: impl Fn(&Desk) -> bool) -> bool {
        let mut desk = self.shared.desk.lock();
        if !look(&desk) && slice_ms > 0 {
            self.shared.progress.wait_for(&mut desk, Duration::from_millis(slice_ms));
        }
        look(&desk)
    }

    /// What became of acknowledgements since the last call.
    pub fn take_results(&self) -> Vec<Acknowledged> {
        self.shared.desk.lock().take_results()
    }

    /// How long records are the member's, in milliseconds, as a broker has said last.
    pub fn lock_timeout_ms(&self) -> Option<i32> {
        self.shared.desk.lock().lock_timeout_ms
    }

    /// Why a broker does not let the consumer in; told once for each attempt.
    pub fn take_refusal(&self) -> Option<ClientError> {
        self.shared.desk.lock().refusal.take()
    }

    /// Begins to give everything back and to leave the group.
    pub fn leave(&self) {
        self.shared.desk.lock().leave();
        self.wake.wake();
    }

    /// Whether it has left; waits up to `slice_ms` for that.
    pub fn has_left(&self, slice_ms: u64) -> bool {
        self.within(slice_ms, |desk| desk.has_left)
    }

    /// Ends the thread.
    pub fn close(&self) {
        self.shared.desk.lock().is_closed = true;
        self.shared.progress.notify_all();
        self.wake.wake();
        if let Some(thread) = self.thread.lock().take() {
            if thread.join().is_err() {
                log::error!("the thread of a share consumer has failed");
            }
        }
    }
}

impl Drop for ShareConsumer {
    fn drop(&mut self) {
        self.close();
    }
}

/// The engine with what it shares.
struct Running {
    shared: Arc<Shared>,
    engine: ShareEngine,
}

impl Machine for Running {
    type Purpose = Purpose;

    fn links(&mut self) -> &mut Links<Purpose> {
        self.engine.links()
    }

    fn received(&mut self, node: NodeId, bytes: &[u8], now: Millis) {
        self.engine.received(node, bytes, now);
    }

    fn turn(&mut self, now: Millis) -> Option<Millis> {
        self.engine.settle(now);
        let came = {
            let desk = &mut *self.shared.desk.lock();
            if desk.is_closed {
                return None;
            }
            self.engine.exchange(desk, now)
        };
        if came {
            self.shared.progress.notify_all();
            if let Some(notify) = &self.shared.notify {
                notify();
            }
        }
        self.engine.transmit(now);
        if self.engine.has_news() {
            return Some(now);
        }
        Some(self.engine.deadline(now).unwrap_or(Millis::MAX))
    }
}
