"""AllocateProducerIds: blocks of producer ids, none given out twice."""

from __future__ import annotations

from barnabas.controller import brokers
from barnabas.controller.decision import ControllerState, Decision, refuse
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.allocate_producer_ids_response import AllocateProducerIdsResponse
from barnabas.protocol.generated.producer_ids_record import ProducerIdsRecord

BLOCK_SIZE = 1000
PRODUCER_ID_MAX = (1 << 63) - 1


def allocate(
    state: ControllerState, broker_id: int, broker_epoch: int
) -> Decision[AllocateProducerIdsResponse]:
    """The next block, for a broker to hand out by itself. Raises when the broker is not registered so."""
    brokers.check_epoch(state, broker_id, broker_epoch)
    first = state.image.next_producer_id()
    if first > PRODUCER_ID_MAX - BLOCK_SIZE:
        raise refuse(ErrorCode.UNKNOWN_SERVER_ERROR, "All producer ids have been used.")
    record = ProducerIdsRecord(
        broker_id=broker_id, broker_epoch=broker_epoch, next_producer_id=first + BLOCK_SIZE
    )
    response = AllocateProducerIdsResponse(producer_id_start=first, producer_id_len=BLOCK_SIZE)
    return Decision([(record, 0)], response)
