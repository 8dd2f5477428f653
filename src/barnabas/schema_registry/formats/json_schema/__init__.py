"""JSON Schema: the schema as the registry holds it."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from barnabas.schema_registry.formats.json_schema.compare import compare_json
from barnabas.schema_registry.formats.json_schema.parts import Parts, draft_of
from barnabas.schema_registry.formats.json_schema.resolve import Resolver
from barnabas.schema_registry.formats.json_schema.tags import json_parts
from barnabas.schema_registry.formats.json_schema.valid import check_schema
from barnabas.schema_registry.formats.json_text import read_json, sorted_keys, write_json
from barnabas.schema_registry.formats.model import (
    Incompatibility,
    InvalidSchema,
    ParsedSchema,
    Policy,
    ResolvedReference,
    Roles,
)
from barnabas.schema_registry.formats.tags import TagChange, Tagged, change_json, tagged_json

__all__ = ["JsonSchema"]


class JsonSchema(ParsedSchema):
    """A JSON schema, drafts 4 to 2020-12, with the documents that it refers to."""

    schema_type: ClassVar[str] = "JSON"

    def __init__(self, schema: Any, parts: Parts, references: Sequence[ResolvedReference]) -> None:
        self.schema = schema
        self.canonical = write_json(schema)
        self.references = tuple(references)
        self._parts = parts

    @classmethod
    def parse(cls, text: str, references: Sequence[ResolvedReference]) -> Self:
        """Reads the text and its references, which `$ref`s call by name or by `$id`."""
        schema = read_json(text, "schema")
        check_schema(schema)
        documents = {each.name: read_json(each.text, f"reference {each.name}") for each in references}
        for name, document in documents.items():
            try:
                check_schema(document)
            except InvalidSchema as error:
                raise InvalidSchema(f"reference {name}: {error}") from None
        resolver = Resolver(schema, documents)
        resolver.check()
        return cls(schema, Parts(resolver, draft_of(schema)), references)

    @property
    def name(self) -> str | None:
        """The title."""
        title = self.schema.get("title") if isinstance(self.schema, dict) else None
        return title if isinstance(title, str) else None

    def normalized(self) -> Self:
        """With the keys of all objects in order."""
        return type(self).parse(write_json(sorted_keys(self.schema)), self.references)

    def formatted(self, form: str) -> str:  # noqa: ARG002
        """There is one form only."""
        return self.canonical

    @property
    def fields(self) -> list[str]:
        """The properties."""
        properties = self.schema.get("properties") if isinstance(self.schema, dict) else None
        return list(properties) if isinstance(properties, dict) else []

    def tagged(self) -> Tagged:
        """Objects and properties that have the keyword."""
        return tagged_json(json_parts(self.schema))

    def with_tags(self, change: TagChange, *, strict: bool = True) -> Self:
        """Tags are a keyword of the object or property."""
        schema = read_json(self.canonical, "schema")
        change_json(json_parts(schema), change, strict=strict)
        return type(self).parse(write_json(schema), self.references)

    def unreadable(self, writer: Self, roles: Roles, policy: Policy) -> list[Incompatibility]:
        """By whether all values that are valid for the writer are valid here."""
        return compare_json(self._parts, writer._parts, roles, policy)
