"""Leads a member from what it has to what it is to have.

A member first gives up what it is not to have any more (UNREVOKED_PARTITIONS), then takes the epoch of its
target assignment with what is free of it, and waits for what others have yet to give up
(UNRELEASED_PARTITIONS) until it has everything (STABLE).

Always true of what comes out:
  nothing is assigned that somebody else still owns
  nothing that the member may still own is lost from sight: it is assigned or pending revocation
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from barnabas._core import Uuid
from barnabas.coordinator.group.consumer.assignor import Assignment
from barnabas.coordinator.group.consumer.member import NOTHING_OWNED, Member, MemberState, Owned
from barnabas.errors import FencedMemberEpoch


class OwnedTopic(Protocol):
    """Partitions of a topic that a member says it owns."""

    topic_id: Uuid
    partitions: list[int]


@dataclass(frozen=True, slots=True)
class Target:
    """What a member is to have."""

    epoch: int
    assignment: Assignment


class Topics(Protocol):
    """The topics that a member subscribes to."""

    def __contains__(self, topic_id: Uuid) -> bool:
        """Whether the topic exists and is subscribed to."""


def reconcile(
    member: Member,
    target: Target,
    topics: Topics,
    *,
    subscription_changed: bool,
    owned: Sequence[OwnedTopic] | None,
    is_owned: Callable[[Uuid, int], bool],
) -> Member:
    """The member's next step; the member itself when there is none.

    `owned` is what the member says it owns, None when it says nothing; `is_owned` whether anybody owns a
    partition."""
    step = _Step(member, target, topics, owned, is_owned)
    match member.state:
        case MemberState.STABLE:
            if member.member_epoch != target.epoch:
                return step.next(member.member_epoch)
            return step.drop_unsubscribed() if subscription_changed else member
        case MemberState.UNREVOKED_PARTITIONS:
            if not step.still_owns(member.pending_revocation):
                return step.next(member.member_epoch)
            return step.drop_unsubscribed() if subscription_changed else member
        case MemberState.UNRELEASED_PARTITIONS:
            return step.next(member.member_epoch)
    # A later version has written a state that nothing is known about: the member starts again from nothing.
    if owned is None or owned:
        raise FencedMemberEpoch(
            "The member is in an unknown state. It must give up all its partitions and join again."
        )
    return step.next(target.epoch)


@dataclass(frozen=True, slots=True)
class _Step:
    member: Member
    target: Target
    topics: Topics
    owned: Sequence[OwnedTopic] | None
    is_owned: Callable[[Uuid, int], bool]

    def still_owns(self, pending: Owned) -> bool:
        """Whether the member may own any of it: so it is while it says nothing."""
        if self.owned is None:
            return True
        return any(
            partition in revoked
            for topic in self.owned
            if (revoked := pending.get(topic.topic_id))
            for partition in topic.partitions
        )

    def drop_unsubscribed(self) -> Member:
        """Takes topics away that the member has given up, before there is a new target assignment."""
        member = self.member
        kept: dict[Uuid, dict[int, int]] = {}
        pending = {topic: dict(partitions) for topic, partitions in member.pending_revocation.items()}
        for topic, partitions in member.assigned.items():
            into = kept if topic in self.topics else pending
            into.setdefault(topic, {}).update(partitions)
        if len(kept) == len(member.assigned):
            return member
        if self.still_owns(pending):
            return self._unrevoked(member.member_epoch, kept, pending)
        return replace(member, previous_member_epoch=member.member_epoch, assigned=kept)

    def next(self, member_epoch: int) -> Member:
        """As far as the target assignment can be had now."""
        member, target = self.member, self.target
        kept: dict[Uuid, dict[int, int]] = {}
        pending: dict[Uuid, dict[int, int]] = {}
        wanted = {
            topic: partitions for topic, partitions in target.assignment.items() if topic in self.topics
        }
        for topic, partitions in member.assigned.items():
            wants = wanted.get(topic, frozenset())
            for partition, epoch in partitions.items():
                into = kept if partition in wants else pending
                into.setdefault(topic, {})[partition] = epoch
        free, waits = self._split(wanted)
        if pending and self.still_owns(pending):
            return self._unrevoked(member_epoch, kept, pending)
        for topic, partitions_free in free.items():
            kept.setdefault(topic, {}).update(dict.fromkeys(partitions_free, target.epoch))
        return replace(
            member,
            state=MemberState.UNRELEASED_PARTITIONS if waits else MemberState.STABLE,
            previous_member_epoch=member.member_epoch,
            member_epoch=target.epoch,
            assigned=kept,
            pending_revocation=NOTHING_OWNED,
        )

    def _split(self, wanted: Assignment) -> tuple[dict[Uuid, Collection[int]], bool]:
        """What the member doesn't have yet and could have now, and whether there is more."""
        member = self.member
        free: dict[Uuid, Collection[int]] = {}
        waits = False
        for topic, partitions in wanted.items():
            assigned = member.assigned.get(topic, {})
            mine = member.pending_revocation.get(topic, {})
            missing = sorted(partition for partition in partitions if partition not in assigned)
            ready = [
                partition for partition in missing if partition in mine or not self.is_owned(topic, partition)
            ]
            waits = waits or len(ready) < len(missing)
            if ready:
                free[topic] = ready
        return free, waits

    def _unrevoked(self, member_epoch: int, kept: Owned, pending: Owned) -> Member:
        return replace(
            self.member,
            state=MemberState.UNREVOKED_PARTITIONS,
            previous_member_epoch=self.member.member_epoch,
            member_epoch=member_epoch,
            assigned=kept,
            pending_revocation=pending,
        )
