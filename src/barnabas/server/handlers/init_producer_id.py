"""InitProducerId: an id for idempotent producers, and an epoch of their own for transactional ones."""

from __future__ import annotations

from barnabas._core import ColdRequest
from barnabas.coordinator.transaction.requests import InitProducerId, ProducerIdAndEpoch
from barnabas.coordinator.transaction.state import TIMEOUT_NEVER
from barnabas.errors import KafkaError
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.init_producer_id_request import InitProducerIdRequest
from barnabas.protocol.generated.init_producer_id_response import InitProducerIdResponse
from barnabas.server import transactions
from barnabas.server.handlers.context import NodeContext, body, handles

TRANSACTION_TIMEOUT_MAX = "transaction.max.timeout.ms"
TWO_PHASE_COMMIT = "transaction.two.phase.commit.enable"
FENCED_VERSION_MIN = 4
"""From this version on clients know PRODUCER_FENCED."""


@handles(ApiKey.INIT_PRODUCER_ID)
async def init_producer_id(node: NodeContext, request: ColdRequest) -> InitProducerIdResponse:
    """Without a transactional id there is nothing to continue (KIP-360): a new id with epoch 0."""
    asked = body(request, InitProducerIdRequest)
    try:
        if (problem := _problem(node, asked)) is not None:
            raise KafkaError.for_code(problem)
        given = await _given(node, asked)
    except KafkaError as error:
        knows_fenced = request.api_version >= FENCED_VERSION_MIN
        code = transactions.fenced_code(error, knows_fenced=knows_fenced)
        return InitProducerIdResponse(error_code=code, producer_id=-1, producer_epoch=-1)
    return InitProducerIdResponse(producer_id=given.producer_id, producer_epoch=given.producer_epoch)


def _problem(node: NodeContext, asked: InitProducerIdRequest) -> ErrorCode | None:
    # Both of (id, epoch) are given, or neither.
    if (asked.producer_id == -1) != (asked.producer_epoch == -1):
        return ErrorCode.INVALID_REQUEST
    if asked.transactional_id is None:
        return None
    if not asked.transactional_id:
        return ErrorCode.INVALID_REQUEST
    if asked.enable_2pc and not node.settings[TWO_PHASE_COMMIT]:
        return ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    if asked.keep_prepared_txn:
        return ErrorCode.UNSUPPORTED_VERSION  # As in Kafka up to 4.4: KIP-939 ends here.
    if asked.enable_2pc or 0 < asked.transaction_timeout_ms <= node.settings.get_int(TRANSACTION_TIMEOUT_MAX):
        return None
    return ErrorCode.INVALID_TRANSACTION_TIMEOUT


async def _given(node: NodeContext, asked: InitProducerIdRequest) -> ProducerIdAndEpoch:
    coordinator = transactions.of(node)
    if asked.transactional_id is None:
        return ProducerIdAndEpoch(await coordinator.producer_ids.take(), 0)
    await coordinator.producer_ids.ready()
    expected = ProducerIdAndEpoch(asked.producer_id, asked.producer_epoch)
    timeout_ms = TIMEOUT_NEVER if asked.enable_2pc else asked.transaction_timeout_ms
    call = InitProducerId(asked.transactional_id, timeout_ms, None if asked.producer_id == -1 else expected)
    given: ProducerIdAndEpoch = await coordinator.call(asked.transactional_id, call)
    return given
