"""The fields of a value that rules look at one by one: through the schema of an Avro value, of a JSON one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from barnabas.serde.rules.running import Change, FieldOf, Run, Walk

TAGS = "confluent:tags"
_AVRO_TYPES = {name.lower(): name for name in ("RECORD", "ENUM", "ARRAY", "MAP", "FIXED", "STRING", "BYTES")}
_AVRO_TYPES |= {name.lower(): name for name in ("INT", "LONG", "FLOAT", "DOUBLE", "BOOLEAN", "NULL")}
_JSON_TYPES = {
    "array": "ARRAY",
    "string": "STRING",
    "integer": "INT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
}
_OF_PYTHON = {bool: "boolean", str: "string", bytes: "bytes", list: "array", int: "long", float: "double"}
_NEAR = {"long": ("int", "float", "double"), "double": ("float",), "string": ("enum",), "bytes": ("fixed",)}


def avro_walk(schema: Any) -> Walk:
    """Goes through values of a schema as fastavro has parsed it. Records are changed in place."""
    named: dict[str, Any] = {}
    _collect(schema, named)

    def walk(run: Run, value: Any, change: Change) -> Any:
        return _avro(run, named, schema, value, change, None)

    return walk


def _collect(schema: Any, named: dict[str, Any]) -> None:
    if isinstance(schema, list):
        for each in schema:
            _collect(each, named)
    elif isinstance(schema, dict):
        if schema["type"] in ("record", "error", "enum", "fixed"):
            named[schema["name"]] = schema
        for each in schema.get("fields", ()):
            _collect(each["type"], named)
        for inner in ("items", "values"):
            if inner in schema:
                _collect(schema[inner], named)


def _avro(
    run: Run, named: Mapping[str, Any], schema: Any, value: Any, change: Change, field: FieldOf | None
) -> Any:
    if isinstance(schema, str):
        schema = named.get(schema, schema)
    if isinstance(schema, list):
        branch = _branch(named, schema, value)
        if isinstance(value, tuple) and len(value) == 2:
            return value[0], _avro(run, named, branch, value[1], change, field)
        return _avro(run, named, branch, value, change, field)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "array" and isinstance(value, list):
        return [_avro(run, named, schema["items"], each, change, field) for each in value]
    if kind == "map" and isinstance(value, dict):
        return {key: _avro(run, named, schema["values"], each, change, field) for key, each in value.items()}
    if kind == "record":
        for each in schema["fields"] if isinstance(value, dict) else ():
            name = each["name"]
            if name in value:
                part = run.field(value, f"{schema['name']}.{name}", name, "COMBINED", each.get(TAGS, ()))
                value[name] = _avro(run, named, each["type"], value[name], change, part)
        return value
    if field is None:
        return value
    field.type = _AVRO_TYPES.get(kind, "NULL")
    return run.changed(field, value, change) if run.concerns(field) else value


def _branch(named: Mapping[str, Any], union: list[Any], value: Any) -> Any:
    """The type of a union that a value has."""
    types = [named.get(each, each) if isinstance(each, str) else each for each in union]
    kinds = [each["type"] if isinstance(each, dict) else each for each in types]
    if value is None:
        return "null"
    if isinstance(value, tuple) and len(value) == 2:
        return next(
            (each for each in types if isinstance(each, dict) and each.get("name") == value[0]), value[0]
        )
    if isinstance(value, dict):
        records = [each for each in types if isinstance(each, dict) and each["type"] == "record"]
        fitting = (each for each in records if _fits(each, value))
        found = next(fitting, None)
        if found is None:
            found = next((each for each, kind in zip(types, kinds, strict=True) if kind == "map"), None)
        return found if found is not None else next(iter(records), "null")
    wanted = _OF_PYTHON.get(type(value), "")
    for kind in (wanted, *_NEAR.get(wanted, ())):
        if kind in kinds:
            return types[kinds.index(kind)]
    # Dates, decimals, UUIDs: whatever has a logical type.
    return next((each for each in types if isinstance(each, dict) and "logicalType" in each), "null")


def _fits(record: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    fields = record["fields"]
    return value.keys() <= {each["name"] for each in fields} and all(
        each["name"] in value or "default" in each for each in fields
    )


def json_walk(schema: Any, documents: Mapping[str, Any]) -> Walk:
    """Goes through values of a JSON schema; `documents` are those that it refers to. Objects are changed in
    place."""
    schemas = _JsonSchemas(schema, documents)

    def walk(run: Run, value: Any, change: Change) -> Any:
        return schemas.walk(run, schema, schema, "$", value, change, None)

    return walk


class _JsonSchemas:
    """A schema with what it refers to. `root` is the document that a part is in."""

    def __init__(self, schema: Any, documents: Mapping[str, Any]) -> None:
        self._documents = {"": schema, **documents}

    def walk(
        self, run: Run, root: Any, schema: Any, path: str, value: Any, change: Change, field: FieldOf | None
    ) -> Any:
        if value is None or not isinstance(schema, dict):
            return value
        if "$ref" in schema:
            root, schema = self._referred(root, str(schema["$ref"]))
            return self.walk(run, root, schema, path, value, change, field)
        for branch in self._branches(root, schema, value):
            value = self.walk(run, root, branch, path, value, change, field)
        if isinstance(value, list):
            items = schema.get("items")
            return [self.walk(run, root, items, path, each, change, field) for each in value]
        if isinstance(value, dict):
            for name, part in (schema.get("properties") or {}).items():
                if value.get(name) is not None and isinstance(part, dict):
                    inner = run.field(value, f"{path}.{name}", name, "COMBINED", part.get(TAGS) or ())
                    value[name] = self.walk(run, root, part, inner.path, value[name], change, inner)
            return value
        kind = _json_type(schema, value)
        if field is None or kind is None:
            return value
        field.type = kind
        return run.changed(field, value, change) if run.concerns(field) else value

    def _branches(self, root: Any, schema: Mapping[str, Any], value: Any) -> Iterable[Any]:
        if schema.get("allOf"):
            return list(schema["allOf"])
        several = schema.get("oneOf") or schema.get("anyOf") or ()
        fitting = [each for each in several if self._valid(root, each, value)]
        return fitting[:1] if schema.get("oneOf") else fitting

    def _valid(self, root: Any, schema: Any, value: Any) -> bool:
        import jsonschema_rs

        if not isinstance(schema, dict):
            return bool(schema)
        apart = {
            name: root[name] for name in ("definitions", "$defs") if isinstance(root, dict) and name in root
        }
        others = [(name, each) for name, each in self._documents.items() if name]
        try:
            registry = jsonschema_rs.Registry(others) if others else None
            validator = jsonschema_rs.Draft7Validator({**apart, **schema}, registry=registry)
            return bool(validator.is_valid(value))
        except ValueError:
            return False

    def _referred(self, root: Any, reference: str) -> tuple[Any, Any]:
        name, _, pointer = reference.partition("#")
        document = self._documents.get(name, root) if name else root
        found = document
        for part in pointer.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list):
                found = found[int(key)] if key.isdigit() and int(key) < len(found) else None
            else:
                found = found.get(key) if isinstance(found, dict) else None
        return document, found


def _json_type(schema: Mapping[str, Any], value: Any) -> str | None:
    if "const" in schema or "enum" in schema:
        return "ENUM"
    kind = schema.get("type")
    if isinstance(kind, list):
        wanted = {str: "string", bool: "boolean", int: "integer", float: "number"}.get(type(value), "")
        kind = wanted if wanted in kind else "number" if wanted == "integer" and "number" in kind else None
    return _JSON_TYPES.get(str(kind))
