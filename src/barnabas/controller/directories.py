"""In which log directory of a broker a replica lies (KIP-858)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.controller.partition_change import PartitionChange

if TYPE_CHECKING:
    from barnabas._core import Uuid
    from barnabas.controller.decision import ControllerState, Record


def assign_replica(
    state: ControllerState, broker_id: int, topic_id: Uuid, index: int, directory: Uuid
) -> list[Record]:
    """Records the directory of a broker's replica; nothing when it is known, or the replica is gone."""
    topic = state.image.topic_by_id(topic_id)
    partition = topic.partition(index) if topic is not None else None
    if topic is None or partition is None or broker_id not in partition.replicas:
        return []
    change = PartitionChange(
        state, topic_id, topic.name, index, partition, directories={broker_id: directory}
    )
    record = change.record()
    return [record] if record is not None else []
