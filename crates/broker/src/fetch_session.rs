//! Incremental fetch sessions (KIP-227): what a client asked for is remembered between its requests, and only
//! what changed is answered.
//!
//! Always true:
//!   a session's epoch is the one its next request must carry; it goes up by one with each request
//!   the cache holds at most `slots` sessions; a younger one takes a place only by the eviction rules
//!   a partition that was answered with records moves behind the others, so that each gets its turn

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use barnabas_protocol::{LeaderEpoch, Millis, Offset, PartitionIndex, TopicId};
use parking_lot::Mutex;

use crate::error_code;

/// Session id of a request without a session.
pub(crate) const NO_SESSION: i32 = 0;
/// Epoch of a request that wants a new session.
pub(crate) const INITIAL_EPOCH: i32 = 0;
/// Epoch of a request that wants no session, and ends the one it names.
pub(crate) const FINAL_EPOCH: i32 = -1;

/// Sessions above this age may be put out by larger ones (`min.incremental.fetch.session.eviction.ms` of
/// Apache Kafka, a constant there too).
pub(crate) const EVICTION_MS: Millis = 120_000;

/// The epoch after `epoch`; it never comes back to the initial one.
pub(crate) fn next_epoch(epoch: i32) -> i32 {
    match epoch {
        FINAL_EPOCH => FINAL_EPOCH,
        i32::MAX => 1,
        other => other + 1,
    }
}

/// A topic as the client names it: by name up to Fetch v12, by id from v13 on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum TopicRef {
    Name(Arc<str>),
    Id(TopicId),
}

/// Names one partition in a session.
pub(crate) type Key = (TopicRef, PartitionIndex);

/// What the client wants of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// First offset wanted.
    pub(crate) fetch_offset: Offset,
    /// Log start offset of a follower; -1 from consumers.
    pub(crate) log_start_offset: Offset,
    /// Most bytes to answer with.
    pub(crate) partition_max_bytes: i32,
    /// Leader epoch the client knows, or -1.
    pub(crate) current_leader_epoch: LeaderEpoch,
    /// Epoch of the last batch the client has, or -1.
    pub(crate) last_fetched_epoch: LeaderEpoch,
}

/// The parts of an answer that decide whether it is worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) error: i16,
    pub(crate) records_bytes: usize,
    pub(crate) high_watermark: Offset,
    pub(crate) log_start_offset: Offset,
    pub(crate) diverging: bool,
    pub(crate) preferred_read_replica: bool,
}

#[derive(Debug)]
struct Cached {
    wanted: Wanted,
    high_watermark: Offset,
    log_start_offset: Offset,
}

impl Cached {
    fn new(wanted: Wanted) -> Cached {
        Cached { wanted, high_watermark: -1, log_start_offset: -1 }
    }

    /// Whether the answer must be sent; remembers what the client then knows.
    fn note(&mut self, told: &Told) -> bool {
        let mut must = told.records_bytes > 0 || told.preferred_read_replica;
        if self.high_watermark != told.high_watermark {
            must = true;
            self.high_watermark = told.high_watermark;
        }
        if self.log_start_offset != told.log_start_offset {
            must = true;
            self.log_start_offset = told.log_start_offset;
        }
        if told.error != error_code::NONE || told.diverging {
            // Forgotten on purpose: when the error has gone, the next answer is told in any case.
            self.high_watermark = -1;
            must = true;
        }
        must
    }
}

/// The partitions of one session, in the order in which they are read.
#[derive(Debug, Default)]
struct Partitions {
    by_turn: BTreeMap<u64, (Key, Cached)>,
    turns: HashMap<Key, u64>,
    next_turn: u64,
}

impl Partitions {
    fn set(&mut self, key: Key, wanted: Wanted) {
        if let Some(turn) = self.turns.get(&key) {
            if let Some((_, cached)) = self.by_turn.get_mut(turn) {
                cached.wanted = wanted;
            }
            return;
        }
        self.turns.insert(key.clone(), self.next_turn);
        self.by_turn.insert(self.next_turn, (key, Cached::new(wanted)));
        self.next_turn += 1;
    }

    fn remove(&mut self, key: &Key) {
        if let Some(turn) = self.turns.remove(key) {
            self.by_turn.remove(&turn);
        }
    }

    fn note(&mut self, key: &Key, told: &Told) -> bool {
        let Some(turn) = self.turns.get_mut(key) else { return true };
        if told.records_bytes == 0 {
            return self.by_turn.get_mut(turn).is_none_or(|(_, cached)| cached.note(told));
        }
        if let Some((key, mut cached)) = self.by_turn.remove(turn) {
            cached.note(told);
            *turn = self.next_turn;
            self.by_turn.insert(self.next_turn, (key, cached));
            self.next_turn += 1;
        }
        true
    }
}

/// One session.
#[derive(Debug)]
pub(crate) struct FetchSession {
    id: i32,
    /// A follower's session: consumers' sessions go before it.
    privileged: bool,
    uses_topic_ids: bool,
    created_at: Millis,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    epoch: i32,
    partitions: Partitions,
}

/// What a Fetch request says about sessions.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) session_id: i32,
    pub(crate) session_epoch: i32,
    /// Whether topics are named by id (v13 and above).
    pub(crate) uses_topic_ids: bool,
    /// Whether a follower asks.
    pub(crate) from_follower: bool,
    /// Partitions added or changed, in the request's order; later entries of a partition win.
    pub(crate) partitions: Vec<(Key, Wanted)>,
    /// Partitions to drop.
    pub(crate) forgotten: Vec<Key>,
}

/// How one Fetch request is answered, as far as sessions are concerned.
#[derive(Debug)]
pub(crate) enum Context {
    /// Everything asked is answered, nothing is remembered.
    Sessionless,
    /// Everything asked is answered, and remembered when there is room.
    Full { from_follower: bool, uses_topic_ids: bool },
    /// What changed is answered. `epoch` is the session's after this request.
    Incremental { session: Arc<FetchSession>, epoch: i32 },
}

/// Sessions of this node.
#[derive(Debug)]
pub(crate) struct FetchSessionCache {
    slots: usize,
    inner: Mutex<CacheInner>,
}

#[derive(Debug, Default)]
struct CacheInner {
    sessions: HashMap<i32, Slot>,
    /// Oldest use first.
    by_use: BTreeMap<(Millis, i32), ()>,
    last_id: u32,
}

#[derive(Debug)]
struct Slot {
    session: Arc<FetchSession>,
    used_at: Millis,
    size: usize,
}

impl FetchSessionCache {
    /// A cache of at most `slots` sessions (`max.incremental.fetch.session.cache.slots`). `seed` makes ids of
    /// this run unlike those of the run before, so that a client's old session is not taken for a new one.
    pub(crate) fn new(slots: usize, seed: u32) -> FetchSessionCache {
        FetchSessionCache { slots, inner: Mutex::new(CacheInner { last_id: seed, ..Default::default() }) }
    }

    /// Sorts out what the request means, and gives the partitions to read in their order.
    pub(crate) fn begin(&self, asked: Asked, now: Millis) -> Result<(Context, Vec<(Key, Wanted)>), i16> {
        if asked.session_epoch == INITIAL_EPOCH || asked.session_epoch == FINAL_EPOCH {
            if asked.session_id != NO_SESSION {
                self.inner.lock().remove(asked.session_id);
            }
            let context = match asked.session_epoch {
                FINAL_EPOCH => Context::Sessionless,
                _ => {
                    Context::Full { from_follower: asked.from_follower, uses_topic_ids: asked.uses_topic_ids }
                }
            };
            return Ok((context, distinct(asked.partitions)));
        }
        self.go_on(asked, now)
    }

    fn go_on(&self, asked: Asked, now: Millis) -> Result<(Context, Vec<(Key, Wanted)>), i16> {
        let found = self.inner.lock().sessions.get(&asked.session_id).map(|slot| slot.session.clone());
        let session = found.ok_or(error_code::FETCH_SESSION_ID_NOT_FOUND)?;
        let mut inner = session.inner.lock();
        if inner.epoch != asked.session_epoch {
            return Err(error_code::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.uses_topic_ids != asked.uses_topic_ids {
            return Err(error_code::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        for (key, wanted) in &asked.partitions {
            inner.partitions.set(key.clone(), *wanted);
        }
        for key in &asked.forgotten {
            inner.partitions.remove(key);
        }
        let size = inner.partitions.turns.len();
        if size == 0 {
            drop(inner);
            self.inner.lock().remove(asked.session_id);
            // Kafka answers what the last request itself asked for, though it was forgotten in the same breath.
            return Ok((Context::Sessionless, distinct(asked.partitions)));
        }
        inner.epoch = next_epoch(inner.epoch);
        let epoch = inner.epoch;
        let partitions =
            inner.partitions.by_turn.values().map(|(key, cached)| (key.clone(), cached.wanted)).collect();
        drop(inner);
        self.inner.lock().touch(asked.session_id, size, now);
        Ok((Context::Incremental { session, epoch }, partitions))
    }

    /// Ends the request: `told` lists the answers in the order read, `keep` says of each whether it is sent.
    /// Returns the session id of the response.
    pub(crate) fn finish<'a>(
        &self,
        context: &Context,
        answers: impl Iterator<Item = (&'a Key, Wanted, Told)>,
        now: Millis,
        keep: &mut Vec<bool>,
    ) -> Result<i32, i16> {
        match context {
            Context::Sessionless => {
                keep.extend(answers.map(|_| true));
                Ok(NO_SESSION)
            }
            Context::Full { from_follower, uses_topic_ids } => {
                let mut partitions = Partitions::default();
                for (key, wanted, told) in answers {
                    partitions.set(key.clone(), wanted);
                    partitions.note_first(key, &told);
                    keep.push(true);
                }
                Ok(self.inner.lock().create(self.slots, partitions, *from_follower, *uses_topic_ids, now))
            }
            Context::Incremental { session, epoch } => {
                let mut inner = session.inner.lock();
                // Another request of the session came in while this one waited.
                if inner.epoch != *epoch {
                    return Err(error_code::INVALID_FETCH_SESSION_EPOCH);
                }
                keep.extend(answers.map(|(key, _, told)| inner.partitions.note(key, &told)));
                Ok(session.id)
            }
        }
    }

    /// Sessions in the cache, and the partitions they remember.
    pub(crate) fn size(&self) -> (usize, usize) {
        let inner = self.inner.lock();
        (inner.sessions.len(), inner.sessions.values().map(|slot| slot.size).sum())
    }
}

impl Partitions {
    /// Remembers what the first, full answer told, without moving the partition behind the others.
    fn note_first(&mut self, key: &Key, told: &Told) {
        if let Some((_, cached)) = self.turns.get(key).and_then(|turn| self.by_turn.get_mut(turn)) {
            cached.note(told);
        }
    }
}

impl CacheInner {
    fn remove(&mut self, id: i32) {
        if let Some(slot) = self.sessions.remove(&id) {
            self.by_use.remove(&(slot.used_at, id));
        }
    }

    fn touch(&mut self, id: i32, size: usize, now: Millis) {
        if let Some(slot) = self.sessions.get_mut(&id) {
            self.by_use.remove(&(slot.used_at, id));
            slot.used_at = now;
            slot.size = size;
            self.by_use.insert((now, id), ());
        }
    }

    fn create(
        &mut self,
        slots: usize,
        partitions: Partitions,
        privileged: bool,
        uses_topic_ids: bool,
        now: Millis,
    ) -> i32 {
        let size = partitions.turns.len();
        if slots == 0 || (self.sessions.len() >= slots && !self.evict(privileged, size, now)) {
            return NO_SESSION;
        }
        let id = self.new_id();
        let session = FetchSession {
            id,
            privileged,
            uses_topic_ids,
            created_at: now,
            inner: Mutex::new(Inner { epoch: next_epoch(INITIAL_EPOCH), partitions }),
        };
        self.sessions.insert(id, Slot { session: Arc::new(session), used_at: now, size });
        self.by_use.insert((now, id), ());
        id
    }

    /// Makes room for a session of `size` partitions: the one not used for the longest time if that is long
    /// enough, else the smallest old one that counts for less than the new one.
    fn evict(&mut self, privileged: bool, size: usize, now: Millis) -> bool {
        if let Some((&(used_at, id), ())) = self.by_use.first_key_value() {
            if now - used_at > EVICTION_MS {
                self.remove(id);
                return true;
            }
        }
        let evictable = self.sessions.values().filter(|slot| {
            let old = now - slot.session.created_at > EVICTION_MS;
            old || (privileged && !slot.session.privileged)
        });
        let least = evictable.map(|slot| (slot.session.privileged, slot.size, slot.session.id)).min();
        match least {
            Some(least) if least <= (privileged, size, 0) => {
                self.remove(least.2);
                true
            }
            _ => false,
        }
    }

    /// Ids are scattered (a full-period walk over the 31-bit numbers) and never 0 or one in use.
    fn new_id(&mut self) -> i32 {
        loop {
            self.last_id = self.last_id.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let id = (self.last_id & 0x7fff_ffff) as i32;
            if id != NO_SESSION && !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }
}

/// The partitions in the order of their first mention; what was said last counts.
fn distinct(partitions: Vec<(Key, Wanted)>) -> Vec<(Key, Wanted)> {
    if partitions.len() < 2 {
        return partitions;
    }
    let mut places: HashMap<Key, usize> = HashMap::with_capacity(partitions.len());
    let mut distinct: Vec<(Key, Wanted)> = Vec::with_capacity(partitions.len());
    for (key, wanted) in partitions {
        match places.get(&key) {
            Some(&place) => distinct[place].1 = wanted,
            None => {
                places.insert(key.clone(), distinct.len());
                distinct.push((key, wanted));
            }
        }
    }
    distinct
}
