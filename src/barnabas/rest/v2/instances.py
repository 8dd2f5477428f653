"""Consumer instances: consumers that live in the proxy between the requests of their clients.

Always true:
  an instance does one thing at a time
  an instance that is not asked for longer than `IDLE_SECONDS_MAX` is closed and forgotten
  instances, and those among them that hold a connection, are bounded for all principals of a cluster together
  what was read and not given out is not committed
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from barnabas._core import Record
from barnabas.aio.consumer import Consumer
from barnabas.clients.consumer_types import OffsetAndMetadata, TopicPartition
from barnabas.errors import BarnabasError
from barnabas.http.errors import HttpError
from barnabas.rest.cluster import Cluster

IDLE_SECONDS_MAX = 300.0
SWEEP_SECONDS = 5.0
"""How often those are looked for that nobody asks any more."""
INSTANCES_MAX = 10_000
CONNECTED_MAX = 500
"""Instances that have subscribed or been assigned something. Each has a thread of its own."""
RECORDS_MAX = 500
"""Records taken from the consumer at once."""
CLOSE_SECONDS_MAX = 2.0
"""How long a group is told that a member leaves: the broker beside the proxy may have stopped before."""

Partition = tuple[str, int]


def illegal_state(message: str) -> HttpError:
    """What contradicts what was asked before."""
    return HttpError(409, f"Illegal state: {message}", 40903)


def instance_not_found() -> HttpError:
    """An instance that there is not, or not any more."""
    return HttpError(404, "Consumer instance not found.", 40403)


@dataclass(slots=True, eq=False)
class Instance:
    """One consumer of a group."""

    group: str
    name: str
    format: str
    configs: dict[str, Any]
    commits_itself: bool
    request_timeout_ms: int
    bytes_min: int
    asked_at: float = field(default_factory=time.monotonic)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    consumer: Consumer | None = None
    ahead: deque[Record] = field(default_factory=deque)
    """Records that were read, and had no room in the last response."""
    given: dict[Partition, int] = field(default_factory=dict)
    """Behind the last record that was given out of each partition, until that is committed."""
    closed: bool = False

    def connected(self) -> Consumer:
        """The consumer. Raises HttpError when it was never told what to read."""
        if self.consumer is None:
            raise illegal_state("the consumer has neither subscribed nor been assigned partitions")
        return self.consumer

    async def close(self) -> None:
        """Commits, where that was wished, and leaves the group."""
        self.closed = True
        consumer, self.consumer = self.consumer, None
        if consumer is None:
            return
        with suppress(BarnabasError):  # Whoever goes on in the group reads again what was not committed.
            if self.commits_itself and self.given:
                await consumer.commit(self._positions(), CLOSE_SECONDS_MAX)
        with suppress(BarnabasError):
            await consumer.close(CLOSE_SECONDS_MAX)

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Nothing is known of partitions any more: they are read elsewhere, or by somebody else."""
        gone = {(one[0], one[1]) for one in partitions}
        self.ahead = deque(one for one in self.ahead if (one.topic, one.partition) not in gone)
        for at in gone:
            self.given.pop(at, None)

    async def fetch(self, timeout_ms: int, bytes_max: int) -> list[Record]:
        """Records up to so many bytes; waits for the first, or for as many bytes as it was made for."""
        consumer = self.connected()
        if self.commits_itself and self.given:
            consumer.commit_async(self._positions())
            self.given = {}
        end = time.monotonic() + timeout_ms / 1000
        records: list[Record] = []
        size = 0
        while True:
            size = self._take(records, size, bytes_max)
            left = end - time.monotonic()
            enough = size >= max(self.bytes_min, 1) or bool(self.ahead)
            if (records and enough) or left <= 0:
                break
            self.ahead.extend(await consumer.poll(left, RECORDS_MAX))
        for record in records:
            self.given[record.topic, record.partition] = record.offset + 1
        return records

    def _take(self, records: list[Record], size: int, bytes_max: int) -> int:
        """Takes what has room; the first always has."""
        while self.ahead:
            record = self.ahead[0]
            bytes_ = len(record.key or b"") + len(record.value or b"")
            if records and size + bytes_ > bytes_max:
                break
            size += bytes_
            records.append(self.ahead.popleft())
        return size

    def _positions(self) -> dict[TopicPartition, int | OffsetAndMetadata]:
        return {TopicPartition(*at): offset for at, offset in self.given.items()}

    async def commit(self, offsets: dict[TopicPartition, int | OffsetAndMetadata] | None) -> None:
        """Commits offsets, or everything that was given out."""
        consumer = self.connected()
        wanted = self._positions() if offsets is None else offsets
        if wanted:
            await consumer.commit(wanted, 30.0)
        if offsets is None:
            self.given = {}


class Instances:
    """The instances of one principal."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._by_name: dict[tuple[str, str], Instance] = {}
        self._sweeper: asyncio.Task[None] | None = None

    def add(self, instance: Instance) -> None:
        """Takes an instance in. Raises HttpError."""
        key = instance.group, instance.name
        if key in self._by_name:
            raise HttpError(409, "Consumer with specified consumer ID already exists in the group.", 40902)
        if self._cluster.counts.instances >= INSTANCES_MAX:
            raise HttpError(
                429, f"There are {INSTANCES_MAX} consumer instances already", headers={"Retry-After": "30"}
            )
        self._by_name[key] = instance
        self._cluster.counts.instances += 1
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep())

    @property
    def is_empty(self) -> bool:
        """Whether there is none."""
        return not self._by_name

    def find(self, group: str, name: str) -> Instance:
        """An instance that there is; it is in use from now on. Raises HttpError."""
        instance = self._by_name.get((group, name))
        if instance is None:
            raise instance_not_found()
        instance.asked_at = time.monotonic()
        return instance

    def connect(self, instance: Instance) -> Consumer:
        """The consumer of an instance, made when it is first told what to read."""
        if instance.consumer is None:
            if self._cluster.counts.connected >= CONNECTED_MAX:
                raise HttpError(
                    429, f"{CONNECTED_MAX} consumer instances read already", headers={"Retry-After": "30"}
                )
            instance.consumer = Consumer({**self._cluster.configs, **instance.configs})
            self._cluster.counts.connected += 1
        return instance.consumer

    def subscribe(self, instance: Instance, topics: list[str] | re.Pattern[str]) -> None:
        """Has an instance read topics as a member of its group."""
        consumer = self.connect(instance)

        def gone(_: Any, partitions: list[TopicPartition]) -> None:
            instance.forget((topic, index) for topic, index, _ in partitions)

        consumer.subscribe(topics, on_revoke=gone, on_lost=gone)

    async def remove(self, instance: Instance) -> None:
        """Forgets an instance."""
        if self._by_name.pop((instance.group, instance.name), None) is None:
            return
        async with instance.lock:
            connected = instance.consumer is not None
            await instance.close()
        self._cluster.counts.instances -= 1
        self._cluster.counts.connected -= connected

    async def close(self) -> None:
        """Closes all."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        await asyncio.gather(*(self.remove(one) for one in list(self._by_name.values())))

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            for instance in self.expired(time.monotonic()):
                await self.remove(instance)

    def expired(self, now: float) -> list[Instance]:
        """Instances that nobody has asked for too long, and nobody asks at this moment."""
        return [
            one
            for one in self._by_name.values()
            if now - one.asked_at > IDLE_SECONDS_MAX and not one.lock.locked()
        ]
