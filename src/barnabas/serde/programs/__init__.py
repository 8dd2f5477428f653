"""Schemas as programs, which the data plane holds payloads against (`crates/datum`).

A program is a table of types that name each other by their places in it. Nothing but the schema's text and
those that it refers to is needed for one: no library that reads values.
"""

from __future__ import annotations

from functools import lru_cache

from barnabas.schema_registry.formats import InvalidSchema, ResolvedReference, parse
from barnabas.schema_registry.formats.avro import AvroSchema
from barnabas.schema_registry.formats.protobuf import ProtobufSchema
from barnabas.serde.programs.avro import avro_program
from barnabas.serde.programs.protobuf import protobuf_program
from barnabas.serde.registry import Reference, Schema, SchemaRegistry

# Schemas are asked for again and again, and don't change.
_KEPT = 1_000


class NoProgram(Exception):
    """Payloads can't be held against a schema; the message says why."""


def program_of(schema: Schema, registry: SchemaRegistry) -> bytes | None:
    """The program of a schema. None if there is nothing to hold against it: rules have encoded the payloads.
    Raises NoProgram, and RegistryError where what it refers to can't be asked for."""
    contract = schema.contract
    if contract is not None and contract.has("WRITE", "encodingRules"):
        return None
    closure = registry.closure(schema)
    program = _program(schema.type, schema.text, tuple(_resolved(*each) for each in closure))
    if isinstance(program, str):
        raise NoProgram(program)
    return program


def _resolved(reference: Reference, other: Schema) -> ResolvedReference:
    return ResolvedReference(reference.name, reference.subject, reference.version, other.text)


@lru_cache(_KEPT)
def _program(schema_type: str, text: str, references: tuple[ResolvedReference, ...]) -> bytes | str:
    """The program, or why there is none."""
    if schema_type not in ("AVRO", "PROTOBUF"):
        return f"the broker does not read values of {schema_type}"
    try:
        schema = parse(schema_type, text, references)
    except InvalidSchema as error:
        return f"the schema can't be read: {error}"
    if isinstance(schema, ProtobufSchema):
        return protobuf_program(schema)
    assert isinstance(schema, AvroSchema)
    return avro_program(schema.root)
