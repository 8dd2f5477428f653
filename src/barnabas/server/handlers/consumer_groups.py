"""ConsumerGroupHeartbeat and ConsumerGroupDescribe (KIP-848)."""

from __future__ import annotations

from barnabas._core import ColdRequest
from barnabas.coordinator.group.requests import DescribeConsumerGroup
from barnabas.errors import UnsupportedVersion
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.consumer_group_describe_request import ConsumerGroupDescribeRequest
from barnabas.protocol.generated.consumer_group_describe_response import (
    ConsumerGroupDescribeResponse,
    DescribedGroup,
)
from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest
from barnabas.protocol.generated.consumer_group_heartbeat_response import ConsumerGroupHeartbeatResponse
from barnabas.server.handlers.context import NodeContext, Respond, body, handles_directly
from barnabas.server.handlers.coordinated import describe_each, heartbeat

FEATURE = "group.version"
PROTOCOL = "consumer"


def _is_enabled(node: NodeContext) -> bool:
    """Whether consumer groups are served."""
    served = node.settings.get_list("group.coordinator.rebalance.protocols")
    return PROTOCOL in served and node.image().features().get(FEATURE, 0) >= 1


@handles_directly(ApiKey.CONSUMER_GROUP_HEARTBEAT)
def consumer_group_heartbeat(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Answered in the same turn, unless it changes something: then when that is committed."""
    asked = body(request, ConsumerGroupHeartbeatRequest)
    if not _is_enabled(node):
        raise UnsupportedVersion()
    heartbeat(node, request, asked, ConsumerGroupHeartbeatResponse, respond)


@handles_directly(ApiKey.CONSUMER_GROUP_DESCRIBE)
def consumer_group_describe(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Each group is asked for at its own shard."""
    asked = body(request, ConsumerGroupDescribeRequest)
    describe_each(
        node,
        request,
        list(dict.fromkeys(asked.group_ids)),
        DescribeConsumerGroup,
        DescribedGroup,
        ConsumerGroupDescribeResponse,
        respond,
        refused=None if _is_enabled(node) else UnsupportedVersion(),
    )
