"""Share groups: members, assignments, and the partitions that the share coordinator begins with."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas._core import Uuid
from barnabas.coordinator.group.machine import GroupMachine
from barnabas.coordinator.group.requests import DeleteGroup, ListGroups
from barnabas.coordinator.group.share.assignor import Subscriber, assign_simple
from barnabas.coordinator.group.share.requests import (
    BeginAlterOffsets,
    DeleteStatesFirst,
    DescribeShareGroup,
    InitializeStates,
    StatesDeleted,
    StatesInitialized,
)
from barnabas.coordinator.group.share.state_partitions import TopicState
from barnabas.coordinator.records import GROUPS
from barnabas.errors import FencedMemberEpoch, GroupIdNotFound, InvalidRequest, NonEmptyGroup, UnknownMemberId
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest
from barnabas.protocol.generated.share_group_heartbeat_request import ShareGroupHeartbeatRequest
from tests.support.cluster import Cluster, numbered
from tests.support.coordinator import CoordinatorSim, Reply

SESSION_MS = 45_000


@pytest.fixture
def sim() -> CoordinatorSim:
    cluster = Cluster(1)
    cluster.create("orders", 2)
    return CoordinatorSim(GroupMachine, GROUPS, cluster=cluster)


def initialize(sim: CoordinatorSim) -> None:
    """The share coordinator does what it is asked to."""
    asked, sim.effects = sim.effects, []
    for effect in asked:
        assert isinstance(effect, InitializeStates)
        sim.call(StatesInitialized(effect.group_id, effect.topics))


class Client:
    """A member that says what a share consumer says."""

    def __init__(self, sim: CoordinatorSim, member_id: str, group: str = "g") -> None:
        self.sim, self.member_id, self.group = sim, member_id, group
        self.epoch = 0
        self.assigned: set[tuple[Uuid, int]] = set()

    def send(self, epoch: int, topics: list[str] | None = None) -> Reply:
        request = ShareGroupHeartbeatRequest(self.group, self.member_id, epoch, None, topics)
        return self.sim.call(request, version=1)

    def join(self, *topics: str) -> Client:
        self._hear(self.send(0, list(topics)))
        initialize(self.sim)
        return self.beat()

    def beat(self) -> Client:
        self._hear(self.send(self.epoch))
        return self

    def leave(self) -> None:
        assert self.send(-1).response.member_epoch == -1

    def _hear(self, reply: Reply) -> None:
        response = reply.response
        self.epoch = response.member_epoch
        if response.assignment is not None:
            topics = response.assignment.topic_partitions
            self.assigned = {(topic.topic_id, index) for topic in topics for index in topic.partitions}


def states(sim: CoordinatorSim) -> dict[str, str]:
    return {group.group_id: group.group_state for group in sim.call(ListGroups()).response}


def test_partitions_are_assigned_once_their_states_are_there(sim: CoordinatorSim) -> None:
    client = Client(sim, "a")
    response = client.send(0, ["orders"]).response
    assert (response.member_epoch, response.assignment.topic_partitions) == (2, [])
    (effect,) = sim.effects
    assert {name: set(partitions) for name, partitions in effect.topics.values()} == {"orders": {0, 1}}
    initialize(sim)
    client.epoch = response.member_epoch
    assert {index for _, index in client.beat().assigned} == {0, 1}
    assert client.epoch == 3


def test_members_share_partitions_when_there_are_more_members(sim: CoordinatorSim) -> None:
    clients = [Client(sim, name).join("orders") for name in "abcd"]
    for client in clients:
        sim.advance(1000)
        client.beat()
    owned = Counter(index for client in clients for _, index in client.assigned)
    assert owned == {0: 2, 1: 2}


def test_new_partitions_are_initialized_and_assigned(sim: CoordinatorSim) -> None:
    client = Client(sim, "a").join("orders", "later")
    sim.cluster.create("later", 1)
    sim.metadata_changed()
    client.beat()
    initialize(sim)
    sim.advance(1000)
    assert len(client.beat().assigned) == 3


def test_states_that_nobody_begins_are_asked_for_again(sim: CoordinatorSim) -> None:
    client = Client(sim, "a")
    client.epoch = client.send(0, ["orders"]).response.member_epoch
    sim.effects.clear()
    client.beat()
    assert not sim.effects
    sim.advance(30_000)
    client.beat()
    assert len(sim.effects) == 1


def test_members_are_who_and_where_they_say(sim: CoordinatorSim) -> None:
    client = Client(sim, "a").join("orders")
    assert isinstance(client.send(client.epoch + 1).error, FencedMemberEpoch)
    assert isinstance(client.send(client.epoch - 2).error, FencedMemberEpoch)
    client.send(client.epoch - 1).response  # noqa: B018
    assert isinstance(Client(sim, "b").send(3).error, UnknownMemberId)
    assert isinstance(Client(sim, "b", "nobody's").send(3).error, GroupIdNotFound)
    assert isinstance(Client(sim, "b").send(0).error, InvalidRequest)
    assert isinstance(Client(sim, "b").send(-2).error, InvalidRequest)
    assert isinstance(Client(sim, " ").send(0, ["orders"]).error, InvalidRequest)


def test_a_group_has_one_kind(sim: CoordinatorSim) -> None:
    Client(sim, "a").join("orders")
    join = ConsumerGroupHeartbeatRequest(
        group_id="g", member_id="c", rebalance_timeout_ms=1, subscribed_topic_names=[], topic_partitions=[]
    )
    assert isinstance(sim.call(join, version=1).error, GroupIdNotFound)


def test_a_silent_member_loses_its_place_and_an_empty_group_stays(sim: CoordinatorSim) -> None:
    Client(sim, "a").join("orders")
    assert states(sim) == {"g": "Stable"}
    sim.advance(SESSION_MS)
    assert states(sim) == {"g": "Empty"}
    sim.advance(10 * 24 * 3_600_000)
    assert states(sim) == {"g": "Empty"}


def test_members_live_on_with_another_leader(sim: CoordinatorSim) -> None:
    client = Client(sim, "a").join("orders")
    before = sim.call(DescribeShareGroup("g")).response
    sim.log.compact()
    sim.restart()
    assert sim.call(DescribeShareGroup("g")).response == before
    assert len(client.beat().assigned) == 2


def test_a_group_is_deleted_once_its_states_are(sim: CoordinatorSim) -> None:
    client = Client(sim, "a").join("orders")
    assert sim.call(DeleteGroup("g")).response.error_code == ErrorCode.NON_EMPTY_GROUP
    client.leave()
    first = sim.call(DeleteGroup("g")).response
    assert isinstance(first, DeleteStatesFirst)
    sim.call(StatesDeleted("g", first.topics))
    initialized = sim.machine.groups.by_id["g"].state.initialized
    assert initialized, "only what was announced is deleted"


def test_offsets_are_altered_of_an_empty_group_only(sim: CoordinatorSim) -> None:
    client = Client(sim, "a").join("orders")
    topics = sim.machine.groups.by_id["g"].state.initialized
    assert isinstance(sim.call(BeginAlterOffsets("g", topics)).error, NonEmptyGroup)
    client.leave()
    epoch = sim.call(BeginAlterOffsets("g", topics)).response
    assert epoch == sim.machine.groups.by_id["g"].group_epoch
    assert not sim.machine.groups.by_id["g"].state.initialized
    sim.call(StatesInitialized("g", topics))
    assert sim.machine.groups.by_id["g"].state.initialized == topics


def test_offsets_may_be_set_before_there_is_a_group(sim: CoordinatorSim) -> None:
    topics = {sim.cluster.topic("orders").id: TopicState("orders", frozenset({1}))}
    sim.call(BeginAlterOffsets("g", topics))
    sim.call(StatesInitialized("g", topics))
    assert states(sim) == {"g": "Empty"}
    assert len(Client(sim, "a").join("orders").assigned) == 2


def test_a_topic_that_is_deleted_is_forgotten(sim: CoordinatorSim) -> None:
    from barnabas.protocol.generated.remove_topic_record import RemoveTopicRecord

    client = Client(sim, "a").join("orders")
    sim.cluster.write([(RemoveTopicRecord(topic_id=sim.cluster.topic("orders").id), 0)])
    sim.metadata_changed()
    assert not sim.machine.groups.by_id["g"].state.names()
    sim.advance(1000)
    assert client.beat().assigned == set()


@st.composite
def subscribers(draw: st.DrawFn) -> tuple[list[Subscriber], dict[Uuid, frozenset[int]]]:
    topics = [numbered(index) for index in range(draw(st.integers(1, 3)))]
    assignable = {topic: frozenset(range(draw(st.integers(1, 5)))) for topic in topics}
    alike = draw(st.booleans())
    shared = frozenset(draw(st.sets(st.sampled_from(topics), min_size=1)))
    members = [
        Subscriber(
            f"m{index}",
            shared if alike else frozenset(draw(st.sets(st.sampled_from(topics), min_size=1))),
            {
                topic: frozenset(draw(st.sets(st.integers(0, 6), min_size=1)))
                for topic in draw(st.sets(st.sampled_from(topics)))
            },
        )
        for index in range(draw(st.integers(1, 9)))
    ]
    return members, assignable


@given(group=subscribers())
def test_every_partition_has_a_member_and_every_member_a_partition(
    group: tuple[list[Subscriber], dict[Uuid, frozenset[int]]],
) -> None:
    members, assignable = group
    given_out = assign_simple(members, assignable)
    assert given_out.keys() == {member.member_id for member in members}
    owned = Counter(
        (topic, index)
        for assignment in given_out.values()
        for topic, indexes in assignment.items()
        for index in indexes
    )
    subscribed = {topic for member in members for topic in member.topics}
    assert owned.keys() == {(topic, index) for topic in subscribed for index in assignable[topic]}
    for member in members:
        assert given_out[member.member_id]
        assert given_out[member.member_id].keys() <= member.topics
    if all(member.topics == members[0].topics for member in members):
        assert max(owned.values()) - min(owned.values()) <= 1
        again = [member._replace(assigned=given_out[member.member_id]) for member in members]
        assert assign_simple(again, assignable) == given_out
