"""CreatePartitions."""

from barnabas._core import ColdRequest
from barnabas.controller import partitions
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.create_partitions_request import CreatePartitionsRequest
from barnabas.protocol.generated.create_partitions_response import CreatePartitionsResponse
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.CREATE_PARTITIONS)
async def create_partitions(node: NodeContext, request: ColdRequest) -> CreatePartitionsResponse:
    """Adds partitions to topics, each or not."""
    asked = body(request, CreatePartitionsRequest)
    return await node.commit(partitions.create_partitions(node.state(), asked))
