"""Requests that no client sends: each is answered, and the group goes on."""

from __future__ import annotations

import random
from typing import Any

import pytest

from barnabas._core import encode
from barnabas.coordinator.group.consumer.group import ConsumerGroup
from barnabas.coordinator.group.requests import DeleteGroup, DescribeConsumerGroup, DescribeGroup, ListGroups
from barnabas.protocol.generated.consumer_group_heartbeat_request import (
    ConsumerGroupHeartbeatRequest,
    TopicPartitions,
)
from barnabas.protocol.generated.consumer_protocol_assignment import (
    ConsumerProtocolAssignment,
    TopicPartition,
)
from barnabas.protocol.generated.consumer_protocol_subscription import ConsumerProtocolSubscription
from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
from barnabas.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol
from barnabas.protocol.generated.leave_group_request import LeaveGroupRequest, MemberIdentity
from barnabas.protocol.generated.sync_group_request import SyncGroupRequest, SyncGroupRequestAssignment
from tests.support.cluster import numbered
from tests.unit.coordinator.consumer.clients import group_sim, join, snapshot

REQUESTS = 400
V1 = (1).to_bytes(2, "big")


class Stranger:
    """Draws requests in which hardly anything fits together."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.sim = group_sim({"group.consumer.assignment.interval.ms": "0"}, a=3, b=1)
        self.topic_ids = [self.sim.cluster.topic("a").id, self.sim.cluster.topic("b").id, numbered(9)]
        self.member_ids = ["m0", "m1", "m2", ""]

    def one(self, *of: Any) -> Any:
        return self.chance.choice(of)

    def epoch(self) -> int:
        group = self.sim.machine.groups.find("g")
        members = list(group.members.values()) if isinstance(group, ConsumerGroup) else []
        known = self.chance.choice(members).member_epoch if members else 1
        return int(self.one(0, 0, known, known, known, known - 1, known + 1, -1, -2, -3, 2**31 - 1, -(2**31)))

    def member_id(self) -> str:
        group = self.sim.machine.groups.find("g")
        known = list(getattr(group, "members", ())) or [""]
        return str(self.one(*self.member_ids, *known))

    def owned(self) -> list[TopicPartitions] | None:
        indexes = [0, 1, 2, 3, -1, 2**31 - 1]
        return self.one(  # type: ignore[no-any-return]
            None,
            [],
            [TopicPartitions(self.one(*self.topic_ids), self.chance.choices(indexes, k=3)) for _ in range(3)],
        )

    def heartbeat(self) -> ConsumerGroupHeartbeatRequest:
        return ConsumerGroupHeartbeatRequest(
            "g",
            self.member_id(),
            self.epoch(),
            instance_id=self.one(None, None, "i", "j"),
            rack_id=self.one(None, "r"),
            rebalance_timeout_ms=self.one(-1, 0, 1, -5, 2**31 - 1),
            subscribed_topic_names=self.one(None, [], ["a"], ["a", "b"], ["nobody", "a", "a"]),
            subscribed_topic_regex=self.one(None, None, "", "a|b", "(", "x" * 1000, "é*"),
            server_assignor=self.one(None, "range", "uniform", "", "nobody"),
            topic_partitions=self.owned(),
        )

    def subscription(self) -> bytes:
        owned = [ConsumerProtocolSubscription(["a", "b"], b"user data")]
        whole = V1 + encode(owned[0], 1)
        return bytes(self.one(whole, whole, whole[:-2], b"", b"\xff\xff", b"\0\7" + whole[2:]))

    def assignment(self) -> bytes:
        topics = [TopicPartition(self.one("a", "b", "nobody"), self.chance.choices([0, 1, 2, 9, -1], k=3))]
        whole = V1 + encode(ConsumerProtocolAssignment(topics, self.one(None, b"data")), 1)
        return bytes(self.one(whole, whole, whole[:-1], b"", b"\0"))

    def classic(self) -> Any:
        instance = self.one(None, None, "i")
        return self.one(
            JoinGroupRequest(
                "g",
                10_000,
                self.one(-1, 0, 60_000),
                self.member_id(),
                instance,
                self.one("consumer", "consumer", "other", ""),
                [JoinGroupRequestProtocol(self.one("range", "other"), self.subscription())][
                    : self.one(0, 1, 1)
                ],
            ),
            SyncGroupRequest(
                "g",
                self.epoch(),
                self.member_id(),
                instance,
                "consumer",
                "range",
                [SyncGroupRequestAssignment(self.member_id(), self.assignment()) for _ in range(2)],
            ),
            HeartbeatRequest("g", self.epoch(), self.member_id(), instance),
            LeaveGroupRequest("g", members=[MemberIdentity(self.member_id(), instance) for _ in range(2)]),
        )

    def ask(self) -> None:
        looks = (ListGroups(), DescribeConsumerGroup("g"), DescribeGroup("g"), DeleteGroup("g"))
        request = self.one(self.heartbeat(), self.heartbeat(), self.classic(), self.one(*looks))
        version = {JoinGroupRequest: 9, SyncGroupRequest: 5, HeartbeatRequest: 4, LeaveGroupRequest: 5}
        self.sim.call(request, version=version.get(type(request), self.one(0, 1, 1)))
        if self.chance.random() < 0.1:
            self.sim.advance(self.one(0, 1, 1_000, 60_000))


@pytest.mark.parametrize("seed", range(12))
def test_nothing_that_a_stranger_asks_harms_a_group(seed: int) -> None:
    stranger = Stranger(seed)
    sim = stranger.sim
    for _ in range(REQUESTS):
        stranger.ask()
        group = sim.machine.groups.find("g")
        before = snapshot(group) if isinstance(group, ConsumerGroup) else None
        if stranger.chance.random() < 0.05:
            sim.restart()
            group = sim.machine.groups.find("g")
            assert before == (snapshot(group) if isinstance(group, ConsumerGroup) else None)
    sim.advance(24 * 3_600_000)
    assert sim.call(DeleteGroup("g")).answers
    assert join(sim, "g", "m0", "a").response.member_epoch == 2
