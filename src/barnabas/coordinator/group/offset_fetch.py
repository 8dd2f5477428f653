"""Committed offsets, read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.offset_fetch_response import (
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.coordinator.group.kind import Groups
    from barnabas.coordinator.group.offsets import CommittedOffset
    from barnabas.coordinator.group.requests import FetchOffsets
    from barnabas.coordinator.machine import Call, Outputs

NOTHING = -1


def fetch(groups: Groups, call: Call, out: Outputs) -> None:
    """Reads offsets of one group: those asked for, or with no topics all there are."""
    asked: FetchOffsets = call.request
    group_id = asked.group.group_id
    group = groups.find(group_id)
    if group is not None:
        group.validate_fetch(asked.group.member_id, asked.group.member_epoch)
    offsets = groups.offsets
    wanted: Iterable[tuple[str, Iterable[int]]]
    if asked.group.topics is None:
        wanted = offsets.of_group(group_id).items() if group is not None else ()
    else:
        wanted = ((topic.name, topic.partition_indexes) for topic in asked.group.topics)
    response = OffsetFetchResponseGroup(group_id=group_id)
    pending = offsets.pending_topics(group_id) if asked.require_stable else {}
    for name, indexes in wanted:
        committed = offsets.of_group(group_id).get(name, {})
        unstable = pending.get(name, ())
        topic = OffsetFetchResponseTopics(name=name)
        for index in indexes:
            if index in unstable:
                topic.partitions.append(_nothing(index, ErrorCode.UNSTABLE_OFFSET_COMMIT))
            else:
                topic.partitions.append(_answer(index, committed.get(index)))
        response.topics.append(topic)
    out.respond(call.ticket, response)


def _answer(index: int, offset: CommittedOffset | None) -> OffsetFetchResponsePartitions:
    if offset is None:
        return _nothing(index, ErrorCode.NONE)
    return OffsetFetchResponsePartitions(
        partition_index=index,
        committed_offset=offset.offset,
        committed_leader_epoch=offset.leader_epoch,
        metadata=offset.metadata,
    )


def _nothing(index: int, code: ErrorCode) -> OffsetFetchResponsePartitions:
    return OffsetFetchResponsePartitions(
        partition_index=index, committed_offset=NOTHING, metadata="", error_code=code
    )
