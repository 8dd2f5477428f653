"""Random histories of a group: whatever its members do, nobody shares a partition, epochs never go back, the
log says all there is, and in the end everybody has a fair share."""

from __future__ import annotations

from typing import Any

import pytest

from barnabas.controller.partitions import create_partitions
from barnabas.coordinator.group.consumer.group import ConsumerGroup
from barnabas.protocol.generated.create_partitions_request import (
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from tests.support.cluster import Cluster
from tests.unit.coordinator.consumer.classic_clients import ClassicClient
from tests.unit.coordinator.consumer.clients import Client, Partition, group_sim, snapshot
from tests.unit.coordinator.epoch_histories import EpochHistory

TOPICS = {"t0": 1, "t1": 3, "t2": 5}
WHO = [f"m{index}" for index in range(5)]
STATIC = ["s0", "s1"]
PATTERNS = ["", "", "t.*", "t[12]"]
ROUNDS_MAX = 60
STEPS = 60


class History(EpochHistory):
    """Members change their minds as well, and topics grow; some may speak the classic protocol."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.sim = group_sim(**TOPICS)
        self.classic: list[ClassicClient] = []

    @property
    def group(self) -> ConsumerGroup | None:
        """The group while it is a consumer group."""
        found = self.sim.machine.groups.find("g")
        return found if isinstance(found, ConsumerGroup) else None

    def snapshot(self, group: ConsumerGroup) -> Any:
        return snapshot(group)

    def may_begin_anew(self, member_id: str) -> bool:
        """A static member that is away, or has come back."""
        return member_id.startswith("s")

    def run(self, steps: int, *, classic: bool = False) -> None:
        weights = {
            self.join: 4,
            self.static_join: 2,
            self.beat_all: 6,
            self.beat_one: 6,
            self.move_one: 3,
            self.leave: 2,
            self.fall_silent: 1,
            self.pass_time: 6,
            self.grow_topic: 1,
            self.move_coordinator: 2,
            self.classic_join: 2 if classic else 0,
            self.classic_step: 12 if classic else 0,
            self.classic_go: 1 if classic else 0,
        }
        self.play(weights, steps)

    # ---- what happens

    def join(self) -> None:
        who = self.chance.choice(WHO)
        topics = self.chance.sample([*TOPICS, "missing"], self.chance.randint(0, 3))
        pattern = self.chance.choice(PATTERNS)
        if who in self.clients:
            self.clients[who].subscribe(*topics, pattern=pattern)
        else:
            self.clients[who] = Client(self.sim, who, tuple(topics), pattern)
        self.clients[who].beat(lost=self.chance.random() < 0.2)

    def static_join(self) -> None:
        who = self.chance.choice(STATIC)
        topics = self.chance.sample([*TOPICS], self.chance.randint(1, 3))
        self.clients.setdefault(who, Client(self.sim, who, tuple(topics), instance_id="i")).beat()

    def say_goodbye(self, client: Client) -> None:
        client.leave(-2 if client.instance_id and self.chance.random() < 0.5 else -1)

    def grow_topic(self) -> None:
        topic = self.sim.cluster.topic(self.chance.choice(sorted(TOPICS)))
        grow(self.sim.cluster, topic.name, topic.partition_count + 1)
        self.sim.metadata_changed()

    def classic_join(self) -> None:
        if len(self.classic) < 3:
            topics = self.chance.sample([*TOPICS], self.chance.randint(1, 3))
            self.classic.append(ClassicClient(self.sim, tuple(topics)))

    def classic_step(self) -> None:
        for client in self.classic:
            client.step()

    def classic_go(self) -> None:
        if self.classic:
            gone = self.classic.pop(self.chance.randrange(len(self.classic)))
            if self.chance.random() < 0.5:
                gone.leave()

    # ---- what always holds

    def check_owners(self) -> None:
        """Members that the coordinator knows own what it believes at most, and never the same."""
        if self.group is None:
            return
        taken: set[Partition] = set()
        for client in [*self.clients.values(), *self.classic]:
            member = self.group.members.get(client.member_id)
            if member is None or (isinstance(client, Client) and client.epoch == 0):
                continue
            believed = {
                (topic, index)
                for owned in (member.assigned, member.pending_revocation)
                for topic in owned
                for index in owned[topic]
            }
            assert client.owned <= believed
            assert not client.owned & taken
            taken |= client.owned

    def settle(self) -> None:
        """When all are quiet everybody gets what the target assignment says, which is a fair one."""
        self.clients.pop("s1", None)
        self.classic.clear()
        self.sim.advance(120_000)
        if not self.clients:
            return
        self.beat_until(self._is_settled, ROUNDS_MAX)
        self._check_settled()

    def _is_settled(self) -> bool:
        return self.group is not None and self.group.is_settled and self._all_told()

    def _all_told(self) -> bool:
        return all(client.owned == client.told and not client.says_all for client in self.clients.values())

    def _check_settled(self) -> None:
        group = self.group
        assert group is not None
        assert group.is_settled
        assert group.members.keys() == self.clients.keys()
        owned = {who: client.owned for who, client in self.clients.items()}
        # Who joins without topics is no reason for another target assignment.
        target: dict[str, Any] = {who: set() for who in self.clients}
        for who, assignment in group.target.items():
            target[who] = {(topic, index) for topic in assignment for index in assignment[topic]}
        assert owned == target
        wanted = set()
        for client in self.clients.values():
            for name in group.topics_of(group.member(client.member_id)):
                topic = self.sim.image.topic(name)
                if topic is not None:
                    wanted |= {(topic.id, index) for index in range(topic.partition_count)}
        assert set().union(*owned.values()) == wanted


def grow(cluster: Cluster, topic: str, partitions: int) -> None:
    """Gives a topic more partitions."""
    request = CreatePartitionsRequest(topics=[CreatePartitionsTopic(topic, partitions, None)])
    response = cluster.apply(create_partitions(cluster.state, request))
    assert response.results[0].error_code == 0, response


@pytest.mark.parametrize("seed", range(40))
def test_a_group_survives_whatever_its_members_do(seed: int) -> None:
    history = History(seed)
    history.run(STEPS)
    history.settle()


@pytest.mark.parametrize("seed", range(40))
def test_a_group_survives_members_of_both_protocols(seed: int) -> None:
    history = History(seed)
    history.run(STEPS, classic=True)
    history.settle()
