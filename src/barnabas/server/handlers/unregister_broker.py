"""UnregisterBroker."""

from barnabas._core import ColdRequest
from barnabas.controller import brokers
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.unregister_broker_request import UnregisterBrokerRequest
from barnabas.protocol.generated.unregister_broker_response import UnregisterBrokerResponse
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.UNREGISTER_BROKER)
async def unregister_broker(node: NodeContext, request: ColdRequest) -> UnregisterBrokerResponse:
    """Forgets a broker that is gone for good."""
    asked = body(request, UnregisterBrokerRequest)
    return await node.commit(brokers.unregister(node.state(), asked.broker_id))
