"""Transactions of Python's clients: what is committed is read whole, what is aborted is not, fenced producers
write nothing, and offsets are committed with the records that were made of what they say was read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import ProducerFenced as AioProducerFenced
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaConsumer, KafkaProducer

SECONDS_MAX = 30


@pytest.fixture
def create(bootstrap: str) -> Callable[..., None]:
    admin = AdminClient({"bootstrap.servers": bootstrap})

    def make(*names: str, partitions: int = 2) -> None:
        for future in admin.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
            future.result(SECONDS_MAX)

    return make


def read(bootstrap: str, topic: str, isolation: str, partitions: int = 2) -> list[str]:
    """All that a consumer of this isolation level sees, in order."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "nobody",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, index, 0) for index in range(partitions)])
    seen: list[str] = []
    ends = 0
    while ends < partitions:
        message = consumer.poll(SECONDS_MAX)
        assert message is not None, f"no end of {topic}: {seen}"
        if message.error() is None:
            seen.append(message.value().decode())
        else:
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            ends += 1
    consumer.close()
    return sorted(seen)


def transactional(bootstrap: str, transactional_id: str, **config: object) -> Producer:
    producer = Producer(
        {"bootstrap.servers": bootstrap, "transactional.id": transactional_id, "linger.ms": 0, **config}
    )
    producer.init_transactions(SECONDS_MAX)
    return producer


def test_librdkafka(bootstrap: str, topic: str, create: Callable[..., None]) -> None:
    create(topic)
    producer = transactional(bootstrap, topic)
    for number in range(6):
        producer.begin_transaction()
        for index in range(4):
            producer.produce(topic, f"{number}-{index}".encode(), partition=index % 2)
        producer.flush(SECONDS_MAX)
        if number % 2:
            producer.abort_transaction(SECONDS_MAX)
        else:
            producer.commit_transaction(SECONDS_MAX)
    committed = [f"{number}-{index}" for number in (0, 2, 4) for index in range(4)]
    assert read(bootstrap, topic, "read_committed") == committed
    everything = [f"{number}-{index}" for number in range(6) for index in range(4)]
    assert read(bootstrap, topic, "read_uncommitted") == everything


def test_fenced_producer_writes_nothing(bootstrap: str, topic: str, create: Callable[..., None]) -> None:
    create(topic)
    zombie = transactional(bootstrap, topic)
    zombie.begin_transaction()
    zombie.produce(topic, b"of the zombie", partition=0)
    zombie.flush(SECONDS_MAX)
    producer = transactional(bootstrap, topic)
    producer.begin_transaction()
    producer.produce(topic, b"of its successor", partition=0)
    producer.commit_transaction(SECONDS_MAX)
    zombie.produce(topic, b"too late", partition=1)
    with pytest.raises(KafkaException) as caught:
        zombie.commit_transaction(SECONDS_MAX)
    assert caught.value.args[0].fatal()
    assert read(bootstrap, topic, "read_committed") == ["of its successor"]
    assert "too late" not in read(bootstrap, topic, "read_uncommitted")


def test_consume_transform_produce(bootstrap: str, topic: str, create: Callable[..., None]) -> None:
    """Each record is read in one transaction that commits; those before it abort."""
    source, target = f"{topic}-in", f"{topic}-out"
    create(source, target, partitions=1)
    plain = Producer({"bootstrap.servers": bootstrap})
    for number in range(12):
        plain.produce(source, str(number).encode(), partition=0)
    plain.flush(SECONDS_MAX)
    attempt, done = 0, 0
    producer = transactional(bootstrap, topic)
    while done < 12:
        attempt += 1
        consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": topic,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe([source])
        messages = []
        while not messages:
            messages = consumer.consume(3, SECONDS_MAX)
        assert int(messages[0].value()) == done, "an offset was lost, or committed with what was aborted"
        producer.begin_transaction()
        for message in messages:
            producer.produce(target, message.value() + b"!", partition=0)
        offsets = consumer.position(consumer.assignment())
        producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), SECONDS_MAX)
        if attempt % 2:
            producer.abort_transaction(SECONDS_MAX)
        else:
            producer.commit_transaction(SECONDS_MAX)
            done += len(messages)
        consumer.close()
    assert read(bootstrap, target, "read_committed", 1) == sorted(f"{number}!" for number in range(12))


async def test_aiokafka(bootstrap: str, topic: str, create: Callable[..., None]) -> None:
    create(topic)
    first = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic)
    await first.start()
    async with first.transaction():
        await first.send_and_wait(topic, b"committed", partition=0)
    await first.begin_transaction()
    await first.send_and_wait(topic, b"aborted", partition=1)
    await first.abort_transaction()
    second = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic)
    await second.start()
    with pytest.raises(AioProducerFenced):
        async with first.transaction():
            await first.send_and_wait(topic, b"fenced", partition=0)
    async with second.transaction():
        await second.send_and_wait(topic, b"of its successor", partition=0)
    await second.stop()
    await first.stop()
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        group_id=None,
    )
    async with consumer:
        seen = [(await asyncio.wait_for(consumer.getone(), SECONDS_MAX)).value for _ in range(2)]
    assert seen == [b"committed", b"of its successor"]
    assert "fenced" not in read(bootstrap, topic, "read_uncommitted")


def test_kafka_python(bootstrap: str, topic: str, create: Callable[..., None]) -> None:
    create(topic)
    producer = KafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic, acks="all")
    producer.init_transactions()
    for number in range(4):
        producer.begin_transaction()
        for index in range(2):
            producer.send(topic, f"{number}-{index}".encode(), partition=index)
        if number % 2:
            producer.abort_transaction()
        else:
            producer.commit_transaction()
    producer.close()
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        group_id=None,
        consumer_timeout_ms=SECONDS_MAX * 1000,
    )
    seen = sorted(next(consumer).value.decode() for _ in range(4))
    consumer.close()
    assert seen == ["0-0", "0-1", "2-0", "2-1"]
    assert read(bootstrap, topic, "read_committed") == seen
