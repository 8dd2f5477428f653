"""The GUID of a schema: 16 bytes that depend on what the schema says, not on who registered it where.

They are the MD5 of the schema's text, its references, metadata and rules, in the order in which Confluent's
registry takes them, so that a schema has one GUID in all registries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from barnabas.schema_registry.entries import Reference

RULE_TEXTS_BEFORE = ("name", "doc", "kind", "mode", "type")
RULE_TEXTS_AFTER = ("expr", "onSuccess", "onFailure")
RULE_LISTS = ("migrationRules", "domainRules", "encodingRules")


def guid_of(
    text: str,
    references: Sequence[Reference],
    metadata: Mapping[str, Any] | None,
    rule_set: Mapping[str, Any] | None,
) -> bytes:
    """The GUID of a schema with this text."""
    digest = hashlib.md5(text.encode(), usedforsecurity=False)
    for reference in references:
        digest.update(reference.name.encode() + reference.subject.encode())
        digest.update(reference.version.to_bytes(4, "big", signed=True))
    if metadata is not None:
        digest.update(b"\x01")
        for part in _metadata(metadata):
            digest.update(part.encode())
    if rule_set is not None:
        digest.update(b"\x01")
        for name in RULE_LISTS:
            for rule in rule_set.get(name) or ():
                for part in _rule(rule):
                    digest.update(part.encode())
        digest.update((rule_set.get("enableAt") or "").encode())
    return digest.digest()


def _metadata(metadata: Mapping[str, Any]) -> Iterator[str]:
    for name, values in sorted((metadata.get("tags") or {}).items()):
        yield name
        yield from sorted(values)
    for name, value in sorted((metadata.get("properties") or {}).items()):
        yield name
        yield value
    yield from sorted(metadata.get("sensitive") or ())


def _rule(rule: Mapping[str, Any]) -> Iterator[str]:
    for name in RULE_TEXTS_BEFORE:
        yield rule.get(name) or ""
    yield from sorted(rule.get("tags") or ())
    for name, value in sorted((rule.get("params") or {}).items()):
        yield name
        yield value
    for name in RULE_TEXTS_AFTER:
        yield rule.get(name) or ""
    if rule.get("disabled"):
        yield "\x01"
