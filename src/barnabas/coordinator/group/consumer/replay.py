"""Replays the records of consumer groups.

Always true:
  a tombstone for a group of another kind, or of none, means nothing
  a record of a consumer group puts one in the place of a classic group: the log has its tombstone, or it had
  nothing but offsets
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.group.consumer.group import ConsumerGroup, HandleClassic
from barnabas.coordinator.group.consumer.member import (
    LEAVE_EPOCH,
    NOTHING_OWNED,
    Member,
    MemberState,
    Owned,
)
from barnabas.coordinator.group.consumer.patterns import ResolvedPattern
from barnabas.protocol.generated.consumer_group_current_member_assignment_key import (
    ConsumerGroupCurrentMemberAssignmentKey,
)
from barnabas.protocol.generated.consumer_group_current_member_assignment_value import TopicPartitions
from barnabas.protocol.generated.consumer_group_member_metadata_key import ConsumerGroupMemberMetadataKey
from barnabas.protocol.generated.consumer_group_metadata_key import ConsumerGroupMetadataKey
from barnabas.protocol.generated.consumer_group_partition_metadata_key import (
    ConsumerGroupPartitionMetadataKey,
)
from barnabas.protocol.generated.consumer_group_regular_expression_key import (
    ConsumerGroupRegularExpressionKey,
)
from barnabas.protocol.generated.consumer_group_target_assignment_member_key import (
    ConsumerGroupTargetAssignmentMemberKey,
)
from barnabas.protocol.generated.consumer_group_target_assignment_metadata_key import (
    ConsumerGroupTargetAssignmentMetadataKey,
)

if TYPE_CHECKING:
    from barnabas.coordinator.group.kind import Groups, Replay
    from barnabas.coordinator.machine import Stored
    from barnabas.protocol.message import Message

NO_ASSIGNMENT_EPOCH = -1
"""Of a group whose target assignment has been removed."""


class Replays:
    """Applies records to the groups of one machine."""

    def __init__(self, groups: Groups, handle_classic: HandleClassic) -> None:
        self._groups = groups
        self._handle_classic = handle_classic

    def by_key(self) -> Mapping[type[Message], Replay]:
        """Who replays a record, by the type of its key."""
        return {
            ConsumerGroupMetadataKey: self._group_epoch,
            ConsumerGroupPartitionMetadataKey: self._partition_metadata,
            ConsumerGroupMemberMetadataKey: self._member_metadata,
            ConsumerGroupTargetAssignmentMetadataKey: self._target_epoch,
            ConsumerGroupTargetAssignmentMemberKey: self._target,
            ConsumerGroupCurrentMemberAssignmentKey: self._current,
            ConsumerGroupRegularExpressionKey: self._pattern,
        }

    def _group(self, stored: Stored) -> ConsumerGroup | None:
        """The group of the record; made unless the record is a tombstone."""
        key: Any = stored.key
        group = self._groups.find_kind(ConsumerGroup, key.group_id)
        if group is None and stored.value is not None:
            group = ConsumerGroup(key.group_id, self._handle_classic)
            self._groups.put(group)
        if group is not None:
            group.changed_at = stored.timestamp
        return group

    def _group_epoch(self, stored: Stored) -> None:
        group = self._group(stored)
        if group is None:
            return
        value: Any = stored.value
        if value is not None:
            group.group_epoch = value.epoch
            group.metadata_hash = value.metadata_hash
            return
        assert not group.members, f"group {group.group_id} is removed with members in it"
        self._groups.remove(ConsumerGroup, group.group_id)

    def _partition_metadata(self, stored: Stored) -> None:
        group = self._group(stored)
        if group is not None:
            group.has_partition_metadata = stored.value is not None

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
                group.members.get(key.member_id) or Member(key.member_id),
                instance_id=value.instance_id,
                rack_id=value.rack_id,
                client_id=value.client_id,
                client_host=value.client_host,
                topic_names=frozenset(value.subscribed_topic_names),
                topic_regex=value.subscribed_topic_regex,
                rebalance_timeout_ms=value.rebalance_timeout_ms,
                server_assignor=value.server_assignor,
                classic=value.classic_member_metadata,
            )
        )

    def _target_epoch(self, stored: Stored) -> None:
        group = self._group(stored)
        if group is None:
            return
        value: Any = stored.value
        if value is None:
            group.set_assignment_epoch(NO_ASSIGNMENT_EPOCH, 0)
        else:
            group.set_assignment_epoch(value.assignment_epoch, value.assignment_timestamp)

    def _target(self, stored: Stored) -> None:
        group = self._group(stored)
        if group is None:
            return
        key: Any = stored.key
        value: Any = stored.value
        if value is None:
            group.set_target(key.member_id, None)
            return
        topics = value.topic_partitions
        group.set_target(key.member_id, {topic.topic_id: frozenset(topic.partitions) for topic in topics})

    def _current(self, stored: Stored) -> None:
        group = self._group(stored)
        if group is None:
            return
        key: Any = stored.key
        value: Any = stored.value
        member = group.members.get(key.member_id)
        if value is None:
            if member is not None:
                group.put_member(
                    replace(
                        member,
                        member_epoch=LEAVE_EPOCH,
                        previous_member_epoch=LEAVE_EPOCH,
                        assigned=NOTHING_OWNED,
                        pending_revocation=NOTHING_OWNED,
                    )
                )
            return
        group.put_member(
            replace(
                member or Member(key.member_id),
                member_epoch=value.member_epoch,
                previous_member_epoch=value.previous_member_epoch,
                state=MemberState(value.state),
                assigned=_owned(value.assigned_partitions, value.member_epoch),
                pending_revocation=_owned(value.partitions_pending_revocation, value.member_epoch),
            )
        )

    def _pattern(self, stored: Stored) -> None:
        group = self._group(stored)
        if group is None:
            return
        key: Any = stored.key
        value: Any = stored.value
        resolved = value and ResolvedPattern(frozenset(value.topics), value.version, value.timestamp)
        group.set_pattern(key.regular_expression, resolved)


def _owned(topics: Sequence[TopicPartitions], member_epoch: int) -> Owned:
    """Partitions with their assignment epochs; brokers before 4.3 wrote none."""
    owned = {}
    for topic in topics:
        epochs = topic.assignment_epochs
        if epochs is None or len(epochs) != len(topic.partitions):
            epochs = [max(member_epoch, 0)] * len(topic.partitions)
        owned[topic.topic_id] = dict(zip(topic.partitions, epochs, strict=True))
    return owned
