"""`_schemas`, the topic that holds everything: written by a producer, read by a consumer in a thread.

Always true:
  records are handed on in the order of their offsets, each once, and in the event loop once it has started
  a write is done when its record has been read back, not before: whoever is answered finds what was written
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from barnabas.clients.consumer import Consumer
from barnabas.clients.producer import Producer
from barnabas.errors import BarnabasError

if TYPE_CHECKING:
    from barnabas._core import Record, RecordMetadata

logger = logging.getLogger("barnabas.registry")

TOPIC = "_schemas"
READ_MAX = 1_000
"""Records taken at once."""
BATCHES_MAX = 2
"""Batches of records that may wait for the loop."""
POLL_SECONDS = 0.5
"""How long the reading thread waits at a time."""
RECORD_BYTES_MAX = 8 * 1024 * 1024
"""Largest record; the broker may allow less."""
RETRY_SECONDS = 1.0
"""Pause after reading has failed."""


class TopicUnusable(BarnabasError):
    """The topic can't hold schemas; the message says why."""


@dataclass(slots=True)
class _Written:
    """A record on its way to the topic and back."""

    key: bytes
    value: bytes | None
    read_back: asyncio.Future[None]


class Storage:
    """The topic. `load` reads what is there; `start` goes on reading, and takes writes."""

    def __init__(
        self, configs: Mapping[str, Any], take: Callable[[Record], Exception | None], topic: str = TOPIC
    ) -> None:
        """`configs`: of clients of the cluster, by Kafka's names. `take` is called with each record, and says
        why it can't be used."""
        self._topic = topic
        self._take = take
        shared = {"client.id": "barnabas-registry", **configs}
        self._consumer = Consumer(
            shared,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            max_partition_fetch_bytes=RECORD_BYTES_MAX,
            max_poll_records=READ_MAX,
        )
        self._producer = Producer(
            shared,
            linger_ms=0,
            max_block_ms=5_000,
            delivery_timeout_ms=30_000,
            max_request_size=RECORD_BYTES_MAX,
        )
        self._written: deque[_Written] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._room = threading.Semaphore(BATCHES_MAX)
        self.count = 0
        """Records that were handed on."""
        self.problem: str | None = None
        """Why the topic can't be read now."""
        self.foreign = 0
        """Records that others wrote since `start`."""

    # ---- reading

    def load(self, timeout: float) -> None:
        """Hands on everything that is in the topic now. Waits for it."""
        partitions = self._consumer.partitions_for(self._topic, timeout)
        if len(partitions) != 1:
            raise TopicUnusable(f"topic {self._topic} has {len(partitions)} partitions, and must have one")
        self._producer.partitions_for(self._topic, timeout)
        end = self._consumer.end_offset(self._topic, 0, timeout)
        self._consumer.assign([(self._topic, 0)])
        self._consumer.seek_to_beginning(self._topic, 0)
        while self._consumer.position(self._topic, 0, timeout) < end:
            for record in self._consumer.poll(POLL_SECONDS, READ_MAX):
                self._hand_on(record)

    def start(self) -> None:
        """From now on records are handed on in the running event loop, and writes taken."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._producer.fileno(), self._on_delivered)
        self._thread = threading.Thread(target=self._read, name="registry-reader", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        """The thread that reads."""
        loop = self._loop
        assert loop is not None
        while not self._stopping.is_set():
            if not self._room.acquire(timeout=POLL_SECONDS):
                continue
            try:
                records = self._consumer.poll(POLL_SECONDS, READ_MAX)
                self.problem = None
            except BarnabasError as error:
                self.problem = str(error)
                logger.error("can't read %s: %s", self._topic, error)
                self._stopping.wait(RETRY_SECONDS)
                records = []
            if not records:
                self._room.release()
                continue
            try:
                loop.call_soon_threadsafe(self._hand_all_on, records)
            except RuntimeError:
                return  # The loop has ended.

    def _hand_all_on(self, records: list[Record]) -> None:
        self._room.release()
        if not self._stopping.is_set():
            for record in records:
                self._hand_on(record)

    def _hand_on(self, record: Record) -> None:
        problem = self._take(record)
        self.count += 1
        if problem is not None:
            logger.warning("offset %d of %s is left out: %s", record.offset, self._topic, problem)
        written = self._written[0] if self._written else None
        if written is None or (written.key, written.value) != (record.key, record.value):
            self.foreign += 1
            return
        self._written.popleft()
        if not written.read_back.done():
            if problem is None:
                written.read_back.set_result(None)
            else:
                written.read_back.set_exception(problem)

    # ---- writing

    def write(self, key: bytes, value: bytes | None) -> asyncio.Future[None]:
        """Writes a record; done when it has been read back. Its failure is the future's exception."""
        assert self._loop is not None
        written = _Written(key, value, self._loop.create_future())
        self._written.append(written)

        def delivered(error: Exception | None, _: RecordMetadata | None) -> None:
            if error is not None:
                self._fail(written, error)

        try:
            self._producer.produce(self._topic, value, key, 0, delivered)
        except BarnabasError as error:
            self._fail(written, error)
        return written.read_back

    def append(self, key: bytes, value: bytes | None) -> asyncio.Future[int]:
        """Writes a record that nobody waits to read back; its offset, when all in-sync replicas have it."""
        assert self._loop is not None
        appended: asyncio.Future[int] = self._loop.create_future()

        def delivered(error: Exception | None, metadata: RecordMetadata | None) -> None:
            if appended.done():
                return
            if error is not None:
                appended.set_exception(error)
            else:
                assert metadata is not None
                appended.set_result(metadata.offset)

        try:
            self._producer.produce(self._topic, value, key, 0, delivered)
        except BarnabasError as error:
            appended.set_exception(error)
        return appended

    def _fail(self, written: _Written, error: Exception) -> None:
        if written in self._written:
            self._written.remove(written)
        if not written.read_back.done():
            written.read_back.set_exception(error)

    def _on_delivered(self) -> None:
        self._producer.clear()
        self._producer.poll(0)

    def close(self) -> None:
        """Ends it. What was written and not read back fails."""
        self._stopping.set()
        if self._loop is not None:
            self._loop.remove_reader(self._producer.fileno())
        if self._thread is not None:
            self._thread.join()
        with contextlib.suppress(BarnabasError):  # Whoever wrote is told here:
            self._producer.stop()
        for written in list(self._written):
            self._fail(written, BarnabasError("the registry stops"))
        self._consumer.close()
