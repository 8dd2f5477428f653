"""Whether a reader's .proto file reads what a writer's wrote.

Messages are compared by name, fields by number: what counts is the wire. Names of differences, their places
and the verdicts are those of Confluent's registry, which is stricter than the wire in three things: a package
or a message must stay, and a required field may not go.
"""

from collections.abc import Iterable
from typing import NamedTuple

from barnabas.schema_registry.formats.model import REPEATED_MAX, Effort, Incompatibility, Roles
from barnabas.schema_registry.formats.protobuf.link import Linked, is_scalar
from barnabas.schema_registry.formats.protobuf.nodes import Enum, Field, Message

# Scalars of one group are read from one another's bytes.
_WIRE_GROUPS = {
    **dict.fromkeys(("int32", "int64", "uint32", "uint64", "bool"), "number"),
    **dict.fromkeys(("sint32", "sint64"), "zigzag number"),
    **dict.fromkeys(("string", "bytes"), "string or bytes"),
    **dict.fromkeys(("fixed32", "sfixed32"), "32 bits"),
    **dict.fromkeys(("fixed64", "sfixed64"), "64 bits"),
}
_Path = tuple[str, ...]


class _Scope(NamedTuple):
    """A file, and the full name of the message inside it where type names are looked up."""

    linked: Linked
    name: str

    def inside(self, message: Message) -> "_Scope":
        return _Scope(self.linked, f"{self.name}.{message.name}" if self.name else message.name)


class _Kind(NamedTuple):
    """What a value is: a scalar by the group that it is written in, or a message."""

    wire: str
    message: Message | None = None
    local: str = ""
    # Where the message's own type names are looked up.
    scope: _Scope | None = None

    @property
    def is_number(self) -> bool:
        return self.message is None and self.wire != "string or bytes"


def compare_proto(reader: Linked, writer: Linked, roles: Roles) -> list[Incompatibility]:
    """What stands against reading; empty if nothing does."""
    return _Comparison(roles).files(reader, writer)


class _Comparison:
    def __init__(self, roles: Roles) -> None:
        self.new = f"the {roles.reader} schema"
        self.old = f"the {roles.writer} schema"
        self.effort = Effort()
        # What was found for pairs of imported messages; nothing while they are compared.
        self.imported: dict[tuple[int, int], list[Incompatibility]] = {}

    def files(self, reader: Linked, writer: Linked) -> list[Incompatibility]:
        found: list[Incompatibility] = []
        if reader.file.package != writer.file.package:
            new, old = reader.file.package or "none", writer.file.package or "none"
            found.append(
                self.found("PACKAGE_CHANGED", (), f"package {new} in {self.new}, {old} in {self.old}")
            )
        scopes = _Scope(reader, reader.file.package), _Scope(writer, writer.file.package)
        found += self.messages(reader.file.messages, writer.file.messages, *scopes, ())
        return list(dict.fromkeys(found))

    def messages(
        self, reader: list[Message], writer: list[Message], inside: _Scope, other: _Scope, path: _Path
    ) -> list[Incompatibility]:
        by_name = {each.name: each for each in reader}
        found: list[Incompatibility] = []
        for old in writer:
            here = (*path, old.name)
            new = by_name.get(old.name)
            if new is None:
                if not _is_map_entry(old):
                    found.append(
                        self.found("MESSAGE_REMOVED", here, f"{self.new} lacks this message of {self.old}")
                    )
                continue
            found += self.message(new, old, inside.inside(new), other.inside(old), here)
            found += self.messages(new.messages, old.messages, inside.inside(new), other.inside(old), here)
        return found

    def message(
        self, reader: Message, writer: Message, inside: _Scope, other: _Scope, path: _Path
    ) -> list[Incompatibility]:
        new_oneofs, old_oneofs = _oneofs(reader), _oneofs(writer)
        new_fields = {each.number: each for each in reader.all_fields()}
        old_fields = {each.number: each for each in writer.all_fields()}
        found = self.oneofs(reader, old_fields, old_oneofs, path)
        gone = _gone_oneofs(reader, writer, new_fields)
        for number in sorted(new_fields.keys() | old_fields.keys()):
            new, old = new_fields.get(number), old_fields.get(number)
            if old is None and new is not None:
                if new.label == "required":
                    text = f"a required field of {self.new} that is missing in {self.old}"
                    found.append(self.found("REQUIRED_FIELD_ADDED", (*path, str(number)), text))
            elif new is None and old is not None:
                found += self.removed(old, old_oneofs.get(number), gone, path)
            elif new is not None and old is not None:
                oneof = new_oneofs.get(number)
                here = (*path, oneof, str(number)) if oneof else (*path, str(number))
                found += self.fields(new, old, inside, other, here)
        return found

    def removed(self, old: Field, oneof: str | None, gone: set[str], path: _Path) -> list[Incompatibility]:
        if oneof is not None:
            if oneof in gone:
                return []
            text = f"{self.new} lacks this field of a oneof of {self.old}"
            return [self.found("ONEOF_FIELD_REMOVED", (*path, oneof, str(old.number)), text)]
        if old.label == "required":
            text = f"{self.new} lacks this required field of {self.old}"
            return [self.found("REQUIRED_FIELD_REMOVED", (*path, str(old.number)), text)]
        return []

    def oneofs(
        self, reader: Message, old_fields: dict[int, Field], old_oneofs: dict[int, str], path: _Path
    ) -> list[Incompatibility]:
        """Fields that could be set together and now exclude one another."""
        found: list[Incompatibility] = []
        for oneof in reader.oneofs:
            known = [each.number for each in oneof.fields if each.number in old_fields]
            free = [number for number in known if number not in old_oneofs]
            sources = {old_oneofs[number] for number in known if number in old_oneofs}
            if len(free) + len(sources) > 1:
                kind = "MULTIPLE_FIELDS_MOVED_TO_ONEOF" if len(free) > 1 else "FIELD_MOVED_TO_EXISTING_ONEOF"
                text = f"{self.old} may set fields together that exclude one another in {self.new}"
                found.append(self.found(kind, (*path, oneof.name), text))
        return found

    def fields(
        self, reader: Field, writer: Field, inside: _Scope, other: _Scope, path: _Path
    ) -> list[Incompatibility]:
        new, old = _kind(reader.type, inside), _kind(writer.type, other)
        if reader.key is not None and writer.key is not None:
            return self.types(_scalar(reader.key), _scalar(writer.key), path) + self.types(new, old, path)
        if reader.key is not None or writer.key is not None:
            text = f"{_article(reader, new)} in {self.new}, {_article(writer, old)} in {self.old}"
            return [self.found("FIELD_KIND_CHANGED", path, text)]
        found = self.types(new, old, path)
        if not found and new.is_number and _labels_differ(reader.label, writer.label):
            text = f"{reader.label or 'optional'} in {self.new}, {writer.label or 'optional'} in {self.old}"
            found.append(self.found("FIELD_NUMERIC_LABEL_CHANGED", path, text))
        return found

    def types(self, reader: _Kind, writer: _Kind, path: _Path) -> list[Incompatibility]:
        if reader.message is None and writer.message is None:
            if reader.wire == writer.wire:
                return []
            text = f"written as {reader.wire} by {self.new} and as {writer.wire} by {self.old}"
            return [self.found("FIELD_SCALAR_KIND_CHANGED", path, text)]
        if reader.message is None or writer.message is None:
            text = f"{reader.local or reader.wire} in {self.new}, {writer.local or writer.wire} in {self.old}"
            return [self.found("FIELD_KIND_CHANGED", path, text)]
        return self.named(reader, writer, path)

    def named(self, reader: _Kind, writer: _Kind, path: _Path) -> list[Incompatibility]:
        if reader.local != writer.local:
            text = f"{reader.local} in {self.new}, {writer.local} in {self.old}"
            return [self.found("FIELD_NAMED_TYPE_CHANGED", path, text)]
        inner = self.imports(reader, writer)
        if not inner:
            return []
        text = f"{reader.local} of {self.new} does not read that of {self.old}"
        return [*inner, self.found("FIELD_NAMED_TYPE_CHANGED", path, text)]

    def imports(self, reader: _Kind, writer: _Kind) -> list[Incompatibility]:
        """Compares messages of which one at least is imported; a file's own are compared where they stand."""
        inside, other = reader.scope, writer.scope
        assert inside is not None
        assert other is not None
        assert reader.message is not None
        assert writer.message is not None
        if not inside.linked.path and not other.linked.path:
            return []
        pair = id(reader.message), id(writer.message)
        known = self.imported.get(pair)
        if known is not None:
            return known[:REPEATED_MAX]
        self.imported[pair] = []
        self.effort.enter()
        path = tuple(reader.local.split("."))
        found = self.imported[pair] = self.message(reader.message, writer.message, inside, other, path)
        self.effort.leave()
        return found

    def found(self, kind: str, path: _Path, text: str) -> Incompatibility:
        where = "#/" + "/".join(path)
        return Incompatibility(kind, where, f"at {where}: {text}")


def _labels_differ(reader: str | None, writer: str | None) -> bool:
    """For numbers, which proto3 writes packed where they are repeated: only a repeated field reads that."""
    if reader is None or writer is None:
        return writer == "repeated" and reader != "repeated"
    return reader != writer


def _is_map_entry(message: Message) -> bool:
    return any(option.name == "map_entry" for option in message.options)


def _oneofs(message: Message) -> dict[int, str]:
    return {each.number: oneof.name for oneof in message.oneofs for each in oneof.fields}


def _gone_oneofs(reader: Message, writer: Message, kept: Iterable[int]) -> set[str]:
    """Oneofs that went with all their fields: nothing that is still read excludes what was in them."""
    names, numbers = {oneof.name for oneof in reader.oneofs}, set(kept)
    return {
        oneof.name
        for oneof in writer.oneofs
        if oneof.name not in names and not any(each.number in numbers for each in oneof.fields)
    }


def _scalar(name: str) -> _Kind:
    return _Kind(_WIRE_GROUPS.get(name, name))


def _article(field: Field, kind: _Kind) -> str:
    what = kind.local or kind.wire
    return what if field.key is None else f"a map of {what}"


def _kind(name: str, scope: _Scope) -> _Kind:
    if is_scalar(name):
        return _scalar(name)
    symbol = scope.linked.resolve(name, scope.name)
    assert symbol is not None, f"{name} was found when the schema was read"
    if isinstance(symbol.node, Enum):
        return _scalar("int32")
    linked = scope.linked.seen_from(symbol.path)
    return _Kind("message", symbol.node, symbol.local, _Scope(linked, symbol.full))
