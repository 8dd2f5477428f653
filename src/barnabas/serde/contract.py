"""What a schema says besides its text: its metadata, and the rules for values that have it.

As Confluent's registry keeps it, and its clients run it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

Mode = Literal["WRITE", "READ", "UPGRADE", "DOWNGRADE"]
"""Why rules are run: a value is written or read, or made one of the next or of the last version."""
Phase = Literal["domainRules", "encodingRules", "migrationRules"]
"""Which rules: those for values, those for their bytes, those from one version to another."""
BOTH: Mapping[str, tuple[Mode, Mode]] = {"WRITEREAD": ("WRITE", "READ"), "UPDOWN": ("UPGRADE", "DOWNGRADE")}


@dataclass(frozen=True)
class Rule:
    """One rule."""

    name: str
    kind: str
    """TRANSFORM makes another value, CONDITION says whether the value is good."""
    mode: str
    type: str
    """What runs it: CEL, CEL_FIELD, JSONATA, ENCRYPT, …"""
    expr: str
    doc: str
    tags: frozenset[str]
    params: Mapping[str, str]
    on_success: str
    on_failure: str
    disabled: bool

    @staticmethod
    def of(told: Mapping[str, Any]) -> Rule:
        """A rule as the registry tells it."""
        return Rule(
            told.get("name") or "",
            told.get("kind") or "TRANSFORM",
            told.get("mode") or "WRITEREAD",
            str(told.get("type") or "").upper(),
            told.get("expr") or "",
            told.get("doc") or "",
            frozenset(told.get("tags") or ()),
            told.get("params") or {},
            told.get("onSuccess") or "",
            told.get("onFailure") or "",
            bool(told.get("disabled")),
        )

    def runs(self, mode: Mode) -> bool:
        """Whether it is run for this reason."""
        return not self.disabled and mode in BOTH.get(self.mode, (self.mode,))

    def action(self, mode: Mode, *, failed: bool) -> str:
        """What is done once it has run. A rule for two modes may name two actions, with a comma between."""
        named = self.on_failure if failed else self.on_success
        if self.mode in BOTH and "," in named:
            first, _, second = named.partition(",")
            named = first if mode == BOTH[self.mode][0] else second
        return named.strip() or ("ERROR" if failed else "NONE")


@dataclass(frozen=True)
class Contract:
    """Metadata and rules of a schema. Two are the same when their texts are."""

    text: str
    """JSON of what the registry has told."""

    @staticmethod
    def of(told: Mapping[str, Any]) -> Contract | None:
        """The contract in an answer of the registry; None for a schema that has none."""
        found = {name: told[name] for name in ("metadata", "ruleSet") if told.get(name)}
        return Contract(json.dumps(found, sort_keys=True)) if found else None

    @cached_property
    def told(self) -> Mapping[str, Any]:
        """What the registry has told: `metadata`, `ruleSet`."""
        found: Mapping[str, Any] = json.loads(self.text)
        return found

    @cached_property
    def properties(self) -> Mapping[str, str]:
        """Properties of the metadata."""
        return (self.told.get("metadata") or {}).get("properties") or {}

    @cached_property
    def _tags(self) -> list[tuple[re.Pattern[str], frozenset[str]]]:
        tags = (self.told.get("metadata") or {}).get("tags") or {}
        return [(wildcard(path), frozenset(names)) for path, names in tags.items()]

    def tags(self, path: str) -> frozenset[str]:
        """Tags that the metadata gives to the field with a path, besides those in the schema's text."""
        return frozenset().union(*(names for pattern, names in self._tags if pattern.fullmatch(path)))

    @cached_property
    def _rules(self) -> Mapping[Phase, Sequence[Rule]]:
        rule_set = self.told.get("ruleSet") or {}
        if (rule_set.get("enableAt") or "ALL") not in ("ALL", "CLIENT"):
            return {}
        phases: Sequence[Phase] = ("domainRules", "encodingRules", "migrationRules")
        return {phase: [Rule.of(each) for each in rule_set.get(phase) or ()] for phase in phases}

    def rules(self, phase: Phase, mode: Mode) -> Sequence[Rule]:
        """The rules of a phase in the order in which they are run; some may not be for this mode. What was
        done last when a value was written is undone first when it is read."""
        found = self._rules.get(phase, ())
        return list(reversed(found)) if mode in ("READ", "DOWNGRADE") else found

    @cached_property
    def _reasons(self) -> frozenset[tuple[Phase, Mode]]:
        modes: Sequence[Mode] = ("WRITE", "READ", "UPGRADE", "DOWNGRADE")
        return frozenset(
            (phase, mode)
            for phase, rules in self._rules.items()
            for mode in modes
            if any(rule.runs(mode) for rule in rules)
        )

    def has(self, mode: Mode, *phases: Phase) -> bool:
        """Whether there is anything to run."""
        return any((phase, mode) in self._reasons for phase in phases)


@lru_cache(256)
def wildcard(pattern: str) -> re.Pattern[str]:
    """A pattern of paths: `*` and `?` are for anything but a dot, `**` is for anything."""
    pieces = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    parts = re.split(r"(\*\*|\*|\?)", pattern.replace("**.*", "**"))
    return re.compile("".join(pieces.get(part) or re.escape(part) for part in parts))
