"""From a request that Rust hands over to the handler that answers it.

`apis.MODULES` says which APIs Python answers; a handler's module is imported with the first request for it,
since start-up time counts.
"""

from __future__ import annotations

import asyncio
import logging
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Final, Literal

from barnabas.errors import KafkaError
from barnabas.protocol import ErrorCode
from barnabas.server.apis import MODULES
from barnabas.server.handlers.context import (
    DirectHandler,
    Handler,
    NodeContext,
    Respond,
    registered,
    registered_direct,
)

if TYPE_CHECKING:
    from barnabas._core import ColdRequest
    from barnabas.protocol.message import Message

logger = logging.getLogger(__name__)


class Outcome(Enum):
    """What became of a request that has no response here."""

    ELSEWHERE = "somebody else answers it"


ELSEWHERE: Final = Outcome.ELSEWHERE
"""What `answer` gives when somebody else answers the request."""


def handler_of(api_key: int) -> Handler:
    """The handler of an API; KeyError when Python doesn't answer it."""
    handler = registered(api_key)
    if handler is not None:
        return handler
    direct = direct_handler_of(api_key)
    if direct is not None:
        return _awaiting(direct)
    handler = registered(api_key)
    if handler is None:
        raise KeyError(api_key)
    return handler


def direct_handler_of(api_key: int) -> DirectHandler | None:
    """The plain function that answers an API; None where `handler_of` is to be asked."""
    handler = registered_direct(api_key)
    if handler is None and registered(api_key) is None:
        import_module(f"barnabas.server.handlers.{MODULES[api_key]}")
        handler = registered_direct(api_key)
    return handler


def _awaiting(direct: DirectHandler) -> Handler:
    """A direct handler in the shape of the others."""

    async def handler(node: NodeContext, request: ColdRequest) -> Message | None:
        future: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
        direct(node, request, future.set_result)
        return await future

    return handler


def begin(node: NodeContext, request: ColdRequest, respond: Respond) -> bool:
    """Answers a request through `respond`, now or later, if its handler is direct; False when it is not."""
    try:
        handler = registered_direct(request.api_key) or direct_handler_of(request.api_key)
        if handler is None:
            return False
        handler(node, request, respond)
    except Exception as error:
        respond(_failed(request, error))
    return True


async def answer(node: NodeContext, request: ColdRequest) -> Message | Literal[Outcome.ELSEWHERE] | None:
    """The response to one request; ELSEWHERE when somebody else gives it.

    A request that fails as a whole is answered with the error, and closes its connection (None) where the
    response has no place for one, as in Kafka.
    """
    try:
        response = await handler_of(request.api_key)(node, request)
    except Exception as error:
        return _failed(request, error)
    return ELSEWHERE if response is None else response


def _failed(request: ColdRequest, error: Exception) -> Message | None:
    """The supervisor of handlers: whatever is wrong with one request must not end the node."""
    from barnabas.server.handlers.failure import whole_error

    if isinstance(error, KafkaError):
        return whole_error(request, error)
    logger.error("request %s of api %s failed", request.id, request.api_key, exc_info=error)
    return whole_error(request, KafkaError.for_code(ErrorCode.UNKNOWN_SERVER_ERROR))
