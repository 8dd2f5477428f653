"""`barnabas.aio.ShareConsumer`."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, Self

from barnabas._core import Record
from barnabas.aio.bell import SIGN_SECONDS_MAX, Bell
from barnabas.clients.share_consumer_base import Results, ShareConsumerBase
from barnabas.errors import ClientTimeout


class ShareConsumer(ShareConsumerBase):
    """Takes records in an event loop, as `barnabas.ShareConsumer` does in a thread: the same names, awaited.

        async with ShareConsumer(bootstrap_servers="localhost:9092", group_id="workers") as consumer:
            consumer.subscribe("jobs")
            async for record in consumer:
                await work(record.value)

    One task at a time may use it."""

    def __init__(self, configs: Mapping[str, Any] | None = None, /, **keywords: Any) -> None:
        super().__init__(configs, **keywords)
        self._bell = Bell(self._native)

    async def poll(self, timeout: float | None = 0.0, max_records: int | None = None) -> list[Record]:
        """Up to `max_records` records (`max.poll.records`); waits up to `timeout` seconds for the first.
        Those that it gave before are accepted, or have to be acknowledged."""
        most = max_records or self._max_poll_records
        if self._ahead:
            return self._take_ahead(most)
        if self._unread:
            return self._read(self._take_unread(most))
        records: list[Record] = []

        def came() -> bool:
            records.extend(self._native.poll(0.0, most))
            return bool(records)

        await self._until(came, timeout)
        self._report()
        return self._read(records)

    async def __aiter__(self) -> AsyncIterator[Record]:
        """All records, as they come, without an end."""
        while True:
            if not self._ahead:
                self._ahead.extend(await self.poll(None))
            while self._ahead:
                yield self._ahead.popleft()

    async def commit(self, timeout: float | None = 60.0) -> Results:
        """As `barnabas.ShareConsumer.commit`."""
        self._report()
        self.commit_async()
        if not await self._until(lambda: self._native.is_settled(0.0), timeout):
            raise ClientTimeout(f"the acknowledgements were not answered in {timeout} seconds")
        return self._report()

    async def unsubscribe(self, timeout: float | None = 30.0) -> None:
        """Gives everything back, and leaves the group."""
        self._ahead.clear()
        self._unread.clear()
        self._native.leave()
        await self._until(lambda: self._native.has_left(0.0), timeout)
        self._report()

    async def close(self, timeout: float | None = 30.0) -> None:
        """As `barnabas.ShareConsumer.close`."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self.unsubscribe(timeout)
        finally:
            self._bell.close()
            self._native.close()

    async def _until(self, holds: Callable[[], bool], timeout: float | None) -> bool:
        """Waits until something holds; False when `timeout` seconds were not enough."""
        rung = self._bell.event()
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            rung.clear()
            if holds():
                return True
            left = SIGN_SECONDS_MAX if end is None else min(end - time.monotonic(), SIGN_SECONDS_MAX)
            if left <= 0:
                return False
            await self._bell.wait(left)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
