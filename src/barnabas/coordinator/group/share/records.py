"""The records of share groups, in the versions that Kafka 4.3 writes. Lists are written in order, so that
equal states are equal bytes."""

from __future__ import annotations

from barnabas.coordinator.group.consumer.assignor import Assignment
from barnabas.coordinator.group.epochs.records import EpochRecords
from barnabas.coordinator.group.share.member import ShareMember
from barnabas.coordinator.group.share.state_partitions import StatePartitions, Topics
from barnabas.coordinator.machine import Record
from barnabas.protocol.generated import share_group_current_member_assignment_value as current_assignment
from barnabas.protocol.generated import share_group_state_partition_metadata_value as state_metadata
from barnabas.protocol.generated import share_group_target_assignment_member_value as target_assignment
from barnabas.protocol.generated.share_group_member_metadata_value import ShareGroupMemberMetadataValue
from barnabas.protocol.generated.share_group_state_partition_metadata_key import (
    ShareGroupStatePartitionMetadataKey,
)

RECORDS = EpochRecords("ShareGroup")

group_epoch = RECORDS.group_epoch
group_epoch_tombstone = RECORDS.group_epoch_tombstone
target_epoch = RECORDS.target_epoch
target_epoch_tombstone = RECORDS.target_epoch_tombstone
removed_member = RECORDS.removed_member

STABLE = 0
"""The only state of a member that Kafka writes."""


def member_metadata(group_id: str, member: ShareMember) -> Record:
    """What a member has said about itself."""
    value = ShareGroupMemberMetadataValue(
        rack_id=member.rack_id,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=sorted(member.topic_names),
    )
    return RECORDS.member_metadata(group_id, member.member_id, value)


def target(group_id: str, member_id: str, assignment: Assignment) -> Record:
    """What a member is to have."""
    topics = [
        target_assignment.TopicPartition(topic, sorted(assignment[topic])) for topic in sorted(assignment)
    ]
    value = target_assignment.ShareGroupTargetAssignmentMemberValue(topics)
    return RECORDS.target(group_id, member_id, value)


def current(group_id: str, member: ShareMember) -> Record:
    """What a member has."""
    assigned = member.assigned
    value = current_assignment.ShareGroupCurrentMemberAssignmentValue(
        member_epoch=member.member_epoch,
        previous_member_epoch=member.previous_member_epoch,
        state=STABLE,
        assigned_partitions=[
            current_assignment.TopicPartitions(topic, sorted(assigned[topic])) for topic in sorted(assigned)
        ],
    )
    return RECORDS.current(group_id, member.member_id, value)


def state(group_id: str, partitions: StatePartitions) -> Record:
    """The partitions that the share coordinator knows the group in."""
    value = state_metadata.ShareGroupStatePartitionMetadataValue(
        initializing_topics=_infos(partitions.initializing),
        initialized_topics=_infos(partitions.initialized),
        deleting_topics=[
            state_metadata.TopicInfo(topic, partitions.deleting[topic])
            for topic in sorted(partitions.deleting)
        ],
    )
    return Record(ShareGroupStatePartitionMetadataKey(group_id=group_id), value)


def state_tombstone(group_id: str) -> Record:
    """It knows the group nowhere any more."""
    return Record(ShareGroupStatePartitionMetadataKey(group_id=group_id), None)


def _infos(topics: Topics) -> list[state_metadata.TopicPartitionsInfo]:
    return [
        state_metadata.TopicPartitionsInfo(topic, topics[topic].name, sorted(topics[topic].partitions))
        for topic in sorted(topics)
    ]
