"""Who may commit and fetch offsets of a consumer group.

A commit with an older member epoch is good for partitions that the member has had since before that epoch
(KIP-1251): a commit that was under way while the member got its next epoch is not lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas._core import Uuid
from barnabas.errors import (
    IllegalGeneration,
    KafkaError,
    StaleMemberEpoch,
    UnknownMemberId,
    UnsupportedVersion,
)

if TYPE_CHECKING:
    from barnabas.coordinator.group.consumer.group import ConsumerGroup
    from barnabas.coordinator.group.consumer.member import Member
    from barnabas.coordinator.group.kind import CommitAuthor, ValidatePartition

FIRST_COMMIT_VERSION = 9
"""The first OffsetCommit that knows of member epochs."""
NO_EPOCH = -1


def validate_commit(group: ConsumerGroup, author: CommitAuthor) -> ValidatePartition | None:
    """As `Group.validate_commit`."""
    epoch = author.generation_or_epoch
    if epoch < 0 and not group.members:
        return None  # A tool sets the offsets of a group that nobody is in.
    if (
        author.transactional
        and epoch == NO_EPOCH
        and not author.member_id
        and author.group_instance_id is None
    ):
        return None  # Before TxnOffsetCommit 3 producers could not say who they commit for.
    member = group.member(author.member_id)
    old = author.api_version < FIRST_COMMIT_VERSION
    if old and not author.transactional and not member.uses_classic_protocol:
        raise UnsupportedVersion("Members of consumer groups commit with OffsetCommit 9 or above.")
    if epoch == member.member_epoch:
        return None
    if epoch > member.member_epoch:
        raise _stale(member, f"Epoch {epoch} is newer than the member's epoch {member.member_epoch}.")

    def validate_partition(topic: str, topic_id: Uuid, partition: int) -> None:
        since = member.assignment_epoch(topic_id, partition)
        if since is None:
            raise _stale(member, f"Partition {topic}-{partition} does not belong to the member.")
        if epoch < since:
            raise _stale(member, f"Epoch {epoch} is older than {topic}-{partition}'s, which is {since}.")

    return validate_partition


def validate_fetch(group: ConsumerGroup, member_id: str | None, member_epoch: int) -> None:
    """As `Group.validate_fetch`."""
    if member_id is None and member_epoch < 0:
        return  # Nobody in particular asks.
    member = group.members.get(member_id) if member_id is not None else None
    if member is None:
        raise UnknownMemberId(f"Member {member_id} is not a member of group {group.group_id}.")
    if member_epoch != member.member_epoch:
        raise _stale(member, f"Epoch {member_epoch} is not the member's epoch {member.member_epoch}.")


def _stale(member: Member, message: str) -> KafkaError:
    return IllegalGeneration(message) if member.uses_classic_protocol else StaleMemberEpoch(message)
