"""Streams groups (KIP-1071) with their members, whose tasks are read as the source partitions behind them."""

from __future__ import annotations

from collections.abc import Sequence

from barnabas.cli.brokers import Brokers
from barnabas.cli.groups import model
from barnabas.cli.groups.details import described
from barnabas.cli.groups.model import Group, Member
from barnabas.protocol.generated.streams_group_describe_request import StreamsGroupDescribeRequest
from barnabas.protocol.generated.streams_group_describe_response import (
    Assignment,
    DescribedGroup,
    StreamsGroupDescribeResponse,
    TaskIds,
)
from barnabas.protocol.generated.streams_group_describe_response import Member as StreamsMember


def describe_streams(brokers: Brokers, node_id: int, names: Sequence[str]) -> list[Group]:
    """The groups with their members."""
    request = StreamsGroupDescribeRequest(names)
    return [
        _streams_group(group, node_id)
        for group in described(brokers, node_id, request, StreamsGroupDescribeResponse).groups
    ]


def _streams_group(group: DescribedGroup, node_id: int) -> Group:
    subtopologies = (group.topology.subtopologies if group.topology else None) or []
    sources = {
        one.subtopology_id: [*one.source_topics, *(topic.name for topic in one.repartition_source_topics)]
        for one in subtopologies
    }
    return Group(
        group.group_id,
        model.STREAMS,
        group.group_state,
        node_id,
        group.assignor_name or "",
        tuple(_member(member, sources) for member in group.members),
        group.group_epoch,
        group.assignment_epoch,
    )


def _member(member: StreamsMember, sources: dict[str, list[str]]) -> Member:
    assignment = _partitions(member.assignment, sources)
    target = _partitions(member.target_assignment, sources)
    roles = {
        "active": member.assignment.active_tasks,
        "standby": member.assignment.standby_tasks,
        "warmup": member.assignment.warmup_tasks,
    }
    return Member(
        member.member_id,
        member.client_id,
        member.client_host,
        member.instance_id,
        member.rack_id,
        member.member_epoch,
        assignment=assignment,
        target=None if target == assignment else target,
        tasks={role: _by_subtopology(tasks) for role, tasks in roles.items() if tasks},
    )


def _partitions(assignment: Assignment, sources: dict[str, list[str]]) -> dict[str, list[int]]:
    """What the active tasks read: task N of a subtopology reads partition N of each of its source topics."""
    return {
        topic: partitions
        for subtopology, partitions in _by_subtopology(assignment.active_tasks).items()
        for topic in sources.get(subtopology, ())
    }


def _by_subtopology(tasks: Sequence[TaskIds]) -> dict[str, list[int]]:
    return {one.subtopology_id: sorted(one.partitions) for one in tasks}
