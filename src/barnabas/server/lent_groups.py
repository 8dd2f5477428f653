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
    from barnabas._core import LentGroup
    from barnabas.coordinator.shard import Shard
    from barnabas.server.handlers.context import NodeContext


class GroupLender:
    """Lends the groups of one node, at the end of each turn, and takes them back."""

    def __init__(self, node: NodeContext) -> None:
        self._node = node
        self._lent = node.lent_groups
        self._offered: list[tuple[Shard, LendGroup]] = []
        node.coordinators.on_effect(LendGroup, self._note)
        node.coordinators.performed.append(self._lend)

    def forget(self, partition: int) -> None:
        """The log of a partition is about to be read: all that is known of its groups is in there."""
        self._lent.forget(partition)

    def take_back(self, group_ids: Sequence[str]) -> TakenBack:
        """What was written of groups, which are not lent any more."""
        records, rows = self._lent.take_back(group_ids)
        return TakenBack(records, cast("list[Stored]", decoded(GROUPS, rows)))

    def take_back_all(self) -> None:
        """For those who want to see everything as it is."""
        for shard in self._node.coordinators.shards(GROUPS):
            if shard.phase is Phase.SERVING:
                cast("GroupMachine", shard.machine).lending.take_back_all(self)

    def _note(self, shard: Shard, offer: LendGroup) -> None:
        self._offered.append((shard, offer))

    def _lend(self) -> None:
        if self._offered:
            offered, self._offered = self._offered, []
            rows = [row for shard, offer in offered if (row := self._row(shard, offer)) is not None]
            self._lent.lend(rows)

    def _row(self, shard: Shard, offer: LendGroup) -> LentGroup | None:
        """How the data plane is told of a group; None when it is not to be lent."""
        if shard.phase is not Phase.SERVING or not self._lent.may_lend(shard.partition):
            return None
        lent = cast("GroupMachine", shard.machine).lending.lend(offer)
        if lent is None:
            return None
        return (shard.partition, shard.leader_epoch, *lent)


_LENDERS = PerNode(GroupLender)


def of(node: NodeContext) -> GroupLender:
    """The lender of a node."""
    return _LENDERS.of(node)
