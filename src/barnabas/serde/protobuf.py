"""Protobuf under a schema of a registry; written and read by google.protobuf."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar, TypeVar

from barnabas.schema_registry.formats import InvalidSchema, ResolvedReference
from barnabas.schema_registry.formats.protobuf import ProtobufSchema
from barnabas.schema_registry.formats.protobuf.decode import decoded_file
from barnabas.schema_registry.formats.protobuf.read import read_proto
from barnabas.schema_registry.formats.protobuf.text import proto_text
from barnabas.schema_registry.formats.protobuf.well_known import well_known
from barnabas.schema_registry.formats.tags import FIELD
from barnabas.serde.base import SerializationError
from barnabas.serde.registry import Reference, Schema, SchemaRegistry
from barnabas.serde.rules import Rules, Walk
from barnabas.serde.rules.protobuf_fields import protobuf_walk
from barnabas.serde.schema_ids import SchemaId
from barnabas.serde.schemas import SchemaSerde, Use, missing
from barnabas.serde.subjects import SubjectStrategy, topic_name

T = TypeVar("T")


class Protobuf(SchemaSerde[T]):
    """Messages of generated classes. Those of `message` are read; without it, of a class made of the schema.

    The schema that is registered is the text of the file that the message's class was generated of; what it
    imports is registered before it, each file under the subject that `reference_subject` makes of its name.
    """

    schema_type: ClassVar[str] = "PROTOBUF"
    indexed: ClassVar[bool] = True

    def __init__(
        self,
        registry: SchemaRegistry | str,
        message: type[T] | None = None,
        *,
        reference_subject: Callable[[str], str] = str,
        is_key: bool = False,
        use: Use = "register",
        strategy: SubjectStrategy = topic_name,
        normalize: bool = False,
        id_in_header: bool = False,
        rules: Rules | None = None,
        migrate: bool = False,
    ) -> None:
        super().__init__(
            registry,
            is_key=is_key,
            use=use,
            strategy=strategy,
            normalize=normalize,
            id_in_header=id_in_header,
            rules=rules,
            migrate=migrate,
        )
        self.message = message
        self.reference_subject = reference_subject
        self._schemas: dict[str, Schema] = {}
        self._classes: dict[tuple[Schema, tuple[int, ...]], Any] = {}

    def schema_of(self, value: T, topic: str) -> Schema:
        return self._of_file(_descriptor(value).file)

    def _of_file(self, file: Any) -> Schema:
        schema = self._schemas.get(file.name)
        if schema is None:
            schema = self._schemas[file.name] = self._schema(file)
        return schema

    def record_name(self, value: T) -> str | None:
        name: str = _descriptor(value).full_name
        return name

    def indexes(self, value: T) -> tuple[int, ...]:
        return _indexes(_descriptor(value))

    def encode(self, value: T, schema: Schema) -> bytes:
        try:
            data: bytes = value.SerializeToString()  # type: ignore[attr-defined]
        except google("message").EncodeError as error:
            raise SerializationError(f"the message can't be written: {error}") from error
        return data

    def read(self, payload: bytes, schema: Schema, found: SchemaId) -> Any:
        made = self.class_of(schema, found.indexes)()
        try:
            made.ParseFromString(payload)
        except google("message").DecodeError as error:
            raise SerializationError(f"bytes are no message of the schema: {error}") from error
        return made

    def make(self, value: Any, schema: Schema) -> T:
        made: T = value
        return made

    def own_schema(self) -> Schema | None:
        return None if self.message is None else self._of_file(_descriptor(self.message).file)

    def schema_name(self, schema: Schema, found: SchemaId) -> str | None:
        name: str = _descriptor(self.class_of(schema, found.indexes)).full_name
        return name

    def walk_of(self, schema: Schema) -> Walk:
        try:
            tagged = ProtobufSchema.parse(schema.text, self._references(schema)).tagged()
        except InvalidSchema as error:
            raise SerializationError(f"the schema can't be used: {error}") from error
        tags = {entity.path: list(tags) for entity, tags in tagged.items() if entity.type == FIELD}
        return protobuf_walk(tags)

    def copied(self, value: T) -> Any:
        made: Any = type(value)()
        made.CopyFrom(value)
        return made

    def as_json(self, value: Any) -> Any:
        return google("json_format").MessageToDict(value, preserving_proto_field_name=True)

    def of_json(self, value: Any, schema: Schema, found: SchemaId) -> Any:
        made = self.class_of(schema, found.indexes)()
        json_format = google("json_format")
        try:
            return json_format.ParseDict(value, made, ignore_unknown_fields=True)
        except json_format.ParseError as error:
            raise SerializationError(f"the rules have made no message of the schema: {error}") from error

    def _schema(self, file: Any) -> Schema:
        """Registers what a file imports, and makes its own schema."""
        references = []
        for imported in file.dependencies:
            if well_known(imported.name) is not None or imported.name.startswith("google/protobuf/"):
                continue
            subject = self.reference_subject(imported.name)
            schema = self._schema(imported)
            if self.use == "register":
                self.registry.register(subject, schema, self.normalize)
            version = self.registry.version_of(subject, schema)
            references.append(Reference(imported.name, subject, version))
        return Schema("PROTOBUF", proto_text(decoded_file(file.serialized_pb)), tuple(references))

    def _references(self, schema: Schema) -> list[ResolvedReference]:
        return [
            ResolvedReference(reference.name, reference.subject, reference.version, other.text)
            for reference, other in self.registry.closure(schema)
        ]

    def class_of(self, schema: Schema, indexes: tuple[int, ...]) -> Any:
        """The class of the message that stands at `indexes` of a schema. Raises SerializationError."""
        if self.message is not None:
            return self.message
        key = schema, indexes
        if key not in self._classes:
            self._classes[key] = self._made(schema, indexes)
        return self._classes[key]

    def _made(self, schema: Schema, indexes: tuple[int, ...]) -> Any:
        """A class for a message of a schema that there is no generated code for."""
        pool = google("descriptor_pool").DescriptorPool()
        try:
            parsed = ProtobufSchema.parse(schema.text, self._references(schema))
            for data in parsed.descriptors("schema.proto"):
                pool.AddSerializedFile(data)
            at = pool.FindFileByName("schema.proto")
        except (InvalidSchema, TypeError, KeyError) as error:
            raise SerializationError(f"the schema can't be used: {error}") from error
        path, messages = at.package, parsed.linked.file.messages
        for index in indexes:
            if not 0 <= index < len(messages):
                raise SerializationError(f"the schema has no message {list(indexes)}")
            path = f"{path}.{messages[index].name}" if path else messages[index].name
            messages = messages[index].messages
        return google("message_factory").GetMessageClass(pool.FindMessageTypeByName(path))


def message_names(schema: Schema) -> set[str]:
    """The full names of a file's messages, those within others too. Raises SerializationError."""
    try:
        file = read_proto(schema.text)
    except InvalidSchema as error:
        raise SerializationError(f"the schema can't be used: {error}") from error
    found = set()
    rest = [(file.package or "", message) for message in file.messages]
    while rest:
        outer, message = rest.pop()
        name = f"{outer}.{message.name}" if outer else message.name
        found.add(name)
        rest += [(name, each) for each in message.messages]
    return found


def _descriptor(value: Any) -> Any:
    descriptor = getattr(value, "DESCRIPTOR", None)
    if descriptor is None:
        raise SerializationError(f"{type(value).__name__} is no Protobuf message")
    return descriptor


def _indexes(descriptor: Any) -> tuple[int, ...]:
    """Where in its file a message stands, counting messages that the text has: no entries of maps."""
    outer = descriptor.containing_type
    if outer is None:
        return (list(descriptor.file.message_types_by_name).index(descriptor.name),)
    beside = [each.name for each in outer.nested_types if not each.GetOptions().map_entry]
    return (*_indexes(outer), beside.index(descriptor.name))


def google(module: str) -> Any:
    """A module of the library, which is an extra. Raises LibraryMissing."""
    try:
        return import_module(f"google.protobuf.{module}")
    except ImportError:
        raise missing("protobuf", "protobuf") from None
