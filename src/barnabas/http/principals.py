"""Principals of certificates, by the rules that Kafka's brokers have (`ssl.principal.mapping.rules`).

Rules stand in a list with commas: `RULE:pattern/replacement/` with `L` or `U` behind it for lower or upper
case, or `DEFAULT`, which takes the name as it is. The first rule whose pattern is the whole name decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from barnabas.errors import BarnabasError

DEFAULT = "DEFAULT"
_PART = r"((?:\\.|[^\\/])*)"
_RULE = re.compile(rf"\s*(?:({DEFAULT})|RULE:{_PART}/{_PART}/([LU]?))\s*(,\s*|$)")
_REFERENCE = re.compile(r"\\(.)|\$(\d)|([^\\$]+)", re.DOTALL)
_CASES: Mapping[str, Callable[[str], str]] = {"": str, "L": str.lower, "U": str.upper}


class PrincipalRulesInvalid(BarnabasError):
    """The rules can't be read; the message says where."""


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    replacement: str
    """As Java has them: `$1` for a group, and a backslash before what is meant as it is."""
    case: Callable[[str], str]


class PrincipalRules:
    """Makes principals of the names in certificates."""

    def __init__(self, text: str = DEFAULT) -> None:
        """Raises PrincipalRulesInvalid."""
        self._rules: list[_Rule | None] = []
        at = 0
        while at < len(text):
            found = _RULE.match(text, at)
            if found is None:
                raise PrincipalRulesInvalid(f"the rule {text[at : at + 100]!r} can't be read")
            self._rules.append(None if found[1] else _rule(found[2], found[3], found[4]))
            at = found.end()

    def principal(self, name: str) -> str | None:
        """The principal of a name; None where no rule knows it."""
        for rule in self._rules:
            if rule is None:
                return name
            if rule.pattern.fullmatch(name):
                return rule.case(rule.pattern.sub(partial(_replaced, rule.replacement), name))
        return None


def _rule(pattern: str, replacement: str, case: str) -> _Rule:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise PrincipalRulesInvalid(f"{pattern!r} is no pattern: {error}") from error
    return _Rule(compiled, replacement, _CASES[case])


def _replaced(replacement: str, found: re.Match[str]) -> str:
    def part(escape: str, group: str, text: str) -> str:
        if not group:
            return escape or text
        # A group that the pattern has not is meant as it is written.
        return f"${group}" if int(group) > found.re.groups else found[int(group)] or ""

    return "".join(part(*each) for each in _REFERENCE.findall(replacement))
