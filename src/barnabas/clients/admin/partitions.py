"""What is in partitions and who leads them: offsets, deleted records, elections, reassignments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum

from barnabas.clients.admin.partitions_map import Partition, by_topic, pair
from barnabas.clients.operation import Operations, operation
from barnabas.clients.plan import CONTROLLER, Plan, ask, at, by_leader, check, each, error_of
from barnabas.clients.results import Results
from barnabas.errors import KafkaError
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.alter_partition_reassignments_request import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from barnabas.protocol.generated.alter_partition_reassignments_response import (
    AlterPartitionReassignmentsResponse,
)
from barnabas.protocol.generated.delete_records_request import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from barnabas.protocol.generated.delete_records_response import DeleteRecordsResponse
from barnabas.protocol.generated.elect_leaders_request import ElectLeadersRequest, TopicPartitions
from barnabas.protocol.generated.elect_leaders_response import ElectLeadersResponse
from barnabas.protocol.generated.list_offsets_request import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from barnabas.protocol.generated.list_offsets_response import ListOffsetsResponse
from barnabas.protocol.generated.list_partition_reassignments_request import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics,
)
from barnabas.protocol.generated.list_partition_reassignments_response import (
    ListPartitionReassignmentsResponse,
)


class OffsetSpec(Enum):
    """A place in a partition; a time in milliseconds since 1970 stands for the first record not older than
    it."""

    LATEST = -1
    EARLIEST = -2
    MAX_TIMESTAMP = -3
    EARLIEST_LOCAL = -4
    LATEST_TIERED = -5
    EARLIEST_PENDING_UPLOAD = -6


_SINCE = {
    OffsetSpec.MAX_TIMESTAMP: 7,
    OffsetSpec.EARLIEST_LOCAL: 8,
    OffsetSpec.LATEST_TIERED: 9,
    OffsetSpec.EARLIEST_PENDING_UPLOAD: 11,
}
"""Versions of ListOffsets from which a broker knows these places."""


class ElectionType(IntEnum):
    """Who may be elected."""

    PREFERRED = 0
    UNCLEAN = 1


@dataclass(frozen=True, slots=True)
class ListedOffset:
    """A place in a partition; offset and timestamp are -1 when no record is as young as was asked."""

    offset: int
    timestamp: int
    leader_epoch: int


@dataclass(frozen=True, slots=True)
class Reassignment:
    """A partition that moves between brokers."""

    replicas: tuple[int, ...]
    adding: tuple[int, ...]
    removing: tuple[int, ...]


class Partitions(Operations):
    """Operations on partitions."""

    @operation
    def list_offsets(
        self, places: Mapping[Partition, OffsetSpec | int], *, read_committed: bool = False
    ) -> Plan[Results[Partition, ListedOffset]]:
        """Offset of a place in each partition; with `read_committed` nothing after the first open
        transaction."""
        wanted = {pair(partition): place for partition, place in places.items()}

        def timestamp(partition: Partition) -> int:
            place = wanted[partition]
            value: int = place.value if isinstance(place, OffsetSpec) else place
            return value

        def make(partitions: list[Partition]) -> ListOffsetsRequest:
            topics = [
                ListOffsetsTopic(
                    topic,
                    [ListOffsetsPartition(index, timestamp=timestamp((topic, index))) for index in some],
                )
                for topic, some in by_topic(partitions).items()
            ]
            return ListOffsetsRequest(-1, int(read_committed), topics, self.request_timeout_ms)

        lowest = max(
            (_SINCE.get(place, 1) for place in wanted.values() if isinstance(place, OffsetSpec)), default=1
        )
        lowest = max(lowest, 2 if read_committed else 1)
        return (yield from each(wanted, by_leader(), make, _offsets, lowest=lowest))

    @operation
    def delete_records(self, before: Mapping[Partition, int]) -> Plan[Results[Partition, int]]:
        """Deletes the records before an offset of each partition; -1 stands for the high watermark. Where
        each partition begins then."""
        wanted = {pair(partition): offset for partition, offset in before.items()}

        def make(partitions: list[Partition]) -> DeleteRecordsRequest:
            topics = [
                DeleteRecordsTopic(
                    topic, [DeleteRecordsPartition(index, wanted[topic, index]) for index in some]
                )
                for topic, some in by_topic(partitions).items()
            ]
            return DeleteRecordsRequest(topics, self.request_timeout_ms)

        return (yield from each(wanted, by_leader(), make, _low_watermarks))

    @operation
    def elect_leaders(
        self,
        partitions: Iterable[Partition] | None = None,
        election_type: ElectionType = ElectionType.PREFERRED,
    ) -> Plan[Results[Partition, None]]:
        """Elects leaders anew; None stands for all partitions. That a partition has the right one already is
        its error (ElectionNotNeeded), unless all were asked for: those are left out then."""
        wanted = None if partitions is None else [pair(partition) for partition in partitions]
        topics = None if wanted is None else [TopicPartitions(*one) for one in by_topic(wanted).items()]
        request = ElectLeadersRequest(int(election_type), topics, self.request_timeout_ms)
        lowest = 0 if election_type is ElectionType.PREFERRED else 1
        answer = yield from ask(request, ElectLeadersResponse, CONTROLLER, lowest=lowest)
        outcomes: dict[Partition, KafkaError | None] = {}
        for topic in answer.replica_election_results:
            for one in topic.partition_result:
                if wanted is None and one.error_code == ErrorCode.ELECTION_NOT_NEEDED:
                    continue
                outcomes[topic.topic, one.partition_id] = error_of(one.error_code, one.error_message)
        return Results(outcomes)

    @operation
    def alter_partition_reassignments(
        self,
        replicas: Mapping[Partition, Sequence[int] | None],
        *,
        allow_replication_factor_change: bool = True,
    ) -> Plan[Results[Partition, None]]:
        """Moves partitions to other brokers; None gives up a move that is under way."""
        wanted = {pair(partition): brokers for partition, brokers in replicas.items()}

        def make(partitions: list[Partition]) -> AlterPartitionReassignmentsRequest:
            topics = [
                ReassignableTopic(
                    topic, [ReassignablePartition(index, wanted[topic, index]) for index in some]
                )
                for topic, some in by_topic(partitions).items()
            ]
            return AlterPartitionReassignmentsRequest(
                self.request_timeout_ms, allow_replication_factor_change, topics
            )

        def read(
            answer: AlterPartitionReassignmentsResponse, _: list[Partition]
        ) -> Iterator[tuple[Partition, KafkaError | None]]:
            for topic in answer.responses:
                for one in topic.partitions:
                    yield (topic.name, one.partition_index), error_of(one.error_code, one.error_message)

        lowest = 0 if allow_replication_factor_change else 1
        return (yield from each(wanted, at(CONTROLLER), make, read, lowest=lowest))

    @operation
    def list_partition_reassignments(
        self, partitions: Iterable[Partition] | None = None
    ) -> Plan[Results[Partition, Reassignment]]:
        """Partitions that are on the move, of all or of some."""
        topics = None
        if partitions is not None:
            grouped = by_topic(map(pair, partitions))
            topics = [ListPartitionReassignmentsTopics(*one) for one in grouped.items()]
        request = ListPartitionReassignmentsRequest(self.request_timeout_ms, topics)
        answer = yield from ask(request, ListPartitionReassignmentsResponse, CONTROLLER)
        check(answer.error_code, answer.error_message)
        return Results(
            {
                (topic.name, one.partition_index): Reassignment(
                    tuple(one.replicas), tuple(one.adding_replicas), tuple(one.removing_replicas)
                )
                for topic in answer.topics
                for one in topic.partitions
            }
        )


def _offsets(
    answer: ListOffsetsResponse, _: list[Partition]
) -> Iterator[tuple[Partition, ListedOffset | KafkaError]]:
    for topic in answer.topics:
        for one in topic.partitions:
            found = ListedOffset(one.offset, one.timestamp, one.leader_epoch)
            yield (topic.name, one.partition_index), error_of(one.error_code) or found


def _low_watermarks(
    answer: DeleteRecordsResponse, _: list[Partition]
) -> Iterator[tuple[Partition, int | KafkaError]]:
    for topic in answer.topics:
        for one in topic.partitions:
            yield (topic.name, one.partition_index), error_of(one.error_code) or one.low_watermark
