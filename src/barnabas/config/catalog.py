"""Every config that barnabas knows, by resource. Tables are split when first asked for."""

from collections.abc import Mapping
from functools import cache

from . import (
    broker_group,
    broker_log,
    broker_network,
    broker_node,
    broker_replication,
    broker_security,
    broker_share,
    broker_tiered,
    broker_transaction,
)
from .definition import ConfigKey, parse_table

BROKER_AREAS = {
    "Node, controller and metadata": broker_node,
    "Listeners and requests": broker_network,
    "Logs": broker_log,
    "Replication": broker_replication,
    "Tiered storage": broker_tiered,
    "Groups": broker_group,
    "Share groups": broker_share,
    "Producers and transactions": broker_transaction,
    "Security": broker_security,
}
"""Heading and table of each area of broker configs."""


@cache
def broker_keys() -> Mapping[str, ConfigKey]:
    """Broker configs by name, with the three that exist as dynamic ones only."""
    keys: dict[str, ConfigKey] = {}
    for area in BROKER_AREAS.values():
        keys.update(parse_table(area.TABLE, with_mode=True))
    return keys


@cache
def topic_keys() -> Mapping[str, ConfigKey]:
    """Topic configs by name."""
    from . import topic

    return parse_table(topic.TABLE, with_mode=False)


@cache
def group_keys() -> Mapping[str, ConfigKey]:
    """Group configs by name."""
    from . import group

    return parse_table(group.TABLE, with_mode=False)


@cache
def client_metrics_keys() -> Mapping[str, ConfigKey]:
    """Configs of client metrics subscriptions by name."""
    from . import client_metrics

    return parse_table(client_metrics.TABLE, with_mode=False)
