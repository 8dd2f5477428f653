//! Questions to the transaction coordinator that Produce requests wait for.
//!
//! Always true: a check is open from `begin` until its handle is dropped (the request went on, or its
//! connection is gone), so there are at most as many as connections; it is answered at most once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::waiters::Wake;

/// The checks that are open.
#[derive(Default)]
pub(crate) struct TransactionChecks {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last_id: u64,
    open: HashMap<u64, Open>,
}

struct Open {
    wake: Arc<dyn Wake>,
    answer: Option<Vec<i16>>,
}

/// One check, as whoever waits for it holds it.
pub(crate) struct Check {
    pub(crate) id: u64,
    checks: Arc<TransactionChecks>,
}

impl TransactionChecks {
    /// A check whose answer wakes `wake`.
    pub(crate) fn begin(self: &Arc<Self>, wake: Arc<dyn Wake>) -> Check {
        let mut state = self.state.lock();
        state.last_id += 1;
        let id = state.last_id;
        state.open.insert(id, Open { wake, answer: None });
        Check { id, checks: self.clone() }
    }

    /// Answers a check with an error code for each of its partitions, if it is still open.
    pub(crate) fn answer(&self, id: u64, errors: Vec<i16>) {
        let mut state = self.state.lock();
        let Some(open) = state.open.get_mut(&id) else { return };
        open.answer.get_or_insert(errors);
        let wake = open.wake.clone();
        drop(state);
        wake.wake();
    }
}

impl Check {
    /// The answer; None while there is none.
    pub(crate) fn take_answer(&self) -> Option<Vec<i16>> {
        self.checks.state.lock().open.get_mut(&self.id)?.answer.take()
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        self.checks.state.lock().open.remove(&self.id);
    }
}
