"""What is wrong with a heartbeat by itself, before any group is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.coordinator.group.epochs.part import validate_not_empty
from barnabas.coordinator.group.streams.member import NO_TIMEOUT
from barnabas.errors import InvalidRequest, StreamsInvalidTopology

if TYPE_CHECKING:
    from barnabas.protocol.generated.streams_group_heartbeat_request import (
        StreamsGroupHeartbeatRequest,
        Topology,
    )

LEAVE_STATIC_EPOCH = -2
OFFSETS_VERSION = 1
"""From here on members report how far their tasks are; nothing is made of it without warm-up tasks."""


def validate(request: StreamsGroupHeartbeatRequest, version: int) -> None:
    """Raises InvalidRequest or StreamsInvalidTopology."""
    _validate_supported(request, version)
    validate_not_empty(MemberId=request.member_id, GroupId=request.group_id, RackId=request.rack_id)
    if request.member_epoch == 0:
        _validate_join(request)
    elif request.member_epoch == LEAVE_STATIC_EPOCH:
        raise InvalidRequest("InstanceId can't be null.")
    elif request.member_epoch < LEAVE_STATIC_EPOCH:
        raise InvalidRequest(f"MemberEpoch is {request.member_epoch}, but can't be less than -2.")
    elif request.topology is not None:
        raise InvalidRequest("Topology can only be provided when (re-)joining.")
    given = [
        tasks is not None for tasks in (request.active_tasks, request.standby_tasks, request.warmup_tasks)
    ]
    if any(given) and not all(given):
        raise InvalidRequest("If one task-type is non-null, all must be non-null.")


def _validate_supported(request: StreamsGroupHeartbeatRequest, version: int) -> None:
    """What the protocol has words for and Kafka 4.3 does not do yet."""
    for name, value in (
        ("Static membership is", request.instance_id),
        ("WarmupTasks are", request.warmup_tasks or None),
        ("TaskOffsets are", request.task_offsets if version < OFFSETS_VERSION else None),
        ("TaskEndOffsets are", request.task_end_offsets if version < OFFSETS_VERSION else None),
    ):
        if value is not None:
            raise InvalidRequest(f"{name} not supported yet.")
    if request.topology is not None:
        for one in request.topology.subtopologies:
            if one.source_topic_regex:
                raise InvalidRequest("Regular expressions for source topics are not supported yet.")


def _validate_join(request: StreamsGroupHeartbeatRequest) -> None:
    if request.rebalance_timeout_ms == NO_TIMEOUT:
        raise InvalidRequest("RebalanceTimeoutMs must be provided in first request.")
    if request.active_tasks or request.standby_tasks or request.warmup_tasks:
        raise InvalidRequest("No tasks may be owned when (re-)joining.")
    if request.topology is None:
        raise InvalidRequest("Topology must be non-null when (re-)joining.")
    _validate_changelogs(request.topology)


def _validate_changelogs(topology: Topology) -> None:
    for one in topology.subtopologies:
        for topic in one.state_changelog_topics:
            if topic.partitions:
                raise StreamsInvalidTopology(
                    f"Changelog topic {topic.name} has as many partitions as there are tasks; it can't ask"
                    f" for {topic.partitions}."
                )
