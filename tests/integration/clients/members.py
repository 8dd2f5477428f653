"""Members of groups for tests, in one thread: who polls them all lets them agree."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import barnabas

SECONDS_MAX = 60


class Member:
    """A consumer that notes what it is told."""

    def __init__(self, bootstrap: str, group: str, **configs: Any) -> None:
        self.told: list[tuple[str, list[int]]] = []
        self.records: list[barnabas.Record] = []
        defaults = {
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            "heartbeat_interval_ms": 200,
        }
        self.consumer = barnabas.Consumer(bootstrap_servers=bootstrap, group_id=group, **(defaults | configs))

    def subscribe(self, topics: Any) -> Member:
        """Subscribes, with listeners."""
        note = self._note
        self.consumer.subscribe(topics, on_assign=note("+"), on_revoke=note("-"), on_lost=note("lost"))
        return self

    def _note(self, sign: str) -> Callable[[object, list[barnabas.TopicPartition]], None]:
        def note(_: object, partitions: list[barnabas.TopicPartition]) -> None:
            self.told.append((sign, sorted(partition.partition for partition in partitions)))

        return note

    def poll(self, timeout: float = 0.02) -> None:
        """Takes what has come."""
        self.records += self.consumer.poll(timeout)

    @property
    def owned(self) -> set[int]:
        """Partitions as its listeners know them."""
        owned: set[int] = set()
        for sign, partitions in self.told:
            owned = owned | set(partitions) if sign == "+" else owned - set(partitions)
        return owned

    def values(self) -> list[int]:
        """What it has read."""
        return [int(record.value or b"-1") for record in self.records]


def poll_until(members: Iterable[Member], done: Callable[[], bool]) -> None:
    """Lets members poll in turn until something is so."""
    end = time.monotonic() + SECONDS_MAX
    while not done():
        assert time.monotonic() < end, [(member.told, len(member.records)) for member in members]
        for member in members:
            member.poll()


def is_shared(members: Iterable[Member], partitions: int) -> bool:
    """Whether every partition has one owner, and every member its share."""
    shares = [member.owned for member in members]
    sizes = [len(share) for share in shares]
    return sum(sizes) == len(set().union(*shares)) == partitions and max(sizes) - min(sizes) <= 1
