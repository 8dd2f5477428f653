"""Share groups as a part of the machine of `__consumer_offsets`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from barnabas._core import subscription_hash
from barnabas.coordinator.group.epochs.group import LEAVE_EPOCH
from barnabas.coordinator.group.epochs.part import EpochPart, validate_epoch
from barnabas.coordinator.group.kind import Groups, Handle, Replay
from barnabas.coordinator.group.share import records, requests
from barnabas.coordinator.group.share.describe import described
from barnabas.coordinator.group.share.group import ShareGroup
from barnabas.coordinator.group.share.heartbeat import heartbeat, validate
from barnabas.coordinator.group.share.member import ShareMember
from barnabas.coordinator.group.share.replay import Replays
from barnabas.errors import GroupIdNotFound, GroupMaxSizeReached
from barnabas.protocol.generated.share_group_describe_response import DescribedGroup
from barnabas.protocol.generated.share_group_heartbeat_request import ShareGroupHeartbeatRequest
from barnabas.protocol.generated.share_group_heartbeat_response import ShareGroupHeartbeatResponse

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Call, Context, Outputs, Record
    from barnabas.protocol.message import Message


class SharePart(EpochPart[ShareGroup]):
    """ShareGroupHeartbeat, ShareGroupDescribe, and where share groups have states."""

    name = "share"
    group_class = ShareGroup

    def __init__(self, groups: Groups) -> None:
        super().__init__(groups)
        self._replays = Replays(groups)

    def calls(self) -> Mapping[type[Any], Handle]:
        return {
            ShareGroupHeartbeatRequest: self._heartbeat,
            requests.DescribeShareGroup: self._describe,
            requests.StatesInitialized: self._states_initialized,
            requests.StatePartitionsOf: self._state_partitions,
            requests.BeginAlterOffsets: self._begin_alter,
            requests.BeginDeleteStates: self._begin_delete,
            requests.StatesDeleted: self._states_deleted,
        }

    def replays(self) -> Mapping[type[Message], Replay]:
        return self._replays.by_key()

    # ---- members

    def _heartbeat(self, call: Call, context: Context, out: Outputs) -> None:
        request: ShareGroupHeartbeatRequest = call.request
        validate(request)
        if context.image is not self.image:
            self.metadata_changed(context, out)  # The news itself may come a little later.
        group = self._group(request.group_id, joins=request.member_epoch == 0)
        if request.member_epoch == LEAVE_EPOCH:
            self._remove(group, group.member(request.member_id), context, out)
            left = ShareGroupHeartbeatResponse(member_id=request.member_id, member_epoch=LEAVE_EPOCH)
            out.respond(call.ticket, left)
            return
        known = group.members.get(request.member_id)
        if known is None:
            if request.member_epoch != 0:
                group.member(request.member_id)
            size_max = context.configs.integer("group.share.max.size")
            if len(group.members) >= size_max:
                raise GroupMaxSizeReached(f"The share group has its maximum of {size_max} members.")
        else:
            validate_epoch("share", known, request.member_epoch)
        heartbeat(group, known or ShareMember(request.member_id), request, call, context, out)
        self._start_session(group, request.member_id, context, out)

    def _group(self, group_id: str, *, joins: bool) -> ShareGroup:
        """The group, which may be a new one if somebody joins it, or its offsets are set beforehand."""
        group = self.groups.find(group_id)
        if group is None:
            if not joins:
                raise GroupIdNotFound(f"Share group {group_id} not found.")
            return ShareGroup(group_id)
        if not isinstance(group, ShareGroup):
            raise GroupIdNotFound(f"Group {group_id} is not a share group.")
        return group

    def _start_session(self, group: ShareGroup, member_id: str, context: Context, out: Outputs) -> None:
        timeout = context.configs.group_integer(context.image, group.group_id, "share.session.timeout.ms")
        out.set_timer((self.name, group.group_id, member_id), context.now + timeout)

    def _remove(self, group: ShareGroup, member: ShareMember, context: Context, out: Outputs) -> None:
        out.cancel_timer((self.name, group.group_id, member.member_id))
        names = [name for name, count in group.topics.items() if count > (name in member.topic_names)]
        metadata_hash = subscription_hash(names, context.image)
        out.append(
            *records.removed_member(group.group_id, member.member_id),
            records.group_epoch(group.group_id, group.group_epoch + 1, metadata_hash),
        )

    def _describe(self, call: Call, context: Context, out: Outputs) -> None:
        self.describe(call, out, lambda group: described(group, context), DescribedGroup)

    # ---- states

    def _states_initialized(self, call: Call, _: Context, out: Outputs) -> None:
        asked: requests.StatesInitialized = call.request
        group = self.groups.find_kind(ShareGroup, asked.group_id)
        if group is not None:
            self._write_state(group, group.state.done(asked.topics), out)
        out.respond(call.ticket, None)

    def _state_partitions(self, call: Call, _: Context, out: Outputs) -> None:
        group = self.groups.get(ShareGroup, call.request.group_id)
        if call.request.empty_only:
            group.validate_delete()
        out.respond(call.ticket, group.state)

    def _begin_alter(self, call: Call, _: Context, out: Outputs) -> None:
        asked: requests.BeginAlterOffsets = call.request
        group = self._group(asked.group_id, joins=True)
        group.validate_delete()
        epoch = group.group_epoch + 1
        out.append(records.group_epoch(group.group_id, epoch, group.metadata_hash))
        self._write_state(group, group.state.begun(asked.topics), out)
        out.respond(call.ticket, epoch)

    def _begin_delete(self, call: Call, _: Context, out: Outputs) -> None:
        asked: requests.BeginDeleteStates = call.request
        group = self.groups.get(ShareGroup, asked.group_id)
        group.validate_delete()
        self._write_state(group, group.state.deletion_begun(asked.topics), out)
        out.respond(call.ticket, group.state)

    def _states_deleted(self, call: Call, _: Context, out: Outputs) -> None:
        asked: requests.StatesDeleted = call.request
        group = self.groups.find_kind(ShareGroup, asked.group_id)
        if group is not None:
            deleted = {topic: name for topic, name in asked.topics.items() if topic in group.state.deleting}
            self._write_state(group, group.state.deleted(deleted), out)
        out.respond(call.ticket, None)

    def _write_state(self, group: ShareGroup, state: Any, out: Outputs) -> None:
        if state != group.state:
            out.append(records.state(group.group_id, state))

    # ---- events

    def loaded(self, context: Context, out: Outputs) -> None:
        self.image = context.image
        for group in self.groups_of_kind():
            group.state_changed_at = 0  # Who was asked to initialize them is gone: they are asked again.
            for member_id in group.members:
                # Members have had no chance to be heard while the partition was away.
                self._start_session(group, member_id, context, out)

    def expire(self, key: tuple[Any, ...], context: Context, out: Outputs) -> None:
        _, group_id, member_id = key
        group = self.groups.find_kind(ShareGroup, group_id)
        member = group.members.get(member_id) if group is not None else None
        if group is not None and member is not None:
            self._remove(group, member, context, out)

    def metadata_changed(self, context: Context, out: Outputs) -> None:
        changed, _ = self.look(context.image)
        if not changed:
            return
        written: list[Record] = []
        for group in self.groups_of_kind():
            names = group.state.names()
            gone = {
                topic: name
                for topic, name in names.items()
                if name in changed and context.image.topic_by_id(topic) is None
            }
            if gone:
                written.append(records.state(group.group_id, group.state.deleted(gone)))
        out.append_each(written)
