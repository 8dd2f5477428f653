"""CreatePartitions, and AlterPartition by which a leader changes the ISR."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from barnabas.controller import assignment, brokers
from barnabas.controller.decision import RECORDS_MAX, ControllerState, Decision, Record, error_of, refuse
from barnabas.controller.partition_change import (
    LEADER_UNCHANGED,
    RECOVERED,
    RECOVERING,
    RECOVERY_UNCHANGED,
    Election,
    PartitionChange,
)
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated import alter_partition_response
from barnabas.protocol.generated.alter_partition_response import AlterPartitionResponse
from barnabas.protocol.generated.create_partitions_response import (
    CreatePartitionsResponse,
    CreatePartitionsTopicResult,
)
from barnabas.protocol.generated.partition_change_record import PartitionChangeRecord

if TYPE_CHECKING:
    from barnabas._core import PartitionImage, TopicImage
    from barnabas.protocol.generated.alter_partition_request import AlterPartitionRequest, PartitionData
    from barnabas.protocol.generated.create_partitions_request import (
        CreatePartitionsRequest,
        CreatePartitionsTopic,
    )


def create_partitions(
    state: ControllerState, request: CreatePartitionsRequest
) -> Decision[CreatePartitionsResponse]:
    """Decides each topic by itself."""
    counts = Counter(topic.name for topic in request.topics)
    response = CreatePartitionsResponse()
    records: list[Record] = []
    for topic in request.topics:
        if counts[topic.name] > 1:
            continue
        result = CreatePartitionsTopicResult(name=topic.name)
        response.results.append(result)
        with error_of(result):
            records += _add_partitions(state, topic, RECORDS_MAX - len(records))
    for name, count in counts.items():
        if count > 1:
            response.results.append(
                CreatePartitionsTopicResult(
                    name=name, error_code=ErrorCode.INVALID_REQUEST, error_message="Duplicate topic name."
                )
            )
    return Decision([] if request.validate_only else records, response)


def _add_partitions(state: ControllerState, topic: CreatePartitionsTopic, records_max: int) -> list[Record]:
    image = state.image.topic(topic.name)
    if image is None:
        raise refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    present = image.partition_count
    if topic.count == present:
        raise refuse(ErrorCode.INVALID_PARTITIONS, f"Topic already has {present} partition(s).")
    if topic.count < present:
        raise refuse(
            ErrorCode.INVALID_PARTITIONS,
            f"The topic {topic.name} currently has {present} partition(s); {topic.count} would not be an "
            "increase.",
        )
    placements = _placements(state, image, topic, records_max)
    return [
        assignment.new_partition(state, image.id, index, replicas)
        for index, replicas in enumerate(placements, start=present)
    ]


def _placements(
    state: ControllerState, image: TopicImage, topic: CreatePartitionsTopic, records_max: int
) -> list[list[int]]:
    present = image.partition_count
    additional = topic.count - present
    first = image.partition(0)
    assert first is not None, f"topic {topic.name} has no partition 0"
    replication_factor = len(first.replicas)
    if topic.assignments is not None and len(topic.assignments) != additional:
        raise refuse(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"Attempted to add {additional} additional partition(s), but only {len(topic.assignments)} "
            "assignment(s) were specified.",
        )
    # Kafka 4.3.1 answers UNKNOWN_SERVER_ERROR here and keeps the first 10,000 all the same.
    if additional > records_max:
        raise refuse(ErrorCode.POLICY_VIOLATION, "Excessively large number of partitions per request.")
    if topic.assignments is None:
        return assignment.place_automatically(state, additional, replication_factor)
    placements = [given.broker_ids for given in topic.assignments]
    for index, replicas in enumerate(placements, start=present):
        assignment.check_manual_assignment(state, replicas, replication_factor)
        assignment.check_manual_assignment_is_live(state, replicas, index)
    return placements


# ---- ISR ------------------------------------------------------------------------------------------------


def alter_partition(
    state: ControllerState, request: AlterPartitionRequest, version: int
) -> Decision[AlterPartitionResponse]:
    """Decides the ISRs that the leader `request.broker_id` wants. Raises when it is not who it says."""
    brokers.check_epoch(state, request.broker_id, request.broker_epoch)
    response = AlterPartitionResponse()
    records: list[Record] = []
    for topic in request.topics:
        image = state.image.topic_by_id(topic.topic_id) if topic.topic_id else None
        results = alter_partition_response.TopicData(topic_id=topic.topic_id)
        response.topics.append(results)
        for wanted in topic.partitions:
            if image is None:
                code = ErrorCode.UNKNOWN_TOPIC_ID
                result = alter_partition_response.PartitionData(
                    partition_index=wanted.partition_index, error_code=code
                )
            else:
                result = _alter_isr(state, image, request.broker_id, wanted, version, records)
            results.partitions.append(result)
    return Decision(records, response)


def _alter_isr(
    state: ControllerState,
    topic: TopicImage,
    broker_id: int,
    wanted: PartitionData,
    version: int,
    records: list[Record],
) -> alter_partition_response.PartitionData:
    result = alter_partition_response.PartitionData(partition_index=wanted.partition_index)
    partition = topic.partition(wanted.partition_index)
    epochs = {member.broker_id: member.broker_epoch for member in wanted.new_isr_with_epochs}
    isr = list(epochs) if version >= 3 else list(wanted.new_isr)
    problem = _isr_problem(state, partition, broker_id, wanted, isr, epochs)
    if partition is None or problem is not None:
        result.error_code = problem or ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        return result

    change = PartitionChange(state, topic.id, topic.name, wanted.partition_index, partition)
    change.isr, change.recovery_state = isr, wanted.leader_recovery_state
    if state.unclean_election(topic.name):
        change.election = Election.UNCLEAN
    made = change.record()
    record = made[0] if made is not None else PartitionChangeRecord()
    assert isinstance(record, PartitionChangeRecord)
    if made is not None:
        records.append(made)
        # The change may have completed a reassignment that leaves the asking leader out.
        if record.leader not in (LEADER_UNCHANGED, broker_id):
            result.error_code = ErrorCode.NEW_LEADER_ELECTED
            return result
    moved = record.leader != LEADER_UNCHANGED
    result.leader_id = record.leader if moved else partition.leader
    result.leader_epoch = partition.leader_epoch + moved
    result.isr = list(partition.isr if record.isr is None else record.isr)
    result.leader_recovery_state = partition.leader_recovery_state
    if record.leader_recovery_state != RECOVERY_UNCHANGED:
        result.leader_recovery_state = record.leader_recovery_state
    result.partition_epoch = partition.partition_epoch + (made is not None)
    return result


def _isr_problem(
    state: ControllerState,
    partition: PartitionImage | None,
    broker_id: int,
    wanted: PartitionData,
    isr: list[int],
    epochs: dict[int, int],
) -> ErrorCode | None:
    if partition is None:
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    # Epochs ahead of ours: the asker has seen a newer controller.
    ahead = wanted.leader_epoch > partition.leader_epoch or wanted.partition_epoch > partition.partition_epoch
    if ahead:
        return ErrorCode.NOT_CONTROLLER
    if wanted.leader_epoch < partition.leader_epoch:
        return ErrorCode.FENCED_LEADER_EPOCH
    if broker_id != partition.leader:
        return ErrorCode.INVALID_REQUEST
    if wanted.partition_epoch < partition.partition_epoch:
        return ErrorCode.INVALID_UPDATE_VERSION
    if len(set(isr)) != len(isr) or not set(isr) <= set(partition.replicas) or partition.leader not in isr:
        return ErrorCode.INVALID_REQUEST
    recovering = wanted.leader_recovery_state == RECOVERING
    if recovering and (len(isr) > 1 or partition.leader_recovery_state == RECOVERED):
        return ErrorCode.INVALID_REQUEST
    if wanted.leader_recovery_state not in (RECOVERED, RECOVERING):
        return ErrorCode.INVALID_REQUEST
    for member in isr:
        epoch = epochs.get(member, -1)
        if not state.active(member) or epoch not in (-1, state.brokers[member].epoch):
            return ErrorCode.INELIGIBLE_REPLICA
    return None
