"""Whether JSON is a JSON Schema: each keyword has a value of the kind that it takes."""

from collections.abc import Callable
from typing import Any

from barnabas.schema_registry.formats.json_text import write_json
from barnabas.schema_registry.formats.model import NESTING_MAX, InvalidSchema

TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})

_COUNTS = (
    *("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"),
    *("maxContains", "minContains"),
)
_TEXTS = (
    *("$schema", "$ref", "$anchor", "$dynamicAnchor", "$dynamicRef", "pattern", "title", "description"),
    *("format", "$comment", "$id"),
)
_ONE = (
    *("additionalProperties", "additionalItems", "contains", "not", "propertyNames", "if", "then", "else"),
    *("unevaluatedProperties", "unevaluatedItems"),
)
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "definitions", "$defs", "dependentSchemas")


def check_schema(schema: Any) -> None:
    """Raises InvalidSchema for the first keyword whose value is wrong, with its place."""
    _check(schema, "#", 0)


def _check(schema: Any, where: str, depth: int) -> None:
    if depth > NESTING_MAX:
        raise InvalidSchema(f"{where[:200]}: schemas are nested deeper than {NESTING_MAX} levels")
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise InvalidSchema(f"{where}: a schema is an object, true or false, not {write_json(schema)[:60]}")
    for keyword, value in schema.items():
        here = f"{where}/{keyword}"
        if test := _TESTS.get(keyword):
            if not test(value):
                raise InvalidSchema(f"{here}: {write_json(value)[:60]} is no value of this keyword")
        elif keyword in _ONE:
            _check(value, here, depth + 1)
        elif keyword in _LISTS or (keyword == "items" and isinstance(value, list)):
            _check_list(value, here, depth, least=0 if keyword == "items" else 1)
        elif keyword == "items":
            _check(value, here, depth + 1)
        elif keyword in _NAMED or keyword == "dependencies":
            _check_named(value, here, depth, names_allowed=keyword == "dependencies")


def _check_list(value: Any, where: str, depth: int, least: int) -> None:
    if not isinstance(value, list) or len(value) < least:
        raise InvalidSchema(f"{where}: takes a list of schemas that is not empty")
    for at, each in enumerate(value):
        _check(each, f"{where}/{at}", depth + 1)


def _check_named(value: Any, where: str, depth: int, names_allowed: bool) -> None:
    if not isinstance(value, dict):
        raise InvalidSchema(f"{where}: takes an object of schemas")
    for name, each in value.items():
        if not (names_allowed and _names(each)):
            _check(each, f"{where}/{name}", depth + 1)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count(value: Any) -> bool:
    return _number(value) and value >= 0 and value == int(value)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value)) and len(set(value)) == len(value)


def _type(value: Any) -> bool:
    if isinstance(value, str):
        return value in TYPES
    return _names(value) and bool(value) and set(value) <= TYPES


def _limit(value: Any) -> bool:
    return _number(value) or isinstance(value, bool)  # draft 4 has a flag here


_TESTS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(_COUNTS, _count),
    **dict.fromkeys(_TEXTS, _text),
    "type": _type,
    "required": lambda value: _names(value) or isinstance(value, bool),  # draft 3 has a flag here
    "enum": lambda value: isinstance(value, list),
    "maximum": _number,
    "minimum": _number,
    "exclusiveMaximum": _limit,
    "exclusiveMinimum": _limit,
    "multipleOf": lambda value: _number(value) and value > 0,
    "uniqueItems": lambda value: isinstance(value, bool),
    "dependentRequired": lambda value: isinstance(value, dict) and all(map(_names, value.values())),
}
