//! A consumer: what the user's threads hold, and the thread that fetches ahead of them.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use barnabas_protocol::{Millis, NodeId, Offset};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::assignment::{Assignment, Slot, Start, Taken};
use crate::cluster::{Cluster, ClusterConfig};
use crate::driver::{Clock, Driver, Machine, Wake};
use crate::error::ClientError;
use crate::fetch_session::Partition;
use crate::fetcher::{Fetcher, FetcherConfig, Purpose};
use crate::figures::{Figures, Reading, Shown};
use crate::group::config::{GroupConfig, Protocol};
use crate::group::desk::{Call, Committed, Desk, GroupMetadata, Leaving, Positions, Told, Wanted};
use crate::group::{possession, whole, Group};
use crate::link::{LinkConfig, Links};
use crate::producer::Notify;

/// Fetches of a partition that may wait for the user: while one is being read, the next is under way.
const FETCHES_AHEAD: usize = 2;

/// All configs of a consumer.
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    /// Of the fetcher.
    pub fetcher: FetcherConfig,
    /// Of the metadata.
    pub cluster: ClusterConfig,
    /// Of the connections.
    pub link: LinkConfig,
    /// Of its group; None without a `group.id`.
    pub group: Option<GroupConfig>,
    /// `auto.commit.interval.ms`; None without `enable.auto.commit`.
    pub auto_commit_interval_ms: Option<Millis>,
    /// `default.api.timeout.ms`: how long a commit is tried.
    pub api_timeout_ms: Millis,
    /// Whether the user wants to be told what became of all commits.
    pub tells_commits: bool,
}

/// What the user's threads and the consumer's own one share.
struct Held {
    assignment: Assignment,
    desk: Desk,
    /// When positions are committed next without being asked.
    auto_commit_at: Millis,
}

struct Shared {
    held: Mutex<Held>,
    /// Something came.
    progress: Condvar,
    notify: Option<Notify>,
}

/// Reads records of partitions.
pub struct Consumer {
    shared: Arc<Shared>,
    wake: Wake,
    clock: Clock,
    /// Where partitions begin for which nothing is said.
    reset: Start,
    protocol: Option<Protocol>,
    auto_commit_interval_ms: Option<Millis>,
    api_timeout_ms: Millis,
    figures: Arc<Figures>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Consumer {
    /// Begins, with nothing to read yet. `notify` is called on the consumer's thread when something came.
    pub fn start(config: ConsumerConfig, notify: Option<Notify>) -> io::Result<Consumer> {
        let clock = Clock::start();
        let (driver, wake) = Driver::new(clock)?;
        let buffered_max = config.fetcher.max_partition_fetch_bytes.max(1) as usize * FETCHES_AHEAD;
        let desk = config.group.as_ref().map(|group| Desk::new(&group.group_id, group.instance_id.clone()));
        let held = Held {
            assignment: Assignment::new(buffered_max),
            desk: desk.unwrap_or_default().telling(config.tells_commits),
            auto_commit_at: config.auto_commit_interval_ms.unwrap_or(Millis::MAX),
        };
        let shared = Arc::new(Shared { held: Mutex::new(held), progress: Condvar::new(), notify });
        let reset = config.fetcher.reset;
        let protocol = config.group.as_ref().map(|group| group.protocol);
        let group = config.group.map(|group| Group::new(group, reset));
        let cluster = Cluster::new(config.cluster);
        let links = Links::new(config.link);
        let figures = links.figures().clone();
        let fetcher = Fetcher::new(config.fetcher, cluster, links, clock.now());
        let mut machine = Running { shared: shared.clone(), fetcher, group };
        let run = move || driver.run(&mut machine);
        let thread = std::thread::Builder::new().name("barnabas-consumer".to_string()).spawn(run)?;
        Ok(Consumer {
            shared,
            wake,
            clock,
            reset: if protocol.is_some() { Start::Committed } else { reset },
            protocol,
            auto_commit_interval_ms: config.auto_commit_interval_ms,
            api_timeout_ms: config.api_timeout_ms,
            figures,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// What it has counted, by the names of Apache Kafka's clients.
    pub fn figures(&self) -> Shown {
        let held = self.shared.held.lock();
        let behind = |slot: &Slot| Some(slot.high_watermark).filter(|&end| end >= 0).zip(slot.position);
        let lags = held.assignment.partitions().filter_map(|(_, slot)| behind(slot));
        let lag_max = lags.map(|(end, position)| (end - position).max(0)).max();
        let assigned = held.assignment.partitions().count();
        self.figures.of_consumer(Reading { assigned, lag_max, rebalances: held.desk.rebalances })
    }

    /// The user got so many records at once, of so many bytes.
    pub fn consumed(&self, records: usize, bytes: usize) {
        if records > 0 {
            self.figures.consumed.add(records as u64);
            self.figures.consumed_bytes.fetch_add(bytes as u64, Relaxed);
        }
    }

    /// Reads exactly these partitions from now on.
    pub fn assign(&self, partitions: Vec<(Partition, Option<Start>)>) {
        self.shared.held.lock().assignment.assign(partitions, self.reset);
        self.wake.wake();
    }

    /// Goes to another place. False when the partition is not read.
    pub fn seek(&self, partition: &Partition, start: Start) -> bool {
        let found = self.shared.held.lock().assignment.seek(partition, start);
        self.wake.wake();
        found
    }

    /// Stops or goes on giving out records. False when the partition is not read.
    pub fn pause(&self, partition: &Partition, paused: bool) -> bool {
        let found = self.shared.held.lock().assignment.pause(partition, paused);
        self.wake.wake();
        found
    }

    /// The partitions that are read.
    pub fn assignment(&self) -> Vec<Partition> {
        self.shared.held.lock().assignment.partitions().map(|(partition, _)| partition.clone()).collect()
    }

    /// Those of them that are paused.
    pub fn paused(&self) -> Vec<Partition> {
        let held = self.shared.held.lock();
        let paused = held.assignment.partitions().filter(|(_, slot)| slot.paused);
        paused.map(|(partition, _)| partition.clone()).collect()
    }

    /// Offset of the record that comes next: None when the partition is not read, and then when it is not known.
    pub fn position(&self, partition: &Partition) -> Option<Option<Offset>> {
        self.shared.held.lock().assignment.get(partition).map(|slot| slot.position)
    }

    /// Whether what was taken of a partition in this generation still counts.
    pub fn is_current(&self, partition: &Partition, generation: u64) -> bool {
        let mut held = self.shared.held.lock();
        held.assignment.current(partition, generation).is_some_and(|slot| !slot.paused)
    }

    /// The user has everything before `offset`. False when somebody has moved the partition meanwhile.
    pub fn advance(&self, partition: &Partition, generation: u64, offset: Offset) -> bool {
        self.shared.held.lock().assignment.advance(partition, generation, offset)
    }

    /// The next batch that is there; waits up to `slice_ms` for one. None too when the user's thread has something
    /// else to do first ([`Consumer::needs_attention`]).
    pub fn next(&self, slice_ms: u64) -> Result<Option<Taken>, ClientError> {
        let mut held = self.shared.held.lock();
        if held.assignment.is_closed() {
            return Err(ClientError::Closed);
        }
        if held.desk.needs_attention() {
            return Ok(None);
        }
        let mut taken = held.assignment.take();
        if taken.0.is_none() && slice_ms > 0 {
            held.desk.polled(self.clock.now());
            self.wait_in(&mut held, slice_ms);
            if held.assignment.is_closed() {
                return Err(ClientError::Closed);
            }
            if !held.desk.needs_attention() {
                taken = held.assignment.take();
            }
        }
        drop(held);
        if taken.1 {
            self.wake.wake();
        }
        taken.0.transpose()
    }

    /// The batch behind one that was taken, if it is there.
    pub fn next_of(&self, before: &Taken) -> Option<Taken> {
        let (taken, wake) =
            self.shared.held.lock().assignment.take_of(&before.partition, before.generation)?;
        if wake {
            self.wake.wake();
        }
        Some(taken)
    }

    /// Why a broker does not let the consumer in; told once for each attempt. Whatever waits for brokers waits in
    /// vain then.
    pub fn take_refusal(&self) -> Option<ClientError> {
        self.shared.held.lock().assignment.refusal.take()
    }

    /// Waits until something comes, or `slice_ms` have passed.
    pub fn wait(&self, slice_ms: u64) {
        self.wait_in(&mut self.shared.held.lock(), slice_ms);
    }

    /// Gives back what was taken and not used up: a paused partition goes on there. Nothing, if somebody has moved
    /// the partition.
    pub fn put_back(&self, taken: Taken) {
        self.shared.held.lock().assignment.put_back(taken);
    }

    fn wait_in(&self, held: &mut MutexGuard<'_, Held>, slice_ms: u64) {
        self.shared.progress.wait_for(held, Duration::from_millis(slice_ms));
    }

    /// How many partitions a topic has; waits up to `slice_ms` for an answer, None when there is none yet.
    pub fn partition_count(&self, topic: &str, slice_ms: u64) -> Option<Result<usize, ClientError>> {
        let mut held = self.shared.held.lock();
        let known = held.assignment.partition_count(topic);
        if known.is_some() {
            return known;
        }
        self.wake.wake();
        self.wait_in(&mut held, slice_ms);
        held.assignment.partition_count(topic)
    }

    /// Asks for an offset of a partition; the answer comes under the number.
    pub fn look_up(&self, partition: Partition, start: Start) -> u64 {
        let id = self.shared.held.lock().assignment.look_up(partition, start);
        self.wake.wake();
        id
    }

    /// The answer to a question, for which it waits up to `slice_ms`: offset and timestamp, or that no record is
    /// that new.
    pub fn looked_up(&self, id: u64, slice_ms: u64) -> Option<Result<Option<(Offset, Millis)>, ClientError>> {
        self.within(slice_ms, |held| held.assignment.take_lookup(id))
    }

    /// Nobody waits for the answer to a question any more.
    pub fn forget_lookup(&self, id: u64) {
        self.shared.held.lock().assignment.forget_lookup(id);
    }

    /// Looks, waits for something to come, and looks again.
    fn within<T>(&self, slice_ms: u64, mut look: impl FnMut(&mut Held) -> Option<T>) -> Option<T> {
        let mut held = self.shared.held.lock();
        if let Some(found) = look(&mut held) {
            return Some(found);
        }
        self.wait_in(&mut held, slice_ms);
        look(&mut held)
    }

    /// Ends the thread.
    pub fn close(&self) {
        self.shared.held.lock().assignment.close();
        self.shared.progress.notify_all();
        self.wake.wake();
        if let Some(thread) = self.thread.lock().take() {
            if thread.join().is_err() {
                log::error!("the thread of a consumer has failed");
            }
        }
    }
}

/// Membership of a group, and commits.
impl Consumer {
    /// Whether there is a `group.id`.
    pub fn has_group(&self) -> bool {
        self.protocol.is_some()
    }

    /// Wants these topics from now on. The group says which of their partitions are read.
    pub fn subscribe(&self, wanted: Wanted) -> Result<(), ClientError> {
        let invalid = |error: regex::Error| ClientError::Pattern(error.to_string());
        match (&wanted, self.protocol) {
            (_, None) => return Err(ClientError::NoGroup),
            // The coordinator reads it in the other protocol.
            (Wanted::Pattern(pattern), Some(Protocol::Classic)) => drop(whole(pattern).map_err(invalid)?),
            _ => {}
        }
        self.shared.held.lock().desk.subscribe(wanted, self.clock.now());
        self.wake.wake();
        Ok(())
    }

    /// What it is subscribed to.
    pub fn subscription(&self) -> Option<Wanted> {
        self.shared.held.lock().desk.wanted().cloned()
    }

    /// The user asks for records, and has worked on those it got before: their positions are committed if it is
    /// time.
    pub fn begin_poll(&self) {
        let now = self.clock.now();
        let mut held = self.shared.held.lock();
        held.desk.polled(now);
        let Some(interval) = self.auto_commit_interval_ms.filter(|_| held.auto_commit_at <= now) else {
            return;
        };
        held.auto_commit_at = now + interval;
        let offsets = held.positions(&BTreeMap::new());
        if !offsets.is_empty() {
            held.desk.commit(offsets, false, now + self.api_timeout_ms);
            drop(held);
            self.wake.wake();
        }
    }

    /// Whether a call or an error waits for the user's thread.
    pub fn needs_attention(&self) -> bool {
        self.shared.held.lock().desk.needs_attention()
    }

    /// What the membership can't get over by itself; told once.
    pub fn take_error(&self) -> Option<ClientError> {
        self.shared.held.lock().desk.take_error()
    }

    /// A change of what it owns, in which the user's thread has a part; [`Consumer::called`] says that it is done.
    pub fn take_call(&self) -> Option<Call> {
        let mut held = self.shared.held.lock();
        let call = held.desk.take_call()?;
        possession::begin(&call, &mut held.assignment);
        drop(held);
        self.wake.wake();
        Some(call)
    }

    /// The user's thread has done its part of the call.
    pub fn called(&self) {
        let mut held = self.shared.held.lock();
        held.desk.called();
        held.desk.polled(self.clock.now());
        drop(held);
        self.wake.wake();
    }

    /// Orders a commit: of these offsets, or of all positions, of which the user has seen nothing from `unseen`
    /// on. The result comes under the number.
    pub fn commit(
        &self,
        offsets: Option<BTreeMap<Partition, Committed>>,
        unseen: &BTreeMap<Partition, Offset>,
    ) -> u64 {
        let mut held = self.shared.held.lock();
        let offsets = offsets.unwrap_or_else(|| held.positions(unseen));
        let id = held.desk.commit(offsets, true, self.clock.now() + self.api_timeout_ms);
        drop(held);
        self.wake.wake();
        id
    }

    /// Whether positions are committed without being asked.
    pub fn commits_itself(&self) -> bool {
        self.auto_commit_interval_ms.is_some()
    }

    /// What became of a commit; waits up to `slice_ms` for it.
    pub fn committed(&self, id: u64, slice_ms: u64) -> Option<Result<(), ClientError>> {
        self.within(slice_ms, |held| held.desk.take_committed(id))
    }

    /// All commits that are done, but for those that [`Consumer::committed`] has told of.
    pub fn take_all_committed(&self) -> BTreeMap<u64, Result<(), ClientError>> {
        self.shared.held.lock().desk.take_all_committed()
    }

    /// What became of commits of all kinds since the last call, in their order, where the user wants to be told.
    pub fn take_told(&self) -> Vec<Told> {
        self.shared.held.lock().desk.take_told()
    }

    /// Asks for committed positions; the answer comes under the number.
    pub fn ask_positions(&self, partitions: Vec<Partition>) -> u64 {
        let id = self.shared.held.lock().desk.ask(partitions, self.clock.now() + self.api_timeout_ms);
        self.wake.wake();
        id
    }

    /// The answer to [`Consumer::ask_positions`]; waits up to `slice_ms` for it.
    pub fn positions(&self, id: u64, slice_ms: u64) -> Option<Result<Positions, ClientError>> {
        self.within(slice_ms, |held| held.desk.take_answer(id))
    }

    /// Who the member is; None without a group.
    pub fn group_metadata(&self) -> Option<GroupMetadata> {
        self.shared.held.lock().desk.metadata().cloned()
    }

    /// Begins to give everything up and to leave the group. Calls may come until [`Consumer::has_left`].
    pub fn leave(&self, leaving: Leaving) {
        self.shared.held.lock().desk.leave(leaving);
        self.wake.wake();
    }

    /// Whether it has left; waits up to `slice_ms` for that, or for a call.
    pub fn has_left(&self, slice_ms: u64) -> bool {
        let look = |held: &mut Held| (held.desk.has_left() || held.desk.needs_attention()).then_some(());
        self.within(slice_ms, look);
        self.shared.held.lock().desk.has_left()
    }
}

impl Held {
    /// The offsets that the user has read up to.
    fn positions(&self, unseen: &BTreeMap<Partition, Offset>) -> BTreeMap<Partition, Committed> {
        let mut offsets = BTreeMap::new();
        for (partition, slot) in self.assignment.partitions() {
            let Some(position) = slot.position else { continue };
            let offset = unseen.get(partition).copied().unwrap_or(position);
            let committed = Committed { offset, leader_epoch: slot.position_epoch, metadata: String::new() };
            offsets.insert(partition.clone(), committed);
        }
        offsets
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.close();
    }
}

/// The fetcher with what it shares.
struct Running {
    shared: Arc<Shared>,
    fetcher: Fetcher,
    group: Option<Group>,
}

impl Running {
    /// Gives the group what was answered to it.
    fn tell_group(&mut self, now: Millis) {
        for mut answer in self.fetcher.take_group_answers() {
            let purpose = std::mem::replace(&mut answer.purpose, Purpose::Metadata);
            if let (Some(group), Purpose::Group(purpose)) = (&mut self.group, purpose) {
                group.answered(answer, purpose, self.fetcher.shared().1, now);
            }
        }
    }

    /// When the group or the fetcher has something to do.
    fn deadline(&self, now: Millis) -> Option<Millis> {
        let group = self.group.as_ref().and_then(|group| group.deadline(now));
        [self.fetcher.deadline(now), group].into_iter().flatten().min()
    }
}

impl Machine for Running {
    type Purpose = Purpose;

    fn links(&mut self) -> &mut Links<Purpose> {
        self.fetcher.links()
    }

    fn received(&mut self, node: NodeId, bytes: &[u8], now: Millis) {
        self.fetcher.received(node, bytes, now);
    }

    fn turn(&mut self, now: Millis) -> Option<Millis> {
        self.fetcher.settle(now);
        self.tell_group(now);
        let came = {
            let held = &mut *self.shared.held.lock();
            if held.assignment.is_closed() {
                return None;
            }
            let group = self.group.as_mut().is_some_and(|group| {
                let (cluster, _) = self.fetcher.shared();
                group.exchange(&mut held.desk, &mut held.assignment, cluster, now)
            });
            self.fetcher.exchange(&mut held.assignment, now) || group
        };
        if came {
            self.shared.progress.notify_all();
            if let Some(notify) = &self.shared.notify {
                notify();
            }
        }
        if let Some(group) = &mut self.group {
            let (cluster, links) = self.fetcher.shared();
            group.transmit(cluster, links, now);
        }
        self.fetcher.transmit(now);
        if self.fetcher.has_news() || self.group.as_ref().is_some_and(Group::has_news) {
            return Some(now);
        }
        Some(self.deadline(now).unwrap_or(Millis::MAX))
    }
}
