"""TxnOffsetCommit: offsets that count when the producer's transaction commits.

The partition of `__consumer_offsets` must be part of the transaction, or its end would never be told there:
the transaction coordinator is asked, unless the log knows already that the transaction is open (KIP-890).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from barnabas._core import ColdRequest
from barnabas.coordinator.group.requests import TxnCommit
from barnabas.coordinator.records import GROUPS, TRANSACTIONS
from barnabas.coordinator.shard import told_of_append
from barnabas.coordinator.transaction.requests import ProducerIdAndEpoch
from barnabas.errors import KafkaError
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.txn_offset_commit_request import TxnOffsetCommitRequest
from barnabas.protocol.generated.txn_offset_commit_response import (
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)
from barnabas.server import transactions
from barnabas.server.handlers.context import NodeContext, Respond, body, handles_directly
from barnabas.server.handlers.coordinated import client_of
from barnabas.server.handlers.offset_topics import failed_topics, merge, refused_topics, split

LOADING_VERSION = 2
"""Clients before it don't know that a coordinator may be loading."""
ABORTABLE_VERSION = 4
"""Clients before it don't know TRANSACTION_ABORTABLE."""
ADDING_VERSION = 5
"""From here on the partition is added to the transaction with the commit (transaction version 2)."""
TOPIC_ID_VERSION = 6

Answer = Callable[[Any], None]
"""Takes the coordinator's response, or an error for all partitions."""


@handles_directly(ApiKey.TXN_OFFSET_COMMIT)
def txn_offset_commit(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Commits what can be committed."""
    asked = body(request, TxnOffsetCommitRequest)
    by_id = request.api_version >= TOPIC_ID_VERSION
    found, refused = split(node.coordinators.image, asked.topics, by_id=by_id)
    response, part = TxnOffsetCommitResponseTopic, TxnOffsetCommitResponsePartition
    answered = refused_topics(refused, response, part, by_id=by_id)
    if not found:
        respond(TxnOffsetCommitResponse(topics=answered))
        return
    asked.topics = found

    def answer(result: Any) -> None:
        if isinstance(result, KafkaError):
            topics = failed_topics(found, _told(result, request.api_version), response, part)
        else:
            topics = result.topics
        respond(TxnOffsetCommitResponse(topics=merge(answered, topics, by_id=by_id)))

    _verify(node, request, asked, answer)


def _verify(node: NodeContext, request: ColdRequest, asked: TxnOffsetCommitRequest, answer: Answer) -> None:
    """Makes sure that the partition is part of the transaction, then commits."""
    partition = node.coordinators.partition_of(GROUPS, asked.group_id)
    if partition is None:
        answer(KafkaError.for_code(ErrorCode.COORDINATOR_NOT_AVAILABLE))
        return
    adding = request.api_version >= ADDING_VERSION
    code, guard = node.native.begin_verification(
        GROUPS, partition, asked.producer_id, asked.producer_epoch, 2 if adding else 0
    )
    commit = partial(_commit, node, request, asked, partition, guard, answer)
    if code:
        answer(KafkaError.for_code(code))
    elif not guard:
        commit([ErrorCode.NONE])
    elif node.coordinators.image.topic(TRANSACTIONS) is None:
        answer(KafkaError.for_code(ErrorCode.COORDINATOR_NOT_AVAILABLE))
    else:
        transactions.of(node).check(
            asked.transactional_id,
            ProducerIdAndEpoch(asked.producer_id, asked.producer_epoch),
            [(GROUPS, partition)],
            add=adding,
            then=commit,
        )


def _commit(
    node: NodeContext,
    request: ColdRequest,
    asked: TxnOffsetCommitRequest,
    partition: int,
    guard: int,
    answer: Answer,
    codes: list[int],
) -> None:
    if codes[0]:
        answer(KafkaError.for_code(codes[0]))
        return
    node.coordinators.submit_to(GROUPS, partition, TxnCommit(asked, guard), answer, client_of(request))


def _told(error: KafkaError, version: int) -> int:
    """What the client is told; older ones don't know all errors."""
    code = told_of_append(error.error_code)
    if code == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS and version < LOADING_VERSION:
        return ErrorCode.COORDINATOR_NOT_AVAILABLE
    if code == ErrorCode.TRANSACTION_ABORTABLE and version < ABORTABLE_VERSION:
        return ErrorCode.INVALID_TXN_STATE
    return code
