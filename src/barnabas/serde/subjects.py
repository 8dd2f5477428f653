"""Strategies: under which subject a schema is registered, by topic, by its record's name, or by both."""

from __future__ import annotations

from collections.abc import Callable

from barnabas.serde.base import SerializationError

SubjectStrategy = Callable[[str, bool, str | None], str]
"""From the topic, whether it is the key's schema, and the record's name (None without one) to the subject."""


def topic_name(topic: str, is_key: bool, _record: str | None) -> str:
    """`<topic>-key` or `<topic>-value`."""
    return f"{topic}-{'key' if is_key else 'value'}"


def record_name(_topic: str, _is_key: bool, record: str | None) -> str:
    """The name of the record, in whatever topic."""
    return _named(record)


def topic_record_name(topic: str, _is_key: bool, record: str | None) -> str:
    """`<topic>-<record>`: several types in a topic, each evolving by itself."""
    return f"{topic}-{_named(record)}"


def _named(record: str | None) -> str:
    if record is None:
        raise SerializationError("the schema has no name, which the subject strategy asks for")
    return record
