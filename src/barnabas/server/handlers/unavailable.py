"""Coordinator APIs while no coordinator runs here: clients are told to look elsewhere, and try again.

Codes are those of Apache Kafka 4.3.1 before the internal topics exist: a coordinator's own APIs say that this
is not it, and lists of what is coordinated here are empty.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from barnabas._core import ColdRequest
from barnabas.errors import KafkaError
from barnabas.protocol import ApiKey, ErrorCode, Message, message_class
from barnabas.server.handlers.context import NodeContext, handles


def _classes(api_key: int) -> Any:
    """The module of an API's response, with the classes of its parts."""
    return import_module(message_class(api_key, response=True).__module__)


def _whole(code: ErrorCode) -> Callable[[NodeContext, ColdRequest], Message]:
    """One code for the whole response."""

    def build(_node: NodeContext, request: ColdRequest) -> Message:
        response = message_class(request.api_key, response=True)()
        response.error_code = code  # type: ignore[attr-defined]
        if hasattr(response, "error_message"):
            response.error_message = KafkaError.for_code(code).message
        return response

    return build


def _described(ids: str, part: str, parts: str, key: str) -> Callable[[NodeContext, ColdRequest], Message]:
    """One code for each id in the request's field `ids`."""

    def build(_node: NodeContext, request: ColdRequest) -> Message:
        classes = _classes(request.api_key)
        items = []
        for item_id in dict.fromkeys(getattr(request.body, ids)):
            item = getattr(classes, part)()
            setattr(item, key, item_id)
            item.error_code = ErrorCode.NOT_COORDINATOR
            items.append(item)
        response = message_class(request.api_key, response=True)()
        setattr(response, parts, items)
        return response

    return build


def _share_group_offsets(_node: NodeContext, request: ColdRequest) -> Message:
    from barnabas.protocol.generated import describe_share_group_offsets_response as classes

    body: Any = request.body
    error = KafkaError.for_code(ErrorCode.NOT_COORDINATOR)
    return classes.DescribeShareGroupOffsetsResponse(
        groups=[
            classes.DescribeShareGroupOffsetsResponseGroup(
                group_id=group.group_id, error_code=error.error_code, error_message=error.message
            )
            for group in body.groups
        ]
    )


def _share_state(part: str) -> Callable[[NodeContext, ColdRequest], Message]:
    def build(_node: NodeContext, request: ColdRequest) -> Message:
        classes = _classes(request.api_key)
        error = KafkaError.for_code(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        body: Any = request.body
        response: Any = message_class(request.api_key, response=True)()
        for topic in body.topics:
            result = getattr(classes, part)(topic_id=topic.topic_id)
            result.partitions = [
                classes.PartitionResult(
                    partition=partition.partition, error_code=error.error_code, error_message=error.message
                )
                for partition in topic.partitions
            ]
            response.results.append(result)
        found: Message = response
        return found

    return build


_NOT_COORDINATOR = _whole(ErrorCode.NOT_COORDINATOR)
_NOT_AVAILABLE = _whole(ErrorCode.COORDINATOR_NOT_AVAILABLE)

BUILDERS: dict[ApiKey, Callable[[NodeContext, ColdRequest], Message]] = {
    ApiKey.SHARE_GROUP_HEARTBEAT: _NOT_COORDINATOR,
    ApiKey.SHARE_GROUP_DESCRIBE: _described("group_ids", "DescribedGroup", "groups", "group_id"),
    ApiKey.SHARE_FETCH: _NOT_AVAILABLE,
    ApiKey.SHARE_ACKNOWLEDGE: _NOT_AVAILABLE,
    ApiKey.DESCRIBE_SHARE_GROUP_OFFSETS: _share_group_offsets,
    ApiKey.ALTER_SHARE_GROUP_OFFSETS: _NOT_COORDINATOR,
    ApiKey.DELETE_SHARE_GROUP_OFFSETS: _NOT_COORDINATOR,
    ApiKey.INITIALIZE_SHARE_GROUP_STATE: _share_state("InitializeStateResult"),
    ApiKey.READ_SHARE_GROUP_STATE: _share_state("ReadStateResult"),
    ApiKey.WRITE_SHARE_GROUP_STATE: _share_state("WriteStateResult"),
    ApiKey.DELETE_SHARE_GROUP_STATE: _share_state("DeleteStateResult"),
    ApiKey.READ_SHARE_GROUP_STATE_SUMMARY: _share_state("ReadStateSummaryResult"),
    ApiKey.STREAMS_GROUP_HEARTBEAT: _NOT_COORDINATOR,
    ApiKey.STREAMS_GROUP_DESCRIBE: _described("group_ids", "DescribedGroup", "groups", "group_id"),
    ApiKey.STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE: _NOT_COORDINATOR,
}
"""How each API's answer is built."""


@handles(*BUILDERS)
async def unavailable(node: NodeContext, request: ColdRequest) -> Message:
    """The answer of a node that coordinates nothing."""
    return BUILDERS[ApiKey(request.api_key)](node, request)
