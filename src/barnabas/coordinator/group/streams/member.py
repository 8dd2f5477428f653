"""A member of a streams group, one thread of an application, as its records say it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from barnabas.coordinator.group.streams.tasks import NOTHING_OWNED, OwnedTasks

NO_TIMEOUT = -1
NO_TOPOLOGY_EPOCH = -1


class MemberState(IntEnum):
    """Where a member stands on its way to its target assignment, by the numbers in the records."""

    STABLE = 1
    """It has the target assignment of its epoch."""
    UNREVOKED_TASKS = 2
    """It has yet to give up tasks before it may have its next epoch."""
    UNRELEASED_TASKS = 3
    """It waits for tasks that others have yet to give up."""
    UNKNOWN = 127
    """Written by a later version."""

    @classmethod
    def _missing_(cls, value: object) -> MemberState:  # noqa: ARG003
        return cls.UNKNOWN


@dataclass(frozen=True, slots=True)
class StreamsMember:
    """A member. Never changed: there is another one instead."""

    member_id: str
    member_epoch: int = 0
    previous_member_epoch: int = 0
    state: MemberState = MemberState.STABLE
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    rebalance_timeout_ms: int = NO_TIMEOUT
    topology_epoch: int = NO_TOPOLOGY_EPOCH
    process_id: str = ""
    """Members of one process share its state directory: none of them may have a task that another one has."""
    user_endpoint: tuple[str, int] | None = None
    """Host and port where the process answers interactive queries."""
    client_tags: Mapping[str, str] = field(default_factory=dict)
    assigned: OwnedTasks = NOTHING_OWNED
    pending_revocation: OwnedTasks = NOTHING_OWNED
    """What it has yet to give up."""

    def is_reconciled_to(self, assignment_epoch: int) -> bool:
        """Whether it has all of this target assignment and nothing else."""
        return self.state is MemberState.STABLE and self.member_epoch == assignment_epoch

    def owned_since(self, subtopology_id: str, partition: int) -> int | None:
        """By which target assignment it has an active task; None when it hasn't."""
        for owned in (self.assigned, self.pending_revocation):
            epoch = owned.active.get(subtopology_id, {}).get(partition)
            if epoch is not None:
                return epoch
        return None
