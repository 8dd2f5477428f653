"""Writes a .proto file as a FileDescriptorProto, as protoc does, without the JSON names that it makes."""

from barnabas.schema_registry.formats.protobuf.descriptor import (
    EDITIONS,
    ENUM,
    GROUP,
    LABELS,
    MESSAGE,
    MESSAGES,
    SCALAR_TYPES,
    WORDS,
    Fields,
    encode,
)
from barnabas.schema_registry.formats.protobuf.link import Linked
from barnabas.schema_registry.formats.protobuf.nodes import (
    Aggregate,
    Constant,
    Enum,
    Extend,
    Field,
    Message,
    Option,
    OptionValue,
    Range,
    Reserved,
    Service,
)


def encoded_file(linked: Linked, path: str) -> bytes:
    """The bytes of the file's descriptor."""
    return encode("File", file_fields(linked, path))


def file_fields(linked: Linked, path: str) -> Fields:
    """What is in the file's descriptor. Custom options are left out: they need no one who reads data."""
    return _Encoder(linked).file(path)


class _Encoder:
    def __init__(self, linked: Linked) -> None:
        self.linked = linked

    def file(self, path: str) -> Fields:
        file = self.linked.file
        imports = [*file.imports, *file.public_imports]
        fields: Fields = {
            "name": path,
            "dependency": imports,
            "public_dependency": list(range(len(file.imports), len(imports))),
            "message_type": [self.message(each, file.package) for each in file.messages],
            "enum_type": [_enum(each) for each in file.enums],
            "service": [self.service(each) for each in file.services],
            "extension": self.extensions(file.extends, file.package),
        }
        if file.package:
            fields["package"] = file.package
        if file.edition is not None:
            fields |= {"syntax": "editions", "edition": EDITIONS.get(file.edition, 0)}
        elif file.syntax == "proto3":
            fields["syntax"] = file.syntax
        return _with_options(fields, "FileOptions", file.options)

    def message(self, message: Message, scope: str) -> Fields:
        inside = f"{scope}.{message.name}" if scope else message.name
        oneofs = [_with_options({"name": each.name}, "OneofOptions", each.options) for each in message.oneofs]
        fields: list[Fields] = []
        places = {id(each): at for at, oneof in enumerate(message.oneofs) for each in oneof.fields}
        for each in message.all_fields():
            made = self.field(each, inside)
            if id(each) in places:
                made["oneof_index"] = places[id(each)]
            elif each.label == "optional" and self.linked.file.syntax == "proto3":
                # A oneof of one field keeps whether it was set, for readers that know no optional.
                made |= {"oneof_index": len(oneofs), "proto3_optional": True}
                oneofs.append({"name": f"_{each.name}"})
            fields.append(made)
        entries = [self.entry(each, inside) for each in message.all_fields() if each.key is not None]
        found: Fields = {
            "name": message.name,
            "field": fields,
            "nested_type": [self.message(each, inside) for each in message.messages] + entries,
            "enum_type": [_enum(each) for each in message.enums],
            "extension_range": [_range(each) for one in message.extensions for each in one.ranges],
            "extension": self.extensions(message.extends, inside),
            "oneof_decl": oneofs,
            **_reserved(message.reserved, past_end=1),
        }
        return _with_options(found, "MessageOptions", message.options)

    def field(self, field: Field, scope: str) -> Fields:
        found: Fields = {"name": field.name, "number": field.number}
        label = "repeated" if field.key is not None else field.label or "optional"
        found["label"] = LABELS[label]
        if field.key is not None:
            found |= {"type": MESSAGE, "type_name": f".{scope}.{entry_name(field.name)}"}
        else:
            found |= self.type(field.type, scope, field.group is not None)
        for option in field.options:
            if option.name == "default" and isinstance(option.value, Constant):
                text = option.value.text
                found["default_value"] = _escaped(text) if field.type == "bytes" else text
            elif option.name == "json_name" and isinstance(option.value, Constant):
                found["json_name"] = option.value.text
        return _with_options(found, "FieldOptions", field.options)

    def type(self, name: str, scope: str, group: bool = False) -> Fields:
        if name in SCALAR_TYPES:
            return {"type": SCALAR_TYPES[name]}
        symbol = self.linked.resolve(name, scope)
        assert symbol is not None, f"{name} was found when the schema was read"
        kind = GROUP if group else ENUM if isinstance(symbol.node, Enum) else MESSAGE
        return {"type": kind, "type_name": f".{symbol.full}"}

    def entry(self, field: Field, scope: str) -> Fields:
        assert field.key is not None
        key = {"name": "key", "number": 1, "label": 1, "type": SCALAR_TYPES[field.key]}
        value = {"name": "value", "number": 2, "label": 1, **self.type(field.type, scope)}
        return {"name": entry_name(field.name), "field": [key, value], "options": {"map_entry": True}}

    def extensions(self, extends: list[Extend], scope: str) -> list[Fields]:
        return [
            {**self.field(field, scope), "extendee": self.type(extend.name, scope)["type_name"]}
            for extend in extends
            for field in extend.fields
        ]

    def service(self, service: Service) -> Fields:
        package = self.linked.file.package
        methods = []
        for rpc in service.rpcs:
            method: Fields = {
                "name": rpc.name,
                "input_type": self.type(rpc.request, package)["type_name"],
                "output_type": self.type(rpc.response, package)["type_name"],
            }
            if rpc.request_streams:
                method["client_streaming"] = True
            if rpc.response_streams:
                method["server_streaming"] = True
            methods.append(_with_options(method, "MethodOptions", rpc.options))
        return _with_options({"name": service.name, "method": methods}, "ServiceOptions", service.options)


def entry_name(field: str) -> str:
    """The name of the message that a map's entries are, as protoc makes it."""
    return "".join(part[:1].upper() + part[1:] for part in field.split("_")) + "Entry"


def _escaped(text: str) -> str:
    """Bytes as descriptors have them in default values; each character stands for one."""
    plain = {9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 39: "\\'", 92: "\\\\"}
    return "".join(
        plain.get(ord(each)) or (each if " " <= each <= "~" else f"\\{ord(each):03o}") for each in text
    )


def _enum(enum: Enum) -> Fields:
    values = [
        _with_options({"name": each.name, "number": each.number}, "EnumValueOptions", each.options)
        for each in enum.constants
    ]
    found = {"name": enum.name, "value": values, **_reserved(enum.reserved, past_end=0)}
    return _with_options(found, "EnumOptions", enum.options)


def _range(each: Range, past_end: int = 1) -> Fields:
    return {"start": each.start, "end": each.end + past_end}


def _reserved(reserved: list[Reserved], past_end: int) -> Fields:
    return {
        "reserved_range": [_range(each, past_end) for one in reserved for each in one.ranges],
        "reserved_name": [name for one in reserved for name in one.names],
    }


def _with_options(fields: Fields, message: str, options: list[Option]) -> Fields:
    found = _options(message, [(each.name, each.value) for each in options])
    return {**fields, "options": found} if found else fields


def _options(message: str, options: list[tuple[str, OptionValue]]) -> Fields:
    kinds = {field.name: field.kind for field in MESSAGES[message].values()}
    found: Fields = {}
    for name, value in options:
        first, _, inner = name.partition(".")
        kind = kinds.get(first)
        if kind == "Features":
            given = [(inner, value)] if inner else list(value.entries) if isinstance(value, Aggregate) else []
            found[first] = {**found.get(first, {}), **_options("Features", given)}
        elif isinstance(value, Constant) and kind == "text":
            found[first] = value.text
        elif isinstance(value, Constant) and kind == "bool":
            found[first] = value.text == "true"
        elif isinstance(value, Constant) and kind == "int" and value.text in WORDS[first]:
            found[first] = WORDS[first][value.text]
    return found
