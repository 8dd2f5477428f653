"""What `produce` reads: lines of text, with or without a key, or JSON objects."""

import base64
import binascii
import json
from typing import Any, NamedTuple

_FIELDS = frozenset({"key", "key_base64", "value", "value_base64", "headers", "partition", "timestamp"})
_IGNORED = frozenset({"topic", "offset", "timestamp_type"})


class InputRecord(NamedTuple):
    """A record to write. None for what the command's options or the broker decide."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    partition: int | None = None
    timestamp_ms: int | None = None


def from_line(line: bytes, key_separator: bytes | None) -> InputRecord:
    """A record from a line of text. ValueError when the key's separator is missing."""
    if key_separator is None:
        return InputRecord(None, line, [])
    key, separator, value = line.partition(key_separator)
    if not separator:
        raise ValueError(f"there is no '{key_separator.decode(errors='replace')}' between key and value")
    return InputRecord(key, value, [])


def from_json(line: bytes) -> InputRecord:
    """A record from a JSON object as `consume --format json` writes it. ValueError says what is wrong.

    A key or value that is no string is written as compact JSON; null stands for no value (a delete marker).
    """
    try:
        document = json.loads(line)
    except ValueError as error:
        raise ValueError(f"this is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise ValueError('a record is a JSON object such as {"key": "a", "value": "b"}')
    if unknown := document.keys() - _FIELDS - _IGNORED:
        raise ValueError(f"there is no field '{min(unknown)}' in a record: {', '.join(sorted(_FIELDS))}")
    return InputRecord(
        key=_bytes(document, "key"),
        value=_bytes(document, "value"),
        headers=_headers(document.get("headers") or []),
        partition=_integer(document, "partition"),
        timestamp_ms=_integer(document, "timestamp"),
    )


def _bytes(document: dict[str, Any], name: str) -> bytes | None:
    if (encoded := document.get(f"{name}_base64")) is not None:
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise ValueError(f"'{name}_base64' is no base64") from None
    value = document.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _headers(document: Any) -> list[tuple[str, bytes | None]]:
    if isinstance(document, dict):
        return [(name, _bytes({"value": value}, "value")) for name, value in document.items()]
    if isinstance(document, list) and all(isinstance(item, dict) and "name" in item for item in document):
        return [(str(item["name"]), _bytes(item, "value")) for item in document]
    raise ValueError('headers are written as {"name": "value"} or [{"name": "a", "value": "b"}]')


def _integer(document: dict[str, Any], name: str) -> int | None:
    value = document.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise ValueError(f"'{name}' must be a whole number")
    return value
