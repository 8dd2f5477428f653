"""The pytest plug-in: with barnabas installed, tests have the fixtures `kafka` and `kafka_cluster`.

The module imports nothing of the broker until a test asks for it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from barnabas.testing import Kafka, KafkaCluster

    K = TypeVar("K", bound=Kafka)

MARKER = (
    "kafka(settings=None, topics=None, brokers=1): broker configs by Kafka's names, and topics, of the "
    "test's own broker; for kafka_cluster also how many brokers it has"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--kafka-seed`."""
    parser.getgroup("barnabas").addoption(
        "--kafka-seed",
        type=int,
        default=0,
        help="what chance draws in the kafka fixture follows from this and the test's name (default: 0)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def kafka(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    """A broker of Kafka for this test alone: real, in memory, on a port of its own."""
    from barnabas.testing import Kafka

    yield from _started(request, Kafka)


@pytest.fixture
def kafka_cluster(request: pytest.FixtureRequest) -> Iterator[KafkaCluster]:
    """A cluster for this test alone, whose brokers can be stopped, killed and started one by one. There is
    one broker in it; more are refused."""
    from barnabas.testing import KafkaCluster

    yield from _started(request, KafkaCluster)


def _started(request: pytest.FixtureRequest, kind: type[K]) -> Iterator[K]:
    """What the test's marker asks for, until the test ends."""
    marker = request.node.get_closest_marker("kafka")
    wanted = dict(marker.kwargs) if marker is not None else {}
    topics = wanted.pop("topics", None)
    seed = zlib.crc32(request.node.nodeid.encode()) + request.config.getoption("--kafka-seed")
    kafka = kind(seed=seed, **wanted)
    with kafka:
        if topics:
            kafka.topics(topics)
        yield kafka
