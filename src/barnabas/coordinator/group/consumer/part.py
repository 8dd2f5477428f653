"""Consumer groups as a part of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from barnabas._core import subscription_hash
from barnabas.coordinator.group.classic.group import ClassicGroup
from barnabas.coordinator.group.consumer import joining, leaving, patterns, records, timers
from barnabas.coordinator.group.consumer.classic_members import ClassicMembers
from barnabas.coordinator.group.consumer.describe import described
from barnabas.coordinator.group.consumer.group import ConsumerGroup
from barnabas.coordinator.group.consumer.heartbeat import Step, heartbeat, said
from barnabas.coordinator.group.consumer.member import LEAVE_STATIC_EPOCH, MemberState
from barnabas.coordinator.group.consumer.replay import Replays
from barnabas.coordinator.group.consumer.upgrade import upgrade
from barnabas.coordinator.group.consumer.validation import validate
from barnabas.coordinator.group.epochs.part import EpochPart
from barnabas.coordinator.group.kind import Groups, Handle, Replay
from barnabas.coordinator.group.requests import DescribeConsumerGroup
from barnabas.errors import GroupIdNotFound
from barnabas.protocol.generated.consumer_group_describe_response import DescribedGroup
from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Call, Context, Outputs, Record
    from barnabas.protocol.message import Message


class ConsumerPart(EpochPart[ConsumerGroup]):
    """ConsumerGroupHeartbeat, ConsumerGroupDescribe, and the records of consumer groups."""

    name = timers.PART
    group_class = ConsumerGroup

    def __init__(self, groups: Groups) -> None:
        super().__init__(groups)
        self._classic_members = ClassicMembers(groups)
        self._replays = Replays(groups, self._classic_members.handle)
        self._topics_created_at = -1

    def calls(self) -> Mapping[type[Any], Handle]:
        return {ConsumerGroupHeartbeatRequest: self._heartbeat, DescribeConsumerGroup: self._describe}

    def replays(self) -> Mapping[type[Message], Replay]:
        return self._replays.by_key()

    # ---- calls

    def _heartbeat(self, call: Call, context: Context, out: Outputs) -> None:
        request: ConsumerGroupHeartbeatRequest = call.request
        validate(request, call.api_version, context.configs.consumer_assignors)
        if context.image is not self.image:
            self.metadata_changed(context, out)  # The news itself may come a little later.
        if request.member_epoch < 0:
            group = self.groups.get(ConsumerGroup, request.group_id)
            leaving.leave(self.groups, group, request, call, context, out)
            return
        joins = request.member_epoch == 0
        group = self._group(request.group_id, context, out, joins=joins)
        joining.validate_size(group, request.member_id, context)
        member_id = request.member_id or str(context.new_id())
        written: list[Record] = []
        if request.instance_id is None:
            before = joining.dynamic_member(group, member_id, joins=joins)
        else:
            before = joining.static_member(
                group, member_id, request.instance_id, written, out, joins=joins, classic=False
            )
        joining.validate_epoch(before, request.member_epoch, request.topic_partitions)
        member = said(before, request, call)
        heartbeat(Step(group, before, member, context, out, self._topics_created_at, written), request, call)

    def _group(self, group_id: str, context: Context, out: Outputs, *, joins: bool) -> ConsumerGroup:
        """The group; if somebody joins, made of nothing or of a classic group."""
        group = self.groups.find(group_id)
        if group is None and not joins:
            raise GroupIdNotFound(f"Consumer group {group_id} not found.")
        if isinstance(group, ConsumerGroup):
            return group
        handle_classic = self._classic_members.handle
        if group is None:
            return ConsumerGroup(group_id, handle_classic)
        if not joins or not isinstance(group, ClassicGroup):
            raise GroupIdNotFound(f"Group {group_id} is not a consumer group.")
        if group.is_empty():
            out.append(*group.tombstones())
            return ConsumerGroup(group_id, handle_classic)
        return upgrade(group, handle_classic, context, out)

    def _describe(self, call: Call, context: Context, out: Outputs) -> None:
        self.describe(call, out, lambda group: described(group, context), DescribedGroup)

    # ---- events

    def loaded(self, context: Context, out: Outputs) -> None:
        self._set_topics_created_at(context.image.offset)
        self.image = context.image
        interval = "consumer.session.timeout.ms"
        for group in self.groups_of_kind():
            timeout = context.configs.group_integer(context.image, group.group_id, interval)
            for member in group.members.values():
                # Members have had no chance to be heard while the partition was away.
                out.set_timer(timers.key(timers.SESSION, group, member.member_id), context.now + timeout)
                away = member.member_epoch == LEAVE_STATIC_EPOCH
                if member.state is MemberState.UNREVOKED_PARTITIONS and not away:
                    timers.start(timers.REVOCATION, group, member, context, out)

    def expire(self, key: tuple[Any, ...], context: Context, out: Outputs) -> None:
        _, which, group_id, member_id = key
        group = self.groups.find_kind(ConsumerGroup, group_id)
        if group is None:
            return
        if which == timers.PATTERNS:
            self._refresh_patterns(group, context, out)
            return
        member = group.members.get(member_id)
        if member is None:
            return
        if which == timers.SESSION and timers.prolong_session(group, member, context, out):
            return
        leaving.remove(self.groups, group, [member], context, out)

    def metadata_changed(self, context: Context, out: Outputs) -> None:  # noqa: ARG002
        _, created = self.look(context.image)
        if created:
            self._set_topics_created_at(context.image.offset)

    def _set_topics_created_at(self, offset: int) -> None:
        self._topics_created_at = self._classic_members.topics_created_at = offset

    def _refresh_patterns(self, group: ConsumerGroup, context: Context, out: Outputs) -> None:
        """Looks up the topics of the group's patterns; the group's epoch goes up when they differ."""
        group_id = group.group_id
        written: list[Record] = []
        counts = group.counts.copy()
        bump = False
        for regex, resolved in patterns.resolve(group.counts.patterns, context.image, context.now).items():
            known = group.patterns.get(regex)
            if known is None or known.topics != resolved.topics:
                before = known.topics if known else frozenset()
                bump = bump or before != resolved.topics
                counts.change_pattern(before, resolved.topics)
            written.append(records.pattern(group_id, regex, resolved))
        metadata_hash = subscription_hash(list(counts.topics), context.image)
        if bump or metadata_hash != group.metadata_hash:
            written.append(records.group_epoch(group_id, group.group_epoch + 1, metadata_hash))
            group.metadata_checked_at_epoch = group.group_epoch + 1
        out.append(*written)
