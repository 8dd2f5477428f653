"""Decides ShareGroupHeartbeat: a member joins, says what has changed, and hears what it has.

A share group is simpler than a consumer group: a partition may have many members, so that nobody waits for
what another gives up. But a partition is assigned only once the share coordinator has its state.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from barnabas._core import subscription_hash
from barnabas.coordinator.group.epochs import pace
from barnabas.coordinator.group.epochs.group import LEAVE_EPOCH
from barnabas.coordinator.group.epochs.part import validate_not_empty
from barnabas.coordinator.group.share import records
from barnabas.coordinator.group.share.assignor import Subscriber, assign_simple
from barnabas.coordinator.group.share.group import ShareGroup
from barnabas.coordinator.group.share.member import ShareMember
from barnabas.coordinator.group.share.requests import InitializeStates
from barnabas.coordinator.group.share.state_partitions import StatePartitions, TopicState
from barnabas.errors import InvalidRequest
from barnabas.protocol.generated.share_group_heartbeat_response import (
    Assignment,
    ShareGroupHeartbeatResponse,
    TopicPartitions,
)

if TYPE_CHECKING:
    from barnabas._core import MetadataImage, Uuid
    from barnabas.coordinator.machine import Call, Context, Outputs, Record
    from barnabas.protocol.generated.share_group_heartbeat_request import ShareGroupHeartbeatRequest


def validate(request: ShareGroupHeartbeatRequest) -> None:
    """Raises InvalidRequest for what is wrong with a heartbeat by itself."""
    validate_not_empty(MemberId=request.member_id, GroupId=request.group_id, RackId=request.rack_id)
    if request.member_epoch == 0 and not request.subscribed_topic_names:
        raise InvalidRequest("SubscribedTopicNames must be set in first request.")
    if request.member_epoch < LEAVE_EPOCH:
        raise InvalidRequest("MemberEpoch is invalid.")


def said(before: ShareMember, request: ShareGroupHeartbeatRequest, call: Call) -> ShareMember:
    """The member with what the heartbeat says; what it leaves out stays as it is."""
    names = request.subscribed_topic_names
    return replace(
        before,
        rack_id=before.rack_id if request.rack_id is None else request.rack_id,
        client_id=call.client_id,
        client_host=call.client_host,
        topic_names=before.topic_names if names is None else frozenset(names),
    )


def heartbeat(
    group: ShareGroup,
    before: ShareMember,
    request: ShareGroupHeartbeatRequest,
    call: Call,
    context: Context,
    out: Outputs,
) -> None:
    """Decides the heartbeat of a member that stays; `before` is the member as it was."""
    member = said(before, request, call)
    written: list[Record] = []
    if member != before or before.member_id not in group.members:
        written.append(records.member_metadata(group.group_id, member))
    epoch = _update_group(group, before, member, context, written)
    initializes = _initialize(group, member, epoch, context, written, out)
    after = _assign(group, member, epoch, context, written)
    out.append(*written)
    configs, image = context.configs, context.image
    configured = configs.group_integer(image, group.group_id, "share.heartbeat.interval.ms")
    changing = bool(written) or initializes or group.assignment_epoch < epoch or group.state_is_news
    response = ShareGroupHeartbeatResponse(
        member_id=member.member_id,
        member_epoch=after.member_epoch,
        heartbeat_interval_ms=pace.heartbeat_interval(group, configured, context.now, changing=changing),
    )
    says_all = request.subscribed_topic_names is not None
    if request.member_epoch == 0 or says_all or after.assigned != before.assigned:
        response.assignment = Assignment(
            [TopicPartitions(topic, sorted(after.assigned[topic])) for topic in sorted(after.assigned)]
        )
    out.respond(call.ticket, response)


def _update_group(
    group: ShareGroup, before: ShareMember, member: ShareMember, context: Context, written: list[Record]
) -> int:
    """The group's epoch, which goes up for other subscriptions, other topics, or more assignable ones."""
    new = before.member_id not in group.members
    bump = new or member.topic_names != before.topic_names or group.state_is_news
    if not bump and group.metadata_checked_at_epoch == group.group_epoch:
        return group.group_epoch
    names = {name for name in group.topics if group.topics[name] > (name in before.topic_names and not new)}
    metadata_hash = subscription_hash(list(names | member.topic_names), context.image)
    epoch = group.group_epoch
    if bump or metadata_hash != group.metadata_hash:
        epoch += 1
        written.append(records.group_epoch(group.group_id, epoch, metadata_hash))
    group.metadata_checked_at_epoch = epoch
    return epoch


def _initialize(
    group: ShareGroup,
    member: ShareMember,
    epoch: int,
    context: Context,
    written: list[Record],
    out: Outputs,
) -> bool:
    """Has the share coordinator begin with partitions that it doesn't know yet, and with those that have
    waited for too long; whether the group waits for any."""
    waiting = bool(group.state.initializing)
    interval = context.configs.integer("group.share.initialize.retry.interval.ms")
    retry = waiting and context.now - group.state_changed_at >= interval
    if epoch == group.group_epoch and group.members and not retry:
        return waiting
    state = group.state
    known = StatePartitions(initialized=state.initialized) if retry else state
    topics: dict[Uuid, TopicState] = {}
    for name in sorted(member.topic_names.union(group.topics)):
        topic = context.image.topic(name)
        if topic is None or topic.id in state.deleting:
            continue
        missing = frozenset(range(topic.partition_count)) - known.known(topic.id)
        if missing:
            topics[topic.id] = TopicState(name, missing)
    if not topics:
        return waiting
    written.append(records.state(group.group_id, state.begun(topics)))
    out.effect(InitializeStates(group.group_id, epoch, topics))
    return True


def _assign(
    group: ShareGroup, member: ShareMember, epoch: int, context: Context, written: list[Record]
) -> ShareMember:
    """The member with what it is to have now; assigns anew when the group's epoch asks for it."""
    group_id = group.group_id
    target, target_epoch = group.target_of(member.member_id), group.assignment_epoch
    interval = context.configs.group_integer(context.image, group_id, "share.assignment.interval.ms")
    # An assignment that gives nothing to anybody, since no state was initialized, keeps nobody waiting.
    has_any = any(group.target.values())
    waits = has_any and 0 < context.now - group.assignment_timestamp < interval
    new = member.member_id not in group.members
    if target_epoch < epoch and (new or not waits):
        members = {**group.members, member.member_id: member}
        subscribers = [_subscriber(group, one, context.image) for one in members.values()]
        topics = {topic for one in subscribers for topic in one.topics}
        assigned = assign_simple(subscribers, {topic: group.assignable(topic) for topic in topics})
        for member_id in sorted(assigned):
            if group.target.get(member_id) != assigned[member_id]:
                written.append(records.target(group_id, member_id, assigned[member_id]))
        written.append(records.target_epoch(group_id, epoch, context.now))
        target, target_epoch = assigned[member.member_id], epoch
    if member.member_epoch == target_epoch and member.assigned == target:
        return member
    after = replace(
        member,
        member_epoch=target_epoch,
        previous_member_epoch=member.member_epoch,
        assigned=target,
    )
    written.append(records.current(group_id, after))
    return after


def _subscriber(group: ShareGroup, member: ShareMember, image: MetadataImage) -> Subscriber:
    found = [image.topic(name) for name in sorted(member.topic_names)]
    topics = frozenset(topic.id for topic in found if topic is not None)
    return Subscriber(member.member_id, topics, group.target_of(member.member_id))
