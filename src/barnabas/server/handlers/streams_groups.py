"""StreamsGroupHeartbeat and StreamsGroupDescribe (KIP-1071)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from barnabas._core import ColdRequest
from barnabas.controller import topics
from barnabas.controller.names import INTERNAL_TOPICS, name_problem
from barnabas.coordinator.group.streams.configured import NAMES_SHOWN_MAX, Status
from barnabas.coordinator.group.streams.requests import CreateTopicsFirst, DescribeStreamsGroup
from barnabas.errors import StreamsInvalidTopology, UnsupportedVersion
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.create_topics_request import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from barnabas.protocol.generated.streams_group_describe_request import StreamsGroupDescribeRequest
from barnabas.protocol.generated.streams_group_describe_response import (
    DescribedGroup,
    StreamsGroupDescribeResponse,
)
from barnabas.protocol.generated.streams_group_heartbeat_request import StreamsGroupHeartbeatRequest, Topology
from barnabas.protocol.generated.streams_group_heartbeat_response import StreamsGroupHeartbeatResponse
from barnabas.server.handlers.context import NodeContext, PerNode, Respond, body, handles_directly
from barnabas.server.handlers.coordinated import describe_each, heartbeat

if TYPE_CHECKING:
    from barnabas.coordinator.group.streams.configured import InternalTopic

FEATURE = "streams.version"
PROTOCOL = "streams"
DEFAULT_REPLICATION_FACTOR = -1
DESCRIPTION_NOT_STORED = 1
"""Status of a topology's description where nothing stores them."""

_CREATIONS: PerNode[set[asyncio.Task[None]]] = PerNode(lambda _: set())


def _is_enabled(node: NodeContext) -> bool:
    """Whether streams groups are served."""
    served = node.settings.get_list("group.coordinator.rebalance.protocols")
    return PROTOCOL in served and node.image().features().get(FEATURE, 0) >= 1


@handles_directly(ApiKey.STREAMS_GROUP_HEARTBEAT)
def streams_group_heartbeat(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Answered in the same turn, unless it changes something: then when that is committed. Internal topics
    that are missing are made before the answer."""
    asked = body(request, StreamsGroupHeartbeatRequest)
    if not _is_enabled(node):
        raise UnsupportedVersion()
    if asked.topology is not None:
        _validate_names(asked.topology)
    then = partial(_create_topics_first, node, respond)
    heartbeat(node, request, asked, StreamsGroupHeartbeatResponse, then)


def _validate_names(topology: Topology) -> None:
    """Raises StreamsInvalidTopology for names that no topic of an application may have."""
    names = sorted(set(_names(topology)))
    internal = [name for name in names if name in INTERNAL_TOPICS]
    if internal:
        raise StreamsInvalidTopology(
            f"A topology must not use Kafka's internal topics: {','.join(internal)}."
        )
    illegal = [name for name in names if name_problem(name) is not None]
    if illegal:
        raise StreamsInvalidTopology(f"Topic names {','.join(illegal)} are not valid topic names.")


def _names(topology: Topology) -> Iterator[str]:
    for one in topology.subtopologies:
        yield from one.source_topics
        yield from one.repartition_sink_topics
        yield from (topic.name for topic in one.repartition_source_topics)
        yield from (topic.name for topic in one.state_changelog_topics)


def _create_topics_first(node: NodeContext, respond: Respond, answer: Any) -> None:
    if not isinstance(answer, CreateTopicsFirst):
        respond(answer)
        return
    creations = _CREATIONS.of(node)
    creation = asyncio.get_running_loop().create_task(_create(node, answer, respond))
    creations.add(creation)
    creation.add_done_callback(creations.discard)


async def _create(node: NodeContext, answer: CreateTopicsFirst, respond: Respond) -> None:
    """The member hears that topics are missing all the same, and with its next heartbeat that they are there;
    when they can't be made it hears why."""
    response = answer.response
    try:
        asked = CreateTopicsRequest(topics=[_creatable(topic) for topic in answer.topics.values()])
        created = await node.commit(topics.create_topics(node.state(), asked))
        failed = {
            result.name: result.error_message or ErrorCode(result.error_code).name
            for result in created.topics
            if result.error_code not in (ErrorCode.NONE, ErrorCode.TOPIC_ALREADY_EXISTS)
        }
        if failed:
            _tell(response, failed)
    finally:
        respond(response)


def _tell(response: StreamsGroupHeartbeatResponse, failed: Mapping[str, str]) -> None:
    shown = [f"{name} ({failed[name]})" for name in sorted(failed)]
    more = len(shown) - NAMES_SHOWN_MAX
    listed = ", ".join(shown[:NAMES_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
    for status in response.status or ():
        if status.status_code == Status.MISSING_INTERNAL_TOPICS:
            status.status_detail += f"; Creation failed: {listed}."


def _creatable(topic: InternalTopic) -> CreatableTopic:
    return CreatableTopic(
        name=topic.name,
        num_partitions=topic.partition_count,
        replication_factor=topic.replication_factor or DEFAULT_REPLICATION_FACTOR,
        configs=[CreatableTopicConfig(key, value) for key, value in topic.configs.items()],
    )


@handles_directly(ApiKey.STREAMS_GROUP_DESCRIBE)
def streams_group_describe(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Each group is asked for at its own shard."""
    asked = body(request, StreamsGroupDescribeRequest)

    def then(response: Any) -> None:
        if asked.include_topology_description:
            for group in response.groups:
                if not group.error_code:
                    group.topology_description_status = DESCRIPTION_NOT_STORED
        respond(response)

    describe_each(
        node,
        request,
        list(dict.fromkeys(asked.group_ids)),
        DescribeStreamsGroup,
        DescribedGroup,
        StreamsGroupDescribeResponse,
        then,
        refused=None if _is_enabled(node) else UnsupportedVersion(),
    )


@handles_directly(ApiKey.STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE)
def topology_description_update(_: NodeContext, __: ColdRequest, ___: Respond) -> None:
    """Refused as by a Kafka without a plug-in to store descriptions, which is what Kafka comes with."""
    raise UnsupportedVersion("Descriptions of topologies are not stored: that takes a plug-in.")
