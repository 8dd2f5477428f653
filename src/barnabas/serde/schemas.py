"""What the serdes of Avro, JSON Schema and Protobuf have in common: which schema is used, either way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, Literal, TypeVar

from barnabas.serde.base import Headers, SerializationError
from barnabas.serde.registry import Registered, Schema, SchemaRegistry
from barnabas.serde.schema_ids import KEY_HEADER, VALUE_HEADER, SchemaId, read_id, written_guid, written_id
from barnabas.serde.subjects import SubjectStrategy, topic_name

T = TypeVar("T")

Use = Literal["register", "known", "latest"] | int
"""Which schema values are written with: the serde's own, registered if it isn't yet (`register`) or looked up
among the subject's versions (`known`); the subject's `latest`; or that of an id."""


class SchemaSerde(ABC, Generic[T]):
    """Writes values with a schema of a registry, and reads them with the one that they were written with."""

    schema_type: ClassVar[str]
    # Whether message indexes follow the id.
    indexed: ClassVar[bool] = False

    def __init__(
        self,
        registry: SchemaRegistry | str,
        *,
        is_key: bool = False,
        use: Use = "register",
        strategy: SubjectStrategy = topic_name,
        normalize: bool = False,
        id_in_header: bool = False,
    ) -> None:
        """`id_in_header` puts the schema's GUID into a header of the record, no id before the bytes."""
        self.registry = SchemaRegistry(registry) if isinstance(registry, str) else registry
        self.is_key = is_key
        self.use = use
        self.strategy = strategy
        self.normalize = normalize
        self.id_in_header = id_in_header

    def serialize(self, topic: str, value: T | None, headers: Headers = ()) -> bytes | None:
        """The bytes of a value, its schema's id before them. Headers are a list if the GUID goes there."""
        if value is None:
            return None
        registered = self._registered(topic, value)
        payload = self.encode(value, registered.schema)
        indexes = self.indexes(value) if self.indexed else None
        if not self.id_in_header:
            return written_id(registered.id, indexes) + payload
        if registered.guid is None:
            raise SerializationError("the schema registry tells no GUIDs, which the header would have")
        if not isinstance(headers, list):
            raise SerializationError("the schema's GUID goes into the headers, which are no list")
        name = KEY_HEADER if self.is_key else VALUE_HEADER
        headers.append((name, written_guid(registered.guid, indexes)))
        return payload

    def deserialize(self, topic: str, data: bytes | None, headers: Headers = ()) -> T | None:
        """The value that the bytes stand for."""
        if data is None:
            return None
        found, payload = read_id(data, headers, self.is_key, self.indexed)
        if found.id is not None:
            schema = self.registry.by_id(found.id)
        else:
            assert found.guid is not None
            schema = self.registry.by_guid(found.guid)
        if schema.type != self.schema_type:
            raise SerializationError(
                f"the value was written with a schema of {schema.type}, not of {self.schema_type}"
            )
        return self.decode(payload, schema, found)

    def _registered(self, topic: str, value: T) -> Registered:
        if isinstance(self.use, int):
            schema = self.registry.by_id(self.use)
            return Registered(self.use, None, schema)
        subject = self.strategy(topic, self.is_key, self.record_name(value))
        if self.use == "latest":
            return self.registry.latest(subject)
        schema = self.schema_of(value, topic)
        if self.use == "known":
            return self.registry.look_up(subject, schema, self.normalize)
        return self.registry.register(subject, schema, self.normalize)

    @abstractmethod
    def schema_of(self, value: T, topic: str) -> Schema:
        """The schema that a value is registered with."""

    @abstractmethod
    def record_name(self, value: T) -> str | None:
        """The name of what the value is, for strategies that ask for it."""

    @abstractmethod
    def encode(self, value: T, schema: Schema) -> bytes:
        """The payload of a value under a schema."""

    @abstractmethod
    def decode(self, payload: bytes, schema: Schema, found: SchemaId) -> T:
        """The value of a payload that was written under a schema."""

    def indexes(self, value: T) -> tuple[int, ...]:
        """Where in its file a message stands."""
        raise NotImplementedError(f"{type(value).__name__} has no message indexes")


def missing(package: str, extra: str) -> SerializationError:
    """The error where a library is not installed."""
    return SerializationError(f"{package} is not installed: pip install 'barnabas[{extra}]'")


def name_in_text(name: Any) -> str | None:
    """A name if it is one."""
    return name if isinstance(name, str) else None
