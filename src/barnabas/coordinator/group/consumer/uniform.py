"""The uniform assignor: members get as many partitions as each other, and keep what they have where they can.

Racks are not looked at, as in Kafka 4.3.
"""

from __future__ import annotations

from collections.abc import Iterator

from barnabas._core import Uuid
from barnabas.coordinator.group.consumer.assignor import NOTHING, Assignment, GroupSpec, MemberSpec
from barnabas.coordinator.group.consumer.uniform_mixed import assign_mixed


def assign_uniform(spec: GroupSpec) -> dict[str, Assignment]:
    """Assigns by count. Of members with equal rights those that come first in the group come first."""
    if not spec.members:
        return {}
    return _assign_same(spec) if spec.same_topics else assign_mixed(spec)


def _assign_same(spec: GroupSpec) -> dict[str, Assignment]:
    """All members subscribe to the same topics: each gets the same number of partitions, or one more."""
    topics = spec.members[0].topics
    if not topics:
        return {member.member_id: NOTHING for member in spec.members}
    counts = {topic: spec.partition_counts[topic] for topic in topics}
    kept = [_count(member.assigned, topics) for member in spec.members]
    quotas = _quotas(kept, sum(counts.values()))

    assignments = {}
    taken: dict[Uuid, set[int]] = {topic: set() for topic in topics}
    for member, count, quota in zip(spec.members, kept, quotas, strict=True):
        keeps = _keep(member, topics, count, quota)
        assignments[member.member_id] = keeps
        for topic, partitions in keeps.items():
            taken[topic].update(partitions)

    free = _free(counts, taken)
    for member, count, quota in zip(spec.members, kept, quotas, strict=True):
        if count < quota:
            keeps = assignments[member.member_id]
            assignments[member.member_id] = _with_more(keeps, free, quota - count)
    return assignments


def _count(assigned: Assignment, topics: frozenset[Uuid]) -> int:
    return sum(len(partitions) for topic, partitions in assigned.items() if topic in topics)


def _quotas(kept: list[int], total: int) -> list[int]:
    """How many each member gets. The ones with one more are those that already have more, so that as few
    partitions as possible move."""
    quota, extra = divmod(total, len(kept))
    quotas = [quota] * len(kept)
    for takers in (
        (index for index, count in enumerate(kept) if count > quota),
        (index for index, count in enumerate(kept) if count <= quota),
    ):
        for index in takers:
            if extra == 0:
                return quotas
            quotas[index] += 1
            extra -= 1
    return quotas


def _keep(member: MemberSpec, topics: frozenset[Uuid], count: int, quota: int) -> Assignment:
    """What a member keeps of what it had: its topics' partitions, no more than its quota."""
    if count <= quota:
        if all(topic in topics for topic in member.assigned):
            return member.assigned
        return {topic: partitions for topic, partitions in member.assigned.items() if topic in topics}
    keeps: dict[Uuid, frozenset[int]] = {}
    left = quota
    for topic in sorted(member.assigned):
        if topic in topics and left > 0:
            partitions = member.assigned[topic]
            keeps[topic] = partitions if len(partitions) <= left else frozenset(sorted(partitions)[:left])
            left -= len(keeps[topic])
    return keeps


def _free(counts: dict[Uuid, int], taken: dict[Uuid, set[int]]) -> Iterator[tuple[Uuid, int]]:
    for topic in sorted(counts):
        owned = taken[topic]
        for partition in range(counts[topic]):
            if partition not in owned:
                yield topic, partition


def _with_more(keeps: Assignment, free: Iterator[tuple[Uuid, int]], count: int) -> Assignment:
    more: dict[Uuid, list[int]] = {}
    for _ in range(count):
        topic, partition = next(free)
        more.setdefault(topic, []).append(partition)
    result = dict(keeps)
    for topic, partitions in more.items():
        result[topic] = result[topic].union(partitions) if topic in result else frozenset(partitions)
    return result
