"""What the three schema formats have in common: a parsed schema, its references, and how two schemas differ.

Always true:
  parsing is a pure function of the text and its references: no clock, no network, no file
  whatever the text is, parsing ends in a ParsedSchema or in InvalidSchema, in time and memory bounded by the
  limits below
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

if TYPE_CHECKING:
    from barnabas.schema_registry.formats.tags import TagChange, Tagged

# A schema with its references over this is refused unread: a topic takes no record as large anyway.
SCHEMA_CHARACTERS_MAX = 1_000_000
# How deep types may nest; deeper ones have no use, and walking them would need as much of the stack.
NESTING_MAX = 64
# The same for JSON: a record takes three levels, itself, its list of fields, a field.
JSON_NESTING_MAX = 200
# How many parts (values of JSON, tokens) a schema may have.
NODES_MAX = 200_000
# How many pairs of parts a comparison may look at, and how deep inside one another. The largest schema has
# fewer that face each other one by one; alternatives of a union, each against each, would take seconds in
# which nobody else is answered.
COMPARED_PAIRS_MAX = 30_000
COMPARED_DEPTH_MAX = 100
# How many differences are repeated where a pair of parts is met once more: all would double each time.
REPEATED_MAX = 20


class InvalidSchema(Exception):
    """The text is no schema of its format; the message says why and where."""


class UnknownSchemaType(InvalidSchema):
    """There is no such schema format."""


@dataclass(frozen=True, slots=True)
class ResolvedReference:
    """A schema that another one refers to: the name it has there, where it is registered, its text."""

    name: str
    subject: str
    version: int
    text: str


class Roles(NamedTuple):
    """How messages name the two schemas that are compared."""

    reader: str
    writer: str


READER_AND_WRITER = Roles("reader", "writer")


class Policy(StrEnum):
    """How much a comparison asks for (`compatibilityPolicy`).

    Only JSON Schema tells them apart: there LENIENT takes an open content model for what users mean by it, a
    list of properties that may grow and shrink, though a value could break it.
    """

    STRICT = "STRICT"
    LENIENT = "LENIENT"


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """One reason why the reader can't read what the writer writes.

    `type` is the name that Confluent's verbose answers have for it, `path` where in the schema it is.
    """

    type: str
    path: str
    message: str
    additional: str | None = None

    def __str__(self) -> str:
        """As one line of a verbose answer."""
        tail = "" if self.additional is None else f", additionalInfo:'{self.additional}'"
        return f"{{errorType:'{self.type}', description:'{self.message}'{tail}}}"


class TooComplex(Exception):
    """A comparison would go deeper, or take more steps, than it is allowed."""


class Effort:
    """Bounds a comparison: of two schemas that are each in bounds, the pairs of their parts may not be."""

    __slots__ = ("depth", "steps")

    def __init__(self) -> None:
        self.depth = 0
        self.steps = 0

    def enter(self) -> None:
        """One pair more, inside those that were entered and not left."""
        self.depth += 1
        self.steps += 1
        if self.depth > COMPARED_DEPTH_MAX or self.steps > COMPARED_PAIRS_MAX:
            raise TooComplex

    def leave(self) -> None:
        """The pair entered last is done."""
        self.depth -= 1


class ParsedSchema(ABC):
    """A schema that was found valid. Two are the same schema when `identity` is the same."""

    schema_type: ClassVar[str]
    canonical: str
    references: tuple[ResolvedReference, ...]

    @property
    def identity(self) -> tuple[str, str, tuple[tuple[str, str, int], ...]]:
        """What tells two schemas apart: the format, the canonical text, and what it refers to."""
        named = tuple(sorted((each.name, each.subject, each.version) for each in self.references))
        return self.schema_type, self.canonical, named

    @property
    @abstractmethod
    def name(self) -> str | None:
        """The full name of what it describes, for strategies that name subjects by it; None without one."""

    @abstractmethod
    def normalized(self) -> Self:
        """The same schema in the one form that all its spellings share (`normalize=true`)."""

    @abstractmethod
    def formatted(self, form: str) -> str:
        """The text in another form (`format=` of the REST API); a form that it has not gives `canonical`."""

    @property
    @abstractmethod
    def fields(self) -> list[str]:
        """The names of the fields that a value has at its top; none where a value has no fields."""

    @abstractmethod
    def tagged(self) -> "Tagged":
        """The records and fields that have tags."""

    @abstractmethod
    def with_tags(self, change: "TagChange", *, strict: bool = True) -> Self:
        """The schema with other tags. Raises InvalidSchema for a part that there is not; if not `strict`,
        passes it over."""

    @abstractmethod
    def unreadable(self, writer: Self, roles: Roles, policy: Policy) -> list[Incompatibility]:
        """Why this schema, as reader, can't read what `writer` writes; both are of one format."""
