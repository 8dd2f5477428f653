"""What the commands know of transactions and of the producers that write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from barnabas.cli.brokers.offsets import Partition

STATES = (
    "CompleteAbort",
    "CompleteCommit",
    "Dead",
    "Empty",
    "Ongoing",
    "PrepareAbort",
    "PrepareCommit",
    "PrepareEpochFence",
)


@dataclass(frozen=True)
class ListedTransaction:
    """A line of the cluster's list: a transactional id and what its transaction is doing."""

    name: str
    producer_id: int
    state: str
    coordinator: int
    """Id of the broker."""

    def as_document(self) -> dict[str, Any]:
        return {
            "transactional_id": self.name,
            "producer_id": self.producer_id,
            "state": self.state,
            "coordinator": self.coordinator,
        }


@dataclass(frozen=True)
class Transaction:
    """A transactional id, seen by its coordinator."""

    name: str
    coordinator: int
    producer_id: int
    producer_epoch: int
    state: str
    timeout_ms: int
    started_ms: int | None
    """Milliseconds since 1970; None when no transaction is open."""
    partitions: tuple[Partition, ...]

    def as_document(self) -> dict[str, Any]:
        topics: dict[str, list[int]] = {}
        for topic, index in self.partitions:
            topics.setdefault(topic, []).append(index)
        return {
            "transactional_id": self.name,
            "coordinator": self.coordinator,
            "producer_id": self.producer_id,
            "producer_epoch": self.producer_epoch,
            "state": self.state,
            "timeout_ms": self.timeout_ms,
            "started": self.started_ms,
            "partitions": topics,
        }


@dataclass(frozen=True)
class Producer:
    """A producer, seen by a partition that it has written to."""

    topic: str
    partition: int
    producer_id: int
    producer_epoch: int
    last_sequence: int
    last_timestamp_ms: int
    """Of its last record, milliseconds since 1970; -1 when it has none."""
    coordinator_epoch: int
    """Of the last marker; -1 when there was none."""
    start_offset: int | None
    """Where its open transaction begins in the partition; None when there is none."""

    @property
    def place(self) -> Partition:
        return self.topic, self.partition

    def as_document(self) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "partition": self.partition,
            "producer_id": self.producer_id,
            "producer_epoch": self.producer_epoch,
            "last_sequence": self.last_sequence,
            "last_timestamp": self.last_timestamp_ms,
            "coordinator_epoch": self.coordinator_epoch,
            "start_offset": self.start_offset,
        }
