"""What the data plane is told of members whose heartbeats change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from barnabas.coordinator.records import GROUPS
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
from barnabas.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol
from barnabas.protocol.generated.sync_group_request import SyncGroupRequest, SyncGroupRequestAssignment
from tests.support.cluster import Cluster
from tests.support.fake_node import FakeNode

SESSION_MS = 10_000
CONNECTION = 77


class Told:
    """What was published and withdrawn."""

    def __init__(self, node: FakeNode) -> None:
        self.calls: list[tuple[list[str] | None, list[Any]]] = []
        node.native.publish_steady = self._publish

    def _publish(self, withdrawn: Sequence[str] | None, members: Sequence[Any]) -> None:
        self.calls.append((None if withdrawn is None else list(withdrawn), list(members)))

    def take(self) -> list[tuple[list[str] | None, list[Any]]]:
        calls, self.calls = self.calls, []
        return calls


async def stable_group(node: FakeNode) -> tuple[str, int]:
    """A group of one member; its id and generation."""
    assert node.coordinators.partition_of(GROUPS, "g") is None
    await node.ask(FindCoordinatorRequest(coordinator_keys=["g"]), version=6)
    partition = node.coordinators.partition_of(GROUPS, "g")
    assert partition is not None
    await node.coordinators.ready(GROUPS, partition, seconds_max=10)
    protocols = [JoinGroupRequestProtocol("range", b"x")]
    join = JoinGroupRequest("g", SESSION_MS, SESSION_MS, "", None, "consumer", protocols)
    join.member_id = (await node.ask(join, version=9)).member_id
    joined = await node.ask(join, version=9)
    sync = SyncGroupRequest("g", joined.generation_id, joined.member_id, None, "consumer", "range")
    sync.assignments = [SyncGroupRequestAssignment(joined.member_id, b"a")]
    assert not (await node.ask(sync, version=5)).error_code
    return joined.member_id, joined.generation_id


def quiet_node() -> FakeNode:
    return FakeNode(
        Cluster(
            1,
            settings={
                "group.initial.rebalance.delay.ms": "0",
                "offsets.topic.num.partitions": "1",
                "offsets.topic.replication.factor": "1",
            },
        )
    )


def test_a_steady_member_is_published_and_withdrawn_with_its_group() -> None:
    async def live() -> None:
        node = quiet_node()
        told = Told(node)
        member, generation = await stable_group(node)
        told.take()
        heartbeat = HeartbeatRequest("g", generation, member, None)
        await node.ask(heartbeat, version=4, connection=CONNECTION)
        await asyncio.sleep(0)
        row = (0, 0, "g", member, None, generation, -1, SESSION_MS, CONNECTION)
        assert told.take() == [([], [row])]
        protocols = [JoinGroupRequestProtocol("range", b"x")]
        join = JoinGroupRequest("g", SESSION_MS, SESSION_MS, "", None, "consumer", protocols)
        await node.ask(join, version=9)
        await asyncio.sleep(0)
        assert told.take() == [(["g"], [])]

    asyncio.run(live())


@pytest.mark.parametrize("change", ["metadata_changed", "configs_changed"])
def test_changes_that_any_answer_may_depend_on_withdraw_all(change: str) -> None:
    async def live() -> None:
        node = quiet_node()
        told = Told(node)
        member, generation = await stable_group(node)
        told.take()
        getattr(node.coordinators, change)()
        await node.ask(HeartbeatRequest("g", generation, member, None), version=4, connection=CONNECTION)
        await asyncio.sleep(0)
        [(withdrawn, published)] = told.take()
        assert withdrawn is None
        assert [row[3] for row in published] == [member]

    asyncio.run(live())
