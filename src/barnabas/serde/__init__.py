"""Serdes: how keys and values become bytes, and bytes values.

Those that Kafka's own client has (`String`, `Long`, `List`, …) write the same bytes. `Json` writes plain
values, dataclasses and models of msgspec and pydantic. Anything with `serialize(topic, value, headers)` and
`deserialize(topic, data, headers)` is one, too.

>>> from barnabas import serde
>>> serde.Long().serialize("orders", 7)
b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x07'
>>> names = serde.List(serde.String())
>>> names.deserialize("orders", names.serialize("orders", ["a", None]))
['a', None]
"""

from __future__ import annotations

from typing import Any

from barnabas.serde.base import Headers, RecordDeserializationError, Serde, SerializationError
from barnabas.serde.lists import List
from barnabas.serde.models import Json
from barnabas.serde.primitives import (
    UUID,
    Boolean,
    ByteArray,
    ByteBuffer,
    Bytes,
    Double,
    Float,
    Integer,
    Long,
    Short,
    String,
    Void,
)
from barnabas.serde.records import ConsumerRecord, read, read_all

__all__ = [
    "BY_NAME",
    "UUID",
    "Boolean",
    "ByteArray",
    "ByteBuffer",
    "Bytes",
    "ConsumerRecord",
    "Double",
    "Float",
    "Headers",
    "Integer",
    "Json",
    "List",
    "Long",
    "RecordDeserializationError",
    "Serde",
    "SerializationError",
    "Short",
    "String",
    "Void",
    "of",
    "read",
    "read_all",
]

BY_NAME: dict[str, type[Any]] = {
    "bytes": ByteArray,
    "double": Double,
    "float": Float,
    "integer": Integer,
    "json": Json,
    "long": Long,
    "short": Short,
    "string": String,
    "uuid": UUID,
    "void": Void,
    "boolean": Boolean,
}
"""Serdes that need nothing to be said about them, by the name that configs and the command line use."""


def of(what: Serde[Any] | str) -> Serde[Any]:
    """The serde itself, or the one of a name. Raises ValueError for a name that there is not."""
    if isinstance(what, str):
        if what not in BY_NAME:
            raise ValueError(f"there is no serde {what!r}: it is one of {', '.join(sorted(BY_NAME))}")
        found: Serde[Any] = BY_NAME[what]()
        return found
    if not isinstance(what, Serde):
        raise ValueError(f"{what!r} is no serde: it needs serialize and deserialize")
    return what
