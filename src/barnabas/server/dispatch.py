"""From a request that Rust hands over to the handler that answers it.

`MODULES` is the one place that says which APIs Python answers; a handler's module is imported with the first
request for it, since start-up time counts.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

from barnabas.errors import KafkaError
from barnabas.server.handlers.context import Handler, NodeContext, registered

if TYPE_CHECKING:
    from barnabas._core import ColdRequest
    from barnabas.protocol.message import Message

logger = logging.getLogger(__name__)

ELSEWHERE = object()
"""What `answer` gives when somebody else answers the request."""

MODULES: dict[int, str] = {}
"""Module under `barnabas.server.handlers` for each API key."""


def handler_of(api_key: int) -> Handler:
    """The handler of an API; KeyError when Python doesn't answer it."""
    handler = registered(api_key)
    if handler is None:
        import_module(f"barnabas.server.handlers.{MODULES[api_key]}")
        handler = registered(api_key)
        if handler is None:
            raise KeyError(api_key)
    return handler


async def answer(node: NodeContext, request: ColdRequest) -> Message | None:
    """The response to one request. A fault of ours closes the connection and is logged, as Kafka does."""
    try:
        return await handler_of(request.api_key)(node, request)
    except KafkaError as error:
        logger.error("request %s of api %s: %s", request.id, request.api_key, error)
    except Exception:
        # The supervisor of handlers: whatever is wrong with one request must not end the node.
        logger.exception("request %s of api %s failed", request.id, request.api_key)
    return None
