"""Reads the JSON of an Avro schema into its graph of types, as strictly as Avro's Java reads a new one.

Names may be used before they are defined. What Java 1.12 refuses is refused here (names, symbols, defaults,
unions); a logical type that does not fit its type is ignored as there.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from barnabas.schema_registry.formats.avro.defaults import bad_default
from barnabas.schema_registry.formats.avro.types import (
    PRIMITIVES,
    Array,
    AvroType,
    Enum,
    Field,
    Fixed,
    Map,
    Name,
    Named,
    Props,
    Record,
    Union,
)
from barnabas.schema_registry.formats.json_text import Json, read_json, write_json
from barnabas.schema_registry.formats.model import NESTING_MAX, InvalidSchema

_NAME = re.compile(r"[^\W\d]\w*\Z")
_TYPE_ATTRIBUTES = frozenset(
    {"doc", "fields", "items", "name", "namespace", "size", "symbols", "values", "type", "aliases"}
)
_ENUM_ATTRIBUTES = _TYPE_ATTRIBUTES | {"default"}
_FIELD_ATTRIBUTES = frozenset({"aliases", "default", "doc", "name", "order", "type"})
_ORDERS = frozenset({"ascending", "descending", "ignore"})


@dataclass(slots=True, eq=False)
class _Pending(AvroType):
    """A name that stands where a type is expected and may be defined further down."""

    name: Name


@dataclass(slots=True)
class Names:
    """The named types that a text may refer to: those of its references, then its own."""

    defined: dict[str, Named] = field(default_factory=dict)

    def find(self, name: Name) -> Named | None:
        """Java falls back to the name without namespace, so texts of old Avro versions still read."""
        return self.defined.get(name.full) or (self.defined.get(name.simple) if name.space else None)


def parse_avro(text: str, names: Names, what: str = "schema") -> AvroType:
    """Reads one schema and adds the types that it defines to `names`."""
    value = read_json(text, what)
    parser = _Parser(names)
    root = parser.type(value, "", what, 0)
    return parser.link(root)


class _Parser:
    def __init__(self, names: Names) -> None:
        self.names = names
        self.pending = 0
        self.made: list[AvroType] = []
        self.fields: list[tuple[Record, Field]] = []

    def type(self, value: Json, space: str, where: str, depth: int) -> AvroType:
        if depth > NESTING_MAX:
            raise InvalidSchema(f"{where}: types are nested deeper than {NESTING_MAX} levels")
        if isinstance(value, str):
            return self.reference(value, space, where)
        if isinstance(value, list):
            return self.union(value, space, where, depth)
        if not isinstance(value, dict):
            raise InvalidSchema(f"{where}: a type is a name, an object or a list, not {write_json(value)}")
        kind = value.get("type")
        if not isinstance(kind, str):
            raise InvalidSchema(f"{where}: the attribute 'type' is missing or no name")
        if kind in PRIMITIVES:
            return self.made_type(AvroType(kind, _rest(value, _TYPE_ATTRIBUTES)))
        if kind in ("record", "error"):
            return self.record(kind, value, space, where, depth)
        if kind == "enum":
            return self.enum(value, space, where)
        if kind == "fixed":
            return self.fixed(value, space, where)
        if kind == "array":
            return self.array(value, space, where, depth)
        if kind == "map":
            return self.map(value, space, where, depth)
        return self.reference(kind, space, where)

    def made_type(self, made: AvroType) -> AvroType:
        self.made.append(made)
        return made

    def reference(self, text: str, space: str, where: str) -> AvroType:
        if text in PRIMITIVES:
            return AvroType(text, {})
        found = self.names.find(_name(text, space, where))
        if found is not None:
            return found
        self.pending += 1
        return _Pending("", {}, _name(text, space, where))

    def union(self, value: list[Json], space: str, where: str, depth: int) -> AvroType:
        branches = [self.type(each, space, f"{where}/{at}", depth + 1) for at, each in enumerate(value)]
        for branch in branches:
            if isinstance(branch, Union):
                raise InvalidSchema(f"{where}: a union stands directly in a union")
        return self.made_type(Union("union", {}, branches))

    def array(self, value: Props, space: str, where: str, depth: int) -> AvroType:
        if "items" not in value:
            raise InvalidSchema(f"{where}: an array has no 'items'")
        items = self.type(value["items"], space, f"{where}/items", depth + 1)
        return self.made_type(Array("array", _rest(value, _TYPE_ATTRIBUTES), items))

    def map(self, value: Props, space: str, where: str, depth: int) -> AvroType:
        if "values" not in value:
            raise InvalidSchema(f"{where}: a map has no 'values'")
        values = self.type(value["values"], space, f"{where}/values", depth + 1)
        return self.made_type(Map("map", _rest(value, _TYPE_ATTRIBUTES), values))

    def record(self, kind: str, value: Props, space: str, where: str, depth: int) -> AvroType:
        name = self.declared(value, space, where)
        given = value.get("fields")
        if not isinstance(given, list):
            raise InvalidSchema(f"{where}: record {name.full} has no list of 'fields'")
        props = _rest(value, _TYPE_ATTRIBUTES)
        record = Record(kind, props, name, self.aliases(value, name, where), _text(value, "doc"), [])
        self.define(record, where)
        for at, each in enumerate(given):
            found = self.field(each, name.space, f"{where}/fields/{at}", depth)
            if found.name in record.by_name:
                raise InvalidSchema(f"{where}: record {name.full} has the field {found.name!r} twice")
            record.by_name[found.name] = found
            record.fields.append(found)
            self.fields.append((record, found))
        return record

    def field(self, value: Json, space: str, where: str, depth: int) -> Field:
        if not isinstance(value, dict):
            raise InvalidSchema(f"{where}: a field is an object, not {write_json(value)}")
        name = value.get("name")
        if not isinstance(name, str):
            raise InvalidSchema(f"{where}: a field has no name")
        _check_name(name, where)
        if "type" not in value:
            raise InvalidSchema(f"{where}: field {name!r} has no type")
        order = value.get("order", "ascending")
        if not isinstance(order, str) or order.lower() not in _ORDERS:
            raise InvalidSchema(f"{where}: order {write_json(order)} is none of {', '.join(sorted(_ORDERS))}")
        return Field(
            name=name,
            type=self.type(value["type"], space, f"{where}/type", depth + 1),
            aliases=list(dict.fromkeys(_strings(value, "aliases", where))),
            doc=_text(value, "doc"),
            order=order.lower(),
            has_default="default" in value,
            default=value.get("default"),
            props=_rest(value, _FIELD_ATTRIBUTES),
        )

    def enum(self, value: Props, space: str, where: str) -> AvroType:
        name = self.declared(value, space, where)
        symbols = _strings(value, "symbols", where)
        if "symbols" not in value:
            raise InvalidSchema(f"{where}: enum {name.full} has no 'symbols'")
        for symbol in symbols:
            _check_name(symbol, f"{where}/symbols")
        if len(set(symbols)) != len(symbols):
            raise InvalidSchema(f"{where}: enum {name.full} has a symbol twice")
        default = _text(value, "default")
        if default is not None and default not in symbols:
            raise InvalidSchema(
                f"{where}: the default {default!r} of enum {name.full} is none of its symbols"
            )
        aliases = self.aliases(value, name, where)
        enum = Enum(
            "enum", _rest(value, _ENUM_ATTRIBUTES), name, aliases, _text(value, "doc"), symbols, default
        )
        return self.define(enum, where)

    def fixed(self, value: Props, space: str, where: str) -> AvroType:
        name = self.declared(value, space, where)
        size = value.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**31:
            raise InvalidSchema(f"{where}: fixed {name.full} has no valid 'size'")
        aliases = self.aliases(value, name, where)
        fixed = Fixed("fixed", _rest(value, _TYPE_ATTRIBUTES), name, aliases, _text(value, "doc"), size)
        return self.define(fixed, where)

    def declared(self, value: Props, space: str, where: str) -> Name:
        text = value.get("name")
        if not isinstance(text, str):
            raise InvalidSchema(f"{where}: {value['type']} has no name")
        given = value.get("namespace")
        name = _name(text, given if isinstance(given, str) else space, where)
        for part in name.full.split("."):
            _check_name(part, where)
        if name.simple in PRIMITIVES:
            raise InvalidSchema(f"{where}: a type may not be named after the primitive {name.simple!r}")
        return name

    def aliases(self, value: Props, name: Name, where: str) -> list[Name]:
        return list(
            dict.fromkeys(_name(each, name.space, where) for each in _strings(value, "aliases", where))
        )

    def define(self, named: Named, where: str) -> AvroType:
        if named.name.full in self.names.defined:
            raise InvalidSchema(f"{where}: {named.name.full} is defined twice")
        self.names.defined[named.name.full] = named
        return named

    def link(self, root: AvroType) -> AvroType:
        """Puts what names have meant in their place, then checks what needs all types to be known."""
        if self.pending:
            root = self.known(root)
            for made in self.made:
                if isinstance(made, Array):
                    made.items = self.known(made.items)
                elif isinstance(made, Map):
                    made.values = self.known(made.values)
                elif isinstance(made, Union):
                    made.branches = [self.known(each) for each in made.branches]
            for _, each in self.fields:
                each.type = self.known(each.type)
        for made in self.made:
            if isinstance(made, Union):
                _check_branches(made)
        for record, each in self.fields:
            self.check_default(record, each)
        return root

    def known(self, found: AvroType) -> AvroType:
        if not isinstance(found, _Pending):
            return found
        named = self.names.find(found.name)
        if named is None:
            raise InvalidSchema(f"undefined name {found.name.full!r}")
        return named

    def check_default(self, record: Record, each: Field) -> None:
        if not each.has_default:
            return
        if each.type.kind in ("float", "double") and isinstance(each.default, str):
            with suppress(ValueError):
                each.default = float(each.default)  # Java takes a number in quotes
        if bad_default(each.type, each.default):
            raise InvalidSchema(
                f"the default {write_json(each.default)} of field {each.name!r} of {record.name.full}"
                f" is no {each.type.kind}"
            )


def _check_branches(union: Union) -> None:
    seen: set[str] = set()
    for branch in union.branches:
        key = branch.name.full if isinstance(branch, Named) else branch.kind
        if key in seen:
            raise InvalidSchema(f"a union has {key} twice")
        seen.add(key)


def _name(text: str, space: str, where: str) -> Name:
    if not text:
        raise InvalidSchema(f"{where}: an empty name")
    before, dot, simple = text.rpartition(".")
    return Name(before if dot else space, simple)


def _check_name(text: str, where: str) -> None:
    if not _NAME.match(text) or not text.isascii():
        raise InvalidSchema(
            f"{where}: {text!r} is no valid name (letters, digits, underscore; no digit first)"
        )


def _rest(value: Props, attributes: Iterable[str]) -> Props:
    return {key: value[key] for key in value if key not in attributes}


def _text(value: Props, attribute: str) -> str | None:
    found = value.get(attribute)
    return found if isinstance(found, str) else None


def _strings(value: Props, attribute: str, where: str) -> list[str]:
    found: Any = value.get(attribute, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise InvalidSchema(f"{where}: {attribute!r} is no list of strings")
    return found
