"""Responses as plain values in which only what matters is left."""

from __future__ import annotations

import time
from typing import Any

from barnabas._core import Uuid
from barnabas.protocol import Struct
from barnabas.protocol.generated.fetch_response import FetchableTopicResponse
from tests.conformance.differential.read_batches import read_batches
from tests.conformance.differential.symbols import (
    DIRECTORY,
    INSTANCE,
    PRODUCER,
    SESSION,
    SUBSCRIPTION,
    TOPIC,
    Symbols,
)  # fmt: skip

DROPPED = frozenset((
    "throttle_time_ms", "host", "port", "cluster_id", "log_append_time_ms", "total_bytes", "usable_bytes",
    "replica_directory_id", "last_fetch_timestamp", "last_caught_up_timestamp", "finalized_features_epoch",
))  # fmt: skip
"""What each cluster chooses for itself, or a clock does."""

CLOCKS_APART_MS_MAX = 600_000

PRESENCE = frozenset(("error_message", "batch_index_error_message", "documentation"))
"""Sentences: each side has its own, but both have one or neither."""

KEYS = (
    "topic", "name", "topic_name", "topic_id", "resource_type", "resource_name", "partition_index",
    "partition", "index", "partition_id", "api_key", "feature", "producer_id", "broker_id", "node_id",
    "log_dir", "error_code",
)  # fmt: skip
"""Fields by which a list of structs is put in order."""

IDS = {
    "topic_id": TOPIC, "producer_id": PRODUCER, "session_id": SESSION, "client_instance_id": INSTANCE,
    "subscription_id": SUBSCRIPTION, "log_dir": DIRECTORY,
}  # fmt: skip


def normalise(value: Any, symbols: Symbols, field: str = "") -> Any:
    """A response, or a part of it, for comparison."""
    if isinstance(value, Struct):
        return {
            slot: normalise(getattr(value, slot), symbols, slot)
            for slot in value.__slots__
            if slot not in DROPPED
        }
    if isinstance(value, list):
        items = [normalise(item, symbols, field) for item in _joined(value)]
        return sorted(items, key=_order) if items and isinstance(items[0], dict) else items
    if field in PRESENCE:
        return bool(value)
    if field == "last_timestamp" and abs(value - time.time() * 1000) < CLOCKS_APART_MS_MAX:
        return "about now"  # A topic with LogAppendTime: each cluster has looked at its own clock.
    if field == "records":
        return read_batches(value, lambda producer: symbols.shown(PRODUCER, producer))
    if kind := IDS.get(field):
        if isinstance(value, Uuid) and not value:
            return "zero"
        return symbols.shown(kind, value)
    return value


def _order(item: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (key, f"{value:020d}" if isinstance(value := item[key], int) else str(value))
        for key in KEYS
        if key in item
    ]


def _joined(items: list[Any]) -> list[Any]:
    """Topics of a Fetch response, each once: the real Kafka begins one anew when another stood between."""
    if not items or not isinstance(items[0], FetchableTopicResponse):
        return items
    topics: dict[tuple[str, Uuid], list[Any]] = {}
    for item in items:
        topics.setdefault((item.topic, item.topic_id), []).extend(item.partitions)
    return [
        FetchableTopicResponse(name, topic_id, partitions) for (name, topic_id), partitions in topics.items()
    ]
