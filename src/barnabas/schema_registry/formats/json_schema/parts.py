"""A JSON schema taken apart: what it says about each kind of value, one part each.

A schema with several aspects (a type and an enum, a type and a oneOf) is all of its parts at once; `type`
with a list is any of its types. So Confluent's registry sees them, and so differences get their names.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from barnabas.schema_registry.formats.json_schema.resolve import Resolver, Schema

_KEYWORDS = {
    "string": frozenset({"maxLength", "minLength", "pattern"}),
    "number": frozenset({"maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "multipleOf"}),
    "object": frozenset(
        {"properties", "patternProperties", "additionalProperties", "required", "maxProperties"}
        | {"minProperties", "dependencies", "dependentRequired", "dependentSchemas", "propertyNames"}
        | {"unevaluatedProperties"}
    ),
    "array": frozenset(
        {"items", "prefixItems", "additionalItems", "maxItems", "minItems", "uniqueItems", "contains"}
        | {"maxContains", "minContains", "unevaluatedItems"}
    ),
}
_CRITERIA = ("allOf", "anyOf", "oneOf")


@dataclass(frozen=True, slots=True)
class Part:
    """One aspect of a schema. `kind` is a type, or any, never, enum, not, if, or the criterion of `parts`.

    `typed` is whether values of other types are refused: `maxLength` alone lets every number through.
    `own` is whether the criterion is written in the schema, so that it is part of a path.
    """

    kind: str
    schema: dict[str, Any]
    typed: bool = True
    parts: tuple["Schema | Part", ...] = ()
    own: bool = False


class Draft(NamedTuple):
    """What differs between drafts."""

    # Whether keywords beside a `$ref` count: from 2019-09 on.
    beside_ref: bool


def draft_of(schema: Schema) -> Draft:
    """By `$schema`; without one it is draft 7, as in Confluent's registry."""
    said = schema.get("$schema", "") if isinstance(schema, dict) else ""
    return Draft(beside_ref="2019-09" in said or "2020-12" in said)


class Parts:
    """Takes schemas of one document apart, each once."""

    def __init__(self, resolver: Resolver, draft: Draft) -> None:
        self.resolver = resolver
        self.draft = draft
        # By the identity of its JSON, which is kept alive here.
        self._known: dict[int, tuple[Schema, Part]] = {}

    def of(self, schema: "Schema | Part") -> Part:
        """The part that a schema is, its `$ref` followed."""
        if isinstance(schema, Part):
            return schema
        known = self._known.get(id(schema))
        if known is None:
            known = self._known[id(schema)] = (schema, self._of(schema))
        return known[1]

    def _of(self, schema: Schema) -> Part:
        if isinstance(schema, bool):
            return Part("any" if schema else "never", {})
        if (target := self.resolver.target(schema)) is not None:
            rest = {key: value for key, value in schema.items() if not key.startswith("$")}
            if not self.draft.beside_ref or _says_nothing(rest):
                return self.of(target)
            return Part("allOf", schema, parts=(target, rest))
        aspects = _aspects(schema)
        if not aspects:
            return Part("any", schema)
        if len(aspects) == 1:
            return aspects[0]
        return Part("allOf", schema, parts=tuple(aspects))


def _says_nothing(schema: dict[str, Any]) -> bool:
    return not _aspects(schema)


def _aspects(schema: dict[str, Any]) -> list[Part]:
    found = [
        Part(criterion, schema, parts=tuple(schema[criterion]), own=True)
        for criterion in _CRITERIA
        if criterion in schema
    ]
    if "enum" in schema or "const" in schema:
        found.append(Part("enum", schema))
    if "not" in schema:
        found.append(Part("not", schema))
    if "if" in schema:
        found.append(Part("if", schema))
    types = schema.get("type")
    if isinstance(types, list):
        # One object for each type, which has what the schema says of that type.
        each = tuple({**_of_type(schema, name), "type": name} for name in types)
        found.append(Part("anyOf", schema, parts=each))
    elif isinstance(types, str):
        found.append(Part("number" if types == "integer" else types, schema))
    else:
        found += [
            Part(kind, schema, typed=False) for kind, words in _KEYWORDS.items() if words & schema.keys()
        ]
    return found


def _of_type(schema: dict[str, Any], name: str) -> dict[str, Any]:
    words = _KEYWORDS.get("number" if name == "integer" else name, frozenset())
    return {key: value for key, value in schema.items() if key in words}
