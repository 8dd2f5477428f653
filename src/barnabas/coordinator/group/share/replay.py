"""Replays the records of share groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.group.epochs.replay import Apply, EpochReplays
from barnabas.coordinator.group.share.group import ShareGroup
from barnabas.coordinator.group.share.member import ShareMember
from barnabas.coordinator.group.share.records import RECORDS
from barnabas.coordinator.group.share.state_partitions import StatePartitions, Topics, TopicState
from barnabas.protocol.generated.share_group_state_partition_metadata_key import (
    ShareGroupStatePartitionMetadataKey,
)

if TYPE_CHECKING:
    from barnabas.coordinator.group.consumer.assignor import Assignment
    from barnabas.coordinator.group.kind import Groups
    from barnabas.protocol.message import Message


class Replays(EpochReplays[ShareGroup]):
    """Applies records to the share groups of one machine."""

    def __init__(self, groups: Groups) -> None:
        super().__init__(groups, ShareGroup, RECORDS)

    def new_group(self, group_id: str) -> ShareGroup:
        return ShareGroup(group_id)

    def others(self) -> Mapping[type[Message], Apply[ShareGroup]]:
        return {ShareGroupStatePartitionMetadataKey: _state}

    def set_group(self, group: ShareGroup, value: Any) -> None:  # noqa: ARG002
        group.state_is_news = False

    def new_member(self, member_id: str) -> ShareMember:
        return ShareMember(member_id)

    def says(self, value: Any) -> Mapping[str, Any]:
        return {
            "rack_id": value.rack_id,
            "client_id": value.client_id,
            "client_host": value.client_host,
            "topic_names": frozenset(value.subscribed_topic_names),
        }

    def target_of(self, value: Any) -> Assignment:
        return _assignment(value.topic_partitions)

    def has(self, value: Any) -> Mapping[str, Any]:
        return {"assigned": {} if value is None else _assignment(value.assigned_partitions)}


def _state(group: ShareGroup, _: Any, value: Any) -> None:
    """When it was written is what the replay has just noted as the group's last change."""
    if value is None:
        group.set_state(StatePartitions(), group.changed_at)
        return
    state = StatePartitions(
        _topics(value.initializing_topics),
        _topics(value.initialized_topics),
        {topic.topic_id: topic.topic_name for topic in value.deleting_topics},
    )
    group.set_state(state, group.changed_at)


def _assignment(topics: Iterable[Any]) -> Assignment:
    return {topic.topic_id: frozenset(topic.partitions) for topic in topics}


def _topics(topics: Iterable[Any]) -> Topics:
    return {topic.topic_id: TopicState(topic.topic_name, frozenset(topic.partitions)) for topic in topics}
