"""The clients' tests run twice: against barnabas, and against Apache Kafka 4.3.1."""

from collections.abc import Iterator

import pytest

from tests.support.oracle import apache_kafka
from tests.support.server import cluster_under_test

RETENTION = "log.retention.ms", "-1"
"""Records of the tests may have times of 1970: no sweep may take them away meanwhile."""


@pytest.fixture(
    scope="package", params=["barnabas", pytest.param("apache", marks=[pytest.mark.oracle, pytest.mark.slow])]
)
def cluster(request: pytest.FixtureRequest) -> Iterator[str]:
    """Bootstrap address of a cluster of one node. Tests are told apart by the names of their topics."""
    if request.param == "barnabas":
        with cluster_under_test("--memory", "--set", "=".join(RETENTION)) as address:
            yield address
        return
    with apache_kafka(dict([RETENTION])) as kafka:
        yield kafka.bootstrap
