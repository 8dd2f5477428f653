"""Writes and removes offsets of groups: committed ones, and the start offsets of share groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from barnabas.cli.brokers import Brokers, retried
from barnabas.cli.brokers.cluster import COORDINATOR_ERRORS, GROUP, check
from barnabas.cli.brokers.offsets import Partition
from barnabas.cli.errors import CommandFailed
from barnabas.cli.groups.model import SHARE
from barnabas.cli.groups.plan import Move
from barnabas.errors import GroupSubscribedToTopic, KafkaError, NonEmptyGroup, UnknownMemberId
from barnabas.protocol.generated import alter_share_group_offsets_request as alter_share_
from barnabas.protocol.generated import delete_share_group_offsets_request as delete_share_
from barnabas.protocol.generated import offset_commit_request as commit_
from barnabas.protocol.generated import offset_delete_request as delete_
from barnabas.protocol.generated.alter_share_group_offsets_response import AlterShareGroupOffsetsResponse
from barnabas.protocol.generated.delete_share_group_offsets_response import DeleteShareGroupOffsetsResponse
from barnabas.protocol.generated.offset_commit_response import OffsetCommitResponse
from barnabas.protocol.generated.offset_delete_response import OffsetDeleteResponse

OFFSET_COMMIT_VERSION = 9
"""The last version that names topics instead of giving their ids."""
_BUSY = (GroupSubscribedToTopic, NonEmptyGroup, UnknownMemberId)
"""What a coordinator answers when the group has members."""

Failures = list[tuple[Partition, KafkaError]]


def alter_offsets(brokers: Brokers, name: str, kind: str, moves: Sequence[Move]) -> None:
    """Carries out a plan. CommandFailed says in which partitions it could not be."""
    if kind == SHARE:
        failures = retried(lambda: _alter_share(brokers, name, moves))
    else:
        failures = retried(lambda: _commit(brokers, name, moves))
    _raise_for(failures)


def delete_offsets(brokers: Brokers, name: str, kind: str, places: Sequence[Partition]) -> None:
    """Forgets where a group is; in a share group for whole topics. CommandFailed says where it can't."""
    if kind == SHARE:
        failures = retried(lambda: _delete_share(brokers, name, places))
    else:
        failures = retried(lambda: _delete(brokers, name, places))
    _raise_for(failures)


def explained(error: KafkaError) -> str:
    """What a coordinator's error about a group means to an operator."""
    return "the group has members: stop them first." if isinstance(error, _BUSY) else error.message


def _commit(brokers: Brokers, name: str, moves: Sequence[Move]) -> Failures:
    topics = [
        commit_.OffsetCommitRequestTopic(
            topic,
            partitions=[commit_.OffsetCommitRequestPartition(move.partition, move.new) for move in mine],
        )
        for topic, mine in _by_topic(moves).items()
    ]
    answer = brokers.ask(
        commit_.OffsetCommitRequest(name, topics=topics),
        OffsetCommitResponse,
        node_id=_coordinator(brokers, name),
        highest=OFFSET_COMMIT_VERSION,
    )
    return _failures(
        ((topic.name, one.partition_index), one.error_code, None)
        for topic in answer.topics
        for one in topic.partitions
    )


def _alter_share(brokers: Brokers, name: str, moves: Sequence[Move]) -> Failures:
    topics = [
        alter_share_.AlterShareGroupOffsetsRequestTopic(
            topic,
            [alter_share_.AlterShareGroupOffsetsRequestPartition(move.partition, move.new) for move in mine],
        )
        for topic, mine in _by_topic(moves).items()
    ]
    answer = brokers.ask(
        alter_share_.AlterShareGroupOffsetsRequest(name, topics),
        AlterShareGroupOffsetsResponse,
        node_id=_coordinator(brokers, name),
    )
    _check(name, answer.error_code, answer.error_message)
    return _failures(
        ((topic.topic_name, one.partition_index), one.error_code, one.error_message)
        for topic in answer.responses
        for one in topic.partitions
    )


def _delete(brokers: Brokers, name: str, places: Sequence[Partition]) -> Failures:
    topics: dict[str, list[delete_.OffsetDeleteRequestPartition]] = {}
    for topic, index in places:
        topics.setdefault(topic, []).append(delete_.OffsetDeleteRequestPartition(index))
    answer = brokers.ask(
        delete_.OffsetDeleteRequest(
            name, [delete_.OffsetDeleteRequestTopic(topic, mine) for topic, mine in topics.items()]
        ),
        OffsetDeleteResponse,
        node_id=_coordinator(brokers, name),
    )
    _check(name, answer.error_code)
    return _failures(
        ((topic.name, one.partition_index), one.error_code, None)
        for topic in answer.topics
        for one in topic.partitions
    )


def _delete_share(brokers: Brokers, name: str, places: Sequence[Partition]) -> Failures:
    topics = dict.fromkeys(topic for topic, _ in places)
    answer = brokers.ask(
        delete_share_.DeleteShareGroupOffsetsRequest(
            name, [delete_share_.DeleteShareGroupOffsetsRequestTopic(topic) for topic in topics]
        ),
        DeleteShareGroupOffsetsResponse,
        node_id=_coordinator(brokers, name),
    )
    _check(name, answer.error_code, answer.error_message)
    codes = {topic.topic_name: (topic.error_code, topic.error_message) for topic in answer.responses}
    return _failures((place, *codes.get(place[0], (0, None))) for place in places)


def _coordinator(brokers: Brokers, name: str) -> int:
    return next(iter(brokers.coordinators(GROUP, [name])))


def _check(name: str, error_code: int, message: str | None = None) -> None:
    """Raises CommandFailed for an error that is about the whole group."""
    try:
        check(error_code, message)
    except COORDINATOR_ERRORS:
        raise  # Asked again.
    except KafkaError as error:
        raise CommandFailed(f"{name}: {explained(error)}") from error


def _failures(answers: Iterable[tuple[Partition, int, str | None]]) -> Failures:
    """The partitions with errors. Raises those that a coordinator answers which is not ready."""
    failures: Failures = []
    for place, error_code, message in answers:
        try:
            check(error_code, message)
        except COORDINATOR_ERRORS:
            raise
        except KafkaError as error:
            failures.append((place, error))
    return failures


def _raise_for(failures: Failures) -> None:
    if failures:
        lines = [f"{topic}:{index}: {explained(error)}" for (topic, index), error in failures]
        raise CommandFailed("\n".join(lines))


def _by_topic(moves: Iterable[Move]) -> Mapping[str, list[Move]]:
    topics: dict[str, list[Move]] = {}
    for move in moves:
        topics.setdefault(move.topic, []).append(move)
    return topics
