"""`Kafka`: a broker for one test, with everything that a test wants to do to it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from barnabas.errors import KafkaError, UnknownTopicOrPartition
from barnabas.protocol.generated.create_topics_request import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from barnabas.protocol.generated.delete_topics_request import DeleteTopicsRequest, DeleteTopicState
from barnabas.testing import compare
from barnabas.testing.clock import Clock
from barnabas.testing.faults import Faults
from barnabas.testing.literals import Literal, agrees, record_of
from barnabas.testing.records import Records
from barnabas.testing.server import TestBroker

if TYPE_CHECKING:
    from barnabas.protocol import Message
    from barnabas.serde import ConsumerRecord, Serde
    from barnabas.server.node import NodeServer
    from barnabas.testing.aio import AsyncKafka
    from barnabas.testing.clock import MovableLoop

TOPICS_OF_GROUPS = "__consumer_offsets"
ASSERT_SECONDS = 5.0
"""How long `assert_topic` waits for records that are missing."""
READ_SECONDS = 10.0


class Kafka:
    """A real broker in this process, on a port of its own, in memory unless a directory is named.

    >>> from barnabas.testing import Kafka
    >>> with Kafka() as kafka:
    ...     name = kafka.topic("orders", ["created", ("42", "paid")])
    ...     kafka.assert_topic("orders", ["created", ("42", "paid")])

    Clients of any kind connect to `kafka.bootstrap`. What a test asks of the kit itself needs none.
    """

    def __init__(
        self,
        *,
        settings: Mapping[str, str] | None = None,
        directory: str | Path | None = None,
        seed: int = 0,
        key_serde: Serde[Any] | None = None,
        value_serde: Serde[Any] | None = None,
    ) -> None:
        """`settings`: broker configs by Kafka's names. `seed`: what chance draws here follows from it. The
        serdes write and read keys and values of records where no others are given."""
        self.seed = seed
        self.key_serde = key_serde
        self.value_serde = value_serde
        self._broker = TestBroker(settings or {}, directory)
        self._records = Records(self._broker)
        self.clock = Clock(self)
        """The broker's clock, which a test may move on."""
        self.faults = Faults(self)
        """What goes wrong on demand."""

    # ---- life

    def start(self) -> Kafka:
        """Starts the broker, the first time or on what it has written before it was stopped or killed."""
        self._broker.start(self.clock.ahead_ms)
        return self

    def stop(self) -> None:
        """Stops the broker cleanly; `start` brings it back, on the same port and with the same records."""
        self._records.close()
        self._broker.stop()

    def kill(self) -> None:
        """Ends the broker as `kill -9` of its process would; `start` brings it back."""
        self._records.close()
        self._broker.stop(kill=True)

    def restart(self, *, kill: bool = False) -> None:
        """Stops or kills the broker, and starts it again. Faults do not outlast it."""
        if kill:
            self.kill()
        else:
            self.stop()
        self.start()

    def close(self) -> None:
        """Ends the broker for good."""
        self._records.close()
        self._broker.close()

    def __enter__(self) -> Kafka:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Kafka:
        import asyncio

        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

        await asyncio.to_thread(self.close)

    # ---- where it is

    @property
    def bootstrap(self) -> str:
        """host:port, as clients take it for `bootstrap.servers`."""
        return self._broker.bootstrap

    @property
    def server(self) -> NodeServer | None:
        """The node; None while it is stopped."""
        return self._broker.server

    @property
    def running(self) -> NodeServer:
        """The node. RuntimeError while it is stopped."""
        if self._broker.server is None:
            raise RuntimeError("the broker is not running")
        return self._broker.server

    @property
    def loop(self) -> MovableLoop:
        """The loop of the node's thread."""
        return self._broker.loop

    @property
    def aio(self) -> AsyncKafka:
        """The same for coroutines: what waits here is awaited there."""
        from barnabas.testing.aio import AsyncKafka

        return AsyncKafka(self)

    # ---- topics

    def topic(
        self,
        name: str,
        records: Iterable[Literal] = (),
        *,
        partitions: int = 1,
        configs: Mapping[str, object] | None = None,
    ) -> str:
        """Creates a topic with these records, and gives its name back. Raises KafkaError."""
        self._create({name: partitions}, configs or {})
        self.produce(name, *records)
        return name

    def topics(self, topics: Mapping[str, Iterable[Literal] | int]) -> None:
        """Creates topics: by name the records of a topic with one partition, or how many partitions an empty
        one has."""
        self._create({name: what if isinstance(what, int) else 1 for name, what in topics.items()}, {})
        for name, what in topics.items():
            if not isinstance(what, int):
                self.produce(name, *what)

    def _create(self, topics: Mapping[str, int], configs: Mapping[str, object]) -> None:
        texts = [CreatableTopicConfig(name, _config_text(value)) for name, value in configs.items()]
        request = CreateTopicsRequest(
            topics=[
                CreatableTopic(name, num_partitions=partitions, replication_factor=1, configs=texts)
                for name, partitions in topics.items()
            ]
        )
        for result in self.request(request).topics:
            if result.error_code:
                raise KafkaError.for_code(result.error_code, result.error_message)

    def delete_topic(self, name: str) -> None:
        """Deletes a topic. Raises KafkaError."""
        for result in self.request(DeleteTopicsRequest(topics=[DeleteTopicState(name)])).responses:
            if result.error_code:
                raise KafkaError.for_code(result.error_code, result.error_message)

    def partition_count(self, topic: str) -> int:
        """How many partitions a topic has. Raises UnknownTopicOrPartition."""
        found = self.running.image().topic(topic)
        if found is None:
            raise UnknownTopicOrPartition(f"There is no topic {topic}.")
        return found.partition_count

    def request(self, request: Message, version: int | None = None) -> Any:
        """The broker's answer to a request of Kafka's protocol, of those that it decides in Python: all but
        Produce, Fetch and their like. Raises KafkaError where it fails as a whole."""
        return self._broker.ask(request, version)

    # ---- records

    def produce(
        self,
        topic: str,
        *records: Literal,
        key_serde: Serde[Any] | None = None,
        value_serde: Serde[Any] | None = None,
    ) -> None:
        """Writes records; they are there when this returns. Their timestamps are the kit's clock's."""
        if records:
            self._records.write(
                topic,
                [record_of(literal) for literal in records],
                key_serde or self.key_serde,
                value_serde or self.value_serde,
                self.clock.now(),
            )

    def records(
        self,
        topic: str,
        *,
        partition: int | None = None,
        count: int | None = None,
        timeout: float = READ_SECONDS,
        key_serde: Serde[Any] | None = None,
        value_serde: Serde[Any] | None = None,
    ) -> list[ConsumerRecord[Any, Any]]:
        """The records of a topic, or of one partition, as consumers see them that read what is committed, in
        order of partition and offset. `count`: waits until there are so many, and raises TimeoutError when
        that takes over `timeout` seconds; None: what is there now."""
        serdes = key_serde or self.key_serde, value_serde or self.value_serde
        partitions = range(self.partition_count(topic)) if partition is None else [partition]
        found = self._records.read(topic, partitions, *serdes, count or 0, timeout)
        if count is not None and len(found) < count:
            raise TimeoutError(f"{topic} has {len(found)} records after {timeout} s, not {count}")
        return found

    def values(self, topic: str, **how: Any) -> list[Any]:
        """The values of `records`."""
        return [record.value for record in self.records(topic, **how)]

    def assert_topic(
        self,
        topic: str,
        expected: Sequence[Literal],
        *,
        partition: int | None = None,
        in_order: bool | None = None,
        timeout: float = ASSERT_SECONDS,
        key_serde: Serde[Any] | None = None,
        value_serde: Serde[Any] | None = None,
    ) -> None:
        """Asserts that a topic holds exactly these records; waits for those that are not there yet.

        A value is compared alone; of a pair or a `ProducerRecord` the key as well, and of the latter what it
        says of headers, partition and timestamp. `...` stands for anything. With several partitions the order
        does not count, unless `in_order` says so.
        """
        end = time.monotonic() + timeout
        serdes = key_serde or self.key_serde, value_serde or self.value_serde
        count = self.partition_count(topic) if partition is None else 1
        ordered = count == 1 if in_order is None else in_order
        partitions = range(count) if partition is None else [partition]

        def same(literal: Literal, record: ConsumerRecord[Any, Any]) -> bool:
            with_key = not isinstance(literal, compare.PLAIN)
            return agrees(record_of(literal), record, *serdes, with_key=with_key)

        found = self._records.read(topic, partitions, *serdes, len(expected), timeout)
        pairs = compare.matched(expected, found, same, in_order=ordered)
        while any(place is None for _, place in pairs) and (left := end - time.monotonic()) > 0:
            # As many as expected, or more, but not those: the missing ones may still come.
            more = self._records.read(topic, partitions, *serdes, len(found) + 1, left)
            if len(more) == len(found):
                break
            found = more
            pairs = compare.matched(expected, found, same, in_order=ordered)
        if any(None in pair for pair in pairs):
            lines = compare.rows(expected, found, pairs)
            raise AssertionError(compare.report(topic, lines, len(found), len(expected)))

    # ---- groups

    def expire_session(self, group: str, member_id: str | None = None) -> int:
        """Ends the sessions of a group's members, or of one of them, as if they had not been heard of for the
        session's time; how many there were."""
        coordinators = self.running.coordinators
        ended: int = self._broker.call(coordinators.end_sessions, TOPICS_OF_GROUPS, group, member_id)
        return ended

    def __repr__(self) -> str:
        return f"Kafka({self.bootstrap if self.server is not None else 'stopped'})"


def _config_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
