"""AlterPartitionReassignments and ListPartitionReassignments.

A reassignment first makes the replicas old and new together, notes which are added and which removed, and
completes by itself once all new replicas are in sync (`partition_change`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.controller import assignment
from barnabas.controller.decision import ControllerState, Decision, Record, error_of, refuse
from barnabas.controller.partition_change import Election, PartitionChange
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.alter_partition_reassignments_response import (
    AlterPartitionReassignmentsResponse,
    ReassignablePartitionResponse,
    ReassignableTopicResponse,
)
from barnabas.protocol.generated.list_partition_reassignments_response import (
    ListPartitionReassignmentsResponse,
    OngoingPartitionReassignment,
    OngoingTopicReassignment,
)

if TYPE_CHECKING:
    from barnabas._core import MetadataImage, PartitionImage, TopicImage
    from barnabas.protocol.generated.alter_partition_reassignments_request import (
        AlterPartitionReassignmentsRequest,
        ReassignablePartition,
    )
    from barnabas.protocol.generated.list_partition_reassignments_request import (
        ListPartitionReassignmentsRequest,
    )


def alter_partition_reassignments(
    state: ControllerState, request: AlterPartitionReassignmentsRequest
) -> Decision[AlterPartitionReassignmentsResponse]:
    """Decides each partition by itself: new replicas, or the end of the move under way."""
    response = AlterPartitionReassignmentsResponse(
        # Asked for nothing, Kafka answers with the field's default.
        allow_replication_factor_change=request.allow_replication_factor_change or not request.topics
    )
    records: list[Record] = []
    for topic in request.topics:
        results = ReassignableTopicResponse(name=topic.name)
        response.responses.append(results)
        for target in topic.partitions:
            result = ReassignablePartitionResponse(partition_index=target.partition_index)
            results.partitions.append(result)
            with error_of(result):
                record = _reassign(state, topic.name, target, request.allow_replication_factor_change)
                if record is not None:
                    records.append(record)
    return Decision(records, response)


def _reassign(
    state: ControllerState, name: str, target: ReassignablePartition, allow_factor_change: bool
) -> Record | None:
    topic = state.image.topic(name)
    if topic is None:
        raise refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find a topic named {name}.")
    partition = topic.partition(target.partition_index)
    if partition is None:
        raise refuse(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
            f"Unable to find partition {name}:{target.partition_index}.",
        )
    change = PartitionChange(state, topic.id, name, target.partition_index, partition)
    if target.replicas is None:
        _cancel(state, topic, partition, change)
    else:
        _move(state, partition, change, target.replicas, allow_factor_change)
    return change.record()


def _move(
    state: ControllerState,
    partition: PartitionImage,
    change: PartitionChange,
    target: list[int],
    allow_factor_change: bool,
) -> None:
    assignment.check_manual_assignment(state, target, None)
    original = [replica for replica in partition.replicas if replica not in partition.adding_replicas]
    if not allow_factor_change and len(target) != len(original):
        raise refuse(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"The replication factor would change from {len(original)} to {len(target)}, which the request "
            "does not allow.",
        )
    # Replicas that an earlier move was still adding stay so when they are wanted, and go when they are not.
    settled = set(partition.replicas) - set(partition.adding_replicas)
    change.removing = sorted(set(partition.replicas) - set(target))
    change.adding = sorted(set(target) - settled)
    change.replicas = [*target, *change.removing]


def _cancel(
    state: ControllerState, topic: TopicImage, partition: PartitionImage, change: PartitionChange
) -> None:
    if not partition.adding_replicas and not partition.removing_replicas:
        raise refuse(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS)
    adding = set(partition.adding_replicas)
    replicas = [replica for replica in partition.replicas if replica not in adding]
    isr = [replica for replica in partition.isr if replica not in adding]
    unclean_allowed = state.unclean_election(topic.name)
    if not isr and not unclean_allowed:
        raise refuse(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"Unable to revert partition assignment for {topic.name}:{change.index} because it would require "
            "an unclean leader election.",
        )
    change.replicas, change.isr, change.adding, change.removing = replicas, isr, [], []
    if unclean_allowed:
        change.election = Election.UNCLEAN


def list_partition_reassignments(
    image: MetadataImage, request: ListPartitionReassignmentsRequest
) -> ListPartitionReassignmentsResponse:
    """The moves under way, of all partitions or of those asked for; what is unknown is left out."""
    if request.topics is None:
        asked = [(topic, [index for index, _ in topic.partitions()]) for topic in image.topics()]
    else:
        named = [(image.topic(topic.name), list(topic.partition_indexes)) for topic in request.topics]
        asked = [(topic, indexes) for topic, indexes in named if topic is not None]
    response = ListPartitionReassignmentsResponse()
    for topic, indexes in asked:
        ongoing = [
            OngoingPartitionReassignment(
                partition_index=index,
                replicas=partition.replicas,
                adding_replicas=partition.adding_replicas,
                removing_replicas=partition.removing_replicas,
            )
            for index in indexes
            if (partition := topic.partition(index)) is not None
            and (partition.adding_replicas or partition.removing_replicas)
        ]
        if ongoing:
            response.topics.append(OngoingTopicReassignment(name=topic.name, partitions=ongoing))
    return response
