"""AddPartitionsToTxn and AddOffsetsToTxn: what a transaction writes to, said before it is written.

Version 4 and later of the first is what brokers ask each other, for several producers at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from barnabas._core import ColdRequest
from barnabas.coordinator.records import GROUPS, SHARES, TRANSACTIONS
from barnabas.coordinator.transaction.requests import (
    LATE,
    AddPartitions,
    ProducerIdAndEpoch,
    VerifyPartitions,
)
from barnabas.coordinator.transaction.state import TopicPartition
from barnabas.errors import InvalidRequest, KafkaError
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.add_offsets_to_txn_request import AddOffsetsToTxnRequest
from barnabas.protocol.generated.add_offsets_to_txn_response import AddOffsetsToTxnResponse
from barnabas.protocol.generated.add_partitions_to_txn_request import AddPartitionsToTxnRequest
from barnabas.protocol.generated.add_partitions_to_txn_response import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult,
    AddPartitionsToTxnTopicResult,
)
from barnabas.server import transactions
from barnabas.server.handlers.context import NodeContext, Respond, body, handles_directly
from barnabas.server.handlers.coordinated import Gathered

if TYPE_CHECKING:
    from barnabas.protocol.generated.add_partitions_to_txn_request import (
        AddPartitionsToTxnTopic,
        AddPartitionsToTxnTransaction,
    )
    from barnabas.server.coordinators import Then

FENCED_VERSION_MIN = 2
"""From this version on clients know PRODUCER_FENCED."""
BROKERS_VERSION_MIN = 4
"""From this version of AddPartitionsToTxn on brokers ask."""
EPOCH_BUMP_VERSION_MIN = 5
"""From this version of AddPartitionsToTxn on the client's transaction version is 2."""
INTERNAL_TOPICS = frozenset({GROUPS, TRANSACTIONS, SHARES})

Codes = dict[TopicPartition, int]


@handles_directly(ApiKey.ADD_PARTITIONS_TO_TXN)
def add_partitions_to_txn(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """One partition that is wrong and nothing is attempted for the others of its transaction."""
    asked = body(request, AddPartitionsToTxnRequest)
    if request.api_version >= BROKERS_VERSION_MIN:
        answers = Gathered(len(asked.transactions), partial(_respond_to_broker, asked, respond))
        for index, each in enumerate(asked.transactions):
            _of_broker(node, request, each, answers.place(index))
    else:
        _of_client(node, request, asked, respond)


def _of_client(
    node: NodeContext, request: ColdRequest, asked: AddPartitionsToTxnRequest, respond: Respond
) -> None:
    topics = asked.v3_and_below_topics
    partitions = _partitions(topics)

    def then(answer: Any) -> None:
        if answer is LATE:
            respond(None)
            return
        codes = answer if isinstance(answer, dict) else dict.fromkeys(partitions, _code(request, answer))
        respond(AddPartitionsToTxnResponse(results_by_topic_v3_and_below=_results(topics, codes)))

    if refused := _refused(node, partitions, of_client=True):
        then(refused)
        return
    producer = ProducerIdAndEpoch(asked.v3_and_below_producer_id, asked.v3_and_below_producer_epoch)
    _add(node, request, asked.v3_and_below_transactional_id, producer, partitions, then)


def _of_broker(
    node: NodeContext, request: ColdRequest, asked: AddPartitionsToTxnTransaction, done: Then
) -> None:
    partitions = _partitions(asked.topics)
    producer = ProducerIdAndEpoch(asked.producer_id, asked.producer_epoch)

    def then(answer: Any) -> None:
        if isinstance(answer, frozenset):
            abortable = dict.fromkeys(partitions, ErrorCode.TRANSACTION_ABORTABLE)
            done({**abortable, **dict.fromkeys(answer, ErrorCode.NONE)})
        else:
            done(dict.fromkeys(partitions, _code(request, answer)))

    if refused := _refused(node, partitions, of_client=False):
        done(refused)
    elif not asked.verify_only:
        _add(node, request, asked.transactional_id, producer, partitions, then)
    elif not asked.transactional_id:
        then(InvalidRequest())
    else:
        call = VerifyPartitions(asked.transactional_id, producer, frozenset(partitions))
        transactions.of(node).submit(asked.transactional_id, call, then)


def _respond_to_broker(asked: AddPartitionsToTxnRequest, respond: Respond, answers: list[Codes]) -> None:
    respond(
        AddPartitionsToTxnResponse(
            results_by_transaction=[
                AddPartitionsToTxnResult(
                    transactional_id=each.transactional_id, topic_results=_results(each.topics, codes)
                )
                for each, codes in zip(asked.transactions, answers, strict=True)
            ]
        )
    )


def _add(
    node: NodeContext,
    request: ColdRequest,
    transactional_id: str,
    producer: ProducerIdAndEpoch,
    partitions: Sequence[TopicPartition],
    then: Then,
) -> None:
    if not transactional_id:
        then(InvalidRequest())
        return
    of_broker = request.api_key == ApiKey.ADD_PARTITIONS_TO_TXN and request.api_version >= BROKERS_VERSION_MIN
    call = AddPartitions(
        transactional_id,
        producer,
        frozenset(partitions),
        transaction_version=2 if of_broker and request.api_version >= EPOCH_BUMP_VERSION_MIN else 0,
        connection=0 if of_broker else request.connection,
    )
    transactions.of(node).submit(transactional_id, call, then)


def _code(request: ColdRequest, answer: KafkaError | None) -> int:
    if answer is None:
        return ErrorCode.NONE
    return transactions.fenced_code(answer, knows_fenced=request.api_version >= FENCED_VERSION_MIN)


def _refused(node: NodeContext, partitions: Sequence[TopicPartition], *, of_client: bool) -> Codes:
    """An error for each partition when one of them can't be part of a transaction; empty when all can."""
    codes: Codes = {}
    image = node.coordinators.image
    for topic, partition in partitions:
        if of_client and topic in INTERNAL_TOPICS:
            codes[topic, partition] = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        elif (found := image.topic(topic)) is None or found.partition(partition) is None:
            codes[topic, partition] = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if codes:
        for key in partitions:
            codes.setdefault(key, ErrorCode.OPERATION_NOT_ATTEMPTED)
    return codes


def _partitions(topics: Sequence[AddPartitionsToTxnTopic]) -> list[TopicPartition]:
    return [(topic.name, partition) for topic in topics for partition in topic.partitions]


def _results(topics: Sequence[AddPartitionsToTxnTopic], codes: Codes) -> list[AddPartitionsToTxnTopicResult]:
    return [
        AddPartitionsToTxnTopicResult(
            name=topic.name,
            results_by_partition=[
                AddPartitionsToTxnPartitionResult(
                    partition_index=index, partition_error_code=codes[topic.name, index]
                )
                for index in dict.fromkeys(topic.partitions)
            ],
        )
        for topic in topics
    ]


@handles_directly(ApiKey.ADD_OFFSETS_TO_TXN)
def add_offsets_to_txn(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Offsets are records of `__consumer_offsets`, in the partition of their group."""
    asked = body(request, AddOffsetsToTxnRequest)

    def then(answer: Any) -> None:
        respond(None if answer is LATE else AddOffsetsToTxnResponse(error_code=_code(request, answer)))

    place = (GROUPS, transactions.offsets_partition(node, asked.group_id))
    producer = ProducerIdAndEpoch(asked.producer_id, asked.producer_epoch)
    _add(node, request, asked.transactional_id, producer, [place], then)
