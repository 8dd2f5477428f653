"""Streams groups (KIP-1071), described."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from barnabas.clients.admin.acl_operation import AclOperation, authorized
from barnabas.clients.admin.groups import names
from barnabas.clients.operation import Operations, operation
from barnabas.clients.plan import Asked, Plan, by_coordinator, each, error_of
from barnabas.clients.results import Results
from barnabas.errors import KafkaError
from barnabas.protocol.generated import streams_group_describe_response as streams
from barnabas.protocol.generated.streams_group_describe_request import StreamsGroupDescribeRequest

Tasks = Mapping[str, tuple[int, ...]]
"""Partitions by subtopology."""


@dataclass(frozen=True, slots=True)
class StreamsMember:
    """A member of a streams group, with the tasks that it has and those that it is to have."""

    member_id: str
    client_id: str
    host: str
    group_instance_id: str | None
    rack_id: str | None
    member_epoch: int
    process_id: str
    topology_epoch: int
    active_tasks: Tasks
    standby_tasks: Tasks
    warmup_tasks: Tasks
    target_active_tasks: Tasks
    client_tags: Mapping[str, str] = field(default_factory=dict)
    is_classic: bool = False

    def __str__(self) -> str:
        return self.member_id


@dataclass(frozen=True, slots=True)
class Subtopology:
    """A part of a topology, with its topics."""

    subtopology_id: str
    source_topics: tuple[str, ...]
    repartition_sink_topics: tuple[str, ...]
    state_changelog_topics: tuple[str, ...]
    repartition_source_topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StreamsGroupDescription:
    """A streams group."""

    group_id: str = field(repr=False)
    state: str
    coordinator: int
    group_epoch: int
    assignment_epoch: int
    topology_epoch: int | None
    subtopologies: tuple[Subtopology, ...]
    members: tuple[StreamsMember, ...]
    authorized_operations: frozenset[AclOperation] | None = field(default=None, repr=False)


class StreamsGroups(Operations):
    """Operations on streams groups."""

    @operation
    def describe_streams_groups(
        self, groups: str | Iterable[str], *, include_authorized_operations: bool = False
    ) -> Plan[Results[str, StreamsGroupDescription]]:
        """Topology and members of streams groups."""

        def make(some: list[str]) -> StreamsGroupDescribeRequest:
            return StreamsGroupDescribeRequest(some, include_authorized_operations)

        return (yield from each(names(groups), by_coordinator(), make, _described))


def _described(
    answer: streams.StreamsGroupDescribeResponse, asked: Asked[str]
) -> Iterator[tuple[str, StreamsGroupDescription | KafkaError]]:
    for group in answer.groups:
        topology = group.topology
        yield (
            group.group_id,
            error_of(group.error_code, group.error_message)
            or StreamsGroupDescription(
                group.group_id,
                group.group_state,
                asked.node_id,
                group.group_epoch,
                group.assignment_epoch,
                topology.epoch if topology else None,
                tuple(map(_subtopology, topology.subtopologies or ())) if topology else (),
                tuple(map(_member, group.members)),
                authorized(group.authorized_operations),
            ),
        )


def _subtopology(one: streams.Subtopology) -> Subtopology:
    return Subtopology(
        one.subtopology_id,
        tuple(one.source_topics),
        tuple(one.repartition_sink_topics),
        tuple(topic.name for topic in one.state_changelog_topics),
        tuple(topic.name for topic in one.repartition_source_topics),
    )


def _tasks(tasks: Iterable[streams.TaskIds]) -> Tasks:
    return {one.subtopology_id: tuple(one.partitions) for one in tasks}


def _member(one: streams.Member) -> StreamsMember:
    has = one.assignment or streams.Assignment()
    target = one.target_assignment or streams.Assignment()
    return StreamsMember(
        one.member_id,
        one.client_id,
        one.client_host,
        one.instance_id,
        one.rack_id,
        one.member_epoch,
        one.process_id,
        one.topology_epoch,
        _tasks(has.active_tasks),
        _tasks(has.standby_tasks),
        _tasks(has.warmup_tasks),
        _tasks(target.active_tasks),
        {tag.key: tag.value for tag in one.client_tags},
        one.is_classic,
    )
