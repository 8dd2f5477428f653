"""Random histories of a group whose members heartbeat: what happens to each kind of group that has epochs,
and what holds for each. A kind adds how members join, what they own, and when a group is settled."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.support.coordinator import CoordinatorSim

Action = Callable[[], None]


class EpochHistory(ABC):
    """A group's members, who come, go, fall silent and lose answers; the coordinator starts again, from a log
    that may have been compacted."""

    sim: CoordinatorSim

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clients: dict[str, Any] = {}
        self.epochs: tuple[int, dict[str, int]] = (0, {})

    @property
    @abstractmethod
    def group(self) -> Any:
        """The group while it is of this kind."""

    @abstractmethod
    def snapshot(self, group: Any) -> Any:
        """All of a group that records say."""

    @abstractmethod
    def check_owners(self) -> None:
        """Nobody has what is another's."""

    def may_begin_anew(self, member_id: str) -> bool:
        """Whether a member's epoch may go back."""
        return False

    def play(self, weights: Mapping[Action, float], steps: int) -> None:
        """Draws so many actions by their weights, and looks after each."""
        for action in self.chance.choices(list(weights), list(weights.values()), k=steps):
            action()
            self.check_owners()
            self.check_epochs()

    # ---- what happens

    def beat_all(self) -> None:
        clients = list(self.clients.values())
        self.chance.shuffle(clients)
        moves = self.chance.random() < 0.7
        for client in clients:
            client.beat(lost=self.chance.random() < 0.1)
            if moves:
                client.move()

    def some(self) -> Iterator[Any]:
        if self.clients:
            yield self.clients[self.chance.choice(sorted(self.clients))]

    def beat_one(self) -> None:
        for client in self.some():
            client.beat()

    def move_one(self) -> None:
        for client in self.some():
            client.move()

    def leave(self) -> None:
        for client in self.some():
            del self.clients[client.member_id]
            self.say_goodbye(client)

    def say_goodbye(self, client: Any) -> None:
        client.leave()

    def fall_silent(self) -> None:
        for client in self.some():
            del self.clients[client.member_id]

    def pass_time(self) -> None:
        self.sim.advance(self.chance.choice([0, 100, 1_000, 1_000, 12_000, 46_000]))

    def move_coordinator(self) -> None:
        before = self.group and self.snapshot(self.group)
        if self.chance.random() < 0.5:
            self.sim.log.compact()
        self.sim.restart()
        assert before == (self.group and self.snapshot(self.group))

    # ---- what always holds

    def check_epochs(self) -> None:
        if self.group is None:
            self.epochs = (0, {})
            return
        before, members = self.epochs
        assert self.group.group_epoch >= before
        assert self.group.assignment_epoch <= self.group.group_epoch
        now = {member_id: member.member_epoch for member_id, member in self.group.members.items()}
        for member_id, epoch in now.items():
            assert epoch <= self.group.group_epoch
            assert epoch >= members.get(member_id, 0) or self.may_begin_anew(member_id)
        self.epochs = self.group.group_epoch, now

    def beat_until(self, settled: Callable[[], bool], rounds_max: int) -> None:
        """All members heartbeat and do what they are told, until the group is settled or has had its time."""
        for _ in range(rounds_max):
            self.sim.advance(1_000)
            for client in self.clients.values():
                client.beat()
                client.move()
            if settled():
                return
