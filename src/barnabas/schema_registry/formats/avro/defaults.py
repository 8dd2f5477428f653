"""Default values: whether one fits its type, and how it is written once all spellings are made one."""

from collections.abc import Mapping
from typing import Any

from barnabas.schema_registry.formats.avro.types import Array, AvroType, Map, Record, Union

_BOUNDS: Mapping[str, int] = {"int": 2**31, "long": 2**63}


def bad_default(kind: AvroType, value: Any) -> bool:
    """Whether a value can't be of the type. One of a union may be of any branch (as Java 1.12 has it)."""
    if isinstance(kind, Union):
        return all(bad_default(branch, value) for branch in kind.branches)
    if isinstance(kind, Array):
        return not isinstance(value, list) or any(bad_default(kind.items, each) for each in value)
    if isinstance(kind, Map):
        return not isinstance(value, dict) or any(bad_default(kind.values, each) for each in value.values())
    if isinstance(kind, Record):
        return not isinstance(value, dict) or any(
            bad_default(each.type, value[each.name]) if each.name in value else not each.has_default
            for each in kind.fields
        )
    return not _fits(kind.kind, value)


def _fits(kind: str, value: Any) -> bool:
    if kind == "null":
        return value is None
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in _BOUNDS:
        limit = _BOUNDS[kind]
        return isinstance(value, int) and not isinstance(value, bool) and -limit <= value < limit
    if kind in ("float", "double"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)


def typed_default(kind: AvroType, value: Any) -> Any:
    """The default as a value of its type: a double that was written as an integer becomes one."""
    if isinstance(kind, Union):
        return next(
            (typed_default(each, value) for each in kind.branches if not bad_default(each, value)), value
        )
    if isinstance(kind, Array):
        return [typed_default(kind.items, each) for each in value]
    if isinstance(kind, Map):
        return {key: typed_default(kind.values, value[key]) for key in sorted(value)}
    if isinstance(kind, Record):
        return {
            each.name: typed_default(each.type, value.get(each.name, each.default))
            for each in sorted(kind.fields, key=lambda one: one.name)
        }
    return float(value) if kind.kind in ("float", "double") else value
