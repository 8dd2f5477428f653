//! Requests that wait for a partition to move: a long poll for bytes, a produce for the high watermark.
//!
//! Always true:
//!   who registers first and looks afterwards misses no move: a move is there to be seen before it wakes
//!   a request stands in the lists only while its [`Registration`] lives; dropping it (answered, or the
//!   connection is gone) takes it out of all of them
//!   the lists' lock is a leaf: nothing else is locked while it is held, wakes happen after it is let go

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::Arc;

use barnabas_protocol::Offset;
use parking_lot::Mutex;

/// Wakes one parked request. Waking twice, or after the request is gone, does nothing.
pub trait Wake: Send + Sync {
    /// Asks that the request be resumed soon, on its own thread.
    fn wake(&self);
}

/// What a waiting request wants of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// As many more bytes as the request still lacks, over all its partitions.
    Bytes,
    /// The high watermark at this offset or above.
    HighWatermark(Offset),
    /// The leader's own disk holding everything below this offset.
    Durable(Offset),
    /// The low watermark (smallest log start offset of all replicas) at this offset or above.
    LowWatermark(Offset),
}

/// How a partition moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    /// Bytes that readers may see now and could not before; `i64::MAX` where counting would cost a look-up.
    pub(crate) bytes: i64,
    /// The high watermark after the move.
    pub(crate) high_watermark: Offset,
    /// The low watermark after the move.
    pub(crate) low_watermark: Offset,
    /// Everything below is on disk after the move, as far as that was looked at.
    pub(crate) durable_end: Offset,
}

impl Move {
    /// The partition changed so that every waiting request must look again: role, epoch, directory, end.
    pub(crate) const EVERYTHING: Move = Move {
        bytes: i64::MAX,
        high_watermark: Offset::MAX,
        low_watermark: Offset::MAX,
        durable_end: Offset::MAX,
    };
}

struct Waiter {
    bytes_missing: AtomicI64,
    wake: Arc<dyn Wake>,
}

struct Entry {
    want: Want,
    waiter: Arc<Waiter>,
}

/// Who waits for one partition.
#[derive(Default)]
pub(crate) struct Waiters {
    waiting: Mutex<HashMap<u64, Entry>>,
}

impl Waiters {
    /// Wakes whom the move concerns.
    pub(crate) fn moved(&self, moved: Move) {
        let mut woken = Vec::new();
        for entry in self.waiting.lock().values() {
            let concerned = match entry.want {
                Want::Bytes => {
                    moved.bytes > 0
                        && entry.waiter.bytes_missing.fetch_sub(moved.bytes, Ordering::Relaxed) <= moved.bytes
                }
                Want::HighWatermark(offset) => moved.high_watermark >= offset,
                Want::Durable(offset) => moved.durable_end >= offset,
                Want::LowWatermark(offset) => moved.low_watermark >= offset,
            };
            if concerned {
                // Further moves before the request has looked again need not wake it again, but may.
                entry.waiter.bytes_missing.store(0, Ordering::Relaxed);
                woken.push(entry.waiter.clone());
            }
        }
        for waiter in woken {
            waiter.wake.wake();
        }
    }

    /// Requests that wait here.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.waiting.lock().len()
    }
}

/// Something that has waiters: a partition.
pub(crate) trait HasWaiters: Send + Sync {
    /// Its list.
    fn waiters(&self) -> &Waiters;
}

/// A request's places in the lists of its partitions.
pub(crate) struct Registration {
    id: u64,
    waiter: Arc<Waiter>,
    lists: Vec<Arc<dyn HasWaiters>>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Registration {
    /// A registration that stands nowhere yet. `bytes_missing`: how many bytes must come before a
    /// [`Want::Bytes`] wakes; of no meaning to the other wants.
    pub(crate) fn new(wake: Arc<dyn Wake>, bytes_missing: i64) -> Registration {
        Registration {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            waiter: Arc::new(Waiter { bytes_missing: AtomicI64::new(bytes_missing), wake }),
            lists: Vec::new(),
        }
    }

    /// Adds the request to the list of `partition`.
    pub(crate) fn wait(&mut self, partition: Arc<dyn HasWaiters>, want: Want) {
        let entry = Entry { want, waiter: self.waiter.clone() };
        partition.waiters().waiting.lock().insert(self.id, entry);
        self.lists.push(partition);
    }
}

impl Registration {
    /// The request has found more bytes since it registered.
    pub(crate) fn found(&self, bytes: i64) {
        self.waiter.bytes_missing.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        for partition in &self.lists {
            partition.waiters().waiting.lock().remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Counter(AtomicUsize);
    impl Wake for Counter {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    #[derive(Default)]
    struct Partition(Waiters);
    impl HasWaiters for Partition {
        fn waiters(&self) -> &Waiters {
            &self.0
        }
    }

    fn grown(bytes: i64) -> Move {
        Move { bytes, high_watermark: 0, low_watermark: 0, durable_end: 0 }
    }

    #[test]
    fn a_long_poll_wakes_when_its_bytes_are_there_in_sum() {
        let (one, two) = (Arc::new(Partition::default()), Arc::new(Partition::default()));
        let wakes = Arc::new(Counter::default());
        let mut registration = Registration::new(wakes.clone(), 100);
        registration.wait(one.clone(), Want::Bytes);
        registration.wait(two.clone(), Want::Bytes);
        one.0.moved(grown(60));
        assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
        two.0.moved(grown(40));
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_produce_wakes_at_its_offset_and_leaves_no_trace() {
        let partition = Arc::new(Partition::default());
        let wakes = Arc::new(Counter::default());
        let mut registration = Registration::new(wakes.clone(), 0);
        registration.wait(partition.clone(), Want::HighWatermark(10));
        partition.0.moved(Move { high_watermark: 9, ..grown(5) });
        assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
        partition.0.moved(Move { high_watermark: 10, ..grown(5) });
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
        drop(registration);
        assert_eq!(partition.0.len(), 0);
    }
}
