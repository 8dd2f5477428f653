"""What protoc refuses in a file of right syntax: names and numbers used twice, types that don't exist."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Protocol

from barnabas.schema_registry.formats.model import InvalidSchema
from barnabas.schema_registry.formats.protobuf.link import Linked, is_scalar
from barnabas.schema_registry.formats.protobuf.nodes import Enum, Extend, Field, Message, Range, Reserved

# Numbers that the implementation of Protobuf keeps for itself.
_IMPLEMENTATION = range(19_000, 20_000)


def check_file(linked: Linked) -> None:
    """Raises InvalidSchema for the first thing that is wrong."""
    file = linked.file
    package = file.package
    _unique("the file", _names(file.services))
    for message in file.messages:
        _check_message(linked, message, package)
    for enum in file.enums:
        _check_enum(enum, file.syntax == "proto3", package)
    for extend in file.extends:
        _check_extend(linked, extend, package)
    for service in file.services:
        _unique(service.name, _names(service.rpcs))
        for rpc in service.rpcs:
            for name in (rpc.request, rpc.response):
                if not isinstance(_known(linked, name, package, f"rpc {rpc.name}"), Message):
                    raise InvalidSchema(f"rpc {rpc.name}: {name} is no message")


def _joined(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name


class _WithName(Protocol):
    name: str


def _names(parts: Sequence[_WithName]) -> list[str]:
    return [each.name for each in parts]


def _unique(where: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidSchema(f"{where} has {name!r} twice")
        seen.add(name)


def _check_message(linked: Linked, message: Message, scope: str) -> None:
    full = _joined(scope, message.name)
    fields = message.all_fields()
    _unique(full, _names(fields) + _names(message.messages) + _names(message.enums) + _names(message.oneofs))
    _check_ranges(full, [each for one in message.reserved + message.extensions for each in one.ranges])
    numbers: dict[int, str] = {}
    names = {name for each in message.reserved for name in each.names}
    reserved = _Ranges(each for one in message.reserved for each in one.ranges)
    extensions = _Ranges(each for one in message.extensions for each in one.ranges)
    for field in fields:
        where = f"field {field.name!r} of {full}"
        other = numbers.setdefault(field.number, field.name)
        if other != field.name:
            raise InvalidSchema(f"{where} has the number {field.number}, which {other!r} has already")
        if field.number in _IMPLEMENTATION:
            raise InvalidSchema(f"{where} has the number {field.number}; 19000 to 19999 are Protobuf's own")
        if field.number in reserved or field.name in names:
            raise InvalidSchema(f"{where} uses a reserved name or number")
        if field.number in extensions:
            raise InvalidSchema(f"{where} has the number {field.number}, which is for extensions")
        _check_field(linked, field, full, where)
    for inner in message.messages:
        _check_message(linked, inner, full)
    for enum in message.enums:
        _check_enum(enum, linked.file.syntax == "proto3", full)
    for extend in message.extends:
        _check_extend(linked, extend, full)


def _check_field(linked: Linked, field: Field, scope: str, where: str) -> None:
    if field.label == "required" and linked.file.syntax == "proto3":
        raise InvalidSchema(f"{where}: proto3 has no required fields")
    if field.group is not None and linked.file.syntax == "proto3":
        raise InvalidSchema(f"{where}: proto3 has no groups")
    if not is_scalar(field.type):
        _known(linked, field.type, scope, where)


def _known(linked: Linked, name: str, scope: str, where: str) -> Message | Enum:
    symbol = linked.resolve(name, scope)
    if symbol is None:
        raise InvalidSchema(f"{where}: {name!r} is no type that is defined or imported")
    return symbol.node


def _check_extend(linked: Linked, extend: Extend, scope: str) -> None:
    extended = _known(linked, extend.name, scope, "extend")
    if not isinstance(extended, Message):
        raise InvalidSchema(f"extend: {extend.name} is no message")
    ranges = _Ranges(each for one in extended.extensions for each in one.ranges)
    for field in extend.fields:
        where = f"extension {field.name!r} of {extend.name}"
        if field.number not in ranges:
            raise InvalidSchema(
                f"{where}: {field.number} is no number that {extend.name} leaves to extensions"
            )
        _check_field(linked, field, scope, where)


def _check_enum(enum: Enum, proto3: bool, scope: str) -> None:
    full = _joined(scope, enum.name)
    if not enum.constants:
        raise InvalidSchema(f"enum {full} has no constants")
    if proto3 and enum.constants[0].number != 0:
        raise InvalidSchema(f"enum {full}: the first constant must be zero in proto3")
    _unique(f"enum {full}", _names(enum.constants))
    _check_ranges(full, [each for one in enum.reserved for each in one.ranges])
    if not _has_aliases(enum):
        numbers: dict[int, str] = {}
        for each in enum.constants:
            other = numbers.setdefault(each.number, each.name)
            if other != each.name:
                raise InvalidSchema(f"enum {full}: {other} and {each.name} are both {each.number}")
    _check_constants(enum, full, enum.reserved)


def _check_constants(enum: Enum, full: str, reserved: list[Reserved]) -> None:
    names = {name for each in reserved for name in each.names}
    ranges = _Ranges(each for one in reserved for each in one.ranges)
    for each in enum.constants:
        if each.name in names or each.number in ranges:
            raise InvalidSchema(f"enum {full}: {each.name} = {each.number} uses a reserved name or number")


def _has_aliases(enum: Enum) -> bool:
    return any(
        each.name == "allow_alias" and getattr(each.value, "text", "") == "true" for each in enum.options
    )


def _check_ranges(where: str, ranges: list[Range]) -> None:
    ordered = sorted(ranges, key=lambda each: each.start)
    for each, after in pairwise(ordered):
        if after.start <= each.end:
            raise InvalidSchema(f"{where}: the ranges from {each.start} and from {after.start} overlap")


class _Ranges:
    """Whether a number is in one of some ranges that don't overlap."""

    def __init__(self, ranges: Iterable[Range]) -> None:
        self.ranges = sorted(ranges, key=lambda each: each.start)
        self.starts = [each.start for each in self.ranges]

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.starts, number) - 1
        return at >= 0 and number <= self.ranges[at].end
