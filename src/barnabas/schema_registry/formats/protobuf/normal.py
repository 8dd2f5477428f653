"""Other forms of the tree of a .proto file: the one that all spellings share, the one without extensions."""

from dataclasses import replace

from barnabas.schema_registry.formats.protobuf.link import Linked, is_scalar
from barnabas.schema_registry.formats.protobuf.nodes import (
    Enum,
    Extend,
    Extensions,
    Field,
    Message,
    OneOf,
    Option,
    ProtoFile,
    Range,
    Reserved,
    Service,
)


def normal_file(linked: Linked) -> ProtoFile:
    """Type names in full, sorted what has no order.

    Messages, enums, services and rpcs keep theirs: message indexes on the wire count on it.
    """
    file = linked.file
    scope = file.package
    return replace(
        file,
        syntax=file.syntax if file.syntax == "proto3" else None,
        imports=sorted(set(file.imports)),
        public_imports=sorted(set(file.public_imports)),
        options=_options(file.options),
        messages=[_message(linked, each, scope) for each in file.messages],
        enums=[_enum(each) for each in file.enums],
        extends=_extends(linked, file.extends, scope),
        services=[_service(linked, each, scope) for each in file.services],
    )


def _full(linked: Linked, name: str, scope: str) -> str:
    if is_scalar(name):
        return name
    symbol = linked.resolve(name, scope)
    return f".{symbol.full}" if symbol else name


def _message(linked: Linked, message: Message, scope: str) -> Message:
    inside = f"{scope}.{message.name}" if scope else message.name
    groups = {id(each): _message(linked, each, inside) for each in message.messages}
    oneofs = [
        OneOf(each.name, _fields(linked, each.fields, inside, groups), _options(each.options))
        for each in message.oneofs
        if each.fields
    ]
    return replace(
        message,
        fields=_fields(linked, message.fields, inside, groups),
        oneofs=sorted(oneofs, key=lambda each: each.fields[0].number),
        reserved=_reserved(message.reserved),
        extensions=_extensions(message.extensions),
        options=_options(message.options),
        extends=_extends(linked, message.extends, inside),
        messages=[groups[id(each)] for each in message.messages],
        enums=[_enum(each) for each in message.enums],
    )


def _fields(linked: Linked, fields: list[Field], scope: str, groups: dict[int, Message]) -> list[Field]:
    done = [
        replace(
            each,
            type=_full(linked, each.type, scope),
            options=_options(each.options),
            group=groups.get(id(each.group), each.group),
        )
        for each in fields
    ]
    return sorted(done, key=lambda each: each.number)


def _enum(enum: Enum) -> Enum:
    constants = [replace(each, options=_options(each.options)) for each in enum.constants]
    # Zero stays before negative numbers where it is first: proto3 asks for it there.
    zero_first = bool(enum.constants) and enum.constants[0].number == 0
    return replace(
        enum,
        constants=sorted(
            constants, key=lambda each: (not zero_first or each.number != 0, each.number, each.name)
        ),
        reserved=_reserved(enum.reserved),
        options=_options(enum.options),
    )


def _single(each: Range) -> Range:
    return replace(each, single=each.start == each.end)


def _reserved(statements: list[Reserved]) -> list[Reserved]:
    ranges = sorted((each for one in statements for each in one.ranges), key=lambda each: each.start)
    names = sorted(name for one in statements for name in one.names)
    return [Reserved(ranges=[_single(each)]) for each in ranges] + [Reserved(names=[name]) for name in names]


def _extensions(statements: list[Extensions]) -> list[Extensions]:
    split = [Extensions([_single(each)], _options(one.options)) for one in statements for each in one.ranges]
    return sorted(split, key=lambda each: each.ranges[0].start)


def _extends(linked: Linked, extends: list[Extend], scope: str) -> list[Extend]:
    grouped: dict[str, list[Field]] = {}
    for each in extends:
        grouped.setdefault(_full(linked, each.name, scope), []).extend(each.fields)
    return [Extend(name, _fields(linked, fields, scope, {})) for name, fields in grouped.items()]


def _service(linked: Linked, service: Service, scope: str) -> Service:
    rpcs = [
        replace(
            each,
            request=_full(linked, each.request, scope),
            response=_full(linked, each.response, scope),
            options=_options(each.options),
        )
        for each in service.rpcs
    ]
    return replace(service, rpcs=rpcs, options=_options(service.options))


def _options(options: list[Option]) -> list[Option]:
    return sorted(options, key=lambda option: option.name)


def without_extensions(file: ProtoFile) -> ProtoFile:
    """Without extension ranges, `extend` statements and custom options; Confluent's own options stay."""
    return replace(
        file,
        extends=[],
        options=_plain(file.options),
        messages=[_without(each) for each in file.messages],
        enums=[_plain_enum(each) for each in file.enums],
    )


def _without(message: Message) -> Message:
    inner = {id(each): _without(each) for each in message.messages}

    def plain(fields: list[Field]) -> list[Field]:
        return [
            replace(each, options=_plain(each.options), group=inner.get(id(each.group), each.group))
            for each in fields
        ]

    return replace(
        message,
        fields=plain(message.fields),
        oneofs=[OneOf(each.name, plain(each.fields), _plain(each.options)) for each in message.oneofs],
        extensions=[],
        extends=[],
        options=_plain(message.options),
        messages=list(inner.values()),
        enums=[_plain_enum(each) for each in message.enums],
    )


def _plain_enum(enum: Enum) -> Enum:
    constants = [replace(each, options=_plain(each.options)) for each in enum.constants]
    return replace(enum, constants=constants, options=_plain(enum.options))


def _plain(options: list[Option]) -> list[Option]:
    return [each for each in options if not each.name.startswith("(") or "(confluent." in each.name]
