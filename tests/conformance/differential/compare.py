"""Differences between two normalised responses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.conformance.differential.normalise import KEYS

MISSING = "<missing>"


@dataclass(frozen=True)
class Difference:
    path: str
    """Where, e.g. `responses[alpha].partitions[1].error_code`."""
    kafka: Any
    barnabas: Any

    @property
    def place(self) -> str:
        """The path without what stands in brackets, e.g. `responses[].partitions[].error_code`."""
        return re.sub(r"\[[^]]*\]", "[]", self.path)

    @property
    def keys(self) -> list[str]:
        """What stands in brackets."""
        return re.findall(r"\[([^]]*)\]", self.path)

    def __str__(self) -> str:
        return f"{self.path}: Kafka {self.kafka!r}, barnabas {self.barnabas!r}"


def differences(kafka: Any, barnabas: Any, path: str = "") -> list[Difference]:
    """All places in which two plain values differ."""
    if isinstance(kafka, dict) and isinstance(barnabas, dict):
        found = []
        for key in {**kafka, **barnabas}:
            inner = f"{path}.{key}" if path else str(key)
            found += differences(kafka.get(key, MISSING), barnabas.get(key, MISSING), inner)
        return found
    if isinstance(kafka, list) and isinstance(barnabas, list):
        left, right = by_key(kafka), by_key(barnabas)
        if left is not None and right is not None:
            found = []
            for name in {**left, **right}:
                found += differences(left.get(name, MISSING), right.get(name, MISSING), f"{path}[{name}]")
            return found
    return [] if kafka == barnabas and type(kafka) is type(barnabas) else [Difference(path, kafka, barnabas)]


def by_key(items: Sequence[Any]) -> dict[str, Any] | None:
    """Structs by what names them, numbered where two have one name; None when they aren't structs."""
    found: dict[str, Any] = {}
    for item in items:
        if not isinstance(item, dict):
            return None
        names = [
            key
            for key in KEYS
            if key in item and key != "error_code" and not (key == "topic_id" and item.get("name"))
        ]
        name = base = "/".join(str(item[key]) for key in names)
        number = 1
        while name in found or not name:
            number += 1
            name = f"{base}({number})"
        found[name] = item
    return found
