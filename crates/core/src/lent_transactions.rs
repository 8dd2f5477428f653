//! Transactional ids that the coordinator lends to the data plane, between Python's values and the broker's.

use barnabas_broker::{LentTransaction, Transaction, TransactionState};
use barnabas_protocol::{LeaderEpoch, Millis, PartitionIndex, ProducerEpoch, ProducerId};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::node::Node;

/// (producer epoch, last producer epoch, previous producer id, state, partitions, start, last update, transaction
/// version, connection): what plain steps change.
pub(crate) type Changing =
    (ProducerEpoch, ProducerEpoch, ProducerId, i8, Vec<(String, PartitionIndex)>, Millis, Millis, i16, u64);

/// (partition of `__transaction_state`, leader epoch, transactional id, producer id, time-out, what changes)
pub(crate) type Lent = (PartitionIndex, LeaderEpoch, String, ProducerId, i32, Changing);

/// What a node has lent.
#[pyclass(frozen, module = "barnabas._core")]
pub(crate) struct LentTransactions {
    node: Py<Node>,
}

#[pymethods]
impl LentTransactions {
    #[new]
    fn new(node: Py<Node>) -> LentTransactions {
        LentTransactions { node }
    }

    fn lend(&self, py: Python<'_>, rows: Vec<Lent>) -> PyResult<()> {
        let running = self.node.get().running()?;
        let lent: PyResult<Vec<LentTransaction>> = rows.into_iter().map(lent_transaction).collect();
        let lent = lent?;
        py.detach(|| running.broker.lend_transactions(lent));
        Ok(())
    }

    fn take_back(&self, py: Python<'_>, transactional_id: &str) -> PyResult<Option<Changing>> {
        let running = self.node.get().running()?;
        let lent = py.detach(|| running.broker.take_back_transaction(transactional_id));
        Ok(lent.map(|LentTransaction { transaction, connection, .. }| changing(transaction, connection)))
    }

    fn forget(&self, py: Python<'_>, partition: PartitionIndex) -> PyResult<u64> {
        let running = self.node.get().running()?;
        Ok(py.detach(|| running.broker.forget_lent_transactions(partition)))
    }

    fn overdue(&self, py: Python<'_>, now: Millis) -> PyResult<Vec<String>> {
        let running = self.node.get().running()?;
        Ok(py.detach(|| running.broker.overdue_transactions(now)))
    }
}

fn lent_transaction(row: Lent) -> PyResult<LentTransaction> {
    let (index, leader_epoch, transactional_id, producer_id, timeout_ms, changing) = row;
    let (
        producer_epoch,
        last_producer_epoch,
        previous_producer_id,
        state,
        partitions,
        start,
        update,
        version,
        connection,
    ) = changing;
    let state = TransactionState::of(state)
        .ok_or_else(|| PyValueError::new_err(format!("a transaction in state {state} can't be lent")))?;
    let transaction = Transaction {
        transactional_id,
        producer_id,
        producer_epoch,
        last_producer_epoch,
        previous_producer_id,
        timeout_ms,
        state,
        partitions: partitions.into_iter().collect(),
        start_timestamp: start,
        last_update_timestamp: update,
        transaction_version: version,
    };
    Ok(LentTransaction { index, leader_epoch, transaction, connection })
}

fn changing(transaction: Transaction, connection: u64) -> Changing {
    (
        transaction.producer_epoch,
        transaction.last_producer_epoch,
        transaction.previous_producer_id,
        transaction.state as i8,
        transaction.partitions.into_iter().collect(),
        transaction.start_timestamp,
        transaction.last_update_timestamp,
        transaction.transaction_version,
        connection,
    )
}
