"""ElectLeaders, and the elections that the controller starts by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.controller.decision import NO_LEADER, ControllerState, Decision, Record, error_of, refuse
from barnabas.controller.partition_change import Election, PartitionChange
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.elect_leaders_response import (
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)

if TYPE_CHECKING:
    from barnabas._core import PartitionImage, TopicImage
    from barnabas.protocol.generated.elect_leaders_request import ElectLeadersRequest

PREFERRED, UNCLEAN = 0, 1
"""Kinds of election on the wire."""


def elect_leaders(state: ControllerState, request: ElectLeadersRequest) -> Decision[ElectLeadersResponse]:
    """Decides the elections asked for. Asked for all, it leaves out those that are not needed."""
    if request.topic_partitions is not None and not request.topic_partitions:
        return Decision([], ElectLeadersResponse())
    if request.election_type not in (PREFERRED, UNCLEAN):
        return Decision([], _unknown_kind(request))
    if request.topic_partitions is None:
        asked = [(topic.name, [index for index, _ in topic.partitions()]) for topic in state.image.topics()]
    else:
        asked = [(topic.topic, list(topic.partitions)) for topic in request.topic_partitions]
    response = ElectLeadersResponse()
    records: list[Record] = []
    for name, indexes in asked:
        results = ReplicaElectionResult(topic=name)
        response.replica_election_results.append(results)
        for index in indexes:
            result = PartitionResult(partition_id=index)
            with error_of(result):
                records.append(_elect(state, name, index, request.election_type))
            not_needed = result.error_code == ErrorCode.ELECTION_NOT_NEEDED
            if request.topic_partitions is not None or not not_needed:
                results.partition_result.append(result)
    return Decision(records, response)


def _unknown_kind(request: ElectLeadersRequest) -> ElectLeadersResponse:
    code = ErrorCode.INVALID_REQUEST
    message = f"There is no election of type {request.election_type}."
    return ElectLeadersResponse(
        error_code=code,
        replica_election_results=[
            ReplicaElectionResult(
                topic=topic.topic,
                partition_result=[
                    PartitionResult(partition_id=index, error_code=code, error_message=message)
                    for index in topic.partitions
                ],
            )
            for topic in request.topic_partitions or ()
        ],
    )


def _elect(state: ControllerState, name: str, index: int, election_type: int) -> Record:
    topic = state.image.topic(name)
    if topic is None:
        raise refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such topic as {name}")
    partition = topic.partition(index)
    if partition is None:
        raise refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such partition as {name}-{index}")
    preferred = election_type == PREFERRED
    settled = partition.leader == partition.replicas[0] if preferred else partition.leader != NO_LEADER
    if settled:
        raise refuse(ErrorCode.ELECTION_NOT_NEEDED)
    election = Election.PREFERRED if preferred else Election.UNCLEAN
    record = election_record(state, topic, index, partition, election)
    if record is None and preferred:
        raise refuse(ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE)
    if record is None:
        raise refuse(ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE)
    return record


def election_record(
    state: ControllerState, topic: TopicImage, index: int, partition: PartitionImage, election: Election
) -> Record | None:
    """The record of an election, or None when it would change nothing."""
    return PartitionChange(state, topic.id, topic.name, index, partition, election=election).record()


def rebalance_leaders(state: ControllerState, records_max: int) -> list[Record]:
    """Elections that give partitions back to their first replica, at most so many."""
    records: list[Record] = []
    for topic in state.image.topics():
        for index, partition in topic.partitions():
            if partition.leader == partition.replicas[0]:
                continue
            record = election_record(state, topic, index, partition, Election.PREFERRED)
            if record is not None:
                records.append(record)
            if len(records) >= records_max:
                return records
    return records


def elect_missing_leaders(state: ControllerState, records_max: int) -> list[Record]:
    """Unclean elections for partitions without a leader whose topic allows them, at most so many."""
    records: list[Record] = []
    for topic in state.image.topics():
        for index, partition in topic.partitions():
            if partition.leader != NO_LEADER or not state.unclean_election(topic.name):
                continue
            record = election_record(state, topic, index, partition, Election.UNCLEAN)
            if record is not None:
                records.append(record)
            if len(records) >= records_max:
                return records
    return records
