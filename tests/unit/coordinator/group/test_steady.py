"""Members whose heartbeats change nothing, and need not reach their machine.

Whether what the data plane answers is what the machine would say is checked with every heartbeat of every
test of groups (`CoordinatorSim.call`), the random histories among them.
"""

from __future__ import annotations

import pytest

from barnabas.protocol import ErrorCode
from tests.support.coordinator import CoordinatorSim
from tests.unit.coordinator.consumer.clients import Client, group_of, group_sim, heartbeat, join
from tests.unit.coordinator.group.group_sim import SESSION_MS, GroupSim

CONSUMER_SESSION_MS = 45_000


# ---- classic groups


@pytest.fixture
def sim() -> GroupSim:
    return GroupSim(group_initial_rebalance_delay_ms="0")


def test_a_member_of_a_stable_group_is_steady_after_a_heartbeat(sim: GroupSim) -> None:
    leader, follower = sim.settled(2)
    assert not sim.is_steady("g", leader)
    generation = sim.group().generation_id
    sim.heartbeat(leader, generation)
    assert sim.is_steady("g", leader)
    assert not sim.is_steady("g", follower)
    sim.heartbeat(leader, generation)
    assert sim.steady_heartbeats == 1


def test_a_heartbeat_with_an_error_makes_nobody_steady(sim: GroupSim) -> None:
    [member] = sim.settled(1)
    generation = sim.group().generation_id
    assert sim.heartbeat(member, generation + 1).error_code == ErrorCode.ILLEGAL_GENERATION
    assert not sim.is_steady("g", member)


def test_whoever_joins_or_leaves_takes_the_heartbeats_of_its_group_back(sim: GroupSim) -> None:
    leader, follower = sim.settled(2)
    [other] = sim.settled(1, group="other")
    generation = sim.group().generation_id

    def all_beat() -> None:
        sim.heartbeat(leader, generation)
        sim.heartbeat(follower, generation)
        sim.heartbeat(other, sim.group("other").generation_id, group="other")

    all_beat()
    sim.leave(follower)
    assert not sim.is_steady("g", leader)
    assert sim.is_steady("other", other)
    assert sim.heartbeat(leader, generation).error_code == ErrorCode.REBALANCE_IN_PROGRESS
    assert not sim.is_steady("g", leader)


def test_a_session_goes_on_with_heartbeats_that_its_machine_has_not_seen(sim: GroupSim) -> None:
    leader, follower = sim.settled(2)
    generation = sim.group().generation_id
    sim.heartbeat(leader, generation)
    sim.heartbeat(follower, generation)
    for _ in range(5):
        sim.advance(SESSION_MS - 1)
        sim.hear("g", leader)
        sim.hear("g", follower)
    assert set(sim.group().members) == {leader, follower}
    sim.advance(SESSION_MS - 1)
    sim.hear("g", leader)
    sim.advance(1)
    assert set(sim.group().members) == {leader}
    assert not sim.is_steady("g", leader), "the group rebalances"
    sim.advance(SESSION_MS - 1)
    assert not sim.group().members


def test_offset_commits_leave_members_steady(sim: GroupSim) -> None:
    [member] = sim.settled(1)
    generation = sim.group().generation_id
    sim.heartbeat(member, generation)
    sim.commit(5, member, generation)
    assert sim.is_steady("g", member)


def test_nobody_is_steady_while_something_of_the_partition_is_on_its_way(sim: GroupSim) -> None:
    [member] = sim.settled(1)
    generation = sim.group().generation_id
    sim.log.commits_at_once = False
    sim.commit(5, member, generation)
    reply = sim.heartbeat(member, generation)
    assert reply.waits
    CoordinatorSim.commit(sim)
    assert reply.error_code == 0
    assert not sim.is_steady("g", member)


# ---- consumer groups


def steady_consumer(sim: CoordinatorSim, *topics: str) -> Client:
    client = Client(sim, "m1", topics)
    for _ in range(4):
        client.beat()
        client.move()
    # The group has been quiet for so long that its members come at the configured pace.
    sim.advance(44_000)
    client.beat()
    return client


@pytest.fixture
def consumers() -> CoordinatorSim:
    return group_sim({"group.consumer.assignment.interval.ms": "0"}, a=4)


def test_a_consumer_is_steady_when_its_group_has_been_quiet(consumers: CoordinatorSim) -> None:
    client = Client(consumers, "m1", ("a",))
    for _ in range(4):
        client.beat()
        client.move()
        assert not consumers.is_steady("g", "m1")
    consumers.advance(44_000)
    reply = heartbeat(consumers, "g", "m1", client.epoch)
    assert reply.response.heartbeat_interval_ms == 5_000
    assert consumers.is_steady("g", "m1")
    heartbeat(consumers, "g", "m1", client.epoch)
    assert consumers.steady_heartbeats == 1


def test_a_change_of_the_group_takes_the_heartbeats_of_its_consumers_back(consumers: CoordinatorSim) -> None:
    client = steady_consumer(consumers, "a")
    assert consumers.is_steady("g", "m1")
    join(consumers, "g", "m2", "a")
    assert not consumers.is_steady("g", "m1")
    assert heartbeat(consumers, "g", "m1", client.epoch).response.assignment is not None


def test_consumers_with_patterns_are_never_steady(consumers: CoordinatorSim) -> None:
    client = Client(consumers, "m1", pattern="a.*")
    for _ in range(4):
        client.beat()
        client.move()
    consumers.advance(44_000)
    client.beat()
    assert group_of(consumers).members
    assert not consumers.is_steady("g", "m1")


def test_a_consumers_session_goes_on_with_heartbeats_that_its_machine_has_not_seen(
    consumers: CoordinatorSim,
) -> None:
    steady_consumer(consumers, "a")
    for _ in range(3):
        consumers.advance(CONSUMER_SESSION_MS - 1)
        consumers.hear("g", "m1")
    assert set(group_of(consumers).members) == {"m1"}
    consumers.advance(CONSUMER_SESSION_MS)
    assert not group_of(consumers).members
