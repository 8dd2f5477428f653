"""OffsetFetch: the committed offsets of one group, or since version 8 of several."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from barnabas._core import ColdRequest
from barnabas.coordinator.group.requests import FetchOffsets
from barnabas.coordinator.records import GROUPS
from barnabas.errors import KafkaError
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.offset_fetch_request import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from barnabas.protocol.generated.offset_fetch_response import (
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)
from barnabas.server.handlers.context import NodeContext, Respond, body, handles_directly
from barnabas.server.handlers.coordinated import Gathered, client_of

if TYPE_CHECKING:
    from barnabas._core import MetadataImage, Uuid

GROUPS_VERSION = 8
ALL_TOPICS_VERSION = 2
TOPIC_ID_VERSION = 10
NOTHING = -1


@handles_directly(ApiKey.OFFSET_FETCH)
def offset_fetch(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Reads each group's offsets where the group is coordinated."""
    asked = body(request, OffsetFetchRequest)
    if request.api_version < GROUPS_VERSION:
        groups = [_only_group(asked, request.api_version)]
    else:
        groups = asked.groups
    by_id = request.api_version >= TOPIC_ID_VERSION
    image = node.coordinators.image
    unknown = [_take_unknown(group, image) if by_id else [] for group in groups]

    def done(answers: list[Any]) -> None:
        answered = [
            _answered(group, answer, without, image if by_id else None)
            for group, answer, without in zip(groups, answers, unknown, strict=True)
        ]
        if request.api_version < GROUPS_VERSION:
            respond(_of_one_group(groups[0], answered[0], request.api_version))
        else:
            respond(OffsetFetchResponse(groups=answered))

    gathered = Gathered(len(groups), done)
    for index, group in enumerate(groups):
        node.coordinators.submit(
            GROUPS,
            group.group_id,
            FetchOffsets(group, asked.require_stable),
            gathered.place(index),
            client_of(request),
        )


def _only_group(asked: OffsetFetchRequest, version: int) -> OffsetFetchRequestGroup:
    """The group of an older request, in the shape of the newer ones."""
    every = asked.topics is None and version >= ALL_TOPICS_VERSION
    topics = [
        OffsetFetchRequestTopics(name=topic.name, partition_indexes=topic.partition_indexes)
        for topic in asked.topics or ()
    ]
    return OffsetFetchRequestGroup(group_id=asked.group_id, topics=None if every else topics)


# ---- topics by id


def _take_unknown(group: OffsetFetchRequestGroup, image: MetadataImage) -> list[OffsetFetchRequestTopics]:
    """Gives the group's topics their names; those whose ids nobody knows are taken out and returned."""
    unknown = []
    for topic in group.topics or ():
        found = image.topic_by_id(topic.topic_id)
        if found is None:
            unknown.append(topic)
        else:
            topic.name = found.name
    if unknown:
        group.topics = [topic for topic in group.topics or () if topic.name]
    return unknown


def _answered(
    group: OffsetFetchRequestGroup,
    answer: Any,
    unknown: Iterable[OffsetFetchRequestTopics],
    image: MetadataImage | None,
) -> OffsetFetchResponseGroup:
    if isinstance(answer, KafkaError):
        return OffsetFetchResponseGroup(group_id=group.group_id, error_code=answer.error_code)
    response: OffsetFetchResponseGroup = answer
    if image is not None:
        response.topics = [topic for topic in response.topics if _give_id(topic, image)]
    for topic in unknown:
        partitions = map(partial(_missing, code=ErrorCode.UNKNOWN_TOPIC_ID), topic.partition_indexes)
        response.topics.append(OffsetFetchResponseTopics(topic_id=topic.topic_id, partitions=partitions))
    return response


def _give_id(topic: OffsetFetchResponseTopics, image: MetadataImage) -> bool:
    """Gives a topic the id that stands for its name now; False when it is gone."""
    found = image.topic(topic.name)
    if found is None:
        return False
    topic_id: Uuid = found.id
    topic.topic_id = topic_id
    return True


def _missing(index: int, code: ErrorCode) -> OffsetFetchResponsePartitions:
    return OffsetFetchResponsePartitions(
        partition_index=index, committed_offset=NOTHING, metadata="", error_code=code
    )


# ---- versions with one group


def _of_one_group(
    group: OffsetFetchRequestGroup, answer: OffsetFetchResponseGroup, version: int
) -> OffsetFetchResponse:
    topics = answer.topics
    if answer.error_code and version < ALL_TOPICS_VERSION:
        # The first version has no place for an error of the whole request.
        code = ErrorCode(answer.error_code)
        topics = [
            OffsetFetchResponseTopics(
                name=topic.name, partitions=map(partial(_missing, code=code), topic.partition_indexes)
            )
            for topic in group.topics or ()
        ]
    return OffsetFetchResponse(
        error_code=answer.error_code,
        topics=[OffsetFetchResponseTopic(topic.name, map(_older, topic.partitions)) for topic in topics],
    )


def _older(partition: OffsetFetchResponsePartitions) -> OffsetFetchResponsePartition:
    return OffsetFetchResponsePartition(
        partition_index=partition.partition_index,
        committed_offset=partition.committed_offset,
        committed_leader_epoch=partition.committed_leader_epoch,
        metadata=partition.metadata,
        error_code=partition.error_code,
    )
