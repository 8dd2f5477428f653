"""DescribeShareGroupOffsets, AlterShareGroupOffsets and DeleteShareGroupOffsets: where share groups stand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from barnabas._core import ColdRequest, Uuid
from barnabas.coordinator.group.share.requests import (
    BeginAlterOffsets,
    BeginDeleteStates,
    StatePartitionsOf,
    StatesDeleted,
)
from barnabas.coordinator.group.share.state_partitions import StatePartitions, TopicState
from barnabas.coordinator.records import GROUPS
from barnabas.coordinator.share.requests import (
    NO_COUNT,
    NO_OFFSET,
    DeleteState,
    InitializeState,
    ReadSummary,
    ShareKey,
)
from barnabas.errors import GroupIdNotFound, InvalidGroupId, KafkaError, UnknownTopicOrPartition
from barnabas.protocol import ApiKey
from barnabas.protocol.generated import alter_share_group_offsets_response as alter_response
from barnabas.protocol.generated import delete_share_group_offsets_response as delete_response
from barnabas.protocol.generated import describe_share_group_offsets_response as describe_response
from barnabas.protocol.generated.alter_share_group_offsets_request import AlterShareGroupOffsetsRequest
from barnabas.protocol.generated.delete_share_group_offsets_request import DeleteShareGroupOffsetsRequest
from barnabas.protocol.generated.describe_share_group_offsets_request import DescribeShareGroupOffsetsRequest
from barnabas.server import share_partitions, share_states
from barnabas.server.handlers.context import NodeContext, body, handles
from barnabas.server.handlers.share_groups import validate_served

if TYPE_CHECKING:
    from barnabas._core import MetadataImage
    from barnabas.coordinator.share.state import ShareState

LATEST = -1
UNKNOWN_LAG = -1

Wanted = list[tuple[str, Uuid, list[int]]]
"""Topic names, ids (zero when nobody knows them) and partitions."""


@handles(ApiKey.DESCRIBE_SHARE_GROUP_OFFSETS)
async def describe_share_group_offsets(
    node: NodeContext, request: ColdRequest
) -> describe_response.DescribeShareGroupOffsetsResponse:
    """The start offset and the lag of each share partition."""
    asked = body(request, DescribeShareGroupOffsetsRequest)
    groups = [await _describe_group(node, group) for group in asked.groups]
    return describe_response.DescribeShareGroupOffsetsResponse(groups=groups)


async def _describe_group(
    node: NodeContext, group: Any
) -> describe_response.DescribeShareGroupOffsetsResponseGroup:
    described = describe_response.DescribeShareGroupOffsetsResponseGroup(group_id=group.group_id)
    try:
        validate_served(node)
        if not group.group_id:
            raise InvalidGroupId()
        wanted = await _wanted(node, group)
    except KafkaError as error:
        described.error_code, described.error_message = error.error_code, error.message
        return described
    for name, topic_id, partitions in wanted:
        keys = [ShareKey(group.group_id, topic_id, index) for index in partitions]
        if topic_id:
            answers = await share_states.of(node).all(ReadSummary(key, -1) for key in keys)
        else:
            answers = [UnknownTopicOrPartition() for _ in keys]
        described.topics.append(
            describe_response.DescribeShareGroupOffsetsResponseTopic(
                topic_name=name,
                topic_id=topic_id,
                partitions=[_described(node, key, answer) for key, answer in zip(keys, answers, strict=True)],
            )
        )
    return described


async def _wanted(node: NodeContext, group: Any) -> Wanted:
    """As in Kafka 4.3.1 it is no error to ask about a group that is not there: it stands nowhere."""
    if group.topics is not None:
        return _asked(node.image(), group.topics)
    try:
        return _known(await _state(node, StatePartitionsOf(group.group_id)))
    except GroupIdNotFound:
        return []


def _known(state: StatePartitions) -> Wanted:
    """All that the share coordinator knows, or is about to know."""
    return [
        (state.names()[topic_id], topic_id, sorted(state.known(topic_id)))
        for topic_id in sorted({*state.initializing, *state.initialized})
    ]


def _asked(image: MetadataImage, topics: Iterable[Any]) -> Wanted:
    wanted: Wanted = []
    for topic in topics:
        found = image.topic(topic.topic_name)
        wanted.append((topic.topic_name, found.id if found else Uuid.ZERO, topic.partitions))
    return wanted


def _described(
    node: NodeContext, key: ShareKey, answer: ShareState | KafkaError
) -> describe_response.DescribeShareGroupOffsetsResponsePartition:
    described = describe_response.DescribeShareGroupOffsetsResponsePartition(
        partition_index=key.partition, start_offset=NO_OFFSET, lag=UNKNOWN_LAG
    )
    if isinstance(answer, KafkaError):
        described.error_code, described.error_message = answer.error_code, answer.message
        return described
    described.start_offset, described.leader_epoch = answer.start_offset, answer.leader_epoch
    if answer.start_offset != NO_OFFSET and answer.delivery_complete_count != NO_COUNT:
        code, end = node.native.share_offset(key.topic_id, key.partition, LATEST, False)
        if not code:
            described.lag = max(end - answer.start_offset - answer.delivery_complete_count, 0)
    return described


# ---- changing


@handles(ApiKey.ALTER_SHARE_GROUP_OFFSETS)
async def alter_share_group_offsets(
    node: NodeContext, request: ColdRequest
) -> alter_response.AlterShareGroupOffsetsResponse:
    """An empty group goes on from other offsets, and forgets what it had done with."""
    validate_served(node)
    asked = body(request, AlterShareGroupOffsetsRequest)
    group_id, image = asked.group_id, node.image()
    before = await _state_before(node, group_id)
    offsets: dict[ShareKey, int] = {}
    results: dict[tuple[str, int], KafkaError | None] = {}
    topics: dict[Uuid, TopicState] = {}
    for topic in asked.topics:
        found = image.topic(topic.topic_name)
        for one in topic.partitions:
            index = one.partition_index
            if found is None or not 0 <= index < found.partition_count:
                results[topic.topic_name, index] = UnknownTopicOrPartition()
                continue
            offsets[ShareKey(group_id, found.id, index)] = one.start_offset
            known = topics.get(found.id, TopicState(found.name, frozenset()))
            topics[found.id] = TopicState(found.name, known.partitions | {index})
    if topics:
        states = share_states.of(node)
        epoch = await node.coordinators.call(GROUPS, group_id, BeginAlterOffsets(group_id, topics))
        keys = list(offsets)
        answers = await states.all(InitializeState(key, epoch, offsets[key]) for key in keys)
        begun = []
        for key, answer in zip(keys, answers, strict=True):
            results[topics[key.topic_id].name, key.partition] = answer
            share_partitions.of(node).drop(key)
            was = before.initialized.get(key.topic_id)
            if answer is None or (was is not None and key.partition in was.partitions):
                begun.append(key)  # What could not be altered is where it was.
        await states.tell_initialized(group_id, share_states.topics_of(begun, topics))
    return alter_response.AlterShareGroupOffsetsResponse(
        responses=[_altered(image, topic, results) for topic in asked.topics]
    )


async def _state_before(node: NodeContext, group_id: str) -> StatePartitions:
    """Of a group that is there and empty, or not there yet: it may be told beforehand where to begin."""
    if not group_id:
        raise InvalidGroupId()
    try:
        return await _state(node, StatePartitionsOf(group_id, empty_only=True))
    except GroupIdNotFound:
        return StatePartitions()


def _altered(
    image: MetadataImage, topic: Any, results: dict[tuple[str, int], KafkaError | None]
) -> alter_response.AlterShareGroupOffsetsResponseTopic:
    found = image.topic(topic.topic_name)
    altered = alter_response.AlterShareGroupOffsetsResponseTopic(
        topic_name=topic.topic_name, topic_id=found.id if found else Uuid.ZERO
    )
    for one in topic.partitions:
        result = results[topic.topic_name, one.partition_index]
        partition = alter_response.AlterShareGroupOffsetsResponsePartition(one.partition_index)
        if result is not None:
            partition.error_code, partition.error_message = result.error_code, result.message
        altered.partitions.append(partition)
    return altered


@handles(ApiKey.DELETE_SHARE_GROUP_OFFSETS)
async def delete_share_group_offsets(
    node: NodeContext, request: ColdRequest
) -> delete_response.DeleteShareGroupOffsetsResponse:
    """An empty group forgets where it stands in whole topics."""
    validate_served(node)
    asked = body(request, DeleteShareGroupOffsetsRequest)
    state = await _state(node, StatePartitionsOf(asked.group_id, empty_only=True))
    names = {name: topic_id for topic_id, name in state.names().items()}
    topics = {
        names[topic.topic_name]: topic.topic_name for topic in asked.topics if topic.topic_name in names
    }
    errors = await delete_states(node, asked.group_id, topics) if topics else {}
    response = delete_response.DeleteShareGroupOffsetsResponse()
    for topic in asked.topics:
        topic_id = names.get(topic.topic_name, Uuid.ZERO)
        deleted = delete_response.DeleteShareGroupOffsetsResponseTopic(
            topic_name=topic.topic_name, topic_id=topic_id
        )
        error = errors.get(topic_id) if topic_id else UnknownTopicOrPartition()
        if error is not None:
            deleted.error_code, deleted.error_message = error.error_code, error.message
        response.responses.append(deleted)
    return response


async def delete_states(node: NodeContext, group_id: str, topics: dict[Uuid, str]) -> dict[Uuid, KafkaError]:
    """Has the share coordinator forget topics of an empty group; what went wrong, by topic. Raises KafkaError
    when the group is not there or not empty."""
    begin = BeginDeleteStates(group_id, topics)
    before: StatePartitions = await node.coordinators.call(GROUPS, group_id, begin)
    image = node.image()
    keys = []
    for topic_id in topics:
        found = image.topic_by_id(topic_id)
        indexes = range(found.partition_count) if found is not None else before.known(topic_id)
        keys += [ShareKey(group_id, topic_id, index) for index in sorted(indexes)]
    answers = await share_states.of(node).all(DeleteState(key) for key in keys)
    errors: dict[Uuid, KafkaError] = {}
    for key, answer in zip(keys, answers, strict=True):
        share_partitions.of(node).drop(key)
        if isinstance(answer, KafkaError) and image.topic_by_id(key.topic_id) is not None:
            errors[key.topic_id] = answer
    deleted = {topic_id: name for topic_id, name in topics.items() if topic_id not in errors}
    if deleted:
        await node.coordinators.call(GROUPS, group_id, StatesDeleted(group_id, deleted))
    return errors


async def _state(node: NodeContext, request: StatePartitionsOf) -> StatePartitions:
    found: StatePartitions = await node.coordinators.call(GROUPS, request.group_id, request)
    return found
