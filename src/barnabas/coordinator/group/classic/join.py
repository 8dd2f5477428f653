"""JoinGroup: who may become a member, and whether that changes anything for the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.coordinator.group.classic.group import ClassicGroup, Member, State, session_timer
from barnabas.coordinator.group.classic.rebalance import (
    NEW_MEMBER_JOIN_TIMEOUT_MS,
    complete_if_joined,
    fail_waiting,
    joined,
    keep_alive,
    prepare,
    rebalance_or_complete,
    told,
)
from barnabas.errors import (
    GroupMaxSizeReached,
    InconsistentGroupProtocol,
    InvalidGroupId,
    InvalidSessionTimeout,
    KafkaError,
    UnknownMemberId,
    UnknownServerError,
)
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.join_group_response import JoinGroupResponse

if TYPE_CHECKING:
    from barnabas.coordinator.group.kind import Groups
    from barnabas.coordinator.machine import Call, Context, Outputs
    from barnabas.protocol.generated.join_group_request import JoinGroupRequest

KNOWN_MEMBER_VERSION = 4
"""From here on a member must come a second time with the id that it was given, so that one whose first answer
is lost leaves nothing behind."""
SKIP_ASSIGNMENT_VERSION = 9


def join_group(groups: Groups, call: Call, context: Context, out: Outputs) -> None:
    """Decides a JoinGroup."""
    request: JoinGroupRequest = call.request
    settings = context.configs
    if not request.group_id:
        raise InvalidGroupId()
    if not settings.min_session_timeout_ms <= request.session_timeout_ms <= settings.max_session_timeout_ms:
        raise InvalidSessionTimeout()
    existing = groups.find(request.group_id)
    if existing is not None and not isinstance(existing, ClassicGroup):
        if not existing.is_empty() or existing.protocol_type == "share":
            existing.handle_classic(call, context, out)
            return
        # An empty group of another kind makes room.
        out.append(*existing.tombstones())
        existing = None
    if existing is None:
        if request.member_id:
            raise UnknownMemberId()
        existing = ClassicGroup(request.group_id, context.now)
        _join(existing, call, context, out)
        groups.put(existing)
        # The group is written at once, so that it is known after a change of leader.
        out.append(existing.empty_record())
        return
    _join(existing, call, context, out)


def _join(group: ClassicGroup, call: Call, context: Context, out: Outputs) -> None:
    request: JoinGroupRequest = call.request
    if not _has_room(group, request.member_id, context.configs.max_size):
        group.remove(request.member_id)
        out.respond(call.ticket, refusal(GroupMaxSizeReached()))
    elif not group.supports(request.protocol_type, protocols_of(request)):
        out.respond(call.ticket, refusal(InconsistentGroupProtocol(), request.member_id))
    elif not request.member_id:
        _join_new(group, call, context, out)
    elif request.member_id in group.pending_join:
        if request.group_instance_id is not None:
            raise UnknownServerError()
        _add(group, call, request.member_id, context, out)
    else:
        _join_again(group, call, context, out)


def refusal(error: KafkaError, member_id: str = "") -> JoinGroupResponse:
    """The answer to a JoinGroup that fails."""
    return JoinGroupResponse(error_code=error.error_code, member_id=member_id)


def protocols_of(request: JoinGroupRequest) -> tuple[tuple[str, bytes], ...]:
    """The request's protocols, in the member's order."""
    return tuple((protocol.name, protocol.metadata) for protocol in request.protocols)


def _has_room(group: ClassicGroup, member_id: str, size_max: int) -> bool:
    if group.state is State.EMPTY:
        return True
    member = group.members.get(member_id)
    if group.state is State.PREPARING_REBALANCE:
        return (member is not None and member.join_ticket is not None) or group.awaiting_join < size_max
    return member is not None or len(group.members) < size_max


# ---- somebody without a member id


def _join_new(group: ClassicGroup, call: Call, context: Context, out: Outputs) -> None:
    request: JoinGroupRequest = call.request
    instance = request.group_instance_id
    member_id = new_member_id(instance if instance is not None else call.client_id, context)
    if instance is not None and instance in group.static_members:
        _replace_static(group, call, instance, member_id, context, out)
    elif instance is None and call.api_version >= KNOWN_MEMBER_VERSION:
        group.pending_join[member_id] = None
        out.set_timer(session_timer(group.group_id, member_id), context.now + request.session_timeout_ms)
        out.respond(
            call.ticket, JoinGroupResponse(error_code=ErrorCode.MEMBER_ID_REQUIRED, member_id=member_id)
        )
    else:
        _add(group, call, member_id, context, out)


def new_member_id(prefix: str, context: Context) -> str:
    """A member id as Kafka makes it: what names the client, and a UUID."""
    digits = context.new_id().bytes.hex()
    return f"{prefix}-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _add(group: ClassicGroup, call: Call, member_id: str, context: Context, out: Outputs) -> None:
    request: JoinGroupRequest = call.request
    member = Member(
        member_id=member_id,
        group_instance_id=request.group_instance_id,
        client_id=call.client_id,
        client_host=call.client_host,
        rebalance_timeout_ms=_rebalance_timeout(request),
        session_timeout_ms=request.session_timeout_ms,
        protocols=protocols_of(request),
        timer=session_timer(group.group_id, member_id),
        join_ticket=call.ticket,
        is_new=True,
    )
    if group.state is State.PREPARING_REBALANCE and group.previous_state is State.EMPTY:
        group.new_member_added = True
    if not group.members:
        group.type = request.protocol_type
    group.add(member)
    out.set_timer(member.timer, context.now + NEW_MEMBER_JOIN_TIMEOUT_MS)
    rebalance_or_complete(group, context, out)


def _rebalance_timeout(request: JoinGroupRequest) -> int:
    # Version 0 has no rebalance timeout: the session timeout stands for both.
    timeout = request.rebalance_timeout_ms
    return request.session_timeout_ms if timeout < 0 else timeout


# ---- somebody with a member id


def _join_again(group: ClassicGroup, call: Call, context: Context, out: Outputs) -> None:
    request: JoinGroupRequest = call.request
    try:
        member = group.member(request.member_id, request.group_instance_id)
    except KafkaError as error:
        out.respond(call.ticket, refusal(error, request.member_id))
        return
    changed = member.protocols != protocols_of(request)
    if group.state is State.EMPTY:
        out.respond(call.ticket, refusal(UnknownMemberId(), request.member_id))
    elif group.state is State.COMPLETING_REBALANCE and not changed:
        # Its first answer was lost: it is told again.
        out.respond(call.ticket, joined(group, member.member_id))
    elif group.state is State.STABLE and not changed and group.leader_id != member.member_id:
        out.respond(call.ticket, joined(group, member.member_id))
    else:
        # A leader that joins again has seen something that changes the assignment, such as new partitions.
        _update(group, call, member, context, out)


def _update(group: ClassicGroup, call: Call, member: Member, context: Context, out: Outputs) -> None:
    request: JoinGroupRequest = call.request
    if member.join_ticket is not None:
        # The member has asked twice: whoever still waits for the first answer is to ask again.
        fail_waiting(group, member, ErrorCode.REBALANCE_IN_PROGRESS, out, member.member_id)
    group.update(
        member,
        protocols_of(request),
        _rebalance_timeout(request),
        request.session_timeout_ms,
        call.ticket,
    )
    rebalance_or_complete(group, context, out)


# ---- a static member that comes back without its member id


def _replace_static(
    group: ClassicGroup, call: Call, instance: str, new_id: str, context: Context, out: Outputs
) -> None:
    """The member goes on under a new id, and its old one is fenced. If nothing else changes, the others need
    not be bothered."""
    request: JoinGroupRequest = call.request
    old_id = group.static_members[instance]
    old_leader = group.leader_id or ""
    old = group.members[old_id]
    fail_waiting(group, old, ErrorCode.FENCED_INSTANCE_ID, out, old_id)
    out.cancel_timer(old.timer)
    before = (old.protocols, old.rebalance_timeout_ms, old.session_timeout_ms)
    member = group.rename_static(instance, new_id)
    keep_alive(member, context, out)
    group.update(
        member,
        protocols_of(request),
        _rebalance_timeout(request),
        request.session_timeout_ms,
        call.ticket,
    )
    if group.state is State.PREPARING_REBALANCE:
        complete_if_joined(group, context, out)
        return
    if group.state is not State.STABLE or group.select_protocol() != group.protocol_name:
        prepare(group, context, out)
        return

    def undo(error: KafkaError, context: Context, out: Outputs) -> None:
        group.live_record = None
        group.update(member, *before, None)
        group.rename_static(instance, old_id)
        out.cancel_timer(session_timer(group.group_id, new_id))
        keep_alive(member, context, out)
        out.respond(call.ticket, JoinGroupResponse(error_code=told(error), member_id=""))

    out.append(group.record())
    out.refused = undo
    if call.api_version >= SKIP_ASSIGNMENT_VERSION:
        group.take_join(member)
        out.respond(call.ticket, joined(group, new_id, skip_assignment=group.leader_id == new_id))
        return
    # An older leader would make an assignment as soon as it heard that it leads: it is told its old id.
    group.take_join(member)
    response = joined(group, new_id)
    response.leader, response.members = old_leader, []
    out.respond(call.ticket, response)
