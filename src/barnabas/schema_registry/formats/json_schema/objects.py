"""Compares what JSON schemas say of objects: properties, in open, partly open and closed content models."""

from typing import Any

from barnabas.schema_registry.formats.json_schema.difference import Comparer, Found, Path, schema_of
from barnabas.schema_registry.formats.json_schema.patterns import matches
from barnabas.schema_registry.formats.json_schema.scalars import bound

_Schema = dict[str, Any]
# The schema for a name can't be told: a pattern was not tried.
_UNKNOWN = object()


def compare_objects(compare: Comparer, reader: _Schema, writer: _Schema, path: Path) -> Found:
    """All keywords about objects."""
    found = _required(compare, reader, writer, path)
    found += _properties(compare, reader, writer, (*path, "properties"))
    found += _patterns(compare, reader, writer, (*path, "patternProperties"))
    found += _dependencies(compare, reader, writer, (*path, "dependencies"))
    found += rest(compare, reader, writer, "additionalProperties", "ADDITIONAL_PROPERTIES", path)
    found += rest(compare, reader, writer, "unevaluatedProperties", "UNEVALUATED_PROPERTIES", path)
    found += condition(compare, reader, writer, "propertyNames", path)
    for keyword in ("maxProperties", "minProperties"):
        found += bound(compare, reader, writer, keyword, path)
    return found


def condition(compare: Comparer, reader: _Schema, writer: _Schema, keyword: str, path: Path) -> Found:
    """A schema that may be missing, which takes everything then."""
    new, old = schema_of(reader, keyword), schema_of(writer, keyword)
    if new is None:
        return []
    here = (*path, keyword)
    return [compare.found("SCHEMA_ADDED", here)] if old is None else compare.schemas(new, old, here)


def rest(compare: Comparer, reader: _Schema, writer: _Schema, keyword: str, name: str, path: Path) -> Found:
    """What is neither named nor matched: refused, taken, or taken on a condition."""
    new, old = schema_of(reader, keyword), schema_of(writer, keyword)
    here = (*path, keyword)
    if new is None or old is False:
        return []
    if new is False:
        return [compare.found(f"{name}_REMOVED", here)]
    if old is None:
        return [compare.found(f"{name}_NARROWED", here)]
    return compare.schemas(new, old, here)


def _names(schema: _Schema) -> set[str]:
    required = schema.get("required")
    return set(required) if isinstance(required, list) else set()


def _required(compare: Comparer, reader: _Schema, writer: _Schema, path: Path) -> Found:
    new, old = reader.get("properties", {}), writer.get("properties", {})
    added = _names(reader) - _names(writer)
    return [
        compare.found("REQUIRED_ATTRIBUTE_ADDED", (*path, "required", name))
        for name in old
        if name in added and name in new and not compare.has_default(new[name])
    ]


def _properties(compare: Comparer, reader: _Schema, writer: _Schema, path: Path) -> Found:
    new, old = reader.get("properties", {}), writer.get("properties", {})
    required = _names(reader)
    found: Found = []
    for name in [*old, *(each for each in new if each not in old)]:
        here = (*path, name)
        if name not in new:
            found += _removed(compare, reader, name, old[name], here)
        elif name not in old:
            found += _added(compare, writer, name, new[name], name in required, here)
        else:
            found += compare.schemas(new[name], old[name], here)
    return found


def _removed(compare: Comparer, reader: _Schema, name: str, old: Any, here: Path) -> Found:
    if _is_open(reader):
        return []
    return _uncovered(compare, _covering(reader, name), old, here)


def _uncovered(compare: Comparer, covering: Any, old: Any, here: Path) -> Found:
    if covering is None:
        closed = not compare.accepts_none(old, of_reader=False)
        return [compare.found("PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", here)] if closed else []
    inner = [] if covering is _UNKNOWN else compare.schemas(covering, old, here)
    if inner or covering is _UNKNOWN:
        kind = "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
        return [*inner, compare.found(kind, here)]
    return []


def _added(compare: Comparer, writer: _Schema, name: str, new: Any, required: bool, here: Path) -> Found:
    if _is_open(writer):
        if compare.accepts_all(new) and not required:
            return []
        kind = "REQUIRED_PROPERTY" if required else "OPTIONAL_PROPERTY"
        if required and compare.has_default(new):
            kind += "_WITH_DEFAULT"
        return [compare.found(f"{kind}_ADDED_TO_OPEN_CONTENT_MODEL", here)]
    found: Found = []
    covering = _covering(writer, name)
    if covering is not None:
        found += [] if covering is _UNKNOWN else compare.schemas(new, covering, here)
        if found or covering is _UNKNOWN:
            kind = "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
            found.append(compare.found(kind, here))
    if required and not compare.has_default(new):
        found.append(compare.found("REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", here))
    return found


def _patterns(compare: Comparer, reader: _Schema, writer: _Schema, path: Path) -> Found:
    new, old = reader.get("patternProperties", {}), writer.get("patternProperties", {})
    found: Found = []
    for pattern, schema in new.items():
        here = (*path, pattern)
        if pattern in old:
            found += compare.schemas(schema, old[pattern], here)
        elif _is_open(writer):
            found += _added(compare, writer, pattern, schema, False, here)
        elif (before := _rest(writer)) is not None and (inner := compare.schemas(schema, before, here)):
            kind = "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
            found += [*inner, compare.found(kind, here)]
    if not _is_open(reader):
        # What the pattern took falls to the schema for all the rest.
        for pattern, schema in old.items():
            if pattern not in new:
                found += _uncovered(compare, _rest(reader), schema, (*path, pattern))
    return found


def _is_open(schema: _Schema) -> bool:
    """Whether names that are not listed may have any value."""
    return (
        schema_of(schema, "additionalProperties") is None
        and not schema.get("patternProperties")
        and ("additionalProperties" in schema or schema_of(schema, "unevaluatedProperties") is None)
    )


def _covering(schema: _Schema, name: str) -> Any:
    """The schema for a name that is not listed; None if it is refused."""
    for pattern, each in schema.get("patternProperties", {}).items():
        matched = matches(pattern, name)
        if matched is None:
            return _UNKNOWN
        if matched:
            return each
    return _rest(schema)


def _rest(schema: _Schema) -> Any:
    """The schema for names that are neither listed nor matched; None if they are refused."""
    for keyword in ("additionalProperties", "unevaluatedProperties"):
        if keyword in schema:
            found = schema[keyword]
            return None if found is False else found
    return True


def _dependencies(compare: Comparer, reader: _Schema, writer: _Schema, path: Path) -> Found:
    found: Found = []
    new_names, new_schemas = _dependent(reader)
    old_names, old_schemas = _dependent(writer)
    for name, needed in new_names.items():
        before = old_names.get(name)
        if before is None:
            found.append(compare.found("DEPENDENCY_ARRAY_ADDED", (*path, name)))
        elif not needed <= before:
            kind = "DEPENDENCY_ARRAY_EXTENDED" if before <= needed else "DEPENDENCY_ARRAY_CHANGED"
            found.append(compare.found(kind, (*path, name)))
    for name, schema in new_schemas.items():
        if name in old_schemas:
            found += compare.schemas(schema, old_schemas[name], (*path, name))
        else:
            found.append(compare.found("DEPENDENCY_SCHEMA_ADDED", (*path, name)))
    return found


def _dependent(schema: _Schema) -> tuple[dict[str, set[str]], dict[str, Any]]:
    """Names and schemas that properties ask for: one keyword until draft 7, two since."""
    names = {name: set(each) for name, each in schema.get("dependentRequired", {}).items()}
    schemas = dict(schema.get("dependentSchemas", {}))
    for name, each in schema.get("dependencies", {}).items():
        if isinstance(each, list):
            names[name] = set(each)
        else:
            schemas[name] = each
    return names, schemas
