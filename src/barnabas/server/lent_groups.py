"""What the coordinator of groups has lent to the data plane (`barnabas.coordinator.group.lending`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from barnabas.coordinator.group.lending import LendGroup, TakenBack
from barnabas.coordinator.group.machine import GroupMachine
from barnabas.coordinator.machine import Stored
from barnabas.coordinator.records import GROUPS
from barnabas.coordinator.shard import Phase, decoded
from barnabas.server.handlers.context import PerNode

if TYPE_CHECKING:
    from barnabas import _core
    from barnabas.coordinator.shard import Shard
    from barnabas.server.handlers.context import NodeContext


class PartitionLending:
    """The data plane, as the machine of one partition sees it."""

    def __init__(self, lent: _core.LentGroups, partition: int) -> None:
        self._lent = lent
        self._partition = partition

    def take_back(self, group_ids: Sequence[str]) -> TakenBack:
        """What was written of groups, which are not lent any more."""
        records, rows = self._lent.take_back(self._partition, group_ids)
        return TakenBack(records, cast("list[Stored]", decoded(GROUPS, rows)))


class GroupLender:
    """Lends the groups of one node, at the end of each turn, and takes them back."""

    def __init__(self, node: NodeContext) -> None:
        self._node = node
        self._lent = node.lent_groups
        self._offered: list[tuple[Shard, LendGroup]] = []
        node.coordinators.on_effect(LendGroup, self._note)
        node.coordinators.performed.append(self._lend)

    def of_partition(self, partition: int) -> PartitionLending:
        """What the machine of a partition lends through, whose log is about to be read."""
        self._lent.forget(partition)  # All that was written is in there.
        return PartitionLending(self._lent, partition)

    def take_back_all(self) -> None:
        """For those who want to see everything as it is."""
        for shard in self._node.coordinators.shards(GROUPS):
            if shard.phase is Phase.SERVING:
                cast("GroupMachine", shard.machine).lending.take_back_all()

    def _note(self, shard: Shard, offer: LendGroup) -> None:
        self._offered.append((shard, offer))

    def _lend(self) -> None:
        if self._offered:
            offered, self._offered = self._offered, []
            rows = [row for shard, offer in offered if (row := self._row(shard, offer)) is not None]
            self._lent.lend(rows)

    def _row(self, shard: Shard, offer: LendGroup) -> _core.LentGroup | None:
        """How the data plane is told of a group; None when it is not to be lent."""
        topic = self._node.coordinators.image.topic(GROUPS)
        if topic is None or shard.phase is not Phase.SERVING or not self._lent.may_lend(shard.partition):
            return None
        lent = cast("GroupMachine", shard.machine).lending.lend(offer)
        if lent is None:
            return None
        return (shard.partition, topic.partition_count, shard.leader_epoch, *lent)


_LENDERS = PerNode(GroupLender)


def of(node: NodeContext) -> GroupLender:
    """The lender of a node."""
    return _LENDERS.of(node)
