"""Replays the records of share groups. A tombstone for a group of another kind, or of none, means nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.group.share.group import ShareGroup
from barnabas.coordinator.group.share.member import ShareMember
from barnabas.coordinator.group.share.state_partitions import StatePartitions, Topics, TopicState
from barnabas.protocol.generated.share_group_current_member_assignment_key import (
    ShareGroupCurrentMemberAssignmentKey,
)
from barnabas.protocol.generated.share_group_member_metadata_key import ShareGroupMemberMetadataKey
from barnabas.protocol.generated.share_group_metadata_key import ShareGroupMetadataKey
from barnabas.protocol.generated.share_group_state_partition_metadata_key import (
    ShareGroupStatePartitionMetadataKey,
)
from barnabas.protocol.generated.share_group_target_assignment_member_key import (
    ShareGroupTargetAssignmentMemberKey,
)
from barnabas.protocol.generated.share_group_target_assignment_metadata_key import (
    ShareGroupTargetAssignmentMetadataKey,
)

if TYPE_CHECKING:
    from barnabas.coordinator.group.consumer.assignor import Assignment
    from barnabas.coordinator.group.kind import Groups, Replay
    from barnabas.coordinator.machine import Stored
    from barnabas.protocol.message import Message

NO_EPOCH = -1


class Replays:
    """Applies records to the groups of one machine."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups

    def by_key(self) -> Mapping[type[Message], Replay]:
        """Who replays a record, by the type of its key."""
        return {
            ShareGroupMetadataKey: self._group_epoch,
            ShareGroupMemberMetadataKey: self._member_metadata,
            ShareGroupTargetAssignmentMetadataKey: self._target_epoch,
            ShareGroupTargetAssignmentMemberKey: self._target,
            ShareGroupCurrentMemberAssignmentKey: self._current,
            ShareGroupStatePartitionMetadataKey: self._state,
        }

    def _group(self, stored: Stored) -> ShareGroup | None:
        """The group of the record; made unless the record is a tombstone."""
        key: Any = stored.key
        group = self._groups.find_kind(ShareGroup, key.group_id)
        if group is None and stored.value is not None:
            group = ShareGroup(key.group_id)
            self._groups.put(group)
        if group is not None:
            group.changed_at = stored.timestamp
        return group

    def _group_epoch(self, stored: Stored) -> None:
        group = self._group(stored)
        if group is None:
            return
        value: Any = stored.value
        if value is None:
            assert not group.members, f"group {group.group_id} is removed with members in it"
            self._groups.remove(ShareGroup, group.group_id)
            return
        group.group_epoch = value.epoch
        group.metadata_hash = value.metadata_hash
        group.state_is_news = False

    def _member_metadata(self, stored: Stored) -> None:
        group = self._group(stored)
        if group is None:
            return
        key: Any = stored.key
        value: Any = stored.value
        if value is None:
            group.remove_member(key.member_id)
            return
        group.put_member(
            replace(
                group.members.get(key.member_id) or ShareMember(key.member_id),
                rack_id=value.rack_id,
                client_id=value.client_id,
                client_host=value.client_host,
                topic_names=frozenset(value.subscribed_topic_names),
            )
        )

    def _target_epoch(self, stored: Stored) -> None:
        group = self._group(stored)
        if group is None:
            return
        value: Any = stored.value
        group.assignment_epoch = NO_EPOCH if value is None else value.assignment_epoch
        group.assignment_timestamp = 0 if value is None else value.assignment_timestamp

    def _target(self, stored: Stored) -> None:
        group = self._group(stored)
        if group is None:
            return
        key: Any = stored.key
        value: Any = stored.value
        if value is None:
            group.target.pop(key.member_id, None)
        else:
            group.target[key.member_id] = _assignment(value.topic_partitions)

    def _current(self, stored: Stored) -> None:
        group = self._group(stored)
        if group is None:
            return
        key: Any = stored.key
        value: Any = stored.value
        member = group.members.get(key.member_id) or ShareMember(key.member_id)
        if value is not None:
            group.put_member(
                replace(
                    member,
                    member_epoch=value.member_epoch,
                    previous_member_epoch=value.previous_member_epoch,
                    assigned=_assignment(value.assigned_partitions),
                )
            )
        elif key.member_id in group.members:
            group.put_member(
                replace(member, member_epoch=NO_EPOCH, previous_member_epoch=NO_EPOCH, assigned={})
            )

    def _state(self, stored: Stored) -> None:
        group = self._group(stored)
        if group is None:
            return
        value: Any = stored.value
        if value is None:
            group.set_state(StatePartitions(), stored.timestamp)
            return
        state = StatePartitions(
            _topics(value.initializing_topics),
            _topics(value.initialized_topics),
            {topic.topic_id: topic.topic_name for topic in value.deleting_topics},
        )
        group.set_state(state, stored.timestamp)


def _assignment(topics: Iterable[Any]) -> Assignment:
    return {topic.topic_id: frozenset(topic.partitions) for topic in topics}


def _topics(topics: Iterable[Any]) -> Topics:
    return {topic.topic_id: TopicState(topic.topic_name, frozenset(topic.partitions)) for topic in topics}
