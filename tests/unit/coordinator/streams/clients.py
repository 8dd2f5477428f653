"""Members of streams groups for tests: they say what a thread of a Kafka Streams application says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from barnabas.controller.topics import delete_topics
from barnabas.coordinator.group.machine import GroupMachine
from barnabas.coordinator.group.streams.configured import Status
from barnabas.coordinator.group.streams.group import StreamsGroup
from barnabas.coordinator.group.streams.requests import CreateTopicsFirst, DescribeStreamsGroup
from barnabas.coordinator.group.streams.tasks import Task
from barnabas.coordinator.records import GROUPS
from barnabas.errors import FencedMemberEpoch, GroupIdNotFound, KafkaError, UnknownMemberId
from barnabas.protocol.generated.config_record import ConfigRecord
from barnabas.protocol.generated.delete_topics_request import DeleteTopicsRequest
from barnabas.protocol.generated.streams_group_heartbeat_request import (
    CopartitionGroup,
    Endpoint,
    StreamsGroupHeartbeatRequest,
    Subtopology,
    TaskIds,
    TopicInfo,
    Topology,
)
from tests.support.cluster import Cluster
from tests.support.coordinator import CoordinatorSim, Reply

REBALANCE_TIMEOUT_MS = 30_000
SESSION_MS = 45_000
FENCING = (UnknownMemberId, FencedMemberEpoch, GroupIdNotFound)

GROUP_RESOURCE = 32


def group_sim(settings: dict[str, str] | None = None, **topics: int) -> CoordinatorSim:
    """A coordinator in a cluster with these topics (partitions by name). Groups don't wait for more members
    unless the settings say so."""
    cluster = Cluster(1, settings={"group.streams.initial.rebalance.delay.ms": "0", **(settings or {})})
    for name, count in topics.items():
        cluster.create(name, count)
    return CoordinatorSim(GroupMachine, GROUPS, cluster=cluster)


def topic(name: str, partitions: int = 0) -> TopicInfo:
    """An internal topic; 0 partitions leave the number to the coordinator."""
    return TopicInfo(name, partitions)


def subtopology(
    subtopology_id: str,
    *sources: str,
    sinks: Iterable[str] = (),
    repartition: Iterable[TopicInfo] = (),
    changelogs: Iterable[str] = (),
    joined: Iterable[CopartitionGroup] = (),
) -> Subtopology:
    return Subtopology(
        subtopology_id,
        list(sources),
        [],
        [topic(name) for name in changelogs],
        list(sinks),
        list(repartition),
        list(joined),
    )


def topology(*subtopologies: Subtopology, epoch: int = 0) -> Topology:
    return Topology(epoch, list(subtopologies))


def word_count(source: str = "lines") -> Topology:
    """Splits lines into words, which are counted under another key."""
    return topology(
        subtopology("0", source, sinks=["app-words-repartition"]),
        subtopology("1", repartition=[topic("app-words-repartition")], changelogs=["app-counts-changelog"]),
    )


def tasks_of(task_ids: Iterable[Any]) -> set[Task]:
    return {Task(one.subtopology_id, partition) for one in task_ids for partition in one.partitions}


def task_ids(tasks: Iterable[Task]) -> list[TaskIds]:
    by_subtopology: dict[str, list[int]] = {}
    for subtopology_id, partition in sorted(tasks):
        by_subtopology.setdefault(subtopology_id, []).append(partition)
    return [TaskIds(subtopology_id, partitions) for subtopology_id, partitions in by_subtopology.items()]


@dataclass
class Tasks:
    """Tasks by role."""

    active: set[Task] = field(default_factory=set)
    standby: set[Task] = field(default_factory=set)
    warmup: set[Task] = field(default_factory=set)

    def all(self) -> set[Task]:
        return self.active | self.standby | self.warmup


@dataclass
class Client:
    """A thread of an application."""

    sim: CoordinatorSim
    member_id: str
    topology: Topology
    process_id: str = ""
    """Its own when empty."""
    endpoint: tuple[str, int] | None = None
    group: str = "app"
    epoch: int = 0
    owned: Tasks = field(default_factory=Tasks)
    told: Tasks = field(default_factory=Tasks)
    """What it was last told to own."""
    statuses: dict[Status, str] = field(default_factory=dict)
    """What it was last told about the group."""
    interval_ms: int = 0
    endpoints: Mapping[tuple[str, int], Any] = field(default_factory=dict)
    endpoint_epoch: int = 0
    says_owned: bool = True
    errors: list[KafkaError] = field(default_factory=list)

    def request(self, **changes: Any) -> StreamsGroupHeartbeatRequest:
        """The next heartbeat."""
        request = StreamsGroupHeartbeatRequest(
            self.group, self.member_id, self.epoch, endpoint_information_epoch=self.endpoint_epoch
        )
        if self.epoch == 0:
            request.topology = self.topology
            request.rebalance_timeout_ms = REBALANCE_TIMEOUT_MS
            request.process_id = self.process_id or f"process of {self.member_id}"
            if self.endpoint is not None:
                request.user_endpoint = Endpoint(*self.endpoint)
        if self.epoch == 0 or self.says_owned:
            request.active_tasks = task_ids(self.owned.active)
            request.standby_tasks = task_ids(self.owned.standby)
            request.warmup_tasks = task_ids(self.owned.warmup)
        for name, value in changes.items():
            setattr(request, name, value)
        return request

    def send(self, **changes: Any) -> Reply:
        """Sends the next heartbeat, and does not hear the answer."""
        return self.sim.call(self.request(**changes))

    def beat(self, *, lost: bool = False) -> Client:
        """Heartbeats once; a lost answer is not heard. Internal topics are made as the server makes them."""
        reply = self.send()
        answer = reply.answers[0]
        if isinstance(answer, CreateTopicsFirst):
            for name, one in answer.topics.items():
                self.sim.cluster.create(name, one.partition_count)
            answer = answer.response
        if lost:
            # It has said that it does not own what it has not taken yet, which may be another's now.
            told, owned = self.told, self.owned
            self.told = Tasks(
                told.active & owned.active, told.standby & owned.standby, told.warmup & owned.warmup
            )
            self.says_owned = True
            return self
        if isinstance(answer, KafkaError):
            assert isinstance(answer, FENCING), answer
            self.errors.append(answer)
            self.start_again()
            return self
        self._hear(answer)
        return self

    def _hear(self, answer: Any) -> None:
        self.says_owned = False
        self.epoch, self.interval_ms = answer.member_epoch, answer.heartbeat_interval_ms
        self.statuses = {Status(status.status_code): status.status_detail for status in answer.status}
        self.endpoint_epoch = answer.endpoint_information_epoch
        if answer.active_tasks is not None:
            self.told = Tasks(
                tasks_of(answer.active_tasks), tasks_of(answer.standby_tasks), tasks_of(answer.warmup_tasks)
            )
        if answer.partitions_by_user_endpoint is not None:
            self.endpoints = {
                (one.user_endpoint.host, one.user_endpoint.port): one
                for one in answer.partitions_by_user_endpoint
            }

    def move(self) -> Client:
        """Gives up what it was told to; once that is done, takes what is new."""
        before = Tasks(set(self.owned.active), set(self.owned.standby), set(self.owned.warmup))
        told = self.told
        kept = Tasks(before.active & told.active, before.standby & told.standby, before.warmup & told.warmup)
        gives_up = kept != before
        self.owned = kept if gives_up else Tasks(set(told.active), set(told.standby), set(told.warmup))
        self.says_owned = self.says_owned or self.owned != before
        return self

    def start_again(self) -> None:
        """It is fenced: all tasks are lost, and it joins again."""
        self.epoch, self.says_owned = 0, True
        self.owned, self.told = Tasks(), Tasks()

    def leave(self, **changes: Any) -> Reply:
        reply = self.send(member_epoch=-1, topology=None, **changes)
        self.start_again()
        return reply


def settle(sim: CoordinatorSim, *clients: Client, rounds: int = 30) -> None:
    """Heartbeats until nothing changes any more."""
    for _ in range(rounds):
        sim.advance(1_000)
        for client in clients:
            client.beat().move()


def describe(sim: CoordinatorSim, group: str = "app") -> Any:
    """The group as StreamsGroupDescribe has it."""
    return sim.call(DescribeStreamsGroup(group)).response


def snapshot(group: StreamsGroup) -> Any:
    """All of a group that records say."""
    tasks = [Task(one, partition) for one in ("0", "1", "2") for partition in range(8)]
    return (
        (group.group_epoch, group.metadata_hash, group.validated_topology_epoch, group.assignment_configs),
        (group.assignment_epoch, group.assignment_timestamp),
        group.topology and group.topology.record,
        group.members,
        group.target,
        [group.is_active(task) for task in tasks],
        group.state_name(0),
    )


def delete_topic(sim: CoordinatorSim, name: str) -> None:
    """The topic is gone, and the coordinator hears of it."""
    sim.cluster.apply(delete_topics(sim.cluster.state, DeleteTopicsRequest(topic_names=[name]), 5))
    sim.metadata_changed()


def set_config(sim: CoordinatorSim, name: str, value: str, group: str = "app") -> None:
    """Overrides a config of the group."""
    sim.cluster.write([(ConfigRecord(GROUP_RESOURCE, group, name, value), 0)])
