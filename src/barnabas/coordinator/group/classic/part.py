"""Classic groups as a part of the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.group.classic import join, membership, rebalance
from barnabas.coordinator.group.classic.group import PART, ClassicGroup
from barnabas.coordinator.group.kind import Groups, Handle, Part, Replay
from barnabas.protocol.generated.group_metadata_key import GroupMetadataKey
from barnabas.protocol.generated.group_metadata_value import GroupMetadataValue
from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
from barnabas.protocol.generated.join_group_request import JoinGroupRequest
from barnabas.protocol.generated.leave_group_request import LeaveGroupRequest
from barnabas.protocol.generated.sync_group_request import SyncGroupRequest

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Call, Context, Outputs, Stored
    from barnabas.protocol.message import Message


class ClassicPart(Part):
    """JoinGroup, SyncGroup, Heartbeat, LeaveGroup, and GroupMetadata records."""

    name = PART

    def calls(self) -> Mapping[type[Any], Handle]:
        return {
            JoinGroupRequest: self._with(join.join_group),
            SyncGroupRequest: self._with(membership.sync_group),
            HeartbeatRequest: self._with(membership.heartbeat),
            LeaveGroupRequest: self._with(membership.leave_group),
        }

    def _with(self, decide: Callable[[Groups, Call, Context, Outputs], None]) -> Handle:
        groups = self.groups

        def handle(call: Call, context: Context, out: Outputs) -> None:
            decide(groups, call, context, out)

        return handle

    def replays(self) -> Mapping[type[Message], Replay]:
        return {GroupMetadataKey: self._replay}

    def _replay(self, stored: Stored) -> None:
        key, value = stored.key, stored.value
        assert isinstance(key, GroupMetadataKey)
        if value is None:
            self.groups.remove(ClassicGroup, key.group)
            return
        assert isinstance(value, GroupMetadataValue)
        group = self.groups.find_kind(ClassicGroup, key.group)
        if group is not None and group.live_record is value:
            group.live_record = None
            return
        self.groups.put(ClassicGroup.from_record(key.group, value))

    def loaded(self, context: Context, out: Outputs) -> None:
        for group in tuple(self.groups.by_id.values()):
            if isinstance(group, ClassicGroup) and group.members:
                for member in group.members.values():
                    rebalance.keep_alive(member, context, out)
                if len(group.members) > context.configs.max_size:
                    rebalance.prepare(group, context, out)

    def expire(self, key: tuple[Any, ...], context: Context, out: Outputs) -> None:
        _, which, group_id, *rest = key
        group = self.groups.find_kind(ClassicGroup, group_id)
        if group is None:
            return
        if which == "session":
            membership.session_expired(group, rest[0], context, out)
        elif which == "join":
            rebalance.join_time_is_up(group, context, out)
        else:
            rebalance.sync_time_is_up(group, context, out)
