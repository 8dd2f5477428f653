"""Batches as columns: what `Consumer.batches` gives to Arrow, what `Producer.send_batch` takes from it."""

import datetime
from typing import Any

import numpy
import pyarrow as pa
import pytest

import barnabas
from barnabas._core import partition_of_key
from barnabas.errors import KafkaError
from tests.integration.clients.topics import create, read_all

KEYS = [b"a", None, b"", b"key that is longer than twelve bytes"]
VALUES = [None, b"v", b"value that is longer than twelve bytes", b""]
HEADERS: list[list[tuple[str, bytes | None]]] = [[], [("one", b"1")], [("two", None), ("three", b"3")], []]


def batches_of(bootstrap: str, topic: str, count: int, **configs: Any) -> list[barnabas.RecordBatch]:
    """The first `count` records of partition 0, as they come."""
    configs = {"auto_offset_reset": "earliest"} | configs
    found: list[barnabas.RecordBatch] = []
    with barnabas.Consumer(bootstrap_servers=bootstrap, **configs) as consumer:
        consumer.assign_topic(topic)
        batches = consumer.batches()
        while sum(map(len, found)) < count:
            found.append(next(batches))
    return found


def table(batches: list[barnabas.RecordBatch]) -> pa.Table:
    arrays = [pa.record_batch(batch) for batch in batches]
    for array in arrays:
        array.validate(full=True)
    return pa.Table.from_batches(arrays)


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_columns_hold_what_was_sent(cluster: str, topic: str, codec: str) -> None:
    create(cluster, topic, partitions=1)
    with barnabas.Producer(bootstrap_servers=cluster, compression_type=codec) as producer:
        for n in range(1_000):
            producer.produce(topic, VALUES[n % 4], KEYS[n % 4], timestamp=n, headers=HEADERS[n % 4])
    batches = batches_of(cluster, topic, 1_000)
    assert {(batch.topic, batch.partition) for batch in batches} == {(topic, 0)}
    columns = table(batches).to_pydict()
    assert columns["offset"] == list(range(1_000))
    epoch = datetime.datetime.fromtimestamp(0, datetime.UTC)
    assert columns["timestamp"] == [epoch + datetime.timedelta(milliseconds=n) for n in range(1_000)]
    assert columns["key"] == KEYS * 250
    assert columns["value"] == VALUES * 250
    read = [[(pair["key"], pair["value"]) for pair in headers] for headers in columns["headers"]]
    assert read == HEADERS * 250


def test_numbers_are_views_of_the_batch(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        producer.send_batch(topic, {"value": [b"x"] * 100, "timestamp": list(range(100))})
    (batch,) = batches_of(cluster, topic, 100)
    offsets = numpy.asarray(batch.offsets)
    assert offsets.dtype == numpy.int64
    assert not offsets.flags.owndata
    assert not offsets.flags.writeable
    timestamps = batch.timestamps
    del batch  # The views keep its memory.
    assert offsets.tolist() == timestamps.tolist() == list(range(100))


def test_batches_and_records_may_be_taken_in_turn(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        producer.send_batch(topic, [str(n) for n in range(100)])
    offsets: list[int] = []
    with barnabas.Consumer(bootstrap_servers=cluster, auto_offset_reset="earliest") as consumer:
        consumer.assign_topic(topic)
        while len(offsets) < 100:
            batch = consumer.poll_batch(10, max_records=7)
            offsets += batch.offsets if batch else []
            offsets += [record.offset for record in consumer.poll(0, max_records=3)]
            assert consumer.position(topic, 0) == offsets[-1] + 1
        assert consumer.poll_batch(0) is None
    assert offsets == list(range(100))


def test_a_batch_goes_out_as_it_came(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    copy = f"{topic}-copy"
    create(cluster, copy, partitions=1)
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        for n in range(100):
            producer.produce(topic, VALUES[n % 4], KEYS[n % 4], timestamp=n, headers=HEADERS[n % 4])
        producer.flush(30)
        batches = batches_of(cluster, topic, 100)
        assert sum(producer.send_batch(copy, batch) for batch in batches) == 100
    assert table(batches_of(cluster, copy, 100)) == table(batches)


@pytest.mark.parametrize(
    "kind",
    [pa.binary(), pa.large_binary(), pa.binary_view(), pa.string(), pa.large_string(), pa.string_view()],
    ids=str,
)
def test_all_layouts_of_bytes_are_taken(cluster: str, topic: str, kind: pa.DataType) -> None:
    create(cluster, topic, partitions=1)
    rows = [(KEYS[n % 4], VALUES[n % 3]) for n in range(50)]
    batch = pa.table(
        {
            "key": pa.array([key for key, _ in rows], kind),
            "value": pa.array([value for _, value in rows], kind),
        }
    )
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        assert producer.send_batch(topic, batch.slice(5, 40)) == 40
        assert producer.send_batch(topic, batch["value"]) == 50
    records = read_all(cluster, topic, 90)
    assert [(record.key, record.value) for record in records[:40]] == rows[5:45]
    assert [record.value for record in records[40:]] == [value for _, value in rows]


def test_slices_of_lists_and_structs_are_taken(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=2)
    pair = pa.struct([("key", pa.string()), ("value", pa.binary())])
    headers = [[{"key": k, "value": v} for k, v in HEADERS[n % 4]] for n in range(40)]
    batch = pa.record_batch(
        {
            "value": pa.array([str(n) for n in range(40)]),
            "headers": pa.array(headers, pa.list_(pair)),
            "partition": pa.array([n % 2 for n in range(40)], pa.int16()),
            "timestamp": pa.array([n * 1_000_000_000 for n in range(40)], pa.timestamp("ns")),
        }
    )
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        producer.send_batch(topic, batch.slice(3, 30))
    records = sorted(read_all(cluster, topic, 30), key=lambda record: record.timestamp)
    assert [record.value for record in records] == [str(n).encode() for n in range(3, 33)]
    assert [record.headers for record in records] == [HEADERS[n % 4] for n in range(3, 33)]
    assert [record.partition for record in records] == [n % 2 for n in range(3, 33)]
    assert [record.timestamp for record in records] == [n * 1_000 for n in range(3, 33)]


def test_keys_choose_partitions_as_for_single_records(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=7)
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        producer.send_batch(topic, {"key": [f"key-{n}" for n in range(200)], "value": pa.nulls(200)})
        producer.send_batch(topic, {"value": [b"here"], "partition": [3]})
        producer.send_batch(topic, [b"there"], partition=4)
    for record in read_all(cluster, topic, 202):
        match record.value:
            case b"here":
                assert record.partition == 3
            case b"there":
                assert record.partition == 4
            case _:
                assert record.key is not None
                assert record.partition == partition_of_key(record.key, 7)


def test_more_than_the_buffer_holds_waits_for_room(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    values = pa.array([f"{n:01000}" for n in range(5_000)])
    with barnabas.Producer(bootstrap_servers=cluster, buffer_memory=1 << 20, batch_size=100_000) as producer:
        assert producer.send_batch(topic, values) == 5_000
    assert [int(record.value or b"") for record in read_all(cluster, topic, 5_000)] == list(range(5_000))


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"value": [b"x"], "kye": [b"k"]}, 'no column "kye"'),
        ({"value": [b"x"], "key": [b"k", b"l"]}, "column key has 2 elements, value has 1"),
        ({"value": [1]}, "value must be bytes"),
        ({"value": pa.array([1])}, "must be binary or text"),
        ({"value": pa.array(["a"]).dictionary_encode()}, "dictionary"),
        (pa.table({"price": ["a"]}), 'no column "price"'),
        (b"value", "one value is no batch"),
        (7, "neither Arrow"),
    ],
)
def test_what_is_no_batch_is_refused(cluster: str, topic: str, batch: Any, message: str) -> None:
    create(cluster, topic, partitions=1)
    with barnabas.Producer(bootstrap_servers=cluster) as producer:
        with pytest.raises((TypeError, ValueError), match=message):
            producer.send_batch(topic, batch)
        with pytest.raises(KafkaError, match="no partition -1"):
            producer.send_batch(topic, {"value": [b"x"], "partition": [-1]})
