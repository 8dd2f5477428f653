"""Consumer groups (`group.protocol=consumer`, KIP-848) with the clients that know them: librdkafka, Java."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from confluent_kafka import Consumer, ConsumerGroupState, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from tests.integration.test_other_languages import JAVA_CLIENT
from tests.support import jars

SECONDS_MAX = 60
PARTITIONS = 6
JAVA = Path(__file__).parent / "java" / "ConsumerGroups.java"


class Member:
    """A consumer that keeps account of what it owns."""

    def __init__(self, bootstrap: str, group: str, *topics: str, **config: object) -> None:
        self.owned: set[int] = set()
        self.lost: set[int] = set()
        """What was taken from it, ever."""
        self.read: list[int] = []
        self.consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "group.protocol": "consumer",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "topic.metadata.refresh.interval.ms": 500,
                **{name.replace("_", "."): value for name, value in config.items()},
            }
        )
        self.consumer.subscribe(list(topics), on_assign=self._given, on_revoke=self._taken)

    def __enter__(self) -> Member:
        return self

    def __exit__(self, *_: object) -> None:
        self.consumer.close()

    def _given(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.owned |= {partition.partition for partition in partitions}
        consumer.incremental_assign(partitions)

    def _taken(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.owned -= {partition.partition for partition in partitions}
        self.lost |= {partition.partition for partition in partitions}
        consumer.incremental_unassign(partitions)

    def poll(self) -> None:
        message = self.consumer.poll(0.02)
        if message is not None:
            assert message.error() is None, message.error()
            self.read.append(int(message.value()))


def until(members: list[Member], holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, [member.owned for member in members]
        for member in members:
            member.poll()


def sizes(members: list[Member]) -> list[int]:
    """How many partitions each owns, if together they own all of them once."""
    owned = [partition for member in members for partition in member.owned]
    return sorted(len(member.owned) for member in members) if len(owned) == len(set(owned)) else []


def fill(bootstrap: str, topic: str, numbers: range) -> AdminClient:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values():
        future.exception(SECONDS_MAX)
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in numbers:
        producer.produce(topic, str(number), partition=number % PARTITIONS)
    assert producer.flush(SECONDS_MAX) == 0
    return admin


def test_members_share_a_topic_and_keep_what_need_not_move(bootstrap: str, topic: str) -> None:
    admin = fill(bootstrap, topic, range(60))
    group = f"share-{uuid.uuid4()}"
    with ExitStack() as stack:
        members = [stack.enter_context(Member(bootstrap, group, topic))]
        until(members, lambda: sizes(members) == [6] and len(members[0].read) == 60)
        members[0].consumer.commit(asynchronous=False)
        for expected in ([3, 3], [2, 2, 2]):
            members.append(stack.enter_context(Member(bootstrap, group, topic)))
            until(members, lambda expected=expected: sizes(members) == expected)  # type: ignore[misc]
        assert members[0].lost.isdisjoint(members[0].owned)
        described = admin.describe_consumer_groups([group])[group].result(SECONDS_MAX)
        assert described.state == ConsumerGroupState.STABLE
        assert len(described.members) == 3
        assert not any(member.read for member in members[1:])

        gone = members.pop()
        kept = [set(member.owned) for member in members]
        gone.consumer.close()
        until(members, lambda: sizes(members) == [3, 3])
        assert all(before <= member.owned for before, member in zip(kept, members, strict=True))


def test_a_pattern_finds_topics_that_come_later(bootstrap: str, topic: str) -> None:
    fill(bootstrap, f"{topic}-1", range(6))
    with Member(bootstrap, f"pattern-{uuid.uuid4()}", f"^{topic}-.*") as member:
        until([member], lambda: len(member.read) == 6)
        fill(bootstrap, f"{topic}-2", range(6, 12))
        until([member], lambda: sorted(member.read) == list(range(12)))


def test_partitions_that_come_later_are_read(bootstrap: str, topic: str) -> None:
    admin = fill(bootstrap, topic, range(6))
    with Member(bootstrap, f"grow-{uuid.uuid4()}", topic) as member:
        until([member], lambda: len(member.owned) == PARTITIONS)
        admin.create_partitions([NewPartitions(topic, PARTITIONS + 2)])[topic].result(SECONDS_MAX)
        until([member], lambda: len(member.owned) == PARTITIONS + 2)


def test_java(bootstrap: str) -> None:
    libs = jars.fetch("kafka-clients-4.4.0", JAVA_CLIENT)
    command = ["java", "-Xmx256M", "-cp", f"{libs}/*", str(JAVA), bootstrap]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all held" in done.stdout
