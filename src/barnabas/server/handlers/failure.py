"""The response to a request that failed as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.protocol import message_class

if TYPE_CHECKING:
    from barnabas._core import ColdRequest
    from barnabas.errors import KafkaError
    from barnabas.protocol.message import Message


def whole_error(request: ColdRequest, error: KafkaError) -> Message | None:
    """The API's response with the error's code; None where a response has no place for it."""
    response: Any = message_class(request.api_key, response=True)()
    if not hasattr(response, "error_code"):
        return None
    response.error_code = error.error_code
    if hasattr(response, "error_message"):
        response.error_message = error.message
    found: Message = response
    return found
