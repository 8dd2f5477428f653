"""Avro types as a graph: a named type stands in it once however often it is named; there may be cycles."""

from dataclasses import dataclass, field
from typing import Any

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})

# Attributes that have no meaning here, kept as they were given.
Props = dict[str, Any]


# The shape of a type that refers to itself.
NO_SHAPE = "?"


@dataclass(frozen=True, slots=True)
class Name:
    """A full name in its two parts; `space` is empty for a name without namespace."""

    space: str
    simple: str

    @property
    def full(self) -> str:
        return f"{self.space}.{self.simple}" if self.space else self.simple

    def seen_from(self, space: str) -> str:
        """How it is written inside a namespace: short where that is enough and can't be a primitive."""
        return self.simple if space == self.space and self.simple not in PRIMITIVES else self.full


@dataclass(slots=True, eq=False)
class AvroType:
    """One type; `kind` is what Avro calls it. Compared by identity, since graphs may have cycles."""

    kind: str
    props: Props
    shape: str | None = field(default=None, init=False)


@dataclass(slots=True, eq=False)
class Array(AvroType):
    items: AvroType


@dataclass(slots=True, eq=False)
class Map(AvroType):
    values: AvroType


@dataclass(slots=True, eq=False)
class Union(AvroType):
    branches: list[AvroType]


@dataclass(slots=True, eq=False)
class Named(AvroType):
    name: Name
    aliases: list[Name]
    doc: str | None


@dataclass(slots=True, eq=False)
class Fixed(Named):
    size: int


@dataclass(slots=True, eq=False)
class Enum(Named):
    symbols: list[str]
    default: str | None


@dataclass(slots=True, eq=False)
class Field:
    """A field of a record. `default` counts only if `has_default`: null is a default too."""

    name: str
    type: AvroType
    aliases: list[str]
    doc: str | None
    order: str
    has_default: bool
    default: Any
    props: Props


@dataclass(slots=True, eq=False)
class Record(Named):
    """A record or (kind `error`) an error; `by_name` has its fields once more, for look-ups."""

    fields: list[Field]
    by_name: dict[str, Field] = field(default_factory=dict)
