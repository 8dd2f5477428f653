"""Values under schemas of a registry as JSON, for those who show them: the proxy, the command line.

Avro has its own JSON, where unions name the type and bytes are characters; Protobuf has its mapping. Rules of
schemas are not run: what they have encrypted stays so.
"""

from __future__ import annotations

import io
import json
from typing import Any

from barnabas.serde.avro import Avro, fastavro_library
from barnabas.serde.base import Headers, SerializationError
from barnabas.serde.json_schema import JsonSchema
from barnabas.serde.protobuf import Protobuf, google
from barnabas.serde.registry import Schema, SchemaRegistry
from barnabas.serde.schema_ids import SchemaId, named_schema, read_id


class JsonValues:
    """Reads values of all formats. May wait for the registry."""

    def __init__(self, registry: SchemaRegistry, *, validate: bool) -> None:
        """`validate`: whether JSON must fit its schema."""
        self._registry = registry
        self.avro: Avro[Any] = Avro(registry)
        self.json_schema: JsonSchema[Any] = JsonSchema(registry, validate=validate)
        self.protobuf: Protobuf[Any] = Protobuf(registry)

    def read(self, data: bytes, headers: Headers, is_key: bool, wanted: str | None = None) -> Any:
        """The JSON of bytes that name their schema, which is of the type that is `wanted`, or of any. Raises
        SerializationError."""
        schema = self._schema(named_schema(data, headers, is_key))
        if wanted not in (None, schema.type):
            raise SerializationError(f"written with a schema of {schema.type}, not of {wanted}")
        found, payload = read_id(data, headers, is_key, schema.type == "PROTOBUF")
        if schema.type == "AVRO":
            return self._avro_json(self.avro.decode(payload, schema, found), schema)
        if schema.type == "JSON":
            return self.json_schema.decode(payload, schema, found)
        if schema.type == "PROTOBUF":
            return _message_json(self.protobuf.decode(payload, schema, found))
        raise SerializationError(f"written with a schema of {schema.type}, which nobody can read here")

    def _schema(self, named: SchemaId) -> Schema:
        if named.id is not None:
            return self._registry.by_id(named.id)
        assert named.guid is not None, "there is an id or a GUID"
        return self._registry.by_guid(named.guid)

    def _avro_json(self, value: Any, schema: Schema) -> Any:
        text = io.StringIO()
        fastavro_library().json_writer(text, self.avro.parse(schema), [value])
        return json.loads(text.getvalue())


def _message_json(message: Any) -> Any:
    json_format = google("json_format")
    try:
        return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
    except (json_format.Error, TypeError, ValueError) as error:  # such as a message within that nobody knows
        raise SerializationError(f"the message has no form in JSON: {error}") from error
