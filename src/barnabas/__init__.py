"""barnabas: Apache Kafka and the platform round it, in Python over a native data plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from barnabas._core import Record, RecordBatch, RecordMetadata
    from barnabas.clients.admin.client import Admin
    from barnabas.clients.consumer import (
        Consumer,
        ConsumerGroupMetadata,
        OffsetAndMetadata,
        TopicPartition,
    )
    from barnabas.clients.producer import Producer
    from barnabas.clients.share_consumer import AcknowledgeType, ShareConsumer
    from barnabas.server.broker import Broker

__all__ = [
    "AcknowledgeType",
    "Admin",
    "Broker",
    "Consumer",
    "ConsumerGroupMetadata",
    "OffsetAndMetadata",
    "Producer",
    "Record",
    "RecordBatch",
    "RecordMetadata",
    "ShareConsumer",
    "TopicPartition",
    "__version__",
]

__version__ = "0.1.0"


_HOMES = {
    "AcknowledgeType": "barnabas.clients.share_consumer",
    "Admin": "barnabas.clients.admin.client",
    "Broker": "barnabas.server.broker",
    "Consumer": "barnabas.clients.consumer",
    "ConsumerGroupMetadata": "barnabas.clients.consumer",
    "OffsetAndMetadata": "barnabas.clients.consumer",
    "Producer": "barnabas.clients.producer",
    "Record": "barnabas._core",
    "RecordBatch": "barnabas._core",
    "RecordMetadata": "barnabas._core",
    "ShareConsumer": "barnabas.clients.share_consumer",
    "TopicPartition": "barnabas.clients.consumer",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: the command line starts faster without.
    if home := _HOMES.get(name):
        import importlib

        return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
