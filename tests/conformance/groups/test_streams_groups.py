"""Streams groups (KIP-1071) beside Apache Kafka 4.3.1: the same answers to the same requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

import pytest

from barnabas.protocol.generated.delete_groups_request import DeleteGroupsRequest
from barnabas.protocol.generated.list_groups_request import ListGroupsRequest
from barnabas.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
from barnabas.protocol.generated.offset_commit_request import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from barnabas.protocol.generated.streams_group_describe_request import StreamsGroupDescribeRequest
from barnabas.protocol.generated.streams_group_heartbeat_request import (
    CopartitionGroup,
    Endpoint,
    KeyValue,
    StreamsGroupHeartbeatRequest,
    Subtopology,
    TaskIds,
    TaskOffset,
    TopicInfo,
    Topology,
)
from tests.conformance.groups.duel import Duel, Side, await_topics, create_topic, set_config, wait_for

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(300)]

ASSIGNMENT_DELAYED = 5
"""A status that depends on the moment."""
PARTITIONS = 4
REPARTITION, CHANGELOG = "app-words-repartition", "app-counts-changelog"

Task = tuple[str, int]


def topology(source: str = "lines", epoch: int = 0) -> Topology:
    """Counts words."""
    return Topology(
        epoch,
        [
            Subtopology("0", [source], repartition_sink_topics=[REPARTITION]),
            Subtopology(
                "1",
                repartition_source_topics=[TopicInfo(REPARTITION)],
                state_changelog_topics=[
                    TopicInfo(CHANGELOG, topic_configs=[KeyValue("cleanup.policy", "compact")])
                ],
            ),
        ],
    )


def join(member_id: str, group: str = "app", /, **changes: Any) -> StreamsGroupHeartbeatRequest:
    """A member's first heartbeat."""
    request = StreamsGroupHeartbeatRequest(
        group,
        member_id,
        0,
        rebalance_timeout_ms=60_000,
        topology=topology(),
        active_tasks=[],
        standby_tasks=[],
        warmup_tasks=[],
        process_id=f"process of {member_id}",
        user_endpoint=Endpoint(member_id, 9),
        client_tags=[KeyValue("zone", member_id)],
    )
    for name, value in changes.items():
        setattr(request, name, value)
    return request


def task_ids(tasks: Iterable[Task]) -> list[TaskIds]:
    return [
        TaskIds(one, [index for _, index in of]) for one, of in groupby(sorted(tasks), lambda task: task[0])
    ]


class Member:
    """A thread of an application on one side; what it hears of its group, without what may differ."""

    def __init__(self, side: Side, member_id: str) -> None:
        self.side, self.member_id = side, member_id
        self.epoch = 0
        self.tasks: dict[str, set[Task]] = {}
        self.owned: dict[str, set[Task]] = {}
        self.statuses: set[int] = set()

    def beat(self, **changes: Any) -> int:
        """Heartbeats, and takes and gives up what it is told to; the error code."""
        if self.epoch == 0:
            request = join(self.member_id, **changes)
        else:
            request = StreamsGroupHeartbeatRequest("app", self.member_id, self.epoch)
            for name in ("active_tasks", "standby_tasks", "warmup_tasks"):
                setattr(request, name, task_ids(self.owned.get(name, ())))
            for name, value in changes.items():
                setattr(request, name, value)
        answer = self.side.ask(request, 0)
        if not answer.error_code:
            self.epoch = answer.member_epoch
            self.statuses = {status.status_code for status in answer.status}
            for name in ("active_tasks", "standby_tasks", "warmup_tasks"):
                told = getattr(answer, name)
                if told is not None:
                    self.tasks[name] = {
                        (one.subtopology_id, index) for one in told for index in one.partitions
                    }
            self.owned = {name: set(tasks) for name, tasks in self.tasks.items()}
        return int(answer.error_code)

    @property
    def shown(self) -> Any:
        return (
            self.epoch,
            sorted(self.tasks.get("active_tasks", ())),
            self.tasks.get("standby_tasks"),
            self.statuses,
        )


def prepare(side: Side) -> None:
    # The coordinator hears of changes in their order: who knows the topic knows the config.
    set_config(side, "streams.initial.rebalance.delay.ms", "0")
    create_topic(side, "lines", PARTITIONS)
    await_topics(side, "app", ["lines"])


def described(side: Side) -> Any:
    return side.shown(side.ask(StreamsGroupDescribeRequest(["app"]), 0))


def settle(side: Side, *members: Member) -> None:
    """All heartbeat until the group is stable and nobody hears anything new."""

    def is_stable() -> bool:
        before = [member.shown for member in members]
        for member in members:
            member.beat()
        group = side.ask(StreamsGroupDescribeRequest(["app"]), 0).groups[0]
        return group.group_state == "Stable" and before == [member.shown for member in members]

    wait_for(is_stable)


def start(side: Side, see: Callable[[Any], None]) -> tuple[Member, Member]:
    """A group comes to be, with two members that share its tasks."""
    first, second = Member(side, "first"), Member(side, "second")
    first.beat()
    see(first.shown)
    see(described(side))
    names = [MetadataRequestTopic(name=name) for name in (REPARTITION, CHANGELOG)]
    # Asked so that the topics are not created here, with one partition, before the group creates them.
    asked = MetadataRequest(topics=names, allow_auto_topic_creation=False)
    wait_for(lambda: not any(one.error_code for one in side.ask(asked, 12).topics))
    settle(side, first)
    see(first.shown)
    see(described(side))
    second.beat()
    settle(side, first, second)
    see([first.shown, second.shown])
    see(described(side))
    return first, second


def commit(member_id: str, epoch: int, topic: str = "lines") -> OffsetCommitRequest:
    partitions = [OffsetCommitRequestPartition(0, committed_offset=3)]
    return OffsetCommitRequest(
        "app", epoch, member_id, topics=[OffsetCommitRequestTopic(topic, partitions=partitions)]
    )


def live(side: Side) -> list[Any]:
    """The life of a group, as its members and administrators see it."""
    seen: list[Any] = []
    prepare(side)
    first, second = start(side, seen.append)
    for epoch in (first.epoch, first.epoch - 1, first.epoch + 1, 1):
        seen.append(side.shown(side.ask(commit("first", epoch), 9)))
    seen.append(side.shown(side.ask(commit("first", 1, CHANGELOG), 9)))
    seen.append(side.shown(side.ask(commit("nobody", 1), 9)))
    seen.append(side.shown(side.ask(ListGroupsRequest(types_filter=["streams"]), 5)))
    for epoch in (first.epoch - 1, first.epoch + 1):
        seen.append(first.beat(member_epoch=epoch))
    seen.append(first.beat(active_tasks=[TaskIds("0", [PARTITIONS])]))
    seen.append(Member(side, "third").beat(topology=topology("others")))
    seen.append(Member(side, "third").beat(topology=topology(epoch=1)))
    set_config(side, "streams.num.standby.replicas", "1")
    wait_for(lambda: not first.beat() and not second.beat() and bool(first.tasks["standby_tasks"]))
    settle(side, first, second)
    seen.append([first.shown, second.shown])
    seen.append(second.beat(member_epoch=-1, shutdown_application=True))
    first.beat()
    seen.append(first.statuses - {ASSIGNMENT_DELAYED})
    settle_alone(first)
    seen.append([first.shown[0], first.shown[1]])
    seen.append(side.shown(side.ask(DeleteGroupsRequest(["app"]), 2)))
    seen.append(first.beat(member_epoch=-1))
    seen.append(described(side))
    seen.append(side.shown(side.ask(DeleteGroupsRequest(["app"]), 2)))
    seen.append(described(side))
    return seen


def settle_alone(member: Member) -> None:
    """The member takes over all tasks."""

    def has_all() -> bool:
        member.beat()
        return len(member.tasks["active_tasks"]) == 2 * PARTITIONS

    wait_for(has_all)


def test_a_group_lives_alike(duel: Duel) -> None:
    seen = [live(side) for side in duel.sides]
    for step, (kafka, barnabas) in enumerate(zip(*seen, strict=True)):
        assert barnabas == kafka, step


WRONG: list[dict[str, Any]] = [
    {"member_id": " "},
    {"group_id": ""},
    {"rack_id": ""},
    {"instance_id": "i"},
    {"rebalance_timeout_ms": -1},
    {"topology": None},
    {"active_tasks": [TaskIds("0", [0])]},
    {"warmup_tasks": [TaskIds("0", [0])]},
    {"active_tasks": None},
    {"task_offsets": [TaskOffset("0", 0, 1)]},
    {"member_epoch": -3},
    {"member_epoch": -2},
    {"member_epoch": 1},
    {"member_epoch": 1, "topology": None},
    {"member_epoch": -1, "topology": None},
    {"topology": topology("__consumer_offsets")},
    {"topology": topology("no such name")},
    {"topology": Topology(0, [Subtopology("0", ["lines"], ["l.*"])])},
    {"topology": Topology(0, [Subtopology("0", ["lines"], state_changelog_topics=[TopicInfo("c", 2)])])},
    {"topology": Topology(0, [Subtopology("0", state_changelog_topics=[TopicInfo("c")])])},
    {"topology": Topology(0, [Subtopology("0", ["lines"], repartition_source_topics=[TopicInfo("r")])])},
]


def test_wrong_heartbeats_are_refused_alike(duel: Duel) -> None:
    duel.create_topic("lines", PARTITIONS)
    duel.coordinated("wrong")
    for changes in WRONG:
        duel.ask(join("m", "wrong", **changes), 0)
    duel.ask(StreamsGroupDescribeRequest(["wrong", ""], include_authorized_operations=True), 0)


def test_topics_that_do_not_fit_are_told_alike(duel: Duel) -> None:
    duel.create_topic("lines", PARTITIONS)
    duel.create_topic("narrow", 1)
    joined = [CopartitionGroup([0, 1], [], [])]
    for group, said in (
        ("absent", topology("absent")),
        ("joined", Topology(0, [Subtopology("0", ["lines", "narrow"], copartition_groups=joined)])),
        (
            "changelog",
            Topology(0, [Subtopology("0", ["lines"], state_changelog_topics=[TopicInfo("narrow")])]),
        ),
    ):
        shown = []
        for side in duel.sides:
            await_topics(side, group, ["lines", "narrow"])
            set_config(side, "streams.initial.rebalance.delay.ms", "0", group)
            # Kafka fails where a member has an endpoint and no topology could be configured.
            answer = side.ask(join("m", group, topology=said, user_endpoint=None), 0)
            codes = {status.status_code for status in answer.status}
            shown.append(
                (answer.error_code, answer.member_epoch, codes - {ASSIGNMENT_DELAYED}, answer.active_tasks)
            )
        assert shown[0] == shown[1], group
