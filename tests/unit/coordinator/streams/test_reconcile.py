"""How a member gets from what it has to what it is to have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from barnabas.coordinator.group.streams.member import MemberState, StreamsMember
from barnabas.coordinator.group.streams.reconcile import Target, reconcile
from barnabas.coordinator.group.streams.tasks import NO_TASKS, NOTHING_OWNED, OwnedTasks, Task, Tasks
from barnabas.errors import FencedMemberEpoch

FIRST, SECOND = Task("0", 0), Task("0", 1)
ONE = Tasks({"0": frozenset({0})})
BOTH = Tasks({"0": frozenset({0, 1})})


class Others:
    """Who has tasks beside the member."""

    def __init__(
        self, *, active: frozenset[Task] = frozenset(), with_process: frozenset[Task] = frozenset()
    ) -> None:
        self.active = active
        self.with_process = with_process

    def is_active(self, task: Task) -> bool:
        return task in self.active

    def is_with_process(self, task: Task, process_id: str) -> bool:
        return process_id == "p" and task in self.with_process


NOBODY = Others()


def member(epoch: int, assigned: OwnedTasks = NOTHING_OWNED) -> StreamsMember:
    return StreamsMember("m", epoch, epoch - 1, process_id="p", assigned=assigned)


def test_what_is_free_is_taken_with_the_epoch_of_the_target() -> None:
    after = reconcile(member(3), Target(5, BOTH), NO_TASKS, NOBODY)
    assert (after.state, after.member_epoch, after.previous_member_epoch) == (MemberState.STABLE, 5, 3)
    assert after.assigned == OwnedTasks({"0": {0: 5, 1: 5}})


@pytest.mark.parametrize(
    "others",
    [Others(active=frozenset({SECOND})), Others(with_process=frozenset({SECOND}))],
    ids=["any", "process"],
)
def test_a_task_that_somebody_has_is_waited_for(others: Others) -> None:
    after = reconcile(member(3), Target(5, BOTH), NO_TASKS, others)
    assert (after.state, after.member_epoch) == (MemberState.UNRELEASED_TASKS, 5)
    assert after.assigned == OwnedTasks({"0": {0: 5}})
    later = reconcile(after, Target(5, BOTH), None, NOBODY)
    assert later.state is MemberState.STABLE
    assert later.assigned == OwnedTasks({"0": {0: 5, 1: 5}})


def test_a_standby_is_not_with_a_process_that_has_the_task() -> None:
    wanted = Tasks(standby={"0": frozenset({0})})
    waits = reconcile(member(3), Target(5, wanted), NO_TASKS, Others(with_process=frozenset({FIRST})))
    assert (waits.state, waits.assigned) == (MemberState.UNRELEASED_TASKS, NOTHING_OWNED)
    elsewhere = reconcile(member(3), Target(5, wanted), NO_TASKS, Others(active=frozenset({FIRST})))
    assert elsewhere.assigned == OwnedTasks(standby={"0": frozenset({0})})


def test_tasks_are_given_up_before_the_epoch_goes_up() -> None:
    before = member(3, OwnedTasks({"0": {0: 2, 1: 3}}))
    waits = reconcile(before, Target(5, ONE), None, NOBODY)
    assert (waits.state, waits.member_epoch) == (MemberState.UNREVOKED_TASKS, 3)
    assert waits.assigned == OwnedTasks({"0": {0: 2}})
    assert waits.pending_revocation == OwnedTasks({"0": {1: 3}})
    assert reconcile(waits, Target(5, ONE), None, NOBODY) == waits, "it has said nothing"
    assert reconcile(waits, Target(5, ONE), BOTH, NOBODY) == waits, "it still has both"
    after = reconcile(waits, Target(5, ONE), ONE, NOBODY)
    assert (after.state, after.member_epoch) == (MemberState.STABLE, 5)
    assert after.assigned == OwnedTasks({"0": {0: 2}})
    assert after.pending_revocation == NOTHING_OWNED


def test_a_member_that_is_where_it_should_be_stays_there() -> None:
    there = member(5, OwnedTasks({"0": {0: 5}}))
    assert reconcile(there, Target(5, ONE), None, NOBODY) is there


def test_an_unknown_state_begins_again_from_nothing() -> None:
    unknown = replace(member(3), state=MemberState(99))
    assert unknown.state is MemberState.UNKNOWN
    for owned in (None, ONE):
        with pytest.raises(FencedMemberEpoch):
            reconcile(unknown, Target(5, ONE), owned, NOBODY)
    assert reconcile(unknown, Target(5, ONE), NO_TASKS, NOBODY).assigned == OwnedTasks({"0": {0: 5}})
