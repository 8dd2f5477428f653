"""What a difference of two JSON schemas is called, and the words for it: only those that forbid reading."""

import re
from collections.abc import Mapping
from typing import Any, Protocol

from barnabas.schema_registry.formats.json_schema.resolve import Schema
from barnabas.schema_registry.formats.model import Incompatibility, Policy, Roles

Path = tuple[str, ...]
Found = list[Incompatibility]


class Comparer(Protocol):
    """What the rules for one kind of value need of the whole comparison."""

    def schemas(self, reader: Schema, writer: Schema, path: Path) -> Found:
        """Why the reader refuses some value that the writer accepts."""
        ...

    def accepts_all(self, reader: Schema) -> bool:
        """Whether a reader's schema accepts every value."""
        ...

    def accepts_none(self, schema: Schema, *, of_reader: bool) -> bool:
        """Whether a schema refuses every value."""
        ...

    def has_default(self, reader: Schema) -> bool:
        """Whether a reader's schema has a default value."""
        ...

    def found(self, kind: str, path: Path) -> Incompatibility:
        """A difference of that kind at that place."""
        ...


_WORDS = {
    "SCHEMA_TYPE_CHANGED": "the type is another one",
    "TYPE_CHANGED": "{new} is of another kind than {old}",
    "TYPE_NARROWED": "{new} takes fewer types than {old}",
    "SCHEMA_ADDED": "{new} has a condition here that {old} lacks",
    "PATTERN_CHANGED": "{new} has another pattern than {old}",
    "MULTIPLE_OF_EXPANDED": "{new} asks for multiples of a greater number than {old}",
    "MULTIPLE_OF_CHANGED": "{new} asks for multiples of another number than {old}",
    "REQUIRED_ATTRIBUTE_ADDED": "{new} requires this property and has no default for it; {old} does not",
    "ADDITIONAL_PROPERTIES_REMOVED": "{new} has a closed content model, {old} takes additional properties",
    "ADDITIONAL_PROPERTIES_NARROWED": "{new} has a condition for additional properties, {old} has none",
    "UNEVALUATED_PROPERTIES_REMOVED": "{new} refuses unevaluated properties, {old} takes them",
    "UNEVALUATED_PROPERTIES_NARROWED": "{new} has a condition for unevaluated properties, {old} has none",
    "DEPENDENCY_ARRAY_EXTENDED": "{new} asks for more properties beside this one than {old}",
    "DEPENDENCY_ARRAY_CHANGED": "{new} asks for other properties beside this one than {old}",
    "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL": (
        "{new} requires this property; {old}, with its open content model, takes any value of it and none"
    ),
    "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL": (
        "{new} has a property that {old}, with its open content model, takes any value of"
    ),
    "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL": (
        "{new} has a property that {old}, with its open content model, takes any value of"
    ),
    "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL": (
        "{new} requires this property and has no default for it; {old} has it not"
    ),
    "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL": (
        "{new} has a closed content model without this property of {old}"
    ),
    "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL": (
        "{new} has a property that {old} takes other values of in its partially open content model"
    ),
    "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL": (
        "{new} does not take this property of {old} in its partially open content model"
    ),
    "UNIQUE_ITEMS_ADDED": "{new} asks for unique items, {old} does not",
    "ADDITIONAL_ITEMS_REMOVED": "{new} has a closed content model, {old} takes additional items",
    "ADDITIONAL_ITEMS_NARROWED": "{new} has a condition for additional items, {old} has none",
    "UNEVALUATED_ITEMS_REMOVED": "{new} refuses unevaluated items, {old} takes them",
    "UNEVALUATED_ITEMS_NARROWED": "{new} has a condition for unevaluated items, {old} has none",
    "ITEM_ADDED_TO_OPEN_CONTENT_MODEL": (
        "{new} has an item that {old}, with its open content model, takes any value of"
    ),
    "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL": "{new} has a closed content model without this item of {old}",
    "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL": (
        "{new} has an item that {old} takes other values of in its partially open content model"
    ),
    "ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL": (
        "{new} does not take this item of {old} in its partially open content model"
    ),
    "ENUM_ARRAY_NARROWED": "{new} lacks values of the enum of {old}",
    "ENUM_ARRAY_CHANGED": "{new} has other values in its enum than {old}",
    "COMBINED_TYPE_CHANGED": "{new} combines schemas by another criterion than {old}",
    "COMBINED_TYPE_SUBSCHEMAS_CHANGED": "{new} combines schemas of which one reads none of those of {old}",
    "PRODUCT_TYPE_EXTENDED": "{new} has more conditions that hold together than {old}",
    "SUM_TYPE_NARROWED": "{new} has fewer alternatives than {old}",
    "NOT_TYPE_EXTENDED": "{new} excludes more than {old}",
}

ALLOWED: Mapping[Policy, frozenset[str]] = {
    Policy.STRICT: frozenset(),
    Policy.LENIENT: frozenset(
        {
            "ADDITIONAL_PROPERTIES_NARROWED",
            "ADDITIONAL_PROPERTIES_REMOVED",
            "UNEVALUATED_PROPERTIES_NARROWED",
            "UNEVALUATED_PROPERTIES_REMOVED",
            "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL",
            "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
            "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL",
            "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
            "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        }
    ),
}
"""Differences that a policy passes over, as Confluent's registry does."""


def incompatibility(kind: str, path: Path, roles: Roles) -> Incompatibility:
    """The difference as it is reported."""
    where = "#/" + "/".join(path)
    words = _WORDS.get(kind)
    if words is None:  # a bound: its keyword stands in the path
        words = "{new} has a " + kind.rpartition("_")[0].replace("_", " ").lower() + " that is "
        words += {"ADDED": "missing in {old}", "INCREASED": "greater than that of {old}"}.get(
            kind.rpartition("_")[2], "less than that of {old}"
        )
    text = words.format(new=f"the {roles.reader} schema", old=f"the {roles.writer} schema")
    return Incompatibility(kind, where, f"at {where}: {text}")


def type_name(keyword: str) -> str:
    """The keyword as names of differences have it: maxLength as MAX_LENGTH."""
    return re.sub(r"(?=[A-Z])", "_", keyword).upper()


def schema_of(value: Any, keyword: str) -> Any:
    """The schema that a keyword holds, None without one and for one that takes everything."""
    found = value.get(keyword)
    return None if found is True or found == {} else found
