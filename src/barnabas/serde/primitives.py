"""Serdes of Kafka's own client, byte for byte: numbers are big-endian and of fixed size, text is UTF-8."""

from __future__ import annotations

import struct
import uuid
from typing import ClassVar

from barnabas.serde.base import Headers, SerializationError, expect_size, expect_type


class ByteArray:
    """Bytes as they are."""

    def serialize(
        self, topic: str, value: bytes | bytearray | memoryview | None, headers: Headers = ()
    ) -> bytes | None:
        """The same bytes."""
        if value is None:
            return None
        expect_type("ByteArray", value, bytes, bytearray, memoryview)
        return bytes(value)

    def deserialize(self, topic: str, data: bytes | None, headers: Headers = ()) -> bytes | None:
        """The same bytes."""
        return data


class Bytes(ByteArray):
    """Java's `Bytes`, which wraps an array: in Python the same as ByteArray."""


class ByteBuffer:
    """Bytes, read as a memoryview."""

    def serialize(
        self, topic: str, value: bytes | bytearray | memoryview | None, headers: Headers = ()
    ) -> bytes | None:
        """The bytes of a buffer."""
        return ByteArray().serialize(topic, value, headers)

    def deserialize(self, topic: str, data: bytes | None, headers: Headers = ()) -> memoryview | None:
        """A view of the bytes."""
        return None if data is None else memoryview(data)


class String:
    """Text, in UTF-8 unless another encoding is named."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.encoding = encoding

    def serialize(self, topic: str, value: str | None, headers: Headers = ()) -> bytes | None:
        """The text's bytes."""
        if value is None:
            return None
        expect_type("String", value, str)
        try:
            return value.encode(self.encoding)
        except UnicodeError as error:
            raise SerializationError(f"text can't be written in {self.encoding}: {error}") from error

    def deserialize(self, topic: str, data: bytes | None, headers: Headers = ()) -> str | None:
        """The text. Java reads `\\ufffd` where bytes are no text; here that is an error."""
        if data is None:
            return None
        try:
            return str(data, self.encoding)
        except UnicodeError as error:
            raise SerializationError(f"bytes are no text in {self.encoding}: {error}") from error


class _Integer:
    """A signed integer of fixed size."""

    SIZE: ClassVar[int]

    def serialize(self, topic: str, value: int | None, headers: Headers = ()) -> bytes | None:
        """The number, big-endian."""
        if value is None:
            return None
        expect_type(type(self).__name__, value, int)
        try:
            return value.to_bytes(self.SIZE, "big", signed=True)
        except OverflowError as error:
            raise SerializationError(f"{value} does not fit into {self.SIZE} bytes") from error

    def deserialize(self, topic: str, data: bytes | None, headers: Headers = ()) -> int | None:
        """The number."""
        if data is None:
            return None
        expect_size(type(self).__name__, data, self.SIZE)
        return int.from_bytes(data, "big", signed=True)


class Short(_Integer):
    """An integer of 2 bytes."""

    SIZE = 2


class Integer(_Integer):
    """An integer of 4 bytes."""

    SIZE = 4


class Long(_Integer):
    """An integer of 8 bytes."""

    SIZE = 8


class _Float:
    """An IEEE 754 number."""

    FORMAT: ClassVar[struct.Struct]

    def serialize(self, topic: str, value: float | None, headers: Headers = ()) -> bytes | None:
        """The number, big-endian."""
        if value is None:
            return None
        expect_type(type(self).__name__, value, int, float)
        try:
            return self.FORMAT.pack(value)
        except OverflowError as error:
            raise SerializationError(f"{value} does not fit into {self.FORMAT.size} bytes") from error

    def deserialize(self, topic: str, data: bytes | None, headers: Headers = ()) -> float | None:
        """The number."""
        if data is None:
            return None
        expect_size(type(self).__name__, data, self.FORMAT.size)
        number: float = self.FORMAT.unpack(data)[0]
        return number


class Float(_Float):
    """A number of 4 bytes: most values lose digits."""

    FORMAT = struct.Struct(">f")


class Double(_Float):
    """A number of 8 bytes, as Python's float."""

    FORMAT = struct.Struct(">d")


class Boolean:
    """One byte: 1 or 0."""

    def serialize(self, topic: str, value: bool | None, headers: Headers = ()) -> bytes | None:
        """The byte."""
        if value is None:
            return None
        expect_type("Boolean", value, bool)
        return b"\x01" if value else b"\x00"

    def deserialize(self, topic: str, data: bytes | None, headers: Headers = ()) -> bool | None:
        """The truth."""
        if data is None:
            return None
        expect_size("Boolean", data, 1)
        if data[0] > 1:
            raise SerializationError(f"Boolean is 0 or 1, not {data[0]}")
        return data[0] == 1


class UUID:
    """A UUID as its text of 36 characters."""

    def serialize(self, topic: str, value: uuid.UUID | None, headers: Headers = ()) -> bytes | None:
        """The text."""
        if value is None:
            return None
        expect_type("UUID", value, uuid.UUID)
        return str(value).encode()

    def deserialize(self, topic: str, data: bytes | None, headers: Headers = ()) -> uuid.UUID | None:
        """The UUID."""
        if data is None:
            return None
        try:
            return uuid.UUID(data.decode())
        except ValueError as error:
            raise SerializationError(f"bytes are no UUID: {data!r:.80}") from error


class Void:
    """Nothing: only null can be written and read."""

    def serialize(self, topic: str, value: None, headers: Headers = ()) -> None:
        """Null."""
        if value is not None:
            raise SerializationError(f"Void is null, not {value!r:.80}")

    def deserialize(self, topic: str, data: bytes | None, headers: Headers = ()) -> None:
        """Null."""
        if data is not None:
            raise SerializationError(f"Void is null, not {len(data)} bytes")
