"""How far groups are: committed offsets, start offsets of share groups, and what lies behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from barnabas.cli.brokers import LATEST, Brokers, list_offsets, retried
from barnabas.cli.brokers.cluster import check
from barnabas.cli.brokers.offsets import Partition
from barnabas.cli.groups.model import SHARE, Group, ListedGroup, Position
from barnabas.protocol.generated.describe_share_group_offsets_request import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
)
from barnabas.protocol.generated.describe_share_group_offsets_response import (
    DescribeShareGroupOffsetsResponse,
)
from barnabas.protocol.generated.offset_fetch_request import OffsetFetchRequest, OffsetFetchRequestGroup
from barnabas.protocol.generated.offset_fetch_response import OffsetFetchResponse

OFFSET_FETCH_VERSION = 9
"""The last version that names topics instead of giving their ids; from 8 on it is about many groups."""


def positions_of(brokers: Brokers, groups: Sequence[Group]) -> dict[str, list[Position]]:
    """The positions of each group, those of partitions without an offset that a member reads among them."""
    found: dict[str, dict[Partition, Position]] = {
        group.name: {
            (topic, index): Position(topic, index, None, None, None)
            for member in group.members
            for topic, partitions in member.assignment.items()
            for index in partitions
        }
        for group in groups
    }
    for (node_id, shared), names in _by_question(groups).items():
        for group, positions in (_share if shared else _committed)(brokers, node_id, names).items():
            found[group].update({position.place: position for position in positions})
    places = {place for positions in found.values() for place in positions}
    ends = list_offsets(brokers, dict.fromkeys(places, LATEST))
    return {
        name: [_with_end(position, ends) for _, position in sorted(positions.items())]
        for name, positions in found.items()
    }


def _by_question(groups: Iterable[Group | ListedGroup]) -> dict[tuple[int, bool], list[str]]:
    found: dict[tuple[int, bool], list[str]] = {}
    for group in groups:
        found.setdefault((group.coordinator, group.kind == SHARE), []).append(group.name)
    return found


def _with_end(position: Position, ends: Mapping[Partition, int]) -> Position:
    end = ends.get(position.place)
    lag = position.lag
    if lag is None and end is not None and position.offset is not None:
        # The commit may be younger than the end that was read before it.
        lag = max(end - position.offset, 0)
    return Position(position.topic, position.partition, position.offset, end, lag, position.metadata)


def _committed(brokers: Brokers, node_id: int, names: Sequence[str]) -> dict[str, list[Position]]:
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(name, topics=None) for name in names])

    def ask() -> OffsetFetchResponse:
        answer = brokers.ask(
            request, OffsetFetchResponse, node_id=node_id, lowest=8, highest=OFFSET_FETCH_VERSION
        )
        for group in answer.groups:
            check(group.error_code)
        return answer

    return {
        group.group_id: [
            Position(topic.name, one.partition_index, one.committed_offset, None, None, one.metadata or "")
            for topic in group.topics
            for one in topic.partitions
            if not one.error_code and one.committed_offset >= 0
        ]
        for group in retried(ask).groups
    }


def _share(brokers: Brokers, node_id: int, names: Sequence[str]) -> dict[str, list[Position]]:
    groups = [DescribeShareGroupOffsetsRequestGroup(name, topics=None) for name in names]

    def ask() -> DescribeShareGroupOffsetsResponse:
        answer = brokers.ask(
            DescribeShareGroupOffsetsRequest(groups), DescribeShareGroupOffsetsResponse, node_id=node_id
        )
        for group in answer.groups:
            check(group.error_code, group.error_message)
        return answer

    return {
        group.group_id: [
            Position(
                topic.topic_name,
                one.partition_index,
                one.start_offset if one.start_offset >= 0 else None,
                None,
                one.lag if one.lag >= 0 else None,
            )
            for topic in group.topics
            for one in topic.partitions
            if not one.error_code
        ]
        for group in retried(ask).groups
    }
