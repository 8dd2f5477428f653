"""Metadata and rule sets of schemas: whether a request's have the shape of one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from barnabas.http.errors import HttpError
from barnabas.schema_registry import errors
from barnabas.schema_registry.guid import RULE_LISTS

ACTIONS = ("onSuccess", "onFailure")
RULE_TEXTS = ("name", "doc", "kind", "mode", "type", "expr", *ACTIONS)
NUMBER = "confluent:version"
"""The property of metadata in which a schema has the number of its version."""
RESERVED = "confluent:reserved"
"""The property of metadata that has names which no field may have, with commas between them."""
RULE_NAME = re.compile(r"[^\W\d][\w-]{0,255}\Z")
"""What rules may be called."""
KINDS = ("TRANSFORM", "CONDITION")
MODES = {
    "migrationRules": ("UPGRADE", "DOWNGRADE", "UPDOWN"),
    "domainRules": ("WRITE", "READ", "WRITEREAD"),
    "encodingRules": ("WRITE", "READ", "WRITEREAD"),
}
BOTH_WAYS = ("UPDOWN", "WRITEREAD", None)
"""Modes of rules that may have two actions: one for each way."""


def metadata_of(value: Any) -> Mapping[str, Any] | None:
    """The metadata of a request. Raises HttpError."""
    if value is None:
        return None
    good = (
        isinstance(value, dict)
        and set(value) <= {"tags", "properties", "sensitive"}
        and _mapping(value.get("tags"), _texts)
        and _mapping(value.get("properties"), lambda each: isinstance(each, str))
        and _texts(value.get("sensitive") or [])
    )
    if not good:
        raise errors.invalid_schema("Metadata may have tags (lists of texts), properties (texts), sensitive")
    return {name: each for name, each in value.items() if each is not None}


def rule_set_of(value: Any) -> Mapping[str, Any] | None:
    """The rule set of a request. Raises HttpError."""
    if value is None:
        return None
    if not isinstance(value, dict) or not set(value) <= {*RULE_LISTS, "enableAt"}:
        raise _refused(f"a rule set may have {', '.join(RULE_LISTS)} and enableAt")
    if not isinstance(value.get("enableAt"), str | None):
        raise _refused("enableAt must be a text")
    names: set[str] = set()
    for kind in RULE_LISTS:
        rules = value.get(kind) or []
        if not isinstance(rules, list):
            raise _refused(f"{kind} must be a list")
        for rule in rules:
            _check_rule(kind, rule)
            if rule["name"] in names:
                raise _refused(f"there are two rules '{rule['name']}'")
            names.add(rule["name"])
    return {name: each for name, each in value.items() if each is not None}


def names_of(value: Any) -> Sequence[str] | None:
    """Names of rules in a request. Raises HttpError."""
    if value is not None and not _texts(value):
        raise _refused("the names of rules must be a list of texts")
    found: Sequence[str] | None = value
    return found


def merged_metadata(
    first: Mapping[str, Any] | None, second: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """What both say; where they say different things, what the second says."""
    if not first or not second:
        return first if second is None else second
    merged: dict[str, Any] = {}
    for name in ("tags", "properties"):
        if first.get(name) or second.get(name):
            merged[name] = {**(first.get(name) or {}), **(second.get(name) or {})}
    if first.get("sensitive") or second.get("sensitive"):
        merged["sensitive"] = sorted({*(first.get("sensitive") or ()), *(second.get("sensitive") or ())})
    return merged


def merged_rule_set(
    first: Mapping[str, Any] | None, second: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """The rules of both; of two with one name, the second's."""
    if not first or not second:
        return first if second is None else second
    merged: dict[str, Any] = {}
    for kind in RULE_LISTS:
        theirs = second.get(kind) or []
        named = {rule["name"] for rule in theirs}
        rules = [rule for rule in first.get(kind) or [] if rule["name"] not in named] + theirs
        if rules:
            merged[kind] = rules
    enable_at = second.get("enableAt") or first.get("enableAt")
    return merged if enable_at is None else {**merged, "enableAt": enable_at}


def without_rules(rule_set: Mapping[str, Any] | None, names: Sequence[str]) -> Mapping[str, Any] | None:
    """The rule set without the rules of these names."""
    if rule_set is None:
        return None
    kept = {
        kind: [rule for rule in rule_set.get(kind) or () if rule["name"] not in names] for kind in RULE_LISTS
    }
    rest = {name: each for name, each in rule_set.items() if name not in RULE_LISTS}
    return {**{kind: rules for kind, rules in kept.items() if rules}, **rest}


def noted_number(metadata: Mapping[str, Any] | None) -> str | None:
    """The number of its version that the metadata of a schema has, as a text."""
    number: str | None = ((metadata or {}).get("properties") or {}).get(NUMBER)
    return number


def with_number(metadata: Mapping[str, Any] | None, number: int | None) -> Mapping[str, Any] | None:
    """The metadata with the number of a version noted in it; with None, with none."""
    properties = {
        name: value for name, value in ((metadata or {}).get("properties") or {}).items() if name != NUMBER
    }
    if number is not None:
        properties[NUMBER] = str(number)
    rest = {name: each for name, each in (metadata or {}).items() if name != "properties"}
    return {**rest, "properties": properties} if properties else rest or None


def reserved_names(metadata: Mapping[str, Any] | None) -> list[str]:
    """The names that the metadata says no field may have."""
    text: str = ((metadata or {}).get("properties") or {}).get(RESERVED) or ""
    return [name.strip() for name in text.split(",") if name.strip()]


def _check_rule(kind: str, rule: Any) -> None:
    if not isinstance(rule, dict) or not all(isinstance(rule.get(name), str | None) for name in RULE_TEXTS):
        raise _refused(f"a rule of {kind} is an object with texts")
    if not rule.get("name") or not rule.get("type"):
        raise _refused(f"a rule of {kind} lacks its name or type")
    if not RULE_NAME.match(rule["name"]):
        raise _refused(
            f"'{rule['name']}' is no name for a rule: that begins with a letter or _, goes on with letters, "
            "digits, _ and -, and has at most 256 of them"
        )
    if rule.get("kind", KINDS[0]) not in KINDS:
        raise _refused(f"kind of rule '{rule['name']}' must be one of {', '.join(KINDS)}")
    if rule.get("mode", MODES[kind][0]) not in MODES[kind]:
        raise _refused(f"mode of rule '{rule['name']}' in {kind} must be one of {', '.join(MODES[kind])}")
    if rule.get("mode") not in BOTH_WAYS and any("," in (rule.get(name) or "") for name in ACTIONS):
        raise _refused(f"rule '{rule['name']}' has two actions, and its mode {rule['mode']} one way")
    good = (
        _texts(rule.get("tags") or [])
        and _mapping(rule.get("params"), lambda each: isinstance(each, str))
        and isinstance(rule.get("disabled", False), bool)
    )
    if not good:
        raise _refused(f"tags, params or disabled of rule '{rule['name']}' are of a wrong type")


def _refused(reason: str) -> HttpError:
    return HttpError(422, f"Invalid rule set: {reason}", 42210)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _mapping(value: Any, good: Any) -> bool:
    return value is None or (isinstance(value, dict) and all(good(each) for each in value.values()))
