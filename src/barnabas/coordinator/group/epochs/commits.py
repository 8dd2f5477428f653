"""Who may commit and fetch offsets of a group with epochs.

A commit with an older member epoch is good for partitions that the member has had since before that epoch
(KIP-1251): a commit that was under way while the member got its next epoch is not lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from barnabas._core import Uuid
from barnabas.coordinator.group.epochs.group import EpochGroup, M, T
from barnabas.errors import (
    IllegalGeneration,
    KafkaError,
    StaleMemberEpoch,
    UnknownMemberId,
    UnsupportedVersion,
)

if TYPE_CHECKING:
    from barnabas.coordinator.group.kind import CommitAuthor, ValidatePartition

FIRST_COMMIT_VERSION = 9
"""The first OffsetCommit that knows of member epochs."""
NO_EPOCH = -1


def validate_commit(
    group: EpochGroup[M, T],
    author: CommitAuthor,
    owned_since: Callable[[M, str, Uuid, int], int | None],
    uses_classic_protocol: Callable[[M], bool],
) -> ValidatePartition | None:
    """As `Group.validate_commit`. `owned_since` gives the assignment epoch by which a member has a partition,
    by the topic's name and id; None when it hasn't."""
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
    classic = uses_classic_protocol(member)
    old = author.api_version < FIRST_COMMIT_VERSION
    if old and not author.transactional and not classic:
        raise UnsupportedVersion(
            f"Members of {group.kind.value} groups commit with OffsetCommit {FIRST_COMMIT_VERSION} or above."
        )
    if epoch == member.member_epoch:
        return None
    if epoch > member.member_epoch:
        raise _stale(
            f"Epoch {epoch} is newer than the member's epoch {member.member_epoch}.", classic=classic
        )

    def validate_partition(topic: str, topic_id: Uuid, partition: int) -> None:
        since = owned_since(member, topic, topic_id, partition)
        if since is None:
            raise _stale(f"Partition {topic}-{partition} does not belong to the member.", classic=classic)
        if epoch < since:
            raise _stale(
                f"Epoch {epoch} is older than {topic}-{partition}'s, which is {since}.", classic=classic
            )

    return validate_partition


def validate_fetch(
    group: EpochGroup[M, T],
    member_id: str | None,
    member_epoch: int,
    uses_classic_protocol: Callable[[M], bool],
) -> None:
    """As `Group.validate_fetch`."""
    if member_id is None and member_epoch < 0:
        return  # Nobody in particular asks.
    member = group.members.get(member_id) if member_id is not None else None
    if member is None:
        raise UnknownMemberId(f"Member {member_id} is not a member of group {group.group_id}.")
    if member_epoch != member.member_epoch:
        raise _stale(
            f"Epoch {member_epoch} is not the member's epoch {member.member_epoch}.",
            classic=uses_classic_protocol(member),
        )


def _stale(message: str, *, classic: bool) -> KafkaError:
    return IllegalGeneration(message) if classic else StaleMemberEpoch(message)
