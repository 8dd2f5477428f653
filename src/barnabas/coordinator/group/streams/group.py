"""A streams group, as its records say it is. Changed by replays alone, but for what nobody writes down: the
topology as it was last configured, endpoints, and who has asked the application to shut down."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from barnabas.coordinator.group.epochs import commits
from barnabas.coordinator.group.epochs.group import FIRST_GROUP_EPOCH, EpochGroup
from barnabas.coordinator.group.kind import CommitAuthor, GroupKind, ValidatePartition
from barnabas.coordinator.group.streams import records
from barnabas.coordinator.group.streams.member import StreamsMember
from barnabas.coordinator.group.streams.tasks import NO_TASKS, Task, Tasks, each

if TYPE_CHECKING:
    from barnabas._core import Uuid
    from barnabas.coordinator.group.offsets import CommittedOffset
    from barnabas.coordinator.group.streams.configured import ConfiguredTopology
    from barnabas.coordinator.group.streams.topology import Topology
    from barnabas.coordinator.machine import Record


class StreamsGroup(EpochGroup[StreamsMember, Tasks]):
    """The state of one group."""

    __slots__ = (
        "_active",
        "_others",
        "assignment_configs",
        "configured",
        "endpoint_information_epoch",
        "shutdown_requested_by",
        "topology",
        "validated_topology_epoch",
    )

    kind = GroupKind.STREAMS

    def __init__(self, group_id: str) -> None:
        super().__init__(group_id)
        self.assignment_epoch = (
            FIRST_GROUP_EPOCH  # Members that wait for the first assignment have this epoch.
        )
        self.topology: Topology | None = None
        self.validated_topology_epoch = 0
        """The epoch of the topology that has all its topics; -1 when they aren't all there."""
        self.assignment_configs: Mapping[str, str] = {}
        """What the assignor was last told."""
        self.configured: ConfiguredTopology | None = None
        """The topology on the topics as they were last looked at."""
        self.endpoint_information_epoch = 0
        """Goes up when a member with an endpoint gets other tasks."""
        self.shutdown_requested_by: str | None = None
        """The member that wants the whole application to end."""
        self._active: dict[Task, str] = {}
        """Who has each task, by member id."""
        self._others: dict[Task, set[str]] = {}
        """Who stands by or warms up for it."""

    # ---- members

    def put_member(self, member: StreamsMember) -> None:
        """Adds a member, or lets it take the place of what it was."""
        self._forget_tasks(self.members.get(member.member_id))
        super().put_member(member)
        for owned in (member.assigned, member.pending_revocation):
            for task in each(owned.active):
                self._active[task] = member.member_id
            for partitions in (owned.standby, owned.warmup):
                for task in each(partitions):
                    self._others.setdefault(task, set()).add(member.member_id)

    def remove_member(self, member_id: str) -> None:
        """Removes a member, if there is one."""
        self._forget_tasks(self.members.get(member_id))
        super().remove_member(member_id)
        if not self.members:
            self.shutdown_requested_by = None

    def _forget_tasks(self, member: StreamsMember | None) -> None:
        if member is None:
            return
        for owned in (member.assigned, member.pending_revocation):
            for task in each(owned.active):
                # When a compacted partition is replayed, a later owner may come before an earlier one.
                if self._active.get(task) == member.member_id:
                    del self._active[task]
            for partitions in (owned.standby, owned.warmup):
                for task in each(partitions):
                    holders = self._others.get(task, set())
                    holders.discard(member.member_id)
                    if not holders:
                        self._others.pop(task, None)

    def is_active(self, task: Task) -> bool:
        """Whether some member has the task as an active one."""
        return task in self._active

    def is_with_process(self, task: Task, process_id: str) -> bool:
        """Whether a member of the process has the task, in whatever role."""
        holders = set(self._others.get(task, ()))
        if task in self._active:
            holders.add(self._active[task])
        return any(self.members[member_id].process_id == process_id for member_id in holders)

    def target_of(self, member_id: str) -> Tasks:
        """What a member is to have."""
        return self.target.get(member_id, NO_TASKS)

    # ---- topology

    @property
    def is_ready(self) -> bool:
        """Whether all topics of the topology were there when the group's epoch last went up."""
        return self.topology is not None and self.topology.epoch == self.validated_topology_epoch

    def subscribed_topics(self) -> Collection[str]:
        """Topics that the topology reads, writes or keeps."""
        return self.topology.required_topics if self.topology is not None else ()

    # ---- what any group answers

    def state_name(self, now: int) -> str:  # noqa: ARG002
        """As ListGroups has it."""
        if not self.members:
            return "Empty"
        if not self.is_ready:
            return "NotReady"
        if not self.is_assigned:
            return "Assigning"
        settled = all(member.is_reconciled_to(self.assignment_epoch) for member in self.members.values())
        return "Stable" if settled else "Reconciling"

    def validate_commit(self, author: CommitAuthor) -> ValidatePartition | None:
        """By the author's member epoch."""
        return commits.validate_commit(self, author, self._owned_since, _uses_classic_protocol)

    def _owned_since(self, member: StreamsMember, topic: str, _: Uuid, partition: int) -> int | None:
        subtopology = self.topology.source_topics.get(topic) if self.topology is not None else None
        return None if subtopology is None else member.owned_since(subtopology, partition)

    def validate_fetch(self, member_id: str | None, member_epoch: int) -> None:
        """By the member's epoch."""
        commits.validate_fetch(self, member_id, member_epoch, _uses_classic_protocol)

    def validate_offset_delete(self) -> None:
        """Offsets may be deleted of topics that nobody reads."""

    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member reads the topic."""
        return bool(self.members) and self.topology is not None and topic in self.topology.source_topics

    def offsets_age_from(self) -> Callable[[CommittedOffset], int] | None:
        """From their commit, for topics that nobody reads."""
        return _commit_timestamp

    def tombstones(self) -> list[Record]:
        """The records that remove the group."""
        of = self.group_id
        return [
            *(records.current_tombstone(of, member_id) for member_id in self.members),
            *(records.target_tombstone(of, member_id) for member_id in self.members),
            records.target_epoch_tombstone(of),
            *(records.member_metadata_tombstone(of, member_id) for member_id in self.members),
            records.group_epoch_tombstone(of),
            records.topology_tombstone(of),
        ]


def _uses_classic_protocol(_: StreamsMember) -> bool:
    return False


def _commit_timestamp(committed: CommittedOffset) -> int:
    return committed.commit_timestamp
