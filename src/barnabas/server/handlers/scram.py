"""AlterUserScramCredentials and DescribeUserScramCredentials. Nobody can log in with them yet."""

from barnabas._core import ColdRequest
from barnabas.controller import scram
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.alter_user_scram_credentials_request import AlterUserScramCredentialsRequest
from barnabas.protocol.generated.alter_user_scram_credentials_response import (
    AlterUserScramCredentialsResponse,
)
from barnabas.protocol.generated.describe_user_scram_credentials_request import (
    DescribeUserScramCredentialsRequest,
)
from barnabas.protocol.generated.describe_user_scram_credentials_response import (
    DescribeUserScramCredentialsResponse,
)
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.ALTER_USER_SCRAM_CREDENTIALS)
async def alter_user_scram_credentials(
    node: NodeContext, request: ColdRequest
) -> AlterUserScramCredentialsResponse:
    """Changes credentials of users, each or not."""
    asked = body(request, AlterUserScramCredentialsRequest)
    return await node.commit(scram.alter_user_scram_credentials(node.state(), asked))


@handles(ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS)
async def describe_user_scram_credentials(
    node: NodeContext, request: ColdRequest
) -> DescribeUserScramCredentialsResponse:
    """Mechanisms and iterations of users."""
    asked = body(request, DescribeUserScramCredentialsRequest)
    return scram.describe_user_scram_credentials(node.image(), asked)
