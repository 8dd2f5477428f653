"""OffsetDelete: an administrator forgets committed offsets."""

from __future__ import annotations

from typing import Any

from barnabas._core import ColdRequest
from barnabas.coordinator.records import GROUPS
from barnabas.errors import KafkaError
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.offset_delete_request import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from barnabas.protocol.generated.offset_delete_response import (
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)
from barnabas.server.handlers.context import NodeContext, Respond, body, handles_directly
from barnabas.server.handlers.coordinated import client_of
from barnabas.server.handlers.offset_topics import merge


@handles_directly(ApiKey.OFFSET_DELETE)
def offset_delete(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Partitions that are not there are refused here, the others go to the group's coordinator."""
    asked = body(request, OffsetDeleteRequest)
    found: list[OffsetDeleteRequestTopic] = []
    refused: list[OffsetDeleteResponseTopic] = []
    for topic in asked.topics:
        image = node.coordinators.image.topic(topic.name)
        known: list[OffsetDeleteRequestPartition] = []
        missing: list[OffsetDeleteRequestPartition] = []
        for partition in topic.partitions:
            exists = image is not None and image.partition(partition.partition_index) is not None
            (known if exists else missing).append(partition)
        if known:
            found.append(OffsetDeleteRequestTopic(topic.name, known))
        if missing:
            refused.append(OffsetDeleteResponseTopic(topic.name, map(_unknown, missing)))
    asked.topics = found

    def then(response: Any) -> None:
        if isinstance(response, KafkaError):
            respond(OffsetDeleteResponse(error_code=response.error_code))
        else:
            respond(OffsetDeleteResponse(topics=merge(refused, response.topics, by_id=False)))

    node.coordinators.submit(GROUPS, asked.group_id, asked, then, client_of(request))


def _unknown(partition: OffsetDeleteRequestPartition) -> OffsetDeleteResponsePartition:
    return OffsetDeleteResponsePartition(partition.partition_index, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
