"""The kinds of coordinators that this node serves, one for each internal topic. Their modules are imported
with the first partition that the node leads, since start-up time counts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.records import GROUPS, TRANSACTIONS
from barnabas.server.coordinators import Kind

if TYPE_CHECKING:
    from barnabas.config.resolve import BrokerConfigs
    from barnabas.coordinator.machine import Machine
    from barnabas.server.handlers.context import NodeContext


def kinds(node: NodeContext) -> list[Kind]:
    """All kinds, for one node."""
    return [
        Kind(GROUPS, _groups, _group_settings),
        Kind(TRANSACTIONS, partial(_transactions, node), partial(_transaction_settings, node)),
    ]


def _groups() -> Machine:
    from barnabas.coordinator.group.machine import GroupMachine

    return GroupMachine()


def _group_settings(configs: BrokerConfigs) -> Any:
    from barnabas.coordinator.group.settings import GroupSettings

    return GroupSettings(configs)


def _transactions(node: NodeContext) -> Machine:
    from barnabas.coordinator.transaction.machine import TransactionMachine
    from barnabas.server import transactions

    return TransactionMachine(transactions.of(node).latest_connection)


def _transaction_settings(node: NodeContext, configs: BrokerConfigs) -> Any:
    from barnabas.server import transactions

    return transactions.of(node).settings(configs)
