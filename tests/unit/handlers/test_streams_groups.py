"""StreamsGroupHeartbeat and StreamsGroupDescribe at the edge: internal topics are made, names are checked,
and where they are not served."""

from __future__ import annotations

from typing import Any

import pytest

from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.streams_group_describe_request import StreamsGroupDescribeRequest
from barnabas.protocol.generated.streams_group_heartbeat_request import (
    StreamsGroupHeartbeatRequest,
    Topology,
)
from barnabas.protocol.generated.streams_group_topology_description_update_request import (
    StreamsGroupTopologyDescriptionUpdateRequest,
)
from tests.support.cluster import Cluster
from tests.support.fake_node import FakeNode
from tests.unit.coordinator.streams.clients import subtopology, topology, word_count
from tests.unit.handlers.test_consumer_groups import coordinating

MISSING_INTERNAL_TOPICS = 3


def join(said: Topology | None = None) -> StreamsGroupHeartbeatRequest:
    return StreamsGroupHeartbeatRequest(
        "g",
        "m",
        0,
        rebalance_timeout_ms=1000,
        topology=said or word_count("a"),
        active_tasks=[],
        standby_tasks=[],
        warmup_tasks=[],
        process_id="p",
    )


async def node_with(**topics: int) -> FakeNode:
    cluster = Cluster(1)
    for name, count in topics.items():
        cluster.create(name, count)
    return await coordinating(cluster)


async def test_internal_topics_are_made_before_the_answer() -> None:
    node = await node_with(a=2)
    answer = await node.ask(join(), 1)
    assert [status.status_code for status in answer.status] == [MISSING_INTERNAL_TOPICS]
    for name in ("app-words-repartition", "app-counts-changelog"):
        found = node.image().topic(name)
        assert found is not None
        assert found.partition_count == 2
    following = StreamsGroupHeartbeatRequest("g", "m", answer.member_epoch)
    answer = await node.ask(following, 1)
    assert answer.status == []
    assert [(one.subtopology_id, one.partitions) for one in answer.active_tasks] == [
        ("0", [0, 1]),
        ("1", [0, 1]),
    ]

    groups = (await node.ask(StreamsGroupDescribeRequest(["g"], include_topology_description=True), 1)).groups
    assert (groups[0].group_state, groups[0].assignor_name) == ("Stable", "sticky")
    assert groups[0].topology_description_status == 1
    assert groups[0].topology_description is None


async def test_who_hears_that_topics_are_missing_hears_why_they_cant_be_made() -> None:
    node = await node_with(a=2)
    said = word_count("a")
    said.subtopologies[1].repartition_source_topics[0].replication_factor = 3
    status: Any = (await node.ask(join(said), 1)).status[0]
    assert status.status_code == MISSING_INTERNAL_TOPICS
    assert "Creation failed: app-words-repartition (" in status.status_detail
    assert "app-counts-changelog (" not in status.status_detail


@pytest.mark.parametrize("name", ["__consumer_offsets", "no such name", ""])
async def test_names_that_no_topic_may_have_are_refused(name: str) -> None:
    node = await node_with(a=2)
    for said in (
        topology(subtopology("0", name)),
        topology(subtopology("0", "a", changelogs=[name])),
        topology(subtopology("0", "a", sinks=[name])),
    ):
        refused = await node.ask(join(said), 1)
        assert refused.error_code == ErrorCode.STREAMS_INVALID_TOPOLOGY
        assert refused.error_message


async def test_descriptions_of_topologies_are_refused_without_a_place_for_them() -> None:
    node = await node_with()
    refused = await node.ask(StreamsGroupTopologyDescriptionUpdateRequest("g", "m", 0), 0)
    assert refused.error_code == ErrorCode.UNSUPPORTED_VERSION


@pytest.mark.parametrize(
    "cluster",
    [
        Cluster(1, settings={"group.coordinator.rebalance.protocols": "classic"}),
        Cluster(1, levels={"streams.version": 0}),
    ],
    ids=["config", "feature"],
)
async def test_they_are_served_where_the_cluster_has_agreed(cluster: Cluster) -> None:
    node = await coordinating(cluster)
    assert (await node.ask(join(), 1)).error_code == ErrorCode.UNSUPPORTED_VERSION
    described = await node.ask(StreamsGroupDescribeRequest(["g"]), 1)
    assert described.groups[0].error_code == ErrorCode.UNSUPPORTED_VERSION
