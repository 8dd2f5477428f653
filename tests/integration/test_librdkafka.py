"""librdkafka (confluent-kafka): produce, consume by assignment, admin."""

import functools
import time
from collections.abc import Iterable

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

SECONDS_MAX = 30
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


@functools.cache
def admin(bootstrap: str) -> AdminClient:
    """One client for all tests: its futures end with it."""
    return AdminClient({"bootstrap.servers": bootstrap})


def create(bootstrap: str, topic: str, partitions: int = 1, **config: str) -> None:
    names = {name.replace("_", "."): value for name, value in config.items()}
    [future] = admin(bootstrap).create_topics([NewTopic(topic, partitions, 1, config=names)]).values()
    future.result(SECONDS_MAX)


def produce(
    bootstrap: str,
    topic: str,
    records: Iterable[tuple[bytes | None, bytes]],
    partition: int = 0,
    **config: object,
) -> list[Message]:
    """Sends the records and waits for each; the delivered messages in order."""
    delivered: list[Message] = []
    errors: list[KafkaError] = []

    def done(error: KafkaError | None, message: Message) -> None:
        if error is None:
            delivered.append(message)
        else:
            errors.append(error)

    settings = {name.replace("_", "."): value for name, value in config.items()}
    producer = Producer({"bootstrap.servers": bootstrap, **settings})
    for key, value in records:
        producer.produce(topic, value, key, partition=partition, on_delivery=done, headers=[("h", b"1")])
    assert producer.flush(SECONDS_MAX) == 0
    assert not errors
    return delivered


def consume(
    bootstrap: str, topic: str, count: int, partition: int = 0, offset: int = OFFSET_BEGINNING
) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, offset)])
    messages: list[Message] = []
    deadline = time.monotonic() + SECONDS_MAX
    while len(messages) < count and time.monotonic() < deadline:
        batch = consumer.consume(count - len(messages), 0.5)
        assert not [message.error() for message in batch if message.error()]
        messages += batch
    consumer.close()
    return messages


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_what_was_produced_is_consumed(bootstrap: str, topic: str, codec: str, acks: str) -> None:
    create(bootstrap, topic)
    records = [(f"key-{i}".encode(), f"value-{i}".encode() * 20) for i in range(1000)]
    produce(bootstrap, topic, records, acks=acks, compression_type=codec)
    messages = consume(bootstrap, topic, 1000)
    assert [(m.key(), m.value()) for m in messages] == records
    assert [m.offset() for m in messages] == list(range(1000))
    assert messages[0].headers() == [("h", b"1")]


@pytest.mark.parametrize("codec", CODECS[1:])
def test_the_broker_recompresses_to_the_topics_codec(bootstrap: str, topic: str, codec: str) -> None:
    create(bootstrap, topic, compression_type=codec)
    records = [(None, b"x" * 100)] * 500
    produce(bootstrap, topic, records, compression_type="none", linger_ms=50)
    assert [m.value() for m in consume(bootstrap, topic, 500)] == [b"x" * 100] * 500


def test_an_idempotent_producer_writes_once(bootstrap: str, topic: str) -> None:
    create(bootstrap, topic)
    records = [(None, str(i).encode()) for i in range(5000)]
    delivered = produce(bootstrap, topic, records, enable_idempotence=True, acks="all", linger_ms=1)
    assert sorted(m.offset() for m in delivered) == list(range(5000))
    assert [m.value() for m in consume(bootstrap, topic, 5000)] == [value for _, value in records]


def test_a_topic_is_created_by_its_first_use(bootstrap: str, topic: str) -> None:
    [message] = produce(bootstrap, topic, [(None, b"first")])
    assert message.offset() == 0
    assert [m.value() for m in consume(bootstrap, topic, 1)] == [b"first"]


def test_topics_are_created_described_extended_and_deleted(bootstrap: str, topic: str) -> None:
    create(bootstrap, topic, partitions=3)
    client = admin(bootstrap)
    description = client.list_topics(topic, timeout=SECONDS_MAX).topics[topic]
    assert sorted(description.partitions) == [0, 1, 2]
    with pytest.raises(KafkaException) as refused:
        create(bootstrap, topic)
    assert refused.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
    [extended] = client.create_partitions([NewPartitions(topic, 5)]).values()
    extended.result(SECONDS_MAX)
    assert len(client.list_topics(topic, timeout=SECONDS_MAX).topics[topic].partitions) == 5
    [deleted] = client.delete_topics([topic]).values()
    deleted.result(SECONDS_MAX)
    assert topic not in client.list_topics(timeout=SECONDS_MAX).topics


def test_configs_are_altered_and_described(bootstrap: str, topic: str) -> None:
    create(bootstrap, topic, retention_ms="1000")
    client = admin(bootstrap)
    resource = ConfigResource(
        ResourceType.TOPIC,
        topic,
        incremental_configs=[
            ConfigEntry("segment.bytes", "1048576", incremental_operation=AlterConfigOpType.SET),
            ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE),
        ],
    )
    [altered] = client.incremental_alter_configs([resource]).values()
    altered.result(SECONDS_MAX)
    [described] = client.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    entries = described.result(SECONDS_MAX)
    assert entries["segment.bytes"].value == "1048576"
    assert entries["retention.ms"].value == "604800000"
    assert entries["retention.ms"].is_default


def test_offsets_are_listed_and_records_deleted(bootstrap: str, topic: str) -> None:
    create(bootstrap, topic)
    produce(bootstrap, topic, [(None, str(i).encode()) for i in range(100)])
    client = admin(bootstrap)
    partition = TopicPartition(topic, 0)

    def offset(spec: OffsetSpec) -> int:
        level = IsolationLevel.READ_UNCOMMITTED
        [future] = client.list_offsets({partition: spec}, isolation_level=level).values()
        return int(future.result(SECONDS_MAX).offset)

    assert (offset(OffsetSpec.earliest()), offset(OffsetSpec.latest())) == (0, 100)
    [deleted] = client.delete_records([TopicPartition(topic, 0, 40)]).values()
    assert deleted.result(SECONDS_MAX).low_watermark == 40
    assert offset(OffsetSpec.earliest()) == 40
    assert consume(bootstrap, topic, 60)[0].offset() == 40


def test_the_cluster_is_described(bootstrap: str) -> None:
    cluster = admin(bootstrap).describe_cluster().result(SECONDS_MAX)
    assert len(cluster.cluster_id) == 22
    assert [f"{node.host}:{node.port}" for node in cluster.nodes] == [bootstrap]
    assert cluster.controller.id == cluster.nodes[0].id
