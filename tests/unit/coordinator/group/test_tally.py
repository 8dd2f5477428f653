"""What groups have done is counted once, whatever machine did it."""

from __future__ import annotations

from barnabas.coordinator.group.tally import NAMES
from tests.support.coordinator import CoordinatorSim
from tests.unit.coordinator.consumer.clients import group_sim, join
from tests.unit.coordinator.group.group_sim import GroupSim


def counted(sim: CoordinatorSim) -> dict[str, int]:
    sim.machine.lending.take_back_all()
    return {name: sim.machine.tally[name] for name in NAMES if sim.machine.tally[name]}


def test_commits_deletions_and_expired_offsets_are_counted() -> None:
    sim = GroupSim(offsets_retention_minutes="1")
    sim.commit(1)
    sim.commit(2)
    sim.commit(3, partition=1)
    assert counted(sim) == {"offset_commit": 3}
    sim.delete_offset(1)
    assert counted(sim) == {"offset_commit": 3, "offset_deletion": 1}
    sim.advance(20 * 60_000)
    assert counted(sim) == {"offset_commit": 3, "offset_deletion": 1, "offset_expiration": 1}


def test_a_classic_rebalance_counts_when_its_leader_has_assigned() -> None:
    sim = GroupSim()
    sim.settled(3)
    assert counted(sim) == {"group_completed_rebalance": 1}


def test_each_new_epoch_of_a_consumer_group_counts() -> None:
    sim = group_sim(t=2)
    join(sim, "g", "m1", "t")
    join(sim, "g", "m2", "t")
    assert counted(sim) == {"consumer_group_rebalance": 2}


def test_what_is_loaded_is_not_counted_again() -> None:
    sim = GroupSim()
    sim.commit(1)
    sim.restart()
    assert counted(sim) == {}
