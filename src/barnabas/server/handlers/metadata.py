"""Metadata: topics that are asked for by name and missing are created, then Rust answers.

Kafka answers the first request with UNKNOWN_TOPIC_OR_PARTITION and creates the topic meanwhile; here the
client has its topic at once.
"""

from barnabas._core import ColdRequest
from barnabas.controller import topics
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest
from barnabas.protocol.generated.metadata_request import MetadataRequest
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.METADATA)
async def metadata(node: NodeContext, request: ColdRequest) -> None:
    """Creates what is missing and may be created; topics that can't be are described as unknown."""
    asked = body(request, MetadataRequest)
    names = [topic.name for topic in asked.topics or () if topic.name is not None]
    image = node.image()
    missing = [name for name in topics.auto_created(names) if image.topic(name) is None]
    if missing and node.settings.get_bool("auto.create.topics.enable") and asked.allow_auto_topic_creation:
        creation = CreateTopicsRequest(
            topics=[CreatableTopic(name=name, num_partitions=-1, replication_factor=-1) for name in missing]
        )
        await node.commit(topics.create_topics(node.state(), creation))
    node.answer_natively(request)
