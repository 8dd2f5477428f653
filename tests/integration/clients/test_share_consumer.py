"""`barnabas.ShareConsumer`, and the one for asyncio."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

import barnabas
from barnabas import AcknowledgeType, aio
from barnabas.clients.admin.configs import ConfigResource
from barnabas.config.errors import UnknownConfig
from tests.integration.clients.topics import create

SECONDS_MAX = 60


def prepare(cluster: str, topic: str, count: int, *, partitions: int = 1) -> None:
    """A topic with values "0", "1", …, and a group of its name that begins with the first."""
    create(cluster, topic, partitions=partitions)
    with barnabas.Admin(bootstrap_servers=cluster) as admin:
        admin.alter_configs({ConfigResource.group(topic): {"share.auto.offset.reset": "earliest"}})
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        for n in range(count):
            producer.produce(topic, str(n), partition=n % partitions)


def member(cluster: str, topic: str, **configs: Any) -> barnabas.ShareConsumer:
    """A member of the group that has the topic's name."""
    consumer = barnabas.ShareConsumer(bootstrap_servers=cluster, group_id=topic, **configs)
    consumer.subscribe(topic)
    return consumer


def values(records: Iterable[barnabas.Record]) -> list[int]:
    return [int(record.value or b"-1") for record in records]


def poll_until(
    consumer: barnabas.ShareConsumer,
    done: Callable[[list[barnabas.Record]], bool],
    each: Callable[[barnabas.Record], object] = lambda _: None,
) -> list[barnabas.Record]:
    """What it gives until that is enough."""
    records: list[barnabas.Record] = []
    end = time.monotonic() + SECONDS_MAX
    while not done(records):
        assert time.monotonic() < end, values(records)
        for record in consumer.poll(0.2):
            records.append(record)
            each(record)
    return records


def test_asking_for_more_accepts_what_came_before(cluster: str, topic: str) -> None:
    prepare(cluster, topic, 90, partitions=3)
    with member(cluster, topic, max_poll_records=20) as first:
        records = poll_until(first, lambda records: len(records) == 90)
        assert sorted(values(records)) == list(range(90))
        assert {record.delivery_count for record in records} == {1}
        assert first.acquisition_lock_timeout_ms == 30_000
        assert set(first.commit().values()) == {None}
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        producer.produce(topic, "90", partition=0)
    with member(cluster, topic) as second:
        assert values(poll_until(second, bool)) == [90]


def test_what_is_not_committed_goes_to_others_when_a_member_closes(bootstrap: str, topic: str) -> None:
    prepare(bootstrap, topic, 10)
    with member(bootstrap, topic) as first:
        records = poll_until(first, bool)
        first.commit()
        with barnabas.Producer(bootstrap_servers=bootstrap) as producer:
            producer.produce(topic, "10")
        assert values(records) == list(range(10))
        assert values(poll_until(first, bool)) == [10]
    with member(bootstrap, topic) as second:
        again = poll_until(second, bool)
        assert [(int(record.value or b""), record.delivery_count) for record in again] == [(10, 2)]


def test_each_record_is_accepted_released_or_rejected(cluster: str, topic: str) -> None:
    prepare(cluster, topic, 9)
    told: list[tuple[list[int], Exception | None]] = []
    consumer = member(cluster, topic, share_acknowledgement_mode="explicit")
    consumer.set_acknowledgement_commit_callback(lambda _, offsets, error: told.append((offsets, error)))
    with consumer:
        first = poll_until(consumer, lambda records: len(records) == 9)
        with pytest.raises(RuntimeError, match="9 records are not acknowledged"):
            consumer.poll()
        words = [AcknowledgeType.ACCEPT, AcknowledgeType.RELEASE, AcknowledgeType.REJECT]
        for record in first:
            consumer.acknowledge(record, words[record.offset % 3])
        assert consumer.commit() == {barnabas.TopicPartition(topic, 0): None}
        with pytest.raises(ValueError, match="acknowledged already"):
            consumer.acknowledge(first[0])
        again = poll_until(consumer, lambda records: len(records) == 3, consumer.acknowledge)
        assert [(record.offset, record.delivery_count) for record in again] == [(1, 2), (4, 2), (7, 2)]
    assert sorted(offset for offsets, error in told for offset in offsets if error is None) == sorted(
        [*range(9), 1, 4, 7]
    )


def test_a_lock_is_renewed_and_its_record_is_the_members_until_it_says_more(cluster: str, topic: str) -> None:
    prepare(cluster, topic, 2)
    place = barnabas.TopicPartition(topic, 0)
    with member(cluster, topic, share_acknowledgement_mode="explicit") as consumer:
        slow, quick = poll_until(consumer, lambda records: len(records) == 2)
        consumer.acknowledge(slow, "renew")
        consumer.acknowledge(quick)
        assert consumer.commit() == {place: None}
        assert consumer.poll() == []
        consumer.acknowledge((topic, 0, slow.offset))
        assert consumer.commit() == {place: None}
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        producer.produce(topic, "2")
    with member(cluster, topic) as other:
        assert values(poll_until(other, bool)) == [2]


def test_members_share_a_partition_and_none_gets_what_another_has(bootstrap: str, topic: str) -> None:
    prepare(bootstrap, topic, 100)
    configs: dict[str, Any] = {"max_poll_records": 7, "share_acquire_mode": "record_limit"}
    with member(bootstrap, topic, **configs) as first, member(bootstrap, topic, **configs) as second:
        seen: list[list[int]] = [[], []]
        end = time.monotonic() + SECONDS_MAX
        while len(seen[0]) + len(seen[1]) < 100:
            assert time.monotonic() < end, seen
            for consumer, mine in zip((first, second), seen, strict=True):
                came = values(consumer.poll(0.05))
                assert len(came) <= 7
                mine += came
        assert sorted(seen[0] + seen[1]) == list(range(100))
        assert seen[0]
        assert seen[1]


def test_iteration_accepts_nothing_that_it_has_not_given_out(bootstrap: str, topic: str) -> None:
    prepare(bootstrap, topic, 20)
    with member(bootstrap, topic) as consumer:
        for record in consumer:
            if record.offset == 4:
                break
        consumer.commit()
    with member(bootstrap, topic) as other:
        assert values(poll_until(other, lambda records: len(records) == 15)) == list(range(5, 20))


def test_a_topic_can_be_left_and_another_taken(bootstrap: str, topic: str) -> None:
    prepare(bootstrap, topic, 3)
    create(bootstrap, f"{topic}-b", partitions=1)
    with barnabas.Producer(bootstrap_servers=bootstrap) as producer:
        producer.produce(f"{topic}-b", "7")
    with member(bootstrap, topic) as consumer:
        assert values(poll_until(consumer, lambda records: len(records) == 3)) == [0, 1, 2]
        consumer.subscribe([f"{topic}-b"])
        assert consumer.subscription() == [f"{topic}-b"]
        assert values(poll_until(consumer, bool)) == [7]
        consumer.unsubscribe()
        assert consumer.subscription() == []
        consumer.subscribe([f"{topic}-b"])
        assert values(poll_until(consumer, bool)) == [7]


def test_records_are_taken_in_a_loop(bootstrap: str, topic: str) -> None:
    prepare(bootstrap, topic, 30)

    async def read() -> list[int]:
        seen = []
        async with aio.ShareConsumer(
            bootstrap_servers=bootstrap, group_id=topic, share_acknowledgement_mode="explicit"
        ) as consumer:
            consumer.subscribe(topic)
            async for record in consumer:
                consumer.acknowledge(record)
                seen.append(int(record.value or b"-1"))
                if len(seen) == 30:
                    assert await consumer.commit() == {barnabas.TopicPartition(topic, 0): None}
                    assert await consumer.poll(0.0) == []
                    return seen
        return seen

    assert asyncio.run(read()) == list(range(30))


def test_configs_of_other_consumers_are_refused() -> None:
    with pytest.raises(UnknownConfig):
        barnabas.ShareConsumer(group_id="g", bootstrap_servers="localhost:1", auto_offset_reset="earliest")
