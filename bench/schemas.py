"""Schemas of a certain size, as requests and as records of `_schemas`."""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

SCHEMA_BYTES = 2048


def schema(name: str, fields: int = 0, size: int = SCHEMA_BYTES) -> dict[str, Any]:
    """An Avro record of `size` bytes; one more of `fields` adds one that has a default."""
    record: dict[str, Any] = {"type": "record", "name": name, "namespace": "bench", "fields": []}
    kinds = ("string", "long", ["null", "double"], {"type": "array", "items": "string"})
    while len(json.dumps(record)) < size - 100:
        number = len(record["fields"])
        record["fields"].append({"name": f"field_{number}", "type": kinds[number % len(kinds)]})
    added = ({"name": f"added_{number}", "type": "long", "default": 0} for number in range(fields))
    record["fields"] += added
    record["doc"] = "x" * max(0, size - len(json.dumps(record)) - len(', "doc": ""'))
    return record


def request_body(name: str) -> str:
    """A small schema with {n} in its name, as it is registered."""
    fields = [{"name": "id", "type": "long"}, {"name": "text", "type": ["null", "string"], "default": None}]
    word = name.replace("-", "_")
    text = json.dumps({"type": "record", "name": f"{word}_{{n}}", "fields": fields}, separators=(",", ":"))
    return json.dumps({"schema": text})


def records(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of as many schemas, each in a subject of its own, with ids from 1."""
    text = json.dumps(schema("Order_NUMBER"), separators=(",", ":"))
    for number in range(1, count + 1):
        one, subject = text.replace("NUMBER", str(number)), f"orders-{number}-value"
        key = {"keytype": "SCHEMA", "subject": subject, "version": 1, "magic": 1}
        guid = base64.b64encode(hashlib.md5(one.encode(), usedforsecurity=False).digest()).decode()
        value = {"subject": subject, "version": 1, "id": number, "md5": guid, "schema": one, "deleted": False}
        yield (
            json.dumps(key, separators=(",", ":")).encode(),
            json.dumps(value, separators=(",", ":")).encode(),
        )
