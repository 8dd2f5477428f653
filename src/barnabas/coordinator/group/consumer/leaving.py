"""Takes members out of a group: they leave, stay silent, or take too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from barnabas._core import subscription_hash
from barnabas.coordinator.group.consumer import downgrade, records, timers
from barnabas.coordinator.group.consumer.member import (
    LEAVE_STATIC_EPOCH,
    NOTHING_OWNED,
    Member,
    owned_since,
    partitions_of,
)
from barnabas.errors import FencedInstanceId, UnknownMemberId
from barnabas.protocol.generated.consumer_group_heartbeat_response import ConsumerGroupHeartbeatResponse

if TYPE_CHECKING:
    from barnabas.coordinator.group.consumer.group import ConsumerGroup
    from barnabas.coordinator.group.kind import Groups
    from barnabas.coordinator.machine import Call, Context, Outputs, Record
    from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest


def leave(
    groups: Groups,
    group: ConsumerGroup,
    request: ConsumerGroupHeartbeatRequest,
    call: Call,
    context: Context,
    out: Outputs,
) -> None:
    """Decides a heartbeat with a leave epoch."""
    response = ConsumerGroupHeartbeatResponse(member_id=request.member_id, member_epoch=request.member_epoch)
    if request.instance_id is None:
        remove(groups, group, [group.member(request.member_id)], context, out)
    else:
        member = named_static(group, request.instance_id, request.member_id)
        if request.member_epoch == LEAVE_STATIC_EPOCH:
            _go_away(group, member, out)
        else:
            remove(groups, group, [member], context, out)
    out.respond(call.ticket, response)


def known_static(group: ConsumerGroup, instance_id: str) -> Member:
    """The static member; raises UnknownMemberId."""
    member = group.static_member(instance_id)
    if member is None:
        raise UnknownMemberId(f"Instance id {instance_id} is unknown.")
    return member


def named_static(group: ConsumerGroup, instance_id: str, member_id: str) -> Member:
    """The static member, whose id must be this one; raises UnknownMemberId or FencedInstanceId."""
    member = known_static(group, instance_id)
    if member.member_id != member_id:
        raise FencedInstanceId(
            f"Static member {member_id} with instance id {instance_id} was fenced by {member.member_id}."
        )
    return member


def _go_away(group: ConsumerGroup, member: Member, out: Outputs) -> None:
    """A static member keeps its partitions until it returns or its session ends."""
    gone = replace(
        member,
        member_epoch=LEAVE_STATIC_EPOCH,
        assigned=owned_since(partitions_of(member.assigned), 0),
        pending_revocation=NOTHING_OWNED,
    )
    timers.cancel(timers.REVOCATION, group, member.member_id, out)
    out.append(records.current(group.group_id, gone))


def remove(
    groups: Groups, group: ConsumerGroup, members: Sequence[Member], context: Context, out: Outputs
) -> None:
    """Removes members. When all that are left speak the classic protocol, the group becomes a classic one."""
    if not members:
        return
    for member in members:
        timers.cancel_all(group, member.member_id, out)
    if downgrade.is_possible_without(group, members, context):
        downgrade.convert_without(groups, group, members, context, out)
        return
    group_id = group.group_id
    written: list[Record] = []
    counts = group.counts.copy()
    for member in members:
        written += records.removed_member(group_id, member.member_id)
        counts.change(member, None)
    for regex in group.counts.patterns:
        if regex not in counts.patterns:
            written.append(records.pattern_tombstone(group_id, regex))
            if regex in group.patterns:
                counts.change_pattern(group.patterns[regex].topics, ())
    metadata_hash = subscription_hash(list(counts.topics), context.image)
    written.append(records.group_epoch(group_id, group.group_epoch + 1, metadata_hash))
    out.append(*written)
