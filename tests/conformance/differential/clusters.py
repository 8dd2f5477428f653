"""Two fresh nodes with the same settings."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from barnabas import Broker
from tests.support.oracle import apache_kafka

SETTINGS = {
    "node.id": "1",
    "log.retention.check.interval.ms": "86400000",
    "log.cleaner.enable": "false",
}
"""Nothing is deleted by a clock while two clusters are compared."""


@contextlib.contextmanager
def kafka_node() -> Iterator[str]:
    with apache_kafka(SETTINGS) as kafka:
        yield kafka.bootstrap


@contextlib.contextmanager
def barnabas_node() -> Iterator[str]:
    """On disk, in this process."""
    with (
        tempfile.TemporaryDirectory(prefix="barnabas-") as parent,
        Broker(Path(parent) / "data", settings=SETTINGS) as broker,
    ):
        yield broker.bootstrap
