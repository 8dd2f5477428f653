"""ShareGroupHeartbeat and ShareGroupDescribe (KIP-932)."""

from __future__ import annotations

from typing import Any

from barnabas._core import ColdRequest
from barnabas.coordinator.group.share.requests import DescribeShareGroup
from barnabas.coordinator.records import GROUPS
from barnabas.errors import KafkaError, UnsupportedVersion
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.share_group_describe_request import ShareGroupDescribeRequest
from barnabas.protocol.generated.share_group_describe_response import (
    DescribedGroup,
    ShareGroupDescribeResponse,
)
from barnabas.protocol.generated.share_group_heartbeat_request import ShareGroupHeartbeatRequest
from barnabas.protocol.generated.share_group_heartbeat_response import ShareGroupHeartbeatResponse
from barnabas.server.handlers.context import NodeContext, Respond, body, handles_directly
from barnabas.server.handlers.coordinated import GROUP_OPERATIONS, Gathered, client_of

FEATURE = "share.version"


def are_served(node: NodeContext) -> bool:
    """Whether the cluster has agreed on share groups."""
    return node.image().features().get(FEATURE, 0) >= 1


def validate_served(node: NodeContext) -> None:
    """Raises UnsupportedVersion where share groups are not served."""
    if not are_served(node):
        raise UnsupportedVersion()


@handles_directly(ApiKey.SHARE_GROUP_HEARTBEAT)
def share_group_heartbeat(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Answered in the same turn, unless it changes something: then when that is committed."""
    asked = body(request, ShareGroupHeartbeatRequest)
    validate_served(node)

    def then(response: Any) -> None:
        if isinstance(response, KafkaError):
            response = ShareGroupHeartbeatResponse(
                error_code=response.error_code, error_message=response.message
            )
        respond(response)

    node.coordinators.submit(GROUPS, asked.group_id, asked, then, client_of(request))


@handles_directly(ApiKey.SHARE_GROUP_DESCRIBE)
def share_group_describe(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Each group is asked for at its own shard."""
    asked = body(request, ShareGroupDescribeRequest)
    ids = list(dict.fromkeys(asked.group_ids))
    served = are_served(node)

    def done(answers: list[Any]) -> None:
        groups = [
            DescribedGroup(group_id=group_id, error_code=answer.error_code)
            if isinstance(answer, KafkaError)
            else answer
            for group_id, answer in zip(ids, answers, strict=True)
        ]
        if asked.include_authorized_operations:
            for group in groups:
                if not group.error_code:
                    group.authorized_operations = GROUP_OPERATIONS
        respond(ShareGroupDescribeResponse(groups=groups))

    gathered = Gathered(len(ids), done)
    for index, group_id in enumerate(ids):
        if served:
            node.coordinators.submit(
                GROUPS, group_id, DescribeShareGroup(group_id), gathered.place(index), client_of(request)
            )
        else:
            gathered.place(index)(UnsupportedVersion())
