"""The assignor of streams groups, `sticky`: tasks stay where their state is, as far as that is even.

Active tasks go to who had them, then to who stood by for them, then to the process with the least to do for
its members. Standby tasks go to who was active, then to who stood by, then to the least loaded; never to a
process that has the task already.

Always true of what comes out:
  every task is active with exactly one member
  no process has a task twice; so there may be fewer standbys than asked for
  the same input gives the same assignment
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from barnabas.coordinator.group.streams.tasks import Task, Tasks, by_subtopology, each

if TYPE_CHECKING:
    from barnabas.coordinator.group.streams.configured import ConfiguredSubtopology


class MemberSpec(NamedTuple):
    """A member as the assignor sees it."""

    member_id: str
    process_id: str
    tasks: Tasks
    """What it was to have until now."""


def assign_sticky(
    members: Sequence[MemberSpec],
    subtopologies: Mapping[str, ConfiguredSubtopology],
    standby_replicas: int,
) -> dict[str, Tasks]:
    """What each member is to have."""
    return _Assigning(members, subtopologies, standby_replicas).result()


@dataclass(slots=True, eq=False)
class _Member:
    member_id: str
    process: _Process
    active: set[Task] = field(default_factory=set)
    standby: set[Task] = field(default_factory=set)

    @property
    def count(self) -> int:
        return len(self.active) + len(self.standby)


@dataclass(slots=True, eq=False)
class _Process:
    """Members that share a state directory."""

    process_id: str
    members: list[_Member] = field(default_factory=list)
    tasks: set[Task] = field(default_factory=set)

    @property
    def load(self) -> tuple[float, str]:
        return len(self.tasks) / len(self.members), self.process_id

    def least_loaded(self) -> _Member:
        return min(self.members, key=lambda member: (member.count, member.member_id))


class _Quota:
    """How many tasks a member may keep so that the rest can still be even: members that are full, and their
    tasks, are taken out of the reckoning."""

    def __init__(self, tasks: int, members: int) -> None:
        self._tasks = tasks
        self._members = members
        self._set_limit()

    def _set_limit(self) -> None:
        self.limit = -(-self._tasks // self._members) if self._members else 0

    def has(self, count: int) -> None:
        """Some member has so many now."""
        if count == self.limit:
            self._members -= 1
            self._tasks -= count
            self._set_limit()


class _Assigning:
    def __init__(
        self,
        specs: Sequence[MemberSpec],
        subtopologies: Mapping[str, ConfiguredSubtopology],
        standby_replicas: int,
    ) -> None:
        self._standby_replicas = standby_replicas
        self._active = _tasks(subtopologies, lambda _: True)
        self._stateful = _tasks(subtopologies, lambda one: one.is_stateful)
        self._processes: dict[str, _Process] = {}
        self._members: list[_Member] = []
        self._was_active: dict[Task, _Member] = {}
        self._stood_by: dict[Task, list[_Member]] = {}
        for spec in sorted(specs, key=lambda spec: spec.member_id):
            process = self._processes.setdefault(spec.process_id, _Process(spec.process_id))
            member = _Member(spec.member_id, process)
            process.members.append(member)
            self._members.append(member)
            self._was_active.update(dict.fromkeys(each(spec.tasks.active), member))
            for task in each(spec.tasks.standby):
                self._stood_by.setdefault(task, []).append(member)
        self._active_quota = _Quota(len(self._active), len(specs))
        total = len(self._active) + len(self._stateful) * standby_replicas
        self._total_quota = _Quota(total, len(specs))

    def result(self) -> dict[str, Tasks]:
        if self._members:
            self._assign_active()
            if self._standby_replicas:
                self._assign_standby()
        return {
            member.member_id: Tasks(by_subtopology(member.active), by_subtopology(member.standby))
            for member in self._members
        }

    # ---- active tasks

    def _assign_active(self) -> None:
        tasks = sorted(self._active, key=lambda task: (task.partition, task.subtopology_id))
        tasks = self._keep_active(tasks, self._was_active.get)
        tasks = self._keep_active(tasks, lambda task: _least_loaded(self._stood_by.get(task, ())))
        by_load = [(process.load, process) for process in self._processes.values()]
        heapify(by_load)
        for task in sorted(tasks):
            _, process = heappop(by_load)
            self._give_active(process.least_loaded(), task)
            heappush(by_load, (process.load, process))

    def _keep_active(self, tasks: Iterable[Task], owner: Callable[[Task], _Member | None]) -> list[Task]:
        """Gives tasks to their owners, as far as these have room; the tasks that are left."""
        left = []
        for task in tasks:
            member = owner(task)
            if member is not None and member.count < self._active_quota.limit:
                self._give_active(member, task)
            else:
                left.append(task)
        return left

    def _give_active(self, member: _Member, task: Task) -> None:
        member.active.add(task)
        member.process.tasks.add(task)
        self._active_quota.has(member.count)
        self._total_quota.has(member.count)

    # ---- standby tasks

    def _assign_standby(self) -> None:
        backwards = sorted(
            self._stateful, key=lambda task: (task.partition, task.subtopology_id), reverse=True
        )
        left: list[tuple[Task, int]] = []
        for task in backwards:
            for index in range(self._standby_replicas):
                member = self._standby_owner(task)
                if member is None:
                    left.append((task, self._standby_replicas - index))
                    break
                self._give_standby(member, task)
        for task, replicas in sorted(left, reverse=True):
            for _ in range(replicas):
                free = [one for one in self._processes.values() if task not in one.tasks]
                if not free:
                    break  # Every process has the task: more standbys would help nobody.
                process = min(free, key=lambda one: one.load)
                self._give_standby(process.least_loaded(), task)

    def _standby_owner(self, task: Task) -> _Member | None:
        """Who has the task's state and room for it."""
        was_active = self._was_active.get(task)
        if was_active is not None and self._has_room(was_active, task):
            return was_active
        free = [member for member in self._stood_by.get(task, ()) if task not in member.process.tasks]
        stood_by = _least_loaded(free)
        return stood_by if stood_by is not None and self._has_room(stood_by, task) else None

    def _has_room(self, member: _Member, task: Task) -> bool:
        return task not in member.process.tasks and member.count < self._total_quota.limit

    def _give_standby(self, member: _Member, task: Task) -> None:
        member.standby.add(task)
        member.process.tasks.add(task)
        self._total_quota.has(member.count)


def _tasks(
    subtopologies: Mapping[str, ConfiguredSubtopology], of: Callable[[ConfiguredSubtopology], bool]
) -> list[Task]:
    return [
        Task(subtopology_id, partition)
        for subtopology_id, one in subtopologies.items()
        if of(one)
        for partition in range(one.task_count)
    ]


def _least_loaded(members: Iterable[_Member]) -> _Member | None:
    return min(members, key=lambda one: (one.process.load, one.count, one.member_id), default=None)
