"""The test kit: brokers of tests, topics from literals, what is asserted of them."""

import asyncio
import subprocess
import sys
import threading
import unittest
from pathlib import Path
from typing import Any, ClassVar

import aiokafka
import confluent_kafka
import kafka as kafka_python
import pytest

from barnabas import serde
from barnabas.errors import InvalidConfig, TopicAlreadyExists, UnknownTopicOrPartition
from barnabas.testing import Kafka, KafkaCluster, KafkaTestCase, ProducerRecord

REPOSITORY = Path(__file__).resolve().parents[3]


def test_each_broker_has_a_cluster_of_its_own() -> None:
    with Kafka() as one, Kafka() as other:
        one.topic("orders", ["a"])
        assert one.bootstrap != other.bootstrap
        with pytest.raises(UnknownTopicOrPartition):
            other.values("orders")


def test_nothing_is_left_of_a_broker(kafka: Kafka) -> None:
    threads = set(threading.enumerate())
    with Kafka() as other:
        other.topic("orders", ["a"])
        assert other.values("orders") == [b"a"]
    assert set(threading.enumerate()) == threads


def test_topics_are_made_from_literals(kafka: Kafka) -> None:
    kafka.topic(
        "orders",
        [
            "text",
            b"bytes",
            ("key", {"a": [1]}),
            ("key", None),
            ProducerRecord("v", "k", headers={"h": "1"}, timestamp=7),
        ],
    )
    found = kafka.records("orders")
    assert [(one.offset, one.key, one.value) for one in found] == [
        (0, None, b"text"),
        (1, None, b"bytes"),
        (2, b"key", b'{"a":[1]}'),
        (3, b"key", None),
        (4, b"k", b"v"),
    ]
    assert (found[4].headers, found[4].timestamp) == ([("h", b"1")], 7)


def test_partitions_and_configs_are_the_topic_s(kafka: Kafka) -> None:
    kafka.topic("orders", partitions=3, configs={"cleanup.policy": "compact"})
    assert kafka.partition_count("orders") == 3
    kafka.produce("orders", *(ProducerRecord(str(n), "k", partition=n) for n in range(3)))
    assert [(one.partition, one.value) for one in kafka.records("orders")] == [
        (0, b"0"),
        (1, b"1"),
        (2, b"2"),
    ]
    assert kafka.values("orders", partition=1) == [b"1"]


def test_kafka_s_own_errors_come_up(kafka: Kafka) -> None:
    kafka.topic("orders")
    with pytest.raises(TopicAlreadyExists):
        kafka.topic("orders")
    with pytest.raises(InvalidConfig):
        kafka.topic("bills", configs={"retention.ms": "soon"})


def test_serdes_write_and_read() -> None:
    with Kafka(key_serde=serde.Long(), value_serde=serde.Json()) as kafka:
        kafka.topic("orders", [(7, {"a": 1})])
        kafka.assert_topic("orders", [(7, {"a": 1})])
        assert kafka.records("orders", value_serde=serde.String())[0].value == '{"a":1}'


def test_assertion_shows_what_is_missing_and_what_is_too_much(kafka: Kafka) -> None:
    kafka.topic("orders", [("42", "created"), ("42", "sent"), {"a": 1}])
    with pytest.raises(AssertionError) as caught:
        kafka.assert_topic("orders", [("42", "created"), ("42", "paid"), {"a": 1}], timeout=0)
    assert str(caught.value).splitlines() == [
        "orders has 3 records, expected 3 records (- missing, + not expected):",
        "    0@0  '42': 'created'",
        "  - '42': 'paid'",
        "  + 0@1  '42': 'sent'",
        "    0@2  '{\"a\":1}'",
    ]


@pytest.mark.parametrize(
    "expected",
    [
        ["b", "a"],
        ["a"],
        ["a", "b", "c"],
        [("other", "a"), "b"],
        [ProducerRecord("a", "k", headers={"h": "other"}), "b"],
        [ProducerRecord("a", "k", partition=1), "b"],
        ["a", None],
        [{"a": 1}, "b"],
    ],
)
def test_other_records_are_not_the_same(kafka: Kafka, expected: list[Any]) -> None:
    kafka.topic("orders", [ProducerRecord("a", "k", headers={"h": "x"}), "b"])
    with pytest.raises(AssertionError):
        kafka.assert_topic("orders", expected, timeout=0)


@pytest.mark.parametrize(
    "expected",
    [
        ["a", "b"],
        [("k", "a"), ...],
        [(..., "a"), "b"],
        [ProducerRecord("a", "k", partition=0), "b"],
        [ProducerRecord("a", "k", headers={"h": ...}), "b"],
    ],
)
def test_what_is_not_said_is_not_compared(kafka: Kafka, expected: list[Any]) -> None:
    kafka.topic("orders", [ProducerRecord("a", "k", headers={"h": "x"}), "b"])
    kafka.assert_topic("orders", expected)


def test_order_counts_where_there_is_one(kafka: Kafka) -> None:
    kafka.topic("orders", [ProducerRecord(str(n), partition=n % 2) for n in range(6)], partitions=2)
    kafka.assert_topic("orders", ["5", "4", "3", "2", "1", "0"])
    kafka.assert_topic("orders", ["1", "3", "5"], partition=1)
    with pytest.raises(AssertionError):
        kafka.assert_topic("orders", ["3", "1", "5"], partition=1, timeout=0)


def test_assertion_waits_for_what_is_on_its_way(kafka: Kafka) -> None:
    kafka.topic("orders", ["a"])
    later = threading.Timer(0.05, kafka.topic, ("signal",))
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 100})
    producer.produce("orders", b"b")
    later.start()
    kafka.assert_topic("orders", ["a", "b"], timeout=30)
    later.join()
    producer.flush(10)


def test_what_a_transaction_has_not_committed_is_not_there(kafka: Kafka) -> None:
    kafka.topic("orders", ["a"])
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": "t"})
    producer.init_transactions(10)
    for text, end in (("b", producer.abort_transaction), ("c", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce("orders", text)
        producer.flush(10)
        kafka.assert_topic("orders", ["a"])
        end(10)
    kafka.assert_topic("orders", ["a", "c"])


def test_any_client_works(kafka: Kafka) -> None:
    kafka.topic("orders", ["a"])
    ours = kafka_python.KafkaProducer(bootstrap_servers=kafka.bootstrap)
    ours.send("orders", b"b").get(10)
    ours.close()
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["orders"])
    values = [message.value() for message in consumer.consume(2, timeout=20)]
    consumer.close()
    assert values == [b"a", b"b"]


async def test_coroutines_wait_without_stopping_others() -> None:
    async with Kafka() as kafka:
        await kafka.aio.topic("orders", ["a"])
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
        await producer.start()
        waiting = asyncio.create_task(kafka.aio.assert_topic("orders", ["a", "b"], timeout=30))
        await kafka.aio.topic("bills", ["c"])
        await asyncio.gather(*(kafka.aio.assert_topic("bills", ["c"]) for _ in range(5)))
        await producer.send_and_wait("orders", b"b")
        await waiting
        await producer.stop()
        await kafka.aio.restart(kill=True)
        assert [one.value for one in await kafka.aio.records("orders")] == [b"a", b"b"]


@pytest.mark.parametrize("kill", [False, True])
@pytest.mark.parametrize("on_disk", [False, True])
def test_records_and_address_outlive_a_restart(tmp_path: Path, kill: bool, on_disk: bool) -> None:
    with Kafka(directory=tmp_path / "data" if on_disk else None) as kafka:
        before = kafka.bootstrap
        kafka.topic("orders", ["a", ("k", "b")], configs={"retention.ms": 99_999})
        for _ in range(3):
            kafka.restart(kill=kill)
            kafka.produce("orders", "c")
        assert kafka.bootstrap == before
        kafka.assert_topic("orders", ["a", ("k", "b"), "c", "c", "c"])


def test_clients_find_the_broker_again(kafka: Kafka) -> None:
    kafka.topic("orders")
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": kafka.bootstrap, "reconnect.backoff.max.ms": 100}
    )
    producer.produce("orders", b"a")
    assert producer.flush(10) == 0
    kafka.kill()
    producer.produce("orders", b"b")
    kafka.start()
    assert producer.flush(20) == 0
    kafka.assert_topic("orders", ["a", "b"])


def test_brokers_of_a_cluster_are_ended_and_started_one_by_one() -> None:
    with KafkaCluster(settings={"node.id": "7"}) as cluster:
        cluster.topic("orders", ["a"])
        leader = cluster.leader("orders")
        assert [broker.id for broker in cluster.brokers] == [leader.id] == [7]
        assert cluster.broker(7) is leader
        for end in (leader.stop, leader.kill):
            end()
            assert not leader.is_running
            leader.start()
            assert (leader.is_running, leader.address) == (True, cluster.bootstrap)
        leader.restart()
        cluster.assert_topic("orders", ["a"])
        with pytest.raises(UnknownTopicOrPartition):
            cluster.leader("orders", 1)
        with pytest.raises(KeyError, match="no broker 8"):
            cluster.broker(8)


def test_stopped_broker_says_so() -> None:
    kafka = Kafka()
    with pytest.raises(RuntimeError, match="is not running"):
        kafka.topic("orders")
    with kafka, pytest.raises(RuntimeError, match="is running"):
        kafka.start()
    assert repr(kafka) == "Kafka(stopped)"


class TestUnittest(KafkaTestCase):
    """Runs under pytest as well."""

    kafka_settings: ClassVar = {"auto.create.topics.enable": "false"}

    def test_case_has_a_broker(self) -> None:
        self.kafka.topic("orders", ["a"])
        assert self.kafka.values("orders") == [b"a"]


def test_unittest_runs_the_case_alone() -> None:
    result = unittest.TestResult()
    unittest.TestLoader().loadTestsFromTestCase(TestUnittest).run(result)
    assert (result.testsRun, result.failures, result.errors) == (1, [], [])


SUITE = """
import pytest

@pytest.mark.kafka(settings={"num.partitions": "3"}, topics={"orders": ["a"], "empty": 2})
def test_marked(kafka):
    kafka.assert_topic("orders", ["a"])
    assert kafka.partition_count("empty") == 2
    assert kafka.running.settings["num.partitions"] == 3

def test_fresh(kafka):
    kafka.topic("orders", ["b"])
    kafka.assert_topic("orders", ["b"])

@pytest.mark.kafka(brokers=1, topics={"orders": ["a"]})
def test_cluster(kafka_cluster):
    kafka_cluster.leader("orders").restart(kill=True)
    kafka_cluster.assert_topic("orders", ["a"])

@pytest.mark.kafka(brokers=3)
def test_more_than_there_can_be(kafka_cluster):
    pass
"""


def test_fixture_comes_with_the_package(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers", tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert "3 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "ValueError: brokers=3: a cluster of the kit has 1 broker" in done.stdout


def test_example_suite_passes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/suite"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=280,
        check=False,
    )
    assert "200 tests, each with a broker of its own" in done.stdout, done.stdout + done.stderr
