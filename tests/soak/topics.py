"""Topics that are created, filled and deleted, and one that is compacted."""

import random
from typing import ClassVar, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.soak.load import SECONDS_MAX, Load, good, settings
from tests.soak.streams import create

SHORT_LIVED_PARTITIONS = 3
RECORDS = 30
COMPACTED = "soak-compacted"
KEYS = 50
STEPS_PER_READ = 40
RECORDS_BEFORE_COMPACTION = 2_000
"""From so many on, compaction must have been at work."""


class ShortLived(Load):
    """A topic lives for one step."""

    pause = 2.0

    def __init__(self, bootstrap: str) -> None:
        super().__init__(bootstrap)
        self._admin = AdminClient(settings(bootstrap))

    def step(self) -> None:
        topic = f"soak-short-lived-{self.done}"
        create(
            self.bootstrap, NewTopic(topic, SHORT_LIVED_PARTITIONS, 1, config={"file.delete.delay.ms": "500"})
        )
        producer = Producer(settings(self.bootstrap))
        for number in range(RECORDS):
            producer.produce(topic, str(number), partition=number % SHORT_LIVED_PARTITIONS)
        assert producer.flush(SECONDS_MAX) == 0
        consumer = Consumer(settings(self.bootstrap, group_id="unused"))
        places = [TopicPartition(topic, partition) for partition in range(SHORT_LIVED_PARTITIONS)]
        assert sum(consumer.get_watermark_offsets(place, SECONDS_MAX)[1] for place in places) == RECORDS
        consumer.close()
        [deleted] = self._admin.delete_topics([topic]).values()
        deleted.result(SECONDS_MAX)
        self.done += 1

    def __str__(self) -> str:
        return "short-lived topics"


class Compacted(Load):
    """Readers from the start always find the newest value of each key, and deleted keys never again."""

    CONFIG: ClassVar[dict[str, str]] = {
        "cleanup.policy": "compact",
        "segment.ms": "3000",
        "min.cleanable.dirty.ratio": "0.1",
        "delete.retention.ms": "3000",
        "file.delete.delay.ms": "1000",
    }

    def __init__(self, bootstrap: str, chance: random.Random) -> None:
        super().__init__(bootstrap)
        create(bootstrap, NewTopic(COMPACTED, 1, 1, config=self.CONFIG))
        self._chance = chance
        self._producer = Producer(settings(bootstrap, enable_idempotence=True, linger_ms=20))
        self._newest: dict[bytes, bytes | None] = {}
        self._steps = 0
        self.left = 0
        """Records that the last reader has found."""

    def step(self) -> None:
        for _ in range(2):
            key, deleted = b"key-%d" % self._chance.randrange(KEYS), self._chance.random() < 0.1
            self._newest[key] = None if deleted else b"%d" % self.done * 50
            self._producer.produce(COMPACTED, self._newest[key], key)
            self.done += 1
        self._producer.poll(0)
        self._steps += 1
        if self._steps % STEPS_PER_READ == 0:
            self._check()

    def _check(self) -> None:
        assert self._producer.flush(SECONDS_MAX) == 0
        consumer = Consumer(settings(self.bootstrap, group_id="unused", enable_auto_commit=False))
        place = TopicPartition(COMPACTED, 0, OFFSET_BEGINNING)
        _, end = consumer.get_watermark_offsets(place, SECONDS_MAX)
        consumer.assign([place])
        found: dict[bytes | None, bytes | None] = {}
        position = 0
        self.left = 0

        def read() -> None:
            nonlocal position
            for message in consumer.consume(1_000, 0.2):
                found[good(message).key()] = message.value()
                position = cast("int", message.offset()) + 1
                self.left += 1

        self.wait("the end of the compacted topic", lambda: position >= end, read)
        consumer.close()
        seen = {key: newest for key, newest in found.items() if newest is not None}
        assert seen == {key: newest for key, newest in self._newest.items() if newest is not None}

    def finish(self) -> None:
        self._check()
        if self.done >= RECORDS_BEFORE_COMPACTION:
            assert self.left < self.done / 2, f"{self.left} of {self.done} records are left"

    def __str__(self) -> str:
        return "compacted topic"
