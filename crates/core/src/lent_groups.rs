//! Groups that the coordinator lends to the data plane, between Python's values and the broker's.

use barnabas_broker::LentGroup;
use barnabas_protocol::{LeaderEpoch, PartitionIndex};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyList;

use crate::coordinators;
use crate::node::Node;
use crate::uuid::Uuid;

/// (partition of `__consumer_offsets`, how many there are, leader epoch, group id, whether it is empty, whether it is
/// classic, longest metadata, topics)
pub(crate) type Lent = (PartitionIndex, usize, LeaderEpoch, String, bool, bool, usize, Vec<Py<Uuid>>);

/// What a node has lent.
#[pyclass(frozen, module = "barnabas._core")]
pub(crate) struct LentGroups {
    node: Py<Node>,
}

#[pymethods]
impl LentGroups {
    #[new]
    fn new(node: Py<Node>) -> LentGroups {
        LentGroups { node }
    }

    fn may_lend(&self, partition: PartitionIndex) -> PyResult<bool> {
        Ok(self.node.get().running()?.broker.may_lend_groups(partition))
    }

    fn lend(&self, py: Python<'_>, rows: Vec<Lent>) -> PyResult<()> {
        let running = self.node.get().running()?;
        py.detach(|| running.broker.lend_groups(rows.into_iter().map(lent_group)));
        Ok(())
    }

    fn take_back<'py>(
        &self,
        py: Python<'py>,
        partition: PartitionIndex,
        group_ids: Vec<PyBackedStr>,
    ) -> PyResult<(u64, Bound<'py, PyList>)> {
        let running = self.node.get().running()?;
        let group_ids: Vec<&str> = group_ids.iter().map(|id| &**id).collect();
        let back = py.detach(|| running.broker.take_back_groups(partition, &group_ids));
        Ok((back.count, coordinators::records(py, &back.newest)?))
    }

    fn forget(&self, py: Python<'_>, partition: PartitionIndex) -> PyResult<()> {
        let running = self.node.get().running()?;
        py.detach(|| running.broker.forget_lent_groups(partition));
        Ok(())
    }
}

fn lent_group(row: Lent) -> (String, LentGroup) {
    let (index, partitions, leader_epoch, group_id, empty, classic, metadata_bytes_max, topics) = row;
    let topics = topics.iter().map(|id| id.get().0).collect();
    (group_id, LentGroup { index, partitions, leader_epoch, empty, classic, metadata_bytes_max, topics })
}
