"""Replays the records of consumer groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.group.consumer.assignor import Assignment
from barnabas.coordinator.group.consumer.group import ConsumerGroup, HandleClassic
from barnabas.coordinator.group.consumer.member import NOTHING_OWNED, Member, MemberState, Owned
from barnabas.coordinator.group.consumer.patterns import ResolvedPattern
from barnabas.coordinator.group.consumer.records import RECORDS
from barnabas.coordinator.group.epochs.replay import Apply, EpochReplays
from barnabas.protocol.generated.consumer_group_current_member_assignment_value import TopicPartitions
from barnabas.protocol.generated.consumer_group_partition_metadata_key import (
    ConsumerGroupPartitionMetadataKey,
)
from barnabas.protocol.generated.consumer_group_regular_expression_key import (
    ConsumerGroupRegularExpressionKey,
)

if TYPE_CHECKING:
    from barnabas.coordinator.group.kind import Groups
    from barnabas.protocol.message import Message


class Replays(EpochReplays[ConsumerGroup]):
    """Applies records to the consumer groups of one machine."""

    def __init__(self, groups: Groups, handle_classic: HandleClassic) -> None:
        super().__init__(groups, ConsumerGroup, RECORDS)
        self._handle_classic = handle_classic

    def new_group(self, group_id: str) -> ConsumerGroup:
        return ConsumerGroup(group_id, self._handle_classic)

    def others(self) -> Mapping[type[Message], Apply[ConsumerGroup]]:
        return {
            ConsumerGroupPartitionMetadataKey: _partition_metadata,
            ConsumerGroupRegularExpressionKey: _pattern,
        }

    def new_member(self, member_id: str) -> Member:
        return Member(member_id)

    def says(self, value: Any) -> Mapping[str, Any]:
        return {
            "instance_id": value.instance_id,
            "rack_id": value.rack_id,
            "client_id": value.client_id,
            "client_host": value.client_host,
            "topic_names": frozenset(value.subscribed_topic_names),
            "topic_regex": value.subscribed_topic_regex,
            "rebalance_timeout_ms": value.rebalance_timeout_ms,
            "server_assignor": value.server_assignor,
            "classic": value.classic_member_metadata,
        }

    def target_of(self, value: Any) -> Assignment:
        return {topic.topic_id: frozenset(topic.partitions) for topic in value.topic_partitions}

    def has(self, value: Any) -> Mapping[str, Any]:
        if value is None:
            return {"assigned": NOTHING_OWNED, "pending_revocation": NOTHING_OWNED}
        return {
            "state": MemberState(value.state),
            "assigned": _owned(value.assigned_partitions, value.member_epoch),
            "pending_revocation": _owned(value.partitions_pending_revocation, value.member_epoch),
        }


def _partition_metadata(group: ConsumerGroup, _: Any, value: Any) -> None:
    group.has_partition_metadata = value is not None


def _pattern(group: ConsumerGroup, key: Any, value: Any) -> None:
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
