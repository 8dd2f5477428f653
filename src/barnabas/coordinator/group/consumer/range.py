"""The range assignor: of each topic, members get partitions that follow each other, in the order of members.

Topics with equal numbers of partitions are split alike, so that members can join records by partition. Static
members come first, in the order of their instance ids, so that they keep their place when others come and go.
Racks are not looked at, as in Kafka 4.3.
"""

from __future__ import annotations

from barnabas._core import Uuid
from barnabas.coordinator.group.consumer.assignor import Assignment, GroupSpec, MemberSpec


def assign_range(spec: GroupSpec) -> dict[str, Assignment]:
    """Assigns ranges."""
    members = sorted(spec.members, key=_order)
    subscribers: dict[Uuid, int] = {}
    for member in members:
        for topic in member.topics:
            subscribers[topic] = subscribers.get(topic, 0) + 1
    ranges = {topic: _Ranges(spec.partition_counts[topic], count) for topic, count in subscribers.items()}
    return {member.member_id: _assignment(member, ranges) for member in members}


def _order(member: MemberSpec) -> tuple[bool, str]:
    return (False, member.instance_id) if member.instance_id is not None else (True, member.member_id)


def _assignment(member: MemberSpec, ranges: dict[Uuid, _Ranges]) -> Assignment:
    given = {topic: partitions for topic in member.topics if (partitions := ranges[topic].take())}
    return member.assigned if given == member.assigned else given


class _Ranges:
    """A topic's partitions, cut into pieces as they are taken."""

    __slots__ = ("_extra", "_next", "_quota")

    def __init__(self, partitions: int, takers: int) -> None:
        self._quota, self._extra = divmod(partitions, takers)
        self._next = 0

    def take(self) -> frozenset[int]:
        end = self._next + self._quota
        if self._extra > 0:
            self._extra -= 1
            end += 1
        taken = frozenset(range(self._next, end))
        self._next = end
        return taken
