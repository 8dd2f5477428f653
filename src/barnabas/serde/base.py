"""What a serde is: from a value to the bytes of a key or of a record's value, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from barnabas.errors import BarnabasError

if TYPE_CHECKING:
    from barnabas.serde.records import RawRecord

T = TypeVar("T")

Headers = Sequence[tuple[str, bytes | None]]
"""Headers of a record, in order; a key may stand there twice."""


class SerializationError(BarnabasError):
    """A value that can't be written, or bytes that can't be read."""


class RecordDeserializationError(SerializationError):
    """Key or value of a record can't be read. The record can be passed over: it is at `offset`."""

    def __init__(self, what: str, record: RawRecord, cause: Exception, advice: str = "") -> None:
        """`what`: key or value. `advice` ends the message."""
        topic, partition, offset = record.topic, record.partition, record.offset
        super().__init__(f"the {what} of {topic}-{partition}@{offset} can't be read: {cause}{advice}")
        self.what = what
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.record = record
        """The record as it was read from its topic, with the bytes of its key and value."""


@runtime_checkable
class Serde(Protocol[T]):
    """Writes and reads values of one type. None is null: a missing key, or a tombstone."""

    def serialize(self, topic: str, value: T | None, headers: Headers = ()) -> bytes | None:
        """The bytes of a value. Raises SerializationError."""

    def deserialize(self, topic: str, data: bytes | None, headers: Headers = ()) -> T | None:
        """The value that the bytes stand for. Raises SerializationError."""


def expect_size(kind: str, data: bytes, size: int) -> None:
    """Raises SerializationError unless there are so many bytes."""
    if len(data) != size:
        raise SerializationError(f"{kind} is {size} bytes, not {len(data)}")


def expect_type(kind: str, value: object, *types: type) -> None:
    """Raises SerializationError unless the value is of one of these types; a bool is no number."""
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise SerializationError(f"{kind} can't be made of {type(value).__name__}: {value!r:.80}")
