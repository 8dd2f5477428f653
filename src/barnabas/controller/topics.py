"""CreateTopics and DeleteTopics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from barnabas._core import Uuid
from barnabas.controller import assignment, configs
from barnabas.controller.decision import (
    RECORDS_MAX,
    TOPIC,
    ControllerState,
    Decision,
    Record,
    error_of,
    refuse,
)
from barnabas.controller.names import (
    CLUSTER_METADATA_TOPIC,
    INTERNAL_TOPICS,
    collision_key,
    may_collide,
    name_problem,
)
from barnabas.errors import KafkaError
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.create_topics_response import (
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsResponse,
)
from barnabas.protocol.generated.delete_topics_response import DeletableTopicResult, DeleteTopicsResponse
from barnabas.protocol.generated.remove_topic_record import RemoveTopicRecord
from barnabas.protocol.generated.topic_record import TopicRecord

if TYPE_CHECKING:
    from barnabas.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest
    from barnabas.protocol.generated.delete_topics_request import DeleteTopicsRequest


def create_topics(state: ControllerState, request: CreateTopicsRequest) -> Decision[CreateTopicsResponse]:
    """Decides each topic by itself: one that is refused does not hinder the others."""
    counts = Counter(topic.name for topic in request.topics)
    unique = [topic for topic in request.topics if counts[topic.name] == 1]
    permitted = [topic for topic in unique if topic.name != CLUSTER_METADATA_TOPIC]
    response = CreateTopicsResponse()
    records: list[Record] = []

    too_many = _partition_limit_problem(state, permitted)
    if too_many is not None:
        code, text = ErrorCode(too_many.error_code), too_many.message
        refused = [_refused_result(topic.name, code, text) for topic in request.topics]
        return Decision([], CreateTopicsResponse(topics=refused))
    existing = _collision_index(state, permitted)
    for topic in permitted:
        result = _refused_result(topic.name)
        with error_of(result):
            new_records, result = _create_topic(state, topic, existing, RECORDS_MAX - len(records))
            records += new_records
        response.topics.append(result)
    for name in _duplicates(counts):
        response.topics.append(_refused_result(name, ErrorCode.INVALID_REQUEST, "Duplicate topic name."))
    if counts[CLUSTER_METADATA_TOPIC] == 1:
        response.topics.append(
            _refused_result(
                CLUSTER_METADATA_TOPIC,
                ErrorCode.INVALID_REQUEST,
                f"Creation of internal topic {CLUSTER_METADATA_TOPIC} is prohibited.",
            )
        )
    return Decision([] if request.validate_only else records, response)


def _create_topic(
    state: ControllerState, topic: CreatableTopic, existing: Mapping[str, str], records_max: int
) -> tuple[list[Record], CreatableTopicResult]:
    _check_name(state, topic.name, existing)
    overrides = _creation_configs(state, topic)
    placements = _placements(state, topic)
    topic_id = state.new_id()
    records: list[Record] = [
        (TopicRecord(name=topic.name, topic_id=topic_id), 0),
        *configs.set_records(TOPIC, topic.name, overrides),
        *(
            assignment.new_partition(state, topic_id, index, replicas)
            for index, replicas in enumerate(placements)
        ),
    ]
    if len(records) > records_max:
        raise refuse(ErrorCode.POLICY_VIOLATION, "Unable to perform excessively large batch operation.")
    result = CreatableTopicResult(
        name=topic.name,
        topic_id=topic_id,
        num_partitions=len(placements),
        replication_factor=len(placements[0]),
        configs=[
            CreatableTopicConfigs(
                name=entry.name,
                value=None if entry.sensitive else entry.value,
                read_only=entry.read_only,
                config_source=entry.source,
                is_sensitive=entry.sensitive,
            )
            for entry in configs.new_topic_entries(state, overrides)
        ],
    )
    return records, result


def _check_name(state: ControllerState, name: str, existing: Mapping[str, str]) -> None:
    if state.image.topic(name) is not None:
        raise refuse(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
    problem = name_problem(name)
    if problem is not None:
        raise refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, problem)
    collides_with = existing.get(collision_key(name)) if may_collide(name) else None
    if collides_with is not None:
        raise refuse(
            ErrorCode.INVALID_TOPIC_EXCEPTION,
            f"Topic '{name}' collides with existing topic: {collides_with}",
        )


def _collision_index(state: ControllerState, topics: Iterable[CreatableTopic]) -> dict[str, str]:
    """Existing topics by what metrics call them; empty when no new name can collide."""
    if not any(may_collide(topic.name) for topic in topics):
        return {}
    return {
        collision_key(topic.name): topic.name for topic in state.image.topics() if may_collide(topic.name)
    }


def _creation_configs(state: ControllerState, topic: CreatableTopic) -> dict[str, str]:
    nulls = [config.name for config in topic.configs if config.value is None]
    if nulls:
        raise refuse(
            ErrorCode.INVALID_CONFIG, f"Null value not supported for topic configs: {','.join(nulls)}"
        )
    overrides = {config.name: config.value for config in topic.configs if config.value is not None}
    configs.check_topic_overrides(state, overrides)
    return overrides


def _placements(state: ControllerState, topic: CreatableTopic) -> list[list[int]]:
    if topic.assignments:
        return _manual_placements(state, topic)
    if topic.replication_factor < -1 or topic.replication_factor == 0:
        raise refuse(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        )
    if topic.num_partitions < -1 or topic.num_partitions == 0:
        raise refuse(
            ErrorCode.INVALID_PARTITIONS, "Number of partitions was set to an invalid non-positive value."
        )
    replication_factor = topic.replication_factor
    if replication_factor == -1:
        replication_factor = state.settings.get_int("default.replication.factor")
    return assignment.place_automatically(state, _partition_count(state, topic), replication_factor)


def _manual_placements(state: ControllerState, topic: CreatableTopic) -> list[list[int]]:
    for name, value in (
        ("replication factor", topic.replication_factor),
        ("numPartitions", topic.num_partitions),
    ):
        if value != -1:
            raise refuse(
                ErrorCode.INVALID_REQUEST,
                f"A manual partition assignment was specified, but {name} was not set to -1.",
            )
    placements: dict[int, list[int]] = {}
    replication_factor = None
    for given in topic.assignments:
        index, replicas = given.partition_index, given.broker_ids
        if index in placements:
            raise refuse(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"Found multiple manual partition assignments for partition {index}",
            )
        assignment.check_manual_assignment(state, replicas, replication_factor)
        assignment.check_manual_assignment_is_live(state, replicas, index)
        replication_factor = len(replicas)
        placements[index] = replicas
    if any(index not in placements for index in range(len(placements))):
        raise refuse(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            "partitions should be a consecutive 0-based integer sequence",
        )
    return [placements[index] for index in range(len(placements))]


def _partition_count(state: ControllerState, topic: CreatableTopic) -> int:
    if topic.assignments:
        return len(topic.assignments)
    return state.settings.get_int("num.partitions") if topic.num_partitions == -1 else topic.num_partitions


def _partition_limit_problem(state: ControllerState, topics: Iterable[CreatableTopic]) -> KafkaError | None:
    """One request may create so many partitions; above that no part of it is done."""
    if sum(max(0, _partition_count(state, topic)) for topic in topics) <= RECORDS_MAX:
        return None
    return refuse(ErrorCode.POLICY_VIOLATION, "Excessively large number of partitions per request.")


def _duplicates(counts: Counter[str]) -> list[str]:
    return [name for name, count in counts.items() if count > 1]


def _refused_result(
    name: str, code: ErrorCode = ErrorCode.UNKNOWN_SERVER_ERROR, message: str | None = None
) -> CreatableTopicResult:
    return CreatableTopicResult(name=name, error_code=code, error_message=message, configs=[])


# ---- deletion -------------------------------------------------------------------------------------------


def delete_topics(
    state: ControllerState, request: DeleteTopicsRequest, version: int
) -> Decision[DeleteTopicsResponse]:
    """Decides each named topic by itself. Before version 6 topics are named, from then on named or by id."""
    named = [(topic.name, topic.topic_id) for topic in request.topics]
    if version < 6:
        named = [(name, Uuid.ZERO) for name in request.topic_names]
    counts = Counter(named)
    by_id = {topic_id for name, topic_id in named if name is None}
    named_twice = {
        topic.id
        for name, _ in named
        if name is not None and (topic := state.image.topic(name)) is not None and topic.id in by_id
    }
    response = DeleteTopicsResponse()
    records: list[Record] = []
    for (name, topic_id), count in counts.items():
        if name is None and topic_id in named_twice:
            continue  # Answered under its name.
        result = DeletableTopicResult(name=name, topic_id=topic_id)
        response.responses.append(result)
        with error_of(result):
            _check_naming(name, topic_id, count)
            result.name, result.topic_id = _find(state, name, topic_id)
            if result.topic_id in named_twice:
                raise refuse(
                    ErrorCode.INVALID_REQUEST,
                    "The provided topic name maps to an ID that was already supplied.",
                )
            records.append((RemoveTopicRecord(topic_id=result.topic_id), 0))
    return Decision(records, response)


def _check_naming(name: str | None, topic_id: Uuid, count: int) -> None:
    """A topic is named once, by its name or by its id."""
    if name is None and not topic_id:
        problem = "Neither topic name nor id were specified."
    elif name is not None and topic_id:
        problem = "You may not specify both topic name and topic id."
    elif count > 1:
        problem = "Duplicate topic id." if name is None else "Duplicate topic name."
    else:
        return
    raise refuse(ErrorCode.INVALID_REQUEST, problem)


def _find(state: ControllerState, name: str | None, topic_id: Uuid) -> tuple[str, Uuid]:
    if name is not None:
        topic = state.image.topic(name)
        if topic is None:
            raise refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    else:
        topic = state.image.topic_by_id(topic_id)
        if topic is None:
            raise refuse(ErrorCode.UNKNOWN_TOPIC_ID)
    return topic.name, topic.id


def auto_created(names: Iterable[str]) -> list[str]:
    """Of the topics that a client asked about, those that may be created for it: never internal ones."""
    return [
        name
        for name in dict.fromkeys(names)
        if name_problem(name) is None and name not in INTERNAL_TOPICS and name != CLUSTER_METADATA_TOPIC
    ]
