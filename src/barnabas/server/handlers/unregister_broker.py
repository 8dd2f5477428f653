"""UnregisterBroker."""

from barnabas._core import ColdRequest
from barnabas.controller import brokers
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.unregister_broker_request import UnregisterBrokerRequest
from barnabas.protocol.generated.unregister_broker_response import UnregisterBrokerResponse
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.UNREGISTER_BROKER)
async def unregister_broker(node: NodeContext, request: ColdRequest) -> UnregisterBrokerResponse:
    """Forgets a broker that is gone for good."""
    asked = body(request, UnregisterBrokerRequest)
    # Apache Kafka 4.3.1 takes a running broker out too, which then serves nothing until it is restarted.
    if asked.broker_id == node.node_id:
        return UnregisterBrokerResponse(
            error_code=ErrorCode.INVALID_REQUEST,
            error_message=f"Broker {asked.broker_id} is running: stop it before it is unregistered.",
        )
    return await node.commit(brokers.unregister(node.state(), asked.broker_id))
