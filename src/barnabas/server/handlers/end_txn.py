"""EndTxn: the producer commits or aborts its transaction."""

from __future__ import annotations

from typing import Any

from barnabas._core import ColdRequest
from barnabas.coordinator.transaction.requests import LATE, EndTransaction, ProducerIdAndEpoch
from barnabas.errors import InvalidRequest, KafkaError
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.end_txn_request import EndTxnRequest
from barnabas.protocol.generated.end_txn_response import EndTxnResponse
from barnabas.server import transactions
from barnabas.server.handlers.context import NodeContext, Respond, body, handles_directly

FENCED_VERSION_MIN = 2
"""From this version on clients know PRODUCER_FENCED."""
EPOCH_BUMP_VERSION_MIN = 5
"""From this version on the client's transaction version is 2."""


@handles_directly(ApiKey.END_TXN)
def end_txn(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Answered when the outcome is committed; the markers follow."""
    asked = body(request, EndTxnRequest)

    def then(answer: Any) -> None:
        if answer is LATE:
            respond(None)
        elif isinstance(answer, KafkaError):
            knows_fenced = request.api_version >= FENCED_VERSION_MIN
            respond(EndTxnResponse(error_code=transactions.fenced_code(answer, knows_fenced=knows_fenced)))
        else:
            respond(EndTxnResponse(producer_id=answer.producer_id, producer_epoch=answer.producer_epoch))

    if not asked.transactional_id:
        then(InvalidRequest())
        return
    call = EndTransaction(
        asked.transactional_id,
        ProducerIdAndEpoch(asked.producer_id, asked.producer_epoch),
        asked.committed,
        transaction_version=2 if request.api_version >= EPOCH_BUMP_VERSION_MIN else 0,
        connection=request.connection,
    )
    transactions.of(node).submit(asked.transactional_id, call, then)
