"""Reads the text of a .proto file (proto2, proto3, editions) into its tree. Checks syntax only."""

from barnabas.schema_registry.formats.model import NODES_MAX, InvalidSchema
from barnabas.schema_registry.formats.protobuf.nodes import (
    ENUM_NUMBER_MAX,
    NUMBER_MAX,
    SCALARS,
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
from barnabas.schema_registry.formats.protobuf.options import OptionReader
from barnabas.schema_registry.formats.protobuf.reader import TokenReader

# protoc refuses messages nested deeper than this.
MESSAGES_NESTED_MAX = 32
_LABELS = frozenset({"optional", "required", "repeated"})
_VISIBILITIES = frozenset({"export", "local"})


def parse_proto(text: str) -> ProtoFile:
    """Raises InvalidSchema, with line and column, where the text is no .proto file."""
    reader = TokenReader(text)
    if len(reader.tokens) > NODES_MAX:
        raise InvalidSchema(f"the file has more than {NODES_MAX} tokens")
    return _Parser(reader).file()


class _Parser:
    def __init__(self, reader: TokenReader) -> None:
        self.read = reader
        self.options = OptionReader(reader)
        self.nested = 0

    def file(self) -> ProtoFile:
        file = ProtoFile()
        if self.read.is_next("syntax", "="):
            file.syntax = self.read.setting("syntax")
            if file.syntax not in ("proto2", "proto3"):
                raise self.read.error(f"unknown syntax {file.syntax!r}")
        elif self.read.is_next("edition", "="):
            file.edition = self.read.setting("edition")
        while self.read.next.kind != "end":
            self.statement(file)
        return file

    def statement(self, file: ProtoFile) -> None:
        if self.read.skip(";"):
            return
        visibility = self.visibility()
        word = self.read.word("a statement")
        if word == "message":
            file.messages.append(self.message(visibility))
        elif word == "enum":
            file.enums.append(self.enum(visibility))
        elif word == "package":
            if file.package:
                raise self.read.error("a second package statement")
            file.package = self.read.full_name()
            self.read.expect(";")
        elif word == "import":
            self.import_(file)
        elif word == "option":
            file.options.append(self.options.statement())
        elif word == "extend":
            file.extends.append(self.extend(file.messages))
        elif word == "service":
            file.services.append(self.service())
        else:
            raise self.read.error_before(f"unexpected {word!r}")

    def visibility(self) -> str | None:
        ahead = self.read.ahead
        if self.read.next.text in _VISIBILITIES and ahead.text in ("message", "enum"):
            return self.read.word("a visibility")
        return None

    def import_(self, file: ProtoFile) -> None:
        if self.read.skip("public"):
            file.public_imports.append(self.read.string())
        else:
            if self.read.next.text in ("weak", "option"):
                self.read.word("a kind of import")
            file.imports.append(self.read.string())
        self.read.expect(";")

    def message(self, visibility: str | None = None) -> Message:
        message = Message(self.read.word("a message's name"), visibility=visibility)
        self.message_body(message)
        return message

    def message_body(self, message: Message) -> None:
        self.nested += 1
        if self.nested > MESSAGES_NESTED_MAX:
            raise self.read.error(f"messages are nested deeper than {MESSAGES_NESTED_MAX} levels")
        self.read.expect("{")
        while not self.read.skip("}"):
            self.message_statement(message)
        self.nested -= 1

    def message_statement(self, message: Message) -> None:
        if self.read.skip(";"):
            return
        visibility = self.visibility()
        if self.read.skip("message"):
            message.messages.append(self.message(visibility))
        elif self.read.skip("enum"):
            message.enums.append(self.enum(visibility))
        elif self.read.skip("oneof"):
            message.oneofs.append(self.oneof(message))
        elif self.read.skip("extend"):
            message.extends.append(self.extend(message.messages))
        elif self.read.skip("option"):
            message.options.append(self.options.statement())
        elif self.read.skip("reserved"):
            message.reserved.append(self.reserved(NUMBER_MAX))
        elif self.read.skip("extensions"):
            message.extensions.append(self.extensions())
        else:
            message.fields.append(self.field(message.messages))

    def field(self, messages: list[Message], in_oneof: bool = False) -> Field:
        label = self.read.word("a label") if self.read.next.text in _LABELS else None
        if label and in_oneof:
            raise self.read.error_before("a field of a oneof has no label")
        if self.read.is_next("map", "<"):
            return self.map_field(label)
        if self.read.next.text == "group" and self.read.second.text == "=":
            return self.group(label, messages)
        kind = self.read.type_name()
        name = self.read.word("a field's name")
        self.read.expect("=")
        number = self.read.integer(1, NUMBER_MAX, "a field's number")
        options = self.options.bracketed()
        self.read.expect(";")
        return Field(label, kind, name, number, options)

    def map_field(self, label: str | None) -> Field:
        if label:
            raise self.read.error("a map has no label")
        self.read.word("map")
        self.read.expect("<")
        key = self.read.word("the type of the keys")
        if key not in SCALARS - {"float", "double", "bytes"}:
            raise self.read.error_before(f"{key!r} is no type for the keys of a map")
        self.read.expect(",")
        value = self.read.type_name()
        self.read.expect(">")
        name = self.read.word("a field's name")
        self.read.expect("=")
        number = self.read.integer(1, NUMBER_MAX, "a field's number")
        options = self.options.bracketed()
        self.read.expect(";")
        return Field(None, value, name, number, options, key=key)

    def group(self, label: str | None, messages: list[Message]) -> Field:
        self.read.word("group")
        message = Message(self.read.word("a group's name"))
        self.read.expect("=")
        number = self.read.integer(1, NUMBER_MAX, "a group's number")
        options = self.options.bracketed()
        self.message_body(message)
        messages.append(message)
        return Field(label, message.name, message.name.lower(), number, options, group=message)

    def oneof(self, message: Message) -> OneOf:
        oneof = OneOf(self.read.word("a oneof's name"))
        self.read.expect("{")
        while not self.read.skip("}"):
            if self.read.skip(";"):
                continue
            if self.read.skip("option"):
                oneof.options.append(self.options.statement())
            else:
                oneof.fields.append(self.field(message.messages, in_oneof=True))
        if not oneof.fields:
            raise self.read.error_before(f"oneof {oneof.name!r} has no fields")
        return oneof

    def enum(self, visibility: str | None) -> Enum:
        enum = Enum(self.read.word("an enum's name"), visibility=visibility)
        self.read.expect("{")
        while not self.read.skip("}"):
            if self.read.skip(";"):
                continue
            word = self.read.word("a constant's name")
            if word == "option" and self.read.next.text != "=":
                enum.options.append(self.options.statement())
            elif word == "reserved" and self.read.next.text != "=":
                enum.reserved.append(self.reserved(ENUM_NUMBER_MAX))
            else:
                self.read.expect("=")
                number = self.read.integer(-ENUM_NUMBER_MAX - 1, ENUM_NUMBER_MAX, "a constant's number")
                options = self.options.bracketed()
                self.read.expect(";")
                enum.constants.append(EnumConstant(word, number, options))
        return enum

    def reserved(self, last: int) -> Reserved:
        reserved = Reserved()
        while True:
            if self.read.next.kind == "string":
                reserved.names.append(self.read.string())
            elif self.read.next.kind == "word":
                reserved.names.append(self.read.word("a name"))
            else:
                reserved.ranges.append(self.range(last))
            if not self.read.skip(","):
                break
        self.read.expect(";")
        return reserved

    def range(self, last: int) -> Range:
        least = 1 if last == NUMBER_MAX else -last - 1
        start = self.read.integer(least, last, "a number")
        if not self.read.skip("to"):
            return Range(start, start, single=True)
        end = last if self.read.skip("max") else self.read.integer(least, last, "a number")
        if end < start:
            raise self.read.error_before(f"the range {start} to {end} ends before it starts")
        return Range(start, end)

    def extensions(self) -> Extensions:
        ranges = [self.range(NUMBER_MAX)]
        while self.read.skip(","):
            ranges.append(self.range(NUMBER_MAX))
        options = self.options.bracketed()
        self.read.expect(";")
        return Extensions(ranges, options)

    def extend(self, messages: list[Message]) -> Extend:
        extend = Extend(self.read.type_name())
        self.read.expect("{")
        while not self.read.skip("}"):
            if not self.read.skip(";"):
                extend.fields.append(self.field(messages))
        return extend

    def service(self) -> Service:
        service = Service(self.read.word("a service's name"))
        self.read.expect("{")
        while not self.read.skip("}"):
            if self.read.skip(";"):
                continue
            word = self.read.word("rpc")
            if word == "option":
                service.options.append(self.options.statement())
            elif word == "rpc":
                service.rpcs.append(self.rpc())
            else:
                raise self.read.error_before(f"unexpected {word!r} in a service")
        return service

    def rpc(self) -> Rpc:
        name = self.read.word("the name of an rpc")
        request, request_streams = self.rpc_type()
        if self.read.word("returns") != "returns":
            raise self.read.error_before("'returns' is missing")
        response, response_streams = self.rpc_type()
        options: list[Option] = []
        if self.read.skip("{"):
            while not self.read.skip("}"):
                if not self.read.skip(";"):
                    if self.read.word("option") != "option":
                        raise self.read.error_before("an rpc has options only")
                    options.append(self.options.statement())
        else:
            self.read.expect(";")
        return Rpc(name, request, response, request_streams, response_streams, options)

    def rpc_type(self) -> tuple[str, bool]:
        self.read.expect("(")
        streams = self.read.next.text == "stream" and self.read.ahead.text != ")"
        if streams:
            self.read.word("stream")
        name = self.read.type_name()
        self.read.expect(")")
        return name, streams
