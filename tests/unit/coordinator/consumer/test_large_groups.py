"""Groups of many members: who need not give anything up goes on undisturbed."""

from __future__ import annotations

from barnabas._core import Uuid
from tests.support.coordinator import CoordinatorSim
from tests.unit.coordinator.consumer.clients import Client, group_of, group_sim

MEMBERS = 1_000
"""And as many partitions, once the last of them has joined."""
ROUNDS_MAX = 5
"""Heartbeats of each member within which a group has to settle."""


class LargeGroup:
    """Members that heartbeat one after another, and what they have heard."""

    def __init__(self, sim: CoordinatorSim, count: int) -> None:
        self.sim = sim
        self.members = [Client(sim, f"m{number:05}", ("t",)) for number in range(count)]
        self.told: dict[str, list[set[tuple[Uuid, int]]]] = {}
        """New assignments by member, since somebody last asked."""

    def settle(self) -> int:
        """Heartbeats until everybody has the group's epoch and what it is to have; rounds that this takes."""
        self.told = {}
        for rounds in range(1, ROUNDS_MAX + 1):
            for member in self.members:
                self._beat(member)
            if self._is_settled():
                return rounds
            self.sim.advance(1_000)
        raise AssertionError(f"not settled after {ROUNDS_MAX} heartbeats of each member")

    def _beat(self, member: Client) -> None:
        before = member.told
        member.beat()
        if member.told is not before:
            self.told.setdefault(member.member_id, []).append(member.told)
        member.move()
        assert not member.errors, member.errors

    def _is_settled(self) -> bool:
        epoch = group_of(self.sim).group_epoch
        return all(one.epoch == epoch and one.owned == one.told for one in self.members)

    def owned(self) -> dict[str, frozenset[tuple[Uuid, int]]]:
        """What each member has."""
        return {one.member_id: frozenset(one.owned) for one in self.members}


def test_members_keep_what_need_not_move_when_one_joins_and_when_one_leaves() -> None:
    sim = group_sim(t=MEMBERS)
    group = LargeGroup(sim, MEMBERS - 1)
    group.settle()
    before = group.owned()
    sim.advance(20_000)

    joining = Client(sim, "z", ("t",))
    group.members.append(joining)
    group.settle()
    assert len(joining.owned) == 1
    after = group.owned()
    losers = {one for one, had in before.items() if after[one] != had}
    assert len(losers) == 1
    assert all(after[one] < before[one] for one in losers)
    assert set(group.told) == losers | {"z"}, "nobody else hears of any partition"

    sim.advance(20_000)
    group.members.remove(joining)
    joining.leave()
    group.settle()
    before, after = after, group.owned()
    gainers = {one for one in after if after[one] != before[one]}
    assert len(gainers) == 1
    assert all(after[one] > before[one] for one in gainers)
    assert set(group.told) == gainers
