"""Rebalances of classic groups: Apache Kafka 4.3.1 and barnabas tell members the same at each step."""

from __future__ import annotations

import pytest

from barnabas.protocol.generated.describe_groups_request import DescribeGroupsRequest
from barnabas.protocol.generated.describe_groups_response import DescribedGroup
from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
from barnabas.protocol.generated.list_groups_request import ListGroupsRequest
from tests.conformance.groups.duel import Duel, wait_for
from tests.conformance.groups.requests import SUBSCRIPTION, commit, join, leave, sync

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(300)]

OTHER_SUBSCRIPTION = b"\0\0\0\0\0\1\0\1u\xff\xff\xff\xff"


def show(duel: Duel, group: str) -> None:
    duel.ask(DescribeGroupsRequest([group]), 6)
    duel.ask(ListGroupsRequest())


def preparing(group: DescribedGroup) -> bool:
    return group.group_state == "PreparingRebalance"


@pytest.mark.parametrize("version", [4, 5, 7, 9])
def test_two_dynamic_members(duel: Duel, version: int) -> None:
    group = f"dynamic-{version}"
    first = duel.ask(join(group), version)["member_id"]
    duel.ask(join(group, first), version)
    duel.ask(sync(group, 1, first, assignments={first: b"all"}))
    show(duel, group)

    second = duel.ask(join(group), version, "second")["member_id"]
    duel.ask(HeartbeatRequest(group, 1, first))
    duel.send(join(group, second), version, "second")
    duel.until(group, preparing)
    show(duel, group)
    duel.ask(HeartbeatRequest(group, 1, first))
    duel.ask(HeartbeatRequest(group, 1, second))
    for member, generation in ((first, 1), (first, -1), (second, 1)):
        duel.ask(commit(group, generation, member), 9)
    duel.ask(sync(group, 1, first))
    duel.ask(join(group, first), version)
    duel.receive(join(group, second), version, "second")
    show(duel, group)

    duel.ask(commit(group, 2, first), 9)
    duel.ask(HeartbeatRequest(group, 2, second))
    duel.ask(sync(group, 2, second, name="roundrobin"))
    duel.ask(sync(group, 2, second, type="connect"))
    duel.ask(sync(group, 1, second))
    duel.ask(join(group, first), version)  # with what is known: told the same again
    duel.send(sync(group, 2, second), 5, "second")
    duel.ask(sync(group, 2, first, assignments={first: b"one", "m99": b"x"}))
    duel.receive(sync(group, 2, second), 5, "second")
    show(duel, group)
    duel.ask(sync(group, 2, second))
    duel.ask(join(group, second), version)


@pytest.mark.parametrize("version", [4, 9])
def test_a_member_that_says_something_new(duel: Duel, version: int) -> None:
    group = f"changes-{version}"
    first, second = pair(duel, group, version)
    changed = {"range": OTHER_SUBSCRIPTION}
    duel.send(join(group, second, protocols=changed), version, "second")
    duel.until(group, preparing)
    duel.ask(join(group, first, protocols={"x": b""}), version)
    duel.ask(join(group, protocols={"x": b""}), version)
    duel.ask(join(group, first, type="connect"), version)
    duel.ask(join(group, first), version)
    duel.receive(join(group, second, protocols=changed), version, "second")
    show(duel, group)

    duel.send(sync(group, 3, second), 5, "second")
    duel.ask(leave(group, first))
    duel.receive(sync(group, 3, second), 5, "second")
    show(duel, group)
    duel.ask(join(group, second), version)
    duel.ask(sync(group, 4, second, assignments={second: b"two"}))
    show(duel, group)
    duel.ask(leave(group, second, version=2), 2)
    show(duel, group)
    duel.ask(commit(group, 4, second), 9)
    duel.ask(commit(group), 9)
    duel.ask(HeartbeatRequest(group, 4, second))
    duel.ask(join(group, second), version)


def pair(duel: Duel, group: str, version: int) -> tuple[str, str]:
    """A stable group of two in generation 2; the leader comes first."""
    first = duel.ask(join(group), version)["member_id"]
    duel.ask(join(group, first), version)
    duel.ask(sync(group, 1, first))
    second = duel.ask(join(group), version, "second")["member_id"]
    duel.send(join(group, second), version, "second")
    duel.until(group, preparing)
    duel.ask(join(group, first), version)
    duel.receive(join(group, second), version, "second")
    duel.ask(sync(group, 2, first, assignments={first: b"1", second: b"2"}))
    duel.ask(sync(group, 2, second))
    return first, second


@pytest.mark.parametrize("version", [5, 8, 9])
def test_a_static_member_comes_back(duel: Duel, version: int) -> None:
    group = f"static-{version}"
    old = duel.ask(join(group, instance="i1"), version)["member_id"]
    duel.ask(sync(group, 1, old, "i1", assignments={old: b"one"}))
    for member, instance in ((old, "i1"), (old, None), (old, "i2"), ("else", "i1")):
        duel.ask(HeartbeatRequest(group, 1, member, instance))
    new = duel.ask(join(group, instance="i1"), version, "second")["member_id"]
    show(duel, group)
    for member in (old, new):
        duel.ask(HeartbeatRequest(group, 1, member, "i1"))
        duel.ask(commit(group, 1, member, "i1"), 9)
    duel.ask(join(group, old, "i1"), version)
    duel.ask(sync(group, 1, new, "i1"))


@pytest.mark.parametrize("version", [5, 9])
def test_static_members_come_back_during_rebalances(duel: Duel, version: int) -> None:
    group = f"statics-{version}"
    first = duel.ask(join(group, instance="i1"), version)["member_id"]
    duel.ask(sync(group, 1, first, "i1", assignments={first: b"one"}))

    # While others join.
    duel.send(join(group, instance="i2"), version, "second")
    duel.until(group, preparing)
    leader = duel.ask(join(group, instance="i1"), version)["member_id"]
    other = duel.receive(join(group, instance="i2"), version, "second")["member_id"]
    show(duel, group)
    duel.ask(sync(group, 2, leader, "i1", assignments={leader: b"A", other: b"B"}))
    duel.ask(sync(group, 2, other, "i2"))

    # While the group is stable: nothing changes, or another protocol is the one that all support.
    other = duel.ask(join(group, instance="i2"), version)["member_id"]
    duel.ask(join(group, instance="i2", protocols={"range": b"\0\0", "roundrobin": b""}), version)
    show(duel, group)
    only = {"roundrobin": SUBSCRIPTION}
    duel.send(join(group, instance="i2", protocols=only), version, "second")
    duel.until(group, preparing)
    duel.ask(join(group, leader, "i1"), version)
    other = duel.receive(join(group, instance="i2", protocols=only), version, "second")["member_id"]
    show(duel, group)

    # While assignments are waited for, and while somebody waits under the old id.
    duel.send(join(group, instance="i2"), version, "second")
    duel.until(group, preparing)
    before = {side: side.static_member(group, "i2") for side in duel.sides}
    duel.send(join(group, instance="i2"), version, "third")
    for side in duel.sides:
        wait_for(lambda: side.static_member(group, "i2") != before[side])  # noqa: B023
    duel.receive(join(group, instance="i2"), version, "second")
    duel.ask(join(group, leader, "i1"), version)
    other = duel.receive(join(group, instance="i2"), version, "third")["member_id"]
    show(duel, group)
    duel.ask(leave(group, ("", "i9"), ("", "i1"), ("x", "i2"), "", (other, "i1"), (other, "i2")))
    show(duel, group)
