"""DeleteTopics."""

from barnabas._core import ColdRequest
from barnabas.controller import topics
from barnabas.errors import KafkaError
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.delete_topics_request import DeleteTopicsRequest
from barnabas.protocol.generated.delete_topics_response import DeletableTopicResult, DeleteTopicsResponse
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.DELETE_TOPICS)
async def delete_topics(node: NodeContext, request: ColdRequest) -> DeleteTopicsResponse:
    """Deletes topics, each or not."""
    asked = body(request, DeleteTopicsRequest)
    if not node.settings.get_bool("delete.topic.enable"):
        return _disabled(asked, request.api_version)
    return await node.commit(topics.delete_topics(node.state(), asked, request.api_version))


def _disabled(asked: DeleteTopicsRequest, version: int) -> DeleteTopicsResponse:
    # Version 2 has no code of its own for this.
    code = ErrorCode.INVALID_REQUEST if version < 3 else ErrorCode.TOPIC_DELETION_DISABLED
    text = KafkaError.for_code(code).message
    named = [DeletableTopicResult(name=name) for name in asked.topic_names] or [
        DeletableTopicResult(name=topic.name, topic_id=topic.topic_id) for topic in asked.topics
    ]
    for result in named:
        result.error_code, result.error_message = code, text
    return DeleteTopicsResponse(responses=named)
