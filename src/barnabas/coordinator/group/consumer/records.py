"""The records of consumer groups, in the versions that Kafka 4.3 writes.

Lists are written in order, so that equal states are equal bytes.
"""

from __future__ import annotations

from operator import itemgetter

from barnabas.coordinator.group.consumer.assignor import Assignment
from barnabas.coordinator.group.consumer.member import Member, Owned
from barnabas.coordinator.group.consumer.patterns import ResolvedPattern
from barnabas.coordinator.group.epochs.records import EpochRecords
from barnabas.coordinator.machine import Record
from barnabas.protocol.generated import (
    consumer_group_current_member_assignment_value as current_assignment,
)
from barnabas.protocol.generated import (
    consumer_group_target_assignment_member_value as target_assignment,
)
from barnabas.protocol.generated.consumer_group_member_metadata_value import ConsumerGroupMemberMetadataValue
from barnabas.protocol.generated.consumer_group_partition_metadata_key import (
    ConsumerGroupPartitionMetadataKey,
)
from barnabas.protocol.generated.consumer_group_regular_expression_key import (
    ConsumerGroupRegularExpressionKey,
)
from barnabas.protocol.generated.consumer_group_regular_expression_value import (
    ConsumerGroupRegularExpressionValue,
)

RECORDS = EpochRecords("ConsumerGroup")

group_epoch = RECORDS.group_epoch
group_epoch_tombstone = RECORDS.group_epoch_tombstone
member_metadata_tombstone = RECORDS.member_metadata_tombstone
target_epoch = RECORDS.target_epoch
target_epoch_tombstone = RECORDS.target_epoch_tombstone
target_tombstone = RECORDS.target_tombstone
current_tombstone = RECORDS.current_tombstone
removed_member = RECORDS.removed_member


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
    return RECORDS.member_metadata(group_id, member.member_id, value)


def target(group_id: str, member_id: str, assignment: Assignment) -> Record:
    """What a member is to have."""
    topics = [
        target_assignment.TopicPartition(topic, sorted(partitions))
        for topic, partitions in sorted(assignment.items(), key=itemgetter(0))
    ]
    value = target_assignment.ConsumerGroupTargetAssignmentMemberValue(topics)
    return RECORDS.target(group_id, member_id, value)


def current(group_id: str, member: Member) -> Record:
    """What a member has, and where it stands on its way."""
    value = current_assignment.ConsumerGroupCurrentMemberAssignmentValue(
        member_epoch=member.member_epoch,
        previous_member_epoch=member.previous_member_epoch,
        state=int(member.state),
        assigned_partitions=_topics(member.assigned),
        partitions_pending_revocation=_topics(member.pending_revocation),
    )
    return RECORDS.current(group_id, member.member_id, value)


def _topics(owned: Owned) -> list[current_assignment.TopicPartitions]:
    topics = []
    for topic in sorted(owned):
        partitions = sorted(owned[topic].items())
        indexes, epochs = [index for index, _ in partitions], [epoch for _, epoch in partitions]
        topics.append(current_assignment.TopicPartitions(topic, indexes, epochs))
    return topics


def pattern(group_id: str, regex: str, resolved: ResolvedPattern) -> Record:
    """The topics that a pattern stands for."""
    value = ConsumerGroupRegularExpressionValue(
        topics=sorted(resolved.topics), version=resolved.version, timestamp=resolved.timestamp
    )
    return Record(ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=regex), value)


def pattern_tombstone(group_id: str, regex: str) -> Record:
    """Nobody subscribes to the pattern any more."""
    return Record(ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=regex), None)
