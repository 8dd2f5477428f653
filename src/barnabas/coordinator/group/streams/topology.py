"""A topology as the members of a streams group have it: what its subtopologies read, write and keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from barnabas.errors import StreamsInvalidTopology, StreamsInvalidTopologyEpoch
from barnabas.protocol.generated import streams_group_topology_value as value

if TYPE_CHECKING:
    from barnabas.protocol.generated import streams_group_heartbeat_request as request


@dataclass(frozen=True, slots=True)
class Topology:
    """A topology. Never changed."""

    record: value.StreamsGroupTopologyValue
    """As it is written down."""
    subtopologies: Mapping[str, value.Subtopology]
    """In order of their ids."""
    source_topics: Mapping[str, str]
    """The subtopology that reads a topic, by the topic's name; repartition topics are among them."""
    required_topics: frozenset[str]
    """All topics that must be there, by name."""

    @property
    def epoch(self) -> int:
        """Goes up when the application changes its topology."""
        return self.record.epoch

    def is_same(self, other: Topology) -> bool:
        """Whether both say the same, in whatever order of subtopologies."""
        return self.epoch == other.epoch and self.subtopologies == other.subtopologies


def topology_of(record: value.StreamsGroupTopologyValue) -> Topology:
    """The topology that a record holds; raises the KafkaError for what is wrong with it."""
    if record.epoch < 0:
        raise StreamsInvalidTopologyEpoch(f"The topology epoch is {record.epoch}, but can't be negative.")
    by_id = {one.subtopology_id: one for one in record.subtopologies}
    if len(by_id) < len(record.subtopologies):
        raise StreamsInvalidTopology("Two subtopologies have the same id.")
    sources: dict[str, str] = {}
    required: set[str] = set()
    for one in record.subtopologies:
        read = [*one.source_topics, *(topic.name for topic in one.repartition_source_topics)]
        sources.update(dict.fromkeys(read, one.subtopology_id))
        required.update(read, (topic.name for topic in one.state_changelog_topics))
    ordered = {subtopology_id: by_id[subtopology_id] for subtopology_id in sorted(by_id)}
    return Topology(record, ordered, sources, frozenset(required))


def topology_said(said: request.Topology) -> Topology:
    """The topology that a heartbeat holds; raises the KafkaError for what is wrong with it."""
    return topology_of(
        value.StreamsGroupTopologyValue(said.epoch, [_subtopology(one) for one in said.subtopologies])
    )


def _subtopology(said: request.Subtopology) -> value.Subtopology:
    return value.Subtopology(
        subtopology_id=said.subtopology_id,
        source_topics=list(said.source_topics),
        source_topic_regex=list(said.source_topic_regex),
        state_changelog_topics=[_topic(topic) for topic in said.state_changelog_topics],
        repartition_sink_topics=list(said.repartition_sink_topics),
        repartition_source_topics=[_topic(topic) for topic in said.repartition_source_topics],
        copartition_groups=[
            value.CopartitionGroup(
                list(group.source_topics),
                list(group.source_topic_regex),
                list(group.repartition_source_topics),
            )
            for group in said.copartition_groups
        ],
    )


def _topic(said: request.TopicInfo) -> value.TopicInfo:
    configs = [value.TopicConfig(config.key, config.value) for config in said.topic_configs]
    return value.TopicInfo(said.name, said.partitions, said.replication_factor, configs)
