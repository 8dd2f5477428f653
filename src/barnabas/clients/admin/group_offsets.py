"""Committed offsets of groups, and where share groups begin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from barnabas.clients.admin.group_model import CommittedOffset, ShareOffset
from barnabas.clients.admin.partitions_map import Partition, by_topic, pair
from barnabas.clients.operation import Operations, operation
from barnabas.clients.plan import Plan, by_coordinator, each, error_of, separately
from barnabas.clients.results import Results
from barnabas.errors import KafkaError, UnsupportedVersion
from barnabas.protocol.generated import (
    alter_share_group_offsets_request as alter_share,
)
from barnabas.protocol.generated import (
    delete_share_group_offsets_request as delete_share,
)
from barnabas.protocol.generated import (
    describe_share_group_offsets_request as describe_share,
)
from barnabas.protocol.generated import (
    offset_commit_request as commit,
)
from barnabas.protocol.generated import (
    offset_delete_request as delete,
)
from barnabas.protocol.generated import (
    offset_fetch_request as fetch,
)

BY_NAME_HIGHEST = 9
"""From version 10 on OffsetFetch and OffsetCommit name topics by their ids, which the caller need not
know."""

Offsets = Results[Partition, CommittedOffset | None]
"""Committed offsets by partition; None where there is none."""


class GroupOffsets(Operations):
    """Operations on offsets of groups."""

    @operation
    def list_consumer_group_offsets(
        self,
        groups: str | Iterable[str] | Mapping[str, Iterable[Partition] | None],
        *,
        require_stable: bool = False,
    ) -> Plan[Results[str, Offsets]]:
        """Committed offsets of groups: all of them, or with a mapping those of some partitions.
        `require_stable` waits for transactions that are committing some."""
        return (yield from _fetched(groups, require_stable))

    @operation
    def list_streams_group_offsets(
        self, groups: str | Iterable[str] | Mapping[str, Iterable[Partition] | None]
    ) -> Plan[Results[str, Offsets]]:
        """Committed offsets of streams groups."""
        return (yield from _fetched(groups, False))

    @operation
    def alter_consumer_group_offsets(
        self, group_id: str, offsets: Mapping[Partition, int | CommittedOffset]
    ) -> Plan[Results[Partition, None]]:
        """Commits offsets in the name of a group, which must have no members."""
        return (yield from _committed(group_id, offsets))

    @operation
    def alter_streams_group_offsets(
        self, group_id: str, offsets: Mapping[Partition, int | CommittedOffset]
    ) -> Plan[Results[Partition, None]]:
        """Commits offsets in the name of a streams group, which must have no members."""
        return (yield from _committed(group_id, offsets))

    @operation
    def delete_consumer_group_offsets(
        self, group_id: str, partitions: Iterable[Partition]
    ) -> Plan[Results[Partition, None]]:
        """Forgets committed offsets of topics that no member reads."""
        return (yield from _deleted(group_id, partitions))

    @operation
    def delete_streams_group_offsets(
        self, group_id: str, partitions: Iterable[Partition]
    ) -> Plan[Results[Partition, None]]:
        """Forgets committed offsets of a streams group."""
        return (yield from _deleted(group_id, partitions))

    @operation
    def list_share_group_offsets(
        self, groups: str | Iterable[str] | Mapping[str, Iterable[Partition] | None]
    ) -> Plan[Results[str, Results[Partition, ShareOffset | None]]]:
        """Where share groups begin in partitions; None where that is not decided yet."""
        wanted = _wanted(groups)

        def make(some: list[str]) -> describe_share.DescribeShareGroupOffsetsRequest:
            return describe_share.DescribeShareGroupOffsetsRequest(
                [
                    describe_share.DescribeShareGroupOffsetsRequestGroup(
                        group, _topics(wanted[group], describe_share.DescribeShareGroupOffsetsRequestTopic)
                    )
                    for group in some
                ]
            )

        return (yield from each(wanted, by_coordinator(), make, _share_offsets))

    @operation
    def alter_share_group_offsets(
        self, group_id: str, offsets: Mapping[Partition, int]
    ) -> Plan[Results[Partition, None]]:
        """Lets a share group without members begin elsewhere."""
        wanted = {pair(partition): offset for partition, offset in offsets.items()}
        topics = [
            alter_share.AlterShareGroupOffsetsRequestTopic(
                topic,
                [
                    alter_share.AlterShareGroupOffsetsRequestPartition(index, wanted[topic, index])
                    for index in some
                ],
            )
            for topic, some in by_topic(wanted).items()
        ]
        request = alter_share.AlterShareGroupOffsetsRequest(group_id, topics)

        def read(answer: Any, _: list[str]) -> Iterator[tuple[str, Any]]:
            yield (
                group_id,
                {
                    (topic.topic_name, one.partition_index): error_of(one.error_code, one.error_message)
                    for topic in answer.responses
                    for one in topic.partitions
                },
            )

        found = yield from each([group_id], by_coordinator(), lambda _: request, read)
        return Results(found[group_id])

    @operation
    def delete_share_group_offsets(self, group_id: str, topics: Iterable[str]) -> Plan[Results[str, None]]:
        """Forgets where a share group without members is in topics."""
        request = delete_share.DeleteShareGroupOffsetsRequest(
            group_id, [delete_share.DeleteShareGroupOffsetsRequestTopic(topic) for topic in topics]
        )

        def read(answer: Any, _: list[str]) -> Iterator[tuple[str, Any]]:
            yield (
                group_id,
                {one.topic_name: error_of(one.error_code, one.error_message) for one in answer.responses},
            )

        found = yield from each([group_id], by_coordinator(), lambda _: request, read)
        return Results(found[group_id])


Wanted = dict[str, list[Partition] | None]


def _wanted(groups: str | Iterable[str] | Mapping[str, Iterable[Partition] | None]) -> Wanted:
    if isinstance(groups, Mapping):
        return {name: None if some is None else list(map(pair, some)) for name, some in groups.items()}
    return dict.fromkeys([groups] if isinstance(groups, str) else groups)


def _topics(partitions: list[Partition] | None, kind: Any) -> list[Any] | None:
    if partitions is None:
        return None
    return [kind(name, partitions=some) for name, some in by_topic(partitions).items()]


def _fetched(
    groups: str | Iterable[str] | Mapping[str, Iterable[Partition] | None], require_stable: bool
) -> Plan[Results[str, Offsets]]:
    wanted = _wanted(groups)
    lowest = 7 if require_stable else 0

    def fetch_group(group: str) -> fetch.OffsetFetchRequestGroup:
        partitions = wanted[group]
        topics = None
        if partitions is not None:
            topics = [
                fetch.OffsetFetchRequestTopics(name, partition_indexes=some)
                for name, some in by_topic(partitions).items()
            ]
        return fetch.OffsetFetchRequestGroup(group, topics=topics)

    def make(some: list[str]) -> fetch.OffsetFetchRequest:
        return fetch.OffsetFetchRequest(groups=map(fetch_group, some), require_stable=require_stable)

    def make_one(some: list[str]) -> fetch.OffsetFetchRequest:
        one = fetch_group(some[0])
        topics = None
        if one.topics is not None:
            topics = [
                fetch.OffsetFetchRequestTopic(topic.name, topic.partition_indexes) for topic in one.topics
            ]
        return fetch.OffsetFetchRequest(one.group_id, topics, require_stable=require_stable)

    place = by_coordinator()
    results = yield from each(wanted, place, make, _offsets, lowest=8, highest=BY_NAME_HIGHEST)
    if any(isinstance(error, UnsupportedVersion) for error in results.errors.values()):
        # Before Apache Kafka 3.0 one group is asked for at a time.
        return (
            yield from each(wanted, separately(place), make_one, _offsets_of_one, lowest=lowest, highest=7)
        )
    return results


def _offsets(answer: Any, _: list[str]) -> Iterator[tuple[str, Any]]:
    for group in answer.groups:
        yield group.group_id, error_of(group.error_code) or _by_partition(group.topics)


def _offsets_of_one(answer: Any, asked: list[str]) -> Iterator[tuple[str, Any]]:
    yield asked[0], _by_partition(answer.topics)


def _by_partition(topics: Iterable[Any]) -> Offsets:
    offsets: dict[Partition, Any] = {}
    for topic in topics:
        for one in topic.partitions:
            found = None
            if one.committed_offset >= 0:
                epoch = None if one.committed_leader_epoch < 0 else one.committed_leader_epoch
                found = CommittedOffset(one.committed_offset, epoch, one.metadata or "")
            offsets[topic.name, one.partition_index] = error_of(one.error_code) or found
    return Results(offsets)


def _committed(
    group_id: str, offsets: Mapping[Partition, int | CommittedOffset]
) -> Plan[Results[Partition, None]]:
    wanted = {
        pair(partition): CommittedOffset(offset) if isinstance(offset, int) else offset
        for partition, offset in offsets.items()
    }

    def committed(partition: Partition) -> commit.OffsetCommitRequestPartition:
        one = wanted[partition]
        epoch = -1 if one.leader_epoch is None else one.leader_epoch
        return commit.OffsetCommitRequestPartition(partition[1], one.offset, epoch, one.metadata)

    topics = [
        commit.OffsetCommitRequestTopic(name, partitions=[committed((name, index)) for index in some])
        for name, some in by_topic(wanted).items()
    ]
    request = commit.OffsetCommitRequest(group_id, topics=topics)
    return (yield from _of_group(group_id, request, BY_NAME_HIGHEST))


def _deleted(group_id: str, partitions: Iterable[Partition]) -> Plan[Results[Partition, None]]:
    topics = [
        delete.OffsetDeleteRequestTopic(name, map(delete.OffsetDeleteRequestPartition, some))
        for name, some in by_topic(map(pair, partitions)).items()
    ]
    return (yield from _of_group(group_id, delete.OffsetDeleteRequest(group_id, topics)))


def _of_group(group_id: str, request: Any, highest: int = 32767) -> Plan[Results[Partition, None]]:
    """A request to a group's coordinator whose answer has errors by partition. What the coordinator can't do
    yet is said of all partitions alike, and tried again."""

    def read(answer: Any, _: list[str]) -> Iterator[tuple[str, Any]]:
        found = {
            (topic.name, one.partition_index): error_of(one.error_code)
            for topic in answer.topics
            for one in topic.partitions
        }
        errors = set(map(type, found.values()))
        first = next(iter(found.values()), None)
        yield group_id, first if len(errors) == 1 and first is not None else found

    found = yield from each([group_id], by_coordinator(), lambda _: request, read, highest=highest)
    if error := found.errors.get(group_id):
        if isinstance(error, KafkaError):
            partitions = (
                (topic.name, one.partition_index) for topic in request.topics for one in topic.partitions
            )
            return Results(dict.fromkeys(partitions, error))
        raise error
    return Results(found[group_id])


def _share_offsets(answer: Any, _: list[str]) -> Iterator[tuple[str, Any]]:
    for group in answer.groups:
        offsets: dict[Partition, Any] = {}
        for topic in group.topics:
            for one in topic.partitions:
                found = None
                if one.start_offset >= 0:
                    epoch = None if one.leader_epoch < 0 else one.leader_epoch
                    found = ShareOffset(one.start_offset, epoch, None if one.lag < 0 else one.lag)
                error = error_of(one.error_code, one.error_message)
                offsets[topic.topic_name, one.partition_index] = error or found
        yield group.group_id, error_of(group.error_code, group.error_message) or Results(offsets)
