"""CreateTopics."""

from barnabas._core import ColdRequest
from barnabas.controller import topics
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.create_topics_request import CreateTopicsRequest
from barnabas.protocol.generated.create_topics_response import CreateTopicsResponse
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.CREATE_TOPICS)
async def create_topics(node: NodeContext, request: ColdRequest) -> CreateTopicsResponse:
    """Creates topics, each or not."""
    return await node.commit(topics.create_topics(node.state(), body(request, CreateTopicsRequest)))
