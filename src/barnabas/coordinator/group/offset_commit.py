"""Commits and deletions of offsets, decided. The server has looked up the topics: each has its name and id,
and exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.coordinator.group.classic.group import ClassicGroup
from barnabas.coordinator.group.kind import CommitAuthor, Group
from barnabas.coordinator.group.offsets import NO_EXPIRY
from barnabas.coordinator.machine import Record
from barnabas.errors import (
    FencedMemberEpoch,
    GroupIdNotFound,
    IllegalGeneration,
    InvalidGroupId,
    StaleMemberEpoch,
)
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.offset_commit_key import OffsetCommitKey
from barnabas.protocol.generated.offset_commit_response import (
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from barnabas.protocol.generated.offset_commit_value import OffsetCommitValue
from barnabas.protocol.generated.offset_delete_response import (
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)
from barnabas.protocol.generated.txn_offset_commit_response import (
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.coordinator.group.kind import Groups, ValidatePartition
    from barnabas.coordinator.group.requests import TxnCommit
    from barnabas.coordinator.machine import Call, Context, Outputs
    from barnabas.protocol.generated.offset_commit_request import OffsetCommitRequest
    from barnabas.protocol.generated.offset_delete_request import OffsetDeleteRequest
    from barnabas.protocol.generated.txn_offset_commit_request import TxnOffsetCommitRequest

RECORD_VERSION = 4
"""Of OffsetCommitValue, as Kafka 4.3.1 writes it."""
RECORD_VERSION_WITH_EXPIRY = 1
"""The only version that has a time of expiry."""
GROUP_ID_NOT_FOUND_VERSION = 9
NO_RETENTION = -1


def commit(groups: Groups, call: Call, context: Context, out: Outputs) -> None:
    """Decides an OffsetCommit."""
    request: OffsetCommitRequest = call.request
    author = _author(request, call, transactional=False)
    group = _author_group(groups, request.group_id, author)
    _validate_partitions(group.validate_commit(author), request.topics, context)
    group.committed(author, context, out)
    expiry = (
        NO_EXPIRY if request.retention_time_ms == NO_RETENTION else context.now + request.retention_time_ms
    )
    records, topics = _commit_all(
        request, expiry, context, OffsetCommitResponseTopic, OffsetCommitResponsePartition
    )
    out.append(*records)
    out.respond(call.ticket, OffsetCommitResponse(topics=topics))


def commit_transactional(groups: Groups, call: Call, context: Context, out: Outputs) -> None:
    """Decides a TxnOffsetCommit: the offsets count when the transaction commits."""
    asked: TxnCommit = call.request
    request = asked.request
    author = _author(request, call, transactional=True)
    group = _author_group(groups, request.group_id, author)
    try:
        _validate_partitions(group.validate_commit(author), request.topics, context)
    except (StaleMemberEpoch, FencedMemberEpoch) as error:
        # TxnOffsetCommit has no place for the errors of the newer protocol.
        raise IllegalGeneration() from error
    records, topics = _commit_all(
        request, NO_EXPIRY, context, TxnOffsetCommitResponseTopic, TxnOffsetCommitResponsePartition
    )
    if records:
        out.append_transactional(
            request.producer_id, request.producer_epoch, records, asked.verification_guard
        )
    out.respond(call.ticket, TxnOffsetCommitResponse(topics=topics))


def _author(
    request: OffsetCommitRequest | TxnOffsetCommitRequest, call: Call, *, transactional: bool
) -> CommitAuthor:
    """Who commits, as the request says."""
    return CommitAuthor(
        request.member_id,
        request.group_instance_id,
        request.generation_id_or_member_epoch,
        transactional,
        call.api_version,
    )


def _author_group(groups: Groups, group_id: str, author: CommitAuthor) -> Group:
    """The group to commit to; a group that only has offsets comes to be with its first ones."""
    group = groups.find(group_id)
    if group is not None:
        return group
    if author.generation_or_epoch < 0:
        return ClassicGroup(group_id)
    if author.transactional or author.api_version < GROUP_ID_NOT_FOUND_VERSION:
        raise IllegalGeneration()
    raise GroupIdNotFound(f"Group {group_id} not found.")


def _validate_partitions(validate: ValidatePartition | None, topics: Sequence[Any], context: Context) -> None:
    """Raises what the group has against one of the partitions that would be written."""
    if validate is None:
        return
    for topic in topics:
        for partition in topic.partitions:
            if not _is_metadata_too_long(partition, context):
                validate(topic.name, topic.topic_id, partition.partition_index)


def _is_metadata_too_long(partition: Any, context: Context) -> bool:
    return len(partition.committed_metadata or "") > int(context.configs.offset_metadata_max_bytes)


def _commit_all(
    request: OffsetCommitRequest | TxnOffsetCommitRequest,
    expiry: int,
    context: Context,
    topic_class: type[Any],
    partition_class: type[Any],
) -> tuple[list[Record], list[Any]]:
    """Records of the commits, and what each partition is answered with, by topic."""
    records: list[Record] = []
    topics = []
    for topic in request.topics:
        answered = topic_class(topic.name, topic.topic_id)
        for partition in topic.partitions:
            code = _record_commit(records, request.group_id, topic, partition, expiry, context)
            answered.partitions.append(partition_class(partition.partition_index, code))
        topics.append(answered)
    return records, topics


def _record_commit(
    records: list[Record], group_id: str, topic: Any, partition: Any, expiry: int, context: Context
) -> ErrorCode:
    """Adds the record of one partition's commit, if its metadata is not too long."""
    if _is_metadata_too_long(partition, context):
        return ErrorCode.OFFSET_METADATA_TOO_LARGE
    value = OffsetCommitValue(
        offset=partition.committed_offset,
        leader_epoch=partition.committed_leader_epoch,
        metadata=partition.committed_metadata or "",
        commit_timestamp=context.now,
        expire_timestamp=expiry,
        topic_id=topic.topic_id,
    )
    version = RECORD_VERSION if expiry == NO_EXPIRY else RECORD_VERSION_WITH_EXPIRY
    records.append(Record(OffsetCommitKey(group_id, topic.name, partition.partition_index), value, version))
    return ErrorCode.NONE


# ---- deletion


def delete(groups: Groups, call: Call, _: Context, out: Outputs) -> None:
    """Decides an OffsetDelete."""
    request: OffsetDeleteRequest = call.request
    if not request.group_id:
        raise InvalidGroupId()
    group = groups.find(request.group_id)
    if group is None:
        raise GroupIdNotFound(f"Group {request.group_id} not found.")
    group.validate_offset_delete()
    response = OffsetDeleteResponse()
    for topic in request.topics:
        subscribed = group.is_subscribed_to(topic.name)
        answered = OffsetDeleteResponseTopic(topic.name)
        for partition in topic.partitions:
            index = partition.partition_index
            code = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC if subscribed else ErrorCode.NONE
            if not subscribed and groups.offsets.find(request.group_id, topic.name, index) is not None:
                out.append(tombstone(request.group_id, topic.name, index))
            answered.partitions.append(OffsetDeleteResponsePartition(index, code))
        response.topics.append(answered)
    out.respond(call.ticket, response)


def tombstone(group_id: str, topic: str, partition: int) -> Record:
    """The record that removes a committed offset."""
    return Record(OffsetCommitKey(group_id, topic, partition), None)
