"""JSON under a schema of a registry; validated by jsonschema-rs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from barnabas.serde.avro import maker
from barnabas.serde.base import SerializationError
from barnabas.serde.models import dump
from barnabas.serde.registry import Reference, Schema, SchemaRegistry
from barnabas.serde.rules import Rules, Walk
from barnabas.serde.rules.fields import json_walk
from barnabas.serde.schema_ids import SchemaId
from barnabas.serde.schemas import SchemaSerde, Use, missing, name_in_text
from barnabas.serde.subjects import SubjectStrategy, topic_name

T = TypeVar("T")


class JsonSchema(SchemaSerde[T]):
    """JSON values: plain ones, or instances of `model`, a dataclass, msgspec or pydantic class.

    Without a `schema` it is made of the model, if that is one of pydantic or msgspec. Values are checked when
    they are written and, against the writer's schema, when they are read; not if `validate` is False.
    """

    schema_type: ClassVar[str] = "JSON"

    def __init__(
        self,
        registry: SchemaRegistry | str,
        schema: str | None = None,
        model: type[T] | None = None,
        *,
        references: Sequence[Reference] = (),
        validate: bool = True,
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
        text = schema if schema is not None else _schema_of_model(model)
        self.schema = None if text is None else Schema("JSON", text, tuple(references))
        self.model = model
        self.validate = validate
        self._make = maker(model)
        self._validators: dict[Schema, Any] = {}

    def schema_of(self, value: T, topic: str) -> Schema:
        if self.schema is None:
            raise SerializationError('JSON needs a schema to write with, or use="latest", or an id')
        return self.schema

    def record_name(self, value: T) -> str | None:
        return None if self.schema is None else self._title(self.schema)

    def encode(self, value: T, schema: Schema) -> bytes:
        payload = self._dumped(value)
        if self.validate:
            self._check(json.loads(payload), schema)
        return payload

    def read(self, payload: bytes, schema: Schema, found: SchemaId) -> Any:
        try:
            return json.loads(payload)
        except ValueError as error:
            raise SerializationError(f"bytes are no JSON: {error}") from error

    def make(self, value: Any, schema: Schema) -> T:
        if self.validate:
            self._check(value, schema)
        made: T = self._make(value)
        return made

    def own_schema(self) -> Schema | None:
        return self.schema

    def schema_name(self, schema: Schema, found: SchemaId) -> str | None:
        return self._title(schema)

    def walk_of(self, schema: Schema) -> Walk:
        others = {each.name: json.loads(other.text) for each, other in self.registry.closure(schema)}
        return json_walk(json.loads(schema.text), others)

    def copied(self, value: T) -> Any:
        return json.loads(self._dumped(value))

    def _dumped(self, value: T) -> bytes:
        try:
            return dump(value)
        except (TypeError, ValueError) as error:
            raise SerializationError(f"{type(value).__name__} can't be written as JSON: {error}") from error

    def _title(self, schema: Schema) -> str | None:
        parsed = json.loads(schema.text)
        return name_in_text(parsed.get("title")) if isinstance(parsed, dict) else None

    def _check(self, value: Any, schema: Schema) -> None:
        validator = self._validators.get(schema)
        if validator is None:
            validator = self._validators[schema] = self._validator(schema)
        try:
            validator.validate(value)
        except ValueError as error:
            raise SerializationError(f"the value does not fit the schema: {error}") from error

    def _validator(self, schema: Schema) -> Any:
        try:
            import jsonschema_rs
        except ImportError:
            raise missing("jsonschema-rs", "json-schema") from None
        try:
            others = [
                (reference.name, json.loads(other.text)) for reference, other in self.registry.closure(schema)
            ]
            registry = jsonschema_rs.Registry(others) if others else None
            found = json.loads(schema.text)
            default = jsonschema_rs.Draft7Validator  # what a schema is that does not say, as with Confluent
            cls = jsonschema_rs.validator_cls_for(found) if "$schema" in str(found)[:200] else default
            return cls(found, registry=registry)
        except ValueError as error:
            raise SerializationError(f"the schema can't be used: {error}") from error


def _schema_of_model(model: Any) -> str | None:
    if hasattr(model, "model_json_schema"):
        return json.dumps(model.model_json_schema(), separators=(",", ":"))
    if hasattr(model, "__struct_fields__"):
        import msgspec

        return json.dumps(msgspec.json.schema(model), separators=(",", ":"))
    return None
