"""Describes share groups, for ShareGroupDescribe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.coordinator.group.epochs.part import named_topics
from barnabas.protocol.generated import share_group_describe_response as response

if TYPE_CHECKING:
    from barnabas._core import MetadataImage
    from barnabas.coordinator.group.share.group import ShareGroup
    from barnabas.coordinator.group.share.member import ShareMember
    from barnabas.coordinator.machine import Context

ASSIGNOR = "simple"


def described(group: ShareGroup, context: Context) -> response.DescribedGroup:
    """The group as it is."""
    return response.DescribedGroup(
        group_id=group.group_id,
        group_state=group.state_name(context.now),
        group_epoch=group.group_epoch,
        assignment_epoch=group.assignment_epoch,
        assignor_name=ASSIGNOR,
        members=[_member(member, context.image) for member in group.members.values()],
    )


def _member(member: ShareMember, image: MetadataImage) -> response.Member:
    return response.Member(
        member_id=member.member_id,
        rack_id=member.rack_id,
        member_epoch=member.member_epoch,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=sorted(member.topic_names),
        assignment=response.Assignment(named_topics(member.assigned, image, response.TopicPartitions)),
    )
