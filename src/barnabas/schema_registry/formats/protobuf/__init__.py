"""Protobuf: the schema as the registry holds it."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from barnabas.schema_registry.formats.model import (
    Incompatibility,
    ParsedSchema,
    Policy,
    ResolvedReference,
    Roles,
)
from barnabas.schema_registry.formats.protobuf.check import check_file
from barnabas.schema_registry.formats.protobuf.compare import compare_proto
from barnabas.schema_registry.formats.protobuf.encode import encoded_file
from barnabas.schema_registry.formats.protobuf.link import Linked, link
from barnabas.schema_registry.formats.protobuf.nodes import ProtoFile
from barnabas.schema_registry.formats.protobuf.normal import normal_file, without_extensions
from barnabas.schema_registry.formats.protobuf.read import read_proto
from barnabas.schema_registry.formats.protobuf.tags import change_proto, proto_parts, proto_tags
from barnabas.schema_registry.formats.protobuf.text import proto_text
from barnabas.schema_registry.formats.protobuf.well_known import well_known
from barnabas.schema_registry.formats.tags import TagChange, Tagged

__all__ = ["ProtobufSchema"]


class ProtobufSchema(ParsedSchema):
    """A .proto file with all that it imports."""

    schema_type: ClassVar[str] = "PROTOBUF"

    def __init__(self, linked: Linked, references: Sequence[ResolvedReference]) -> None:
        self.linked = linked
        self.canonical = proto_text(linked.file)
        self.references = tuple(references)

    @classmethod
    def parse(cls, text: str, references: Sequence[ResolvedReference]) -> Self:
        """Reads the text and its references, whose names are the paths by which they are imported."""
        return cls._of(read_proto(text), references)

    @classmethod
    def _of(cls, file: ProtoFile, references: Sequence[ResolvedReference]) -> Self:
        files = {each.name: read_proto(each.text) for each in references}
        linked = link(file, "", _with_well_known(file, files))
        check_file(linked)
        for path in files:
            check_file(linked.seen_from(path))
        return cls(linked, references)

    @property
    def name(self) -> str | None:
        """The full name of the first message, else of the first enum."""
        file = self.linked.file
        first = [each.name for each in file.messages] + [each.name for each in file.enums]
        return ".".join(part for part in (file.package, *first[:1]) if part) or None

    def normalized(self) -> Self:
        """With type names in full, and sorted what has no order."""
        return self._of(normal_file(self.linked), self.references)

    def formatted(self, form: str) -> str:
        """`serialized` is the FileDescriptorProto in Base64; `ignore_extensions` leaves out extensions."""
        if form == "serialized":
            return b64encode(self.descriptor("default")).decode()
        if form == "ignore_extensions":
            return proto_text(without_extensions(self.linked.file))
        return self.canonical

    def descriptor(self, path: str) -> bytes:
        """The FileDescriptorProto, as a file of that path; its imports are left to be found by theirs."""
        return encoded_file(self.linked, path)

    def descriptors(self, path: str) -> list[bytes]:
        """The same for all that it imports too, each after those that it imports itself."""
        found: dict[str, bytes] = {}

        def add(linked: Linked, name: str) -> None:
            if name in found:
                return
            found[name] = b""
            for each in (*linked.file.imports, *linked.file.public_imports):
                add(linked.seen_from(each), each)
            del found[name]
            found[name] = encoded_file(linked, name)

        add(self.linked, path)
        return list(found.values())

    @property
    def fields(self) -> list[str]:
        """Those of the first message."""
        return [each.name for message in self.linked.file.messages[:1] for each in message.all_fields()]

    def tagged(self) -> Tagged:
        """Messages and fields whose options say so."""
        parts = proto_parts(self.linked.file)
        return {entity: tags for entity, part in parts.items() if (tags := proto_tags(part))}

    def with_tags(self, change: TagChange, *, strict: bool = True) -> Self:
        """Tags are an option of the message or field; nothing has to be imported for it."""
        file = read_proto(self.canonical)
        change_proto(file, change, strict=strict)
        return type(self).parse(proto_text(file), self.references)

    def unreadable(self, writer: Self, roles: Roles, policy: Policy) -> list[Incompatibility]:  # noqa: ARG002
        """By what the wire format asks, and by what Confluent's registry asks besides."""
        return compare_proto(self.linked, writer.linked, roles)


def _with_well_known(file: ProtoFile, files: Mapping[str, ProtoFile]) -> Mapping[str, ProtoFile]:
    found = dict(files)
    waiting = [file, *files.values()]
    while waiting:
        each = waiting.pop()
        for path in (*each.imports, *each.public_imports):
            if path not in found and (other := well_known(path)) is not None:
                found[path] = other
                waiting.append(other)
    return found
