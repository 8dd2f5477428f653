"""Consumers of the classic protocol, which give up everything before they join: in a consumer group the
coordinator assigns, in a classic one the leader of them does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from barnabas._core import decode, encode
from barnabas.errors import KafkaError
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.consumer_protocol_assignment import (
    ConsumerProtocolAssignment,
    TopicPartition,
)
from barnabas.protocol.generated.consumer_protocol_subscription import ConsumerProtocolSubscription
from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
from barnabas.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol
from barnabas.protocol.generated.leave_group_request import LeaveGroupRequest, MemberIdentity
from barnabas.protocol.generated.sync_group_request import SyncGroupRequest, SyncGroupRequestAssignment
from tests.support.coordinator import CoordinatorSim, Reply
from tests.unit.coordinator.consumer.clients import REBALANCE_TIMEOUT_MS, Partition

VERSION_BYTES = (1).to_bytes(2, "big")
JOIN_VERSION = 3
"""Before members were given their ids first."""
SESSION_TIMEOUT_MS = 45_000


@dataclass
class ClassicClient:
    """A consumer."""

    sim: CoordinatorSim
    topics: tuple[str, ...]
    group: str = "g"
    member_id: str = ""
    generation: int = -1
    owned: set[Partition] = field(default_factory=set)
    joined: bool = False
    waits_for: Reply | None = None

    def step(self) -> None:
        """Does what comes next: joins, syncs or heartbeats, once what it waits for is there."""
        waiting = self.waits_for
        if waiting is not None:
            if waiting.waits:
                return
            self.waits_for = None
            self._hear(waiting)
        elif self.joined:
            self._hear(
                self.sim.call(HeartbeatRequest(self.group, self.generation, self.member_id), version=4)
            )
        else:
            self._join()

    def _join(self) -> None:
        self.owned.clear()
        subscription = encode(ConsumerProtocolSubscription(list(self.topics), None), 1)
        request = JoinGroupRequest(
            group_id=self.group,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            member_id=self.member_id,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol("range", VERSION_BYTES + subscription)],
        )
        self.waits_for = self.sim.call(request, version=JOIN_VERSION)

    def _hear(self, reply: Reply) -> None:
        answer: Any = reply.answers[0]
        if isinstance(answer, KafkaError) or answer.error_code:
            if answer.error_code != ErrorCode.REBALANCE_IN_PROGRESS:
                self.member_id = ""
            self.owned.clear()
            self.joined = False
        elif isinstance(reply.request, JoinGroupRequest):
            self._sync(answer)
        elif isinstance(reply.request, SyncGroupRequest):
            self.owned = self._partitions(answer.assignment)
            self.joined = True

    def _sync(self, answer: Any) -> None:
        self.member_id, self.generation = answer.member_id, answer.generation_id
        request = SyncGroupRequest(self.group, self.generation, self.member_id)
        request.protocol_type, request.protocol_name = "consumer", "range"
        request.assignments = self._assign([member.member_id for member in answer.members])
        self.waits_for = self.sim.call(request, version=5)

    def _assign(self, members: list[str]) -> list[SyncGroupRequestAssignment]:
        """As leader: everything of its own topics, to one after the other."""
        given: dict[str, dict[str, list[int]]] = {member: {} for member in members}
        for name in self.topics if members else ():
            topic = self.sim.image.topic(name)
            for index in range(topic.partition_count if topic else 0):
                given[members[index % len(members)]].setdefault(name, []).append(index)
        return [
            SyncGroupRequestAssignment(
                member,
                VERSION_BYTES
                + encode(ConsumerProtocolAssignment([TopicPartition(*item) for item in topics.items()]), 1),
            )
            for member, topics in given.items()
        ]

    def _partitions(self, assignment: bytes) -> set[Partition]:
        if not assignment:
            return set()
        read: Any = decode(ConsumerProtocolAssignment, int.from_bytes(assignment[:2], "big"), assignment[2:])
        return {
            (self.sim.cluster.topic(topic.topic).id, index)
            for topic in read.assigned_partitions
            for index in topic.partitions
        }

    def leave(self) -> None:
        """Leaves, if it is a member."""
        if self.member_id:
            self.sim.call(LeaveGroupRequest(self.group, members=[MemberIdentity(self.member_id)]), version=5)
