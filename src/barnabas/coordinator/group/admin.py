"""Groups as administrators see them: lists, descriptions of classic groups, deletion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.group.classic.group import ClassicGroup, Member, State
from barnabas.coordinator.group.kind import Handle, Part
from barnabas.coordinator.group.offset_commit import tombstone
from barnabas.coordinator.group.requests import DeleteGroup, DescribeGroup, ListGroups
from barnabas.coordinator.group.share.group import ShareGroup
from barnabas.coordinator.group.share.requests import DeleteStatesFirst
from barnabas.errors import GroupIdNotFound, KafkaError
from barnabas.protocol.generated.delete_groups_response import DeletableGroupResult
from barnabas.protocol.generated.describe_groups_response import DescribedGroup, DescribedGroupMember
from barnabas.protocol.generated.list_groups_response import ListedGroup

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Call, Context, Outputs

NOT_FOUND_VERSION = 6
"""From here on DescribeGroups says that a group is not there; before, it is described as dead."""
DEAD = "Dead"


class AdminPart(Part):
    """ListGroups, DescribeGroups, DeleteGroups."""

    name = "admin"

    def calls(self) -> Mapping[type[Any], Handle]:
        return {ListGroups: self._list, DescribeGroup: self._describe, DeleteGroup: self._delete}

    def _list(self, call: Call, context: Context, out: Outputs) -> None:
        asked: ListGroups = call.request
        listed = []
        for group in self.groups.by_id.values():
            state = group.state_name(context.now)
            if asked.states and state.lower() not in asked.states:
                continue
            if asked.kinds and group.kind.value not in asked.kinds:
                continue
            listed.append(ListedGroup(group.group_id, group.protocol_type, state, group.kind.value))
        out.respond(call.ticket, listed)

    def _describe(self, call: Call, context: Context, out: Outputs) -> None:
        group_id = call.request.group_id
        try:
            group = self.groups.get(ClassicGroup, group_id)
        except GroupIdNotFound as error:
            described = DescribedGroup(group_id=group_id, group_state=DEAD)
            if call.api_version >= NOT_FOUND_VERSION:
                described.error_code = error.error_code
                described.error_message = error.message
        else:
            described = _described(group, context)
        out.respond(call.ticket, described)

    def _delete(self, call: Call, _: Context, out: Outputs) -> None:
        group_id = call.request.group_id
        result = DeletableGroupResult(group_id)
        share = self.groups.find_kind(ShareGroup, group_id)
        if share is not None and share.is_empty() and (topics := share.state.names()):
            out.respond(call.ticket, DeleteStatesFirst(group_id, topics))
            return
        try:
            self._delete_group(group_id, out)
        except KafkaError as error:
            result.error_code = error.error_code
            result.error_message = error.message
        out.respond(call.ticket, result)

    def _delete_group(self, group_id: str, out: Outputs) -> None:
        group = self.groups.find(group_id)
        if group is None:
            raise GroupIdNotFound(f"Group {group_id} not found.")
        group.validate_delete()
        offsets = self.groups.offsets
        both = (offsets.of_group(group_id), offsets.pending_offsets(group_id))
        keys = {(topic, index) for topics in both for topic, indexes in topics.items() for index in indexes}
        out.append(*(tombstone(group_id, topic, index) for topic, index in sorted(keys)), *group.tombstones())


def _described(group: ClassicGroup, context: Context) -> DescribedGroup:
    stable = group.state is State.STABLE
    return DescribedGroup(
        group_id=group.group_id,
        group_state=group.state_name(context.now),
        protocol_type=group.protocol_type,
        protocol_data=group.protocol_name or "" if stable else "",
        members=[_described_member(group, member, stable=stable) for member in group.members.values()],
    )


def _described_member(group: ClassicGroup, member: Member, *, stable: bool) -> DescribedGroupMember:
    return DescribedGroupMember(
        member_id=member.member_id,
        group_instance_id=member.group_instance_id,
        client_id=member.client_id,
        client_host=member.client_host,
        member_metadata=member.metadata(group.protocol_name) if stable else b"",
        member_assignment=member.assignment,
    )
