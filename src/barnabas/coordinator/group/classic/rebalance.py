"""From one generation of a classic group to the next.

Somebody joins, leaves or falls silent: the group *prepares* until all members have joined, or their time is
up; then each is told the new generation, and the group *completes* once the leader's assignment is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.coordinator.group.classic.group import PART, ClassicGroup, Member, State
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.join_group_response import JoinGroupResponse, JoinGroupResponseMember
from barnabas.protocol.generated.sync_group_response import SyncGroupResponse

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Context, Outputs
    from barnabas.errors import KafkaError

NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000
"""How long a member may wait for its first generation. It can't send heartbeats yet, and nobody tells us when
it has gone."""


def join_timer(group_id: str) -> tuple[str, str, str]:
    """Key of the timer that ends the wait for members to join."""
    return (PART, "join", group_id)


def sync_timer(group_id: str) -> tuple[str, str, str]:
    """Key of the timer that removes members that have joined and don't sync."""
    return (PART, "sync", group_id)


def keep_alive(member: Member, context: Context, out: Outputs) -> None:
    """Lets a member's session begin anew."""
    out.set_timer(member.timer, context.now + member.session_timeout_ms)


# ---- preparing


def rebalance_or_complete(group: ClassicGroup, context: Context, out: Outputs) -> None:
    """Begins a rebalance; while one is prepared, looks whether it can be completed."""
    if group.state is State.PREPARING_REBALANCE:
        complete_if_joined(group, context, out)
    else:
        prepare(group, context, out)


def prepare(group: ClassicGroup, context: Context, out: Outputs) -> None:
    """Begins a rebalance: members learn of it from their heartbeats and join."""
    if group.state is State.COMPLETING_REBALANCE:
        drop_assignment(group, ErrorCode.REBALANCE_IN_PROGRESS, context, out)
    out.cancel_timer(sync_timer(group.group_id))
    initial = group.state is State.EMPTY
    group.transition(State.PREPARING_REBALANCE, context.now)
    if initial:
        # Others are likely to start at the same time: to wait for them saves a rebalance for each.
        delay = context.configs.initial_rebalance_delay_ms
        group.initial_delay_left = max(group.rebalance_timeout_ms - delay, 0)
        out.set_timer(join_timer(group.group_id), context.now + delay)
    elif group.all_joined:
        complete_join(group, context, out)
    else:
        out.set_timer(join_timer(group.group_id), context.now + group.rebalance_timeout_ms)


def complete_if_joined(group: ClassicGroup, context: Context, out: Outputs) -> None:
    """Begins the next generation if nobody is waited for any more. The first one keeps to its delay."""
    preparing = group.state is State.PREPARING_REBALANCE
    if preparing and group.all_joined and group.previous_state is not State.EMPTY:
        complete_join(group, context, out)


def join_time_is_up(group: ClassicGroup, context: Context, out: Outputs) -> None:
    """The timer of `join_timer`: the initial delay is over, or members have had long enough."""
    if group.state is not State.PREPARING_REBALANCE:
        return
    left = group.initial_delay_left
    if left and group.new_member_added:
        # Somebody has come during the delay: others may follow.
        delay = context.configs.initial_rebalance_delay_ms
        group.new_member_added = False
        group.initial_delay_left = max(left - delay, 0)
        out.set_timer(join_timer(group.group_id), context.now + min(delay, left))
    else:
        complete_join(group, context, out)


def complete_join(group: ClassicGroup, context: Context, out: Outputs) -> None:
    """Begins the next generation with those who have joined, and static members."""
    group.initial_delay_left = None
    group.new_member_added = False
    out.cancel_timer(join_timer(group.group_id))
    late = [
        one for one in group.members.values() if one.join_ticket is None and one.group_instance_id is None
    ]
    for member in late:
        group.remove(member.member_id)
        out.cancel_timer(member.timer)
    if group.members and not group.elect_joined_leader():
        # Static members only, none of which has come back: their sessions decide.
        out.set_timer(join_timer(group.group_id), context.now + group.rebalance_timeout_ms)
        return
    group.next_generation(context.now)
    if group.state is State.EMPTY:
        out.append(group.record())
        return
    for member in tuple(group.members.values()):
        if member.join_ticket is not None:
            answer_join(group, member, out)
        keep_alive(member, context, out)
        member.is_new = False
        group.pending_sync[member.member_id] = None
    out.set_timer(sync_timer(group.group_id), context.now + group.rebalance_timeout_ms)


def answer_join(group: ClassicGroup, member: Member, out: Outputs) -> None:
    """Tells a member that waits for it the generation; the leader also who is in it."""
    ticket = group.take_join(member)
    if ticket is not None:
        out.respond(ticket, joined(group, member.member_id))


def joined(group: ClassicGroup, member_id: str, *, skip_assignment: bool = False) -> JoinGroupResponse:
    """What a member is told of the current generation."""
    return JoinGroupResponse(
        generation_id=group.generation_id,
        protocol_type=group.type,
        protocol_name=group.protocol_name,
        leader=group.leader_id or "",
        skip_assignment=skip_assignment,
        member_id=member_id,
        members=described_members(group) if group.leader_id == member_id else (),
    )


def described_members(group: ClassicGroup) -> list[JoinGroupResponseMember]:
    """The members as the leader sees them."""
    return [
        JoinGroupResponseMember(one.member_id, one.group_instance_id, one.metadata(group.protocol_name))
        for one in group.members.values()
    ]


# ---- completing


def sync_time_is_up(group: ClassicGroup, context: Context, out: Outputs) -> None:
    """The timer of `sync_timer`: members that have joined and not synced are removed."""
    if group.state in (State.COMPLETING_REBALANCE, State.STABLE) and group.pending_sync:
        for member_id in tuple(group.pending_sync):
            member = group.members.get(member_id)
            if member is not None:
                out.cancel_timer(member.timer)
                dismiss(group, member, out)
        prepare(group, context, out)


def give_assignment(
    group: ClassicGroup, assignments: dict[str, bytes], context: Context, out: Outputs
) -> None:
    """The leader has spoken: everybody who waits is told, and the group is stable once that is written."""
    before = {member.member_id: member.assignment for member in group.members.values()}
    for member in group.members.values():
        member.assignment = assignments.get(member.member_id, b"")
    group.transition(State.STABLE, context.now)
    out.append(group.record())
    waiting = [
        (one.member_id, one.sync_ticket) for one in group.members.values() if one.sync_ticket is not None
    ]

    def undo(error: KafkaError, context: Context, out: Outputs) -> None:
        group.live_record = None
        group.transition(State.COMPLETING_REBALANCE, context.now)
        for member_id, ticket in waiting:
            group.members[member_id].assignment = before[member_id]
            group.members[member_id].sync_ticket = ticket
        drop_assignment(group, told(error), context, out)
        prepare(group, context, out)

    out.refused = undo
    for member in group.members.values():
        answer_sync(group, member, context, out)


def answer_sync(group: ClassicGroup, member: Member, context: Context, out: Outputs) -> None:
    """Gives a member that waits for it its assignment; its session begins anew."""
    if member.sync_ticket is not None:
        out.respond(member.sync_ticket, assignment_of(group, member))
        member.sync_ticket = None
        keep_alive(member, context, out)


def assignment_of(group: ClassicGroup, member: Member) -> SyncGroupResponse:
    """A member's assignment in the current generation."""
    return SyncGroupResponse(
        protocol_type=group.type, protocol_name=group.protocol_name, assignment=member.assignment
    )


def drop_assignment(group: ClassicGroup, code: ErrorCode, context: Context, out: Outputs) -> None:
    """Forgets all assignments; whoever waits for one gets the error."""
    for member in group.members.values():
        member.assignment = b""
        if member.sync_ticket is not None:
            out.respond(member.sync_ticket, SyncGroupResponse(error_code=code))
            member.sync_ticket = None
            keep_alive(member, context, out)


def dismiss(
    group: ClassicGroup, member: Member, out: Outputs, code: ErrorCode = ErrorCode.UNKNOWN_MEMBER_ID
) -> None:
    """Removes a member; what it waits for is answered, so that it can join anew."""
    fail_waiting(group, member, code, out)
    group.remove(member.member_id)


def fail_waiting(group: ClassicGroup, member: Member, code: ErrorCode, out: Outputs, echo: str = "") -> None:
    """Answers what a member waits for with an error; `echo` is the member id in the answer to JoinGroup."""
    ticket = group.take_join(member)
    if ticket is not None:
        out.respond(ticket, JoinGroupResponse(error_code=code, member_id=echo))
    if member.sync_ticket is not None:
        out.respond(member.sync_ticket, SyncGroupResponse(error_code=code))
        member.sync_ticket = None


# ---- errors of the log


def told(error: KafkaError) -> ErrorCode:
    """What a client is told of a group that could not be written."""
    if error.error_code in (ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.RECORD_LIST_TOO_LARGE):
        return ErrorCode.UNKNOWN_SERVER_ERROR
    return ErrorCode(error.error_code)
