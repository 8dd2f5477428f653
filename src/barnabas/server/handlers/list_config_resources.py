"""ListConfigResources."""

from barnabas._core import ColdRequest
from barnabas.controller import configs
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.list_config_resources_request import ListConfigResourcesRequest
from barnabas.protocol.generated.list_config_resources_response import ListConfigResourcesResponse
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.LIST_CONFIG_RESOURCES)
async def list_config_resources(node: NodeContext, request: ColdRequest) -> ListConfigResourcesResponse:
    """Resources that can be configured."""
    asked = body(request, ListConfigResourcesRequest)
    image = node.image()
    node_ids = [broker.id for broker in image.brokers()]
    return configs.list_config_resources(image, node_ids, asked, request.api_version)
