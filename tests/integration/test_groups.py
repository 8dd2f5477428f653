"""Classic groups with the clients of Python: sharing a topic, committing, and what administrators see."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient

from tests.support.server import BarnabasUp

SECONDS_MAX = 30
PARTITIONS = 4


@pytest.fixture
def filled(bootstrap: str, topic: str) -> str:
    """The topic with the numbers from 0 to 99 in four partitions."""
    fill(bootstrap, topic, range(100))
    return topic


def fill(bootstrap: str, topic: str, numbers: range) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values():
        future.exception(SECONDS_MAX)
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in numbers:
        producer.produce(topic, str(number), partition=number % PARTITIONS)
    assert producer.flush(SECONDS_MAX) == 0


def consumer(bootstrap: str, group: str, **config: object) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "heartbeat.interval.ms": 300,
            "session.timeout.ms": 6000,
            **{name.replace("_", "."): value for name, value in config.items()},
        }
    )


@contextmanager
def closing(*consumers: Consumer) -> Iterator[None]:
    try:
        yield
    finally:
        for one in consumers:
            one.close()


def poll_until(consumers: list[Consumer], holds: Callable[[], bool]) -> list[int]:
    """Polls all of them until the condition holds; what they have read."""
    numbers: list[int] = []
    deadline = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        for one in consumers:
            message = one.poll(0.05)
            if message is not None:
                assert message.error() is None, message.error()
                numbers.append(int(message.value()))
    return numbers


def read(one: Consumer, count: int) -> list[int]:
    numbers: list[int] = []
    deadline = time.monotonic() + SECONDS_MAX
    while len(numbers) < count:
        assert time.monotonic() < deadline, f"{len(numbers)} of {count}"
        message = one.poll(0.5)
        if message is not None:
            assert message.error() is None, message.error()
            numbers.append(int(message.value()))
    return numbers


@pytest.mark.parametrize("strategy", ["range", "roundrobin", "cooperative-sticky"])
def test_members_share_the_partitions(bootstrap: str, filled: str, strategy: str) -> None:
    first = consumer(bootstrap, filled, partition_assignment_strategy=strategy)
    second = consumer(bootstrap, filled, partition_assignment_strategy=strategy)
    with closing(first, second):
        first.subscribe([filled])
        poll_until([first], lambda: len(first.assignment()) == PARTITIONS)
        second.subscribe([filled])
        poll_until([first, second], lambda: len(first.assignment()) == len(second.assignment()) == 2)
        assert {one.partition for one in first.assignment() + second.assignment()} == set(range(PARTITIONS))
        second.close()
        poll_until([first], lambda: len(first.assignment()) == PARTITIONS)


def test_what_is_committed_is_not_read_again(bootstrap: str, filled: str) -> None:
    one = consumer(bootstrap, filled)
    with closing(one):
        one.subscribe([filled])
        assert sorted(read(one, 100)) == list(range(100))
        one.commit(asynchronous=False)
    fill(bootstrap, filled, range(100, 110))
    another = consumer(bootstrap, filled)
    with closing(another):
        another.subscribe([filled])
        assert sorted(read(another, 10)) == list(range(100, 110))
        committed = another.committed([TopicPartition(filled, 0)], SECONDS_MAX)
        assert committed[0].offset == 25


def test_a_static_member_comes_back_to_its_partitions(bootstrap: str, filled: str) -> None:
    first = consumer(bootstrap, filled, group_instance_id="one")
    second = consumer(bootstrap, filled, group_instance_id="two")
    with closing(first):
        with closing(second):
            for each in (first, second):
                each.subscribe([filled])
            poll_until([first, second], lambda: len(first.assignment()) == len(second.assignment()) == 2)
            before = sorted(one.partition for one in second.assignment())
        second = consumer(bootstrap, filled, group_instance_id="two")
        with closing(second):
            second.subscribe([filled])
            poll_until([first, second], lambda: len(second.assignment()) == 2)
            assert sorted(one.partition for one in second.assignment()) == before
            assert len(first.assignment()) == 2


def test_a_member_that_dies_is_replaced(bootstrap: str, filled: str) -> None:
    program = (
        "import sys, time; from confluent_kafka import Consumer\n"
        "address, group = sys.argv[1:]\n"
        "c = Consumer({'bootstrap.servers': address, 'group.id': group, 'session.timeout.ms': 6000})\n"
        "c.subscribe([group])\n"
        "while not c.assignment(): c.poll(0.1)\n"
        "print('assigned', flush=True); time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, bootstrap, filled], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    one = consumer(bootstrap, filled)
    with closing(one):
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"assigned\n"
        finally:
            process.kill()
            process.communicate()
        one.subscribe([filled])
        assert sorted(read(one, 100)) == list(range(100))


def test_administrators_see_and_delete_groups(bootstrap: str, filled: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    one = consumer(bootstrap, filled)
    with closing(one):
        one.subscribe([filled])
        read(one, 100)
        one.commit(asynchronous=False)
        described = admin.describe_consumer_groups([filled])[filled].result(SECONDS_MAX)
        assert (described.state.name, len(described.members)) == ("STABLE", 1)
        assert len(described.members[0].assignment.topic_partitions) == PARTITIONS
        failed = admin.delete_consumer_groups([filled])[filled].exception(SECONDS_MAX)
        assert "not empty" in str(failed).lower()
    listed = admin.list_consumer_groups().result(SECONDS_MAX)
    assert filled in {group.group_id for group in listed.valid}
    assert listed.errors == []
    other = KafkaAdminClient(bootstrap_servers=bootstrap)
    offsets = other.list_group_offsets([filled])[filled]
    assert sorted((partition.partition, at.offset) for partition, at in offsets.items()) == [
        (index, 25) for index in range(PARTITIONS)
    ]
    other.close()
    admin.delete_consumer_groups([filled])[filled].result(SECONDS_MAX)
    listed = admin.list_consumer_groups().result(SECONDS_MAX)
    assert filled not in {group.group_id for group in listed.valid}


def test_kafka_python_in_a_group(bootstrap: str, filled: str) -> None:
    def read_all(count: int) -> list[int]:
        one = KafkaConsumer(
            filled,
            bootstrap_servers=bootstrap,
            group_id=filled,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            consumer_timeout_ms=SECONDS_MAX * 1000,
        )
        numbers = []
        for record in one:
            numbers.append(int(record.value))
            if len(numbers) == count:
                break
        one.commit()
        one.close()
        return sorted(numbers)

    assert read_all(100) == list(range(100))
    fill(bootstrap, filled, range(100, 104))
    assert read_all(4) == list(range(100, 104))


async def test_aiokafka_in_a_group(bootstrap: str, filled: str) -> None:
    async def read_all(count: int) -> list[int]:
        async with AIOKafkaConsumer(
            filled,
            bootstrap_servers=bootstrap,
            group_id=filled,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        ) as one:
            records = [await asyncio.wait_for(one.getone(), SECONDS_MAX) for _ in range(count)]
            await one.commit()
            return sorted(int(record.value) for record in records)

    assert await read_all(100) == list(range(100))
    await asyncio.to_thread(fill, bootstrap, filled, range(100, 104))
    assert await read_all(4) == list(range(100, 104))


def test_groups_outlive_a_crash(tmp_path: Path) -> None:
    up = BarnabasUp(tmp_path / "data").start()
    try:
        fill(up.bootstrap, "t", range(100))
        one = consumer(up.bootstrap, "g")
        with closing(one):
            one.subscribe(["t"])
            read(one, 60)
            one.commit(asynchronous=False)
            before = [(at.partition, at.offset) for at in one.committed(places("t"), SECONDS_MAX)]
            up.kill()
            up.start()
            assert [(at.partition, at.offset) for at in one.committed(places("t"), SECONDS_MAX)] == before
            assert len(read(one, 40)) == 40
        assert up.stop() == 0
    finally:
        up.kill()


def places(topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, index) for index in range(PARTITIONS)]
