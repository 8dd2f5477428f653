"""ElectLeaders."""

from barnabas._core import ColdRequest
from barnabas.controller import elections
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.elect_leaders_request import ElectLeadersRequest
from barnabas.protocol.generated.elect_leaders_response import ElectLeadersResponse
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.ELECT_LEADERS)
async def elect_leaders(node: NodeContext, request: ColdRequest) -> ElectLeadersResponse:
    """Elects leaders of partitions, each or not."""
    return await node.commit(elections.elect_leaders(node.state(), body(request, ElectLeadersRequest)))
