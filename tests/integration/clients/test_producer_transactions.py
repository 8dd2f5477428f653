"""Transactions of `barnabas.Producer`: what is committed is seen, whole; what is not, never."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

import barnabas
from barnabas.errors import (
    ClientTimeout,
    InvalidTxnState,
    KafkaError,
    MessageTooLarge,
    ProducerFenced,
    TransactionAborted,
)
from tests.integration.clients.topics import create, read_all

COMMITTED = {"isolation_level": "read_committed"}


@pytest.fixture
def producer(cluster: str, topic: str) -> Iterator[barnabas.Producer]:
    with barnabas.Producer(bootstrap_servers=cluster, transactional_id=topic) as producer:
        yield producer


def values(cluster: str, topic: str, count: int) -> list[bytes | None]:
    return [record.value for record in read_all(cluster, topic, count, **COMMITTED)]


def test_what_is_committed_is_seen_and_what_is_aborted_is_not(
    cluster: str, topic: str, producer: barnabas.Producer
) -> None:
    create(cluster, topic, partitions=1)
    with producer.transaction():
        producer.produce(topic, b"one")
        producer.send_batch(topic, [b"two", b"three"])

    def fail() -> None:
        with producer.transaction():
            producer.produce(topic, b"never")
            producer.flush(30)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    producer.begin_transaction()
    producer.produce(topic, b"nor this")
    producer.abort_transaction()
    with producer.transaction():
        producer.produce(topic, b"four")
    assert values(cluster, topic, 4) == [b"one", b"two", b"three", b"four"]
    assert [record.value for record in read_all(cluster, topic, 5)][:4] == [
        b"one",
        b"two",
        b"three",
        b"never",
    ]


def test_many_transactions_over_many_partitions(
    cluster: str, topic: str, producer: barnabas.Producer
) -> None:
    create(cluster, topic, partitions=5)
    expected = []
    for number in range(40):
        producer.begin_transaction()
        for n in range(10):
            producer.produce(topic, f"{number} {n}", partition=n % 5)
        if number % 3 == 0:
            producer.abort_transaction()
        else:
            producer.commit_transaction()
            expected += [f"{number} {n}".encode() for n in range(10)]
    assert sorted(value or b"" for value in values(cluster, topic, len(expected))) == sorted(expected)


def test_an_empty_transaction_leaves_nothing(cluster: str, topic: str, producer: barnabas.Producer) -> None:
    create(cluster, topic, partitions=1)
    for _ in range(3):
        with producer.transaction():
            pass
        producer.begin_transaction()
        producer.abort_transaction()
    with producer.transaction():
        producer.produce(topic, b"x")
    with barnabas.Consumer(bootstrap_servers=cluster) as consumer:
        assert consumer.end_offset(topic, 0) == 2  # The record and one marker.


def test_results_of_a_transaction_are_told(cluster: str, topic: str, producer: barnabas.Producer) -> None:
    create(cluster, topic, partitions=1)
    with producer.transaction():
        delivery = producer.send(topic, b"x")
    assert delivery.is_done
    assert delivery.result().offset == 0
    producer.begin_transaction()
    given_up = producer.send(topic, b"y")
    producer.abort_transaction()
    with pytest.raises(TransactionAborted):
        given_up.result(30)


def test_records_need_a_transaction(cluster: str, topic: str, producer: barnabas.Producer) -> None:
    create(cluster, topic, partitions=1)
    producer.init_transactions(30)
    with pytest.raises(InvalidTxnState, match="begin one first"):
        producer.produce(topic, b"x")
    with pytest.raises(InvalidTxnState, match="no transaction is open"):
        producer.commit_transaction()
    with producer.transaction(), pytest.raises(InvalidTxnState, match="open already"):
        producer.begin_transaction()
    with (
        barnabas.Producer(bootstrap_servers=cluster) as other,
        pytest.raises(InvalidTxnState, match="has no transactions"),
    ):
        other.begin_transaction()


def test_a_newer_producer_fences_the_older(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    older = barnabas.Producer(bootstrap_servers=cluster, transactional_id=topic)
    with older.transaction():
        older.produce(topic, b"older")
    older.begin_transaction()
    older.produce(topic, b"lost")
    older.flush(30)
    with barnabas.Producer(bootstrap_servers=cluster, transactional_id=topic) as newer:
        with newer.transaction():
            newer.produce(topic, b"newer")
        with pytest.raises(ProducerFenced):
            older.commit_transaction()
        with pytest.raises(ProducerFenced):
            older.produce(topic, b"x")
        with pytest.raises(ProducerFenced):
            older.begin_transaction()
        with pytest.raises(ProducerFenced):
            older.abort_transaction()
        with newer.transaction():
            newer.produce(topic, b"newer again")
    older.close()
    assert values(cluster, topic, 3) == [b"older", b"newer", b"newer again"]


def test_a_record_that_fails_keeps_its_transaction_from_being_committed(
    cluster: str, topic: str, producer: barnabas.Producer
) -> None:
    create(cluster, topic, partitions=1, config={"max.message.bytes": "2000"})
    with pytest.raises(MessageTooLarge), producer.transaction():
        producer.send_batch(topic, [b"small", bytes(5_000)])
    producer.begin_transaction()
    producer.produce(topic, bytes(5_000))
    producer.flush(30)
    with pytest.raises(MessageTooLarge):
        producer.produce(topic, b"small")
    with pytest.raises(MessageTooLarge):
        producer.commit_transaction()
    producer.abort_transaction()
    with producer.transaction():
        producer.produce(topic, b"after")
    assert values(cluster, topic, 1) == [b"after"]


def committed(cluster: str, group: str, topic: str) -> int:
    """What the group has committed, as another client reads it."""
    consumer = Consumer({"bootstrap.servers": cluster, "group.id": group})
    try:
        (found,) = consumer.committed([TopicPartition(topic, 0)], timeout=30)
        return int(found.offset)
    finally:
        consumer.close()


def test_offsets_are_committed_with_the_transaction(
    cluster: str, topic: str, producer: barnabas.Producer
) -> None:
    create(cluster, topic, partitions=1)
    with producer.transaction():
        producer.produce(topic, b"x")
        producer.send_offsets(topic, {(topic, 0): 7})
    assert committed(cluster, topic, topic) == 7
    producer.begin_transaction()
    producer.send_offsets_to_transaction([barnabas.TopicPartition(topic, 0, 9)], topic)
    producer.abort_transaction()
    assert committed(cluster, topic, topic) == 7
    with producer.transaction():  # Offsets alone are a transaction too.
        producer.send_offsets(topic, {barnabas.TopicPartition(topic, 0): 11})
    assert committed(cluster, topic, topic) == 11


def test_offsets_of_a_member_that_the_group_does_not_know_abort(
    cluster: str, topic: str, producer: barnabas.Producer
) -> None:
    create(cluster, topic, partitions=1)

    class Stranger:
        group_id = topic
        generation_id = 5
        member_id = "nobody"
        group_instance_id = None

    with pytest.raises(KafkaError) as caught, producer.transaction():
        producer.send_offsets(Stranger(), {(topic, 0): 7})
    assert type(caught.value).__name__ in ("UnknownMemberId", "IllegalGeneration")
    with producer.transaction():
        producer.produce(topic, b"after")
    assert values(cluster, topic, 1) == [b"after"]


def test_an_open_transaction_is_aborted_when_the_producer_is_closed(cluster: str, topic: str) -> None:
    create(cluster, topic, partitions=1)
    with barnabas.Producer(bootstrap_servers=cluster, transactional_id=topic) as producer:
        producer.begin_transaction()
        producer.produce(topic, b"lost")
        producer.flush(30)
    with (
        barnabas.Producer(bootstrap_servers=cluster, transactional_id=topic) as producer,
        producer.transaction(),
    ):
        producer.produce(topic, b"kept")
    assert values(cluster, topic, 1) == [b"kept"]


def test_a_coordinator_that_nobody_finds_is_waited_for_no_longer_than_asked(topic: str) -> None:
    with barnabas.Producer(bootstrap_servers="127.0.0.1:1", transactional_id=topic) as producer:
        with pytest.raises(ClientTimeout):
            producer.init_transactions(0.1)
        with pytest.raises(ClientTimeout):
            producer.begin_transaction(0.1)
