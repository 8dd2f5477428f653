"""The kinds of coordinators that this node serves, one for each internal topic. Their modules are imported
with the first partition that the node leads, since start-up time counts."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.records import GROUPS, SHARES, TRANSACTIONS
from barnabas.server.coordinators import Kind

if TYPE_CHECKING:
    from barnabas.config.resolve import BrokerConfigs
    from barnabas.coordinator.machine import Machine
    from barnabas.server.handlers.context import NodeContext


def kinds(node: NodeContext) -> list[Kind]:
    """All kinds, for one node."""
    return [
        Kind(GROUPS, partial(_groups, node, Counter()), _group_settings),
        Kind(TRANSACTIONS, partial(_transactions, node), partial(_transaction_settings, node)),
        Kind(SHARES, partial(_shares, node), _share_settings),
    ]


def _groups(node: NodeContext, tally: Counter[str], partition: int) -> Machine:
    from barnabas.coordinator.group.machine import GroupMachine
    from barnabas.server import lent_groups, share_states

    share_states.of(node)  # Carries out what share groups ask of the share coordinator.
    machine = GroupMachine(tally=tally)
    machine.lending.plane = lent_groups.of(node).of_partition(partition)
    return machine


def _group_settings(configs: BrokerConfigs) -> Any:
    from barnabas.coordinator.group.settings import GroupSettings

    return GroupSettings(configs)


def _transactions(node: NodeContext, partition: int) -> Machine:
    from barnabas.server import transactions

    return transactions.of(node).machine(partition)


def _transaction_settings(node: NodeContext, configs: BrokerConfigs) -> Any:
    from barnabas.server import transactions

    return transactions.of(node).settings(configs)


def _shares(node: NodeContext, _partition: int) -> Machine:
    from barnabas.coordinator.share.machine import ShareMachine
    from barnabas.server import share_states

    share_states.of(node)  # Deletes what nobody needs any more.
    return ShareMachine()


def _share_settings(configs: BrokerConfigs) -> Any:
    from barnabas.coordinator.share.settings import ShareSettings

    return ShareSettings(configs)
