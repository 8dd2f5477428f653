"""Where partitions begin and end, and where in them a point in time is."""

from __future__ import annotations

from collections.abc import Mapping

from barnabas.cli.brokers.cluster import Brokers
from barnabas.protocol.generated.list_offsets_request import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from barnabas.protocol.generated.list_offsets_response import ListOffsetsResponse

LATEST, EARLIEST = -1, -2
"""Timestamps that stand for the end and the beginning of a log."""

Partition = tuple[str, int]
"""Topic and index."""


def list_offsets(brokers: Brokers, timestamps: Mapping[Partition, int]) -> dict[Partition, int]:
    """The first offset whose record is not older, for each partition: LATEST, EARLIEST, or milliseconds since
    1970. Left out is what has none: no such partition, no leader, or no record as young."""
    found: dict[Partition, int] = {}
    for leader, partitions in _by_leader(brokers, timestamps).items():
        topics: dict[str, list[ListOffsetsPartition]] = {}
        for topic, index in partitions:
            asked = ListOffsetsPartition(partition_index=index, timestamp=timestamps[topic, index])
            topics.setdefault(topic, []).append(asked)
        request = ListOffsetsRequest(
            replica_id=-1, topics=[ListOffsetsTopic(name, asked) for name, asked in topics.items()]
        )
        answer = brokers.ask(request, ListOffsetsResponse, node_id=leader)
        for topic_answer in answer.topics:
            for one in topic_answer.partitions:
                if not one.error_code and one.offset >= 0:
                    found[topic_answer.name, one.partition_index] = one.offset
    return found


def _by_leader(brokers: Brokers, timestamps: Mapping[Partition, int]) -> dict[int, list[Partition]]:
    topics = brokers.topics(topic for topic, _ in timestamps)
    leaders: dict[int, list[Partition]] = {}
    for name, topic in topics.items():
        for partition in topic.partitions:
            place = (name, partition.partition_index)
            if place in timestamps and partition.leader_id in brokers.ids:
                leaders.setdefault(partition.leader_id, []).append(place)
    return leaders
