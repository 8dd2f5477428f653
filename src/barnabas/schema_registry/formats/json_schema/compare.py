"""Whether a reader's JSON schema accepts all that a writer's accepts.

Names of differences, their places and the verdicts are those of Confluent's registry under the same policy.
The strict one is stricter than the values ask for (a rewritten schema may be refused though it accepts the
same), and in two places more lenient: a required property that no schema describes, or that has a default,
may be added.
"""

from barnabas.schema_registry.formats.json_schema.arrays import compare_arrays
from barnabas.schema_registry.formats.json_schema.difference import ALLOWED, Found, Path, incompatibility
from barnabas.schema_registry.formats.json_schema.matching import covers
from barnabas.schema_registry.formats.json_schema.objects import compare_objects
from barnabas.schema_registry.formats.json_schema.parts import Part, Parts
from barnabas.schema_registry.formats.json_schema.resolve import Schema
from barnabas.schema_registry.formats.json_schema.scalars import (
    compare_enums,
    compare_numbers,
    compare_strings,
    value_key,
)
from barnabas.schema_registry.formats.model import REPEATED_MAX, Effort, Incompatibility, Policy, Roles

_CRITERIA = ("allOf", "anyOf", "oneOf")
_RULES = {
    "string": compare_strings,
    "number": compare_numbers,
    "enum": compare_enums,
    "object": compare_objects,
    "array": compare_arrays,
}


def compare_json(reader: Parts, writer: Parts, roles: Roles, policy: Policy) -> Found:
    """What stands against reading; empty if nothing does."""
    comparison = _Comparison(reader, writer, roles, ALLOWED[policy])
    return list(dict.fromkeys(comparison.schemas(reader.resolver.root, writer.resolver.root, ())))


class _Comparison:
    """One comparison. Pairs that refer to themselves count as compatible while they are being compared."""

    def __init__(self, reader: Parts, writer: Parts, roles: Roles, allowed: frozenset[str]) -> None:
        self.reader = reader
        self.writer = writer
        self.roles = roles
        self.allowed = allowed
        self.effort = Effort()
        # Inside a `not` the two schemas change places.
        self.turned = False
        self.known: dict[tuple[int, int, bool], Found] = {}
        self.under_way: dict[tuple[int, int, bool], int] = {}
        # How far out the pairs stand that were taken for compatible while they are under way.
        self.assumed = len(self.under_way)

    def schemas(self, reader: Schema | Part, writer: Schema | Part, path: Path) -> Found:
        new = (self.writer if self.turned else self.reader).of(reader)
        old = (self.reader if self.turned else self.writer).of(writer)
        if new.kind == "any" or old.kind == "never":
            return []
        pair = id(new), id(old), self.turned
        known = self.known.get(pair)
        if known is not None:
            return known[:REPEATED_MAX]
        if pair in self.under_way:
            self.assumed = min(self.assumed, self.under_way[pair])
            return []
        return self.compare(pair, new, old, path)

    def compare(self, pair: tuple[int, int, bool], new: Part, old: Part, path: Path) -> Found:
        depth = len(self.under_way)
        outer, self.assumed = self.assumed, depth
        self.under_way[pair] = depth
        self.effort.enter()
        found = [each for each in self.parts(new, old, path) if each.type not in self.allowed]
        self.effort.leave()
        del self.under_way[pair]
        # What rests on a pair further out is not known to be compatible before that one is.
        if found or self.assumed >= depth:
            self.known[pair] = found
        self.assumed = min(outer, self.assumed)
        return found

    def parts(self, new: Part, old: Part, path: Path) -> Found:
        if new.kind in _CRITERIA and old.kind in _CRITERIA:
            if new.own == old.own or not (self.splits(new, old, path) or self.splits_old(new, old, path)):
                return self.combined(new, old, path)
            return []
        if new.kind in _CRITERIA:
            return [] if self.splits(new, old, path) else self.fallback(new, old, path)
        if old.kind in _CRITERIA:
            return [] if self.splits_old(new, old, path) else self.fallback(new, old, path)
        if new.kind != old.kind:
            return [self.found("TYPE_CHANGED", path)]
        narrowed = [self.found("TYPE_NARROWED", path)] if new.typed and not old.typed else []
        if new.kind == "not":
            return self.excluded(new, old, path)
        if new.kind == "if":
            same = all(value_key(new.schema.get(each)) == value_key(old.schema.get(each)) for each in _IF)
            return [] if same else [self.found("SCHEMA_ADDED", (*path, "if"))]
        rule = _RULES.get(new.kind)
        return narrowed + (rule(self, new.schema, old.schema, path) if rule else [])

    def splits(self, new: Part, old: Part, path: Path) -> bool:
        """Whether the reader's parts taken one by one accept the writer's values."""
        accepts = [not self.schemas(each, old, path) for each in new.parts]
        return all(accepts) if new.kind == "allOf" else any(accepts)

    def splits_old(self, new: Part, old: Part, path: Path) -> bool:
        """Whether the reader accepts the values of the writer's parts taken one by one."""
        accepted = [not self.schemas(new, each, path) for each in old.parts]
        return any(accepted) if old.kind == "allOf" else all(accepted)

    def fallback(self, new: Part, old: Part, path: Path) -> Found:
        if len(new.parts) == 1 and not old.parts:
            return self.schemas(new.parts[0], old, path)
        return [self.found("TYPE_CHANGED", path)]

    def combined(self, new: Part, old: Part, path: Path) -> Found:
        news, olds = self.distinct(new), self.distinct(old)
        if not _same_criterion(new, old, len(news), len(olds)):
            return [self.found("COMBINED_TYPE_CHANGED", path)]
        found: Found = []
        if len(news) > len(olds) and new.kind == "allOf":
            found.append(self.found("PRODUCT_TYPE_EXTENDED", path))
        if len(olds) > len(news) and old.kind != "allOf":
            found.append(self.found("SUM_TYPE_NARROWED", path))
        edges: list[list[int]] = []
        for at, each in enumerate(olds):
            here = (*path, old.kind, str(at)) if old.own else path
            edges.append([to for to, other in enumerate(news) if not self.schemas(other, each, here)])
        if not covers(edges, len(news), min(len(news), len(olds))):
            found += self.singly(news, olds, path)
            found.append(self.found("COMBINED_TYPE_SUBSCHEMAS_CHANGED", path))
        return found

    def singly(self, news: list[Schema | Part], olds: list[Schema | Part], path: Path) -> Found:
        """Why parts of the same kind differ where there is one of each: most schemas with several aspects."""
        found: Found = []
        for part in news:
            if isinstance(part, Part):
                same = [each for each in olds if isinstance(each, Part) and each.kind == part.kind]
                found += self.schemas(part, same[0], path) if len(same) == 1 else []
        return found

    def distinct(self, part: Part) -> list[Schema | Part]:
        """The parts of a combination, each once."""
        found: dict[str, Schema | Part] = {}
        for each in part.parts:
            found.setdefault(f"#{id(each)}" if isinstance(each, Part) else value_key(each), each)
        return list(found.values())

    def excluded(self, new: Part, old: Part, path: Path) -> Found:
        self.turned = not self.turned
        inner = self.schemas(old.schema["not"], new.schema["not"], (*path, "not"))
        self.turned = not self.turned
        return [self.found("NOT_TYPE_EXTENDED", (*path, "not"))] if inner else []

    def accepts_all(self, reader: Schema) -> bool:
        return (self.writer if self.turned else self.reader).of(reader).kind == "any"

    def accepts_none(self, schema: Schema, *, of_reader: bool) -> bool:
        return (self.reader if of_reader != self.turned else self.writer).of(schema).kind == "never"

    def has_default(self, reader: Schema) -> bool:
        part = (self.writer if self.turned else self.reader).of(reader)
        return "default" in part.schema or (isinstance(reader, dict) and "default" in reader)

    def found(self, kind: str, path: Path) -> Incompatibility:
        return incompatibility(kind, path, self.roles)


_IF = ("if", "then", "else")


def _same_criterion(new: Part, old: Part, new_count: int, old_count: int) -> bool:
    """Whether parts can be compared one with another though `allOf` and the like may differ."""
    if new.kind in (old.kind, "anyOf"):
        return True
    if old_count == 1 and (new_count == 1 or new.kind == "oneOf"):
        return True
    return new_count == 1 and old.kind == "allOf"
