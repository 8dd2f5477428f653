"""The records that all kinds of groups with epochs have; they differ in what members say and are assigned.

Lists are written in order, so that equal states are equal bytes.
"""

from __future__ import annotations

from typing import Any

from barnabas.coordinator.machine import Record
from barnabas.protocol import class_named
from barnabas.protocol.message import Message


class EpochRecords:
    """Makes the records of one kind, in the versions that Kafka 4.3 writes."""

    def __init__(self, kind: str) -> None:
        """`kind` is the name that the kind's records begin with, such as 'ConsumerGroup'."""
        self.group_key = _class(f"{kind}MetadataKey")
        self.member_key = _class(f"{kind}MemberMetadataKey")
        self.target_epoch_key = _class(f"{kind}TargetAssignmentMetadataKey")
        self.target_key = _class(f"{kind}TargetAssignmentMemberKey")
        self.current_key = _class(f"{kind}CurrentMemberAssignmentKey")
        self._group_value = _class(f"{kind}MetadataValue")
        self._target_epoch_value = _class(f"{kind}TargetAssignmentMetadataValue")

    def group_epoch(self, group_id: str, epoch: int, metadata_hash: int, **more: Any) -> Record:
        """The group's epoch, and the hash of the topics that it was reckoned with."""
        value = self._group_value(epoch=epoch, metadata_hash=metadata_hash, **more)
        return Record(self.group_key(group_id=group_id), value)

    def group_epoch_tombstone(self, group_id: str) -> Record:
        """The group is no more."""
        return Record(self.group_key(group_id=group_id), None)

    def member_metadata(self, group_id: str, member_id: str, value: Message) -> Record:
        """What a member has said about itself."""
        return Record(self.member_key(group_id=group_id, member_id=member_id), value)

    def member_metadata_tombstone(self, group_id: str, member_id: str) -> Record:
        """The member is no more."""
        return Record(self.member_key(group_id=group_id, member_id=member_id), None)

    def target_epoch(self, group_id: str, epoch: int, timestamp: int) -> Record:
        """The epoch of the target assignment, and when it was made, in milliseconds since the Unix epoch."""
        value = self._target_epoch_value(assignment_epoch=epoch, assignment_timestamp=timestamp)
        return Record(self.target_epoch_key(group_id=group_id), value)

    def target_epoch_tombstone(self, group_id: str) -> Record:
        """There is no target assignment any more."""
        return Record(self.target_epoch_key(group_id=group_id), None)

    def target(self, group_id: str, member_id: str, value: Message) -> Record:
        """What a member is to have."""
        return Record(self.target_key(group_id=group_id, member_id=member_id), value)

    def target_tombstone(self, group_id: str, member_id: str) -> Record:
        """The member is to have nothing."""
        return Record(self.target_key(group_id=group_id, member_id=member_id), None)

    def current(self, group_id: str, member_id: str, value: Message) -> Record:
        """What a member has, and where it stands on its way."""
        return Record(self.current_key(group_id=group_id, member_id=member_id), value)

    def current_tombstone(self, group_id: str, member_id: str) -> Record:
        """The member has nothing."""
        return Record(self.current_key(group_id=group_id, member_id=member_id), None)

    def removed_member(self, group_id: str, member_id: str) -> list[Record]:
        """All tombstones of a member, in the order in which a replay wants them."""
        return [
            self.current_tombstone(group_id, member_id),
            self.target_tombstone(group_id, member_id),
            self.member_metadata_tombstone(group_id, member_id),
        ]


def _class(name: str) -> type[Any]:
    return class_named(name)
