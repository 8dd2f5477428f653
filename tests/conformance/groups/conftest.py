from collections.abc import Iterator

import pytest

from tests.conformance.differential.clusters import barnabas_node, kafka_node
from tests.conformance.groups.duel import Duel


@pytest.fixture(scope="package")
def clusters() -> Iterator[Duel]:
    """Apache Kafka 4.3.1 and barnabas, both fresh."""
    with kafka_node() as kafka, barnabas_node() as barnabas:
        duel = Duel(kafka, barnabas)
        duel.create_topic("t", 3)
        duel.coordinated("")
        duel.loaded()
        yield duel
        duel.close()


@pytest.fixture
def duel(clusters: Duel) -> Iterator[Duel]:
    """Both, without the differences of the tests before."""
    clusters.differences.clear()
    yield clusters
    assert not clusters.differences, "\n".join(clusters.differences)
