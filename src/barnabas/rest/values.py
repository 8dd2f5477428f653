"""Keys and values of records: what JSON says of them, and the bytes that are written.

Formats without a schema are decided at once; those with one ask the registry, in a thread.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, NamedTuple

from barnabas.rest.errors import payload_error

EMBEDDED = ("BINARY", "JSON", "STRING")
WITH_SCHEMA = ("AVRO", "JSONSCHEMA", "PROTOBUF")


class Written(NamedTuple):
    """The bytes of a key or value, and what is told of them."""

    data: bytes | None
    type: str | None
    subject: str | None = None
    schema_id: int | None = None
    schema_version: int | None = None

    def told(self) -> dict[str, Any]:
        """What the reply to a record says of it."""
        size = 0 if self.data is None else len(self.data)
        fields: dict[str, Any] = {"type": self.type, "size": size}
        if self.schema_id is not None:
            fields.update(subject=self.subject, schema_id=self.schema_id, schema_version=self.schema_version)
        return fields


def base64_bytes(value: Any, what: str) -> bytes:
    """Bytes that a text stands for."""
    if not isinstance(value, str):
        raise payload_error(f"{what} must be a string of base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise payload_error(f"{what} is no base64: {error}") from error


def json_value(value: Any, what: str) -> bytes:
    """JSON as it is written."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError) as error:  # surrogates without their pair, numbers without an end
        raise payload_error(f"{what} can't be written as JSON: {error}") from error


def plain(kind: str, value: Any, what: str) -> Written:
    """A key or value of a format without a schema. None is null."""
    if value is None:
        return Written(None, None)
    if kind == "BINARY":
        return Written(base64_bytes(value, what), kind)
    if kind == "JSON":
        return Written(json_value(value, what), kind)
    if not isinstance(value, str):
        raise payload_error(f"{what} must be a string")
    try:
        return Written(value.encode(), kind)
    except UnicodeEncodeError as error:
        raise payload_error(f"{what} is no text: {error}") from error
