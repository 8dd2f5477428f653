"""The records of consumer groups, in the versions that Kafka 4.3 writes.

Lists are written in order, so that equal states are equal bytes.
"""

from __future__ import annotations

from operator import itemgetter

from barnabas.coordinator.group.consumer.assignor import Assignment
from barnabas.coordinator.group.consumer.member import Member, Owned
from barnabas.coordinator.group.consumer.patterns import ResolvedPattern
from barnabas.coordinator.machine import Record
from barnabas.protocol.generated import (
    consumer_group_current_member_assignment_value as current_assignment,
)
from barnabas.protocol.generated import (
    consumer_group_target_assignment_member_value as target_assignment,
)
from barnabas.protocol.generated.consumer_group_current_member_assignment_key import (
    ConsumerGroupCurrentMemberAssignmentKey,
)
from barnabas.protocol.generated.consumer_group_member_metadata_key import ConsumerGroupMemberMetadataKey
from barnabas.protocol.generated.consumer_group_member_metadata_value import ConsumerGroupMemberMetadataValue
from barnabas.protocol.generated.consumer_group_metadata_key import ConsumerGroupMetadataKey
from barnabas.protocol.generated.consumer_group_metadata_value import ConsumerGroupMetadataValue
from barnabas.protocol.generated.consumer_group_partition_metadata_key import (
    ConsumerGroupPartitionMetadataKey,
)
from barnabas.protocol.generated.consumer_group_regular_expression_key import (
    ConsumerGroupRegularExpressionKey,
)
from barnabas.protocol.generated.consumer_group_regular_expression_value import (
    ConsumerGroupRegularExpressionValue,
)
from barnabas.protocol.generated.consumer_group_target_assignment_member_key import (
    ConsumerGroupTargetAssignmentMemberKey,
)
from barnabas.protocol.generated.consumer_group_target_assignment_metadata_key import (
    ConsumerGroupTargetAssignmentMetadataKey,
)
from barnabas.protocol.generated.consumer_group_target_assignment_metadata_value import (
    ConsumerGroupTargetAssignmentMetadataValue,
)


def group_epoch(group_id: str, epoch: int, metadata_hash: int) -> Record:
    """The group's epoch, and the hash of the topics that it was reckoned with."""
    value = ConsumerGroupMetadataValue(epoch=epoch, metadata_hash=metadata_hash)
    return Record(ConsumerGroupMetadataKey(group_id=group_id), value)


def group_epoch_tombstone(group_id: str) -> Record:
    """The group is no more."""
    return Record(ConsumerGroupMetadataKey(group_id=group_id), None)


def partition_metadata_tombstone(group_id: str) -> Record:
    """Removes what brokers before 4.1 wrote where there is a hash now."""
    return Record(ConsumerGroupPartitionMetadataKey(group_id=group_id), None)


def member_metadata(group_id: str, member: Member) -> Record:
    """What a member has said about itself."""
    value = ConsumerGroupMemberMetadataValue(
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=sorted(member.topic_names),
        subscribed_topic_regex=member.topic_regex,
        rebalance_timeout_ms=member.rebalance_timeout_ms,
        server_assignor=member.server_assignor,
        classic_member_metadata=member.classic,
    )
    return Record(ConsumerGroupMemberMetadataKey(group_id=group_id, member_id=member.member_id), value)


def member_metadata_tombstone(group_id: str, member_id: str) -> Record:
    """The member is no more."""
    return Record(ConsumerGroupMemberMetadataKey(group_id=group_id, member_id=member_id), None)


def target_epoch(group_id: str, epoch: int, timestamp: int) -> Record:
    """The epoch of the target assignment, and when it was made, in milliseconds since the Unix epoch."""
    value = ConsumerGroupTargetAssignmentMetadataValue(assignment_epoch=epoch, assignment_timestamp=timestamp)
    return Record(ConsumerGroupTargetAssignmentMetadataKey(group_id=group_id), value)


def target_epoch_tombstone(group_id: str) -> Record:
    """There is no target assignment any more."""
    return Record(ConsumerGroupTargetAssignmentMetadataKey(group_id=group_id), None)


def target(group_id: str, member_id: str, assignment: Assignment) -> Record:
    """What a member is to have."""
    topics = [
        target_assignment.TopicPartition(topic, sorted(partitions))
        for topic, partitions in sorted(assignment.items(), key=itemgetter(0))
    ]
    key = ConsumerGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id)
    return Record(key, target_assignment.ConsumerGroupTargetAssignmentMemberValue(topics))


def target_tombstone(group_id: str, member_id: str) -> Record:
    """The member is to have nothing."""
    return Record(ConsumerGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), None)


def current(group_id: str, member: Member) -> Record:
    """What a member has, and where it stands on its way."""
    value = current_assignment.ConsumerGroupCurrentMemberAssignmentValue(
        member_epoch=member.member_epoch,
        previous_member_epoch=member.previous_member_epoch,
        state=int(member.state),
        assigned_partitions=_topics(member.assigned),
        partitions_pending_revocation=_topics(member.pending_revocation),
    )
    key = ConsumerGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member.member_id)
    return Record(key, value)


def _topics(owned: Owned) -> list[current_assignment.TopicPartitions]:
    topics = []
    for topic in sorted(owned):
        partitions = sorted(owned[topic].items())
        indexes, epochs = [index for index, _ in partitions], [epoch for _, epoch in partitions]
        topics.append(current_assignment.TopicPartitions(topic, indexes, epochs))
    return topics


def current_tombstone(group_id: str, member_id: str) -> Record:
    """The member has nothing."""
    return Record(ConsumerGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member_id), None)


def pattern(group_id: str, regex: str, resolved: ResolvedPattern) -> Record:
    """The topics that a pattern stands for."""
    value = ConsumerGroupRegularExpressionValue(
        topics=sorted(resolved.topics), version=resolved.version, timestamp=resolved.timestamp
    )
    return Record(ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=regex), value)


def pattern_tombstone(group_id: str, regex: str) -> Record:
    """Nobody subscribes to the pattern any more."""
    return Record(ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=regex), None)


def removed_member(group_id: str, member_id: str) -> list[Record]:
    """All tombstones of a member, in the order in which a replay wants them."""
    return [
        current_tombstone(group_id, member_id),
        target_tombstone(group_id, member_id),
        member_metadata_tombstone(group_id, member_id),
    ]
