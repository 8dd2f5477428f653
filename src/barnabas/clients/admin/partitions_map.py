"""Partitions as users write them, and as requests want them: by topic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

Partition = tuple[str, int]
"""A topic, and the number of a partition. A `TopicPartition` may be given wherever one is asked for."""

V = TypeVar("V")


def pair(partition: tuple[str, int] | tuple[str, int, object]) -> Partition:
    """Topic and number alone."""
    return partition[0], partition[1]


def by_topic(partitions: Iterable[Partition]) -> dict[str, list[int]]:
    """Numbers of partitions by topic, in their order."""
    found: dict[str, list[int]] = {}
    for topic, index in partitions:
        found.setdefault(topic, []).append(index)
    return found
