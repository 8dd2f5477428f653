"""Records that can't be worked on at once: tried again later over retry topics, and given up to a dead-letter
topic.

A record whose handler fails is written to the first retry topic, from there to the next, and at last to the
dead letters. Each retry topic has one delay, so that its records fall due in their order and one that is not
due holds up none that is.

Always true: a record's position is committed only after it was handled, or its letter is written and
acknowledged. A crash in between has it handled, or its letter written, once more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from barnabas._core import Record
from barnabas.clients.admin.client import Admin
from barnabas.clients.admin.topics import NewTopic
from barnabas.clients.consumer import Consumer, TopicPartition
from barnabas.clients.producer import Producer
from barnabas.clients.serdes import refuse_serdes
from barnabas.errors import TopicAlreadyExists

log = logging.getLogger(__name__)

DELAYS = (10.0, 60.0, 600.0)
"""Seconds before the second, the third and the fourth try."""
MESSAGE_CHARACTERS_MAX = 1_000
"""What a letter has of an error's text."""
WAIT_SECONDS_MAX = 1.0
"""How long `run` waits for records before it looks whether it is to stop."""
_PREFIX = "retry."

Handler = Callable[[Record], object]
"""Works on a record; an exception says that it could not."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What the headers of a letter say of its record."""

    topic: str
    """The topic that it was in at first."""
    partition: int
    offset: int
    timestamp: int
    """Its own, in milliseconds since the Unix epoch."""
    tries: int
    """How often it was tried."""
    failed_at: int
    """When it failed last, in milliseconds since the Unix epoch."""
    due_at: int
    """When it is tried again; 0 for a dead letter."""
    error: str
    """Name of the last exception's class."""
    message: str
    """Its text."""

    @classmethod
    def of(cls, record: Record) -> Failure | None:
        """What the headers of a record say; None when it is no letter."""
        found = {name: value or b"" for name, value in record.headers if name.startswith(_PREFIX)}
        try:
            texts = {field: found[_header(field)].decode() for field in cls.__slots__}
            numbers = {field: int(texts[field]) for field in _NUMBERS}
        except (KeyError, ValueError):
            return None
        return cls(**(texts | numbers))  # type: ignore[arg-type] # the numbers replace their texts

    def headers(self) -> list[tuple[str, bytes]]:
        """The headers of a letter."""
        return [(_header(field), str(getattr(self, field)).encode()) for field in self.__slots__]


_NUMBERS = ("partition", "offset", "timestamp", "tries", "failed_at", "due_at")


def _header(field: str) -> str:
    return _PREFIX + field.replace("_", "-")


class Retrying:
    """Reads topics as a member of a group, has each record handled, and tries again what fails.

        with Retrying(charge, "orders", group_id="billing", bootstrap_servers="localhost:9092") as retrying:
            retrying.run()

    Retry topics are `<group>-retry-1`, `-2`, … with one of `delays` (in seconds) each; dead letters go to
    `<group>-dead-letters`. They are created, with as many partitions as the largest of the topics, unless
    they are there. Exceptions in `give_up_on` are not tried again. Keywords are configs of all clients;
    `consumer` and `producer` have more for each."""

    def __init__(
        self,
        handle: Handler,
        topics: str | Sequence[str],
        *,
        group_id: str,
        delays: Sequence[float] = DELAYS,
        give_up_on: tuple[type[Exception], ...] = (),
        consumer: Mapping[str, Any] | None = None,
        producer: Mapping[str, Any] | None = None,
        **configs: Any,
    ) -> None:
        refuse_serdes((*configs, *(consumer or {}), *(producer or {})), "Retrying")
        self._handle = handle
        self._give_up_on = give_up_on
        self._delays = tuple(delays)
        self._topics = [topics] if isinstance(topics, str) else list(topics)
        self.retry_topics = [f"{group_id}-retry-{index}" for index in range(1, len(self._delays) + 1)]
        """By delay, the shortest first."""
        self.dead_letter_topic = f"{group_id}-dead-letters"
        self._is_stopping = False
        self._done: dict[tuple[str, int], int] = {}
        """Positions that are not committed yet."""
        self._waiting: dict[tuple[str, int], float] = {}
        """Partitions of retry topics that are paused, and until when."""
        self._producer = Producer(producer, **configs)
        try:
            self._partitions = self._prepare(configs)
            own = {"auto.offset.reset": "earliest", "enable.auto.commit": False, "group.id": group_id}
            self._consumer = Consumer({**own, **(consumer or {})}, **configs)
        except BaseException:
            self._producer.stop()
            raise
        self._consumer.subscribe(
            [*self._topics, *self.retry_topics], on_revoke=self._gives_up, on_lost=self._loses
        )

    def _prepare(self, configs: Mapping[str, Any]) -> int:
        """Creates the topics of letters; how many partitions all of them have."""
        count = max(len(self._producer.partitions_for(topic)) for topic in self._topics)
        names = [*self.retry_topics, self.dead_letter_topic]
        with Admin(**configs) as admin:
            created = admin.with_options(raise_errors=False).create_topics(
                [NewTopic(name, partitions=count) for name in names]
            )
            for error in created.errors.values():
                if not isinstance(error, TopicAlreadyExists):
                    raise error
        return min(len(self._producer.partitions_for(name)) for name in names)

    def run(self) -> None:
        """Works until `stop`."""
        while not self._is_stopping:
            self.process(WAIT_SECONDS_MAX)

    def stop(self) -> None:
        """Lets `run` end after the records that it has; any thread or handler may call it."""
        self._is_stopping = True

    def process(self, timeout: float = 0.0) -> int:
        """Works on the records that there are, waiting up to `timeout` seconds for one; how many it has
        handled or given up. Their positions are committed then."""
        self._resume_what_is_due()
        due = min(self._waiting.values(), default=None)
        if due is not None:
            timeout = max(0.0, min(timeout, due - time.time()))
        records = self._consumer.poll(timeout)
        count = 0
        try:
            for index, record in enumerate(records):
                place = (record.topic, record.partition)
                if place not in self._waiting and self._is_due(record):
                    try:
                        self._work_on(record)
                    except BaseException:
                        self._go_back_to(records[index:])
                        raise
                    self._done[place] = record.offset + 1
                    count += 1
        finally:
            self._commit()
        return count

    def _go_back_to(self, records: Sequence[Record]) -> None:
        """Has the next poll give these again, whoever has interrupted this one."""
        for record in reversed(records):
            if (record.topic, record.partition) not in self._waiting:
                self._consumer.seek(record.topic, record.partition, record.offset)

    def _is_due(self, record: Record) -> bool:
        """Whether it is time for a record; its partition is paused where it is not."""
        failure = Failure.of(record)
        if failure is None or record.topic not in self.retry_topics or failure.due_at <= time.time() * 1000:
            return True
        self._consumer.pause(record.topic, record.partition)
        self._consumer.seek(record.topic, record.partition, record.offset)
        self._waiting[record.topic, record.partition] = failure.due_at / 1000
        return False

    def _resume_what_is_due(self) -> None:
        now = time.time()
        for place in [place for place, due in self._waiting.items() if due <= now]:
            del self._waiting[place]
            self._consumer.resume(*place)

    def _work_on(self, record: Record) -> None:
        try:
            self._handle(record)
        except Exception as error:
            self._write_letter(record, error)

    def _write_letter(self, record: Record, error: Exception) -> None:
        before = Failure.of(record)
        tries = before.tries + 1 if before else 1
        is_last = tries > len(self._delays) or isinstance(error, self._give_up_on)
        now = int(time.time() * 1000)
        failure = Failure(
            topic=before.topic if before else record.topic,
            partition=before.partition if before else record.partition,
            offset=before.offset if before else record.offset,
            timestamp=before.timestamp if before else record.timestamp,
            tries=tries,
            failed_at=now,
            due_at=0 if is_last else now + int(self._delays[tries - 1] * 1000),
            error=type(error).__name__,
            message=str(error)[:MESSAGE_CHARACTERS_MAX],
        )
        topic = self.dead_letter_topic if is_last else self.retry_topics[tries - 1]
        kept = [(name, value) for name, value in record.headers if not name.startswith(_PREFIX)]
        partition = record.partition % self._partitions
        headers = [*kept, *failure.headers()]
        self._producer.send(topic, record.value, record.key, partition, headers=headers).result()
        log.log(
            logging.ERROR if is_last else logging.WARNING,
            "%s-%d@%d failed (try %d), now in %s: %r",
            *(failure.topic, failure.partition, failure.offset, tries, topic, error),
        )

    def _commit(self) -> None:
        if self._done:
            done, self._done = self._done, {}
            self._consumer.commit(done)

    def _gives_up(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._commit()
        self._loses(consumer, partitions)

    def _loses(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for topic, partition, _offset in partitions:
            self._waiting.pop((topic, partition), None)

    def close(self) -> None:
        """Leaves the group."""
        try:
            self._consumer.close()
        finally:
            self._producer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
