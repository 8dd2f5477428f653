"""Records that are numbered by their offsets, in all compressions; readers at the tail and from the start."""

import itertools
import random
from typing import cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.soak.load import SECONDS_MAX, Load, good, settings, value

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
PARTITIONS = 2
TOPICS = {codec: f"soak-{codec}" for codec in CODECS}
CONFIG = {"segment.bytes": "1048576", "retention.bytes": "3145728", "file.delete.delay.ms": "1000"}
ROUNDS_PER_STEP = 2


def create(bootstrap: str, *topics: NewTopic) -> None:
    admin = AdminClient(settings(bootstrap))
    for future in admin.create_topics(list(topics)).values():
        future.result(SECONDS_MAX)


def create_streams(bootstrap: str) -> None:
    synced = {"barnabas.durability": "fsync"}
    topics = [
        NewTopic(name, PARTITIONS, 1, config={**CONFIG, **(synced if codec == "snappy" else {})})
        for codec, name in TOPICS.items()
    ]
    create(bootstrap, *topics)


def check(message: Message) -> tuple[tuple[str, int], int]:
    """Partition and offset of a record that says what it must."""
    offset = cast("int", good(message).offset())
    assert message.value() == value(offset), f"{message.topic()} {message.partition()} {offset}"
    return (cast("str", message.topic()), cast("int", message.partition())), offset


class Streams(Load):
    """Writes to all topics and reads along."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__(bootstrap)
        self._producers = {
            name: Producer(
                settings(bootstrap, enable_idempotence=True, compression_type=codec, linger_ms=50, acks="all")
            )
            for codec, name in TOPICS.items()
        }
        places = list(itertools.product(TOPICS.values(), range(PARTITIONS)))
        self._written = dict.fromkeys(places, 0)
        self._read = dict.fromkeys(places, 0)
        self._consumer = Consumer(settings(bootstrap, group_id="tail", enable_auto_commit=False))
        self._consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in places])

    def step(self) -> None:
        for _ in range(ROUNDS_PER_STEP):
            for (topic, partition), number in self._written.items():
                self._producers[topic].produce(
                    topic, value(number), partition=partition, on_delivery=self._delivered
                )
                self._written[topic, partition] = number + 1
        for producer in self._producers.values():
            producer.poll(0)
        self._consume(0)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        assert (message.value() or b"").startswith(b"%d:" % message.offset())

    def _consume(self, timeout: float) -> None:
        for message in self._consumer.consume(500, timeout):
            place, offset = check(message)
            assert offset == self._read[place], f"{place}: {offset} follows {self._read[place] - 1}"
            self._read[place] = offset + 1
            self.done += 1

    def finish(self) -> None:
        for producer in self._producers.values():
            assert producer.flush(SECONDS_MAX) == 0
        self.wait("the tail", lambda: self._read == self._written, lambda: self._consume(0.2))
        self._consumer.close()

    def __str__(self) -> str:
        return "tail"


class FromTheStart(Load):
    """A new reader each time, from what retention has left to the end."""

    pause = 3.0

    def __init__(self, bootstrap: str, chance: random.Random) -> None:
        super().__init__(bootstrap)
        self._chance = chance

    def step(self) -> None:
        topic, partition = self._chance.choice(list(TOPICS.values())), self._chance.randrange(PARTITIONS)
        consumer = Consumer(
            settings(self.bootstrap, group_id="start", enable_auto_commit=False, auto_offset_reset="error")
        )
        try:
            place = TopicPartition(topic, partition, OFFSET_BEGINNING)
            _, end = consumer.get_watermark_offsets(place, SECONDS_MAX)
            consumer.assign([place])
            following: int | None = None  # the offset that comes next, once one was seen
            overtaken = False

            def read() -> None:
                nonlocal following, overtaken
                for message in consumer.consume(1_000, 0.5):
                    error = message.error()
                    if error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET:
                        overtaken = True  # by retention
                        return
                    _, offset = check(message)
                    assert following in (None, offset), f"{topic} {partition}: {offset} is not {following}"
                    following = offset + 1
                    self.done += 1

            self.wait(f"{topic} {partition}", lambda: overtaken or (following or 0) >= end, read)
        finally:
            consumer.close()

    def __str__(self) -> str:
        return "from the start"
