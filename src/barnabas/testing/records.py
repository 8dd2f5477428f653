"""How the kit writes and reads records: with this package's own clients, made when they are first needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from barnabas.clients.consumer import Consumer, TopicPartition
from barnabas.clients.producer import Producer
from barnabas.serde import read_all
from barnabas.testing.literals import ProducerRecord, headers_of, to_bytes
from barnabas.testing.server import CLIENT_ID, TestBroker

if TYPE_CHECKING:
    from barnabas._core import Record
    from barnabas.serde import ConsumerRecord, Serde

WRITE_SECONDS_MAX = 30.0
ASK_SECONDS_MAX = 10.0
POLL_SECONDS = 0.02
WAIT_MS = 2
"""How long a fetch waits for records: whatever is asked next waits behind it."""


class Records:
    """The records of one broker's topics."""

    def __init__(self, broker: TestBroker) -> None:
        self._broker = broker
        self._producer: Producer | None = None
        self._making = threading.Lock()
        self._idle: list[Consumer] = []
        """Consumers that nobody reads with: each reader has one of its own."""

    def write(
        self,
        topic: str,
        records: Sequence[ProducerRecord],
        key_serde: Serde[Any] | None,
        value_serde: Serde[Any] | None,
        now: int,
    ) -> None:
        """Writes records, and waits until they are there. Those without a timestamp get `now`."""
        with self._making:
            if self._producer is None:
                self._producer = Producer(
                    bootstrap_servers=self._broker.bootstrap, client_id=CLIENT_ID, linger_ms=0
                )
            producer = self._producer
        for record in records:
            producer.produce(
                topic,
                to_bytes(record.value, topic, value_serde),
                to_bytes(record.key, topic, key_serde),
                record.partition,
                timestamp=now if record.timestamp is None else record.timestamp,
                headers=headers_of(record.headers, topic),
            )
        producer.flush(WRITE_SECONDS_MAX)

    def read(
        self,
        topic: str,
        partitions: Iterable[int],
        key_serde: Serde[Any] | None,
        value_serde: Serde[Any] | None,
        least: int,
        timeout: float,
    ) -> list[ConsumerRecord[Any, Any]]:
        """What is in these partitions; waits up to `timeout` seconds for `least` records."""
        end = time.monotonic() + timeout
        consumer = self._idle.pop() if self._idle else self._new_consumer()
        places = [TopicPartition(topic, one) for one in partitions]
        try:
            starts = [consumer.beginning_offset(*place[:2], ASK_SECONDS_MAX) for place in places]
            consumer.assign([place._replace(offset=at) for place, at in zip(places, starts, strict=True)])
            found = self._read_to_end(consumer, places)
            while len(found) < least and (left := end - time.monotonic()) > 0:
                found += consumer.poll(left)
                found += self._read_to_end(consumer, places)
        finally:
            consumer.assign([])
            self._idle.append(consumer)
        found.sort(key=lambda record: (record.partition, record.offset))
        return read_all(found, key_serde, value_serde)

    def _new_consumer(self) -> Consumer:
        return Consumer(
            bootstrap_servers=self._broker.bootstrap,
            client_id=CLIENT_ID,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=WAIT_MS,
        )

    def _read_to_end(self, consumer: Consumer, places: Sequence[TopicPartition]) -> list[Record]:
        """What comes up to where the records end that there are now."""
        left = {place: self._broker.visible_end(*place[:2]) for place in places}
        found: list[Record] = []
        give_up = time.monotonic() + ASK_SECONDS_MAX
        while left := {
            place: end for place, end in left.items() if consumer.position(*place[:2], ASK_SECONDS_MAX) < end
        }:
            if time.monotonic() > give_up:
                raise TimeoutError(f"{next(iter(left)).topic} was not read to its end: {left}")
            found += consumer.poll(POLL_SECONDS)
        return found

    def close(self) -> None:
        """Ends the clients; they are made again when they are needed."""
        producer, self._producer = self._producer, None
        idle, self._idle = self._idle, []
        if producer is not None:
            producer.stop()
        for consumer in idle:
            consumer.close()
