"""The test kit: a real broker of Kafka in the test's own process, ready in milliseconds.

With pytest there are the fixtures `kafka` and `kafka_cluster`; `KafkaTestCase` is for unittest, and `Kafka`
itself a context manager. Any client may connect to `kafka.bootstrap`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from barnabas.protocol import ApiKey, ErrorCode
    from barnabas.testing.case import KafkaTestCase
    from barnabas.testing.cluster import Broker, KafkaCluster
    from barnabas.testing.faults import Fault
    from barnabas.testing.kafka import Kafka
    from barnabas.testing.literals import ProducerRecord

__all__ = [
    "ApiKey",
    "Broker",
    "ErrorCode",
    "Fault",
    "Kafka",
    "KafkaCluster",
    "KafkaTestCase",
    "ProducerRecord",
]

_HOMES = {
    "ApiKey": "barnabas.protocol",
    "Broker": "barnabas.testing.cluster",
    "ErrorCode": "barnabas.protocol",
    "Fault": "barnabas.testing.faults",
    "Kafka": "barnabas.testing.kafka",
    "KafkaCluster": "barnabas.testing.cluster",
    "KafkaTestCase": "barnabas.testing.case",
    "ProducerRecord": "barnabas.testing.literals",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: pytest loads the plug-in beside this in every run.
    if home := _HOMES.get(name):
        return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
