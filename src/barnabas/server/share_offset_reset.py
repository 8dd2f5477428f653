"""Where a share group begins in a partition: `share.auto.offset.reset`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.config.bounds import duration_seconds
from barnabas.errors import KafkaError

if TYPE_CHECKING:
    from barnabas.coordinator.group.settings import GroupSettings
    from barnabas.coordinator.share.requests import ShareKey
    from barnabas.server.handlers.context import NodeContext

LATEST, EARLIEST = -1, -2
"""Timestamps that stand for the ends of a partition."""
BY_DURATION = "by_duration:"


def starting_offset(node: NodeContext, settings: GroupSettings, key: ShareKey, *, committed: bool) -> int:
    """The offset of the first record that the group gets; raises KafkaError."""
    strategy = str(settings.of_group(node.image(), key.group_id, "share.auto.offset.reset"))
    if strategy.lower() == "earliest":
        return _offset(node, key, EARLIEST, committed=committed)
    if strategy.lower().startswith(BY_DURATION):
        seconds = duration_seconds(strategy[len(BY_DURATION) :]) or 0.0
        since = node.now() - int(seconds * 1000)
        found = _offset(node, key, max(since, 0), committed=committed)
        if found >= 0:
            return found
    return _offset(node, key, LATEST, committed=committed)


def _offset(node: NodeContext, key: ShareKey, timestamp: int, *, committed: bool) -> int:
    code, offset = node.native.share_offset(key.topic_id, key.partition, timestamp, committed)
    if code:
        raise KafkaError.for_code(code)
    return int(offset)
