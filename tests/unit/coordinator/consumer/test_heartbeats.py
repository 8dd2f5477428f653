"""ConsumerGroupHeartbeat: what members are told, and which of them are turned away."""

from __future__ import annotations

from typing import Any

import pytest

from barnabas.coordinator.group.requests import DeleteGroup, DescribeConsumerGroup, ListGroups
from barnabas.errors import (
    FencedInstanceId,
    FencedMemberEpoch,
    GroupIdNotFound,
    GroupMaxSizeReached,
    InvalidRequest,
    KafkaError,
    UnknownMemberId,
    UnreleasedInstanceId,
    UnsupportedAssignor,
)
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest
from tests.support.coordinator import CoordinatorSim
from tests.unit.coordinator.consumer.clients import (
    REBALANCE_TIMEOUT_MS,
    Client,
    assigned,
    group_of,
    group_sim,
    heartbeat,
    join,
)

AT_ONCE = {"group.consumer.assignment.interval.ms": "0"}


@pytest.fixture
def sim() -> CoordinatorSim:
    return group_sim(AT_ONCE, a=4, b=2)


def partitions(sim: CoordinatorSim, topic: str, *indexes: int) -> set[Any]:
    return {(sim.cluster.topic(topic).id, index) for index in indexes}


def settle(*clients: Client) -> None:
    for _ in range(4):
        for client in clients:
            client.beat()
            client.move()


# ---- joining


def test_the_first_member_gets_everything_with_its_first_heartbeat(sim: CoordinatorSim) -> None:
    reply = join(sim, "g", "m1", "a", "b")
    assert reply.response.member_epoch == 2
    assert assigned(reply) == partitions(sim, "a", 0, 1, 2, 3) | partitions(sim, "b", 0, 1)


def test_the_second_member_waits_for_what_the_first_gives_up(sim: CoordinatorSim) -> None:
    join(sim, "g", "m1", "a")
    reply = join(sim, "g", "m2", "a")
    assert (reply.response.member_epoch, assigned(reply)) == (3, set())
    told = heartbeat(sim, "g", "m1", 2)
    assert (told.response.member_epoch, assigned(told)) == (2, partitions(sim, "a", 0, 1))
    assert assigned(heartbeat(sim, "g", "m2", 3)) is None
    given_up = heartbeat(sim, "g", "m1", 2, partitions(sim, "a", 0, 1))
    assert given_up.response.member_epoch == 3
    assert assigned(heartbeat(sim, "g", "m2", 3)) == partitions(sim, "a", 2, 3)


def test_a_member_may_let_the_coordinator_choose_its_id_in_version_0(sim: CoordinatorSim) -> None:
    request = ConsumerGroupHeartbeatRequest(
        "g", "", 0, rebalance_timeout_ms=1, subscribed_topic_names=["a"], topic_partitions=[]
    )
    chosen = sim.call(request, version=0).response.member_id
    assert chosen in group_of(sim).members
    assert isinstance(sim.call(request, version=1).error, InvalidRequest)


def test_topics_that_come_later_are_assigned_when_they_come(sim: CoordinatorSim) -> None:
    client = Client(sim, "m1", ("a", "later"))
    client.beat()
    sim.cluster.create("later", 1)
    sim.metadata_changed()
    client.beat()
    assert client.told == partitions(sim, "a", 0, 1, 2, 3) | partitions(sim, "later", 0)


def test_assignments_are_not_made_more_often_than_configured() -> None:
    sim = group_sim({"group.consumer.assignment.interval.ms": "80"}, a=4)
    join(sim, "g", "m1", "a")
    sim.advance(10)
    waits = join(sim, "g", "m2", "a").response
    assert (waits.member_epoch, waits.heartbeat_interval_ms) == (2, 70)
    assert group_of(sim).state_name(0) == "Assigning"
    sim.advance(70)
    assert heartbeat(sim, "g", "m2", 2).response.member_epoch == 3


@pytest.mark.parametrize(("members", "wait_ms"), [(1, 100), (30, 300), (150, 1000)])
def test_who_joins_waits_the_longer_the_larger_the_group_up_to_the_interval(
    members: int, wait_ms: int
) -> None:
    sim = group_sim(a=4)
    for number in range(members - 1):
        join(sim, "g", f"m{number}", "a")
    sim.advance(1000)
    join(sim, "g", "last", "a")
    epoch = group_of(sim).assignment_epoch
    join(sim, "g", "late", "a")
    sim.advance(wait_ms - 1)
    heartbeat(sim, "g", "late", epoch)
    assert group_of(sim).assignment_epoch == epoch
    sim.advance(1)
    heartbeat(sim, "g", "late", epoch)
    assert group_of(sim).assignment_epoch == epoch + 1


def test_who_joins_a_group_that_all_have_left_waits_for_nobody() -> None:
    sim = group_sim(a=4)
    join(sim, "g", "m1", "a")
    heartbeat(sim, "g", "m1", -1)
    reply = join(sim, "g", "m2", "a")
    assert assigned(reply) == partitions(sim, "a", 0, 1, 2, 3)


def test_members_come_the_more_rarely_the_longer_nothing_has_changed(sim: CoordinatorSim) -> None:
    client = Client(sim, "m1", ("a",))
    client.beat()
    client.move()
    intervals = []
    for seconds in (1, 7, 32, 40):
        sim.advance(seconds * 1000)
        intervals.append(heartbeat(sim, "g", "m1", 2).response.heartbeat_interval_ms)
    assert intervals == [125, 1000, 5000, 5000]


def test_a_group_takes_no_more_members_than_configured() -> None:
    sim = group_sim({**AT_ONCE, "group.consumer.max.size": "1"}, a=4)
    join(sim, "g", "m1", "a")
    assert isinstance(join(sim, "g", "m2", "a").error, GroupMaxSizeReached)
    assert join(sim, "g", "m1", "a").error_code == ErrorCode.NONE


# ---- what is wrong with a request


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"member_id": " "}, InvalidRequest),
        ({"group_id": ""}, InvalidRequest),
        ({"instance_id": ""}, InvalidRequest),
        ({"rack_id": " "}, InvalidRequest),
        ({"rebalance_timeout_ms": -1}, InvalidRequest),
        ({"topic_partitions": None}, InvalidRequest),
        ({"subscribed_topic_names": None}, InvalidRequest),
        ({"member_epoch": -2}, InvalidRequest),
        ({"member_epoch": -3}, InvalidRequest),
        ({"server_assignor": "nobody"}, UnsupportedAssignor),
        ({"member_epoch": 1}, GroupIdNotFound),
        ({"member_epoch": -1}, GroupIdNotFound),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    sim: CoordinatorSim, fields: dict[str, Any], error: type[KafkaError]
) -> None:
    sensible: dict[str, Any] = {
        "group_id": "g",
        "member_id": "m",
        "rebalance_timeout_ms": 1,
        "subscribed_topic_names": ["a"],
        "topic_partitions": [],
    }
    assert isinstance(
        sim.call(ConsumerGroupHeartbeatRequest(**{**sensible, **fields}), version=1).error, error
    )
    assert sim.call(ConsumerGroupHeartbeatRequest(**sensible), version=1).error_code == ErrorCode.NONE


# ---- epochs


def test_a_member_with_another_epoch_than_its_own_is_fenced(sim: CoordinatorSim) -> None:
    join(sim, "g", "m1", "a")
    for epoch in (1, 3):
        assert isinstance(heartbeat(sim, "g", "m1", epoch, set()).error, FencedMemberEpoch)
    assert isinstance(heartbeat(sim, "g", "m2", 2).error, UnknownMemberId)


def test_a_member_that_has_not_heard_of_its_epoch_may_repeat_itself(sim: CoordinatorSim) -> None:
    one, two = Client(sim, "m1", ("a",)), Client(sim, "m2", ("a",))
    settle(one, two)
    two.leave()
    assert one.epoch == 3
    heartbeat(sim, "g", "m1", 3, one.owned)  # Its answer, epoch 4 and everything, is lost.
    assert isinstance(heartbeat(sim, "g", "m1", 3).error, FencedMemberEpoch)
    again = heartbeat(sim, "g", "m1", 3, one.owned, rebalance_timeout_ms=1000, subscribed_topic_names=["a"])
    assert (again.response.member_epoch, assigned(again)) == (4, partitions(sim, "a", 0, 1, 2, 3))


# ---- leaving, and falling silent


def test_what_a_member_leaves_goes_to_the_others(sim: CoordinatorSim) -> None:
    one, two = Client(sim, "m1", ("a",)), Client(sim, "m2", ("a",))
    settle(one, two)
    reply = two.leave()
    assert (reply.response.member_id, reply.response.member_epoch) == ("m2", -1)
    settle(one)
    assert one.owned == partitions(sim, "a", 0, 1, 2, 3)


def test_a_member_that_falls_silent_is_removed(sim: CoordinatorSim) -> None:
    one, two = Client(sim, "m1", ("a",)), Client(sim, "m2", ("a",))
    settle(one, two)
    sim.advance(40_000)
    one.beat()
    sim.advance(5_001)
    assert list(group_of(sim).members) == ["m1"]


def test_a_group_has_its_own_session_timeout(sim: CoordinatorSim) -> None:
    from barnabas.protocol.generated.config_record import ConfigRecord

    record = ConfigRecord(32, "g", "consumer.session.timeout.ms", "50000")
    sim.cluster.write([(record, 0)])
    join(sim, "g", "m1", "a")
    sim.advance(49_999)
    assert group_of(sim).members
    sim.advance(2)
    assert not group_of(sim).members


def test_a_member_that_does_not_give_up_partitions_in_time_is_removed(sim: CoordinatorSim) -> None:
    one, two = Client(sim, "m1", ("a",)), Client(sim, "m2", ("a",))
    one.beat()
    one.move()
    two.beat()
    for _ in range(REBALANCE_TIMEOUT_MS // 10_000 + 1):
        one.beat()
        two.beat()
        sim.advance(10_000)
    assert list(group_of(sim).members) == ["m2"]
    settle(two)
    assert two.owned == partitions(sim, "a", 0, 1, 2, 3)


def test_timers_start_again_when_the_coordinator_moves(sim: CoordinatorSim) -> None:
    join(sim, "g", "m1", "a")
    sim.advance(40_000)
    sim.restart()
    sim.advance(44_999)
    assert group_of(sim).members
    sim.advance(1)
    assert not group_of(sim).members


# ---- static members


def test_a_static_member_gets_back_what_it_had(sim: CoordinatorSim) -> None:
    static, other = Client(sim, "s1", ("a",), instance_id="i"), Client(sim, "m1", ("a",))
    settle(static, other)
    had, epoch = set(static.owned), group_of(sim).group_epoch
    static.leave(-2)
    other.beat()
    returned = Client(sim, "s2", ("a",), instance_id="i")
    returned.beat()
    assert returned.told == had
    assert group_of(sim).group_epoch == epoch
    assert "s1" not in group_of(sim).members


def test_an_instance_id_belongs_to_one_member(sim: CoordinatorSim) -> None:
    join(sim, "g", "s1", "a", instance_id="i")
    assert isinstance(join(sim, "g", "s2", "a", instance_id="i").error, UnreleasedInstanceId)
    assert isinstance(heartbeat(sim, "g", "s2", 2, instance_id="i").error, FencedInstanceId)
    assert isinstance(heartbeat(sim, "g", "s1", 2, instance_id="j").error, UnknownMemberId)
    assert isinstance(heartbeat(sim, "g", "s2", -2, instance_id="i").error, FencedInstanceId)


def test_a_static_member_that_does_not_return_is_removed(sim: CoordinatorSim) -> None:
    client = Client(sim, "s1", ("a",), instance_id="i")
    settle(client)
    client.leave(-2)
    sim.advance(45_000)
    assert not group_of(sim).members


# ---- subscriptions


def test_a_topic_that_a_member_gives_up_is_taken_from_it_at_once() -> None:
    sim = group_sim(a=2, b=2)
    client = Client(sim, "m1", ("a", "b"))
    settle(client)
    client.subscribe("a")
    client.beat()  # There may be no other target assignment yet.
    assert client.told == partitions(sim, "a", 0, 1)
    other = join(sim, "g", "m2", "b")
    assert assigned(other) == set()


def test_members_with_different_topics_get_theirs(sim: CoordinatorSim) -> None:
    one, two = Client(sim, "m1", ("a",)), Client(sim, "m2", ("a", "b"))
    settle(one, two)
    assert len(one.owned) == len(two.owned) == 3
    assert partitions(sim, "b", 0, 1) <= two.owned


def test_a_member_without_topics_costs_the_others_nothing(sim: CoordinatorSim) -> None:
    one, two = Client(sim, "m2", ("a",)), Client(sim, "m3", ("a",))
    settle(one, two)
    two.leave()
    Client(sim, "m1").beat()
    settle(one)
    assert one.owned == partitions(sim, "a", 0, 1, 2, 3)


@pytest.mark.parametrize("assignor", ["range", "uniform"])
def test_the_assignor_that_most_members_want_assigns(sim: CoordinatorSim, assignor: str) -> None:
    join(sim, "g", "m1", "a", server_assignor=assignor)
    join(sim, "g", "m2", "a", server_assignor=assignor)
    join(sim, "g", "m3", "a", server_assignor="uniform" if assignor == "range" else "range")
    assert sim.call(DescribeConsumerGroup("g")).response.assignor_name == assignor


# ---- administration


def test_a_group_is_listed_described_and_deleted(sim: CoordinatorSim) -> None:
    client = Client(sim, "m1", ("a",))
    settle(client)
    listed = sim.call(ListGroups(frozenset({"stable"}), frozenset({"consumer"}))).response[0]
    assert (listed.group_id, listed.protocol_type, listed.group_state) == ("g", "consumer", "Stable")
    member = sim.call(DescribeConsumerGroup("g")).response.members[0]
    assert (member.member_id, member.subscribed_topic_names, member.member_type) == ("m1", ["a"], 1)
    assert member.assignment.topic_partitions[0].partitions == [0, 1, 2, 3]
    assert sim.call(DeleteGroup("g")).error_code == ErrorCode.NON_EMPTY_GROUP
    client.leave()
    assert sim.call(DeleteGroup("g")).error_code == ErrorCode.NONE
    assert sim.call(DescribeConsumerGroup("g")).error_code == ErrorCode.GROUP_ID_NOT_FOUND
    sim.restart()
    assert sim.machine.groups.find("g") is None
    assert join(sim, "g", "m1", "a").response.member_epoch == 2


def test_a_heartbeat_that_can_not_be_written_changes_nothing(sim: CoordinatorSim) -> None:
    client = Client(sim, "m1", ("a",))
    settle(client)
    names = [f"{index:05}{'x' * 240}" for index in range(6000)]
    reply = heartbeat(sim, "g", "m1", client.epoch, subscribed_topic_names=names)
    assert reply.error_code != ErrorCode.NONE
    assert group_of(sim).member("m1").topic_names == {"a"}
    client.beat()
    assert client.epoch == 2
