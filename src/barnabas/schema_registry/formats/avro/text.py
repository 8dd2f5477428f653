"""Writes an Avro graph back as JSON: the text that the registry keeps, in the key order of Avro's Java."""

from collections.abc import Collection
from typing import Any

from barnabas.schema_registry.formats.avro.defaults import typed_default
from barnabas.schema_registry.formats.avro.types import (
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
from barnabas.schema_registry.formats.json_text import Json, sorted_keys, write_json
from barnabas.schema_registry.formats.model import NESTING_MAX, InvalidSchema


def avro_text(root: AvroType, known: Collection[str] = (), *, normalized: bool = False) -> str:
    """The canonical text. Types whose full names are `known` (those of references) are not written out.

    Normalized: attributes and aliases sorted, empty docs left out, defaults as values of their types.
    """
    return write_json(_Writer(set(known), normalized).type(root, ""))


class _Writer:
    def __init__(self, written: set[str], normalized: bool) -> None:
        self.written = written
        self.normalized = normalized
        # Types that are being written out inside one another, as the text has them or not.
        self.depth = 0

    def type(self, kind: AvroType, space: str) -> Json:
        self.depth += 1
        if self.depth > NESTING_MAX:
            raise InvalidSchema(f"types are nested deeper than {NESTING_MAX} levels, names followed")
        text = self.unbounded(kind, space)
        self.depth -= 1
        return text

    def unbounded(self, kind: AvroType, space: str) -> Json:
        if isinstance(kind, Named):
            return self.named(kind, space)
        if isinstance(kind, Union):
            return [self.type(branch, space) for branch in kind.branches]
        if isinstance(kind, Array):
            return {"type": "array", "items": self.type(kind.items, space), **self.props(kind.props)}
        if isinstance(kind, Map):
            return {"type": "map", "values": self.type(kind.values, space), **self.props(kind.props)}
        return {"type": kind.kind, **self.props(kind.props)} if kind.props else kind.kind

    def named(self, kind: Named, space: str) -> Json:
        if kind.name.full in self.written:
            return kind.name.seen_from(space)
        self.written.add(kind.name.full)
        text: Props = {"type": kind.kind, "name": kind.name.simple}
        if kind.name.space != space:
            text["namespace"] = kind.name.space
        if kind.doc or (kind.doc is not None and not self.normalized):
            text["doc"] = kind.doc
        if isinstance(kind, Record):
            text["fields"] = [self.field(each, kind.name.space) for each in kind.fields]
        elif isinstance(kind, Enum):
            text["symbols"] = kind.symbols
            if kind.default is not None:
                text["default"] = kind.default
        elif isinstance(kind, Fixed):
            text["size"] = kind.size
        text |= self.props(kind.props)
        if kind.aliases:
            text["aliases"] = [alias.seen_from(kind.name.space) for alias in self.aliases(kind.aliases)]
        return text

    def field(self, each: Field, space: str) -> Json:
        text: Props = {"name": each.name, "type": self.type(each.type, space)}
        if each.doc is not None:
            text["doc"] = each.doc
        if each.has_default:
            text["default"] = self.default(each)
        if each.order != "ascending":
            text["order"] = each.order
        if each.aliases:
            text["aliases"] = sorted(each.aliases) if self.normalized else each.aliases
        return text | self.props(each.props)

    def default(self, each: Field) -> Any:
        return typed_default(each.type, each.default) if self.normalized else each.default

    def aliases(self, aliases: list[Name]) -> list[Name]:
        return sorted(aliases, key=lambda alias: alias.full) if self.normalized else aliases

    def props(self, props: Props) -> Props:
        if not self.normalized or not props:
            return props
        logical = ("logicalType", "precision", "scale") if "logicalType" in props else ()
        first = [key for key in logical if key in props]
        return {key: sorted_keys(props[key]) for key in [*first, *sorted(props.keys() - set(first))]}
