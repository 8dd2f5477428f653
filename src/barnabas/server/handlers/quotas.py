"""AlterClientQuotas and DescribeClientQuotas. Quotas are stored; nothing enforces them yet."""

from barnabas._core import ColdRequest
from barnabas.controller import quotas
from barnabas.errors import KafkaError
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.alter_client_quotas_request import AlterClientQuotasRequest
from barnabas.protocol.generated.alter_client_quotas_response import AlterClientQuotasResponse
from barnabas.protocol.generated.describe_client_quotas_request import DescribeClientQuotasRequest
from barnabas.protocol.generated.describe_client_quotas_response import DescribeClientQuotasResponse
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.ALTER_CLIENT_QUOTAS)
async def alter_client_quotas(node: NodeContext, request: ColdRequest) -> AlterClientQuotasResponse:
    """Changes quotas of entities, each or not."""
    return await node.commit(
        quotas.alter_client_quotas(node.state(), body(request, AlterClientQuotasRequest))
    )


@handles(ApiKey.DESCRIBE_CLIENT_QUOTAS)
async def describe_client_quotas(node: NodeContext, request: ColdRequest) -> DescribeClientQuotasResponse:
    """Quotas of the entities that a filter lets through."""
    asked = body(request, DescribeClientQuotasRequest)
    try:
        return quotas.describe_client_quotas(node.image(), asked)
    except KafkaError as error:
        return DescribeClientQuotasResponse(
            error_code=error.error_code, error_message=error.message, entries=None
        )
