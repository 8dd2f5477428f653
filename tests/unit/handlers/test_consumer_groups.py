"""ConsumerGroupHeartbeat and ConsumerGroupDescribe at the edge: shapes of answers, and where they are not
served."""

from __future__ import annotations

import pytest

from barnabas.coordinator.records import GROUPS
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.consumer_group_describe_request import ConsumerGroupDescribeRequest
from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from tests.support.cluster import Cluster
from tests.support.fake_node import FakeNode

JOIN = ConsumerGroupHeartbeatRequest(
    "g", "m", 0, rebalance_timeout_ms=1000, subscribed_topic_names=["a"], topic_partitions=[]
)
READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS = 3, 6, 8, 10, 11


async def coordinating(cluster: Cluster) -> FakeNode:
    """A node that coordinates groups."""
    node = FakeNode(cluster)
    assert node.coordinators.partition_of(GROUPS, "g") is None
    await node.ask(FindCoordinatorRequest(coordinator_keys=["g"]), 6)
    partition = node.coordinators.partition_of(GROUPS, "g")
    assert partition is not None
    await node.coordinators.ready(GROUPS, partition, seconds_max=10)
    return node


async def test_a_member_joins_and_is_described() -> None:
    cluster = Cluster(1)
    cluster.create("a", 2)
    node = await coordinating(cluster)
    joined = await node.ask(JOIN, 1)
    assert (joined.error_code, joined.member_epoch) == (0, 2)
    assert joined.assignment.topic_partitions[0].partitions == [0, 1]

    asked = ConsumerGroupDescribeRequest(["g", "g", ""], include_authorized_operations=True)
    groups = {group.group_id: group for group in (await node.ask(asked, 1)).groups}
    assert (groups["g"].error_code, groups["g"].members[0].member_id) == (0, "m")
    operations = (READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS)
    assert groups["g"].authorized_operations == sum(1 << operation for operation in operations)
    assert groups[""].error_code == ErrorCode.INVALID_GROUP_ID


async def test_an_error_is_the_answers() -> None:
    node = await coordinating(Cluster(1))
    refused = await node.ask(ConsumerGroupHeartbeatRequest("g", "m", 5), 1)
    assert refused.error_code == ErrorCode.GROUP_ID_NOT_FOUND
    assert refused.error_message


@pytest.mark.parametrize(
    "cluster",
    [
        Cluster(1, settings={"group.coordinator.rebalance.protocols": "classic"}),
        Cluster(1, levels={"group.version": 0}),
    ],
)
async def test_consumer_groups_may_be_switched_off(cluster: Cluster) -> None:
    node = FakeNode(cluster)
    assert (await node.ask(JOIN, 1)).error_code == ErrorCode.UNSUPPORTED_VERSION
    described = await node.ask(ConsumerGroupDescribeRequest(["g"]), 1)
    assert described.groups[0].error_code == ErrorCode.UNSUPPORTED_VERSION
