"""`_schemas`, the topic that holds everything: written by a producer, read by a consumer in a thread.

Always true:
  records are handed on in the order of their offsets, each once (`order.py`), and in the event loop once it
  has started
  a write is done when its records have been handed on, not before: whoever is answered finds what was written
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from barnabas.clients.consumer import Consumer
from barnabas.clients.producer import Producer
from barnabas.errors import BarnabasError
from barnabas.schema_registry.order import Order, Stored, Write, Written

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
PAUSE_SECONDS = 0.05
"""Pause of the reading thread where it reads what was handed on when it was written."""
QUICK_SECONDS = 0.002
"""Where results of writes come within this time, the loop itself waits for them: to wake the producer's
thread, and to be woken by it, takes as long."""
RESULT_SECONDS = 0.003
"""How long it waits for one."""

Delivered = Callable[["Exception | None", "RecordMetadata | None"], None]


class TopicUnusable(BarnabasError):
    """The topic can't hold schemas; the message says why."""


class Storage:
    """The topic. `load` reads what is there; `start` goes on reading, and takes writes."""

    def __init__(
        self, configs: Mapping[str, Any], take: Callable[[Stored], Exception | None], topic: str = TOPIC
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
        self._order = Order(self._taken)
        self._wanted = -1
        """Offset up to which somebody waits for records to be read."""
        self._hurry = threading.Event()
        self._unacknowledged = 0
        self._sent_at = 0.0
        self._is_quick = False
        self._will_receive = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._room = threading.Semaphore(BATCHES_MAX)
        self.count = 0
        """Records that were handed on."""
        self.problem: str | None = None
        """Why the topic can't be read now."""

    @property
    def foreign(self) -> int:
        """Records that others wrote."""
        return self._order.foreign

    def _taken(self, record: Stored) -> Exception | None:
        problem = self._take(record)
        self.count += 1
        if problem is not None:
            logger.warning("offset %d of %s is left out: %s", record.offset, self._topic, problem)
        return problem

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
        while (position := self._consumer.position(self._topic, 0, timeout)) < end:
            for record in self._consumer.poll(POLL_SECONDS, READ_MAX):
                self._order.read(record)
        self._order.next = position

    def start(self) -> None:
        """From now on records are handed on in the running event loop, and writes taken."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._producer.fileno(), self._on_results)
        self._thread = threading.Thread(target=self._read, name="registry-reader", daemon=True)
        self._thread.start()

    def want(self, offset: int) -> None:
        """Somebody waits until the record at `offset` has been read."""
        self._wanted = max(self._wanted, offset)
        self._hurry.set()

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
            # Whoever writes needs the processor, and no news of what is known; nor does the broker need to
            # tell of each record.
            if self._order.is_ahead and records[-1].offset >= self._wanted:
                self._consumer.pause(self._topic, 0)
                self._hurry.wait(PAUSE_SECONDS)
                self._consumer.resume(self._topic, 0)
            self._hurry.clear()

    def _hand_all_on(self, records: list[Record]) -> None:
        self._room.release()
        if not self._stopping.is_set():
            for record in records:
                self._order.read(record)

    # ---- writing

    def write(
        self, records: Sequence[tuple[bytes, bytes | None, Any]], landed: Callable[[Exception | None], None]
    ) -> None:
        """Writes records, one at least: keys, values, and what they say. `landed` is called when all of them
        have been handed on or have failed, with the first problem."""
        write, timestamp = Write(len(records), landed), time.time_ns() // 1_000_000
        for key, value, record in records:
            written = Written(key, value, timestamp, write, record=record)
            self._order.sent(written)
            self._send(key, value, timestamp, partial(self._delivered, written))
        if self._is_quick:
            self._producer.transmit()  # Brokers see to it meanwhile.

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

        self._send(key, value, time.time_ns() // 1_000_000, delivered)
        return appended

    def _delivered(self, written: Written, error: Exception | None, metadata: RecordMetadata | None) -> None:
        if error is not None:
            self._order.failed(written, error)
            return
        assert metadata is not None
        if metadata.timestamp >= 0:
            written.timestamp = metadata.timestamp
        wanted = self._order.acknowledged(written, metadata.offset)
        if wanted is not None:
            self.want(wanted)

    def _send(self, key: bytes, value: bytes | None, timestamp: int, delivered: Delivered) -> None:
        def done(error: Exception | None, metadata: RecordMetadata | None) -> None:
            self._unacknowledged -= 1
            delivered(error, metadata)

        self._unacknowledged += 1
        self._sent_at = time.monotonic()
        try:
            self._producer.produce(self._topic, value, key, 0, done, timestamp)
        except BarnabasError as error:
            done(error, None)
        self._receive_soon()

    def _on_results(self) -> None:
        """The producer's thread has results."""
        self._producer.clear()
        if self._producer.poll(0):
            self._is_quick = time.monotonic() - self._sent_at < QUICK_SECONDS

    def _receive_soon(self) -> None:
        """Has the loop wait for results when it has done what is due now, where they come at once."""
        if self._is_quick and self._unacknowledged and not self._will_receive:
            assert self._loop is not None
            self._will_receive = True
            self._loop.call_soon(self._receive)

    def _receive(self) -> None:
        """Sends, and receives results, in the loop's own thread."""
        self._will_receive = False
        if self._stopping.is_set():
            return
        comes = self._producer.poll(RESULT_SECONDS) > 0
        self._on_results()  # The loop need not be called for what has come.
        self._is_quick = comes
        self._receive_soon()

    def close(self) -> None:
        """Ends it. What was written and not read back fails."""
        self._stopping.set()
        self._hurry.set()
        if self._loop is not None:
            self._loop.remove_reader(self._producer.fileno())
        if self._thread is not None:
            self._thread.join()
        with contextlib.suppress(BarnabasError):  # Whoever wrote is told here:
            self._producer.stop()
        self._order.fail_all(BarnabasError("the registry stops"))
        self._consumer.close()
