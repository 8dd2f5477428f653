"""ConsumerGroupHeartbeat and ConsumerGroupDescribe (KIP-848)."""

from __future__ import annotations

from typing import Any

from barnabas._core import ColdRequest
from barnabas.coordinator.group.requests import DescribeConsumerGroup
from barnabas.coordinator.records import GROUPS
from barnabas.errors import KafkaError, UnsupportedVersion
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.consumer_group_describe_request import ConsumerGroupDescribeRequest
from barnabas.protocol.generated.consumer_group_describe_response import (
    ConsumerGroupDescribeResponse,
    DescribedGroup,
)
from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest
from barnabas.protocol.generated.consumer_group_heartbeat_response import ConsumerGroupHeartbeatResponse
from barnabas.server.handlers.context import NodeContext, Respond, body, handles_directly
from barnabas.server.handlers.coordinated import GROUP_OPERATIONS, Gathered, client_of

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

    def then(response: Any) -> None:
        if isinstance(response, KafkaError):
            response = ConsumerGroupHeartbeatResponse(
                error_code=response.error_code, error_message=response.message
            )
        respond(response)

    node.coordinators.submit(GROUPS, asked.group_id, asked, then, client_of(request))


@handles_directly(ApiKey.CONSUMER_GROUP_DESCRIBE)
def consumer_group_describe(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Each group is asked for at its own shard."""
    asked = body(request, ConsumerGroupDescribeRequest)
    ids = list(dict.fromkeys(asked.group_ids))

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
        respond(ConsumerGroupDescribeResponse(groups=groups))

    if not _is_enabled(node):
        done([UnsupportedVersion()] * len(ids))
        return
    gathered = Gathered(len(ids), done)
    for index, group_id in enumerate(ids):
        node.coordinators.submit(
            GROUPS, group_id, DescribeConsumerGroup(group_id), gathered.place(index), client_of(request)
        )
