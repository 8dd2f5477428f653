//! Transactions as the user's threads see them: begun, filled, committed or aborted.

use barnabas_protocol::error::ErrorCode;

use crate::error::ClientError;
use crate::producer::{Producer, Waited};
use crate::transaction::{End, Offsets, Transaction};

impl Producer {
    /// Asks how far the transaction is; waits up to `slice_ms` until `look` says that it is there.
    fn asked<L>(&self, slice_ms: u64, mut look: L) -> Result<Waited, ClientError>
    where
        L: FnMut(&mut Transaction) -> Result<bool, ClientError>,
    {
        let why = "a producer without transactional.id has no transactions";
        let none = || ClientError::broker(ErrorCode::INVALID_TXN_STATE, why);
        let found = self.until(slice_ms, |accumulator| {
            if accumulator.is_closed() {
                return Some(Err(ClientError::Closed));
            }
            let done = accumulator.transaction().ok_or_else(none).and_then(&mut look);
            done.map(|done| done.then_some(Waited::Done)).transpose()
        });
        found.unwrap_or(Ok(Waited::NotYet))
    }

    /// Waits up to `slice_ms` for the coordinator to know the producer.
    pub fn initialized(&self, slice_ms: u64) -> Result<Waited, ClientError> {
        self.asked(slice_ms, |transaction| transaction.is_initialized())
    }

    /// Begins a transaction; waits up to `slice_ms` until that can be done.
    pub fn begin_transaction(&self, slice_ms: u64) -> Result<Waited, ClientError> {
        self.asked(slice_ms, Transaction::begin)
    }

    /// Begins to commit or abort; what comes of it tells [`Producer::transaction_ended`].
    pub fn end_transaction(&self, end: End) -> Result<(), ClientError> {
        self.asked(0, |transaction| transaction.end(end).map(|()| true))?;
        self.lock().hurry();
        self.wake();
        Ok(())
    }

    /// Waits up to `slice_ms` for the end.
    pub fn transaction_ended(&self, slice_ms: u64) -> Result<Waited, ClientError> {
        self.asked(slice_ms, |transaction| transaction.has_ended())
    }

    /// Makes offsets a part of the transaction; what comes of it tells [`Producer::offsets_sent`].
    pub fn send_offsets(&self, offsets: Offsets) -> Result<(), ClientError> {
        let mut offsets = Some(offsets);
        self.asked(0, |transaction| {
            offsets.take().map_or(Ok(()), |all| transaction.add_offsets(all)).map(|()| true)
        })?;
        self.lock().hurry();
        self.wake();
        Ok(())
    }

    /// Waits up to `slice_ms` until all offsets are acknowledged.
    pub fn offsets_sent(&self, slice_ms: u64) -> Result<Waited, ClientError> {
        self.asked(slice_ms, |transaction| transaction.has_offsets())
    }

    /// Whether records of a transaction wait for its end.
    pub fn is_in_transaction(&self) -> bool {
        let mut accumulator = self.lock();
        accumulator.transaction().is_some_and(|transaction| transaction.can_abort())
    }
}
