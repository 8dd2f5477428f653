"""Requests about topics and their partitions."""

from __future__ import annotations

from typing import Any

from barnabas.protocol import Message
from barnabas.protocol.generated import (
    alter_partition_reassignments_request as reassign_,
)
from barnabas.protocol.generated import (
    create_partitions_request as create_partitions_,
)
from barnabas.protocol.generated import (
    create_topics_request as create_topics_,
)
from barnabas.protocol.generated import (
    delete_topics_request as delete_topics_,
)
from barnabas.protocol.generated import (
    describe_topic_partitions_request as describe_,
)
from barnabas.protocol.generated import (
    elect_leaders_request as elect_,
)
from barnabas.protocol.generated import (
    list_partition_reassignments_request as list_,
)
from barnabas.protocol.generated import (
    metadata_request as metadata_,
)
from tests.conformance.differential.generate_configs import topic_config
from tests.conformance.differential.world import INTS, World


def metadata(world: World, version: int) -> Message:
    def topic() -> Any:
        name = world.topic()
        if version >= 10 and world.often(0.4):
            return metadata_.MetadataRequestTopic(world.topic_id(name), None if world.often(0.9) else name)  # type: ignore[arg-type]
        return metadata_.MetadataRequestTopic(name=name)

    request = metadata_.MetadataRequest(topics=world.some(topic))
    if version >= 1 and world.often(0.15):
        request.topics = None
    if version >= 4:
        request.allow_auto_topic_creation = world.often(0.3)
    if version >= 8:
        request.include_topic_authorized_operations = world.often(0.3)
        request.include_cluster_authorized_operations = version <= 10 and world.often(0.3)
    return request


def create_topics(world: World, version: int) -> Message:
    def assignment(index: int) -> Any:
        replicas = [1] if world.often(0.85) else world.pick([], [1, 1], [2], [1, 2], [-1])
        index = index if world.often(0.93) else world.pick(-1, 0, 1, 7)
        return create_topics_.CreatableReplicaAssignment(index, replicas)

    def topic() -> Any:
        name = world.topic(new=True)
        configs = [
            create_topics_.CreatableTopicConfig(*topic_config(world))
            for _ in range(world.pick(0, 0, 0, 1, 1, 2))
        ]
        if name == "compacted" and world.often(0.9):
            configs.append(create_topics_.CreatableTopicConfig("cleanup.policy", "compact"))
        if world.often(0.2):
            assignments = [assignment(index) for index in range(world.pick(1, 1, 2, 3))]
            count, factor = (-1, -1) if world.often(0.9) else (1, 1)
            return create_topics_.CreatableTopic(name, count, factor, assignments, configs)
        count = world.pick(1, 1, 2, 3, -1) if world.often(0.95) else world.pick(0, -2, -(2**31))
        factor = world.pick(1, 1, 1, -1) if world.often(0.95) else world.pick(0, 2, 3, -2, 32767, -32768)
        return create_topics_.CreatableTopic(name, count, factor, [], configs)

    return create_topics_.CreateTopicsRequest(world.some(topic), 10_000, world.often(0.1))


def delete_topics(world: World, version: int) -> Message:
    if version < 6:
        return delete_topics_.DeleteTopicsRequest(
            topic_names=world.some(world.topic, most=2), timeout_ms=10_000
        )

    def topic() -> Any:
        name = world.topic()
        if world.often(0.5):
            return delete_topics_.DeleteTopicState(name)
        by_both = world.often(0.05)
        return delete_topics_.DeleteTopicState(name if by_both else None, world.topic_id(name))  # type: ignore[arg-type]

    made = world.some(topic, most=2)
    if world.often(0.02):
        made.append(delete_topics_.DeleteTopicState(None))
    return delete_topics_.DeleteTopicsRequest(topics=made, timeout_ms=10_000)


def create_partitions(world: World, version: int) -> Message:
    def topic() -> Any:
        name = world.topic()
        have = world.topics.get(name, 1)
        count = world.pick(have + 1, have + 2, have, have - 1) if have < 6 else have
        if world.often(0.05):
            count = world.pick(0, -1, -(2**31))
        assignments = None
        if world.often(0.2):
            lengths = max(0, min(count - have, 3)) if world.often(0.8) else world.pick(0, 1, 2)
            assignments = [
                create_partitions_.CreatePartitionsAssignment(
                    [1] if world.often(0.9) else world.pick([2], [1, 1], [], [1, 2])
                )
                for _ in range(lengths)
            ]
        return create_partitions_.CreatePartitionsTopic(name, count, assignments)

    return create_partitions_.CreatePartitionsRequest(world.some(topic, most=2), 10_000, world.often(0.2))


def describe_topic_partitions(world: World, version: int) -> Message:
    cursor = None
    if world.often(0.3):
        name = world.topic()
        cursor = describe_.Cursor(name, world.pick(world.partition(name), 0))
    return describe_.DescribeTopicPartitionsRequest(
        topics=world.some(lambda: describe_.TopicRequest(world.topic()), none_in=0.3),
        response_partition_limit=2000 if world.often(0.6) else world.pick(1, 2, 3, 0, -1),
        cursor=cursor,
    )


def elect_leaders(world: World, version: int) -> Message:
    def topic() -> Any:
        name = world.topic()
        return elect_.TopicPartitions(name, world.some(lambda: world.partition(name)))

    topics = None if world.often(0.1) else world.some(topic)
    election = world.pick(0, 0, 1) if world.often(0.95) else world.pick(2, -1)
    return elect_.ElectLeadersRequest(election if version >= 1 else 0, topics, 10_000)


def reassign(world: World, version: int) -> Message:
    def partition(name: str) -> Any:
        replicas = world.pick([1], None) if world.often(0.7) else world.pick([], [2], [1, 2], [1, 1], [-1])
        return reassign_.ReassignablePartition(world.partition(name), replicas)

    def topic() -> Any:
        name = world.topic()
        return reassign_.ReassignableTopic(name, world.some(lambda: partition(name)))

    allow = version < 1 or world.often(0.7)
    return reassign_.AlterPartitionReassignmentsRequest(10_000, allow, world.some(topic))


def list_reassignments(world: World, version: int) -> Message:
    def topic() -> Any:
        name = world.topic()
        return list_.ListPartitionReassignmentsTopics(name, world.some(lambda: world.partition(name)))

    timeout = 10_000 if world.often(0.98) else world.pick(*INTS[3:])
    return list_.ListPartitionReassignmentsRequest(timeout, None if world.often(0.3) else world.some(topic))
