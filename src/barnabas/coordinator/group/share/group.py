"""A share group, as its records say it is. Changed by `replay` alone, but for when the subscribed topics were
last looked at, which nobody writes down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from barnabas.coordinator.group.consumer.assignor import NOTHING, Assignment
from barnabas.coordinator.group.epochs.group import EpochGroup
from barnabas.coordinator.group.kind import CommitAuthor, GroupKind, ValidatePartition
from barnabas.coordinator.group.share import records
from barnabas.coordinator.group.share.member import ShareMember
from barnabas.coordinator.group.share.state_partitions import StatePartitions
from barnabas.errors import GroupIdNotFound

if TYPE_CHECKING:
    from barnabas._core import Uuid
    from barnabas.coordinator.group.offsets import CommittedOffset
    from barnabas.coordinator.machine import Record


class ShareGroup(EpochGroup[ShareMember, Assignment]):
    """The state of one group."""

    __slots__ = ("state", "state_changed_at", "state_is_news", "topics")

    kind = GroupKind.SHARE
    expires = False

    def __init__(self, group_id: str) -> None:
        super().__init__(group_id)
        self.topics: dict[str, int] = {}
        """Members that subscribe to each topic."""
        self.state = StatePartitions()
        """Partitions that the share coordinator knows the group in."""
        self.state_changed_at = 0
        """When that was last written, in milliseconds since the Unix epoch; 0 before this node leads."""
        self.state_is_news = False
        """Whether more partitions can be assigned than when the group's epoch went up last."""

    def put_member(self, member: ShareMember) -> None:
        """Adds a member, or lets it take the place of what it was."""
        self._count(self.members.get(member.member_id), -1)
        super().put_member(member)
        self._count(member, 1)

    def remove_member(self, member_id: str) -> None:
        """Removes a member, if there is one."""
        self._count(self.members.get(member_id), -1)
        super().remove_member(member_id)

    def _count(self, member: ShareMember | None, by: int) -> None:
        for name in member.topic_names if member is not None else ():
            count = self.topics.get(name, 0) + by
            if count:
                self.topics[name] = count
            else:
                del self.topics[name]

    def set_state(self, state: StatePartitions, timestamp: int) -> None:
        """The share coordinator knows other partitions."""
        self.state_is_news = self.state_is_news or state.initialized != self.state.initialized
        self.state = state
        self.state_changed_at = timestamp

    def assignable(self, topic_id: Uuid) -> frozenset[int]:
        """Partitions of a topic that may be assigned."""
        found = self.state.initialized.get(topic_id)
        return found.partitions if found is not None else frozenset()

    def target_of(self, member_id: str) -> Assignment:
        """What a member is to have."""
        return self.target.get(member_id, NOTHING)

    # ---- what any group answers

    def state_name(self, now: int) -> str:  # noqa: ARG002
        """As ListGroups has it."""
        return "Stable" if self.members else "Empty"

    def validate_commit(self, author: CommitAuthor) -> ValidatePartition | None:  # noqa: ARG002
        """Share groups commit nothing."""
        raise self._no_offsets()

    def validate_fetch(self, member_id: str | None, member_epoch: int) -> None:  # noqa: ARG002
        """They have no committed offsets; a tool that asks hears just that, as from Kafka 4.3.1."""
        if member_id is not None:
            raise self._no_offsets()

    def validate_offset_delete(self) -> None:
        """They have no committed offsets."""
        raise self._no_offsets()

    def _no_offsets(self) -> GroupIdNotFound:
        return GroupIdNotFound(f"Group {self.group_id} is not a consumer group.")

    def subscribed_topics(self) -> Mapping[str, int]:
        """Topics that members subscribe to."""
        return self.topics

    def offsets_age_from(self) -> Callable[[CommittedOffset], int] | None:
        """There are none."""
        return None

    def tombstones(self) -> list[Record]:
        """The records that remove the group."""
        of = self.group_id
        return [
            *(record for member_id in self.members for record in records.removed_member(of, member_id)),
            records.target_epoch_tombstone(of),
            records.state_tombstone(of),
            records.group_epoch_tombstone(of),
        ]
