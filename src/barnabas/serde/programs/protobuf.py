"""A Protobuf schema as a program. `crates/datum/src/protobuf.rs` says what its parts are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from barnabas.schema_registry.formats.protobuf import ProtobufSchema
from barnabas.schema_registry.formats.protobuf.descriptor import (
    ENUM,
    GROUP,
    LABELS,
    MESSAGE,
    SCALAR_TYPES,
    WORDS,
    Fields,
)
from barnabas.schema_registry.formats.protobuf.encode import file_fields
from barnabas.schema_registry.formats.protobuf.link import Linked
from barnabas.serde.programs.numbers import number, places

_FORMAT = b"\x02"
_VARINT, _FIXED64, _FIXED32, _BYTES, _TEXT, _MESSAGE, _GROUP = range(7)
_KINDS = {
    "double": _FIXED64,
    "fixed64": _FIXED64,
    "sfixed64": _FIXED64,
    "float": _FIXED32,
    "fixed32": _FIXED32,
    "sfixed32": _FIXED32,
    "bytes": _BYTES,
    "string": _TEXT,
}
_KIND_OF = {at: _KINDS.get(name, _VARINT) for name, at in SCALAR_TYPES.items()} | {ENUM: _VARINT}
_REPEATED, _REQUIRED = 1, 2


class _Features(NamedTuple):
    """What of an edition's features the wire shows."""

    checks_text: bool
    has_groups: bool = False
    is_required: bool = False

    def within(self, part: Fields) -> _Features:
        """Those of a part of the file, which may say otherwise."""
        said: dict[str, int] = part.get("options", {}).get("features", {})

        def is_now(feature: str, word: str, before: bool) -> bool:
            return said[feature] == WORDS[feature][word] if feature in said else before

        return _Features(
            is_now("utf8_validation", "VERIFY", self.checks_text),
            is_now("message_encoding", "DELIMITED", self.has_groups),
            is_now("field_presence", "LEGACY_REQUIRED", self.is_required),
        )


class _Message(NamedTuple):
    """A message with the features that it has of what it stands in."""

    name: str
    fields: Fields
    features: _Features
    nested: list[str]
    """Messages within it, as the text has them."""
    entries: list[str]
    """Those that its maps have besides."""


def protobuf_program(schema: ProtobufSchema) -> bytes:
    """The program of a file with all that it stands on."""
    linked = schema.linked
    views = [linked, *(linked.seen_from(path) for path in linked.files if path != linked.path)]
    messages = [message for view in views for message in _messages(view)]
    table = {message.name: place for place, message in enumerate(messages)}
    top = [_full(linked.file.package, message.name) for message in linked.file.messages]
    written = b"".join(_written(message, table) for message in messages)
    return _FORMAT + number(len(messages)) + written + places([table[name] for name in top])


def _messages(linked: Linked) -> Iterator[_Message]:
    """All messages of a file, those that entries of maps are included."""
    file = file_fields(linked, linked.path)
    # Proto2 takes any bytes for text.
    of_file = _Features(checks_text="syntax" in file).within(file)
    rest: list[tuple[str, Fields, _Features]] = []
    rest += [(linked.file.package, each, of_file) for each in file["message_type"]]
    while rest:
        scope, fields, outer = rest.pop()
        name, features = _full(scope, fields["name"]), outer.within(fields)
        rest += [(name, each, features) for each in fields.get("nested_type", ())]
        nested = [_full(name, each["name"]) for each in fields.get("nested_type", ()) if not _is_entry(each)]
        entries = [_full(name, each["name"]) for each in fields.get("nested_type", ()) if _is_entry(each)]
        yield _Message(name, fields, features, nested, entries)


def _written(message: _Message, table: dict[str, int]) -> bytes:
    fields = [_field(each, message, table) for each in message.fields["field"]]
    nested = places([table[name] for name in message.nested])
    return number(len(fields)) + b"".join(fields) + nested


def _field(field: Fields, message: _Message, table: dict[str, int]) -> bytes:
    features = message.features.within(field)
    flags = _REPEATED if field["label"] == LABELS["repeated"] else 0
    if field["label"] == LABELS["required"] or features.is_required:
        flags |= _REQUIRED
    if field["type"] not in (MESSAGE, GROUP):
        kind = _KIND_OF[field["type"]]
        kind = _BYTES if kind == _TEXT and not features.checks_text else kind
        return number(field["number"]) + bytes([kind, flags])
    name = field["type_name"].removeprefix(".")
    # Maps keep to messages with a length, whatever the features say.
    in_map = _is_entry(message.fields) or name in message.entries
    is_group = field["type"] == GROUP or (features.has_groups and not in_map)
    return number(field["number"]) + bytes([_GROUP if is_group else _MESSAGE, flags]) + number(table[name])


def _is_entry(message: Fields) -> bool:
    return bool(message.get("options", {}).get("map_entry"))


def _full(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name
