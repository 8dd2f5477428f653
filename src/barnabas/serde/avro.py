"""Avro under a schema of a registry; written and read by fastavro."""

from __future__ import annotations

import dataclasses
import enum
import io
import json
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from barnabas.serde.base import SerializationError
from barnabas.serde.models import from_plain
from barnabas.serde.registry import Reference, Schema, SchemaRegistry
from barnabas.serde.rules import Rules, Walk
from barnabas.serde.rules.fields import avro_walk
from barnabas.serde.schema_ids import SchemaId
from barnabas.serde.schemas import SchemaSerde, Use, missing
from barnabas.serde.subjects import SubjectStrategy, topic_name

T = TypeVar("T")

# Confluent's serializers write values of these schemas as they are, without their length.
_RAW = ("bytes", {"type": "bytes"})


class Avro(SchemaSerde[T]):
    """Avro values: dicts and plain values, or instances of `model`, a dataclass, msgspec or pydantic class.

    With a `schema` values are written with it, and read into it from whatever they were written with: fields
    that it lacks are left out, those that the writer lacked have their defaults. Without one they are read as
    they were written, and written with `use="latest"` or an id.
    """

    schema_type: ClassVar[str] = "AVRO"

    def __init__(
        self,
        registry: SchemaRegistry | str,
        schema: str | None = None,
        model: type[T] | None = None,
        *,
        references: Sequence[Reference] = (),
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
        self.schema = None if schema is None else Schema("AVRO", schema, tuple(references))
        self.model = model
        self._make = maker(model)
        self._parsed: dict[Schema, Any] = {}

    def schema_of(self, value: T, topic: str) -> Schema:
        if self.schema is None:
            raise SerializationError('Avro needs a schema to write with, or use="latest", or an id')
        return self.schema

    def record_name(self, value: T) -> str | None:
        return None if self.schema is None else self._name(self.schema)

    def _name(self, schema: Schema) -> str | None:
        parsed = self.parse(schema)
        return parsed["name"] if isinstance(parsed, dict) and parsed.get("type") == "record" else None

    def encode(self, value: T, schema: Schema) -> bytes:
        fastavro = fastavro_library()
        parsed = self.parse(schema)
        if parsed in _RAW and isinstance(value, bytes):
            return value
        buffer = io.BytesIO()
        try:
            fastavro.schemaless_writer(buffer, parsed, plain(value))
        except Exception as error:  # fastavro raises whatever its checks run into
            raise SerializationError(f"{type(value).__name__} does not fit the schema: {error}") from error
        return buffer.getvalue()

    def decode(self, payload: bytes, schema: Schema, found: SchemaId) -> T:
        return self.make(self._read(payload, schema, self.schema), schema)

    def read(self, payload: bytes, schema: Schema, found: SchemaId) -> Any:
        return self._read(payload, schema, None)

    def make(self, value: Any, schema: Schema) -> T:
        made: T = self._make(value)
        return made

    def own_schema(self) -> Schema | None:
        return self.schema

    def schema_name(self, schema: Schema, found: SchemaId) -> str | None:
        return self._name(schema)

    def walk_of(self, schema: Schema) -> Walk:
        return avro_walk(self.parse(schema))

    def copied(self, value: T) -> Any:
        return plain(value)

    def resolved(self, value: Any, writer: Schema, reader: Schema, found: SchemaId) -> Any:
        return self._read(self.encode(value, writer), writer, reader)

    def _read(self, payload: bytes, schema: Schema, wanted: Schema | None) -> Any:
        fastavro = fastavro_library()
        writer = self.parse(schema)
        same = wanted is None or wanted[:3] == schema[:3]  # whatever rules the two have
        reader = None if same or wanted is None else self.parse(wanted)
        if writer in _RAW:
            return payload
        try:
            return fastavro.schemaless_reader(io.BytesIO(payload), writer, reader)
        except Exception as error:  # fastavro raises whatever its checks run into
            raise SerializationError(f"bytes are no value of the schema: {error}") from error

    def parse(self, schema: Schema) -> Any:
        """The schema as fastavro has it, with what it refers to. Raises SerializationError."""
        parsed = self._parsed.get(schema)
        if parsed is None:
            fastavro = fastavro_library()
            named: dict[str, Any] = {}
            try:
                for _, other in self.registry.closure(schema):
                    fastavro.parse_schema(json.loads(other.text), named_schemas=named)
                parsed = fastavro.parse_schema(json.loads(schema.text), named_schemas=named)
            except (ValueError, fastavro.schema.SchemaParseException) as error:
                raise SerializationError(f"the schema is no Avro: {error}") from error
            self._parsed[schema] = parsed
        return parsed


def plain(value: Any) -> Any:
    """A value as fastavro takes it: dicts for records; dates, decimals and UUIDs stay what they are."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "__struct_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    return value


def maker(model: Any) -> Callable[[Any], Any]:
    """What makes an instance of a model of plain values."""
    if model is None:
        return lambda value: value
    if hasattr(model, "model_validate"):
        return _named(model, model.model_validate)
    if hasattr(model, "__struct_fields__"):
        import msgspec

        return _named(model, lambda value: msgspec.convert(value, model))
    if dataclasses.is_dataclass(model):
        return _named(model, lambda value: from_plain(model, value))
    raise TypeError(f"{model!r} is neither a dataclass nor a model of msgspec or pydantic")


def _named(model: Any, make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def made(value: Any) -> Any:
        try:
            return make(value)
        except (TypeError, ValueError) as error:
            raise SerializationError(f"the value is no {model.__name__}: {error}") from error

    return made


def fastavro_library() -> Any:
    """The library, which is an extra. Raises LibraryMissing."""
    try:
        import fastavro
    except ImportError:
        raise missing("fastavro", "avro") from None
    return fastavro
