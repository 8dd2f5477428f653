"""Compares what JSON schemas say of arrays: one schema for all items, or a tuple and what may follow it."""

from typing import Any

from barnabas.schema_registry.formats.json_schema.difference import Comparer, Found, Path, schema_of
from barnabas.schema_registry.formats.json_schema.objects import condition, rest
from barnabas.schema_registry.formats.json_schema.scalars import bound

_Schema = dict[str, Any]


def compare_arrays(compare: Comparer, reader: _Schema, writer: _Schema, path: Path) -> Found:
    """All keywords about arrays."""
    new, old = _as_draft_7(reader), _as_draft_7(writer)
    found = condition(compare, _for_all(new), _for_all(old), "items", path)
    found += _tuples(compare, new, old, (*path, "items"))
    found += rest(compare, new, old, "additionalItems", "ADDITIONAL_ITEMS", path)
    found += rest(compare, new, old, "unevaluatedItems", "UNEVALUATED_ITEMS", path)
    found += _contains(compare, new, old, (*path, "contains"))
    for keyword in ("maxItems", "minItems", "maxContains", "minContains"):
        found += bound(compare, new, old, keyword, path)
    if reader.get("uniqueItems") and not writer.get("uniqueItems"):
        found.append(compare.found("UNIQUE_ITEMS_ADDED", (*path, "uniqueItems")))
    return found


def _contains(compare: Comparer, reader: _Schema, writer: _Schema, here: Path) -> Found:
    """Even one that takes every item is a condition: there has to be an item."""
    if "contains" not in reader:
        return []
    if "contains" not in writer:
        return [compare.found("SCHEMA_ADDED", here)]
    return compare.schemas(reader["contains"], writer["contains"], here)


def _as_draft_7(schema: _Schema) -> _Schema:
    """Since 2020-12 `prefixItems` has the tuple, and `items` what follows it."""
    if "prefixItems" not in schema:
        return schema
    found = {**schema, "items": schema["prefixItems"]}
    found.pop("additionalItems", None)
    if "items" in schema:
        found["additionalItems"] = schema["items"]
    return found


def _for_all(schema: _Schema) -> _Schema:
    return {"items": schema["items"]} if isinstance(schema.get("items", []), dict | bool) else {}


def _tuples(compare: Comparer, reader: _Schema, writer: _Schema, path: Path) -> Found:
    new, old = _tuple(reader), _tuple(writer)
    found: Found = []
    for at in range(max(len(new), len(old))):
        here = (*path, str(at))
        if at < min(len(new), len(old)):
            found += compare.schemas(new[at], old[at], here)
        elif at < len(old):
            found += _removed(compare, reader, old[at], here)
        else:
            found += _added(compare, writer, new[at], here)
    return found


def _tuple(schema: _Schema) -> list[Any]:
    items = schema.get("items")
    return items if isinstance(items, list) else []


def _following(schema: _Schema) -> Any:
    """The schema of items behind the tuple: None takes all of them, False none."""
    keyword = "additionalItems" if "additionalItems" in schema else "unevaluatedItems"
    return schema_of(schema, keyword)


def _removed(compare: Comparer, reader: _Schema, old: Any, here: Path) -> Found:
    following = _following(reader)
    if following is None:
        return []
    if following is False:
        closed = not compare.accepts_none(old, of_reader=False)
        return [compare.found("ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL", here)] if closed else []
    inner = compare.schemas(following, old, here)
    kind = "ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
    return [*inner, compare.found(kind, here)] if inner else []


def _added(compare: Comparer, writer: _Schema, new: Any, here: Path) -> Found:
    following = _following(writer)
    if following is None:
        open_to_it = compare.accepts_all(new)
        return [] if open_to_it else [compare.found("ITEM_ADDED_TO_OPEN_CONTENT_MODEL", here)]
    if following is False:
        return []
    inner = compare.schemas(new, following, here)
    kind = "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
    return [*inner, compare.found(kind, here)] if inner else []
