"""Consumers as the coordinator meets them: they heartbeat, give up partitions before they take others, lose
answers, and start again from nothing when they are fenced."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from barnabas._core import Uuid
from barnabas.coordinator.group.consumer.group import ConsumerGroup
from barnabas.coordinator.group.machine import GroupMachine
from barnabas.coordinator.records import GROUPS
from barnabas.errors import (
    FencedInstanceId,
    FencedMemberEpoch,
    GroupIdNotFound,
    KafkaError,
    UnknownMemberId,
    UnreleasedInstanceId,
)
from barnabas.protocol.generated.consumer_group_heartbeat_request import (
    ConsumerGroupHeartbeatRequest,
    TopicPartitions,
)
from tests.support.cluster import Cluster
from tests.support.coordinator import CoordinatorSim, Reply

REBALANCE_TIMEOUT_MS = 60_000
VERSION = 1
FENCING = (
    FencedInstanceId,
    FencedMemberEpoch,
    GroupIdNotFound,
    UnknownMemberId,
    UnreleasedInstanceId,
)
"""After these a client gives up everything and joins again."""

Partition = tuple[Uuid, int]


def group_sim(settings: dict[str, str] | None = None, **topics: int) -> CoordinatorSim:
    """A coordinator of groups, in a cluster with these topics."""
    cluster = Cluster(1, settings=settings)
    for name, partitions in topics.items():
        cluster.create(name, partitions)
    return CoordinatorSim(GroupMachine, GROUPS, cluster=cluster)


def heartbeat(
    sim: CoordinatorSim, group: str, member_id: str, epoch: int, owned: Any = None, **fields: Any
) -> Reply:
    """Sends one heartbeat; `owned` is a set of partitions."""
    if owned is not None:
        by_topic: dict[Uuid, list[int]] = {}
        for topic, index in sorted(owned):
            by_topic.setdefault(topic, []).append(index)
        owned = [TopicPartitions(topic, indexes) for topic, indexes in by_topic.items()]
    request = ConsumerGroupHeartbeatRequest(group, member_id, epoch, topic_partitions=owned, **fields)
    return sim.call(request, version=VERSION)


def join(sim: CoordinatorSim, group: str, member_id: str, *topics: str, **fields: Any) -> Reply:
    """A member joins and subscribes to topics."""
    fields.setdefault("rebalance_timeout_ms", REBALANCE_TIMEOUT_MS)
    return heartbeat(sim, group, member_id, 0, set(), subscribed_topic_names=list(topics), **fields)


def group_of(sim: CoordinatorSim, group_id: str = "g") -> ConsumerGroup:
    """The group, which must be a consumer group."""
    group = sim.machine.groups.find(group_id)
    assert isinstance(group, ConsumerGroup), group
    return group


def assigned(reply: Reply) -> set[Partition] | None:
    """What an answer assigns; None when it leaves that as it was."""
    if reply.response.assignment is None:
        return None
    topics = reply.response.assignment.topic_partitions
    return {(topic.topic_id, index) for topic in topics for index in topic.partitions}


@dataclass
class Client:
    """A consumer."""

    sim: CoordinatorSim
    member_id: str
    topics: tuple[str, ...] = ()
    pattern: str = ""
    instance_id: str | None = None
    group: str = "g"
    epoch: int = 0
    owned: set[Partition] = field(default_factory=set)
    told: set[Partition] = field(default_factory=set)
    """What it was last told to own."""
    says_all: bool = True
    """Whether the next heartbeat says everything: the answer to the last one was lost."""
    errors: list[KafkaError] = field(default_factory=list)

    def beat(self, *, lost: bool = False) -> None:
        """Heartbeats once; a lost answer is not heard."""
        fields: dict[str, Any] = {}
        if self.says_all or self.epoch == 0:
            fields.update(
                subscribed_topic_names=list(self.topics),
                subscribed_topic_regex=self.pattern,
                rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            )
        instance = self.instance_id
        reply = heartbeat(
            self.sim, self.group, self.member_id, self.epoch, self.owned, instance_id=instance, **fields
        )
        self.says_all = lost
        if lost:
            # It has said that it does not own what it has not taken yet, which may be another's now.
            self.told &= self.owned
        else:
            self._hear(reply)

    def _hear(self, reply: Reply) -> None:
        answer = reply.answers[0]
        if isinstance(answer, KafkaError):
            assert isinstance(answer, FENCING), answer
            self.errors.append(answer)
            self.start_again()
            return
        self.epoch = answer.member_epoch
        given = assigned(reply)
        if given is not None:
            self.told = given

    def start_again(self) -> None:
        """It is fenced: all partitions are lost, and it joins again."""
        self.epoch, self.says_all = 0, True
        self.owned, self.told = set(), set()

    def move(self) -> None:
        """Gives up what it was told to; once that is done, takes what is new."""
        if self.owned <= self.told:
            self.owned = set(self.told)
        else:
            self.owned &= self.told

    def subscribe(self, *topics: str, pattern: str = "") -> None:
        """Changes what it subscribes to, which the next heartbeat says."""
        self.topics, self.pattern, self.says_all = topics, pattern, True

    def leave(self, epoch: int = -1) -> Reply:
        """Leaves; with -2 for a while."""
        reply = heartbeat(self.sim, self.group, self.member_id, epoch, None, instance_id=self.instance_id)
        self.start_again()
        return reply


def snapshot(group: ConsumerGroup) -> Any:
    """All of a group that records say."""
    counts = group.counts
    partitions = {(topic, index) for topic in group.target_owners for index in group.target_owners[topic]}
    return (
        (group.group_epoch, group.metadata_hash),
        (group.assignment_epoch, group.assignment_timestamp),
        group.members,
        group.static_members,
        group.target,
        group.target_owners,
        {one: group.owner_epoch(*one) for one in partitions},
        group.patterns,
        (counts.topics, counts.patterns, counts.assignors, counts.classic_members, counts.classic_protocols),
        group.state_name(0),
    )
