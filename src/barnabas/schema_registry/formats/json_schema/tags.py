"""The parts of a JSON schema that may have tags.

A path says how one comes to a part: `object` for the schema of an object, `array` for that of a list,
`allof.0` and the like for one of several, `definitions.<name>` for one that is kept apart; behind `object.` a
property's name.
"""

from typing import Any

from barnabas.schema_registry.formats.json_text import Json
from barnabas.schema_registry.formats.tags import FIELD, RECORD, Entity

_SEVERAL = ("allOf", "anyOf", "oneOf")
_SINGLE = ("not", "if", "then", "else")
_APART = ("definitions", "$defs")

Parts = dict[Entity, dict[str, Any]]


def json_parts(schema: Json) -> Parts:
    """Schemas of objects as records, those of their properties as fields."""
    found: Parts = {}
    _add(found, schema, "")
    return found


def _add(found: Parts, node: Json, path: str) -> None:
    if not isinstance(node, dict):
        return
    for keyword in _SEVERAL:
        branches = node.get(keyword)
        for index, branch in enumerate(branches if isinstance(branches, list) else ()):
            _add(found, branch, f"{path}{keyword.lower()}.{index}.")
    for keyword in _SINGLE:
        _add(found, node.get(keyword), f"{path}{keyword}.")
    for keyword in _APART:
        apart = node.get(keyword)
        for name, each in apart.items() if isinstance(apart, dict) else ():
            _add(found, each, f"{path}definitions.{name}.")
    _add_items(found, node, f"{path}array.")
    properties = node.get("properties")
    if node.get("type") == "object" or isinstance(properties, dict):
        found[Entity(f"{path}object", RECORD)] = node
        for name, each in properties.items() if isinstance(properties, dict) else ():
            if isinstance(each, dict):
                found[Entity(f"{path}object.{name}", FIELD)] = each
                _add(found, each, f"{path}object.{name}.")


def _add_items(found: Parts, node: dict[str, Any], path: str) -> None:
    for keyword in ("items", "prefixItems"):
        items = node.get(keyword)
        if isinstance(items, list):
            for index, each in enumerate(items):
                _add(found, each, f"{path}{index}.")
        else:
            _add(found, items, path)
