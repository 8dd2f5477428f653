"""The assignor of share groups, `simple`: every partition has a member, every member has a partition.

With more members than partitions, members share partitions, each partition about as often as another. Members
keep what they have as far as that is even.

Always true of what comes out:
  every partition of a subscribed topic has at least one member, who subscribes to the topic
  every member that subscribes to a partition has at least one
  the same input gives the same assignment
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from barnabas._core import Uuid
from barnabas.coordinator.group.consumer.assignor import Assignment

Partition = tuple[Uuid, int]


class Subscriber(NamedTuple):
    """A member as the assignor sees it."""

    member_id: str
    topics: frozenset[Uuid]
    """Topics that it subscribes to."""
    assigned: Assignment
    """What it was to have until now."""


def assign_simple(
    members: Sequence[Subscriber], assignable: Mapping[Uuid, frozenset[int]]
) -> dict[str, Assignment]:
    """An assignment for each member of partitions that may be assigned."""
    return _Assigning(members, assignable).result()


class _Assigning:
    def __init__(self, members: Sequence[Subscriber], assignable: Mapping[Uuid, frozenset[int]]) -> None:
        self._members = sorted(members, key=lambda member: member.member_id)
        self._subscribers: dict[Uuid, list[Subscriber]] = {}
        for member in self._members:
            for topic in sorted(member.topics & assignable.keys()):
                self._subscribers.setdefault(topic, []).append(member)
        self._partitions = [
            (topic, index) for topic in sorted(self._subscribers) for index in sorted(assignable[topic])
        ]
        self._given: dict[str, set[Partition]] = {member.member_id: set() for member in members}
        self._counts = dict.fromkeys(self._partitions, 0)

    def result(self) -> dict[str, Assignment]:
        if self._partitions:
            self._assign()
        assignments: dict[str, Assignment] = {}
        for member_id, partitions in self._given.items():
            topics: dict[Uuid, set[int]] = {}
            for topic, index in partitions:
                topics.setdefault(topic, set()).add(index)
            assignments[member_id] = {topic: frozenset(topics[topic]) for topic in sorted(topics)}
        return assignments

    def _assign(self) -> None:
        total, members = len(self._partitions), len(self._members)
        alike = all(member.topics == self._members[0].topics for member in self._members)
        sharing = -(-members // total) if alike else 1
        quota = -(-sharing * total // members)
        self._keep(sharing, quota)
        for partition in self._partitions:
            self._fill(partition, sharing)
        for member in self._members:
            if not self._given[member.member_id]:
                mine = [one for one in self._partitions if one[0] in member.topics]
                if mine:
                    self._give(member, min(mine, key=lambda one: (self._counts[one], one)))

    def _keep(self, sharing: int, quota: int) -> None:
        """What members had stays theirs, as far as nobody gets more than his part."""
        for member in self._members:
            given = self._given[member.member_id]
            for topic in sorted(member.assigned.keys() & member.topics):
                for index in sorted(member.assigned[topic]):
                    count = self._counts.get((topic, index))
                    if count is not None and count < sharing and len(given) < quota:
                        self._give(member, (topic, index))

    def _fill(self, partition: Partition, sharing: int) -> None:
        """Gives a partition to those who have least, until enough members share it."""
        missing = sharing - self._counts[partition]
        if missing <= 0:
            return
        given = self._given
        free = [one for one in self._subscribers[partition[0]] if partition not in given[one.member_id]]
        free.sort(key=lambda one: (len(given[one.member_id]), one.member_id))
        for member in free[:missing]:
            self._give(member, partition)

    def _give(self, member: Subscriber, partition: Partition) -> None:
        self._given[member.member_id].add(partition)
        self._counts[partition] += 1
