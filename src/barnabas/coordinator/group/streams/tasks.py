"""Tasks of a topology: one for each partition that a subtopology reads, active with one member and perhaps
standing by, or warming up, with others. Values here are never changed, and hold no empty sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Partitions = Mapping[str, frozenset[int]]
"""Partitions by subtopology."""


class Task(NamedTuple):
    """One task."""

    subtopology_id: str
    partition: int


@dataclass(frozen=True, slots=True)
class Tasks:
    """What a member is to have, or says that it has."""

    active: Partitions = field(default_factory=dict)
    standby: Partitions = field(default_factory=dict)
    warmup: Partitions = field(default_factory=dict)

    def roles(self) -> tuple[Partitions, Partitions, Partitions]:
        """Active, standby and warm-up tasks."""
        return self.active, self.standby, self.warmup

    def __iter__(self) -> Iterator[Task]:
        """Tasks of all roles."""
        return (task for role in self.roles() for task in each(role))

    def is_empty(self) -> bool:
        """Whether there is no task in it."""
        return not any(self.roles())


NO_TASKS = Tasks()


@dataclass(frozen=True, slots=True)
class OwnedTasks:
    """What a member has. Active tasks have the epoch of the target assignment that gave them: a commit with
    an older member epoch comes from before that (KIP-1251)."""

    active: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    standby: Partitions = field(default_factory=dict)
    warmup: Partitions = field(default_factory=dict)

    def tasks(self) -> Tasks:
        """The same without epochs."""
        active = {subtopology: frozenset(partitions) for subtopology, partitions in self.active.items()}
        return Tasks(active, self.standby, self.warmup)

    def is_empty(self) -> bool:
        """Whether there is no task in it."""
        return not (self.active or self.standby or self.warmup)


NOTHING_OWNED = OwnedTasks()


def each(partitions: Mapping[str, Iterable[int]]) -> Iterator[Task]:
    """The tasks one by one."""
    return (Task(subtopology, index) for subtopology, indexes in partitions.items() for index in indexes)


def by_subtopology(tasks: Iterable[Task]) -> Partitions:
    """Tasks as partitions."""
    found: dict[str, set[int]] = {}
    for task in tasks:
        found.setdefault(task.subtopology_id, set()).add(task.partition)
    return {subtopology: frozenset(found[subtopology]) for subtopology in sorted(found)}


def overlap(first: Tasks, second: Tasks) -> bool:
    """Whether some task is in both, in the same role."""
    return any(
        not partitions.isdisjoint(theirs.get(subtopology, ()))
        for mine, theirs in zip(first.roles(), second.roles(), strict=True)
        for subtopology, partitions in mine.items()
    )


def read(task_ids: Sequence[Any] | None) -> Partitions:
    """Partitions of a message's list of TaskIds."""
    return by_subtopology(
        Task(one.subtopology_id, partition) for one in task_ids or () for partition in one.partitions
    )


def written(partitions: Mapping[str, Iterable[int]], task_ids: type[Any]) -> list[Any]:
    """A message's list of TaskIds, in order."""
    return [task_ids(subtopology, sorted(partitions[subtopology])) for subtopology in sorted(partitions)]
