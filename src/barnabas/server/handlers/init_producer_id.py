"""InitProducerId for idempotent producers; transactional ones wait for the transaction coordinator."""

from __future__ import annotations

import asyncio

from barnabas._core import ColdRequest
from barnabas.controller import producer_ids
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.init_producer_id_request import InitProducerIdRequest
from barnabas.protocol.generated.init_producer_id_response import InitProducerIdResponse
from barnabas.server.handlers.context import NodeContext, PerNode, body, handles

TRANSACTION_TIMEOUT_MAX = "transaction.max.timeout.ms"


class ProducerIds:
    """Ids of this node's current block; a new block is allocated when it is used up, and after a restart."""

    def __init__(self, node: NodeContext) -> None:
        self._node = node
        self._next = self._end = 0
        self._allocation = asyncio.Lock()

    async def take(self) -> int:
        """An id that nobody has."""
        async with self._allocation:
            if self._next == self._end:
                state = self._node.state()
                epoch = state.brokers[state.node_id].epoch
                block = await self._node.commit(producer_ids.allocate(state, state.node_id, epoch))
                self._next = block.producer_id_start
                self._end = self._next + block.producer_id_len
            self._next += 1
            return self._next - 1


_IDS = PerNode(ProducerIds)


@handles(ApiKey.INIT_PRODUCER_ID)
async def init_producer_id(node: NodeContext, request: ColdRequest) -> InitProducerIdResponse:
    """A new id with epoch 0: without a transactional id there is nothing to continue (KIP-360)."""
    asked = body(request, InitProducerIdRequest)
    code = _problem(node, asked)
    if code is not None:
        return InitProducerIdResponse(error_code=code, producer_id=-1, producer_epoch=-1)
    return InitProducerIdResponse(producer_id=await _IDS.of(node).take(), producer_epoch=0)


def _problem(node: NodeContext, asked: InitProducerIdRequest) -> ErrorCode | None:
    # Both of (id, epoch) are given, or neither.
    if (asked.producer_id == -1) != (asked.producer_epoch == -1):
        return ErrorCode.INVALID_REQUEST
    if asked.transactional_id is None:
        return None
    if not asked.transactional_id:
        return ErrorCode.INVALID_REQUEST
    if not 0 < asked.transaction_timeout_ms <= node.settings.get_int(TRANSACTION_TIMEOUT_MAX):
        return ErrorCode.INVALID_TRANSACTION_TIMEOUT
    return ErrorCode.NOT_COORDINATOR
