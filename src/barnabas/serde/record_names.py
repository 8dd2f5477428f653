"""The names of what a schema describes, which subject strategies ask for.

They are read without the libraries that values need.
"""

from __future__ import annotations

import json
from typing import Any

from barnabas.serde.registry import Schema


def record_names(schema: Schema) -> set[str]:
    """The name of an Avro record, the title of a JSON Schema, the messages of a Protobuf file, any of which a
    value may be. Raises SerializationError for text that is none of these."""
    if schema.type == "PROTOBUF":
        from barnabas.serde.protobuf import message_names

        return message_names(schema)
    parsed = json.loads(schema.text)
    if not isinstance(parsed, dict):
        return set()
    name = parsed.get("title") if schema.type == "JSON" else _full_name(parsed)
    return {name} if isinstance(name, str) else set()


def _full_name(parsed: dict[str, Any]) -> str | None:
    """As Avro has it: a name with a dot in it is a full one."""
    name, namespace = parsed.get("name"), parsed.get("namespace")
    if parsed.get("type") != "record" or not isinstance(name, str):
        return None
    return f"{namespace}.{name}" if namespace and "." not in name else name
