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


_NOT_COORDINATOR = _whole(ErrorCode.NOT_COORDINATOR)

BUILDERS: dict[ApiKey, Callable[[NodeContext, ColdRequest], Message]] = {
    ApiKey.STREAMS_GROUP_HEARTBEAT: _NOT_COORDINATOR,
    ApiKey.STREAMS_GROUP_DESCRIBE: _described("group_ids", "DescribedGroup", "groups", "group_id"),
    ApiKey.STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE: _NOT_COORDINATOR,
}
"""How each API's answer is built."""


@handles(*BUILDERS)
async def unavailable(node: NodeContext, request: ColdRequest) -> Message:
    """The answer of a node that coordinates nothing."""
    return BUILDERS[ApiKey(request.api_key)](node, request)
