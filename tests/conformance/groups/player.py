"""Plays members of consumer groups against one cluster.

A player knows what its members were told: their epochs and what they own. Two players of the same steps, one
on each cluster, see the same answers; what may differ (ids of topics, the time of the next heartbeat) is left
out of what `Player.do` gives back, and topics are named.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from barnabas._core import Uuid
from barnabas.protocol.generated import consumer_group_heartbeat_request as heartbeat
from barnabas.protocol.generated import offset_commit_request as commit
from barnabas.protocol.generated import offset_fetch_request as fetch
from barnabas.protocol.generated.consumer_group_describe_request import ConsumerGroupDescribeRequest
from barnabas.protocol.generated.create_partitions_request import (
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from barnabas.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest
from barnabas.protocol.generated.delete_groups_request import DeleteGroupsRequest
from barnabas.protocol.generated.describe_groups_request import DescribeGroupsRequest
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.list_groups_request import ListGroupsRequest
from tests.support.wire import Connection

Seen = tuple[Any, ...]
"""What one step showed, for comparison."""
REBALANCE_TIMEOUT_MS = 300_000
NOT_COORDINATOR = (14, 15, 16)


@dataclass
class Member:
    """A member, as it knows itself."""

    group: str
    member_id: str
    instance_id: str | None = None
    epoch: int = 0
    owned: dict[str, set[int]] = field(default_factory=dict)


class Player:
    """Members on one cluster."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.connection = Connection(bootstrap)
        self.prefix = prefix
        """Of the names of groups and topics, so that runs don't meet."""
        self.members: dict[str, Member] = {}
        self.ids: dict[str, str] = {}
        """Who has a member id that the cluster has given out."""
        self.topic_ids: dict[str, Uuid] = {}
        self.topic_names: dict[Uuid, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.socket.close()

    def do(self, step: Seen) -> Seen:
        """Does one step, (name, arguments …), and tells what it showed."""
        name, *arguments = step
        seen: Seen = getattr(self, name)(*arguments)
        return seen

    # ---- the world

    def topic(self, name: str, partitions: int) -> Seen:
        """Creates a topic."""
        full = f"{self.prefix}-{name}"
        asked = CreatableTopic(full, num_partitions=partitions, replication_factor=1)
        created = self.connection.request(CreateTopicsRequest([asked], timeout_ms=10_000), 7).topics[0]
        assert created.error_code == 0, created
        self.topic_ids[name] = created.topic_id
        self.topic_names[created.topic_id] = name
        self._await_topic(name, partitions)
        return (partitions,)

    def _await_topic(self, name: str, partitions: int) -> None:
        """Waits until the coordinator knows a topic: until somebody in a group of its own is assigned it."""
        who = f"probe-{name}"
        self.coordinator(who)
        for _ in range(20_000):
            _, _, assigned = self.join(who, who, ((name,), None, None))
            if assigned == [(name, list(range(partitions)))]:
                break
            self.leave(who)
        self.leave(who)
        self.delete(who)
        del self.members[who]

    def coordinator(self, group: str) -> Seen:
        """Waits until the group's coordinator serves."""
        asked = FindCoordinatorRequest(key_type=0, coordinator_keys=[f"{self.prefix}-{group}"])
        for _ in range(20_000):
            found = self.connection.request(asked, 5).coordinators[0]
            if found.error_code in NOT_COORDINATOR:
                continue
            if self._describe(group).error_code not in NOT_COORDINATOR:
                return ()
        raise AssertionError(f"no coordinator for {group}")

    # ---- members

    def join(self, who: str, group: str, subscription: Seen, instance: str | None = None) -> Seen:
        """A member joins, or joins again; `subscription` is (topics, pattern, assignor)."""
        member = self.members.setdefault(who, Member(group, f"{self.prefix}-{who}", instance))
        member.owned.clear()
        return self._beat(member, 0, subscription, {})

    def beat(self, who: str, epoch: int = 0, tells: bool = True) -> Seen:
        """A member heartbeats with its epoch, or one that is so far off, telling what it owns or nothing."""
        member = self.member(who)
        return self._beat(member, member.epoch + epoch, None, member.owned if tells else None)

    def subscribe(self, who: str, subscription: Seen) -> Seen:
        """A member changes what it subscribes to."""
        member = self.member(who)
        return self._beat(member, member.epoch, subscription, member.owned)

    def leave(self, who: str, epoch: int = -1) -> Seen:
        """A member leaves, with -2 for a while."""
        member = self.member(who)
        seen = self._beat(member, epoch, None, None)
        member.owned.clear()
        return seen

    def member(self, who: str) -> Member:
        """The member; one that nobody knows when it has never joined."""
        return self.members.get(who) or Member("nobody", f"{self.prefix}-{who}", epoch=3)

    def grow(self, topic: str, partitions: int) -> Seen:
        """Gives a topic more partitions, and waits until the coordinator knows."""
        grown = CreatePartitionsTopic(f"{self.prefix}-{topic}", partitions, None)
        response = self.connection.request(CreatePartitionsRequest([grown], timeout_ms=10_000), 3)
        assert response.results[0].error_code == 0, response
        self._await_topic(topic, partitions)
        return ()

    def _beat(self, member: Member, epoch: int, subscription: Seen | None, owned: Any) -> Seen:
        topics, pattern, assignor = subscription or (None, None, None)
        request = heartbeat.ConsumerGroupHeartbeatRequest(
            group_id=f"{self.prefix}-{member.group}",
            member_id=member.member_id,
            member_epoch=epoch,
            instance_id=member.instance_id and f"{self.prefix}-{member.instance_id}",
            rebalance_timeout_ms=-1 if subscription is None else REBALANCE_TIMEOUT_MS,
            subscribed_topic_names=None if topics is None else [f"{self.prefix}-{name}" for name in topics],
            subscribed_topic_regex=pattern and f"{self.prefix}-{pattern}",
            server_assignor=assignor,
            topic_partitions=None if owned is None else self._topics(owned),
        )
        response = self.connection.request(request, 1)
        if response.error_code == 0 and epoch >= 0:
            member.epoch = response.member_epoch
        assigned = None
        if response.assignment is not None:
            assigned = {
                self.topic_names[topic.topic_id]: set(topic.partitions)
                for topic in response.assignment.topic_partitions
            }
            member.owned = {name: set(partitions) for name, partitions in assigned.items()}
        return (response.error_code, response.member_epoch, shown(assigned))

    def _topics(self, owned: dict[str, set[int]]) -> list[heartbeat.TopicPartitions]:
        return [
            heartbeat.TopicPartitions(self.topic_ids[name], sorted(owned[name])) for name in sorted(owned)
        ]

    # ---- offsets

    def commit(self, who: str, topic: str, partition: int, epoch: int = 0, version: int = 9) -> Seen:
        """A member commits an offset, with its epoch or one that is so far off."""
        member = self.member(who)
        request = commit.OffsetCommitRequest(
            group_id=f"{self.prefix}-{member.group}",
            generation_id_or_member_epoch=member.epoch + epoch,
            member_id=member.member_id,
            topics=[
                commit.OffsetCommitRequestTopic(
                    name=f"{self.prefix}-{topic}",
                    partitions=[commit.OffsetCommitRequestPartition(partition, 7, committed_metadata="")],
                )
            ],
        )
        response = self.connection.request(request, version)
        return (response.topics[0].partitions[0].error_code,)

    def fetch(self, who: str, epoch: int = 0) -> Seen:
        """A member asks for all offsets of its group."""
        member = self.member(who)
        group = fetch.OffsetFetchRequestGroup(
            group_id=f"{self.prefix}-{member.group}",
            member_id=member.member_id,
            member_epoch=member.epoch + epoch,
            topics=None,
        )
        found = self.connection.request(fetch.OffsetFetchRequest(groups=[group]), 9).groups[0]
        offsets = sorted(
            (topic.name, partition.partition_index, partition.committed_offset)
            for topic in found.topics
            for partition in topic.partitions
        )
        return (found.error_code, offsets)

    # ---- groups

    def describe(self, group: str) -> Seen:
        """The group with its members."""
        found = self._describe(group)
        members = sorted(self._described(member) for member in found.members)
        epochs = (found.group_epoch, found.assignment_epoch)
        return (found.error_code, found.group_state, *epochs, found.assignor_name, members)

    def _describe(self, group: str) -> Any:
        asked = ConsumerGroupDescribeRequest([f"{self.prefix}-{group}"])
        return self.connection.request(asked, 1).groups[0]

    def _described(self, member: Any) -> Seen:
        return (
            self.ids.get(member.member_id, member.member_id),
            member.instance_id or "",
            member.member_epoch,
            sorted(member.subscribed_topic_names),
            member.subscribed_topic_regex or "",
            member.member_type,
            self._assignment(member.assignment),
            self._assignment(member.target_assignment),
        )

    def _assignment(self, assignment: Any) -> list[Any]:
        return sorted((topic.topic_name, sorted(topic.partitions)) for topic in assignment.topic_partitions)

    def settled(self, group: str, group_epoch: int) -> Seen:
        """Waits until the group's epoch is this one: topics of patterns are found beside the heartbeats."""
        for _ in range(20_000):
            found = self._describe(group)
            if found.group_epoch == group_epoch:
                return (group_epoch,)
        return (found.group_epoch,)

    def describe_classic(self, group: str) -> Seen:
        """The group as clients of the classic protocol see it."""
        asked = DescribeGroupsRequest([f"{self.prefix}-{group}"])
        found = self.connection.request(asked, 6).groups[0]
        return (found.error_code, found.group_state, found.protocol_type, len(found.members))

    def list(self, states: Seen = (), kinds: Seen = ()) -> Seen:
        """The run's groups."""
        found = self.connection.request(ListGroupsRequest(list(states), list(kinds)), 5)
        mine = (group for group in found.groups if group.group_id.startswith(f"{self.prefix}-"))
        shown = sorted((one.group_id, one.protocol_type, one.group_state, one.group_type) for one in mine)
        return (found.error_code, shown)

    def delete(self, group: str) -> Seen:
        """Deletes a group."""
        asked = DeleteGroupsRequest([f"{self.prefix}-{group}"])
        return (self.connection.request(asked, 2).results[0].error_code,)


def shown(assigned: dict[str, set[int]] | None) -> list[Any] | None:
    """What is assigned, in order."""
    return None if assigned is None else sorted((name, sorted(owned)) for name, owned in assigned.items())
