"""A member of a consumer group, as its records say it is.

Always true:
  a member owns what is assigned to it and what it has yet to give up; nobody else may have either
  the epoch beside a partition is the target assignment's by which the member got it: a commit with an older
  member epoch comes from before that (KIP-1251)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from barnabas._core import Uuid
from barnabas.coordinator.group.consumer.assignor import Assignment

if TYPE_CHECKING:
    from barnabas.protocol.generated.consumer_group_member_metadata_value import (
        ClassicMemberMetadata,
        ClassicProtocol,
    )

LEAVE_STATIC_EPOCH = -2
"""The epoch with which a static member goes away for a while; it stays its epoch until it returns."""
NO_TIMEOUT = -1

Owned = Mapping[Uuid, Mapping[int, int]]
"""Partitions by topic, each with its assignment epoch. Never changed."""

NOTHING_OWNED: Owned = {}


def _nothing() -> Owned:
    return NOTHING_OWNED


class MemberState(IntEnum):
    """Where a member stands on its way to its target assignment, by the numbers in the records."""

    STABLE = 0
    """It has the target assignment of its epoch."""
    UNREVOKED_PARTITIONS = 1
    """It has yet to give up partitions before it may have its next epoch."""
    UNRELEASED_PARTITIONS = 2
    """It waits for partitions that others have yet to give up."""
    UNKNOWN = 127
    """Written by a later version."""

    @classmethod
    def _missing_(cls, value: object) -> MemberState:  # noqa: ARG003
        return cls.UNKNOWN


@dataclass(frozen=True, slots=True)
class Member:
    """A member. Never changed: there is another one instead."""

    member_id: str
    member_epoch: int = 0
    previous_member_epoch: int = -1
    state: MemberState = MemberState.STABLE
    instance_id: str | None = None
    """Of a static member."""
    rack_id: str | None = None
    rebalance_timeout_ms: int = NO_TIMEOUT
    client_id: str = ""
    client_host: str = ""
    topic_names: frozenset[str] = frozenset()
    """Topics that it subscribes to by name."""
    topic_regex: str | None = ""
    """The pattern of further topics that it subscribes to; '' or None for none."""
    server_assignor: str | None = None
    """The assignor that it would have."""
    assigned: Owned = field(default_factory=_nothing)
    pending_revocation: Owned = field(default_factory=_nothing)
    """What it has yet to give up."""
    classic: ClassicMemberMetadata | None = None
    """Of a member that speaks the classic protocol."""

    @property
    def uses_classic_protocol(self) -> bool:
        """Whether it joins and syncs instead of heartbeating into the group."""
        return self.classic is not None

    @property
    def classic_protocols(self) -> list[ClassicProtocol]:
        """The classic protocols that it supports, the best first; none for a member of the new protocol."""
        return [] if self.classic is None else self.classic.supported_protocols

    def is_reconciled_to(self, assignment_epoch: int) -> bool:
        """Whether it has all of this target assignment and nothing else."""
        return self.state is MemberState.STABLE and self.member_epoch == assignment_epoch

    def assignment_epoch(self, topic_id: Uuid, partition: int) -> int | None:
        """By which target assignment it owns a partition; None when it doesn't."""
        for owned in (self.assigned, self.pending_revocation):
            epoch = owned.get(topic_id, {}).get(partition)
            if epoch is not None:
                return epoch
        return None


def owned_since(assignment: Assignment, epoch: int) -> Owned:
    """All of an assignment, owned since one epoch."""
    return {topic: dict.fromkeys(sorted(partitions), epoch) for topic, partitions in assignment.items()}


def partitions_of(owned: Owned) -> Assignment:
    """What is owned, without epochs."""
    return {topic: frozenset(partitions) for topic, partitions in owned.items()}
