"""Lists of what another serde writes, in the format of Kafka's `ListSerializer` (KIP-466).

A format byte comes first: 0 for elements that all have the same size, whose nulls stand in a list of their
places; 1 for elements that have their size before them, -1 for a null.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Generic, TypeVar

from barnabas.serde.base import Headers, Serde, SerializationError
from barnabas.serde.primitives import UUID, Double, Float, Integer, Long, Short

T = TypeVar("T")

CONSTANT_SIZE, VARIABLE_SIZE = 0, 1
NULL_SIZE = -1
_WORD = struct.Struct(">i")
_SIZES: dict[type, int] = {Short: 2, Integer: 4, Float: 4, Long: 8, Double: 8, UUID: 36}
"""Serdes whose bytes Kafka counts as being of one size."""


class List(Generic[T]):
    """A list of values of `inner`."""

    def __init__(self, inner: Serde[T]) -> None:
        self.inner = inner
        self._size = _SIZES.get(type(inner))

    def serialize(self, topic: str, value: Sequence[T | None] | None, headers: Headers = ()) -> bytes | None:
        """The list's bytes."""
        if value is None:
            return None
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise SerializationError(f"List can't be made of {type(value).__name__}")
        parts = [bytes([VARIABLE_SIZE if self._size is None else CONSTANT_SIZE])]
        if self._size is not None:
            nulls = [index for index, element in enumerate(value) if element is None]
            parts += map(_WORD.pack, [len(nulls), *nulls])
        parts.append(_WORD.pack(len(value)))
        for element in value:
            data = None if element is None else self.inner.serialize(topic, element, headers)
            if self._size is None:
                parts.append(_WORD.pack(NULL_SIZE if data is None else len(data)))
            parts.append(data or b"")
        return b"".join(parts)

    def deserialize(self, topic: str, data: bytes | None, headers: Headers = ()) -> list[T | None] | None:
        """The list."""
        if data is None:
            return None
        reader = _Reader(data)
        form = reader.take(1)[0]
        if form not in (CONSTANT_SIZE, VARIABLE_SIZE) or (form == CONSTANT_SIZE and self._size is None):
            raise SerializationError(f"List of {type(self.inner).__name__} has no format {form}")
        nulls = {reader.word() for _ in range(reader.count())} if form == CONSTANT_SIZE else set[int]()
        found: list[T | None] = []
        count = reader.word()
        if count < 0:
            raise SerializationError(f"List can't hold {count}")
        # Each element takes bytes, or a place among the nulls: a count that lies ends the loop soon.
        for index in range(count):
            size = NULL_SIZE if index in nulls else self._size if form == CONSTANT_SIZE else reader.word()
            if size is None or size == NULL_SIZE:
                found.append(None)
            else:
                found.append(self.inner.deserialize(topic, reader.take(size), headers))
        reader.end()
        return found


class _Reader:
    """Reads the bytes of one list."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def word(self) -> int:
        word: int = _WORD.unpack(self.take(_WORD.size))[0]
        return word

    def count(self) -> int:
        """A number of things that follow, of a word each at least."""
        count = self.word()
        if not 0 <= count * _WORD.size <= len(self._data):
            raise SerializationError(f"List of {len(self._data)} bytes can't hold {count}")
        return count

    def take(self, size: int) -> bytes:
        end = self._at + size
        if size < 0 or end > len(self._data):
            raise SerializationError(f"List ends at byte {len(self._data)}, within an element of {size}")
        part = self._data[self._at : end]
        self._at = end
        return part

    def end(self) -> None:
        if self._at != len(self._data):
            raise SerializationError(f"{len(self._data) - self._at} bytes follow the list")
