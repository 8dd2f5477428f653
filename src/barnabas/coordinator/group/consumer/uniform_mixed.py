"""The uniform assignor for members that subscribe to different topics.

Free partitions go to the subscriber that has least; afterwards, topic by topic, the subscriber with most
gives to the one with least until they differ by one at most. Topics with few subscribers for their partitions
come first, for they leave the least choice.

Always true:
  a partition moves only from a member that has at least two more than the one that gets it
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from operator import itemgetter

from barnabas._core import Uuid
from barnabas.coordinator.group.consumer.assignor import Assignment, GroupSpec

ROUNDS_MAX = 16
"""How often all topics are looked at again. A move for one topic may put another out of balance, and two
rounds are rarely needed; the bound is for what adversaries might think of."""


def assign_mixed(spec: GroupSpec) -> dict[str, Assignment]:
    """Assigns by count."""
    return _Balancer(spec).assign()


class _Balancer:
    """The owner of each partition, and how many each member has."""

    def __init__(self, spec: GroupSpec) -> None:
        self._spec = spec
        self._subscribers: dict[Uuid, list[int]] = {}
        for index, member in enumerate(spec.members):
            for topic in member.topics:
                self._subscribers.setdefault(topic, []).append(index)
        self._load = [0] * len(spec.members)
        self._changed = [False] * len(spec.members)
        self._owners: dict[Uuid, list[int | None]] = {
            topic: [None] * spec.partition_counts[topic] for topic in self._subscribers
        }

    def assign(self) -> dict[str, Assignment]:
        self._keep()
        topics = sorted(self._subscribers, key=self._order)
        for topic in topics:
            self._assign_free(topic)
        self._balance([topic for topic in topics if len(self._subscribers[topic]) > 1])
        return self._result()

    def _order(self, topic: Uuid) -> tuple[float, int, Uuid]:
        subscribers = len(self._subscribers[topic])
        return -(len(self._owners[topic]) / subscribers), subscribers, topic

    def _keep(self) -> None:
        """Everyone keeps what belongs to its topics."""
        for index, member in enumerate(self._spec.members):
            for topic, partitions in member.assigned.items():
                if topic not in member.topics:
                    self._changed[index] = True
                    continue
                owners = self._owners[topic]
                for partition in partitions:
                    owners[partition] = index
                self._load[index] += len(partitions)

    def _assign_free(self, topic: Uuid) -> None:
        free = [partition for partition, owner in enumerate(self._owners[topic]) if owner is None]
        if not free:
            return
        least = [(self._load[index], index) for index in self._subscribers[topic]]
        heapify(least)
        for partition in free:
            load, index = heappop(least)
            self._give(topic, partition, index)
            heappush(least, (load + 1, index))

    def _give(self, topic: Uuid, partition: int, index: int) -> None:
        owner = self._owners[topic][partition]
        if owner is not None:
            self._load[owner] -= 1
            self._changed[owner] = True
        self._owners[topic][partition] = index
        self._load[index] += 1
        self._changed[index] = True

    def _balance(self, topics: list[Uuid]) -> None:
        last_moved = 0
        for step in range(ROUNDS_MAX * len(topics)):
            if self._balance_topic(topics[step % len(topics)]):
                last_moved = step
            elif step - last_moved >= len(topics):
                return

    def _balance_topic(self, topic: Uuid) -> bool:
        """Whether a partition has moved."""
        subscribers = self._subscribers[topic]
        loads = itemgetter(*subscribers)(self._load)
        if max(loads) - min(loads) <= 1:
            return False
        owned: dict[int, list[int]] = {}
        for partition, owner in enumerate(self._owners[topic]):
            if owner is not None:
                owned.setdefault(owner, []).append(partition)
        most = [(-self._load[index], index) for index in owned]
        least = [(self._load[index], index) for index in subscribers]
        heapify(most)
        heapify(least)
        moved = False
        while most:
            giver, taker = most[0][1], least[0][1]
            if -most[0][0] != self._load[giver]:  # It has been given some meanwhile.
                heappop(most)
                heappush(most, (-self._load[giver], giver))
            elif least[0][0] != self._load[taker]:
                heappop(least)
                heappush(least, (self._load[taker], taker))
            elif self._load[giver] - self._load[taker] <= 1:
                break
            elif not owned.get(giver):
                heappop(most)
            else:
                partition = owned[giver].pop()
                self._give(topic, partition, taker)
                owned.setdefault(taker, []).append(partition)
                moved = True
        return moved

    def _result(self) -> dict[str, Assignment]:
        assignments: list[dict[Uuid, list[int]]] = [{} for _ in self._spec.members]
        for topic, owners in self._owners.items():
            for partition, owner in enumerate(owners):
                if owner is not None and self._changed[owner]:
                    assignments[owner].setdefault(topic, []).append(partition)
        result: dict[str, Assignment] = {}
        for index, member in enumerate(self._spec.members):
            if self._changed[index]:
                mine = assignments[index]
                result[member.member_id] = {
                    topic: frozenset(partitions) for topic, partitions in mine.items()
                }
            else:
                result[member.member_id] = member.assigned
        return result
