"""Clients that are given serdes: what they write and read, and what becomes of what can't be read."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

import barnabas
from barnabas import aio, serde
from barnabas.clients.admin.configs import ConfigResource
from barnabas.clients.share_consumer import AcknowledgeType
from barnabas.retries import Retrying
from barnabas.testing import Kafka

POLL_SECONDS = 30.0
READS: dict[str, Any] = {
    "key_deserializer": "org.apache.kafka.common.serialization.StringDeserializer",
    "value_deserializer": serde.Json,
    "auto_offset_reset": "earliest",
}
BROKEN: list[Any] = [("a", {"n": 0}), ("b", "no json"), ("c", {"n": 2}), ("d", None)]


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    with Kafka() as broker:
        yield broker


def test_what_was_written_is_read(kafka: Kafka) -> None:
    kafka.topic("written", partitions=1)
    seen: list[object] = []
    with barnabas.Producer(
        bootstrap_servers=kafka.bootstrap,
        key_serializer=serde.Long(),
        value_serializer=lambda value: json.dumps(value).encode(),
        on_send=lambda record: seen.append(record.value),
    ) as producer:
        assert producer.send("written", {"n": 1}, key=7, headers={"h": "1"}).result(POLL_SECONDS).offset == 0
        producer.produce("written", None, key=8)
        with pytest.raises(
            serde.SerializationError, match="the key of a record for written can't be written"
        ):
            producer.produce("written", 1, key="nine")
    assert seen == [{"n": 1}, None, 1]
    kafka.assert_topic("written", [(b"\0\0\0\0\0\0\0\7", {"n": 1}), (b"\0\0\0\0\0\0\0\x08", None)])
    with barnabas.Consumer(
        {"key.deserializer": "long", "value.deserializer": json.loads},
        bootstrap_servers=kafka.bootstrap,
        auto_offset_reset="earliest",
    ) as consumer:
        consumer.assign_topic("written")
        first, second = itertools.islice(consumer, 2)
        assert (first.key, first.value, first.headers) == (7, {"n": 1}, [("h", b"1")])
        assert (second.key, second.value, second.offset, second.leader_epoch) == (8, None, 1, 0)


@pytest.mark.parametrize("group", [None, "passing-over"])
def test_a_record_that_can_not_be_read_is_passed_over_by_seek(kafka: Kafka, group: str | None) -> None:
    topic = f"broken-{group}"
    kafka.topic(topic, BROKEN)
    with barnabas.Consumer(bootstrap_servers=kafka.bootstrap, group_id=group, **READS) as consumer:
        if group:
            consumer.subscribe(topic)
        else:
            consumer.assign_topic(topic)
        assert [record.value for record in consumer.poll(POLL_SECONDS)] == [{"n": 0}]
        for _ in range(2):  # Until somebody does something about it.
            with pytest.raises(
                serde.RecordDeserializationError, match=r"@1 can't be read.*seek\(\)"
            ) as caught:
                consumer.poll(POLL_SECONDS)
            assert consumer.position(topic, 0) == 1
        error = caught.value
        assert (error.what, error.topic, error.partition, error.offset) == ("value", topic, 0, 1)
        assert (error.record.key, error.record.value) == (b"b", b"no json")
        consumer.seek(error.topic, error.partition, error.offset + 1)
        rest: list[Any] = []
        while len(rest) < 2:
            rest += consumer.poll(POLL_SECONDS)
        assert [(record.key, record.value) for record in rest] == [("c", {"n": 2}), ("d", None)]
        if group:
            consumer.commit(rest[0])
            assert consumer.committed([(topic, 0)])[barnabas.TopicPartition(topic, 0)].offset == 3  # type: ignore[union-attr]


def test_iteration_commits_nothing_that_could_not_be_read(kafka: Kafka) -> None:
    kafka.topic("iterated", BROKEN)
    with barnabas.Consumer(bootstrap_servers=kafka.bootstrap, group_id="iterated", **READS) as consumer:
        consumer.subscribe("iterated")
        records = iter(consumer)
        assert next(records).key == "a"
        with pytest.raises(serde.RecordDeserializationError):
            next(records)
        consumer.commit()
        place = barnabas.TopicPartition("iterated", 0)
        committed = consumer.committed([("iterated", 0)])[place]
        assert committed is not None
        assert committed.offset == 1


async def test_asyncio_writes_and_reads_the_same(kafka: Kafka) -> None:
    await kafka.aio.topic("awaited")
    async with aio.Producer(
        bootstrap_servers=kafka.bootstrap, key_serializer="string", value_serializer=serde.Json()
    ) as producer:
        await producer.send("awaited", {"n": 0}, key="a")
        await (await producer.produce("awaited", {"n": 1}, key="b"))
    await kafka.aio.produce("awaited", "no json", {"n": 3})
    async with aio.Consumer(bootstrap_servers=kafka.bootstrap, **READS) as consumer:
        await consumer.assign_topic("awaited")
        found: list[Any] = []
        while len(found) < 3:
            try:
                found += await asyncio.wait_for(consumer.poll(POLL_SECONDS), 60)
            except serde.RecordDeserializationError as error:
                consumer.seek(error.topic, error.partition, error.offset + 1)
        assert [(record.key, record.value["n"]) for record in found] == [("a", 0), ("b", 1), (None, 3)]


@pytest.mark.parametrize("mode", ["implicit", "explicit"])
def test_share_consumers_go_on_behind_what_can_not_be_read(kafka: Kafka, mode: str) -> None:
    topic, group = f"jobs-{mode}", f"workers-{mode}"
    kafka.topic(topic, BROKEN[:3])
    with barnabas.Admin(bootstrap_servers=kafka.bootstrap) as admin:
        admin.alter_configs({ConfigResource.group(group): {"share.auto.offset.reset": "earliest"}})
    done: list[str] = []
    counts: list[int | None] = []
    with barnabas.ShareConsumer(
        bootstrap_servers=kafka.bootstrap,
        group_id=group,
        share_acknowledgement_mode=mode,
        key_deserializer="string",
        value_deserializer="json",
    ) as consumer:
        consumer.subscribe(topic)
        # Implicitly it is released, as by Java's client, and comes again until it has come five times.
        while len(done) < 2 or len(counts) < (5 if mode == "implicit" else 1):
            try:
                for record in consumer.poll(POLL_SECONDS):
                    done.append(record.key)
                    if mode == "explicit":
                        consumer.acknowledge(record)
            except serde.RecordDeserializationError as error:
                counts.append(error.record.delivery_count)  # type: ignore[attr-defined]
                if mode == "explicit":
                    place = (error.topic, error.partition, error.offset)
                    consumer.acknowledge(place, AcknowledgeType.REJECT)
        assert list(consumer.commit(POLL_SECONDS).values()) in ([], [None])
    assert sorted(done) == ["a", "c"]
    assert counts == [*range(1, len(counts) + 1)]


def test_what_hands_records_on_takes_no_serdes() -> None:
    with pytest.raises(ValueError, match="hands records on as the bytes that they are"):
        Retrying(print, "orders", group_id="g", consumer={"value.deserializer": "json"})
