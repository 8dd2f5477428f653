"""Requests of the classic protocol and about offsets, as the tests say them."""

from __future__ import annotations

from typing import Any

from barnabas.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol
from barnabas.protocol.generated.leave_group_request import LeaveGroupRequest, MemberIdentity
from barnabas.protocol.generated.offset_commit_request import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from barnabas.protocol.generated.offset_delete_request import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from barnabas.protocol.generated.offset_fetch_request import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from barnabas.protocol.generated.sync_group_request import SyncGroupRequest, SyncGroupRequestAssignment

# A consumer's subscription to the topic "t", version 0, without user data.
SUBSCRIPTION = b"\0\0\0\0\0\1\0\1t\xff\xff\xff\xff"
METADATA = {"range": SUBSCRIPTION, "roundrobin": SUBSCRIPTION}


def join(group: str, member: str = "", instance: str | None = None, **fields: Any) -> JoinGroupRequest:
    protocols = fields.pop("protocols", METADATA)
    return JoinGroupRequest(
        group_id=group,
        session_timeout_ms=fields.pop("session", 10_000),
        rebalance_timeout_ms=fields.pop("rebalance", 10_000),
        member_id=member,
        group_instance_id=instance,
        protocol_type=fields.pop("type", "consumer"),
        protocols=[JoinGroupRequestProtocol(name, metadata) for name, metadata in protocols.items()],
        **fields,
    )


def sync(
    group: str, generation: int, member: str, instance: str | None = None, **fields: Any
) -> SyncGroupRequest:
    assignments = fields.pop("assignments", {})
    return SyncGroupRequest(
        group_id=group,
        generation_id=generation,
        member_id=member,
        group_instance_id=instance,
        protocol_type=fields.pop("type", "consumer"),
        protocol_name=fields.pop("name", "range"),
        assignments=[SyncGroupRequestAssignment(one, data) for one, data in assignments.items()],
    )


def commit(
    group: str, generation: int = -1, member: str = "", instance: str | None = None, **fields: Any
) -> OffsetCommitRequest:
    offsets = fields.pop("offsets", [("t", 0, 5)])
    metadata = fields.pop("metadata", "")
    retention = fields.pop("retention", -1)
    return OffsetCommitRequest(
        group_id=group,
        generation_id_or_member_epoch=generation,
        member_id=member,
        group_instance_id=instance,
        retention_time_ms=retention,
        topics=[
            OffsetCommitRequestTopic(
                name=topic,
                topic_id=topic,
                partitions=[OffsetCommitRequestPartition(index, offset, 3, metadata)],
            )
            for topic, index, offset in offsets
        ],
    )


def fetch(
    *groups: str, stable: bool = False, topics: list[tuple[str, list[int]]] | None = None
) -> OffsetFetchRequest:
    wanted = None
    if topics is not None:
        wanted = [OffsetFetchRequestTopics(name, name, indexes) for name, indexes in topics]
    return OffsetFetchRequest(
        groups=[OffsetFetchRequestGroup(group_id=group, topics=wanted) for group in groups],
        require_stable=stable,
    )


def delete_offsets(group: str, *partitions: tuple[str, int]) -> OffsetDeleteRequest:
    return OffsetDeleteRequest(
        group,
        [
            OffsetDeleteRequestTopic(topic, [OffsetDeleteRequestPartition(index)])
            for topic, index in partitions
        ],
    )


def leave(group: str, *members: str | tuple[str, str], version: int = 5) -> LeaveGroupRequest:
    """Members by their ids, static ones with their instance ids."""
    pairs = [(one, None) if isinstance(one, str) else one for one in members]
    if version < 3:
        return LeaveGroupRequest(group, pairs[0][0])
    return LeaveGroupRequest(group, members=[MemberIdentity(*pair) for pair in pairs])
