"""What a message is made of: the facts that every generator reads.

Always true of a model that `parse` returns:
  every struct that a field names is in `Message.structs`, and no struct contains itself
  a tagged field is tagged in all of its versions
  field versions lie inside the versions of the message, or are empty
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

PRIMITIVES = frozenset(
    (
        "bool",
        "int8",
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "float64",
        "string",
        "uuid",
        "bytes",
        "records",
    )
)

# Bytes of the values whose size never varies.
FIXED_SIZES = {
    "bool": 1,
    "int8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "float64": 8,
    "uuid": 16,
}

VERSION_MAX = 32767


class SchemaError(Exception):
    """A schema says something that the generators do not understand."""


@dataclass(frozen=True)
class Versions:
    """A range of versions, both ends included; empty when lowest > highest."""

    lowest: int
    highest: int

    @staticmethod
    def parse(text: str) -> Versions:
        """Reads `4-18`, `3`, `2+` or `none`."""
        if text == "none":
            return NONE
        if match := re.fullmatch(r"(\d+)\+", text):
            return Versions(int(match[1]), VERSION_MAX)
        if match := re.fullmatch(r"(\d+)(?:-(\d+))?", text):
            return Versions(int(match[1]), int(match[2] or match[1]))
        raise SchemaError(f"not a range of versions: {text!r}")

    def __str__(self) -> str:
        if not self:
            return "none"
        if self.highest == VERSION_MAX:
            return f"{self.lowest}+"
        return str(self.lowest) if self.lowest == self.highest else f"{self.lowest}-{self.highest}"

    def __bool__(self) -> bool:
        return self.lowest <= self.highest

    def __contains__(self, version: int) -> bool:
        return self.lowest <= version <= self.highest

    def __and__(self, other: Versions) -> Versions:
        both = Versions(max(self.lowest, other.lowest), min(self.highest, other.highest))
        return both or NONE

    def covers(self, other: Versions) -> bool:
        """Whether every version of `other` is in this range."""
        return not other or (self.lowest <= other.lowest and other.highest <= self.highest)


NONE = Versions(1, 0)


@dataclass(frozen=True)
class Field:
    """One field of a struct."""

    name: str
    """Kafka's name, in CamelCase."""
    type: str
    """A primitive, the name of a struct, or `[]` and either."""
    versions: Versions
    nullable: Versions = NONE
    tag: int | None = None
    default: str | None = None
    """As the schema writes it; None where it says nothing."""
    ignorable: bool = False
    map_key: bool = False
    flexible: bool = True
    """False for the one field that keeps the old encoding in flexible versions."""

    @property
    def is_array(self) -> bool:
        """Whether the value is an array."""
        return self.type.startswith("[]")

    @property
    def element(self) -> str:
        """Type of the elements, or of the value itself when it is no array."""
        return self.type.removeprefix("[]")

    @property
    def is_struct(self) -> bool:
        """Whether the value is one struct."""
        return self.type not in PRIMITIVES and not self.is_array

    @property
    def snake_name(self) -> str:
        """The name in both languages."""
        return snake(self.name)


@dataclass(frozen=True)
class Struct:
    """Fields that belong together; the message itself is one too."""

    name: str
    fields: tuple[Field, ...]
    versions: Versions
    """Versions of the message that can hold it."""


@dataclass(frozen=True)
class Message:
    """A request, response, record or file with all its versions."""

    name: str
    kind: str
    """request, response, header, metadata, coordinator-key, coordinator-value, tiered or data"""
    key: int | None
    versions: Versions
    flexible: Versions
    fields: tuple[Field, ...]
    structs: dict[str, Struct] = field(compare=False)
    listeners: tuple[str, ...] = ()
    latest_unstable: bool = False

    @cached_property
    def root(self) -> Struct:
        """The message as a struct."""
        return Struct(self.name, self.fields, self.versions)

    @property
    def module(self) -> str:
        """Name of the message's module in both languages."""
        return snake(self.name)

    def all_structs(self) -> list[Struct]:
        """Nested structs before those that hold them, the message last."""
        ordered: dict[str, Struct] = {}

        def visit(struct: Struct) -> None:
            for item in struct.fields:
                if item.element not in PRIMITIVES and item.element not in ordered:
                    visit(self.structs[item.element])
            ordered[struct.name] = struct

        visit(self.root)
        return list(ordered.values())

    def smallest(self, type_: str, versions: Versions) -> int:
        """The least number of bytes of one value of `type_` in any of `versions`."""
        versions &= self.versions
        return min(
            self.smallest_at(type_, version) for version in range(versions.lowest, versions.highest + 1)
        )

    def smallest_at(self, type_: str, version: int) -> int:
        """The least number of bytes of one value of `type_` in `version`."""
        if size := FIXED_SIZES.get(type_):
            return size
        flexible = version in self.flexible
        if type_ == "string":
            return 1 if flexible else 2
        if type_ in ("bytes", "records") or type_.startswith("[]"):
            return 1 if flexible else 4
        size = 1 if flexible else 0  # the tagged section
        for item in self.structs[type_].fields:
            if version in item.versions and item.tag is None:
                absent = item.is_struct and version in item.nullable
                size += 1 if absent else self.smallest_at(item.type, version)
        return size


def snake(name: str) -> str:
    """CamelCase to snake_case; runs of capitals are one word."""
    name = name.replace("KRaft", "Kraft").replace("2Pc", "_2pc")
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def camel(name: str) -> str:
    """SNAKE_CASE to CamelCase."""
    return "".join(part.capitalize() for part in name.split("_"))
