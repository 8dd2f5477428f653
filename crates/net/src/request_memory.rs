//! The node's budget for requests that are being received or are in hand (`queued.max.request.bytes`).
//!
//! As in Apache Kafka a request is let in while anything is left, and may overdraw the budget: a request larger
//! than the budget is served too, and of two half-received requests none waits for the other.

use std::sync::atomic::{AtomicI64, Ordering};

/// What is left of the budget.
#[derive(Debug)]
pub struct RequestMemory {
    /// None: no limit, and nothing is counted.
    available: Option<AtomicI64>,
}

impl RequestMemory {
    /// A budget of `limit` bytes; None for no limit.
    pub fn new(limit: Option<u64>) -> Self {
        RequestMemory { available: limit.map(|l| AtomicI64::new(i64::try_from(l).unwrap_or(i64::MAX))) }
    }

    /// Takes room for a request of `bytes`; false when nothing is left.
    pub fn take(&self, bytes: usize) -> bool {
        let Some(available) = &self.available else { return true };
        let bytes = bytes as i64;
        available
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| (left > 0).then(|| left - bytes))
            .is_ok()
    }

    /// Gives back what [`RequestMemory::take`] took. True when the budget was used up before and is not now:
    /// those who wait must be told.
    #[must_use]
    pub fn release(&self, bytes: usize) -> bool {
        let Some(available) = &self.available else { return false };
        let bytes = bytes as i64;
        let before = available.fetch_add(bytes, Ordering::SeqCst);
        before <= 0 && before + bytes > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_bytes_let_a_large_request_in_and_the_next_one_waits() {
        let memory = RequestMemory::new(Some(10));
        assert!(memory.take(100));
        assert!(!memory.take(1));
        assert!(memory.release(100));
        assert!(memory.take(1));
        assert!(!memory.release(1));
    }

    #[test]
    fn without_a_limit_everything_is_let_in() {
        let memory = RequestMemory::new(None);
        assert!(memory.take(usize::MAX));
        assert!(!memory.release(usize::MAX));
    }
}
