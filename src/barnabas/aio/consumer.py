"""`barnabas.aio.Consumer`."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from barnabas._core import Record
from barnabas.aio.bell import SIGN_SECONDS_MAX, Bell
from barnabas.clients.consumer_base import ConsumerBase, log
from barnabas.clients.consumer_types import (
    Commits,
    OffsetAndMetadata,
    OffsetAndTimestamp,
    OnCommitted,
    OnConsume,
    Place,
    TopicPartition,
)
from barnabas.errors import BarnabasError, ClientTimeout

T = TypeVar("T")


class Consumer(ConsumerBase):
    """Reads records in an event loop, as `barnabas.Consumer` does in a thread: the same names, awaited.

        async with Consumer(bootstrap_servers="localhost:9092", group_id="billing") as consumer:
            consumer.subscribe(["orders"])
            async for record in consumer:
                await handle(record.key, record.value)

    One task at a time may poll. The callables of `subscribe` may be coroutines."""

    def __init__(
        self,
        configs: Mapping[str, Any] | None = None,
        /,
        *,
        on_consume: OnConsume | None = None,
        on_commit: OnCommitted | None = None,
        **keywords: Any,
    ) -> None:
        super().__init__(configs, on_consume=on_consume, on_commit=on_commit, **keywords)
        self._bell = Bell(self._native, self._report_commits)

    async def assign_topic(self, topic: str, timeout: float | None = 60.0) -> None:
        """Reads all partitions of a topic, and nothing else."""
        self.assign((topic, partition) for partition in await self.partitions_for(topic, timeout))

    async def unsubscribe(self, timeout: float | None = 30.0) -> None:
        """Gives everything up, and leaves the group."""
        if self._has_group:
            await self._leave("leave_group", timeout)
        self._forget_all()
        self._native.assign([])

    async def poll(self, timeout: float | None = 0.0, max_records: int | None = None) -> list[Record]:
        """Up to `max_records` records (`max.poll.records`); waits up to `timeout` seconds for the first. Each
        partition's are in order. The records that it gave before count as worked on: their positions may be
        committed."""
        most = max_records or self._max_poll_records
        if self._ahead:
            return self._take_ahead(most)
        if self._unread:
            return self._consumed(self._take_unread(most))
        rung = self._bell.event()
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            rung.clear()
            records = self._native.poll(0.0, most)
            if records:
                return self._consumed(records)
            if records is None:
                await self._attend()
                continue
            left = SIGN_SECONDS_MAX if end is None else min(end - time.monotonic(), SIGN_SECONDS_MAX)
            if left <= 0:
                return []
            await self._bell.wait(left)

    async def _attend(self) -> None:
        """Does what the group waits for."""
        self._report_commits()
        call = self._native.take_call()
        if call is None:
            return
        kind, pairs = call
        partitions = [TopicPartition(*pair) for pair in pairs]
        try:
            if kind == "revoked" and self._commits_at_end:
                await self._commit_quietly()
            listener = self._listener.of(kind)
            told = listener(self, partitions) if listener is not None else None
            if inspect.isawaitable(told):
                await told
        finally:
            if kind != "assigned":
                self._drop(partitions)
            self._native.called()

    async def _commit_quietly(self) -> None:
        try:
            await self.commit(timeout=self._request_seconds)
        except BarnabasError as error:
            log.warning("positions were not committed before partitions went to other members: %s", error)

    async def __aiter__(self) -> AsyncIterator[Record]:
        """All records, as they come, without an end. A record counts as read once it is given out."""
        while True:
            if not self._ahead:
                self._ahead.extend(await self.poll(None))
            while self._ahead:
                yield self._ahead.popleft()

    async def commit(self, offsets: Commits | None = None, timeout: float | None = 60.0) -> None:
        """Commits where it is in all partitions; or up to a record, or to the last of several in each
        partition, each with it; or offsets, of the records that come next. Waits until that is done."""
        rung = self._bell.event()
        pending = self.commit_async(offsets)
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            rung.clear()
            pending.look()
            left = SIGN_SECONDS_MAX if end is None else min(end - time.monotonic(), SIGN_SECONDS_MAX)
            if pending.is_done or left <= 0:
                return pending.result(0.0)
            await self._bell.wait(left)

    async def committed(
        self, partitions: Iterable[Place], timeout: float | None = 60.0
    ) -> dict[TopicPartition, OffsetAndMetadata | None]:
        """Where the group is in these partitions; None where it has committed nothing."""
        asked = [(place[0], place[1]) for place in partitions]
        found = await _elsewhere(lambda: self._native.committed_positions(asked, timeout))
        return {
            TopicPartition(topic, partition): None if entry is None else OffsetAndMetadata(*entry)
            for topic, partition, entry in found
        }

    async def position(self, topic: str, partition: int, timeout: float | None = 60.0) -> int:
        """Offset of the record that comes next."""
        offset = self._unseen().get((topic, partition))
        if offset is None:
            offset = await _elsewhere(lambda: self._native.position(topic, partition, timeout))
        if offset is None:
            raise ClientTimeout(f"the position in {topic}-{partition} was not known in {timeout} seconds")
        return offset

    async def beginning_offset(self, topic: str, partition: int, timeout: float | None = 60.0) -> int:
        """Offset of the first record there is."""
        found = await _elsewhere(lambda: self._native.offset_of(topic, partition, None, "earliest", timeout))
        return found[0] if found else 0

    async def end_offset(self, topic: str, partition: int, timeout: float | None = 60.0) -> int:
        """Offset of the record that will be written next; of the last stable one with `read_committed`."""
        found = await _elsewhere(lambda: self._native.offset_of(topic, partition, None, "latest", timeout))
        return found[0] if found else 0

    async def offset_for_time(
        self, topic: str, partition: int, timestamp: int, timeout: float | None = 60.0
    ) -> OffsetAndTimestamp | None:
        """The first record that is not older than `timestamp`; None when all are."""
        ask = self._native.offset_of
        found = await _elsewhere(lambda: ask(topic, partition, timestamp, "timestamp", timeout))
        return OffsetAndTimestamp(*found) if found else None

    async def partitions_for(self, topic: str, timeout: float | None = 60.0) -> list[int]:
        """Numbers of the topic's partitions."""
        return list(range(await _elsewhere(lambda: self._native.partition_count(topic, timeout))))

    async def close(
        self, timeout: float | None = 30.0, *, group_membership_operation: str = "default"
    ) -> None:
        """As `barnabas.Consumer.close`."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._has_group:
                if self._commits_at_end and self._native.subscription() == (None, None):
                    await self._commit_quietly()
                await self._leave(group_membership_operation, timeout)
        finally:
            self._forget_all()
            self._tell_commits()
            self._bell.close()
            self._native.close()

    async def _leave(self, operation: str, timeout: float | None) -> None:
        rung = self._bell.event()
        self._native.leave(operation)
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            rung.clear()
            left = self._native.has_left(0.0)
            if left is None:
                await self._attend()
                continue
            seconds = SIGN_SECONDS_MAX if end is None else min(end - time.monotonic(), SIGN_SECONDS_MAX)
            if left or seconds <= 0:
                return
            await self._bell.wait(seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            # What was read last may not have been worked on: who reads on must get it again.
            self._commits_at_end = False
        await self.close()


async def _elsewhere(ask: Callable[[], T]) -> T:
    """Waits in a thread for what the broker is asked now and then."""
    return await asyncio.to_thread(ask)
