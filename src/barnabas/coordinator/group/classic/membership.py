"""SyncGroup, Heartbeat and LeaveGroup, and members that fall silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.coordinator.group.classic.group import ClassicGroup, Member, State, session_timer
from barnabas.coordinator.group.classic.rebalance import (
    assignment_of,
    complete_if_joined,
    dismiss,
    give_assignment,
    keep_alive,
    rebalance_or_complete,
    sync_timer,
)
from barnabas.coordinator.group.steady import prolonged
from barnabas.coordinator.machine import Steady
from barnabas.errors import (
    IllegalGeneration,
    InconsistentGroupProtocol,
    InvalidGroupId,
    KafkaError,
    RebalanceInProgress,
    UnknownMemberId,
)
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.heartbeat_response import HeartbeatResponse
from barnabas.protocol.generated.leave_group_response import LeaveGroupResponse, MemberResponse
from barnabas.protocol.generated.sync_group_response import SyncGroupResponse

if TYPE_CHECKING:
    from barnabas.coordinator.group.kind import Groups
    from barnabas.coordinator.machine import Call, Context, Outputs
    from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
    from barnabas.protocol.generated.leave_group_request import LeaveGroupRequest, MemberIdentity
    from barnabas.protocol.generated.sync_group_request import SyncGroupRequest


def _classic(groups: Groups, call: Call, context: Context, out: Outputs) -> ClassicGroup | None:
    """The classic group that a call is for; None when a group of another kind has taken the call."""
    group_id: str = call.request.group_id
    if not group_id:
        raise InvalidGroupId()
    group = groups.find(group_id)
    if group is None:
        raise UnknownMemberId()
    if isinstance(group, ClassicGroup):
        return group
    group.handle_classic(call, context, out)
    return None


# ---- SyncGroup


def sync_group(groups: Groups, call: Call, context: Context, out: Outputs) -> None:
    """Decides a SyncGroup: the leader brings the assignments, the others fetch theirs."""
    request: SyncGroupRequest = call.request
    if call.api_version >= 5 and (request.protocol_type is None or request.protocol_name is None):
        raise InconsistentGroupProtocol()
    group = _classic(groups, call, context, out)
    if group is None:
        return
    member = group.member(request.member_id, request.group_instance_id)
    if request.generation_id != group.generation_id:
        raise IllegalGeneration()
    if request.protocol_type is not None and group.type not in (None, request.protocol_type):
        raise InconsistentGroupProtocol()
    if request.protocol_name is not None and group.protocol_name not in (None, request.protocol_name):
        raise InconsistentGroupProtocol()
    if group.state is State.EMPTY:
        raise UnknownMemberId()
    if group.state is State.PREPARING_REBALANCE:
        raise RebalanceInProgress()
    _has_synced(group, member, out)
    if group.state is State.STABLE:
        out.respond(call.ticket, assignment_of(group, member))
        return
    if member.sync_ticket is not None:
        # The member has asked twice: whoever still waits for the first answer is to ask again.
        out.respond(member.sync_ticket, SyncGroupResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS))
    member.sync_ticket = call.ticket
    if group.leader_id == member.member_id:
        assignments = {one.member_id: one.assignment for one in request.assignments}
        give_assignment(group, assignments, context, out)


def _has_synced(group: ClassicGroup, member: Member, out: Outputs) -> None:
    group.pending_sync.pop(member.member_id, None)
    if not group.pending_sync:
        out.cancel_timer(sync_timer(group.group_id))


# ---- Heartbeat


def heartbeat(groups: Groups, call: Call, context: Context, out: Outputs) -> None:
    """Decides a Heartbeat."""
    request: HeartbeatRequest = call.request
    group = _classic(groups, call, context, out)
    if group is None:
        return
    member = group.member(request.member_id, request.group_instance_id)
    if request.generation_id != group.generation_id:
        raise IllegalGeneration()
    if group.state is State.EMPTY:
        raise UnknownMemberId()
    keep_alive(member, context, out)
    preparing = group.state is State.PREPARING_REBALANCE
    if group.state is State.STABLE:
        out.steady = Steady(
            group.group_id,
            member.member_id,
            request.group_instance_id,
            group.generation_id,
            -1,
            member.session_timeout_ms,
            call.connection,
        )
    out.respond(
        call.ticket,
        HeartbeatResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS if preparing else ErrorCode.NONE),
    )


# ---- LeaveGroup


def leave_group(groups: Groups, call: Call, context: Context, out: Outputs) -> None:
    """Decides a LeaveGroup; versions before 3, which name one member, come as a list of one."""
    request: LeaveGroupRequest = call.request
    if not request.group_id:
        raise InvalidGroupId()
    if groups.find(request.group_id) is None:
        members = [_left(one, ErrorCode.UNKNOWN_MEMBER_ID) for one in request.members]
        out.respond(call.ticket, LeaveGroupResponse(members=members))
        return
    group = _classic(groups, call, context, out)
    if group is None:
        return
    members = [_left(one, _leave(group, one, out)) for one in request.members]
    if any(not one.error_code for one in members):
        member_gone(group, context, out)
    out.respond(call.ticket, LeaveGroupResponse(members=members))


def _left(identity: MemberIdentity, code: ErrorCode) -> MemberResponse:
    return MemberResponse(identity.member_id, identity.group_instance_id, code)


def _leave(group: ClassicGroup, identity: MemberIdentity, out: Outputs) -> ErrorCode:
    """Removes one member; what to say of it."""
    member_id = identity.member_id
    if not member_id:
        # An administrator removes a static member by its instance id.
        found = group.static_members.get(identity.group_instance_id or "")
        if identity.group_instance_id is None or found is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        member = group.members[found]
    elif member_id in group.pending_join:
        group.remove(member_id)
        out.cancel_timer(session_timer(group.group_id, member_id))
        return ErrorCode.NONE
    else:
        try:
            member = group.member(member_id, identity.group_instance_id)
        except KafkaError as error:
            return ErrorCode(error.error_code)
    out.cancel_timer(member.timer)
    dismiss(group, member, out)
    return ErrorCode.NONE


def member_gone(group: ClassicGroup, context: Context, out: Outputs) -> None:
    """What follows for the others when somebody is gone."""
    if group.state in (State.STABLE, State.COMPLETING_REBALANCE):
        rebalance_or_complete(group, context, out)
    else:
        complete_if_joined(group, context, out)


# ---- silence


def session_expired(group: ClassicGroup, member_id: str, context: Context, out: Outputs) -> None:
    """A member has been silent for its session timeout."""
    if member_id in group.pending_join:
        group.remove(member_id)
        complete_if_joined(group, context, out)
        return
    member = group.members.get(member_id)
    if member is None:
        return
    deadline = prolonged(group.group_id, member_id, member.session_timeout_ms, context)
    if deadline is not None:
        out.set_timer(member.timer, deadline)
        return
    waits = member.join_ticket is not None or member.sync_ticket is not None
    if waits and not member.is_new:
        return  # Who waits for an answer of ours can't send heartbeats.
    dismiss(group, member, out)
    member_gone(group, context, out)
