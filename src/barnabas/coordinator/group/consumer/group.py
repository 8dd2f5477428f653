"""A consumer group, as its records say it is.

Changed by `part`'s replays alone, but for when the subscribed topics were last looked at, which nobody writes
down.

Always true:
  a partition has one owner at most: `partition_owner_epoch` is the epoch of the member that owns it
  the counts (topics, patterns, assignors, reconciled members) are those of the members
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from barnabas._core import Uuid
from barnabas.coordinator.group.consumer import commits, records
from barnabas.coordinator.group.consumer.assignor import NOTHING, Assignment
from barnabas.coordinator.group.consumer.counts import Counts
from barnabas.coordinator.group.consumer.member import Member, Owned
from barnabas.coordinator.group.consumer.patterns import ResolvedPattern
from barnabas.coordinator.group.kind import CommitAuthor, Group, GroupKind, ValidatePartition
from barnabas.errors import NonEmptyGroup, UnknownMemberId

if TYPE_CHECKING:
    from barnabas.coordinator.group.offsets import CommittedOffset
    from barnabas.coordinator.machine import Call, Context, Outputs, Record

FIRST_GROUP_EPOCH = 1
"""Of a group that nothing has been written about: its first member makes it 2, as in Kafka."""
NO_OWNER = -1
PROTOCOL_TYPE = "consumer"

HandleClassic = Callable[["ConsumerGroup", "Call", "Context", "Outputs"], None]


class ConsumerGroup(Group):
    """The state of one group."""

    __slots__ = (
        "_classic",
        "_owner_epochs",
        "_reconciled",
        "assignment_epoch",
        "assignment_timestamp",
        "changed_at",
        "counts",
        "group_epoch",
        "has_partition_metadata",
        "members",
        "metadata_checked_at_epoch",
        "metadata_hash",
        "patterns",
        "static_members",
        "target",
        "target_owners",
        "told_to_join",
    )

    kind = GroupKind.CONSUMER

    def __init__(self, group_id: str, handle_classic: HandleClassic) -> None:
        super().__init__(group_id)
        self._classic = handle_classic
        self.group_epoch = FIRST_GROUP_EPOCH
        """Goes up whenever there is a reason for another target assignment."""
        self.assignment_epoch = 0
        """The group epoch that the target assignment was made for."""
        self.assignment_timestamp = 0
        """When it was made, in milliseconds since the Unix epoch; 0 when unknown."""
        self.metadata_hash = 0
        """Of the subscribed topics as the group epoch was reckoned with them."""
        self.members: dict[str, Member] = {}
        self.static_members: dict[str, str] = {}
        """Ids of the members that have an instance id, by it."""
        self.target: dict[str, Assignment] = {}
        """What each member is to have."""
        self.target_owners: dict[Uuid, dict[int, str]] = {}
        """The same, by partition."""
        self.patterns: dict[str, ResolvedPattern] = {}
        """The topics that regular expressions stand for."""
        self.has_partition_metadata = False
        """Whether a broker before 4.1 has left a record that is of no use any more."""
        self.counts = Counts()
        self.metadata_checked_at_epoch: int | None = None
        """The group epoch when the subscribed topics were last looked at; None when they are to be."""
        self.changed_at = 0
        """When something was last written about the group, in milliseconds since the Unix epoch."""
        self.told_to_join: set[str] = set()
        """Members of the classic protocol whose time to join again is running."""
        self._owner_epochs: dict[Uuid, dict[int, int]] = {}
        self._reconciled = 0

    # ---- members

    def member(self, member_id: str) -> Member:
        """The member; raises UnknownMemberId."""
        member = self.members.get(member_id)
        if member is None:
            raise UnknownMemberId(f"Member {member_id} is not a member of group {self.group_id}.")
        return member

    def static_member(self, instance_id: str | None) -> Member | None:
        """The member that has the instance id."""
        if instance_id is None:
            return None
        member_id = self.static_members.get(instance_id)
        return None if member_id is None else self.members.get(member_id)

    def put_member(self, member: Member) -> None:
        """Adds a member, or lets it take the place of what it was."""
        before = self.members.get(member.member_id)
        self.members[member.member_id] = member
        self.counts.change(before, member)
        self._reconciled -= before is not None and before.is_reconciled_to(self.assignment_epoch)
        self._reconciled += member.is_reconciled_to(self.assignment_epoch)
        if before is not None:
            self._disown(before)
        self._own(member, member.assigned)
        self._own(member, member.pending_revocation)
        if member.instance_id is not None:
            self.static_members[member.instance_id] = member.member_id

    def remove_member(self, member_id: str) -> None:
        """Removes a member, if there is one."""
        before = self.members.pop(member_id, None)
        if before is None:
            return
        self.counts.change(before, None)
        self._reconciled -= before.is_reconciled_to(self.assignment_epoch)
        self._disown(before)
        if before.instance_id is not None and self.static_members.get(before.instance_id) == member_id:
            del self.static_members[before.instance_id]

    def _own(self, member: Member, owned: Owned) -> None:
        for topic, partitions in owned.items():
            epochs = self._owner_epochs.setdefault(topic, {})
            for partition in partitions:
                current = epochs.get(partition)
                assert current is None or current < member.member_epoch, (
                    f"group {self.group_id}: {topic}-{partition} is still owned at epoch {current},"
                    f" member {member.member_id} has epoch {member.member_epoch}"
                )
                epochs[partition] = member.member_epoch

    def _disown(self, member: Member) -> None:
        for owned in (member.assigned, member.pending_revocation):
            for topic, partitions in owned.items():
                epochs = self._owner_epochs.get(topic)
                if epochs is None:
                    continue
                for partition in partitions:
                    # When a compacted partition is replayed, a later owner may come before an earlier one.
                    if epochs.get(partition) == member.member_epoch:
                        del epochs[partition]
                if not epochs:
                    del self._owner_epochs[topic]

    def owner_epoch(self, topic_id: Uuid, partition: int) -> int:
        """The member epoch of the partition's owner; NO_OWNER when it is free."""
        return self._owner_epochs.get(topic_id, {}).get(partition, NO_OWNER)

    def is_owned(self, topic_id: Uuid, partition: int) -> bool:
        """Whether some member owns the partition."""
        return self.owner_epoch(topic_id, partition) != NO_OWNER

    # ---- epochs and the target assignment

    @property
    def is_assigned(self) -> bool:
        """Whether the target assignment is that of the group epoch."""
        return self.assignment_epoch >= self.group_epoch

    @property
    def is_settled(self) -> bool:
        """Whether all members have what they are to have, and that is up to date."""
        return self.is_assigned and self._reconciled == len(self.members)

    def set_assignment_epoch(self, epoch: int, timestamp: int) -> None:
        """There is a target assignment for another epoch."""
        self.assignment_epoch = epoch
        self.assignment_timestamp = timestamp
        self._reconciled = sum(member.is_reconciled_to(epoch) for member in self.members.values())

    def target_of(self, member: Member) -> Assignment:
        """What a member is to have; one that returns gets what its instance id was to have."""
        if member.instance_id is None:
            return self.target.get(member.member_id, NOTHING)
        previous = self.static_members.get(member.instance_id)
        return NOTHING if previous is None else self.target.get(previous, NOTHING)

    def set_target(self, member_id: str, assignment: Assignment | None) -> None:
        """A member is to have something else; None removes it."""
        before = self.target.pop(member_id, NOTHING)
        if assignment is not None:
            self.target[member_id] = assignment
        after = assignment if assignment is not None else NOTHING
        for topic, partitions in before.items():
            owners = self.target_owners.get(topic, {})
            for partition in partitions - after.get(topic, frozenset()):
                if owners.get(partition) == member_id:
                    del owners[partition]
            if not owners:
                self.target_owners.pop(topic, None)
        for topic, partitions in after.items():
            self.target_owners.setdefault(topic, {}).update(dict.fromkeys(partitions, member_id))

    # ---- subscriptions

    def set_pattern(self, regex: str, resolved: ResolvedPattern | None) -> None:
        """A pattern stands for other topics; None removes it."""
        before = self.patterns.pop(regex, None)
        if resolved is not None:
            self.patterns[regex] = resolved
        self.counts.change_pattern(before.topics if before else (), resolved.topics if resolved else ())

    def topics_of(self, member: Member) -> frozenset[str]:
        """The topics that a member subscribes to, by name and by pattern, whether they exist or not."""
        resolved = self.patterns.get(member.topic_regex) if member.topic_regex else None
        return member.topic_names if resolved is None else member.topic_names | resolved.topics

    # ---- what any group answers

    @property
    def protocol_type(self) -> str:
        """As ListGroups has it."""
        return PROTOCOL_TYPE

    def state_name(self, now: int) -> str:  # noqa: ARG002
        """As ListGroups has it."""
        if not self.members:
            return "Empty"
        if not self.is_assigned:
            return "Assigning"
        return "Stable" if self.is_settled else "Reconciling"

    def is_empty(self) -> bool:
        """Whether it has no members."""
        return not self.members

    def validate_commit(self, author: CommitAuthor) -> ValidatePartition | None:
        """By the author's member epoch."""
        return commits.validate_commit(self, author)

    def validate_fetch(self, member_id: str | None, member_epoch: int) -> None:
        """By the member's epoch."""
        commits.validate_fetch(self, member_id, member_epoch)

    def validate_offset_delete(self) -> None:
        """Offsets may be deleted of topics that nobody subscribes to."""

    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member reads the topic."""
        return topic in self.counts.topics

    def offsets_age_from(self) -> Callable[[CommittedOffset], int] | None:
        """From their commit, for topics that nobody subscribes to."""
        return _commit_timestamp

    def validate_delete(self) -> None:
        """Only an empty group may be deleted."""
        if self.members:
            raise NonEmptyGroup()

    def tombstones(self) -> list[Record]:
        """The records that remove the group."""
        return self.tombstones_of(list(self.members))

    def tombstones_of(self, member_ids: list[str]) -> list[Record]:
        """The same, for a group whose members have these ids by the time that they are replayed."""
        of = self.group_id
        return [
            *(records.current_tombstone(of, member_id) for member_id in member_ids),
            *(records.target_tombstone(of, member_id) for member_id in member_ids),
            records.target_epoch_tombstone(of),
            *(records.member_metadata_tombstone(of, member_id) for member_id in member_ids),
            *(records.pattern_tombstone(of, regex) for regex in self.patterns),
            records.partition_metadata_tombstone(of),
            records.group_epoch_tombstone(of),
        ]

    def handle_classic(self, call: Call, context: Context, out: Outputs) -> None:
        """A member of the classic protocol among those of the new one, or a group on its way between them."""
        self._classic(self, call, context, out)


def _commit_timestamp(committed: CommittedOffset) -> int:
    return committed.commit_timestamp
