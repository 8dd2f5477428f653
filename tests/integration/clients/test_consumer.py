"""`barnabas.Consumer`: positions, seeks, isolation, and what others have written."""

import itertools
import threading

import confluent_kafka
import pytest

import barnabas
from barnabas.errors import NoOffset
from tests.integration.clients.topics import create, read_all, soon

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def fill(cluster: str, topic: str, count: int, **configs: object) -> None:
    """Values "0", "1", … with timestamps 1000, 1010, … in partition 0."""
    with barnabas.Producer(bootstrap_servers=cluster, **configs) as producer:
        for n in range(count):
            producer.produce(topic, str(n), partition=0, timestamp=1_000 + 10 * n)


def numbers(records: list[barnabas.Record]) -> list[int]:
    return [int(record.value or b"-1") for record in records]


@pytest.mark.parametrize("codec", CODECS)
def test_what_librdkafka_writes_is_read(cluster: str, topic: str, codec: str) -> None:
    create(cluster, topic, partitions=2)
    other = confluent_kafka.Producer({"bootstrap.servers": cluster, "compression.type": codec})
    for n in range(1_000):
        other.produce(topic, f"v{n}".encode(), str(n).encode(), headers=[("h", b"1"), ("h", None)])
    other.flush(30)
    records = read_all(cluster, topic, 1_000)
    assert {record.key: record.value for record in records} == {
        str(n).encode(): f"v{n}".encode() for n in range(1_000)
    }
    assert records[0].headers == [("h", b"1"), ("h", None)]


def test_max_records_and_small_fetches_lose_nothing(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    fill(cluster, topic, 3_000, batch_size=5_000)
    got: list[int] = []
    with barnabas.Consumer(
        bootstrap_servers=cluster, auto_offset_reset="earliest", max_partition_fetch_bytes=2_000
    ) as consumer:
        consumer.assign([(topic, 0)])
        while len(got) < 3_000:
            records = consumer.poll(30, max_records=7)
            assert 0 < len(records) <= 7
            got += numbers(records)
            assert consumer.position(topic, 0) == len(got)
    assert got == list(range(3_000))


def test_iteration_gives_all_records_in_order(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    fill(cluster, topic, 12_000)
    with barnabas.Consumer(bootstrap_servers=cluster, auto_offset_reset="earliest") as consumer:
        consumer.assign_topic(topic)
        assert numbers(list(itertools.islice(consumer, 12_000))) == list(range(12_000))


def test_seeks(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    fill(cluster, topic, 100)
    with barnabas.Consumer(bootstrap_servers=cluster, auto_offset_reset="earliest") as consumer:
        consumer.assign([barnabas.TopicPartition(topic, 0, 90)])
        assert numbers(consumer.poll(30)) == list(range(90, 100))
        consumer.seek(topic, 0, 42)
        assert numbers(consumer.poll(30, max_records=1)) == [42]
        consumer.seek_to_time(topic, 0, 1_695)
        assert numbers(consumer.poll(30, max_records=1)) == [70]
        consumer.seek_to_beginning(topic, 0)
        assert numbers(consumer.poll(30, max_records=1)) == [0]
        consumer.seek_to_end(topic, 0)
        assert consumer.position(topic, 0) == 100
        with pytest.raises(ValueError, match="not assigned"):
            consumer.seek(topic, 1, 0)


def test_offsets_can_be_asked_for(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    fill(cluster, topic, 100)
    with barnabas.Consumer(bootstrap_servers=cluster) as consumer:
        assert consumer.beginning_offset(topic, 0) == 0
        assert consumer.end_offset(topic, 0) == 100
        assert consumer.offset_for_time(topic, 0, 1_695) == (70, 1_700)
        assert consumer.offset_for_time(topic, 0, 10_000_000) is None


def test_a_position_out_of_range_follows_auto_offset_reset(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    fill(cluster, topic, 10)
    with barnabas.Consumer(bootstrap_servers=cluster, auto_offset_reset="earliest") as consumer:
        consumer.assign([(topic, 0, 5_000)])
        assert numbers(consumer.poll(30)) == list(range(10))
    with barnabas.Consumer(bootstrap_servers=cluster, auto_offset_reset="none") as consumer:
        consumer.assign([(topic, 0, 5_000)])
        with pytest.raises(NoOffset, match="out of range"):
            consumer.poll(30)


def test_a_paused_partition_gives_nothing_and_goes_on_where_it_was(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=2)
    fill(cluster, topic, 100)
    with barnabas.Consumer(bootstrap_servers=cluster, auto_offset_reset="earliest") as consumer:
        consumer.assign_topic(topic)
        assert numbers(consumer.poll(30, max_records=30)) == list(range(30))
        consumer.pause(topic, 0)
        assert consumer.paused() == [(topic, 0, None)]
        with barnabas.Producer(bootstrap_servers=cluster) as producer:
            producer.produce(topic, b"1000", partition=1)
        assert numbers(consumer.poll(30)) == [1_000]
        consumer.resume(topic, 0)
        assert numbers(consumer.poll(30)) == list(range(30, 100))


def test_readers_of_committed_records_see_no_aborted_ones(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    other = confluent_kafka.Producer({"bootstrap.servers": cluster, "transactional.id": topic})
    other.init_transactions(30)
    for n in range(20):
        other.begin_transaction()
        other.produce(topic, str(n).encode())
        other.flush(30)  # Else an abort takes back what was not sent yet.
        (other.commit_transaction if n % 3 else other.abort_transaction)(30)
    committed = [n for n in range(20) if n % 3]
    records = read_all(cluster, topic, len(committed), isolation_level="read_committed")
    assert numbers(records) == committed
    assert numbers(read_all(cluster, topic, 20)) == list(range(20))
    for isolation in ("read_committed", "read_uncommitted"):
        with barnabas.Consumer(
            bootstrap_servers=cluster, auto_offset_reset="earliest", isolation_level=isolation
        ) as consumer:
            consumer.assign_topic(topic)
            seen = 0
            while seen < (len(committed) if isolation == "read_committed" else 20):
                seen += len(consumer.poll(30))
            # Behind the last record there is a marker, which is passed too.
            assert soon(lambda consumer=consumer: consumer.poll(0.05) == [] and at_end(consumer, topic))


def at_end(consumer: barnabas.Consumer, topic: str) -> bool:
    return consumer.position(topic, 0) == consumer.end_offset(topic, 0)


def test_an_interceptor_sees_what_is_given_and_loses_nothing(bootstrap: str, topic: str) -> None:
    create(bootstrap, topic, partitions=1)
    fill(bootstrap, topic, 6)
    shown: list[list[int]] = []

    def even(records: list[barnabas.Record]) -> list[barnabas.Record] | None:
        shown.append(numbers(records))
        if len(shown) == 1:
            raise ZeroDivisionError
        return records[::2] if len(shown) == 2 else None

    with barnabas.Consumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", on_consume=even
    ) as consumer:
        consumer.assign_topic(topic)
        assert numbers(consumer.poll(30, max_records=2)) == [0, 1]
        assert numbers(consumer.poll(30, max_records=3)) == [2, 4]
        assert numbers([next(iter(consumer))]) == [5]
    assert shown == [[0, 1], [2, 3, 4], [5]]


def test_latest_sees_what_is_written_from_now_on(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    fill(cluster, topic, 10)
    with barnabas.Consumer(bootstrap_servers=cluster) as consumer:
        consumer.assign_topic(topic)
        assert consumer.position(topic, 0) == 10
        writer = threading.Thread(target=fill, args=(cluster, topic, 3))
        writer.start()
        got: list[int] = []
        while len(got) < 3:
            got += numbers(consumer.poll(30))
        writer.join()
    assert got == [0, 1, 2]
