"""Reads a FileDescriptorProto into the tree that its text would have."""

import re
from collections.abc import Iterable

from barnabas.schema_registry.formats.model import NODES_MAX, InvalidSchema
from barnabas.schema_registry.formats.protobuf.descriptor import (
    EDITIONS,
    ENUM,
    GROUP,
    LABELS,
    MESSAGE,
    SCALAR_TYPES,
    WORDS,
    Fields,
    decode,
)
from barnabas.schema_registry.formats.protobuf.nodes import (
    NUMBER_MAX,
    Constant,
    Enum,
    EnumConstant,
    Extend,
    Extensions,
    Field,
    Message,
    OneOf,
    Option,
    ProtoFile,
    Range,
    Reserved,
    Rpc,
    Service,
)
from barnabas.schema_registry.formats.protobuf.parser import MESSAGES_NESTED_MAX
from barnabas.schema_registry.formats.protobuf.scanner import unquoted

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NAME = re.compile(r"\.?[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\Z")
_TYPES = {number: name for name, number in SCALAR_TYPES.items()}
_LABELS = {number: name for name, number in LABELS.items()}


def decoded_file(data: bytes) -> ProtoFile:
    """Raises InvalidSchema if the bytes are no descriptor of a file."""
    if len(data) > NODES_MAX * 8:
        raise InvalidSchema("descriptor: too large")
    fields = decode("File", data)
    if not (fields.keys() & {"message_type", "enum_type", "service", "extension", "dependency"}):
        raise InvalidSchema("the schema is neither a .proto file nor a descriptor of one in Base64")
    syntax = fields.get("syntax", "proto2")
    return _Decoder(syntax != "proto2").file(fields, syntax)


class _Decoder:
    def __init__(self, unlabelled: bool) -> None:
        # Whether a field that is no list has no label: only proto2 writes `optional` for most.
        self.unlabelled = unlabelled

    def file(self, fields: Fields, syntax: str) -> ProtoFile:
        numbers = {number: name for name, number in EDITIONS.items()}
        edition = numbers.get(fields.get("edition", 0)) if syntax == "editions" else None
        if edition is None and syntax not in ("proto2", "proto3"):
            raise InvalidSchema(f"descriptor: unknown syntax or edition {syntax!r}")
        imports = fields.get("dependency", [])
        public = {imports[at] for at in fields.get("public_dependency", []) if 0 <= at < len(imports)}
        messages = [self.message(each, 0) for each in fields.get("message_type", [])]
        return ProtoFile(
            syntax=None if edition else syntax,
            edition=edition,
            package=_name(fields["package"]) if fields.get("package") else "",
            imports=[each for each in imports if each not in public],
            public_imports=[each for each in imports if each in public],
            options=_options(fields),
            messages=messages,
            enums=[_enum(each) for each in fields.get("enum_type", [])],
            extends=self.extends(fields, messages),
            services=[_service(each) for each in fields.get("service", [])],
        )

    def message(self, fields: Fields, depth: int) -> Message:
        if depth > MESSAGES_NESTED_MAX:
            raise InvalidSchema(f"descriptor: messages are nested deeper than {MESSAGES_NESTED_MAX} levels")
        nested = [each for each in fields.get("nested_type", []) if not _is_entry(each)]
        entries = {each.get("name", ""): each for each in fields.get("nested_type", []) if _is_entry(each)}
        message = Message(
            _word(fields),
            oneofs=[OneOf(_word(each)) for each in fields.get("oneof_decl", [])],
            reserved=_reserved(fields, past_end=1),
            extensions=[Extensions([_range(each)], []) for each in fields.get("extension_range", [])],
            options=_options(fields),
            messages=[self.message(each, depth + 1) for each in nested],
            enums=[_enum(each) for each in fields.get("enum_type", [])],
        )
        for each in fields.get("field", []):
            at = each.get("oneof_index")
            field = self.field(each, entries, message.messages, labelled=at is None)
            if each.get("proto3_optional"):
                field.label = "optional"
                message.fields.append(field)
            elif at is None:
                message.fields.append(field)
            elif 0 <= at < len(message.oneofs):
                message.oneofs[at].fields.append(field)
            else:
                raise InvalidSchema(f"descriptor: {message.name} has no oneof {at}")
        message.oneofs = [each for each in message.oneofs if each.fields]
        message.extends = self.extends(fields, message.messages)
        return message

    def field(
        self, fields: Fields, entries: dict[str, Fields], messages: list[Message], labelled: bool = True
    ) -> Field:
        name, number, kind = _word(fields), fields.get("number", 0), fields.get("type", 0)
        if not 1 <= number <= NUMBER_MAX:
            raise InvalidSchema(f"descriptor: field {name} has no valid number")
        label: str | None = _LABELS.get(fields.get("label", 1), "optional")
        if not labelled or (label == "optional" and self.unlabelled):
            label = None
        options = _options(fields)
        if "default_value" in fields:
            what = (
                "string"
                if kind in (SCALAR_TYPES["string"], SCALAR_TYPES["bytes"])
                else "word"
                if kind in (SCALAR_TYPES["bool"], ENUM)
                else "number"
            )
            text = fields["default_value"]
            text = unquoted(f'"{text}"') if kind == SCALAR_TYPES["bytes"] else text
            options.append(Option("default", Constant(what, text)))
        if fields.get("json_name") not in (None, json_name(name)):
            options.append(Option("json_name", Constant("string", fields["json_name"])))
        type_name = fields.get("type_name", "")
        entry = entries.get(type_name.rpartition(".")[2]) if kind == MESSAGE else None
        if entry is not None:
            parts = {each.get("number"): each for each in entry.get("field", [])}
            if parts.keys() != {1, 2}:
                raise InvalidSchema(f"descriptor: the entry of the map {name} has other fields than two")
            return Field(None, _type(parts[2]), name, number, options, key=_type(parts[1]))
        group = None
        if kind == GROUP:
            simple = type_name.rpartition(".")[2]
            group = next((each for each in messages if each.name == simple), None)
            return Field(label, group.name if group else _type(fields), name, number, options, group=group)
        return Field(label, _type(fields), name, number, options)

    def extends(self, fields: Fields, messages: list[Message]) -> list[Extend]:
        found: dict[str, Extend] = {}
        for each in fields.get("extension", []):
            target = _name(each.get("extendee", ""))
            extend = found.setdefault(target, Extend(target))
            extend.fields.append(self.field(each, {}, messages))
        return list(found.values())


def json_name(field: str) -> str:
    """The JSON name that protoc gives a field: camel case."""
    return re.sub(r"_+([^_]?)", lambda hit: hit[1].upper(), field)


def _is_entry(fields: Fields) -> bool:
    return bool(fields.get("options", {}).get("map_entry"))


def _type(fields: Fields) -> str:
    kind = fields.get("type", 0)
    return _TYPES.get(kind) or _name(fields.get("type_name", ""))


def _name(text: str) -> str:
    if not _NAME.match(text):
        raise InvalidSchema(f"descriptor: {text!r} is no name")
    return text


def _word(fields: Fields) -> str:
    text = fields.get("name", "")
    if not _WORD.match(text):
        raise InvalidSchema(f"descriptor: {text!r} is no name")
    return str(text)


def _range(fields: Fields, past_end: int = 1) -> Range:
    start, end = fields.get("start", 0), fields.get("end", 0) - past_end
    return Range(start, end, single=start == end)


def _reserved(fields: Fields, past_end: int) -> list[Reserved]:
    ranges = [_range(each, past_end) for each in fields.get("reserved_range", [])]
    names = list(fields.get("reserved_name", []))
    return ([Reserved(ranges=ranges)] if ranges else []) + ([Reserved(names=names)] if names else [])


def _enum(fields: Fields) -> Enum:
    constants = [
        EnumConstant(_word(each), each.get("number", 0), _options(each)) for each in fields.get("value", [])
    ]
    return Enum(_word(fields), constants, _reserved(fields, past_end=0), _options(fields))


def _service(fields: Fields) -> Service:
    rpcs = [
        Rpc(
            _word(each),
            _name(each.get("input_type", "")),
            _name(each.get("output_type", "")),
            bool(each.get("client_streaming")),
            bool(each.get("server_streaming")),
            _options(each),
        )
        for each in fields.get("method", [])
    ]
    return Service(_word(fields), rpcs, _options(fields))


def _options(fields: Fields) -> list[Option]:
    return [Option(name, value) for name, value in _constants("", fields.get("options", {}))]


def _constants(prefix: str, options: Fields) -> Iterable[tuple[str, Constant]]:
    for name, value in options.items():
        if isinstance(value, dict):
            yield from _constants(f"{prefix}{name}.", value)
        elif isinstance(value, bool):
            yield f"{prefix}{name}", Constant("word", str(value).lower())
        elif isinstance(value, int):
            words = {number: word for word, number in WORDS[name].items()}
            yield f"{prefix}{name}", Constant("word", words.get(value, str(value)))
        else:
            yield f"{prefix}{name}", Constant("string", value)
