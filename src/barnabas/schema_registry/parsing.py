"""Schemas of requests and of the state as the formats parse them, with what they refer to.

Parsing is a function of the text and the texts that it refers to; what was parsed last is remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from barnabas._core import plain_avro
from barnabas.schema_registry import errors, formats
from barnabas.schema_registry.entries import Reference, Schema, Version
from barnabas.schema_registry.formats import InvalidSchema, ParsedSchema, ResolvedReference
from barnabas.schema_registry.state import State

PARSED_MAX = 1_000
"""Parsed schemas that are remembered."""
PARSED_CHARACTERS_MAX = 20_000_000
"""Characters of their texts, all together."""
REFERENCES_MAX = 1_000
"""Schemas that one may refer to, directly and indirectly."""

_CacheKey = tuple[str, str, tuple[ResolvedReference, ...]]


class Parser:
    """Parses, and remembers."""

    def __init__(self) -> None:
        self._parsed: OrderedDict[_CacheKey, ParsedSchema] = OrderedDict()
        self._characters = 0

    def of_request(
        self, state: State, subject: str, schema_type: str, text: str, references: Sequence[Reference]
    ) -> ParsedSchema:
        """A schema that somebody sent for `subject`. Raises HttpError: 422, with what is wrong with it."""
        if schema_type not in formats.SCHEMA_TYPES:
            raise errors.invalid_schema(
                f"Unknown schema type {schema_type}: known are {', '.join(formats.SCHEMA_TYPES)}"
            )
        if not text.strip():
            raise errors.invalid_schema("The schema is empty")
        try:
            return self._parse(schema_type, text, resolve(state, subject, references))
        except InvalidSchema as error:
            raise errors.invalid_schema(f"Invalid schema of type {schema_type}: {error}") from error

    @staticmethod
    def plain(schema: Schema) -> str | None:
        """The canonical text of a schema, where that can be told without more of it; None for any other, and
        for what is no schema."""
        return plain_avro(schema.text) if schema.schema_type == "AVRO" and not schema.references else None

    def of_version(self, state: State, version: Version) -> ParsedSchema:
        """A schema that is registered. Raises HttpError, when it can't be parsed (any more)."""
        schema = version.schema
        return self.of_request(state, version.subject, schema.schema_type, schema.text, schema.references)

    def _parse(self, schema_type: str, text: str, references: tuple[ResolvedReference, ...]) -> ParsedSchema:
        key = (schema_type, text, references)
        known = self._parsed.get(key)
        if known is not None:
            self._parsed.move_to_end(key)
            return known
        parsed = formats.parse(schema_type, text, references)
        self._parsed[key] = parsed
        self._characters += len(text)
        while len(self._parsed) > PARSED_MAX or self._characters > PARSED_CHARACTERS_MAX:
            (_, oldest, _), _ = self._parsed.popitem(last=False)
            self._characters -= len(oldest)
        return parsed


def canonical(parsed: ParsedSchema, schema: Schema, *, normalize: bool) -> Schema:
    """`schema` with the text in which it is kept."""
    return with_text(schema, (parsed.normalized() if normalize else parsed).canonical)


def with_text(schema: Schema, text: str) -> Schema:
    """`schema` with another text."""
    if text == schema.text:
        return schema
    return Schema.of(schema.schema_type, text, schema.references, schema.metadata, schema.rule_set)


def resolve(state: State, subject: str, references: Sequence[Reference]) -> tuple[ResolvedReference, ...]:
    """What `references` of a schema of `subject` mean, each after those it has itself. Raises HttpError."""
    resolved: dict[tuple[str, str, int], ResolvedReference] = {}
    begun: set[tuple[str, str, int]] = set()
    # (subject of the schema that refers, its reference, whether what it refers to itself is done)
    todo = [(subject, reference, False) for reference in reversed(references)]
    while todo:
        parent, reference, ready = todo.pop()
        place = state.referred(parent, reference)
        key = (reference.name, *place)
        if ready:
            version = state.version(*place)
            assert version is not None
            resolved.setdefault(key, ResolvedReference(reference.name, *place, version.schema.text))
            continue
        if key in begun:
            continue
        begun.add(key)
        version = state.version(*place)
        if version is None:
            raise errors.invalid_schema(
                f"Reference '{reference.name}': there is no version {place[1]} of subject '{place[0]}'"
            )
        if len(begun) > REFERENCES_MAX:
            raise errors.invalid_schema(f"The schema refers to more than {REFERENCES_MAX} others")
        todo.append((parent, reference, True))
        todo += [(place[0], each, False) for each in reversed(version.schema.references)]
    return tuple(resolved.values())
