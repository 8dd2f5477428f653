"""Makes a classic group of a consumer group whose members all speak the classic protocol (KIP-848).

The members keep their ids and what they were to have; the group's epoch becomes their generation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from barnabas.coordinator.group.classic import rebalance
from barnabas.coordinator.group.classic.group import CONSUMER_PROTOCOL, ClassicGroup, State, session_timer
from barnabas.coordinator.group.classic.group import Member as ClassicMember
from barnabas.coordinator.group.consumer import embedded
from barnabas.coordinator.group.consumer.assignor import NOTHING

if TYPE_CHECKING:
    from barnabas.coordinator.group.consumer.group import ConsumerGroup
    from barnabas.coordinator.group.consumer.member import Member
    from barnabas.coordinator.group.kind import Groups
    from barnabas.coordinator.machine import Context, Outputs, Record
    from barnabas.errors import KafkaError


def _is_possible(group: ConsumerGroup, gone: Sequence[Member], left: int, context: Context) -> bool:
    classic = group.counts.classic_members - sum(member.uses_classic_protocol for member in gone)
    policy = context.configs.consumer_migration_policy
    return (
        classic == len(group.members) - len(gone)
        and left <= context.configs.max_size
        and policy in ("bidirectional", "downgrade")
    )


def is_possible_without(group: ConsumerGroup, leaving: Sequence[Member], context: Context) -> bool:
    """Whether the group may become a classic one when these members have left."""
    left = len(group.members) - len(leaving)
    return left > 0 and _is_possible(group, leaving, left, context)


def is_possible_replacing(group: ConsumerGroup, replaced: Member, context: Context) -> bool:
    """Whether the group may become a classic one when this member, a static one, comes back with the
    classic protocol."""
    if replaced.uses_classic_protocol:
        return False
    return _is_possible(group, [replaced], len(group.members), context)


def convert_without(
    groups: Groups, group: ConsumerGroup, leaving: Sequence[Member], context: Context, out: Outputs
) -> None:
    """Converts the group; the members that stay rebalance, to take over what the others had."""
    gone = {member.member_id for member in leaving}
    staying = [member for member in group.members.values() if member.member_id not in gone]
    targets = {member.member_id: member.member_id for member in staying}
    out.append(*group.tombstones())
    classic = _convert(groups, group, staying, targets, context, out)
    rebalance.prepare(classic, context, out)


def convert_replacing(
    groups: Groups,
    group: ConsumerGroup,
    joining: Member,
    context: Context,
    out: Outputs,
    *,
    must_rebalance: bool,
) -> None:
    """Converts the group with `joining` in the place of the member that has its instance id."""
    assert joining.instance_id is not None
    replaced = group.static_members[joining.instance_id]
    staying = [member for member in group.members.values() if member.member_id != replaced]
    targets = {member.member_id: member.member_id for member in staying} | {joining.member_id: replaced}
    ids = [joining.member_id if member_id == replaced else member_id for member_id in group.members]
    out.append(*group.tombstones_of(ids))
    classic = _convert(groups, group, [*staying, joining], targets, context, out)
    if must_rebalance:
        rebalance.prepare(classic, context, out)


def _convert(
    groups: Groups,
    group: ConsumerGroup,
    members: Sequence[Member],
    targets: dict[str, str],
    context: Context,
    out: Outputs,
) -> ClassicGroup:
    classic = ClassicGroup(group.group_id, context.now)
    classic.state = classic.previous_state = State.STABLE
    classic.type = CONSUMER_PROTOCOL
    classic.generation_id = group.group_epoch
    for member in members:
        classic.add(_classic_member(group, member))
    classic.protocol_name = classic.select_protocol()
    classic.subscribed = classic.compute_subscribed()
    for converted in classic.members.values():
        target = group.target.get(targets[converted.member_id], NOTHING)
        metadata = converted.metadata(classic.protocol_name)
        converted.assignment = embedded.assignment_bytes(target, metadata, context.image)
        rebalance.keep_alive(converted, context, out)
    record: Record = classic.record()
    out.append(record)
    groups.put(classic)

    def undo(_: KafkaError, __: Context, ___: Outputs) -> None:
        groups.put(group)

    out.refused = undo
    return classic


def _classic_member(group: ConsumerGroup, member: Member) -> ClassicMember:
    assert member.classic is not None
    return ClassicMember(
        member_id=member.member_id,
        group_instance_id=member.instance_id,
        client_id=member.client_id,
        client_host=member.client_host,
        rebalance_timeout_ms=member.rebalance_timeout_ms,
        session_timeout_ms=member.classic.session_timeout_ms,
        protocols=tuple((protocol.name, protocol.metadata) for protocol in member.classic_protocols),
        timer=session_timer(group.group_id, member.member_id),
    )
