"""Compares what JSON schemas say of strings, numbers and enums."""

from fractions import Fraction
from typing import Any

from barnabas.schema_registry.formats.json_schema.difference import Comparer, Found, Path, type_name
from barnabas.schema_registry.formats.json_text import sorted_keys, write_json

# The part of a schema about one kind of value.
_Schema = dict[str, Any]


def compare_strings(compare: Comparer, reader: _Schema, writer: _Schema, path: Path) -> Found:
    """Lengths and pattern."""
    found = bound(compare, reader, writer, "maxLength", path) + bound(
        compare, reader, writer, "minLength", path
    )
    new, old = reader.get("pattern"), writer.get("pattern")
    if new is not None and new != old:
        kind = "PATTERN_ADDED" if old is None else "PATTERN_CHANGED"
        found.append(compare.found(kind, (*path, "pattern")))
    return found


def compare_numbers(compare: Comparer, reader: _Schema, writer: _Schema, path: Path) -> Found:
    """Limits, multiples, and whether only integers are taken."""
    new, old = _limits(reader), _limits(writer)
    found: Found = []
    for keyword in ("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum"):
        found += bound(compare, new, old, keyword, path)
    found += _multiples(compare, reader, writer, path)
    if reader.get("type") == "integer" and writer.get("type") != "integer":
        found.append(compare.found("TYPE_NARROWED", path))
    return found


def compare_enums(compare: Comparer, reader: _Schema, writer: _Schema, path: Path) -> Found:
    """The values of `enum` or `const`."""
    new, old = _values(reader), _values(writer)
    if old <= new:
        return []
    keyword = "enum" if "enum" in reader else "const"
    kind = "ENUM_ARRAY_NARROWED" if new < old and "enum" in reader else "ENUM_ARRAY_CHANGED"
    return [compare.found(kind, (*path, keyword))]


def bound(compare: Comparer, reader: _Schema, writer: _Schema, keyword: str, path: Path) -> Found:
    """A least or greatest number, by the keyword's own name."""
    new, old = reader.get(keyword), writer.get(keyword)
    least = "min" in keyword.lower()
    if new is None or (least and new == 0 and keyword[:3] == "min" and keyword != "minimum"):
        return []  # at least none of them is no bound
    if old is None:
        change = "ADDED"
    elif least and new > old:
        change = "INCREASED"
    elif not least and new < old:
        change = "DECREASED"
    else:
        return []
    return [compare.found(f"{type_name(keyword)}_{change}", (*path, keyword))]


def value_key(value: Any) -> str:
    """The same text for equal JSON values, however they are written."""
    return write_json(sorted_keys(_plain(value)))


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _values(schema: _Schema) -> set[str]:
    enum = None if "enum" not in schema else {value_key(each) for each in schema["enum"]}
    const = None if "const" not in schema else {value_key(schema["const"])}
    if enum is None or const is None:
        return enum or const or set()
    return enum & const


def _limits(schema: _Schema) -> _Schema:
    """In draft 4 the exclusive keywords are flags of the others."""
    found = dict(schema)
    for plain, exclusive in (("maximum", "exclusiveMaximum"), ("minimum", "exclusiveMinimum")):
        flag = schema.get(exclusive)
        if isinstance(flag, bool):
            del found[exclusive]
            if flag and plain in found:
                found[exclusive] = found.pop(plain)
    return found


def _multiples(compare: Comparer, reader: _Schema, writer: _Schema, path: Path) -> Found:
    if "multipleOf" not in reader:
        return []
    here = (*path, "multipleOf")
    if "multipleOf" not in writer:
        return [compare.found("MULTIPLE_OF_ADDED", here)]
    new, old = Fraction(str(reader["multipleOf"])), Fraction(str(writer["multipleOf"]))
    if old % new == 0:
        return []
    return [compare.found("MULTIPLE_OF_EXPANDED" if new % old == 0 else "MULTIPLE_OF_CHANGED", here)]
