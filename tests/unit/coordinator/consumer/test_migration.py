"""Groups on their way between the classic and the consumer protocol, and members of both in one group."""

from __future__ import annotations

from typing import Any

import pytest

from barnabas._core import decode, encode
from barnabas.coordinator.group.classic.group import ClassicGroup, State
from barnabas.coordinator.group.requests import DescribeConsumerGroup
from barnabas.errors import GroupIdNotFound, InconsistentGroupProtocol
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.consumer_protocol_assignment import (
    ConsumerProtocolAssignment,
    TopicPartition,
)
from barnabas.protocol.generated.consumer_protocol_subscription import ConsumerProtocolSubscription
from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
from barnabas.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol
from barnabas.protocol.generated.leave_group_request import LeaveGroupRequest, MemberIdentity
from barnabas.protocol.generated.sync_group_request import SyncGroupRequest, SyncGroupRequestAssignment
from tests.support.coordinator import CoordinatorSim, Reply
from tests.unit.coordinator.consumer.clients import Client, group_of, group_sim, join, snapshot

AT_ONCE = {
    "group.consumer.assignment.interval.ms": "0",
    "group.initial.rebalance.delay.ms": "0",
}
V1 = (1).to_bytes(2, "big")


@pytest.fixture
def sim() -> CoordinatorSim:
    return group_sim(AT_ONCE, a=4)


def classic_join(
    sim: CoordinatorSim, member_id: str, owned: Any = (), *, instance: str | None = None, name: str = "range"
) -> Reply:
    subscription = ConsumerProtocolSubscription(["a"], None)
    request = JoinGroupRequest(
        group_id="g",
        session_timeout_ms=10_000,
        rebalance_timeout_ms=60_000,
        member_id=member_id,
        group_instance_id=instance,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name, V1 + encode(subscription, 1))],
    )
    return sim.call(request, version=3 if instance is None else 9)


def classic_sync(sim: CoordinatorSim, member_id: str, generation: int, **assignments: list[int]) -> Reply:
    given = [
        SyncGroupRequestAssignment(
            who, V1 + encode(ConsumerProtocolAssignment([TopicPartition("a", indexes)]), 1)
        )
        for who, indexes in assignments.items()
    ]
    request = SyncGroupRequest(
        "g", generation, member_id, protocol_type="consumer", protocol_name="range", assignments=given
    )
    return sim.call(request, version=5)


def synced(reply: Reply) -> list[int]:
    read: Any = decode(ConsumerProtocolAssignment, 1, reply.response.assignment[2:])
    return [index for topic in read.assigned_partitions for index in topic.partitions]


def classic_beat(sim: CoordinatorSim, member_id: str, generation: int) -> int:
    return sim.call(HeartbeatRequest("g", generation, member_id), version=4).error_code


def classic_group(sim: CoordinatorSim) -> ClassicGroup:
    group = sim.machine.groups.find("g")
    assert isinstance(group, ClassicGroup), group
    return group


def stable_classic_group(sim: CoordinatorSim) -> str:
    """A classic group of one member, which has everything; its id."""
    reply = classic_join(sim, "")
    member_id: str = reply.response.member_id
    assert synced(classic_sync(sim, member_id, 1, **{member_id: [0, 1, 2, 3]})) == [0, 1, 2, 3]
    return member_id


# ---- to a consumer group


def test_a_classic_group_becomes_a_consumer_group_when_somebody_joins_with_the_new_protocol(
    sim: CoordinatorSim,
) -> None:
    member_id = stable_classic_group(sim)
    client = Client(sim, "m1", ("a",))
    client.beat()
    assert (client.epoch, client.told) == (2, set())
    assert classic_beat(sim, member_id, 1) == ErrorCode.REBALANCE_IN_PROGRESS
    sim.restart()

    # The classic member joins again; it says that it owns nothing, so the others may have what it had.
    joined = classic_join(sim, member_id).response
    assert (joined.generation_id, joined.leader, joined.members) == (2, "", [])
    assert synced(classic_sync(sim, member_id, 2)) == [0, 1]
    assert classic_beat(sim, member_id, 2) == ErrorCode.NONE
    client.beat()
    assert len(client.told) == 2


def test_whoever_waits_in_the_classic_group_is_told_to_ask_again(sim: CoordinatorSim) -> None:
    member_id = stable_classic_group(sim)
    waiting = classic_join(sim, "")
    assert waiting.waits
    join(sim, "g", "m1", "a")
    assert waiting.error_code == ErrorCode.REBALANCE_IN_PROGRESS
    assert member_id in group_of(sim).members


def test_an_empty_classic_group_makes_room(sim: CoordinatorSim) -> None:
    member_id = stable_classic_group(sim)
    leave = LeaveGroupRequest("g", members=[MemberIdentity(member_id)])
    assert sim.call(leave, version=5).error_code == ErrorCode.NONE
    assert join(sim, "g", "m1", "a").response.member_epoch == 2
    before = snapshot(group_of(sim))
    sim.log.compact()
    sim.restart()
    assert snapshot(group_of(sim)) == before


@pytest.mark.parametrize("policy", ["disabled", "downgrade"])
def test_an_upgrade_needs_the_policy(policy: str) -> None:
    sim = group_sim({**AT_ONCE, "group.consumer.migration.policy": policy}, a=4)
    stable_classic_group(sim)
    assert isinstance(join(sim, "g", "m1", "a").error, GroupIdNotFound)
    assert classic_group(sim).state is State.STABLE


def test_an_assignment_that_gives_a_partition_twice_is_not_taken_over(sim: CoordinatorSim) -> None:
    first = classic_join(sim, "")
    one = first.response.member_id
    classic_sync(sim, one, 1, **{one: [0]})
    second = classic_join(sim, "")
    again = classic_join(sim, one)
    two = second.response.member_id
    classic_sync(sim, two, 2)
    classic_sync(sim, one, 2, **{one: [0, 9], two: [0]})
    assert again.response.generation_id == 2
    assert isinstance(join(sim, "g", "m1", "a").error, GroupIdNotFound)
    assert classic_group(sim).generation_id == 2


# ---- members of both


def test_a_classic_member_joins_a_consumer_group(sim: CoordinatorSim) -> None:
    client = Client(sim, "m1", ("a",))
    client.beat()
    client.move()
    joined = classic_join(sim, "").response
    assert (joined.error_code, joined.generation_id, joined.protocol_name) == (0, 3, "range")
    assert synced(classic_sync(sim, joined.member_id, 3)) == []
    client.beat()
    client.move()
    client.beat()
    assert classic_beat(sim, joined.member_id, 3) == ErrorCode.REBALANCE_IN_PROGRESS
    again = classic_join(sim, joined.member_id).response
    assert synced(classic_sync(sim, joined.member_id, again.generation_id)) == [2, 3]
    assert classic_beat(sim, joined.member_id, again.generation_id) == ErrorCode.NONE
    described = sim.call(DescribeConsumerGroup("g")).response
    assert sorted(member.member_type for member in described.members) == [0, 1]


def test_a_dynamic_classic_member_is_given_its_id_first(sim: CoordinatorSim) -> None:
    join(sim, "g", "m1", "a")
    request = classic_join(sim, "").request
    asked = sim.call(request, version=9).response
    assert asked.error_code == ErrorCode.MEMBER_ID_REQUIRED
    assert asked.member_id not in group_of(sim).members


def test_a_classic_member_that_is_told_to_join_and_does_not_is_removed(sim: CoordinatorSim) -> None:
    client = Client(sim, "m1", ("a",))
    client.beat()
    client.move()
    member_id = classic_join(sim, "").response.member_id
    synced(classic_sync(sim, member_id, 3))
    client.subscribe("a", "more")
    client.beat()
    assert classic_sync(sim, member_id, 3).error_code == ErrorCode.REBALANCE_IN_PROGRESS
    for _ in range(7):
        if member_id in group_of(sim).members:
            classic_beat(sim, member_id, 3)
        client.beat()
        client.move()
        sim.advance(9_000)
    assert member_id not in group_of(sim).members


def test_a_classic_member_that_does_not_sync_or_falls_silent_is_removed(sim: CoordinatorSim) -> None:
    client = Client(sim, "m1", ("a",))
    client.beat()
    silent = classic_join(sim, "").response.member_id
    sim.advance(10_001)
    assert silent not in group_of(sim).members


def test_classic_members_need_a_protocol_in_common(sim: CoordinatorSim) -> None:
    join(sim, "g", "m1", "a")
    classic_join(sim, "")
    assert isinstance(classic_join(sim, "", name="other").error, InconsistentGroupProtocol)


def test_no_classic_member_joins_where_migration_is_disabled() -> None:
    sim = group_sim({**AT_ONCE, "group.consumer.migration.policy": "disabled"}, a=4)
    join(sim, "g", "m1", "a")
    assert isinstance(classic_join(sim, "").error, InconsistentGroupProtocol)


# ---- to a classic group


def test_a_consumer_group_becomes_a_classic_one_when_only_classic_members_are_left(
    sim: CoordinatorSim,
) -> None:
    client = Client(sim, "m1", ("a",))
    client.beat()
    member_id = classic_join(sim, "").response.member_id
    client.leave()
    group = classic_group(sim)
    assert list(group.members) == [member_id]
    assert classic_beat(sim, member_id, group.generation_id) == ErrorCode.REBALANCE_IN_PROGRESS
    sim.log.compact()
    sim.restart()
    assert list(classic_group(sim).members) == [member_id]
    joined = classic_join(sim, member_id).response
    assert joined.leader == member_id
    everything = classic_sync(sim, member_id, joined.generation_id, **{member_id: [0, 1, 2, 3]})
    assert synced(everything) == [0, 1, 2, 3]


def test_a_static_member_may_come_back_with_the_classic_protocol(sim: CoordinatorSim) -> None:
    client = Client(sim, "s1", ("a",), instance_id="i")
    client.beat()
    client.move()
    client.leave(-2)
    joined = classic_join(sim, "", instance="i").response
    group = classic_group(sim)
    assert list(group.members) == [joined.member_id]
    assert group.state is State.STABLE
    request = SyncGroupRequest("g", joined.generation_id, joined.member_id, group_instance_id="i")
    request.protocol_type, request.protocol_name = "consumer", "range"
    assert synced(sim.call(request, version=5)) == [0, 1, 2, 3]


@pytest.mark.parametrize("policy", ["disabled", "upgrade"])
def test_a_downgrade_needs_the_policy(policy: str) -> None:
    sim = group_sim({**AT_ONCE, "group.consumer.migration.policy": "bidirectional"}, a=4)
    client = Client(sim, "m1", ("a",))
    client.beat()
    classic_join(sim, "")
    sim.cluster.settings = group_sim({**AT_ONCE, "group.consumer.migration.policy": policy}).cluster.settings
    client.leave()
    assert group_of(sim).counts.classic_members == 1
