"""JoinGroup, SyncGroup, Heartbeat and LeaveGroup."""

from __future__ import annotations

from typing import Any

from barnabas._core import ColdRequest
from barnabas.coordinator.records import GROUPS
from barnabas.errors import KafkaError
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.heartbeat_response import HeartbeatResponse
from barnabas.protocol.generated.join_group_request import JoinGroupRequest
from barnabas.protocol.generated.join_group_response import JoinGroupResponse
from barnabas.protocol.generated.leave_group_request import LeaveGroupRequest, MemberIdentity
from barnabas.protocol.generated.leave_group_response import LeaveGroupResponse
from barnabas.protocol.generated.sync_group_response import SyncGroupResponse
from barnabas.server.handlers.context import NodeContext, Respond, body, handles_directly
from barnabas.server.handlers.coordinated import client_of

NO_PROTOCOL_VERSION = 7
"""From here on JoinGroup's answer may name no protocol."""
MEMBERS_VERSION = 3
"""From here on LeaveGroup names several members."""


@handles_directly(ApiKey.JOIN_GROUP)
def join_group(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Answered when the next generation begins."""
    asked = body(request, JoinGroupRequest)

    def then(response: Any) -> None:
        if isinstance(response, KafkaError):
            response = JoinGroupResponse(error_code=response.error_code, member_id=asked.member_id)
        if response.error_code or response.protocol_name is None:
            response.protocol_name = None if request.api_version >= NO_PROTOCOL_VERSION else ""
        respond(response)

    node.coordinators.submit(GROUPS, asked.group_id, asked, then, client_of(request))


@handles_directly(ApiKey.SYNC_GROUP)
def sync_group(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Answered when the leader's assignment is committed."""
    asked: Any = request.body

    def then(response: Any) -> None:
        respond(
            SyncGroupResponse(error_code=response.error_code)
            if isinstance(response, KafkaError)
            else response
        )

    node.coordinators.submit(GROUPS, asked.group_id, asked, then, client_of(request))


@handles_directly(ApiKey.HEARTBEAT)
def heartbeat(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Answered in the same turn, unless something before it waits for its commit."""
    asked: Any = request.body

    def then(response: Any) -> None:
        respond(
            HeartbeatResponse(error_code=response.error_code)
            if isinstance(response, KafkaError)
            else response
        )

    node.coordinators.submit(GROUPS, asked.group_id, asked, then, client_of(request))


@handles_directly(ApiKey.LEAVE_GROUP)
def leave_group(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Before version 3 one member leaves, and its error is the answer's."""
    asked = body(request, LeaveGroupRequest)
    if request.api_version < MEMBERS_VERSION:
        asked.members = [MemberIdentity(asked.member_id)]

    def then(response: Any) -> None:
        if isinstance(response, KafkaError):
            response = LeaveGroupResponse(error_code=response.error_code)
        elif request.api_version < MEMBERS_VERSION:
            response = LeaveGroupResponse(error_code=response.members[0].error_code)
        respond(response)

    node.coordinators.submit(GROUPS, asked.group_id, asked, then, client_of(request))
