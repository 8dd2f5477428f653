"""Which partitions can be queried at which member's endpoint (interactive queries)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.protocol.generated.streams_group_heartbeat_response import (
    Endpoint,
    EndpointToPartitions,
    TopicPartition,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas._core import MetadataImage
    from barnabas.coordinator.group.streams.member import StreamsMember
    from barnabas.coordinator.group.streams.tasks import Partitions
    from barnabas.coordinator.group.streams.topology import Topology


def partitions_by_endpoint(
    members: Iterable[StreamsMember], topology: Topology, image: MetadataImage
) -> list[EndpointToPartitions]:
    """For each member with an endpoint, the partitions that its tasks read."""
    found = []
    for member in members:
        if member.user_endpoint is not None:
            tasks = member.assigned.tasks()
            active, standby = (_read_by(role, topology, image) for role in (tasks.active, tasks.standby))
            found.append(EndpointToPartitions(Endpoint(*member.user_endpoint), active, standby))
    return found


def _read_by(tasks: Partitions, topology: Topology, image: MetadataImage) -> list[TopicPartition]:
    read = []
    for subtopology_id in sorted(tasks):
        one = topology.subtopologies.get(subtopology_id)
        if one is None:
            continue
        for name in sorted({*one.source_topics, *(topic.name for topic in one.repartition_source_topics)}):
            topic = image.topic(name)
            if topic is not None:
                # A subtopology has as many tasks as its widest topic has partitions.
                partitions = [
                    index for index in sorted(tasks[subtopology_id]) if index < topic.partition_count
                ]
                read.append(TopicPartition(name, partitions))
    return read
