"""Keys and values of records as JSON has them."""

from __future__ import annotations

import base64
import json
from typing import Any

from barnabas._core import Record
from barnabas.rest.producing import Sender
from barnabas.rest.values import EMBEDDED
from barnabas.serde.base import Headers, SerializationError


def plain_json(kind: str, data: bytes | None) -> Any:
    """What bytes of a format without a schema are in JSON. Raises SerializationError."""
    if data is None:
        return None
    if kind == "BINARY":
        return base64.b64encode(data).decode()
    try:
        return json.loads(data) if kind == "JSON" else data.decode()
    except (ValueError, RecursionError) as error:
        raise SerializationError(f"no {kind}: {error}") from error


class Decoder:
    """Makes JSON of records that are all of one format."""

    def __init__(self, sender: Sender, kind: str, *, key: str | None = None) -> None:
        """`kind`: of the values, and of the keys where `key` says no other."""
        self._sender = sender
        self._value = kind
        self._key = key or kind

    @property
    def may_wait(self) -> bool:
        """Whether the registry may have to be asked: then `key` and `value` are called in a thread."""
        return not {self._key, self._value} <= set(EMBEDDED)

    def key(self, record: Record) -> Any:
        """The key. Raises SerializationError."""
        return self._json(self._key, record.key, record.headers, True)

    def value(self, record: Record) -> Any:
        """The value. Raises SerializationError."""
        return self._json(self._value, record.value, record.headers, False)

    def _json(self, kind: str, data: bytes | None, headers: Headers, is_key: bool) -> Any:
        if kind in EMBEDDED or data is None:
            return plain_json(kind, data)
        return self._sender.schemas.read(kind, data, headers, is_key)


def headers_json(record: Record) -> list[dict[str, Any]]:
    """The headers of a record, as they are written."""
    return [{"name": name, "value": plain_json("BINARY", value)} for name, value in record.headers]
