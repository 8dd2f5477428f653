"""Compatibility levels: which of the existing versions a new schema is compared with, and in which direction.

BACKWARD: the new schema reads what the old one wrote. FORWARD: the old one reads what the new one writes.
FULL: both. Each looks at the latest version only; the transitive ones at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from barnabas.schema_registry.formats.model import (
    READER_AND_WRITER,
    Incompatibility,
    ParsedSchema,
    Policy,
    Roles,
    TooComplex,
)


class Level(StrEnum):
    """How far a new version of a subject has to get along with the versions before it."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def transitive(self) -> bool:
        """Whether all existing versions count, not only the latest."""
        return self.endswith("_TRANSITIVE")

    @property
    def backward(self) -> bool:
        """Whether the new schema must read what the existing ones wrote."""
        return self.startswith(("BACKWARD", "FULL"))

    @property
    def forward(self) -> bool:
        """Whether the existing schemas must read what the new one writes."""
        return self.startswith(("FORWARD", "FULL"))


@dataclass(frozen=True, slots=True)
class Incompatible:
    """The existing schema that a new one does not get along with: its index among those given, and why."""

    index: int
    reasons: list[Incompatibility]


def incompatibilities(
    reader: ParsedSchema,
    writer: ParsedSchema,
    roles: Roles = READER_AND_WRITER,
    policy: Policy = Policy.STRICT,
) -> list[Incompatibility]:
    """Why `reader` can't read what `writer` writes; empty if it can."""
    if reader.schema_type != writer.schema_type:
        message = (
            f"{roles.reader} schema is {reader.schema_type}, {roles.writer} schema is {writer.schema_type}"
        )
        return [Incompatibility("SCHEMA_TYPE_CHANGED", "/", message)]
    if reader is writer or reader.identity == writer.identity:
        return []
    try:
        return reader.unreadable(writer, roles, policy)
    except (TooComplex, RecursionError):  # the caller's own stack may be deep already
        message = f"{roles.reader} and {roles.writer} schema are too complex to be compared"
        return [Incompatibility("SCHEMA_TOO_COMPLEX", "/", message)]


def check(
    level: Level, new: ParsedSchema, existing: Sequence[ParsedSchema], policy: Policy = Policy.STRICT
) -> Incompatible | None:
    """Compares a new schema with the existing ones, oldest first; None if the level is kept.

    The latest version that stands against it is the one that is named.
    """
    first = 0 if level.transitive else max(len(existing) - 1, 0)
    for index in reversed(range(first, len(existing))):
        reasons: list[Incompatibility] = []
        if level.backward:
            reasons += incompatibilities(new, existing[index], Roles("new", "old"), policy)
        if level.forward:
            reasons += incompatibilities(existing[index], new, Roles("old", "new"), policy)
        if reasons:
            return Incompatible(index, reasons)
    return None
