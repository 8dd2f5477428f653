"""Finds out who a heartbeat or a JoinGroup is from: a member, a new one, or a static one that returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from barnabas.coordinator.group.consumer import records, timers
from barnabas.coordinator.group.consumer.assignor import NOTHING
from barnabas.coordinator.group.consumer.leaving import named_static
from barnabas.coordinator.group.consumer.member import LEAVE_STATIC_EPOCH, Member
from barnabas.coordinator.group.epochs.part import validate_epoch as validate_epoch_of
from barnabas.errors import GroupMaxSizeReached, UnreleasedInstanceId

if TYPE_CHECKING:
    from barnabas.coordinator.group.consumer.group import ConsumerGroup
    from barnabas.coordinator.group.consumer.reconcile import OwnedTopic
    from barnabas.coordinator.machine import Context, Outputs, Record


def validate_size(group: ConsumerGroup, member_id: str, context: Context) -> None:
    """Raises GroupMaxSizeReached for one member too many."""
    size_max = context.configs.consumer_max_size
    if len(group.members) >= size_max and member_id not in group.members:
        raise GroupMaxSizeReached(f"The consumer group has its maximum of {size_max} members.")


def validate_epoch(member: Member, epoch: int, owned: Sequence[OwnedTopic] | None) -> None:
    """Raises FencedMemberEpoch when the member is not where it believes to be."""
    validate_epoch_of("consumer", member, epoch, partial(_owns_only, member, owned))


def _owns_only(member: Member, owned: Sequence[OwnedTopic] | None) -> bool:
    if owned is None:
        return False
    return all(
        partition in member.assigned.get(topic.topic_id, {})
        for topic in owned
        for partition in topic.partitions
    )


def dynamic_member(group: ConsumerGroup, member_id: str, *, joins: bool) -> Member:
    """The member, or a new one if it joins; raises UnknownMemberId."""
    if joins and member_id not in group.members:
        return Member(member_id)
    return group.member(member_id)


def static_member(
    group: ConsumerGroup,
    member_id: str,
    instance_id: str,
    written: list[Record],
    out: Outputs,
    *,
    joins: bool,
    classic: bool,
) -> Member:
    """The member with the instance id. If it joins it may be new, or take over from another member id, which
    is written down. Raises UnknownMemberId, FencedInstanceId or UnreleasedInstanceId."""
    if not joins:
        return named_static(group, instance_id, member_id)
    existing = group.static_member(instance_id)
    if existing is None:
        return dynamic_member(group, member_id, joins=True)
    if not classic and not existing.uses_classic_protocol and existing.member_epoch != LEAVE_STATIC_EPOCH:
        raise UnreleasedInstanceId(
            f"Static member {member_id} with instance id {instance_id} cannot join the group because the"
            f" instance id is owned by {existing.member_id} member."
        )
    returned = replace(existing, member_id=member_id, member_epoch=0, previous_member_epoch=0)
    timers.cancel_all(group, existing.member_id, out)
    group_id = group.group_id
    written += records.removed_member(group_id, existing.member_id)
    written.append(records.member_metadata(group_id, returned))
    written.append(records.target(group_id, member_id, group.target.get(existing.member_id, NOTHING)))
    written.append(records.current(group_id, returned))
    return returned
