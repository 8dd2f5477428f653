//! Transactions as the user's threads see them: begun, filled, committed or aborted.

use barnabas_protocol::error::ErrorCode;

use crate::error::ClientError;
use crate::producer::{Producer, Waited};
use crate::transaction::{End, Offsets, Transaction};

impl Producer {
    /// Asks how far the transaction is; when `look` says that it is not there yet, waits up to `slice_ms` and looks
    /// again.
    fn until<L>(&self, slice_ms: u64, mut look: L) -> Result<Waited, ClientError>
    where
        L: FnMut(&mut Transaction) -> Result<bool, ClientError>,
    {
        let mut accumulator = self.lock();
        for may_wait in [slice_ms > 0, false] {
            if accumulator.is_closed() {
                return Err(ClientError::Closed);
            }
            let why = "a producer without transactional.id has no transactions";
            let none = || ClientError::broker(ErrorCode::INVALID_TXN_STATE, why);
            if look(accumulator.transaction().ok_or_else(none)?)? {
                return Ok(Waited::Done);
            }
            if may_wait {
                self.wait_in(&mut accumulator, slice_ms);
            }
        }
        Ok(Waited::NotYet)
    }

    /// Waits up to `slice_ms` for the coordinator to know the producer.
    pub fn initialized(&self, slice_ms: u64) -> Result<Waited, ClientError> {
        self.until(slice_ms, |transaction| transaction.is_initialized())
    }

    /// Begins a transaction; waits up to `slice_ms` until that can be done.
    pub fn begin_transaction(&self, slice_ms: u64) -> Result<Waited, ClientError> {
        self.until(slice_ms, Transaction::begin)
    }

    /// Begins to commit or abort; what comes of it tells [`Producer::transaction_ended`].
    pub fn end_transaction(&self, end: End) -> Result<(), ClientError> {
        self.until(0, |transaction| transaction.end(end).map(|()| true))?;
        self.lock().hurry();
        self.wake();
        Ok(())
    }

    /// Waits up to `slice_ms` for the end.
    pub fn transaction_ended(&self, slice_ms: u64) -> Result<Waited, ClientError> {
        self.until(slice_ms, |transaction| transaction.has_ended())
    }

    /// Makes offsets a part of the transaction; what comes of it tells [`Producer::offsets_sent`].
    pub fn send_offsets(&self, offsets: Offsets) -> Result<(), ClientError> {
        let mut offsets = Some(offsets);
        self.until(0, |transaction| {
            offsets.take().map_or(Ok(()), |all| transaction.add_offsets(all)).map(|()| true)
        })?;
        self.lock().hurry();
        self.wake();
        Ok(())
    }

    /// Waits up to `slice_ms` until all offsets are acknowledged.
    pub fn offsets_sent(&self, slice_ms: u64) -> Result<Waited, ClientError> {
        self.until(slice_ms, |transaction| transaction.has_offsets())
    }

    /// Whether records of a transaction wait for its end.
    pub fn is_in_transaction(&self) -> bool {
        let mut accumulator = self.lock();
        accumulator.transaction().is_some_and(|transaction| transaction.can_abort())
    }
}
