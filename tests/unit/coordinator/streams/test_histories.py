"""Random histories of a streams group: whatever its members do, no task is active twice, no process has a
task twice, epochs never go back, the log says all there is, and in the end every task has an owner."""

from __future__ import annotations

from typing import Any

import pytest

from barnabas.coordinator.group.streams.group import StreamsGroup
from barnabas.coordinator.group.streams.tasks import Task, each
from tests.unit.coordinator.consumer.test_histories import grow
from tests.unit.coordinator.epoch_histories import EpochHistory
from tests.unit.coordinator.streams.clients import (
    Client,
    delete_topic,
    group_sim,
    set_config,
    snapshot,
    subtopology,
    topic,
    topology,
)

WHO = [f"m{index}" for index in range(6)]
PROCESSES = ["p", "q", "r"]
ROUNDS_MAX = 60
STEPS = 70
TOPOLOGY = topology(
    subtopology("0", "t0", "t1", sinks=["r-repartition"]),
    subtopology("1", repartition=[topic("r-repartition", 3)], changelogs=["c-changelog"]),
    subtopology("2", "t1"),
)


class History(EpochHistory):
    """Topics come and grow as well, and standbys are asked for."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        settings = {
            "group.streams.initial.rebalance.delay.ms": self.chance.choice(["0", "0", "3000"]),
            "group.streams.num.standby.replicas": self.chance.choice(["0", "1", "2"]),
        }
        self.sim = group_sim(settings, t0=2)

    @property
    def group(self) -> StreamsGroup | None:
        found = self.sim.machine.groups.find("app")
        return found if isinstance(found, StreamsGroup) else None

    def snapshot(self, group: StreamsGroup) -> Any:
        return snapshot(group)

    def run(self, steps: int) -> None:
        weights = {
            self.join: 5,
            self.beat_all: 8,
            self.beat_one: 5,
            self.move_one: 3,
            self.leave: 2,
            self.fall_silent: 1,
            self.pass_time: 6,
            self.create_source: 2,
            self.grow_source: 1,
            self.delete_source: 0.3,
            self.ask_for_standbys: 1,
            self.move_coordinator: 2,
        }
        self.play(weights, steps)

    # ---- what happens

    def join(self) -> None:
        who = self.chance.choice(WHO)
        if who not in self.clients:
            process = PROCESSES[WHO.index(who) % len(PROCESSES)]
            endpoint = self.chance.choice([None, (process, 1)])
            self.clients[who] = Client(self.sim, who, TOPOLOGY, process_id=process, endpoint=endpoint)
        self.clients[who].beat(lost=self.chance.random() < 0.2)

    def create_source(self) -> None:
        if self.sim.image.topic("t1") is None:
            self.sim.cluster.create("t1", self.chance.randint(1, 3))
            self.sim.metadata_changed()

    def grow_source(self) -> None:
        found = self.sim.image.topic("t0")
        if found is not None and found.partition_count < 6:
            grow(self.sim.cluster, "t0", found.partition_count + 1)
            self.sim.metadata_changed()

    def delete_source(self) -> None:
        if self.sim.image.topic("t1") is not None:
            delete_topic(self.sim, "t1")

    def ask_for_standbys(self) -> None:
        set_config(self.sim, "streams.num.standby.replicas", self.chance.choice(["0", "1", "2"]))
        self.sim.metadata_changed()

    # ---- what always holds

    def check_owners(self) -> None:
        """Members that the coordinator knows have what it believes at most; no task is active twice, and none
        is with a process twice."""
        if self.group is None:
            return
        active: set[Task] = set()
        of_process: dict[str, set[Task]] = {}
        for client in self.clients.values():
            member = self.group.members.get(client.member_id)
            if member is None or client.epoch == 0:
                continue
            believed = [
                {task for owned in (member.assigned, member.pending_revocation) for task in each(role(owned))}
                for role in (lambda owned: owned.active, lambda owned: owned.standby)
            ]
            assert client.owned.active <= believed[0]
            assert client.owned.standby <= believed[1]
            assert not client.owned.active & active
            active |= client.owned.active
            mine = client.owned.all()
            held = of_process.setdefault(member.process_id, set())
            assert not mine & held
            assert len(mine) == len(client.owned.active) + len(client.owned.standby)
            held |= mine

    def settle(self) -> None:
        """When all are quiet and all topics are there, every task has its owner, as the target says."""
        self.create_source()
        self.sim.advance(120_000)
        if not self.clients:
            return
        self.beat_until(self._is_settled, ROUNDS_MAX)
        self._check_settled()

    def _is_settled(self) -> bool:
        group = self.group
        told = all(client.owned == client.told for client in self.clients.values())
        if group is None or group.members.keys() != self.clients.keys():
            return False
        return group.state_name(0) == "Stable" and told

    def _check_settled(self) -> None:
        assert self._is_settled(), [client.statuses for client in self.clients.values()]
        group = self.group
        assert group is not None
        for who, client in self.clients.items():
            target = group.target_of(who)
            assert client.owned.active == set(each(target.active))
            assert client.owned.standby == set(each(target.standby))
        sources = [self.sim.image.topic(name).partition_count for name in ("t0", "t1")]
        counts = {"0": max(sources), "1": 3, "2": sources[1]}
        wanted = {Task(one, index) for one in counts for index in range(counts[one])}
        assert set().union(*(client.owned.active for client in self.clients.values())) == wanted


@pytest.mark.parametrize("seed", range(40))
def test_a_group_survives_whatever_its_members_do(seed: int) -> None:
    history = History(seed)
    history.run(STEPS)
    history.settle()
