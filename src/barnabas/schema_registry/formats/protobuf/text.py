"""Writes the tree of a .proto file back as text, laid out as Confluent's registry keeps it.

Comments are gone, each kind of statement stands in its own section, messages before enums.
"""

from collections.abc import Iterable, Sequence

from barnabas.schema_registry.formats.protobuf.nodes import (
    ENUM_NUMBER_MAX,
    NUMBER_MAX,
    Aggregate,
    Constant,
    Enum,
    Extend,
    Extensions,
    Field,
    Listed,
    Message,
    OneOf,
    Option,
    OptionValue,
    ProtoFile,
    Range,
    Reserved,
    Rpc,
    Service,
)

_ESCAPES = {each: f"\\{each}" for each in "\\\"'"}
_ESCAPES |= {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
_ESCAPED = str.maketrans(_ESCAPES)
# A section is the lines of one kind of statement; an empty one is not written.
_Lines = list[str]


def proto_text(file: ProtoFile) -> str:
    """The canonical text of a file."""
    head: _Lines = []
    if file.edition is not None:
        head.append(f'edition = "{file.edition}";')
    elif file.syntax is not None:
        head.append(f'syntax = "{file.syntax}";')
    if file.package:
        head.append(f"package {file.package};")
    imports = [f'import "{each}";' for each in file.imports]
    imports += [f'import public "{each}";' for each in file.public_imports]
    types = _flat(_message(each) for each in file.messages) + _flat(_enum(each) for each in file.enums)
    sections = [
        imports,
        _options(file.options),
        types,
        _flat(_extend(each) for each in file.extends),
        _flat(_service(each) for each in file.services),
    ]
    lines = head + _flat(["", *section] for section in sections if section)
    return "".join(line + "\n" for line in lines)


def _flat(parts: Iterable[_Lines]) -> _Lines:
    return [line for part in parts for line in part]


def _block(head: str, sections: Sequence[_Lines]) -> _Lines:
    lines = [f"{head} {{"]
    for section in sections:
        if section:
            if len(lines) > 1:
                lines.append("")
            lines += [f"  {line}" for line in section]  # empty lines too: so it is stored
    if len(lines) == 1:
        return [f"{head} {{}}"]
    return [*lines, "}"]


def _visible(visibility: str | None, head: str) -> str:
    return f"{visibility} {head}" if visibility else head


def _message(message: Message) -> _Lines:
    return _block(_visible(message.visibility, f"message {message.name}"), _message_sections(message))


def _message_sections(message: Message) -> list[_Lines]:
    groups = [each for each in message.fields if each.group is not None]
    written_with_groups = {id(each.group) for each in _grouped(message)}
    nested = [each for each in message.messages if id(each) not in written_with_groups]
    return [
        [_reserved(each, NUMBER_MAX) for each in message.reserved],
        _options(message.options),
        _flat(_field(each) for each in message.fields if each.group is None),
        _flat(_oneof(each) for each in message.oneofs),
        _flat(_field(each) for each in groups),
        _flat(_extensions(each) for each in message.extensions),
        _flat(_extend(each) for each in message.extends),
        _flat(_message(each) for each in nested) + _flat(_enum(each) for each in message.enums),
    ]


def _grouped(message: Message) -> list[Field]:
    extended = [each for extend in message.extends for each in extend.fields]
    return [each for each in message.all_fields() + extended if each.group is not None]


def _enum(enum: Enum) -> _Lines:
    head = _visible(enum.visibility, f"enum {enum.name}")
    body = [_reserved(each, ENUM_NUMBER_MAX) for each in enum.reserved]
    body += _options(enum.options)
    for each in enum.constants:
        body += _bracketed(f"{each.name} = {each.number}", each.options)
    return _block(head, [body])


def _oneof(oneof: OneOf) -> _Lines:
    fields = _flat(_field(each) for each in oneof.fields if each.group is None)
    groups = _flat(_field(each) for each in oneof.fields if each.group is not None)
    return _block(f"oneof {oneof.name}", [_options(oneof.options), fields, groups])


def _extend(extend: Extend) -> _Lines:
    return _block(f"extend {extend.name}", [_flat(_field(each) for each in extend.fields)])


def _field(field: Field) -> _Lines:
    label = f"{field.label} " if field.label else ""
    if field.group is not None:
        return _block(f"{label}group {field.group.name} = {field.number}", _message_sections(field.group))
    kind = field.type if field.key is None else f"map<{field.key}, {field.type}>"
    return _bracketed(f"{label}{kind} {field.name} = {field.number}", _last(field.options))


def _last(options: list[Option]) -> list[Option]:
    """The default and the JSON name stand after the others."""
    special = {"default": 1, "json_name": 2}
    return sorted(options, key=lambda option: special.get(option.name, 0))


def _reserved(reserved: Reserved, last: int) -> str:
    parts = [_range(each, last) for each in reserved.ranges] + [f'"{name}"' for name in reserved.names]
    return f"reserved {', '.join(parts)};"


def _extensions(extensions: Extensions) -> _Lines:
    ranges = ", ".join(_range(each, NUMBER_MAX) for each in extensions.ranges)
    return _bracketed(f"extensions {ranges}", extensions.options)


def _range(each: Range, last: int) -> str:
    if each.single:
        return str(each.start)
    return f"{each.start} to {'max' if each.end == last else each.end}"


def _service(service: Service) -> _Lines:
    return _block(
        f"service {service.name}", [_options(service.options), _flat(_rpc(each) for each in service.rpcs)]
    )


def _rpc(rpc: Rpc) -> _Lines:
    request = f"stream {rpc.request}" if rpc.request_streams else rpc.request
    response = f"stream {rpc.response}" if rpc.response_streams else rpc.response
    head = f"rpc {rpc.name} ({request}) returns ({response})"
    if not rpc.options:
        return [head + ";"]
    lines = _block(head, [_options(rpc.options)])
    return [*lines[:-1], "};"]


def _options(options: list[Option]) -> _Lines:
    return _flat(_ended(_assigned(f"option {each.name} = ", each.value), ";") for each in options)


def _bracketed(head: str, options: list[Option]) -> _Lines:
    if not options:
        return [head + ";"]
    written = [_assigned(f"{each.name} = ", each.value) for each in options]
    if len(written) == 1:
        lines = written[0]
        return (
            [f"{head} [{lines[0]}", *lines[1:-1], f"{lines[-1]}];"]
            if len(lines) > 1
            else [f"{head} [{lines[0]}];"]
        )
    return [f"{head} [", *_listed(written), "];"]


def _listed(parts: list[_Lines]) -> _Lines:
    ended = [_ended(part, ",") for part in parts[:-1]] + parts[-1:]
    return [f"  {line}" for line in _flat(ended)]


def _ended(lines: _Lines, end: str) -> _Lines:
    return [*lines[:-1], lines[-1] + end]


def _assigned(head: str, value: OptionValue) -> _Lines:
    """Lines of a value, the first of them after `head`."""
    if isinstance(value, Constant):
        return [head + (f'"{value.text.translate(_ESCAPED)}"' if value.kind == "string" else value.text)]
    if isinstance(value, Aggregate):
        return (
            [f"{head}{{", *_listed([_assigned(f"{key}: ", each) for key, each in value.entries]), "}"]
            if value.entries
            else [f"{head}{{", "}"]
        )
    assert isinstance(value, Listed)
    return (
        [f"{head}[", *_listed([_assigned("", each) for each in value.values]), "]"]
        if value.values
        else [f"{head}[", "]"]
    )
