"""Ends transactions: through their coordinator by name, or with a marker where there is none to ask."""

from __future__ import annotations

from barnabas.cli.brokers import Brokers, retried
from barnabas.cli.brokers.cluster import TRANSACTION, check
from barnabas.cli.brokers.offsets import Partition
from barnabas.cli.errors import CommandFailed
from barnabas.cli.transactions.asking import describe_producers, leader
from barnabas.cli.transactions.model import Producer
from barnabas.errors import KafkaError
from barnabas.protocol.generated.init_producer_id_request import InitProducerIdRequest
from barnabas.protocol.generated.init_producer_id_response import InitProducerIdResponse
from barnabas.protocol.generated.write_txn_markers_request import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
)
from barnabas.protocol.generated.write_txn_markers_response import WriteTxnMarkersResponse

TIMEOUT_MS = 60_000
"""Of the transaction that the next producer would begin if it did not say otherwise; each does."""


def fence(brokers: Brokers, name: str) -> InitProducerIdResponse:
    """Aborts what is open under a transactional id, and shuts out the producer that has opened it: as a new
    producer with the same id would."""

    def ask() -> InitProducerIdResponse:
        node_id = next(iter(brokers.coordinators(TRANSACTION, [name])))
        answer = brokers.ask(InitProducerIdRequest(name, TIMEOUT_MS), InitProducerIdResponse, node_id=node_id)
        check(answer.error_code)
        return answer

    return retried(ask)


def open_at(brokers: Brokers, place: Partition, start_offset: int) -> Producer:
    """The producer whose open transaction begins at an offset. CommandFailed when there is none."""
    node_id = leader(brokers, place)
    producers = describe_producers(brokers, node_id, [place])
    for producer in producers:
        if producer.start_offset == start_offset:
            return producer
    begun = sorted(producer.start_offset for producer in producers if producer.start_offset is not None)
    known = f"open ones begin at {', '.join(map(str, begun))}" if begun else "none is open"
    raise CommandFailed(
        f"No open transaction begins at offset {start_offset} of {place[0]}:{place[1]}: {known}."
    )


def write_abort_marker(brokers: Brokers, producer: Producer) -> None:
    """Ends a producer's transaction in one partition, without its coordinator."""
    marker = WritableTxnMarker(
        producer.producer_id,
        producer.producer_epoch,
        False,
        [WritableTxnMarkerTopic(producer.topic, [producer.partition])],
        # A transaction that hangs before its producer's first marker has no coordinator's epoch; 0 is then
        # the one that fences nobody.
        max(producer.coordinator_epoch, 0),
    )
    node_id = leader(brokers, producer.place)
    answer = brokers.ask(WriteTxnMarkersRequest([marker]), WriteTxnMarkersResponse, node_id=node_id)
    for result in answer.markers:
        for topic in result.topics:
            for partition in topic.partitions:
                try:
                    check(partition.error_code)
                except KafkaError as error:
                    raise CommandFailed(
                        f"{topic.name}:{partition.partition_index}: {error.message}"
                    ) from error
