"""OffsetCommit: partitions that are not there are refused here, the others go to the group's coordinator."""

from __future__ import annotations

from typing import Any

from barnabas._core import ColdRequest
from barnabas.coordinator.records import GROUPS
from barnabas.errors import KafkaError
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.offset_commit_request import OffsetCommitRequest
from barnabas.protocol.generated.offset_commit_response import (
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from barnabas.server.handlers.context import NodeContext, Respond, body, handles_directly
from barnabas.server.handlers.coordinated import client_of
from barnabas.server.handlers.offset_topics import failed_topics, merge, refused_topics, split

TOPIC_ID_VERSION = 10


@handles_directly(ApiKey.OFFSET_COMMIT)
def offset_commit(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Commits what can be committed."""
    asked = body(request, OffsetCommitRequest)
    by_id = request.api_version >= TOPIC_ID_VERSION
    found, refused = split(node.coordinators.image, asked.topics, by_id=by_id)
    answered = refused_topics(refused, OffsetCommitResponseTopic, OffsetCommitResponsePartition, by_id=by_id)
    if not found:
        respond(OffsetCommitResponse(topics=answered))
        return
    asked.topics = found

    def then(response: Any) -> None:
        if isinstance(response, KafkaError):
            topics = failed_topics(
                found, response.error_code, OffsetCommitResponseTopic, OffsetCommitResponsePartition
            )
        else:
            topics = response.topics
        respond(OffsetCommitResponse(topics=merge(answered, topics, by_id=by_id) if answered else topics))

    node.coordinators.submit(GROUPS, asked.group_id, asked, then, client_of(request))
