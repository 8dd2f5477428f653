"""Log-in, ACLs and delegation tokens of a node that has none of them.

Answered as Kafka does on a PLAINTEXT listener and without an authorizer.
"""

from typing import Any

from barnabas._core import ColdRequest
from barnabas.protocol import ApiKey, ErrorCode, Message, message_class
from barnabas.protocol.generated.create_acls_request import CreateAclsRequest
from barnabas.protocol.generated.create_acls_response import AclCreationResult, CreateAclsResponse
from barnabas.protocol.generated.delete_acls_request import DeleteAclsRequest
from barnabas.protocol.generated.delete_acls_response import DeleteAclsFilterResult, DeleteAclsResponse
from barnabas.protocol.generated.describe_acls_response import DescribeAclsResponse
from barnabas.protocol.generated.sasl_authenticate_response import SaslAuthenticateResponse
from barnabas.protocol.generated.sasl_handshake_response import SaslHandshakeResponse
from barnabas.server.handlers.context import NodeContext, body, handles

NO_AUTHORIZER = "No Authorizer is configured."


@handles(ApiKey.SASL_HANDSHAKE)
async def sasl_handshake(_node: NodeContext, _request: ColdRequest) -> SaslHandshakeResponse:
    """Nobody logs in on a PLAINTEXT listener."""
    return SaslHandshakeResponse(error_code=ErrorCode.ILLEGAL_SASL_STATE)


@handles(ApiKey.SASL_AUTHENTICATE)
async def sasl_authenticate(_node: NodeContext, _request: ColdRequest) -> SaslAuthenticateResponse:
    """Nobody logs in on a PLAINTEXT listener."""
    return SaslAuthenticateResponse(
        error_code=ErrorCode.ILLEGAL_SASL_STATE,
        error_message="SaslAuthenticate was sent to a listener on which nobody logs in.",
    )


@handles(ApiKey.DESCRIBE_ACLS)
async def describe_acls(_node: NodeContext, _request: ColdRequest) -> DescribeAclsResponse:
    """No ACLs here."""
    return DescribeAclsResponse(error_code=ErrorCode.SECURITY_DISABLED, error_message=NO_AUTHORIZER)


@handles(ApiKey.CREATE_ACLS)
async def create_acls(_node: NodeContext, request: ColdRequest) -> CreateAclsResponse:
    """No ACLs here."""
    return CreateAclsResponse(
        results=[
            AclCreationResult(error_code=ErrorCode.SECURITY_DISABLED, error_message=NO_AUTHORIZER)
            for _ in body(request, CreateAclsRequest).creations
        ]
    )


@handles(ApiKey.DELETE_ACLS)
async def delete_acls(_node: NodeContext, request: ColdRequest) -> DeleteAclsResponse:
    """No ACLs here."""
    return DeleteAclsResponse(
        filter_results=[
            DeleteAclsFilterResult(error_code=ErrorCode.SECURITY_DISABLED, error_message=NO_AUTHORIZER)
            for _ in body(request, DeleteAclsRequest).filters
        ]
    )


@handles(
    ApiKey.CREATE_DELEGATION_TOKEN,
    ApiKey.RENEW_DELEGATION_TOKEN,
    ApiKey.EXPIRE_DELEGATION_TOKEN,
    ApiKey.DESCRIBE_DELEGATION_TOKEN,
)
async def delegation_tokens(_node: NodeContext, request: ColdRequest) -> Message:
    """Tokens are for authenticated clients; here all are anonymous, which Kafka checks first."""
    response: Any = message_class(request.api_key, response=True)()
    response.error_code = ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
    for name in ("issue_timestamp_ms", "expiry_timestamp_ms", "max_timestamp_ms"):
        if hasattr(response, name):
            setattr(response, name, -1)
    if request.api_key == ApiKey.CREATE_DELEGATION_TOKEN:
        response.principal_type, response.principal_name = "User", "ANONYMOUS"
        if request.api_version >= 3:
            response.token_requester_principal_type = "User"
            response.token_requester_principal_name = "ANONYMOUS"
    answer: Message = response
    return answer
