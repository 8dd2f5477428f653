"""Configs of the broker that are changed while it runs: in force at once, and after the next start."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from barnabas import Broker
from barnabas.protocol.generated import describe_producers_request as producers
from barnabas.protocol.generated import incremental_alter_configs_request as altering
from barnabas.protocol.generated.describe_cluster_request import DescribeClusterRequest
from tests.support.wire import Connection

BROKER = 4
SECONDS_MAX = 30


def alter(address: str, name: str, value: str) -> None:
    """Sets a config for all brokers."""
    resource = altering.AlterConfigsResource(BROKER, "", [altering.AlterableConfig(name, 0, value)])
    with Connection(address) as connection:
        response = connection.request(altering.IncrementalAlterConfigsRequest([resource]), 1)
    assert [(one.error_code, one.error_message) for one in response.responses] == [(0, None)]


@contextmanager
def connections(address: str, count: int) -> Iterator[list[Connection]]:
    """Connections that have been served once."""
    with ExitStack() as stack:
        opened = [stack.enter_context(Connection(address)) for _ in range(count)]
        for connection in opened:
            assert connection.request(DescribeClusterRequest(), 1) is not None
        yield opened


def served_on(opened: list[Connection]) -> int:
    """How many of the connections are still served."""
    served = 0
    for connection in opened:
        try:
            served += connection.request(DescribeClusterRequest(), 1) is not None
        except OSError:  # The other side has closed it and says so when it is written to.
            continue
    return served


def test_network_threads_come_and_go_while_they_serve(tmp_path: Path) -> None:
    with Broker(tmp_path, settings={"num.network.threads": "2"}) as broker:
        alter(broker.bootstrap, "num.network.threads", "4")
        with connections(broker.bootstrap, 8) as opened:
            assert served_on(opened) == 8
            # Connections are dealt out in turn; those of a thread that goes have to come again.
            alter(broker.bootstrap, "num.network.threads", "2")
            assert served_on(opened) == 4
        with connections(broker.bootstrap, 8) as opened:
            assert served_on(opened) == 8
    # The dynamic value wins over the file's at the next start.
    with (
        Broker(tmp_path, settings={"num.network.threads": "1"}) as broker,
        connections(broker.bootstrap, 8) as opened,
    ):
        alter(broker.bootstrap, "num.network.threads", "1")
        assert served_on(opened) == 4


def known_producers(address: str, topic: str) -> list[int]:
    asked: Any = producers.DescribeProducersRequest([producers.TopicRequest(topic, [0])])
    with Connection(address) as connection:
        response = connection.request(asked, 0)
    [partition] = response.topics[0].partitions
    assert partition.error_code == 0
    return [producer.producer_id for producer in partition.active_producers]


def test_silent_producers_are_forgotten_after_the_time_that_is_in_force() -> None:
    with Broker(settings={"producer.id.expiration.check.interval.ms": "10"}) as broker:
        client = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True})
        client.produce("orders", b"one")
        assert client.flush(SECONDS_MAX) == 0
        assert len(known_producers(broker.bootstrap, "orders")) == 1
        alter(broker.bootstrap, "producer.id.expiration.ms", "1")
        deadline = time.monotonic() + SECONDS_MAX
        while known_producers(broker.bootstrap, "orders"):
            assert time.monotonic() < deadline
