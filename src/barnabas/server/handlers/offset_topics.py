"""Topics in requests about offsets: which of them there are, and answers put together from here and from the
coordinator. As in Kafka what is refused here comes first, and a topic is named once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas.protocol import ErrorCode

if TYPE_CHECKING:
    from barnabas._core import MetadataImage, Uuid


class Refused(NamedTuple):
    """Partitions of a topic that are answered without the coordinator."""

    name: str
    topic_id: Uuid
    partitions: list[int]
    code: ErrorCode


class Split(NamedTuple):
    """A request's topics."""

    found: list[Any]
    """With their names and ids, and only those of their partitions that exist."""
    refused: list[Refused]


def split(image: MetadataImage, topics: Sequence[Any], *, by_id: bool) -> Split:
    """Looks up the topics of an OffsetCommit or TxnOffsetCommit; takes out what does not exist."""
    result = Split([], [])
    for topic in topics:
        found = image.topic_by_id(topic.topic_id) if by_id else image.topic(topic.name)
        if found is None:
            code = ErrorCode.UNKNOWN_TOPIC_ID if by_id else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            indexes = [partition.partition_index for partition in topic.partitions]
            result.refused.append(Refused(topic.name, topic.topic_id, indexes, code))
            continue
        missing = [
            partition.partition_index
            for partition in topic.partitions
            if found.partition(partition.partition_index) is None
        ]
        topic.name, topic.topic_id = found.name, found.id
        if missing:
            code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            result.refused.append(Refused(found.name, found.id, missing, code))
            topic.partitions = [one for one in topic.partitions if one.partition_index not in missing]
        if topic.partitions:
            result.found.append(topic)
    return result


def refused_topics(
    refused: Sequence[Refused],
    topic: Callable[..., Any],
    partition: Callable[[int, ErrorCode], Any],
    *,
    by_id: bool,
) -> list[Any]:
    """What is said of refused partitions; `topic` and `partition` are the response's classes."""
    answered = [
        topic(one.name, one.topic_id, [partition(index, one.code) for index in one.partitions])
        for one in refused
    ]
    return merge([], answered, by_id=by_id) if len(answered) > 1 else answered


def failed_topics(
    topics: Sequence[Any], code: int, topic: Callable[..., Any], partition: Callable[[int, int], Any]
) -> list[Any]:
    """One code for each partition of the request."""
    return [
        topic(one.name, one.topic_id, [partition(each.partition_index, code) for each in one.partitions])
        for one in topics
    ]


def merge(first: list[Any], then: Sequence[Any], *, by_id: bool) -> list[Any]:
    """Both lists of a response's topics as one, with each topic once."""
    known = {topic.topic_id if by_id else topic.name: topic for topic in first}
    for topic in then:
        key = topic.topic_id if by_id else topic.name
        before = known.get(key)
        if before is None:
            known[key] = topic
            first.append(topic)
        else:
            before.partitions.extend(topic.partitions)
    return first
