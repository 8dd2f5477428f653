"""Groups on a virtual clock, with requests as short as the tests want them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from barnabas._core import Uuid
from barnabas.coordinator.group.classic.group import ClassicGroup
from barnabas.coordinator.group.machine import GroupMachine
from barnabas.coordinator.group.requests import (
    DeleteGroup,
    DescribeGroup,
    FetchOffsets,
    ListGroups,
    TxnCommit,
)
from barnabas.coordinator.records import GROUPS
from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
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
from barnabas.protocol.generated.offset_fetch_request import OffsetFetchRequestGroup, OffsetFetchRequestTopics
from barnabas.protocol.generated.sync_group_request import SyncGroupRequest, SyncGroupRequestAssignment
from barnabas.protocol.generated.txn_offset_commit_request import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from tests.support.cluster import Cluster
from tests.support.coordinator import CoordinatorSim, Reply

SUBSCRIPTION = b"\0\0\0\0\0\1\0\1t\xff\xff\xff\xff"
"""A consumer's subscription to the topic "t"."""
SESSION_MS = 10_000
REBALANCE_MS = 30_000


class GroupSim(CoordinatorSim):
    """One partition of `__consumer_offsets`, and "g" as the group that is meant when none is named."""

    def __init__(self, *, lends: bool = True, **settings: str) -> None:
        configs = {name.replace("_", "."): value for name, value in settings.items()}
        super().__init__(GroupMachine, GROUPS, cluster=Cluster(1, settings=configs), lends=lends)

    def group(self, group: str = "g") -> ClassicGroup:
        found = self.machine.groups.by_id[group]
        assert isinstance(found, ClassicGroup)
        return found

    def join(
        self,
        member: str = "",
        instance: str | None = None,
        *,
        group: str = "g",
        protocols: Mapping[str, bytes] | None = None,
        version: int = 9,
        **fields: Any,
    ) -> Reply:
        said = {"range": SUBSCRIPTION} if protocols is None else protocols
        request = JoinGroupRequest(
            group_id=group,
            session_timeout_ms=fields.pop("session_ms", SESSION_MS),
            rebalance_timeout_ms=fields.pop("rebalance_ms", REBALANCE_MS),
            member_id=member,
            group_instance_id=instance,
            protocol_type=fields.pop("type", "consumer"),
            protocols=[JoinGroupRequestProtocol(name, metadata) for name, metadata in said.items()],
        )
        return self.call(request, version=version)

    def new_member_id(self, group: str = "g") -> str:
        """The id that a member is told to come back with."""
        member_id: str = self.join(group=group).response.member_id
        return member_id

    def sync(
        self,
        member: str,
        generation: int,
        assignments: Mapping[str, bytes] | None = None,
        instance: str | None = None,
        *,
        group: str = "g",
        protocol: str | None = "range",
    ) -> Reply:
        request = SyncGroupRequest(
            group_id=group,
            generation_id=generation,
            member_id=member,
            group_instance_id=instance,
            protocol_type="consumer",
            protocol_name=protocol,
            assignments=[SyncGroupRequestAssignment(*pair) for pair in (assignments or {}).items()],
        )
        return self.call(request, version=5)

    def heartbeat(
        self, member: str, generation: int, instance: str | None = None, *, group: str = "g"
    ) -> Reply:
        return self.call(HeartbeatRequest(group, generation, member, instance), version=4)

    def leave(self, *members: str, group: str = "g") -> Reply:
        return self.call(
            LeaveGroupRequest(group, members=[MemberIdentity(one) for one in members]), version=5
        )

    def settled(self, count: int, group: str = "g") -> list[str]:
        """A stable group of new members; their ids, the leader's first."""
        members = [self.new_member_id(group) for _ in range(count)]
        with self.held():
            replies = [self.join(member, group=group) for member in members]
        generation = replies[0].response.generation_id
        leader = replies[0].response.leader
        members.sort(key=lambda member: member != leader)
        self.sync(leader, generation, {one: one.encode() for one in members}, group=group)
        for member in members[1:]:
            assert self.sync(member, generation, group=group).response.assignment == member.encode()
        return members

    # ---- offsets

    def commit(
        self,
        offset: int,
        member: str = "",
        generation: int = -1,
        *,
        group: str = "g",
        topic: str = "t",
        partition: int = 0,
        version: int = 9,
        **fields: Any,
    ) -> Reply:
        asked = OffsetCommitRequestPartition(partition, offset, 1, fields.pop("metadata", ""))
        request = OffsetCommitRequest(
            group_id=group,
            generation_id_or_member_epoch=generation,
            member_id=member,
            retention_time_ms=fields.pop("retention_ms", -1),
            topics=[OffsetCommitRequestTopic(topic, self.topic_id(topic), [asked])],
        )
        return self.call(request, version=version)

    def commit_in_transaction(
        self,
        producer_id: int,
        offset: int,
        member: str = "",
        generation: int = -1,
        *,
        group: str = "g",
        partition: int = 0,
        epoch: int = 0,
    ) -> Reply:
        asked = TxnOffsetCommitRequestPartition(partition, offset, 1, "")
        request = TxnOffsetCommitRequest(
            transactional_id="x",
            group_id=group,
            producer_id=producer_id,
            producer_epoch=epoch,
            generation_id_or_member_epoch=generation,
            member_id=member,
            topics=[TxnOffsetCommitRequestTopic("t", self.topic_id("t"), [asked])],
        )
        return self.call(TxnCommit(request), version=3)

    def topic_id(self, name: str) -> Uuid:
        topic = self.image.topic(name)
        return topic.id if topic is not None else Uuid.ZERO

    def fetch(self, *partitions: int, group: str = "g", stable: bool = False, topic: str = "t") -> Reply:
        """Without partitions all there are."""
        topics = [OffsetFetchRequestTopics(topic, partition_indexes=partitions)] if partitions else None
        return self.call(FetchOffsets(OffsetFetchRequestGroup(group, topics=topics), stable), version=9)

    def offset(self, partition: int = 0, *, group: str = "g", topic: str = "t") -> int:
        """What is committed; -1 for nothing."""
        found = self.fetch(partition, group=group, topic=topic).response.topics[0].partitions[0]
        assert found.error_code == 0
        return int(found.committed_offset)

    def delete_offset(self, partition: int = 0, *, group: str = "g", topic: str = "t") -> Reply:
        topics = [OffsetDeleteRequestTopic(topic, [OffsetDeleteRequestPartition(partition)])]
        return self.call(OffsetDeleteRequest(group, topics))

    # ---- what administrators ask

    def delete(self, group: str = "g") -> int:
        """The error code of a deletion."""
        return int(self.call(DeleteGroup(group), version=2).response.error_code)

    def describe(self, group: str = "g", version: int = 6) -> Any:
        return self.call(DescribeGroup(group), version=version).response

    def listed(self, **wanted: Any) -> dict[str, str]:
        """States by group."""
        return {one.group_id: one.group_state for one in self.call(ListGroups(**wanted)).response}
