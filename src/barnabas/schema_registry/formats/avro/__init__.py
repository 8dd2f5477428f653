"""Avro: the schema as the registry holds it."""

from collections.abc import Sequence
from typing import ClassVar, Self

from barnabas.schema_registry.formats.avro.compare import compare_avro
from barnabas.schema_registry.formats.avro.parse import Names, parse_avro
from barnabas.schema_registry.formats.avro.tags import avro_parts
from barnabas.schema_registry.formats.avro.text import avro_text
from barnabas.schema_registry.formats.avro.types import AvroType, Record
from barnabas.schema_registry.formats.json_text import read_json, write_json
from barnabas.schema_registry.formats.model import (
    Incompatibility,
    ParsedSchema,
    Policy,
    ResolvedReference,
    Roles,
)
from barnabas.schema_registry.formats.tags import TagChange, Tagged, change_json, tagged_json

__all__ = ["AvroSchema"]


class AvroSchema(ParsedSchema):
    """An Avro schema with the types of its references linked in."""

    schema_type: ClassVar[str] = "AVRO"

    def __init__(
        self, root: AvroType, known: frozenset[str], references: Sequence[ResolvedReference]
    ) -> None:
        self.root = root
        self.canonical = avro_text(root, known)
        self.references = tuple(references)
        # Full names of the types that references define.
        self._known = known

    @classmethod
    def parse(cls, text: str, references: Sequence[ResolvedReference]) -> Self:
        """Reads the references in their order, then the text."""
        names = Names()
        for each in references:
            parse_avro(each.text, names, f"reference {each.name}")
        known = frozenset(names.defined)
        return cls(parse_avro(text, names), known, references)

    @property
    def name(self) -> str | None:
        """The full name of the record, None for other types."""
        return self.root.name.full if isinstance(self.root, Record) else None

    def normalized(self) -> Self:
        """Reads the normalized text once more, so that what is compared is what is stored."""
        text = avro_text(self.root, self._known, normalized=True)
        return type(self).parse(text, self.references)

    def formatted(self, form: str) -> str:
        """`resolved` writes out the types of references too."""
        return avro_text(self.root) if form == "resolved" else self.canonical

    @property
    def fields(self) -> list[str]:
        """Those of the record."""
        return [each.name for each in self.root.fields] if isinstance(self.root, Record) else []

    def tagged(self) -> Tagged:
        """Records and fields that this text defines, not those of references."""
        return tagged_json(avro_parts(read_json(self.canonical, "schema")))

    def with_tags(self, change: TagChange, *, strict: bool = True) -> Self:
        """Tags are attributes of the record or field."""
        schema = read_json(self.canonical, "schema")
        change_json(avro_parts(schema), change, strict=strict)
        return type(self).parse(write_json(schema), self.references)

    def unreadable(self, writer: Self, roles: Roles, policy: Policy) -> list[Incompatibility]:  # noqa: ARG002
        """By the rules of Avro's schema resolution."""
        return compare_avro(self.root, writer.root, roles)
