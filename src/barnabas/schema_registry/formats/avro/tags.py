"""The parts of an Avro schema that may have tags, in its JSON."""

from typing import Any

from barnabas.schema_registry.formats.json_text import Json
from barnabas.schema_registry.formats.tags import FIELD, RECORD, Entity


def avro_parts(schema: Json) -> dict[Entity, dict[str, Any]]:
    """Records by their full names, fields by the full names of their records and their own."""
    found: dict[Entity, dict[str, Any]] = {}
    _add(found, schema, "")
    return found


def _add(found: dict[Entity, dict[str, Any]], node: Json, space: str) -> None:
    if isinstance(node, list):
        for branch in node:
            _add(found, branch, space)
        return
    if not isinstance(node, dict):
        return
    kind = node.get("type")
    if isinstance(kind, dict | list):
        _add(found, kind, space)
    elif kind in ("array", "map"):
        _add(found, node["items" if kind == "array" else "values"], space)
    elif kind in ("record", "error"):
        name = node["name"]
        full = (
            name if "." in name else ".".join(part for part in (node.get("namespace", space), name) if part)
        )
        found[Entity(full, RECORD)] = node
        for field in node["fields"]:
            found[Entity(f"{full}.{field['name']}", FIELD)] = field
            _add(found, field["type"], full.rpartition(".")[0])
