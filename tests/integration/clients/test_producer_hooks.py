"""Partitioners and interceptors of the user's own."""

import pytest

import barnabas
from barnabas.clients.interceptors import ProducerRecord
from tests.integration.clients.topics import create, read_all


def test_a_partitioner_of_ones_own_chooses(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=4)
    asked = []

    def last_digit(key: object, value: object, count: int) -> int:
        asked.append((key, count))
        return int(str(value)[-1]) % count

    with barnabas.Producer(bootstrap_servers=cluster, partitioner=last_digit) as producer:
        for n in range(20):
            producer.produce(topic, str(n), key="k")
        producer.produce(topic, "7", partition=0)
    assert asked == [("k", 4)] * 20
    for record in read_all(cluster, topic, 21):
        if record.key is not None:
            assert record.partition == int((record.value or b"")[-1:]) % 4
        else:
            assert record.partition == 0


def test_what_a_partitioner_raises_is_raised(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    with barnabas.Producer(bootstrap_servers=cluster, partitioner=lambda *_: 1 // 0) as producer:
        with pytest.raises(ZeroDivisionError):
            producer.produce(topic, b"x")
        assert producer.buffered_bytes == 0


def test_interceptors_see_each_record_and_each_result(
    cluster: str, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    create(cluster, topic, partitions=1)
    heard: list[int] = []

    def stamp(record: ProducerRecord) -> ProducerRecord | None:
        if record.value == b"broken":
            raise ZeroDivisionError
        record.headers = {"seen": "yes"}
        return record

    def hear(error: Exception | None, at: barnabas.RecordMetadata | None) -> None:
        heard.append(at.offset if at else -1)

    with barnabas.Producer(bootstrap_servers=cluster, on_send=stamp, on_acknowledgement=hear) as producer:
        producer.produce(topic, b"one")
        assert producer.send(topic, b"two").result(30).offset == 1
        producer.produce(topic, b"broken")
    assert heard == [0, 1, 2]
    assert "on_send failed" in caplog.text
    headers = [record.headers for record in read_all(cluster, topic, 3)]
    assert headers == [[("seen", b"yes")], [("seen", b"yes")], []]
