"""Keys and values under a schema of the registry: which schema, from JSON to bytes, and back to JSON.

Everything here may wait for the registry: it is called in threads.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas.http.errors import HttpError
from barnabas.rest.errors import payload_error
from barnabas.rest.values import Written
from barnabas.serde.avro import fastavro_library
from barnabas.serde.base import Headers
from barnabas.serde.json_values import JsonValues
from barnabas.serde.protobuf import google
from barnabas.serde.registry import Registered, RegistryError, Schema, SchemaRegistry
from barnabas.serde.schema_ids import written_id

if TYPE_CHECKING:
    from barnabas.rest.registry import RegistryAt

STRATEGIES = ("TOPIC_NAME", "RECORD_NAME", "TOPIC_RECORD_NAME")
TYPES = {"AVRO": "AVRO", "JSONSCHEMA": "JSON", "PROTOBUF": "PROTOBUF"}
"""The proxy's names of formats, and the registry's."""
_NAMES = {registry: ours for ours, registry in TYPES.items()}


class Wanted(NamedTuple):
    """The schema that a request asks for; the subject's latest when it says nothing."""

    type: str | None = None
    schema: str | None = None
    schema_id: int | None = None
    schema_version: int | None = None
    subject: str | None = None
    strategy: str = "TOPIC_NAME"


class Chosen(NamedTuple):
    """The schema that is written with."""

    registered: Registered
    subject: str
    version: int | None


class Schemas:
    """Writes and reads with schemas of one registry."""

    def __init__(self, registry: RegistryAt) -> None:
        self.registry = SchemaRegistry(registry.url, ssl_context=registry.tls)
        self._values = JsonValues(self.registry, validate=True)

    def choose(self, topic: str, is_key: bool, wanted: Wanted) -> Chosen:
        """Finds or registers what is asked for."""
        try:
            return self._chosen(topic, is_key, wanted)
        except RegistryError as error:
            if 400 <= error.status < 500:
                raise HttpError(422, f"Invalid schema: {error}", 42205) from error
            raise

    def _chosen(self, topic: str, is_key: bool, wanted: Wanted) -> Chosen:
        given = None
        if wanted.schema is not None:
            if wanted.type not in TYPES:
                raise payload_error(f"A schema needs one of the types {', '.join(TYPES)}")
            given = Schema(TYPES[wanted.type], wanted.schema)
        elif wanted.schema_id is not None:
            given = self.registry.by_id(wanted.schema_id)
        subject = wanted.subject or self._subject(topic, is_key, wanted.strategy, given)
        if given is None and wanted.schema_version is not None:
            given = self.registry.version(subject, wanted.schema_version)
        if given is None:
            registered = self.registry.latest(subject)
        elif wanted.schema_id is not None:
            registered = Registered(wanted.schema_id, None, given)
        elif wanted.schema is not None:
            registered = self.registry.register(subject, given)
        else:
            registered = self.registry.look_up(subject, given)
        if wanted.type is not None and TYPES.get(wanted.type) != registered.schema.type:
            raise payload_error(f"The schema is of type {_NAMES[registered.schema.type]}, not {wanted.type}")
        contract = registered.schema.contract
        if contract is not None and contract.has("WRITE", "domainRules", "encodingRules"):
            # One of them may encrypt: what it is to hide must not be written as it is.
            raise payload_error(
                "The schema has rules that run where a value is written, and the proxy runs none: "
                "write with a client's serializer"
            )
        return Chosen(registered, subject, self._version(subject, registered.schema))

    def _version(self, subject: str, schema: Schema) -> int | None:
        try:
            return self.registry.version_of(subject, schema)
        except RegistryError as error:
            if error.status != 404:
                raise
            return None  # A schema that is named by its id may belong to other subjects.

    def _subject(self, topic: str, is_key: bool, strategy: str, schema: Schema | None) -> str:
        if strategy == "TOPIC_NAME":
            return f"{topic}-{'key' if is_key else 'value'}"
        if strategy not in STRATEGIES:
            raise payload_error(f"subject_name_strategy must be one of {', '.join(STRATEGIES)}")
        if schema is None:
            raise payload_error(f"{strategy} needs a schema or its id")
        name = self._record_name(schema)
        return name if strategy == "RECORD_NAME" else f"{topic}-{name}"

    def _record_name(self, schema: Schema) -> str:
        name = None
        if schema.type == "AVRO":
            parsed = self._values.avro.parse(schema)
            name = parsed.get("name") if isinstance(parsed, dict) else None
        elif schema.type == "JSON":
            found = json.loads(schema.text)
            name = found.get("title") if isinstance(found, dict) else None
        else:
            name = self._values.protobuf.class_of(schema, (0,)).DESCRIPTOR.full_name
        if not isinstance(name, str):
            raise payload_error("The schema has no name that a subject could be made of")
        return name

    def write(self, value: Any, chosen: Chosen) -> Written:
        """The bytes of a JSON value."""
        (id_, _, schema) = chosen.registered
        kind = _NAMES[schema.type]
        indexes = None
        if schema.type == "AVRO":
            payload = self._values.avro.encode(self._avro_value(value, schema), schema)
        elif schema.type == "JSON":
            payload = self._values.json_schema.encode(value, schema)
        else:
            indexes = (0,)
            payload = self._values.protobuf.encode(self._message(value, schema), schema)
        data = written_id(id_, indexes) + payload
        return Written(data, kind, chosen.subject, id_, chosen.version)

    def read(self, kind: str, data: bytes, headers: Headers, is_key: bool) -> Any:
        """The JSON of bytes that were written in a format. Raises SerializationError."""
        return self._values.read(data, headers, is_key, TYPES[kind])

    def _avro_value(self, value: Any, schema: Schema) -> Any:
        """A value of Avro's own JSON, where unions name the type and bytes are characters."""
        parsed, fastavro = self._values.avro.parse(schema), fastavro_library()
        try:
            found = list(fastavro.json_reader(io.StringIO(json.dumps(value)), parsed))
        except Exception as error:  # fastavro raises whatever its checks run into
            raise HttpError(422, f"Conversion of JSON to Avro failed: {error!r}", 42203) from error
        if len(found) != 1:
            raise HttpError(422, "Conversion of JSON to Avro failed: no value", 42203)
        return found[0]

    def _message(self, value: Any, schema: Schema) -> Any:
        made = self._values.protobuf.class_of(schema, (0,))()
        json_format = google("json_format")
        try:
            return json_format.ParseDict(value, made)
        except (json_format.ParseError, AttributeError, TypeError, ValueError) as error:
            raise HttpError(422, f"Conversion of JSON to Protobuf failed: {error}", 42203) from error
