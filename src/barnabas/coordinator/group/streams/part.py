"""Streams groups as a part of the machine of `__consumer_offsets`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.group.classic.group import ClassicGroup
from barnabas.coordinator.group.epochs.group import LEAVE_EPOCH
from barnabas.coordinator.group.epochs.part import EpochPart, validate_epoch
from barnabas.coordinator.group.kind import Groups, Handle, Replay
from barnabas.coordinator.group.streams import records
from barnabas.coordinator.group.streams.describe import described
from barnabas.coordinator.group.streams.group import StreamsGroup
from barnabas.coordinator.group.streams.heartbeat import Step, heartbeat, owns_only_assigned, said
from barnabas.coordinator.group.streams.member import MemberState, StreamsMember
from barnabas.coordinator.group.streams.replay import Replays
from barnabas.coordinator.group.streams.requests import DescribeStreamsGroup
from barnabas.coordinator.group.streams.target import configured_now, new_target, update_epoch
from barnabas.coordinator.group.streams.validation import validate
from barnabas.errors import GroupIdNotFound, GroupMaxSizeReached
from barnabas.protocol.generated.streams_group_describe_response import DescribedGroup
from barnabas.protocol.generated.streams_group_heartbeat_request import StreamsGroupHeartbeatRequest
from barnabas.protocol.generated.streams_group_heartbeat_response import StreamsGroupHeartbeatResponse

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Call, Context, Outputs, Record
    from barnabas.protocol.message import Message

SESSION = "session"
"""A member must be heard of again."""
REVOCATION = "revocation"
"""A member must give up tasks (its rebalance timeout)."""
DELAY = "delay"
"""The first assignment of a group waits for more members."""


class StreamsPart(EpochPart[StreamsGroup]):
    """StreamsGroupHeartbeat, StreamsGroupDescribe, and the records of streams groups."""

    name = "streams"
    group_class = StreamsGroup

    def __init__(self, groups: Groups) -> None:
        super().__init__(groups)
        self._replays = Replays(groups)
        self._delayed_until: dict[str, int] = {}
        """When groups whose first assignment waits may have it, in milliseconds since the Unix epoch."""

    def calls(self) -> Mapping[type[Any], Handle]:
        return {StreamsGroupHeartbeatRequest: self._heartbeat, DescribeStreamsGroup: self._describe}

    def replays(self) -> Mapping[type[Message], Replay]:
        return self._replays.by_key()

    # ---- calls

    def _heartbeat(self, call: Call, context: Context, out: Outputs) -> None:
        request: StreamsGroupHeartbeatRequest = call.request
        validate(request, call.api_version)
        if context.image is not self.image:
            self.metadata_changed(context, out)  # The news itself may come a little later.
        if request.member_epoch == LEAVE_EPOCH:
            self._leave(call, out)
            return
        joins = request.member_epoch == 0
        group = self._group(request.group_id, out, joins=joins)
        before = self._member(group, request, context, joins=joins)
        delayed_until = self._delay(group, context)
        step = Step(group, before, said(before, request, call), context, delayed_until)
        answer = heartbeat(step, request, call.api_version)
        if delayed_until is not None and group.group_id not in self._delayed_until:
            self._delayed_until[group.group_id] = delayed_until
            out.set_timer(self._key(DELAY, group), delayed_until)
        self._start_session(group, request.member_id, context, out)
        if step.moved:
            self._set_revocation(group, step.member, context, out)
        out.append(*step.written)
        out.respond(call.ticket, answer)

    def _group(self, group_id: str, out: Outputs, *, joins: bool) -> StreamsGroup:
        """The group; if somebody joins, made of nothing or of an empty classic group."""
        group = self.groups.find(group_id)
        if isinstance(group, StreamsGroup):
            return group
        if group is None and not joins:
            raise GroupIdNotFound(f"Streams group {group_id} not found.")
        if group is not None:
            if not joins or not isinstance(group, ClassicGroup) or not group.is_empty():
                raise GroupIdNotFound(f"Group {group_id} is not a streams group.")
            out.append(*group.tombstones())
        return StreamsGroup(group_id)

    def _member(
        self, group: StreamsGroup, request: StreamsGroupHeartbeatRequest, context: Context, *, joins: bool
    ) -> StreamsMember:
        """The member as it was; a new one may join while there is room."""
        known = group.members.get(request.member_id)
        if known is not None:
            validate_epoch(
                "streams", known, request.member_epoch, partial(owns_only_assigned, known, request)
            )
            return known
        if not joins:
            group.member(request.member_id)
        size_max = context.configs.integer("group.streams.max.size")
        if len(group.members) >= size_max:
            raise GroupMaxSizeReached(f"The streams group has its maximum of {size_max} members.")
        return StreamsMember(request.member_id)

    def _delay(self, group: StreamsGroup, context: Context) -> int | None:
        """Until when the group's first assignment waits; None when it need not."""
        until = self._delayed_until.get(group.group_id)
        if until is not None or not group.is_empty():
            return until
        name = "streams.initial.rebalance.delay.ms"
        delay: int = context.configs.group_integer(context.image, group.group_id, name)
        return context.now + delay if delay else None

    def _leave(self, call: Call, out: Outputs) -> None:
        request: StreamsGroupHeartbeatRequest = call.request
        group = self.groups.get(StreamsGroup, request.group_id)
        member = group.member(request.member_id)
        if request.shutdown_application and group.shutdown_requested_by is None:
            group.shutdown_requested_by = request.member_id
        self._remove(group, member, out)
        left = StreamsGroupHeartbeatResponse(
            member_id=request.member_id, member_epoch=request.member_epoch, status=[]
        )
        out.respond(call.ticket, left)

    def _remove(self, group: StreamsGroup, member: StreamsMember, out: Outputs) -> None:
        for which in (SESSION, REVOCATION):
            out.cancel_timer(self._key(which, group, member.member_id))
        out.append(
            *records.removed_member(group.group_id, member.member_id),
            records.group_epoch(
                group.group_id,
                group.group_epoch + 1,
                group.metadata_hash,
                group.validated_topology_epoch,
                group.assignment_configs,
            ),
        )

    def _describe(self, call: Call, context: Context, out: Outputs) -> None:
        self.describe(call, out, lambda group: described(group, context), DescribedGroup)

    # ---- timers

    def _key(self, which: str, group: StreamsGroup, member_id: str = "") -> tuple[str, str, str, str]:
        return (self.name, which, group.group_id, member_id)

    def _start_session(self, group: StreamsGroup, member_id: str, context: Context, out: Outputs) -> None:
        timeout = context.configs.group_integer(context.image, group.group_id, "streams.session.timeout.ms")
        out.set_timer(self._key(SESSION, group, member_id), context.now + timeout)

    def _set_revocation(
        self, group: StreamsGroup, member: StreamsMember, context: Context, out: Outputs
    ) -> None:
        key = self._key(REVOCATION, group, member.member_id)
        if member.state is MemberState.UNREVOKED_TASKS:
            out.set_timer(key, context.now + member.rebalance_timeout_ms)
        else:
            out.cancel_timer(key)

    # ---- events

    def loaded(self, context: Context, out: Outputs) -> None:
        self.image = context.image
        for group in self.groups_of_kind():
            for member in group.members.values():
                # Members have had no chance to be heard while the partition was away.
                self._start_session(group, member.member_id, context, out)
                self._set_revocation(group, member, context, out)

    def expire(self, key: tuple[Any, ...], context: Context, out: Outputs) -> None:
        _, which, group_id, member_id = key
        if which == DELAY:
            self._delayed_until.pop(group_id, None)
        group = self.groups.find_kind(StreamsGroup, group_id)
        if group is None:
            return
        if which == DELAY:
            self._assign_first(group, context, out)
        elif (member := group.members.get(member_id)) is not None:
            self._remove(group, member, out)

    def _assign_first(self, group: StreamsGroup, context: Context, out: Outputs) -> None:
        """The group has waited for its members."""
        if group.is_empty() or group.is_assigned or group.topology is None:
            return
        written: list[Record] = []
        configured, metadata_hash = configured_now(group, group.topology, context)
        epoch = update_epoch(group, group.topology, configured, metadata_hash, context, written, bump=False)
        new_target(group, group.members, epoch, configured, context, written)
        out.append(*written)

    def metadata_changed(self, context: Context, out: Outputs) -> None:  # noqa: ARG002
        self.look(context.image)
