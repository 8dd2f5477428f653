"""`barnabas.aio.Producer`: the producer for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import barnabas.clients.producer
from barnabas.clients.transaction import Group, Offsets, group_of, offsets_of
from barnabas.errors import BarnabasError, BufferFull, ClientTimeout

if TYPE_CHECKING:
    from barnabas._core import Columns, Headers, NativeProducer, RecordMetadata
    from barnabas.clients.producer import Partitioner


class Producer:
    """Sends records to topics, from one event loop.

    Configs are those of `barnabas.Producer`. `send` is done when the record is delivered; many may be under
    way at once, and go out together. `produce` is done when there was room for the record, and gives a
    future. It takes no interceptors (`on_send`, `on_acknowledgement`).

        async with aio.Producer(bootstrap_servers="localhost:9092") as producer:
            metadata = await producer.send("orders", b"paid")

    The loop is woken for many results at once."""

    def __init__(
        self,
        configs: Mapping[str, Any] | None = None,
        /,
        *,
        partitioner: str | Partitioner = "default",
        **keywords: Any,
    ) -> None:
        for name in ("on_send", "on_acknowledgement"):
            if name in keywords:
                raise TypeError(f"aio.Producer takes no {name}: see to records before and after `await send`")
        self._native = barnabas.clients.producer.Producer(configs, partitioner=partitioner, **keywords)
        self._serializers = self._native._serializers
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[asyncio.Future[None]] = []

    # ---- records

    async def send(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int | None = None,
        timestamp: int | None = None,
        headers: Headers | None = None,
    ) -> RecordMetadata:
        """Sends a record and waits until it is delivered: where it lies. Raises why it is not."""
        if self._serializers is not None:
            value, key, headers = self._serializers.write(topic, value, key, headers)
        future: asyncio.Future[RecordMetadata] = (self._loop or self._listen()).create_future()
        if not self._native.offer(topic, future, value, key, partition, timestamp, headers):
            await self._room(topic, future, value, key, partition, timestamp, headers)
        return await future

    async def produce(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int | None = None,
        timestamp: int | None = None,
        headers: Headers | None = None,
    ) -> asyncio.Future[RecordMetadata]:
        """Hands a record in, waiting for room in `buffer.memory`; the future says where it lies once it is
        delivered."""
        if self._serializers is not None:
            value, key, headers = self._serializers.write(topic, value, key, headers)
        future: asyncio.Future[RecordMetadata] = (self._loop or self._listen()).create_future()
        if not self._native.offer(topic, future, value, key, partition, timestamp, headers):
            await self._room(topic, future, value, key, partition, timestamp, headers)
        return future

    async def send_batch(self, topic: str, batch: Columns, partition: int | None = None) -> int:
        """Hands many records in at once, as `barnabas.Producer.send_batch`; in a thread, for it may wait."""
        return await asyncio.to_thread(self._native.send_batch, topic, batch, partition)

    async def flush(self, timeout: float | None = None) -> None:
        """Sends everything at once and waits until it is done. Raises the first failure of a batch of
        `send_batch`."""
        mark = self._native.begin_flush()
        try:
            done = await self._until(lambda: self._native.is_flushed(mark), timeout)
        finally:
            self._native.end_flush()
        if not done:
            raise ClientTimeout(f"not everything was delivered in {timeout} seconds")

    def metrics(self) -> dict[str, float]:
        """Figures, as `barnabas.Producer.metrics`."""
        return self._native.figures()

    async def partitions_for(self, topic: str, timeout: float | None = 60.0) -> list[int]:
        """Numbers of the topic's partitions."""
        return await asyncio.to_thread(self._native.partitions_for, topic, timeout)

    # ---- transactions

    def transaction(self) -> TransactionBlock:
        """A transaction, as an `async with` block: committed at its end, aborted when an exception leaves."""
        return TransactionBlock(self)

    async def begin_transaction(self, timeout: float | None = None) -> None:
        """Begins a transaction."""
        await self._in_time(self._native.transaction_begun, "no transaction could be begun", timeout)

    async def commit_transaction(self, timeout: float | None = None) -> None:
        """Sends everything and commits it, as `barnabas.Producer.commit_transaction`."""
        self._native.end_transaction(commit=True)
        await self._in_time(
            self._native.transaction_ended, "the transaction is still being committed", timeout
        )

    async def abort_transaction(self, timeout: float | None = None) -> None:
        """Gives up what is not sent, and takes the rest back."""
        self._native.end_transaction(commit=False)
        await self._in_time(self._native.transaction_ended, "the transaction is still being aborted", timeout)

    async def send_offsets(self, group: Group, offsets: Offsets, timeout: float | None = None) -> None:
        """Commits a consumer's offsets with the transaction, as `barnabas.Producer.send_offsets`."""
        self._native.add_offsets(group_of(group), offsets_of(offsets))
        await self._in_time(
            self._native.offsets_added, "the offsets are not part of the transaction yet", timeout
        )

    # ---- the end

    async def close(self, timeout: float | None = None) -> None:
        """Delivers what was handed in, waiting up to `timeout` seconds, and gives the rest up. An open
        transaction is aborted."""
        try:
            if self._native.in_transaction:
                await self.abort_transaction(timeout)
            await self.flush(timeout)
        finally:
            self._stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.close()
        elif issubclass(kind, Exception):
            with contextlib.suppress(BarnabasError):  # What went wrong in the block is what matters.
                await self.close()
        else:
            self._stop()

    def _stop(self) -> None:
        with contextlib.suppress(BarnabasError):  # What is given up is told to those who wait for it.
            self._native.stop()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._native.fileno())

    # ---- waiting

    def _for_bytes(self) -> NativeProducer | None:
        """The producer below, for who hands in bytes without Python; None where there are serializers."""
        if self._serializers is not None:
            return None
        if self._loop is None:
            self._listen()
        return self._native

    def _listen(self) -> asyncio.AbstractEventLoop:
        """From the first call on it belongs to the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._native.fileno(), self._rung)
        return self._loop

    def _rung(self) -> None:
        """Something has happened: results, room, metadata, the end of a transaction."""
        self._native.clear()
        self._native.poll(0.0)
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def _until(self, look: Callable[[], bool], timeout: float | None) -> bool:
        """Waits until `look` says yes."""
        loop = self._loop or self._listen()
        end = None if timeout is None else loop.time() + timeout
        while not look():
            news: asyncio.Future[None] = loop.create_future()
            self._waiting.append(news)
            left = None if end is None else end - loop.time()
            if left is not None and left <= 0:
                return False
            await asyncio.wait([news], timeout=left)
        self._native.poll(0.0)  # What was done before it is told before it.
        return True

    async def _in_time(self, done: Callable[[float], bool], what: str, timeout: float | None) -> None:
        limit = self._native.max_block if timeout is None else timeout
        if not await self._until(lambda: done(0.0), limit):
            raise ClientTimeout(f"{what} after {limit} seconds")

    async def _room(self, topic: str, future: asyncio.Future[RecordMetadata], *fields: Any) -> None:
        limit = self._native.max_block
        if not await self._until(lambda: self._native.offer(topic, future, *fields), limit):
            raise BufferFull(f"no room or no metadata for a record for {topic} in {limit} seconds")


class TransactionBlock:
    """A transaction from the beginning of an `async with` block to its end."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    async def __aenter__(self) -> Self:
        await self._producer.begin_transaction()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            with contextlib.suppress(BarnabasError):  # What went wrong in the block is what matters.
                await self._producer.abort_transaction()
            return
        try:
            await self._producer.commit_transaction()
        except TimeoutError:
            raise  # It may still be committed.
        except BarnabasError:
            with contextlib.suppress(BarnabasError):  # Why it could not be committed is what matters.
                await self._producer.abort_transaction()
            raise
