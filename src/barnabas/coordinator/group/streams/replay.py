"""Replays the records of streams groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.group.epochs.replay import Apply, EpochReplays
from barnabas.coordinator.group.streams.group import StreamsGroup
from barnabas.coordinator.group.streams.member import MemberState, StreamsMember
from barnabas.coordinator.group.streams.records import RECORDS
from barnabas.coordinator.group.streams.tasks import NOTHING_OWNED, OwnedTasks, Tasks, read
from barnabas.coordinator.group.streams.topology import topology_of
from barnabas.protocol.generated.streams_group_current_member_assignment_value import TaskIds
from barnabas.protocol.generated.streams_group_topology_key import StreamsGroupTopologyKey

if TYPE_CHECKING:
    from barnabas.coordinator.group.kind import Groups
    from barnabas.protocol.message import Message


class Replays(EpochReplays[StreamsGroup]):
    """Applies records to the streams groups of one machine."""

    def __init__(self, groups: Groups) -> None:
        super().__init__(groups, StreamsGroup, RECORDS)

    def new_group(self, group_id: str) -> StreamsGroup:
        return StreamsGroup(group_id)

    def others(self) -> Mapping[type[Message], Apply[StreamsGroup]]:
        return {StreamsGroupTopologyKey: _topology}

    def set_group(self, group: StreamsGroup, value: Any) -> None:
        group.validated_topology_epoch = value.validated_topology_epoch
        group.assignment_configs = {one.key: one.value for one in value.last_assignment_configs or ()}

    def new_member(self, member_id: str) -> StreamsMember:
        return StreamsMember(member_id)

    def says(self, value: Any) -> Mapping[str, Any]:
        endpoint = value.user_endpoint
        return {
            "instance_id": value.instance_id,
            "rack_id": value.rack_id,
            "client_id": value.client_id,
            "client_host": value.client_host,
            "rebalance_timeout_ms": value.rebalance_timeout_ms,
            "topology_epoch": value.topology_epoch,
            "process_id": value.process_id,
            "user_endpoint": None if endpoint is None else (endpoint.host, endpoint.port),
            "client_tags": {tag.key: tag.value for tag in value.client_tags},
        }

    def target_of(self, value: Any) -> Tasks:
        return Tasks(read(value.active_tasks), read(value.standby_tasks), read(value.warmup_tasks))

    def has(self, value: Any) -> Mapping[str, Any]:
        if value is None:
            return {"assigned": NOTHING_OWNED, "pending_revocation": NOTHING_OWNED}
        return {
            "state": MemberState(value.state),
            "assigned": OwnedTasks(
                _with_epochs(value.active_tasks, value.member_epoch),
                read(value.standby_tasks),
                read(value.warmup_tasks),
            ),
            "pending_revocation": OwnedTasks(
                _with_epochs(value.active_tasks_pending_revocation, value.member_epoch),
                read(value.standby_tasks_pending_revocation),
                read(value.warmup_tasks_pending_revocation),
            ),
        }


def _topology(group: StreamsGroup, _: Any, value: Any) -> None:
    group.topology = None if value is None else topology_of(value)
    group.configured = None


def _with_epochs(task_ids: Sequence[TaskIds], member_epoch: int) -> Mapping[str, Mapping[int, int]]:
    """Active tasks with their assignment epochs; brokers before 4.3 wrote none."""
    owned = {}
    for one in task_ids:
        epochs = one.assignment_epochs
        if epochs is None or len(epochs) != len(one.partitions):
            epochs = [member_epoch] * len(one.partitions)
        owned[one.subtopology_id] = dict(zip(one.partitions, epochs, strict=True))
    return owned
