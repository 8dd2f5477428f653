"""The pytest plug-in: with barnabas installed, tests have the fixture `kafka`.

The module imports nothing of the broker until a test asks for it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from barnabas.testing import Kafka

MARKER = (
    "kafka(settings=None, topics=None): broker configs by Kafka's names, and topics, of the test's own broker"
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

    marker = request.node.get_closest_marker("kafka")
    wanted = dict(marker.kwargs) if marker is not None else {}
    topics = wanted.pop("topics", None)
    seed = zlib.crc32(request.node.nodeid.encode()) + request.config.getoption("--kafka-seed")
    with Kafka(seed=seed, **wanted) as broker:
        if topics:
            broker.topics(topics)
        yield broker
