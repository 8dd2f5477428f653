"""`--decode`: keys and values that were written with a schema of a registry are shown as JSON.

What names no schema is shown as it is. So is what can't be read, with a line on standard error that says why;
a registry that can't be asked ends the command.
"""

from __future__ import annotations

from barnabas.cli.errors import CommandFailed
from barnabas.cli.output import print_warning
from barnabas.cli.record_format import Json, Record
from barnabas.cli.schemas.client import refused
from barnabas.serde.base import Headers, SerializationError
from barnabas.serde.json_values import JsonValues
from barnabas.serde.registry import RegistryError, SchemaRegistry
from barnabas.serde.schema_ids import SchemaId, named_schema
from barnabas.serde.schemas import LibraryMissing

UNKNOWN_MAX = 1_000
"""Ids that are remembered for not being registered: bytes that name no schema may look as if they did."""


class Decoding:
    """Reads with the schemas of one registry."""

    def __init__(self, registry: SchemaRegistry) -> None:
        self._values = JsonValues(registry, validate=False)
        self._unknown = set[SchemaId]()

    def __call__(self, record: Record) -> Record:
        """The record as it is shown."""
        key, value = self._shown(record, record.key, True), self._shown(record, record.value, False)
        return record._replace(key=key, value=value)

    def _shown(self, record: Record, data: bytes | None, is_key: bool) -> bytes | None:
        named = None if data is None else _named(data, record.headers, is_key)
        if data is None or named is None or named in self._unknown:
            return data
        try:
            return Json.of(self._values.read(data, record.headers, is_key))
        except LibraryMissing as error:
            raise CommandFailed(f"{error}.") from error
        except RegistryError as error:
            if error.status != 404:
                raise refused(error) from error
            if len(self._unknown) < UNKNOWN_MAX:
                self._unknown.add(named)
            problem: Exception = error
        except SerializationError as error:
            problem = error
        part = "key" if is_key else "value"
        print_warning(f"{record.topic} {record.partition}:{record.offset}: {part} is not decoded: {problem}")
        return data


def _named(data: bytes, headers: Headers, is_key: bool) -> SchemaId | None:
    try:
        return named_schema(data, headers, is_key)
    except SerializationError:
        return None
