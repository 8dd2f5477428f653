"""Which partitions a share group has a state of with the share coordinator.

A partition is assigned once its state is initialized. Values are never changed: there is another one instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from barnabas._core import Uuid


class TopicState(NamedTuple):
    """Partitions of one topic."""

    name: str
    partitions: frozenset[int]


Topics = Mapping[Uuid, TopicState]


def _no_topics() -> Topics:
    return {}


def _no_names() -> Mapping[Uuid, str]:
    return {}


@dataclass(frozen=True, slots=True)
class StatePartitions:
    """The state partitions of one group."""

    initializing: Topics = field(default_factory=_no_topics)
    """The share coordinator is asked to begin with these."""
    initialized: Topics = field(default_factory=_no_topics)
    """It has begun with these."""
    deleting: Mapping[Uuid, str] = field(default_factory=_no_names)
    """It is asked to forget these topics; names by id."""

    def known(self, topic_id: Uuid) -> frozenset[int]:
        """Partitions of a topic that are initialized or about to be."""
        empty = TopicState("", frozenset())
        return (
            self.initializing.get(topic_id, empty).partitions
            | self.initialized.get(topic_id, empty).partitions
        )

    def begun(self, topics: Topics) -> StatePartitions:
        """The same while these are being initialized; what was initialized of them no longer counts."""
        return StatePartitions(
            _with(self.initializing, topics), _without(self.initialized, topics), self.deleting
        )

    def done(self, topics: Topics) -> StatePartitions:
        """The same once these are initialized."""
        return StatePartitions(
            _without(self.initializing, topics), _with(self.initialized, topics), self.deleting
        )

    def deletion_begun(self, topics: Mapping[Uuid, str]) -> StatePartitions:
        """The same while the states of whole topics are being deleted."""
        return StatePartitions(
            {topic: state for topic, state in self.initializing.items() if topic not in topics},
            {topic: state for topic, state in self.initialized.items() if topic not in topics},
            {**self.deleting, **topics},
        )

    def deleted(self, topics: Mapping[Uuid, str]) -> StatePartitions:
        """The same when topics are gone for good."""
        return StatePartitions(
            {topic: state for topic, state in self.initializing.items() if topic not in topics},
            {topic: state for topic, state in self.initialized.items() if topic not in topics},
            {topic: name for topic, name in self.deleting.items() if topic not in topics},
        )

    def names(self) -> dict[Uuid, str]:
        """Names of all topics by id."""
        states = {**self.initializing, **self.initialized}
        return {**{topic: state.name for topic, state in states.items()}, **self.deleting}


def _with(topics: Topics, more: Topics) -> Topics:
    result = dict(topics)
    for topic, (name, partitions) in more.items():
        before = result.get(topic)
        result[topic] = TopicState(name, partitions | before.partitions if before else partitions)
    return result


def _without(topics: Topics, less: Topics) -> Topics:
    result = dict(topics)
    for topic, (_, partitions) in less.items():
        if (before := result.get(topic)) is not None:
            left = before.partitions - partitions
            if left:
                result[topic] = TopicState(before.name, left)
            else:
                del result[topic]
    return result
