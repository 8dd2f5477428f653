"""FindCoordinator: who leads the partition that a group, transactional id or share key belongs to.

The internal topic is created with the first question about it. Kafka tells that client to ask again later;
here it is told once the partition is served, so that its next request need not be repeated.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from barnabas._core import ColdRequest
from barnabas.controller import topics
from barnabas.coordinator.records import GROUPS, SHARES, TRANSACTIONS
from barnabas.errors import KafkaError
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.create_topics_request import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from barnabas.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from barnabas.protocol.generated.find_coordinator_response import Coordinator, FindCoordinatorResponse
from barnabas.server.handlers.context import NodeContext, PerNode, body, handles

if TYPE_CHECKING:
    from barnabas._core import BrokerImage
    from barnabas.config.settings import BrokerSettings

TOPICS = (GROUPS, TRANSACTIONS, SHARES)
"""By key type."""
SHARE_KEY = 2
SHARE_VERSION = 6
BATCH_VERSION = 4
READY_SECONDS_MAX = 1.0
"""How long a partition that is being loaded is waited for before the client is sent to it all the same."""
SUCCESS_MESSAGE = "NONE"
"""What Kafka's older versions say when nothing is wrong."""

_CREATION = PerNode(lambda _: asyncio.Lock())


@handles(ApiKey.FIND_COORDINATOR)
async def find_coordinator(node: NodeContext, request: ColdRequest) -> FindCoordinatorResponse:
    """One coordinator, or since version 4 as many as there are keys."""
    asked = body(request, FindCoordinatorRequest)
    if request.api_version >= BATCH_VERSION:
        return FindCoordinatorResponse(
            coordinators=[await _find(node, request, asked.key_type, key) for key in asked.coordinator_keys]
        )
    found = await _find(node, request, asked.key_type, asked.key)
    message = KafkaError.for_code(found.error_code).message if found.error_code else SUCCESS_MESSAGE
    return FindCoordinatorResponse(
        error_code=found.error_code,
        error_message=message,
        node_id=found.node_id,
        host=found.host,
        port=found.port,
    )


async def _find(node: NodeContext, request: ColdRequest, key_type: int, key: str) -> Coordinator:
    legal = key_type in (0, 1) or (
        key_type == SHARE_KEY and request.api_version >= SHARE_VERSION and key.count(":") >= 2
    )
    if not legal:
        refused = _nobody(key, ErrorCode.INVALID_REQUEST)
        if not 0 <= key_type < len(TOPICS):
            refused.error_message = KafkaError.for_code(ErrorCode.INVALID_REQUEST).message
        return refused
    topic = TOPICS[key_type]
    if node.image().topic(topic) is None:
        async with _CREATION.of(node):
            # Whoever asked first has created it for all who wait here.
            if node.image().topic(topic) is None:
                await create_internal_topic(node, topic)
    partition = node.coordinators.partition_of(topic, key)
    if partition is None:
        return _nobody(key, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    if (topic, partition) in node.coordinators.epochs and topic in node.coordinators.topics:
        await node.coordinators.ready(topic, partition, READY_SECONDS_MAX)
    broker = _leader(node, topic, partition)
    endpoint = next((one for one in broker.listeners if one[0] == request.listener), None) if broker else None
    if broker is None or endpoint is None:
        return _nobody(key, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    return Coordinator(key=key, node_id=broker.id, host=endpoint[1], port=endpoint[2])


def _nobody(key: str, code: ErrorCode) -> Coordinator:
    return Coordinator(key=key, node_id=-1, port=-1, error_code=code)


def _leader(node: NodeContext, topic: str, partition: int) -> BrokerImage | None:
    image = node.image()
    found = image.topic(topic)
    led = found.partition(partition) if found is not None else None
    broker = image.broker(led.leader) if led is not None and led.leader >= 0 else None
    return None if broker is None or broker.fenced else broker


async def create_internal_topic(node: NodeContext, topic: str) -> None:
    """Creates an internal topic; without enough brokers it stays missing."""
    await node.commit(
        topics.create_topics(node.state(), CreateTopicsRequest(topics=[spec(node.settings, topic)]))
    )


def spec(settings: BrokerSettings, topic: str) -> CreatableTopic:
    """An internal topic as the broker is configured to create it."""
    if topic == GROUPS:
        return _topic(
            topic,
            settings.get_int("offsets.topic.num.partitions"),
            settings.get_int("offsets.topic.replication.factor"),
            {
                "cleanup.policy": "compact",
                "compression.type": "producer",
                "segment.bytes": str(settings.get_int("offsets.topic.segment.bytes")),
            },
        )
    if topic == TRANSACTIONS:
        return _topic(
            topic,
            settings.get_int("transaction.state.log.num.partitions"),
            settings.get_int("transaction.state.log.replication.factor"),
            {
                "cleanup.policy": "compact",
                "compression.type": "uncompressed",
                "min.insync.replicas": str(settings.get_int("transaction.state.log.min.isr")),
                "segment.bytes": str(settings.get_int("transaction.state.log.segment.bytes")),
                "unclean.leader.election.enable": "false",
            },
        )
    return _topic(
        topic,
        settings.get_int("share.coordinator.state.topic.num.partitions"),
        settings.get_int("share.coordinator.state.topic.replication.factor"),
        {
            "cleanup.policy": "delete",
            "compression.type": "producer",
            "min.insync.replicas": str(settings.get_int("share.coordinator.state.topic.min.isr")),
            "retention.ms": "-1",
            "segment.bytes": str(settings.get_int("share.coordinator.state.topic.segment.bytes")),
        },
    )


def _topic(name: str, partitions: int, replicas: int, configs: dict[str, str]) -> CreatableTopic:
    return CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replicas,
        configs=[CreatableTopicConfig(key, value) for key, value in configs.items()],
    )
