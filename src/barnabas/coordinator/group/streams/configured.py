"""A topology on the topics that are there: how many tasks it has, and which internal topics have to be made.

Repartition topics have as many partitions as what is written into them, or as the application says; topics
that are joined must have equally many; changelogs have one for each task.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from barnabas.errors import StreamsInvalidTopology

if TYPE_CHECKING:
    from barnabas._core import MetadataImage
    from barnabas.coordinator.group.streams.topology import Topology
    from barnabas.protocol.generated.streams_group_topology_value import Subtopology, TopicInfo

T = TypeVar("T")

NAMES_SHOWN_MAX = 3


class Status(IntEnum):
    """What a member is told about its group, by the numbers on the wire."""

    STALE_TOPOLOGY = 0
    MISSING_SOURCE_TOPICS = 1
    INCORRECTLY_PARTITIONED_TOPICS = 2
    MISSING_INTERNAL_TOPICS = 3
    SHUTDOWN_APPLICATION = 4
    ASSIGNMENT_DELAYED = 5


class Problem(NamedTuple):
    """Why no task can be given out yet."""

    status: Status
    detail: str


class InternalTopic(NamedTuple):
    """A repartition topic or a changelog."""

    name: str
    partition_count: int
    replication_factor: int
    """0 for the broker's default."""
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ConfiguredSubtopology:
    """A subtopology whose topics have numbers of partitions."""

    task_count: int
    repartition_source_topics: Mapping[str, InternalTopic]
    state_changelog_topics: Mapping[str, InternalTopic]

    @property
    def is_stateful(self) -> bool:
        """Whether there is anything that a standby could keep."""
        return bool(self.state_changelog_topics)


@dataclass(frozen=True, slots=True)
class ConfiguredTopology:
    """A topology on the topics of one moment."""

    subtopologies: Mapping[str, ConfiguredSubtopology] = field(default_factory=dict)
    """In order of their ids; none while numbers of partitions can't be told."""
    missing: Mapping[str, InternalTopic] = field(default_factory=dict)
    """Internal topics that have to be made, by name."""
    problem: Problem | None = None

    @property
    def is_ready(self) -> bool:
        """Whether tasks can be given out."""
        return self.problem is None


class _Misconfigured(Exception):
    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(detail)
        self.problem = Problem(status, detail)


def configure(topology: Topology, image: MetadataImage) -> ConfiguredTopology:
    """Configures a topology; raises StreamsInvalidTopology when no topics could make it work."""
    try:
        return _Configuring(topology, image).result()
    except _Misconfigured as error:
        return ConfiguredTopology(problem=error.problem)


class _Configuring:
    def __init__(self, topology: Topology, image: MetadataImage) -> None:
        self._topology = topology
        self._subtopologies = topology.subtopologies.values()
        self._existing: dict[str, int] = {}
        for name in topology.required_topics:
            found = image.topic(name)
            if found is not None:
                self._existing[name] = found.partition_count
        self._decided: dict[str, int] = {}
        """Numbers of partitions of internal topics as they should be."""
        self._fixed = {
            topic.name: topic.partitions
            for one in self._subtopologies
            for topic in one.repartition_source_topics
            if topic.partitions
        }

    def result(self) -> ConfiguredTopology:
        self._require_sources()
        self._decide_repartition_topics()
        for one in self._subtopologies:
            for group in _copartition_groups(one):
                self._decide_copartitioned(group)
        for one in self._subtopologies:
            tasks = self._task_count(one)
            self._decided.update((topic.name, tasks) for topic in one.state_changelog_topics)
        configured = {one.subtopology_id: self._configured(one) for one in self._subtopologies}
        missing = self._missing(configured.values())
        if not missing:
            return ConfiguredTopology(configured)
        detail = f"Internal topics are missing: {_some(missing)}"
        return ConfiguredTopology(configured, missing, Problem(Status.MISSING_INTERNAL_TOPICS, detail))

    def _require_sources(self) -> None:
        missing = {name for one in self._subtopologies for name in one.source_topics} - self._existing.keys()
        if missing:
            detail = f"Source topics {_some(sorted(missing))} are missing."
            raise _Misconfigured(Status.MISSING_SOURCE_TOPICS, detail)

    def _count(self, topic: str) -> int:
        """Partitions that a topic has, or else will have."""
        count = self._existing.get(topic)
        return self._decided[topic] if count is None else count

    # ---- repartition topics

    def _decide_repartition_topics(self) -> None:
        decided = self._decided
        decided.update(self._fixed)
        while undecided := [
            one for one in self._subtopologies if not decided.keys() >= set(one.repartition_sink_topics)
        ]:
            before = len(decided)
            for one in undecided:
                widest = self._widest_source(one)
                if widest:
                    decided.update(
                        (name, widest) for name in one.repartition_sink_topics if name not in decided
                    )
            if len(decided) == before:
                raise StreamsInvalidTopology(
                    "Numbers of partitions of repartition topics can't be told: the topology may have a loop."
                )
        for name in self._repartition_sources():
            if name not in decided:
                raise StreamsInvalidTopology(
                    f"Repartition topic {name} is read but never written: its partitions can't be told."
                )

    def _repartition_sources(self) -> Iterator[str]:
        return (topic.name for one in self._subtopologies for topic in one.repartition_source_topics)

    def _widest_source(self, one: Subtopology) -> int:
        """Most partitions of what the subtopology reads, as far as they are known; 0 when none are."""
        decided = [self._decided.get(topic.name, 0) for topic in one.repartition_source_topics]
        existing = [self._existing[name] for name in one.source_topics]
        return max((*decided, *existing), default=0)

    # ---- topics that are joined

    def _decide_copartitioned(self, group: frozenset[str]) -> None:
        flexible_or_fixed = group & set(self._repartition_sources())
        counts = {name: self._count(name) for name in sorted(group)}
        given = {name: counts[name] for name in counts if name not in flexible_or_fixed}
        if not given:
            given = {name: counts[name] for name in counts if name in self._fixed}
        if len(set(given.values())) > 1:
            shown = ", ".join(f"{name}={given[name]}" for name in given)
            detail = f"Topics that are joined have different numbers of partitions: {shown}."
            raise _Misconfigured(Status.INCORRECTLY_PARTITIONED_TOPICS, detail)
        wanted = max(given.values() or counts.values(), default=0)
        for name in sorted(flexible_or_fixed):
            if self._fixed.get(name, wanted) != wanted:
                raise _Misconfigured(
                    Status.INCORRECTLY_PARTITIONED_TOPICS,
                    f"Repartition topic {name} is to have {self._fixed[name]} partitions, but what it is"
                    f" joined with has {wanted}.",
                )
            self._decided[name] = wanted

    # ---- tasks and internal topics

    def _task_count(self, one: Subtopology) -> int:
        counts = [self._count(name) for name in one.source_topics]
        counts += [self._count(topic.name) for topic in one.repartition_source_topics]
        if not counts:
            raise StreamsInvalidTopology(f"Subtopology {one.subtopology_id} has no source topics.")
        return max(counts)

    def _configured(self, one: Subtopology) -> ConfiguredSubtopology:
        return ConfiguredSubtopology(
            self._task_count(one),
            {topic.name: self._internal(topic) for topic in one.repartition_source_topics},
            {topic.name: self._internal(topic) for topic in one.state_changelog_topics},
        )

    def _internal(self, topic: TopicInfo) -> InternalTopic:
        configs = {config.key: config.value for config in topic.topic_configs}
        count = topic.partitions or self._decided[topic.name]
        if count < 0:
            raise StreamsInvalidTopology(f"Topic {topic.name} can't have {count} partitions.")
        return InternalTopic(topic.name, count, topic.replication_factor, configs)

    def _missing(self, configured: Iterable[ConfiguredSubtopology]) -> dict[str, InternalTopic]:
        internal: dict[str, InternalTopic] = {}
        for one in configured:
            internal.update(one.repartition_source_topics)
            internal.update(one.state_changelog_topics)
        for name in sorted(internal.keys() & self._existing.keys()):
            expected, found = internal.pop(name).partition_count, self._existing[name]
            if expected != found:
                detail = f"Topic {name} has {found} partitions where {expected} are expected."
                raise _Misconfigured(Status.INCORRECTLY_PARTITIONED_TOPICS, detail)
        return {name: internal[name] for name in sorted(internal)}


def _copartition_groups(one: Subtopology) -> Iterator[frozenset[str]]:
    """Names of topics that must have equally many partitions; the subtopology has them by index."""
    for group in one.copartition_groups:
        names = [_at(one.source_topics, index) for index in group.source_topics]
        names += [_at(one.repartition_source_topics, index).name for index in group.repartition_source_topics]
        if names:
            yield frozenset(names)


def _at(items: list[T], index: int) -> T:
    if not 0 <= index < len(items):
        raise StreamsInvalidTopology(f"A copartition group names topic {index} of {len(items)}.")
    return items[index]


def _some(names: Iterable[str]) -> str:
    """A few of many names."""
    shown = list(names)
    more = len(shown) - NAMES_SHOWN_MAX
    listed = ", ".join(shown[:NAMES_SHOWN_MAX])
    return f"{listed} and {more} additional topics" if more > 0 else listed
