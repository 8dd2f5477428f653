"""What consumers say of their commits, and clients of themselves."""

import time
from collections.abc import Iterator

import pytest

import barnabas
from barnabas import OffsetAndMetadata, TopicPartition, aio
from barnabas.errors import KafkaError, OffsetMetadataTooLarge
from barnabas.testing import ApiKey, ErrorCode, Kafka

SECONDS = 60.0
Heard = list[tuple[Exception | None, dict[TopicPartition, OffsetAndMetadata]]]


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    with Kafka() as broker:
        yield broker


def read(consumer: barnabas.Consumer, count: int) -> None:
    end = time.monotonic() + SECONDS
    done = 0
    while done < count:
        assert time.monotonic() < end
        done += len(consumer.poll(1.0))


def test_commits_of_all_kinds_are_heard_of(kafka: Kafka) -> None:
    kafka.topic("heard", ["a", "b", "c"])
    heard: Heard = []
    place = TopicPartition("heard", 0)
    with barnabas.Consumer(
        bootstrap_servers=kafka.bootstrap,
        group_id="heard",
        auto_offset_reset="earliest",
        auto_commit_interval_ms=0,
        on_commit=lambda error, offsets: heard.append((error, offsets)),
    ) as consumer:
        consumer.subscribe("heard")
        read(consumer, 3)
        end = time.monotonic() + SECONDS
        while not heard:  # The automatic one.
            assert time.monotonic() < end
            consumer.poll(0.1)
        assert heard[-1][0] is None
        assert heard[-1][1][place].offset == 3
        consumer.commit({place: OffsetAndMetadata(1, metadata="mine")})
        assert (None, {place: OffsetAndMetadata(1, -1, "mine")}) in heard
        with pytest.raises(OffsetMetadataTooLarge):
            consumer.commit({place: OffsetAndMetadata(1, metadata="x" * 10_000)})
        failed = [error for error, _ in heard if error is not None]
        assert [type(error) for error in failed] == [OffsetMetadataTooLarge]
        heard.clear()
    # The one of the end.
    assert [offsets[place].offset for error, offsets in heard if error is None][-1:] == [3]


def test_an_automatic_commit_that_fails_is_heard_of(kafka: Kafka) -> None:
    kafka.topic("refused", ["a"])
    heard: Heard = []

    def hear(error: Exception | None, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        heard.append((error, offsets))
        raise ValueError("a listener's own mistake is logged")

    consumer = barnabas.Consumer(
        bootstrap_servers=kafka.bootstrap,
        group_id="refused",
        auto_offset_reset="earliest",
        auto_commit_interval_ms=0,
        on_commit=hear,
    )
    consumer.subscribe("refused")
    with kafka.faults.error(ApiKey.OFFSET_COMMIT, ErrorCode.TOPIC_AUTHORIZATION_FAILED, times=None):
        end = time.monotonic() + SECONDS
        while not heard:
            assert time.monotonic() < end
            consumer.poll(0.1)
    consumer.close()
    error, offsets = heard[0]
    assert isinstance(error, KafkaError)
    assert error.error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED
    assert offsets[TopicPartition("refused", 0)].offset in (0, 1)


def test_figures_are_those_of_kafkas_clients(kafka: Kafka) -> None:
    kafka.topic("counted", partitions=1)
    with barnabas.Producer(bootstrap_servers=kafka.bootstrap) as producer:
        assert producer.metrics()["record-send-total"] == 0
        for _ in range(2):
            for _ in range(50):
                producer.produce("counted", b"x" * 100)
            producer.flush()
        figures = producer.metrics()
    assert figures["record-send-total"] == 100
    assert figures["record-error-total"] == figures["record-retry-total"] == 0
    assert 100 * 100 < figures["byte-total"] < figures["outgoing-byte-total"]
    assert figures["batch-size-max"] <= figures["byte-total"]
    assert figures["connection-count"] >= 1
    assert figures["request-latency-max"] >= figures["request-latency-avg"] >= 0
    assert figures["buffer-available-bytes"] == figures["buffer-total-bytes"] == 32 << 20

    with barnabas.Consumer(
        bootstrap_servers=kafka.bootstrap, group_id="counted", auto_offset_reset="earliest"
    ) as consumer:
        assert consumer.metrics()["records-lag-max"] != consumer.metrics()["records-lag-max"]  # Not a number.
        consumer.subscribe("counted")
        records = []
        while not records:
            records = consumer.poll(1.0, max_records=10)
        figures = consumer.metrics()
        assert (figures["records-consumed-total"], figures["records-lag-max"]) == (10, 90)
        assert 10 * 100 < figures["bytes-consumed-total"] < 20 * 100
        read(consumer, 90)
        consumer.commit()
        figures = consumer.metrics()
    assert (figures["records-consumed-total"], figures["records-lag-max"]) == (100, 0)
    assert (figures["assigned-partitions"], figures["rebalance-total"]) == (1, 1)
    assert (figures["join-total"] >= 1, figures["sync-total"] >= 1, figures["commit-total"] >= 1) == (
        True,
    ) * 3
    assert figures["fetch-total"] >= 1
    assert figures["incoming-byte-total"] > figures["bytes-consumed-total"]


def test_what_is_sent_again_or_given_up_is_counted(kafka: Kafka) -> None:
    kafka.topic("again")
    with barnabas.Producer(bootstrap_servers=kafka.bootstrap) as producer:
        kafka.faults.error(ApiKey.PRODUCE, ErrorCode.NOT_LEADER_OR_FOLLOWER)
        producer.send("again", b"a").result(SECONDS)
        kafka.faults.error(ApiKey.PRODUCE, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
        with pytest.raises(KafkaError):
            producer.send("again", b"b").result(SECONDS)
        figures = producer.metrics()
    assert figures["record-retry-total"] == 1
    assert figures["record-error-total"] == 1
    assert figures["record-send-total"] == 3


async def test_asyncio_has_the_same(kafka: Kafka) -> None:
    await kafka.aio.topic("awaited")
    heard: Heard = []
    async with aio.Producer(bootstrap_servers=kafka.bootstrap) as producer:
        await producer.send("awaited", b"a")
        assert producer.metrics()["record-send-total"] == 1
    async with aio.Consumer(
        bootstrap_servers=kafka.bootstrap,
        group_id="awaited",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        on_commit=lambda error, offsets: heard.append((error, offsets)),
    ) as consumer:
        consumer.subscribe("awaited")
        async for record in consumer:
            await consumer.commit(record)
            break
        assert consumer.metrics()["records-consumed-total"] == 1
    assert [(error, offsets[TopicPartition("awaited", 0)].offset) for error, offsets in heard] == [(None, 1)]
