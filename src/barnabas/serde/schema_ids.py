"""How a record says which schema its bytes have: Confluent's wire format.

In front of the bytes stand a zero byte and the id in four bytes; or a header of the record has a one byte and
the 16 bytes of the GUID. With Protobuf the place of the message in its file follows either.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import NamedTuple

from barnabas.serde.base import Headers, SerializationError

KEY_HEADER = "__key_schema_id"
VALUE_HEADER = "__value_schema_id"
_ID, _GUID = 0, 1
# How deep a message may be nested in others: protoc's own limit.
_INDEXES_MAX = 32


class SchemaId(NamedTuple):
    """The id or the GUID of a schema; `indexes` leads from the file to a message, if the format has them."""

    id: int | None
    guid: uuid.UUID | None
    indexes: tuple[int, ...] = ()


def written_id(id: int, indexes: Sequence[int] | None = None) -> bytes:
    """What stands before a payload."""
    return bytes([_ID]) + id.to_bytes(4, "big") + _written(indexes)


def written_guid(guid: uuid.UUID, indexes: Sequence[int] | None = None) -> bytes:
    """What stands in the header."""
    return bytes([_GUID]) + guid.bytes + _written(indexes)


def named_schema(data: bytes, headers: Headers, is_key: bool) -> SchemaId:
    """The id or the GUID alone, whatever its format is. Raises SerializationError where there is none."""
    header = _header(headers, is_key)
    return _read(data if header is None else header, False)[0]


def read_id(data: bytes, headers: Headers, is_key: bool, indexed: bool) -> tuple[SchemaId, bytes]:
    """The id and the payload. A header goes before what the bytes have."""
    header = _header(headers, is_key)
    if header is None:
        found, end = _read(data, indexed)
        return found, data[end:]
    found, end = _read(header, indexed)
    if end != len(header):
        name = KEY_HEADER if is_key else VALUE_HEADER
        raise SerializationError(f"the header {name} has {len(header) - end} bytes too many")
    return found, data


def _header(headers: Headers, is_key: bool) -> bytes | None:
    """What the last header says that tells of a schema."""
    name = KEY_HEADER if is_key else VALUE_HEADER
    return next((value for key, value in reversed(headers) if key == name and value is not None), None)


def _read(data: bytes, indexed: bool) -> tuple[SchemaId, int]:
    size = {_ID: 5, _GUID: 17}.get(data[0]) if data else None
    if size is None or len(data) < size:
        raise SerializationError(f"bytes without a schema's id before them: {data[:8]!r}")
    guid = uuid.UUID(bytes=data[1:17]) if data[0] == _GUID else None
    number = None if guid else int.from_bytes(data[1:5], "big")
    if not indexed:
        return SchemaId(number, guid), size
    indexes, end = _read_indexes(data, size)
    return SchemaId(number, guid, indexes), end


def _written(indexes: Sequence[int] | None) -> bytes:
    if indexes is None:
        return b""
    if list(indexes) == [0]:
        return b"\0"  # the first message of a file, which most are
    return _zigzag(len(indexes)) + b"".join(map(_zigzag, indexes))


def _zigzag(value: int) -> bytes:
    value <<= 1  # neither counts nor indexes are negative
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(found + bytes([value]))


def _read_indexes(data: bytes, at: int) -> tuple[tuple[int, ...], int]:
    count, at = _read_zigzag(data, at)
    if count == 0:
        return (0,), at
    if not 0 < count <= _INDEXES_MAX:
        raise SerializationError(f"{count} message indexes")
    found = []
    for _ in range(count):
        index, at = _read_zigzag(data, at)
        found.append(index)
    return tuple(found), at


def _read_zigzag(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 35:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
    raise SerializationError("message indexes that do not end")
