//! The sender's part in transactions: when batches may go, when they are given up, when sequences begin anew.

use crate::accumulator::Accumulator;
use crate::error::ClientError;
use crate::pipeline::Pending;
use crate::sender::{Key, Sender};
use crate::transactor::Transactor;

impl Sender {
    /// Tells the user's side how far the transaction is; gives up what is not to be sent any more. True when
    /// somebody may wait for that.
    pub(super) fn exchange_transaction(&mut self, accumulator: &mut Accumulator) -> bool {
        let Some(transactor) = self.transactor.as_mut() else { return false };
        let is_drained = accumulator.flushed(u64::MAX);
        let Some(shared) = accumulator.transaction() else { return false };
        let news = transactor.exchange(shared, is_drained);
        if !shared.is_given_up() {
            return news;
        }
        for key in accumulator.active() {
            while let Some(batch) = accumulator.take(key) {
                self.abort(key, Pending::new(batch));
            }
        }
        let keys: Vec<Key> = self.pipelines.keys().copied().collect();
        for key in keys {
            while let Some(pipeline) = self.pipelines.get_mut(&key) {
                let Some(id) = pipeline.pending.iter().find(|p| !p.in_flight).map(|p| p.id) else { break };
                let Some(pending) = pipeline.remove(id) else { break };
                self.abort(key, pending);
            }
        }
        news
    }

    fn abort(&mut self, key: Key, pending: Pending) {
        let topic = self.names[key.0].clone();
        self.finish(&topic, key, pending, Err(ClientError::Aborted), -1);
    }

    /// Begins all sequences anew when the coordinator has given another epoch: nothing is under way then.
    pub(super) fn begin_sequences(&mut self) {
        let Some(identity) = self.transactor.as_mut().and_then(Transactor::take_identity) else { return };
        let is_idle = self.pipelines.values().all(|pipeline| pipeline.pending.is_empty());
        assert!(is_idle, "another epoch while batches of the one before are under way");
        self.pipelines.clear();
        self.identity = Some(identity);
    }
}
