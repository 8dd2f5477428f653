"""Schema formats: parse a schema, its canonical text, and whether a reader reads what a writer wrote.

    schema = parse("AVRO", text, references)
    schema.canonical                      what the registry stores and compares
    incompatibilities(reader, writer)     empty if the reader reads all that the writer writes
    check(Level.BACKWARD, new, existing)  the same by compatibility level

References come in dependency order: a schema after all that it refers to, the indirect ones included.
"""

from collections.abc import Callable, Sequence

from barnabas.schema_registry.formats.avro import AvroSchema
from barnabas.schema_registry.formats.json_schema import JsonSchema
from barnabas.schema_registry.formats.levels import Incompatible, Level, check, incompatibilities
from barnabas.schema_registry.formats.model import (
    READER_AND_WRITER,
    SCHEMA_CHARACTERS_MAX,
    Incompatibility,
    InvalidSchema,
    ParsedSchema,
    Policy,
    ResolvedReference,
    Roles,
    UnknownSchemaType,
)
from barnabas.schema_registry.formats.protobuf import ProtobufSchema

__all__ = [
    "READER_AND_WRITER",
    "SCHEMA_TYPES",
    "Incompatibility",
    "Incompatible",
    "InvalidSchema",
    "Level",
    "ParsedSchema",
    "Policy",
    "ResolvedReference",
    "Roles",
    "UnknownSchemaType",
    "check",
    "incompatibilities",
    "parse",
]

_FORMATS: dict[str, Callable[[str, Sequence[ResolvedReference]], ParsedSchema]] = {
    "AVRO": AvroSchema.parse,
    "JSON": JsonSchema.parse,
    "PROTOBUF": ProtobufSchema.parse,
}
SCHEMA_TYPES = tuple(_FORMATS)


def parse(schema_type: str, text: str, references: Sequence[ResolvedReference] = ()) -> ParsedSchema:
    """Reads a schema of the given type; raises InvalidSchema if it is none."""
    read = _FORMATS.get(schema_type)
    if read is None:
        raise UnknownSchemaType(f"unknown schema type {schema_type!r}; known are {', '.join(SCHEMA_TYPES)}")
    size = len(text) + sum(len(each.text) for each in references)
    if size > SCHEMA_CHARACTERS_MAX:
        raise InvalidSchema(f"schema of {size} characters is over the limit of {SCHEMA_CHARACTERS_MAX}")
    if not text.strip():
        raise InvalidSchema("the schema is empty")
    try:
        schema = read(text, references)
        schema.canonical.encode()
    except RecursionError:
        raise InvalidSchema("the schema is nested too deep") from None
    except UnicodeEncodeError as error:
        raise InvalidSchema(f"the schema has half a character: {error}") from None
    return schema
