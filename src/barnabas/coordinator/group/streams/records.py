"""The records of streams groups, in the versions that Kafka 4.3 writes. Lists are written in order, so that
equal states are equal bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from barnabas.coordinator.group.epochs.records import EpochRecords
from barnabas.coordinator.group.streams.member import StreamsMember
from barnabas.coordinator.group.streams.tasks import OwnedTasks, Partitions, Tasks, written
from barnabas.coordinator.group.streams.topology import Topology
from barnabas.coordinator.machine import Record
from barnabas.protocol.generated import streams_group_current_member_assignment_value as current_assignment
from barnabas.protocol.generated import streams_group_member_metadata_value as metadata
from barnabas.protocol.generated import streams_group_metadata_value as group_metadata
from barnabas.protocol.generated import streams_group_target_assignment_member_value as target_assignment
from barnabas.protocol.generated.streams_group_topology_key import StreamsGroupTopologyKey

RECORDS = EpochRecords("StreamsGroup")

group_epoch_tombstone = RECORDS.group_epoch_tombstone
member_metadata_tombstone = RECORDS.member_metadata_tombstone
target_epoch = RECORDS.target_epoch
target_epoch_tombstone = RECORDS.target_epoch_tombstone
target_tombstone = RECORDS.target_tombstone
current_tombstone = RECORDS.current_tombstone
removed_member = RECORDS.removed_member


def group_epoch(
    group_id: str,
    epoch: int,
    metadata_hash: int,
    validated_topology_epoch: int,
    assignment_configs: Mapping[str, str],
) -> Record:
    """The group's epoch, and what it was reckoned with: topics, topology and the assignor's configs."""
    configs = [
        group_metadata.LastAssignmentConfig(key, assignment_configs[key])
        for key in sorted(assignment_configs)
    ]
    return RECORDS.group_epoch(
        group_id,
        epoch,
        metadata_hash,
        validated_topology_epoch=validated_topology_epoch,
        last_assignment_configs=configs,
    )


def topology(group_id: str, said: Topology) -> Record:
    """The group's topology."""
    return Record(StreamsGroupTopologyKey(group_id=group_id), said.record)


def topology_tombstone(group_id: str) -> Record:
    """The group has no topology any more."""
    return Record(StreamsGroupTopologyKey(group_id=group_id), None)


def member_metadata(group_id: str, member: StreamsMember) -> Record:
    """What a member has said about itself."""
    endpoint, tags = member.user_endpoint, member.client_tags
    value = metadata.StreamsGroupMemberMetadataValue(
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        client_id=member.client_id,
        client_host=member.client_host,
        rebalance_timeout_ms=member.rebalance_timeout_ms,
        topology_epoch=member.topology_epoch,
        process_id=member.process_id,
        user_endpoint=None if endpoint is None else metadata.Endpoint(*endpoint),
        client_tags=[metadata.KeyValue(key, tags[key]) for key in sorted(tags)],
    )
    return RECORDS.member_metadata(group_id, member.member_id, value)


def target(group_id: str, member_id: str, tasks: Tasks) -> Record:
    """What a member is to have."""
    active, standby, warmup = (written(role, target_assignment.TaskIds) for role in tasks.roles())
    value = target_assignment.StreamsGroupTargetAssignmentMemberValue(active, standby, warmup)
    return RECORDS.target(group_id, member_id, value)


def current(group_id: str, member: StreamsMember) -> Record:
    """What a member has, and where it stands on its way."""
    assigned, pending = member.assigned, member.pending_revocation
    value = current_assignment.StreamsGroupCurrentMemberAssignmentValue(
        member_epoch=member.member_epoch,
        previous_member_epoch=member.previous_member_epoch,
        state=int(member.state),
        active_tasks=_with_epochs(assigned),
        standby_tasks=_task_ids(assigned.standby),
        warmup_tasks=_task_ids(assigned.warmup),
        active_tasks_pending_revocation=_with_epochs(pending),
        standby_tasks_pending_revocation=_task_ids(pending.standby),
        warmup_tasks_pending_revocation=_task_ids(pending.warmup),
    )
    return RECORDS.current(group_id, member.member_id, value)


def _task_ids(partitions: Partitions) -> Sequence[current_assignment.TaskIds]:
    return written(partitions, current_assignment.TaskIds)


def _with_epochs(owned: OwnedTasks) -> list[current_assignment.TaskIds]:
    task_ids = []
    for subtopology in sorted(owned.active):
        partitions = sorted(owned.active[subtopology].items())
        indexes, epochs = [index for index, _ in partitions], [epoch for _, epoch in partitions]
        task_ids.append(current_assignment.TaskIds(subtopology, indexes, epochs))
    return task_ids
