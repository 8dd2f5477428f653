"""Leads a member from what it has to what it is to have.

A member first gives up what it is not to have any more (UNREVOKED_TASKS), then takes the epoch of its target
assignment with what is free of it, and waits for what others have yet to give up (UNRELEASED_TASKS) until it
has everything (STABLE).

Always true of what comes out:
  no task becomes active that somebody has, and no process gets a task that it has already
  nothing that the member may still have is lost from sight: it is assigned or pending revocation
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from barnabas.coordinator.group.streams.member import MemberState, StreamsMember
from barnabas.coordinator.group.streams.tasks import (
    NOTHING_OWNED,
    OwnedTasks,
    Partitions,
    Task,
    Tasks,
    overlap,
)
from barnabas.errors import FencedMemberEpoch


@dataclass(frozen=True, slots=True)
class Target:
    """What a member is to have."""

    epoch: int
    tasks: Tasks


class Holders(Protocol):
    """Who has tasks now."""

    def is_active(self, task: Task) -> bool:
        """Whether some member has the task as an active one."""

    def is_with_process(self, task: Task, process_id: str) -> bool:
        """Whether a member of the process has the task, in whatever role."""


def reconcile(member: StreamsMember, target: Target, owned: Tasks | None, holders: Holders) -> StreamsMember:
    """The member's next step; the member itself when there is none. `owned` is what the member says it has,
    None when it says nothing."""
    step = _Step(member, target, owned, holders)
    match member.state:
        case MemberState.STABLE:
            return member if member.member_epoch == target.epoch else step.next(member.member_epoch)
        case MemberState.UNREVOKED_TASKS:
            if step.still_has(member.pending_revocation):
                return member
            return step.next(member.member_epoch + 1)
        case MemberState.UNRELEASED_TASKS:
            return step.next(member.member_epoch)
    # A later version has written a state that nothing is known about: the member starts again from nothing.
    if owned is None or not owned.is_empty():
        raise FencedMemberEpoch(
            "The member is in an unknown state. It must give up all its tasks and join again."
        )
    return step.next(target.epoch)


@dataclass(frozen=True, slots=True)
class _Step:
    member: StreamsMember
    target: Target
    owned: Tasks | None
    holders: Holders

    def still_has(self, pending: OwnedTasks) -> bool:
        """Whether the member may have any of it: so it is while it says nothing."""
        return self.owned is None or overlap(self.owned, pending.tasks())

    def next(self, member_epoch: int) -> StreamsMember:
        """As far as the target assignment can be had now."""
        has, wants = self.member.assigned, self.target.tasks
        active = self._difference(has.active, wants.active, self._active_elsewhere)
        standby = self._difference(_without_epochs(has.standby), wants.standby, self._with_process)
        warmup = self._difference(_without_epochs(has.warmup), wants.warmup, self._with_process)
        pending = OwnedTasks(active.revoked, _keys(standby.revoked), _keys(warmup.revoked))
        if not pending.is_empty() and self.still_has(pending):
            kept = OwnedTasks(active.kept, _keys(standby.kept), _keys(warmup.kept))
            return self._became(MemberState.UNREVOKED_TASKS, member_epoch, kept, pending)
        waits = active.waits or standby.waits or warmup.waits
        state = MemberState.UNRELEASED_TASKS if waits else MemberState.STABLE
        all_free = OwnedTasks(
            active.kept_and_free(), _keys(standby.kept_and_free()), _keys(warmup.kept_and_free())
        )
        return self._became(state, self.target.epoch, all_free, NOTHING_OWNED)

    def _active_elsewhere(self, task: Task) -> bool:
        return self.holders.is_active(task) or self._with_process(task)

    def _with_process(self, task: Task) -> bool:
        return self.holders.is_with_process(task, self.member.process_id)

    def _difference(self, has: _Epochs, wants: Partitions, is_taken: Callable[[Task], bool]) -> _Difference:
        kept: dict[str, dict[int, int]] = {}
        revoked: dict[str, dict[int, int]] = {}
        free: dict[str, dict[int, int]] = {}
        waits = False
        for subtopology, partitions in has.items():
            for partition, epoch in partitions.items():
                into = kept if partition in wants.get(subtopology, ()) else revoked
                into.setdefault(subtopology, {})[partition] = epoch
        for subtopology, indexes in wants.items():
            for partition in sorted(indexes - has.get(subtopology, {}).keys()):
                if is_taken(Task(subtopology, partition)):
                    waits = True
                else:
                    free.setdefault(subtopology, {})[partition] = self.target.epoch
        return _Difference(kept, revoked, free, waits)

    def _became(
        self, state: MemberState, member_epoch: int, assigned: OwnedTasks, pending: OwnedTasks
    ) -> StreamsMember:
        return replace(
            self.member,
            state=state,
            previous_member_epoch=self.member.member_epoch,
            member_epoch=member_epoch,
            assigned=assigned,
            pending_revocation=pending,
        )


_Epochs = Mapping[str, Mapping[int, int]]


@dataclass(frozen=True, slots=True)
class _Difference:
    """What a member has and is to have in one role, with assignment epochs."""

    kept: _Epochs
    revoked: _Epochs
    free: _Epochs
    """What it does not have yet and could have now."""
    waits: bool
    """Whether there is more that it is to have."""

    def kept_and_free(self) -> _Epochs:
        subtopologies = self.kept.keys() | self.free.keys()
        return {one: {**self.kept.get(one, {}), **self.free.get(one, {})} for one in subtopologies}


def _without_epochs(partitions: Partitions) -> _Epochs:
    """Standby and warm-up tasks have no epochs; they are reckoned with as if they had."""
    return {subtopology: dict.fromkeys(indexes, 0) for subtopology, indexes in partitions.items()}


def _keys(epochs: _Epochs) -> Partitions:
    return {subtopology: frozenset(partitions) for subtopology, partitions in epochs.items()}
