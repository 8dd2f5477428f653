"""Makes a consumer group of a classic group when a member of the new protocol joins it (KIP-848).

The members keep their ids and their partitions and go on speaking the classic protocol; their generation
becomes the group's epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas._core import subscription_hash
from barnabas.coordinator.group.classic.group import CONSUMER_PROTOCOL, ClassicGroup
from barnabas.coordinator.group.classic.rebalance import join_timer, sync_timer
from barnabas.coordinator.group.consumer import embedded, records, timers
from barnabas.coordinator.group.consumer.group import ConsumerGroup, HandleClassic
from barnabas.coordinator.group.consumer.member import Member, owned_since
from barnabas.errors import GroupIdNotFound
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.consumer_group_member_metadata_value import (
    ClassicMemberMetadata,
    ClassicProtocol,
)
from barnabas.protocol.generated.join_group_response import JoinGroupResponse
from barnabas.protocol.generated.sync_group_response import SyncGroupResponse

if TYPE_CHECKING:
    from barnabas.coordinator.group.classic.group import Member as ClassicMember
    from barnabas.coordinator.machine import Context, Outputs, Record
    from barnabas.errors import KafkaError


def upgrade(
    classic: ClassicGroup, handle_classic: HandleClassic, context: Context, out: Outputs
) -> ConsumerGroup:
    """The group as a consumer group, which is written to `out`; raises GroupIdNotFound when that can't be."""
    _validate(classic, context)
    group = ConsumerGroup(classic.group_id, handle_classic)
    group.group_epoch = classic.generation_id
    try:
        for member in classic.members.values():
            _add(group, classic, member, context)
    except embedded.MalformedError as error:
        raise _impossible(classic, f"{error}") from error
    group.set_assignment_epoch(classic.generation_id, 0)
    group.metadata_hash = subscription_hash(list(group.counts.topics), context.image)
    out.append(*classic.tombstones(), *_records(group))
    _dismiss(classic, out)
    for joined in group.members.values():
        timers.start_session(group, joined, context, out)
    return group


def _impossible(classic: ClassicGroup, why: str) -> GroupIdNotFound:
    return GroupIdNotFound(f"Classic group {classic.group_id} can't become a consumer group: {why}.")


def _validate(classic: ClassicGroup, context: Context) -> None:
    policy = context.configs.consumer_migration_policy
    if policy not in ("bidirectional", "upgrade"):
        raise _impossible(classic, "online upgrade is disabled")
    if classic.type != CONSUMER_PROTOCOL:
        raise _impossible(classic, "it does not use the consumer protocol")
    if len(classic.members) > context.configs.consumer_max_size:
        raise _impossible(classic, "it has more members than a consumer group may have")


def _add(group: ConsumerGroup, classic: ClassicGroup, member: ClassicMember, context: Context) -> None:
    if classic.protocol_name is None:
        raise embedded.MalformedError("its first generation has not begun")
    read = embedded.subscription(member.metadata(classic.protocol_name))
    assigned = embedded.assignment(member.assignment, context.image)
    for topic, partitions in assigned.items():
        if any(group.is_owned(topic, partition) for partition in partitions):
            raise embedded.MalformedError("its leader has assigned a partition twice")
    protocols = [ClassicProtocol(name, metadata) for name, metadata in member.protocols]
    group.set_target(member.member_id, assigned)
    group.put_member(
        Member(
            member.member_id,
            member_epoch=classic.generation_id,
            previous_member_epoch=classic.generation_id,
            instance_id=member.group_instance_id,
            rack_id=read.rack_id or None,
            rebalance_timeout_ms=member.rebalance_timeout_ms,
            client_id=member.client_id,
            client_host=member.client_host,
            topic_names=frozenset(read.topics),
            assigned=owned_since(assigned, classic.generation_id),
            classic=ClassicMemberMetadata(member.session_timeout_ms, protocols),
        )
    )


def _records(group: ConsumerGroup) -> list[Record]:
    of, members = group.group_id, group.members.values()
    return [
        *(records.member_metadata(of, member) for member in members),
        records.group_epoch(of, group.group_epoch, group.metadata_hash),
        *(records.target(of, member.member_id, group.target_of(member)) for member in members),
        records.target_epoch(of, group.assignment_epoch, group.assignment_timestamp),
        *(records.current(of, member) for member in members),
    ]


def _dismiss(classic: ClassicGroup, out: Outputs) -> None:
    """Whoever waits is to ask again, and will be answered by the consumer group."""
    rebalancing = ErrorCode.REBALANCE_IN_PROGRESS
    for member in classic.members.values():
        if member.join_ticket is not None:
            out.respond(
                member.join_ticket, JoinGroupResponse(member_id=member.member_id, error_code=rebalancing)
            )
        if member.sync_ticket is not None:
            out.respond(member.sync_ticket, SyncGroupResponse(error_code=rebalancing))
        out.cancel_timer(member.timer)
    out.cancel_timer(join_timer(classic.group_id))
    out.cancel_timer(sync_timer(classic.group_id))

    def answered(_: KafkaError, __: Context, ___: Outputs) -> None:
        # The group stays a classic one, but whoever waited has been told that something went wrong.
        for member in classic.members.values():
            classic.take_join(member)
            member.sync_ticket = None

    out.refused = answered
