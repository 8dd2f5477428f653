"""Records as tests write them down, and as they read them back.

A record is a value, a pair of key and value, or a `ProducerRecord` where more is to be said of it. A value is
text, bytes, None (a tombstone), or anything else, which goes out as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from barnabas.serde.models import dump

if TYPE_CHECKING:
    from barnabas.serde import ConsumerRecord, Serde


@dataclass(frozen=True, slots=True)
class ProducerRecord:
    """A record to be written, or one that is expected: then `...` stands for anything."""

    value: Any = None
    key: Any = None
    partition: int | None = None
    """None: the one that its key chooses, or any."""
    headers: Mapping[str, Any] = field(default_factory=dict)
    timestamp: int | None = None
    """Milliseconds since the Unix epoch. None: now, by the broker's clock, or any."""


Literal = Any
"""A value, a pair (key, value), or a ProducerRecord."""


def record_of(literal: Literal) -> ProducerRecord:
    """What a literal says."""
    if isinstance(literal, ProducerRecord):
        return literal
    if isinstance(literal, tuple):
        if len(literal) != 2:
            raise TypeError(f"a record is a value or a pair of key and value, not {literal!r}")
        return ProducerRecord(key=literal[0], value=literal[1])
    return ProducerRecord(value=literal)


def to_bytes(value: Any, topic: str, serde: Serde[Any] | None = None) -> bytes | None:
    """What is written for a key, a value or a header."""
    if value is None:
        return None
    if serde is not None:
        return serde.serialize(topic, value)
    match value:
        case bytes() | bytearray() | memoryview():
            return bytes(value)
        case str():
            return value.encode()
        case _:
            return dump(value)


def headers_of(headers: Mapping[str, Any] | Iterable[tuple[str, Any]], topic: str) -> list[tuple[str, Any]]:
    """A record's headers as they are written."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [(name, to_bytes(value, topic)) for name, value in pairs]


def agrees(
    wanted: ProducerRecord,
    found: ConsumerRecord[Any, Any],
    key_serde: Serde[Any] | None,
    value_serde: Serde[Any] | None,
    *,
    with_key: bool,
) -> bool:
    """Whether a record is what was expected. A key is compared if it was named."""
    topic = found.topic
    same_key = not with_key or _same(wanted.key, found.key, topic, key_serde)
    same_headers = all(
        any(
            name == other and (value is ... or to_bytes(value, topic) == data)
            for other, data in found.headers
        )
        for name, value in wanted.headers.items()
    )
    return bool(
        same_key
        and _same(wanted.value, found.value, topic, value_serde)
        and same_headers
        and wanted.partition in (None, found.partition)
        and wanted.timestamp in (None, found.timestamp)
    )


def _same(wanted: Any, found: Any, topic: str, serde: Serde[Any] | None) -> bool:
    if wanted is ...:
        return True
    if serde is not None:
        return bool(wanted == found)
    if found is None or wanted is None:
        return wanted is None and found is None
    if isinstance(wanted, str | bytes | bytearray | memoryview):
        return bool(to_bytes(wanted, topic) == found)
    return _same_json(wanted, found)


def _same_json(wanted: Any, found: bytes) -> bool:
    """Compared as values: the order of keys and spaces do not matter."""
    import json

    try:
        return bool(json.loads(dump(wanted)) == json.loads(found))
    except ValueError:
        return False
