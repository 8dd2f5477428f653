"""ShareGroupHeartbeat and ShareGroupDescribe (KIP-932)."""

from __future__ import annotations

from barnabas._core import ColdRequest
from barnabas.coordinator.group.share.requests import DescribeShareGroup
from barnabas.errors import UnsupportedVersion
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.share_group_describe_request import ShareGroupDescribeRequest
from barnabas.protocol.generated.share_group_describe_response import (
    DescribedGroup,
    ShareGroupDescribeResponse,
)
from barnabas.protocol.generated.share_group_heartbeat_request import ShareGroupHeartbeatRequest
from barnabas.protocol.generated.share_group_heartbeat_response import ShareGroupHeartbeatResponse
from barnabas.server.handlers.context import NodeContext, Respond, body, handles_directly
from barnabas.server.handlers.coordinated import describe_each, heartbeat

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
    heartbeat(node, request, asked, ShareGroupHeartbeatResponse, respond)


@handles_directly(ApiKey.SHARE_GROUP_DESCRIBE)
def share_group_describe(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Each group is asked for at its own shard."""
    asked = body(request, ShareGroupDescribeRequest)
    describe_each(
        node,
        request,
        list(dict.fromkeys(asked.group_ids)),
        DescribeShareGroup,
        DescribedGroup,
        ShareGroupDescribeResponse,
        respond,
        refused=None if are_served(node) else UnsupportedVersion(),
    )
