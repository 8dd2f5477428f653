"""Records with their keys and values read: what consumers give that were given serdes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from barnabas.serde.base import RecordDeserializationError, Serde

K = TypeVar("K")
V = TypeVar("V")


class RawRecord(Protocol):
    """A record as it was read from its topic."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> list[tuple[str, bytes | None]]: ...


@dataclass(frozen=True, slots=True)
class ConsumerRecord(Generic[K, V]):
    """A record whose key and value are what its serdes make of them."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """Milliseconds since the Unix epoch."""
    key: K | None
    value: V | None
    headers: list[tuple[str, bytes | None]]
    timestamp_type: int = 0
    """0: the producer's; 1: the time of append."""
    leader_epoch: int = -1
    """Of the leader that wrote it; -1 where that is not known."""
    delivery_count: int | None = None
    """How often a share group has delivered it, this time included; None elsewhere."""


def read(
    record: RawRecord, key_serde: Serde[K] | None, value_serde: Serde[V] | None, advice: str = ""
) -> ConsumerRecord[Any, Any]:
    """The record, read; without a serde key or value stay bytes. Raises RecordDeserializationError, whose
    message `advice` ends."""
    headers = record.headers
    read_parts: list[Any] = []
    for what, data, serde in (("key", record.key, key_serde), ("value", record.value, value_serde)):
        try:
            read_parts.append(data if serde is None else serde.deserialize(record.topic, data, headers))
        except Exception as error:
            raise RecordDeserializationError(what, record, error, advice) from error
    key, value = read_parts
    return ConsumerRecord(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        key,
        value,
        headers,
        getattr(record, "timestamp_type", 0),
        getattr(record, "leader_epoch", -1),
        getattr(record, "delivery_count", None),
    )


def read_all(
    records: Iterable[RawRecord], key_serde: Serde[K] | None, value_serde: Serde[V] | None
) -> list[ConsumerRecord[Any, Any]]:
    """All records, read."""
    return [read(record, key_serde, value_serde) for record in records]
