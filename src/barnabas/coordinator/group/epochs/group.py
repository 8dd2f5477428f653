"""The state that all groups with epochs have, as their records say it is.

Changed by replays alone, but for when the topics were last looked at, which nobody writes down.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from typing import Generic, Protocol, TypeVar

from barnabas.coordinator.group.kind import Group
from barnabas.errors import NonEmptyGroup, UnknownMemberId

FIRST_GROUP_EPOCH = 1
"""Of a group that nothing has been written about: its first member makes it 2, as in Kafka."""
NO_EPOCH = -1
"""Of a target assignment that has been removed, and of a member without a current assignment."""
LEAVE_EPOCH = -1
"""The epoch with which a member leaves for good."""


class EpochMember(Protocol):
    """A member of such a group. Never changed: there is another one instead."""

    @property
    def member_id(self) -> str: ...
    @property
    def member_epoch(self) -> int: ...
    @property
    def previous_member_epoch(self) -> int: ...


M = TypeVar("M", bound=EpochMember)
T = TypeVar("T")
"""What one member is to have."""


class EpochGroup(Group, Generic[M, T]):
    """A group whose members heartbeat and go from epoch to epoch."""

    __slots__ = (
        "assignment_epoch",
        "assignment_timestamp",
        "changed_at",
        "group_epoch",
        "members",
        "metadata_checked_at_epoch",
        "metadata_hash",
        "target",
    )

    def __init__(self, group_id: str) -> None:
        super().__init__(group_id)
        self.group_epoch = FIRST_GROUP_EPOCH
        """Goes up whenever there is a reason for another target assignment."""
        self.assignment_epoch = 0
        """The group epoch that the target assignment was made for."""
        self.assignment_timestamp = 0
        """When it was made, in milliseconds since the Unix epoch; 0 when unknown."""
        self.metadata_hash = 0
        """Of the group's topics as the group epoch was reckoned with them."""
        self.members: dict[str, M] = {}
        self.target: dict[str, T] = {}
        """What each member is to have."""
        self.metadata_checked_at_epoch: int | None = None
        """The group epoch when the group's topics were last looked at; None when they are to be."""
        self.changed_at = 0
        """When something was last written about the group, in milliseconds since the Unix epoch."""

    @property
    def protocol_type(self) -> str:
        """As ListGroups has it."""
        return self.kind.value

    def member(self, member_id: str) -> M:
        """The member; raises UnknownMemberId."""
        member = self.members.get(member_id)
        if member is None:
            raise UnknownMemberId(f"Member {member_id} is not a member of group {self.group_id}.")
        return member

    def put_member(self, member: M) -> None:
        """Adds a member, or lets it take the place of what it was."""
        self.members[member.member_id] = member

    def remove_member(self, member_id: str) -> None:
        """Removes a member, if there is one."""
        self.members.pop(member_id, None)

    def set_assignment_epoch(self, epoch: int, timestamp: int) -> None:
        """There is a target assignment for another epoch."""
        self.assignment_epoch = epoch
        self.assignment_timestamp = timestamp

    def set_target(self, member_id: str, target: T | None) -> None:
        """A member is to have something else; None removes it."""
        if target is None:
            self.target.pop(member_id, None)
        else:
            self.target[member_id] = target

    @property
    def is_assigned(self) -> bool:
        """Whether the target assignment is that of the group epoch."""
        return self.assignment_epoch >= self.group_epoch

    def is_empty(self) -> bool:
        """Whether it has no members."""
        return not self.members

    def validate_delete(self) -> None:
        """Only an empty group may be deleted."""
        if self.members:
            raise NonEmptyGroup()

    @abstractmethod
    def subscribed_topics(self) -> Collection[str]:
        """Names of the topics that the group's assignment depends on."""

    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member reads the topic."""
        return topic in self.subscribed_topics()
