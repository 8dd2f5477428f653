"""The classic protocol's bytes about topics: what a member subscribes to, and what it is assigned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas._core import Uuid, decode, encode
from barnabas.coordinator.group.classic.subscription import read_subscription
from barnabas.coordinator.group.consumer.assignor import NOTHING, Assignment
from barnabas.coordinator.group.consumer.member import Member, partitions_of
from barnabas.protocol.generated.consumer_group_heartbeat_request import (
    TopicPartitions as OwnedTopicPartitions,
)
from barnabas.protocol.generated.consumer_protocol_assignment import (
    ConsumerProtocolAssignment,
    TopicPartition,
)
from barnabas.protocol.generated.consumer_protocol_subscription import ConsumerProtocolSubscription

if TYPE_CHECKING:
    from barnabas._core import MetadataImage

VERSION_BYTES = 2


class MalformedError(ValueError):
    """Bytes that are not what they should be, or hold what a consumer group has no place for."""


def subscription(metadata: bytes) -> ConsumerProtocolSubscription:
    """What a member says to a protocol; raises MalformedError."""
    read = read_subscription(metadata)
    if read is None:
        raise MalformedError("the embedded consumer protocol is malformed")
    return read


def assignment(data: bytes, image: MetadataImage) -> Assignment:
    """What a member was assigned, of topics and partitions that exist; raises MalformedError, also for user
    data of an assignor, which would be lost."""
    if not data:
        return NOTHING
    version = int.from_bytes(data[:VERSION_BYTES], "big", signed=True)
    try:
        newest = ConsumerProtocolAssignment.HIGHEST_VERSION
        read = decode(ConsumerProtocolAssignment, min(version, newest), data[VERSION_BYTES:])
    except ValueError as error:
        raise MalformedError("the embedded consumer protocol is malformed") from error
    assert isinstance(read, ConsumerProtocolAssignment)
    if read.user_data:
        raise MalformedError("an unsupported custom assignor is in use, whose user data would be lost")
    found: dict[Uuid, frozenset[int]] = {}
    for topic in read.assigned_partitions:
        known = image.topic(topic.topic)
        if known is not None:
            partitions = frozenset(p for p in topic.partitions if 0 <= p < known.partition_count)
            found[known.id] = found.get(known.id, frozenset()) | partitions
    return {topic_id: partitions for topic_id, partitions in found.items() if partitions}


def assignment_bytes(assigned: Assignment, metadata: bytes, image: MetadataImage) -> bytes:
    """An assignment in the version in which the member speaks, which its `metadata` tells."""
    version = int.from_bytes(metadata[:VERSION_BYTES], "big", signed=True)
    version = max(0, min(version, ConsumerProtocolAssignment.HIGHEST_VERSION))
    topics = [
        TopicPartition(topic.name, sorted(partitions))
        for topic_id, partitions in assigned.items()
        if (topic := image.topic_by_id(topic_id)) is not None
    ]
    topics.sort(key=lambda topic: topic.topic)
    written = ConsumerProtocolAssignment(assigned_partitions=topics)
    return version.to_bytes(VERSION_BYTES, "big") + encode(written, version)


def member_assignment(member: Member, image: MetadataImage) -> bytes:
    """What a member of the classic protocol has, as SyncGroup tells it."""
    return assignment_bytes(partitions_of(member.assigned), member.classic_protocols[0].metadata, image)


def owned_partitions(read: ConsumerProtocolSubscription, image: MetadataImage) -> list[OwnedTopicPartitions]:
    """What a member says it owns, of topics that exist."""
    return [
        OwnedTopicPartitions(topic.id, list(owned.partitions))
        for owned in read.owned_partitions
        if (topic := image.topic(owned.topic)) is not None
    ]
