"""How many partitions internal topics have, and when a topology can't be run."""

from __future__ import annotations

import pytest

from barnabas.coordinator.group.streams.configured import ConfiguredTopology, Status, configure
from barnabas.coordinator.group.streams.topology import topology_said
from barnabas.errors import StreamsInvalidTopology
from barnabas.protocol.generated.streams_group_heartbeat_request import CopartitionGroup, Topology
from tests.support.cluster import Cluster
from tests.unit.coordinator.streams.clients import subtopology, topic, topology, word_count


def configured(said: Topology, **topics: int) -> ConfiguredTopology:
    cluster = Cluster(1)
    for name, count in topics.items():
        cluster.create(name, count)
    return configure(topology_said(said), cluster.image)


def counts(said: Topology, **topics: int) -> dict[str, int]:
    """Partitions of the internal topics that are missing."""
    return {name: one.partition_count for name, one in configured(said, **topics).missing.items()}


def joining(left: int, right: int, *, sources: list[int] | None = None) -> Topology:
    """Joins two repartition topics (partitions, 0 for any), and perhaps source topics with them."""
    return topology(
        subtopology("0", "a", sinks=["l-repartition"]),
        subtopology("1", "b", sinks=["r-repartition"]),
        subtopology(
            "2",
            *(["a", "b"] if sources else []),
            repartition=[topic("l-repartition", left), topic("r-repartition", right)],
            joined=[CopartitionGroup(sources or [], [], [0, 1])],
        ),
    )


def test_a_repartition_topic_is_as_wide_as_what_is_written_into_it() -> None:
    assert counts(word_count(), lines=5) == {"app-words-repartition": 5, "app-counts-changelog": 5}


def test_a_repartition_topic_is_as_wide_as_the_application_says() -> None:
    said = word_count()
    said.subtopologies[1].repartition_source_topics[0].partitions = 2
    assert counts(said, lines=5) == {"app-words-repartition": 2, "app-counts-changelog": 2}


def test_joined_repartition_topics_are_equally_wide() -> None:
    assert counts(joining(0, 0), a=2, b=4) == {"l-repartition": 4, "r-repartition": 4}
    assert counts(joining(3, 0), a=2, b=4) == {"l-repartition": 3, "r-repartition": 3}


def test_repartition_topics_follow_the_source_topics_that_they_are_joined_with() -> None:
    assert counts(joining(0, 0, sources=[0]), a=2, b=4) == {"l-repartition": 2, "r-repartition": 2}


@pytest.mark.parametrize(
    "said", [joining(3, 5), joining(0, 0, sources=[0, 1]), joining(3, 0, sources=[0])], ids=str
)
def test_what_is_joined_must_be_equally_wide(said: Topology) -> None:
    found = configured(said, a=2, b=4)
    assert found.problem is not None
    assert found.problem.status is Status.INCORRECTLY_PARTITIONED_TOPICS
    assert not found.missing


def test_a_source_topic_may_be_its_own_changelog() -> None:
    found = configured(topology(subtopology("0", "a", changelogs=["a"])), a=3)
    assert found.is_ready
    assert found.subtopologies["0"].task_count == 3


def test_a_subtopology_has_as_many_tasks_as_its_widest_topic_has_partitions() -> None:
    found = configured(topology(subtopology("0", "a", "b")), a=2, b=5)
    assert found.subtopologies["0"].task_count == 5


@pytest.mark.parametrize(
    "said",
    [
        topology(subtopology("0")),
        topology(
            subtopology("0", sinks=["x"], repartition=[topic("y")]),
            subtopology("1", sinks=["y"], repartition=[topic("x")]),
        ),
        topology(subtopology("0", "a", repartition=[topic("never-written")])),
        topology(subtopology("0", "a", joined=[CopartitionGroup([7], [], [])])),
        topology(subtopology("0", "a", joined=[CopartitionGroup([-1], [], [])])),
        topology(subtopology("0", "a", repartition=[topic("x", -2)])),
    ],
    ids=["no sources", "a loop", "never written", "no such topic", "a negative topic", "negative partitions"],
)
def test_topologies_that_no_topics_could_make_work_are_refused(said: Topology) -> None:
    with pytest.raises(StreamsInvalidTopology):
        configured(said, a=2)


def test_many_missing_topics_are_named_in_part() -> None:
    names = [f"t{index}" for index in range(6)]
    problem = configured(topology(subtopology("0", *names))).problem
    assert problem is not None
    assert problem.detail == "Source topics t0, t1, t2 and 3 additional topics are missing."
