"""Bodies in pieces: of requests that need not end soon, and of responses.

Always true:
  whoever reads waits for the client, and whoever writes waits while much is on its way
  a response ends when its handler does, however that ends
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from barnabas.http.errors import HttpError

if TYPE_CHECKING:
    from barnabas._core import HttpRequest

OUTFLOW_BYTES_MAX = 256 * 1024
"""Bytes of a response on their way, above which writing waits."""

_REASONS = {
    "broken": (400, "The request's body could not be read"),
    "silent": (408, "Nothing more of the request's body has come for too long"),
    "busy": (503, "Too many bytes of requests are in hand"),
    "stopping": (503, "The service stops"),
}
"""Status and words for bodies that have not come to their end."""


class ClientGone(Exception):
    """Nobody is there any more to read a response."""


class News:
    """Lets those wait who want to hear of a request."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}

    def tell(self, ids: list[int]) -> None:
        """There is something new of these requests."""
        for number in ids:
            for future in self._waiting.pop(number, ()):
                if not future.done():
                    future.set_result(None)

    async def of(self, number: int, seconds: float | None = None) -> None:
        """Waits for something new of a request, or until the time is over. Nothing may be awaited between a
        look that found nothing and this."""
        future = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(number, [])
        waiting.append(future)
        try:
            await asyncio.wait([future], timeout=seconds)
        finally:
            if not future.done() and future in waiting:
                waiting.remove(future)
                if not waiting and self._waiting.get(number) is waiting:
                    del self._waiting[number]


class Stream:
    """The body of a request and that of its response, in pieces."""

    def __init__(self, native: HttpRequest, news: News) -> None:
        self._native = native
        self._news = news
        self._end: str | None = None

    async def read(self) -> bytes | None:
        """The next piece of the request's body; None after its end. Raises HttpError where there will be no
        more, though that was not the end."""
        while True:
            if self._end is None:
                piece, self._end = self._native.read()
                if piece:
                    return piece
            if self._end == "complete":
                return None
            if self._end is not None:
                raise HttpError(*_REASONS[self._end])
            await self._news.of(self._native.id)

    async def write(self, piece: bytes) -> None:
        """Sends a piece of the response. Raises ClientGone."""
        under_way = self._native.write(piece)
        while under_way is not None and under_way >= OUTFLOW_BYTES_MAX:
            await self._news.of(self._native.id)
            under_way = self._native.write(b"")
        if under_way is None:
            raise ClientGone

    async def gone(self, seconds: float) -> bool:
        """Waits so long, or until the client has gone, and says whether it has."""
        if self._native.write(b"") is not None:
            await self._news.of(self._native.id, seconds)
        return self._native.write(b"") is None


@dataclass(slots=True)
class WebSocketResponse:
    """Makes a WebSocket of the connection of a request that asks for one; `produce` writes messages."""

    produce: Callable[[Stream], Awaitable[None]]
    status: int = 101


@dataclass(slots=True)
class StreamResponse:
    """A response whose body is what `produce` writes."""

    produce: Callable[[Stream], Awaitable[None]]
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
