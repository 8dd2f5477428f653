"""Describes consumer groups, for ConsumerGroupDescribe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.coordinator.group.consumer.assignor import NOTHING, Assignment
from barnabas.coordinator.group.consumer.member import Member, partitions_of
from barnabas.coordinator.group.epochs.part import named_topics
from barnabas.protocol.generated import consumer_group_describe_response as response

if TYPE_CHECKING:
    from barnabas._core import MetadataImage
    from barnabas.coordinator.group.consumer.group import ConsumerGroup
    from barnabas.coordinator.machine import Context

CLASSIC_MEMBER = 0
CONSUMER_MEMBER = 1


def described(group: ConsumerGroup, context: Context) -> response.DescribedGroup:
    """The group as it is."""
    default = context.configs.consumer_assignors[0]
    return response.DescribedGroup(
        group_id=group.group_id,
        group_state=group.state_name(context.now),
        group_epoch=group.group_epoch,
        assignment_epoch=group.assignment_epoch,
        assignor_name=group.counts.preferred_assignor(default),
        members=[_member(group, member, context.image) for member in group.members.values()],
    )


def _member(group: ConsumerGroup, member: Member, image: MetadataImage) -> response.Member:
    owned = {topic: set(partitions) for topic, partitions in partitions_of(member.assigned).items()}
    for topic, partitions in member.pending_revocation.items():
        owned.setdefault(topic, set()).update(partitions)
    target = group.target.get(member.member_id, NOTHING)
    return response.Member(
        member_id=member.member_id,
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        member_epoch=member.member_epoch,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=sorted(member.topic_names),
        subscribed_topic_regex=member.topic_regex,
        assignment=_assignment({topic: frozenset(owned[topic]) for topic in owned}, image),
        target_assignment=_assignment(target, image),
        member_type=CLASSIC_MEMBER if member.uses_classic_protocol else CONSUMER_MEMBER,
    )


def _assignment(assignment: Assignment, image: MetadataImage) -> response.Assignment:
    return response.Assignment(named_topics(assignment, image, response.TopicPartitions))
