"""Transactions and producers: described, listed, ended from outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from barnabas.clients.admin.partitions_map import Partition, by_topic, pair
from barnabas.clients.operation import Operations, operation
from barnabas.clients.plan import (
    TRANSACTION,
    Ask,
    Plan,
    ask,
    ask_all,
    by_coordinator,
    by_leader,
    each,
    error_of,
    node,
    separately,
)
from barnabas.clients.results import Results
from barnabas.errors import KafkaError
from barnabas.protocol.generated import describe_producers_request
from barnabas.protocol.generated.describe_producers_request import DescribeProducersRequest
from barnabas.protocol.generated.describe_producers_response import DescribeProducersResponse
from barnabas.protocol.generated.describe_transactions_request import DescribeTransactionsRequest
from barnabas.protocol.generated.describe_transactions_response import DescribeTransactionsResponse
from barnabas.protocol.generated.init_producer_id_request import InitProducerIdRequest
from barnabas.protocol.generated.init_producer_id_response import InitProducerIdResponse
from barnabas.protocol.generated.list_transactions_request import ListTransactionsRequest
from barnabas.protocol.generated.metadata_request import MetadataRequest
from barnabas.protocol.generated.metadata_response import MetadataResponse
from barnabas.protocol.generated.write_txn_markers_request import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
)
from barnabas.protocol.generated.write_txn_markers_response import WriteTxnMarkersResponse


@dataclass(frozen=True, slots=True)
class ProducerState:
    """What a partition's leader knows of a producer. Times are milliseconds since 1970."""

    producer_id: int
    producer_epoch: int
    last_sequence: int
    last_timestamp: int
    coordinator_epoch: int | None
    current_transaction_start_offset: int | None
    """None without an open transaction."""


@dataclass(frozen=True, slots=True)
class TransactionDescription:
    """A transaction, as its coordinator has it."""

    coordinator: int
    state: str
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    start_time: int | None
    """Milliseconds since 1970; None without an open transaction."""
    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class TransactionListing:
    """A transactional id that a coordinator knows."""

    transactional_id: str = field(repr=False)
    producer_id: int
    state: str
    coordinator: int


@dataclass(frozen=True, slots=True)
class FencedProducer:
    """The id that the next producer begins after."""

    producer_id: int
    producer_epoch: int


class Transactions(Operations):
    """Operations on transactions and producers."""

    @operation
    def describe_producers(
        self, partitions: Iterable[Partition], *, node_id: int | None = None
    ) -> Plan[Results[Partition, tuple[ProducerState, ...]]]:
        """Producers that have written to partitions lately; as their leaders know them, or another
        replica."""

        def make(some: list[Partition]) -> DescribeProducersRequest:
            topics = [describe_producers_request.TopicRequest(*one) for one in by_topic(some).items()]
            return DescribeProducersRequest(topics)

        wanted = list(map(pair, partitions))
        if node_id is None:
            return (yield from each(wanted, by_leader(), make, _producers))
        target = node(node_id)
        answer = yield from ask(make(wanted), DescribeProducersResponse, target)
        return Results(dict(_producers(answer, wanted)))

    @operation
    def describe_transactions(
        self, transactional_ids: str | Iterable[str]
    ) -> Plan[Results[str, TransactionDescription]]:
        """Transactions, by their producers' transactional ids."""
        ids = [transactional_ids] if isinstance(transactional_ids, str) else list(transactional_ids)

        def read(
            answer: DescribeTransactionsResponse, asked: list[str]
        ) -> Iterator[tuple[str, TransactionDescription | KafkaError]]:
            node_id: int = getattr(asked, "node_id", -1)
            for one in answer.transaction_states:
                yield (
                    one.transactional_id,
                    error_of(one.error_code)
                    or TransactionDescription(
                        node_id,
                        one.transaction_state,
                        one.producer_id,
                        one.producer_epoch,
                        one.transaction_timeout_ms,
                        None if one.transaction_start_time_ms < 0 else one.transaction_start_time_ms,
                        tuple((topic.topic, index) for topic in one.topics for index in topic.partitions),
                    ),
                )

        return (yield from each(ids, by_coordinator(TRANSACTION), DescribeTransactionsRequest, read))

    @operation
    def list_transactions(
        self,
        *,
        states: Iterable[str] = (),
        producer_ids: Iterable[int] = (),
        longer_than_ms: int = -1,
        pattern: str | None = None,
    ) -> Plan[Results[str, TransactionListing]]:
        """Transactional ids that coordinators know: in some states, of some producers, open for longer than a
        time, or whose names match a pattern (RE2)."""
        lowest = 2 if pattern is not None else 1 if longer_than_ms >= 0 else 0
        answer = yield from ask(MetadataRequest([], False), MetadataResponse, lowest=4)
        request = ListTransactionsRequest(states, producer_ids, longer_than_ms, pattern)
        asks = [Ask(request, node(one.node_id), lowest) for one in answer.brokers]
        found = yield from ask_all(asks)
        listed = {
            one.transactional_id: TransactionListing(
                one.transactional_id, one.producer_id, one.transaction_state, asked.to.node
            )
            for asked, reply in zip(asks, found, strict=True)
            for one in reply.transaction_states
        }
        return Results(dict(sorted(listed.items())))

    @operation
    def fence_producers(self, transactional_ids: str | Iterable[str]) -> Plan[Results[str, FencedProducer]]:
        """Shuts out the producers with these transactional ids, and aborts what they have open."""
        ids = [transactional_ids] if isinstance(transactional_ids, str) else list(transactional_ids)
        return (yield from _fenced(ids, self.request_timeout_ms))

    @operation
    def force_terminate_transaction(self, transactional_id: str) -> Plan[None]:
        """Aborts the transaction of a producer that is not to be heard of any more."""
        found = yield from _fenced([transactional_id], self.request_timeout_ms)
        found.check()

    @operation
    def abort_transaction(
        self, partition: Partition, producer_id: int, producer_epoch: int, coordinator_epoch: int
    ) -> Plan[None]:
        """Ends a transaction that hangs in a partition while no coordinator knows of it, with what
        `describe_producers` tells."""
        wanted = pair(partition)
        topic = WritableTxnMarkerTopic(wanted[0], [wanted[1]])
        # A transaction that hangs before its producer's first marker has no coordinator's epoch; 0 fences
        # nobody.
        marker = WritableTxnMarker(producer_id, producer_epoch, False, [topic], max(coordinator_epoch, 0))

        def read(
            answer: WriteTxnMarkersResponse, _: list[Partition]
        ) -> Iterator[tuple[Partition, KafkaError | None]]:
            for one in answer.markers:
                for topic in one.topics:
                    for partition in topic.partitions:
                        yield (topic.name, partition.partition_index), error_of(partition.error_code)

        ended: Plan[Results[Partition, None]] = each(
            [wanted], by_leader(), lambda _: WriteTxnMarkersRequest([marker]), read
        )
        found = yield from ended
        found.check()


def _fenced(ids: list[str], timeout_ms: int) -> Plan[Results[str, FencedProducer]]:
    def make(some: list[str]) -> InitProducerIdRequest:
        return InitProducerIdRequest(some[0], timeout_ms)

    def read(answer: InitProducerIdResponse, asked: list[str]) -> Iterator[tuple[str, FencedProducer]]:
        yield asked[0], FencedProducer(answer.producer_id, answer.producer_epoch)

    return (yield from each(ids, separately(by_coordinator(TRANSACTION)), make, read))


def _producers(
    answer: DescribeProducersResponse, _: list[Partition]
) -> Iterator[tuple[Partition, tuple[ProducerState, ...] | KafkaError]]:
    for topic in answer.topics:
        for one in topic.partitions:
            producers = tuple(
                ProducerState(
                    it.producer_id,
                    it.producer_epoch,
                    it.last_sequence,
                    it.last_timestamp,
                    None if it.coordinator_epoch < 0 else it.coordinator_epoch,
                    None if it.current_txn_start_offset < 0 else it.current_txn_start_offset,
                )
                for it in one.active_producers
            )
            yield (topic.name, one.partition_index), error_of(one.error_code, one.error_message) or producers
