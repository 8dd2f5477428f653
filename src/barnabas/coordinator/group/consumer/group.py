"""A consumer group, as its records say it is.

Changed by `part`'s replays alone, but for when the subscribed topics were last looked at, which nobody writes
down.

Always true:
  a partition has one owner at most: `partition_owner_epoch` is the epoch of the member that owns it
  the counts (topics, patterns, assignors, reconciled members) are those of the members
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from barnabas._core import Uuid
from barnabas.coordinator.group.consumer import records
from barnabas.coordinator.group.consumer.assignor import NOTHING, Assignment
from barnabas.coordinator.group.consumer.counts import Counts
from barnabas.coordinator.group.consumer.member import Member, Owned
from barnabas.coordinator.group.consumer.patterns import ResolvedPattern
from barnabas.coordinator.group.epochs import commits
from barnabas.coordinator.group.epochs.group import EpochGroup
from barnabas.coordinator.group.kind import CommitAuthor, GroupKind, ValidatePartition

if TYPE_CHECKING:
    from barnabas.coordinator.group.offsets import CommittedOffset
    from barnabas.coordinator.machine import Call, Context, Outputs, Record

NO_OWNER = -1
PROTOCOL_TYPE = "consumer"
"""As members of the classic protocol say it."""

HandleClassic = Callable[["ConsumerGroup", "Call", "Context", "Outputs"], None]


class ConsumerGroup(EpochGroup[Member, Assignment]):
    """The state of one group."""

    __slots__ = (
        "_classic",
        "_owner_epochs",
        "_reconciled",
        "counts",
        "has_partition_metadata",
        "patterns",
        "static_members",
        "target_owners",
        "told_to_join",
    )

    kind = GroupKind.CONSUMER

    def __init__(self, group_id: str, handle_classic: HandleClassic) -> None:
        super().__init__(group_id)
        self._classic = handle_classic
        self.static_members: dict[str, str] = {}
        """Ids of the members that have an instance id, by it."""
        self.target_owners: dict[Uuid, dict[int, str]] = {}
        """Who is to have each partition: the target assignment, by partition."""
        self.patterns: dict[str, ResolvedPattern] = {}
        """The topics that regular expressions stand for."""
        self.has_partition_metadata = False
        """Whether a broker before 4.1 has left a record that is of no use any more."""
        self.counts = Counts()
        self.told_to_join: set[str] = set()
        """Members of the classic protocol whose time to join again is running."""
        self._owner_epochs: dict[Uuid, dict[int, int]] = {}
        self._reconciled = 0

    # ---- members

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
    def is_settled(self) -> bool:
        """Whether all members have what they are to have, and that is up to date."""
        return self.is_assigned and self._reconciled == len(self.members)

    def set_assignment_epoch(self, epoch: int, timestamp: int) -> None:
        """There is a target assignment for another epoch."""
        super().set_assignment_epoch(epoch, timestamp)
        self._reconciled = sum(member.is_reconciled_to(epoch) for member in self.members.values())

    def target_of(self, member: Member) -> Assignment:
        """What a member is to have; one that returns gets what its instance id was to have."""
        if member.instance_id is None:
            return self.target.get(member.member_id, NOTHING)
        previous = self.static_members.get(member.instance_id)
        return NOTHING if previous is None else self.target.get(previous, NOTHING)

    def set_target(self, member_id: str, target: Assignment | None) -> None:
        """A member is to have something else; None removes it."""
        before = self.target.get(member_id, NOTHING)
        super().set_target(member_id, target)
        after = target if target is not None else NOTHING
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

    def state_name(self, now: int) -> str:  # noqa: ARG002
        """As ListGroups has it."""
        if not self.members:
            return "Empty"
        if not self.is_assigned:
            return "Assigning"
        return "Stable" if self.is_settled else "Reconciling"

    def validate_commit(self, author: CommitAuthor) -> ValidatePartition | None:
        """By the author's member epoch."""
        return commits.validate_commit(self, author, _owned_since, _uses_classic_protocol)

    def validate_fetch(self, member_id: str | None, member_epoch: int) -> None:
        """By the member's epoch."""
        commits.validate_fetch(self, member_id, member_epoch, _uses_classic_protocol)

    def validate_offset_delete(self) -> None:
        """Offsets may be deleted of topics that nobody subscribes to."""

    def subscribed_topics(self) -> Mapping[str, tuple[int, int]]:
        """Topics that members subscribe to, by name and by pattern."""
        return self.counts.topics

    def offsets_age_from(self) -> Callable[[CommittedOffset], int] | None:
        """From their commit, for topics that nobody subscribes to."""
        return _commit_timestamp

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


def _owned_since(member: Member, _: str, topic_id: Uuid, partition: int) -> int | None:
    return member.assignment_epoch(topic_id, partition)


def _uses_classic_protocol(member: Member) -> bool:
    return member.uses_classic_protocol
