"""Hands writes on to the primary, over HTTP, as the other registries do.

Always true:
  what was handed on once is not handed on again: who gets it and is not the primary refuses it
  a write that may have reached a primary is repeated only if it does no harm twice
"""

from __future__ import annotations

import asyncio
import http.client
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from barnabas.http.errors import HttpError
from barnabas.http.promise import Promise
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.serving import Handler
from barnabas.schema_registry import errors
from barnabas.schema_registry.primary.leadership import Elected, NotPrimary

if TYPE_CHECKING:
    from barnabas.schema_registry.primary.identity import Identity
    from barnabas.schema_registry.registry import Registry

FORWARDED = "X-Forward"
"""The header of requests that an instance hands on."""
OFFSET = "X-Registry-Offset"
"""The header that tells the instance in between up to which offset of the topic it must have read, so that
who asked it finds what was written."""
HANDED_ON = ("Accept", "Authorization", "Content-Type", "X-Request-Id")
"""Headers that go along."""
REQUESTS_MAX = 32
"""Requests that are at the primary at once; more wait."""
ANSWER_SECONDS_MAX = 40.0
"""Longest wait for the primary's answer: it waits for its own writes no longer."""
TRIED_SECONDS_MAX = 30.0
"""How long a primary that can't be reached is waited for, or for another one."""
READ_SECONDS_MAX = 10.0
"""Longest wait until what the primary wrote has been read here too."""
RESPONSE_BYTES_MAX = 32 * 1024 * 1024
"""Largest answer that is handed back."""


class _Unreached(Exception):
    """The primary has not been reached, or it has gone away and may be asked again."""


class Forwarding:
    """Hands on what this instance may not write itself."""

    def __init__(
        self, leadership: Elected, registry: Registry, trusted: ssl.SSLContext | None = None
    ) -> None:
        """`trusted`: whose certificates other instances have; None: those that this machine trusts."""
        self._leadership = leadership
        self._registry = registry
        self._pool = ThreadPoolExecutor(REQUESTS_MAX, "registry-forward")
        self._idle: list[tuple[str, http.client.HTTPConnection]] = []
        self._trusted = trusted

    def around(self, handler: Handler) -> Handler:
        """`handler`, and what has to be done when it turns out that another instance writes."""

        def handle(request: Request) -> Any:
            answer = handler(request)
            # Where an answer was promised this instance writes.
            is_told = isinstance(answer, Promise) and request.native.header(FORWARDED) is None
            if is_told or isinstance(answer, Response):
                return answer
            return self._answered(request, handler, answer)

        handle.__doc__ = handler.__doc__
        return handle

    def close(self) -> None:
        """Ends it."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        while self._idle:
            self._idle.pop()[1].close()

    async def _answered(self, request: Request, handler: Handler, answer: Any) -> Response:
        handed_on = request.native.header(FORWARDED) is not None
        deadline = time.monotonic() + TRIED_SECONDS_MAX
        while True:
            try:
                response: Response = answer if isinstance(answer, Response) else await answer
            except NotPrimary as other:
                if not handed_on:
                    try:
                        return await self._forwarded(request, other.primary)
                    except _Unreached as error:
                        reason = f"the primary {other.primary.url} can't be reached: {error}"
                else:
                    # Whoever handed it on knows more than this instance, or less.
                    reason = f"this instance is not the primary: {other}"
            else:
                if handed_on:
                    response.headers[OFFSET] = str(self._registry.offset)
                return response
            left = deadline - time.monotonic()
            if left <= 0:
                raise errors.not_forwarded(reason)
            await self._leadership.turned(min(left, 0.5))
            answer = handler(request)

    async def _forwarded(self, request: Request, primary: Identity) -> Response:
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(self._pool, self._exchange, request, primary.url)
        offset = response.headers.pop(OFFSET, "")
        if offset.isascii() and offset.isdigit():
            await self._registry.read_up_to(int(offset), READ_SECONDS_MAX)
        return response

    # ---- in the pool's threads

    def _exchange(self, request: Request, url: str) -> Response:
        native = request.native
        # The same write twice gives the same id, and the same config.
        repeatable = native.method == "PUT" or native.path.endswith("/versions")
        connection = self._kept(url)
        if connection is not None and repeatable:
            try:
                return self._asked(connection, request, url)
            except (OSError, http.client.HTTPException):
                connection.close()  # It may have been closed at the other end: once more on a new one.
        elif connection is not None:
            connection.close()
        connection = self._connection(url)
        try:
            connection.connect()
        except OSError as error:
            raise _Unreached(str(error)) from error
        try:
            return self._asked(connection, request, url)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if repeatable:
                raise _Unreached(str(error)) from error
            raise errors.not_forwarded(f"the primary {url} gave no answer: {error}") from error

    def _asked(self, connection: http.client.HTTPConnection, request: Request, url: str) -> Response:
        native = request.native
        headers = {name: value for name in HANDED_ON if (value := native.header(name.lower())) is not None}
        if request.authorization is not None:
            headers["Authorization"] = request.authorization
        target = f"{native.path}?{native.query}" if native.query else native.path
        connection.request(native.method, target, native.body or None, {**headers, FORWARDED: "true"})
        answer = connection.getresponse()
        body = answer.read(RESPONSE_BYTES_MAX + 1)
        if len(body) > RESPONSE_BYTES_MAX:
            raise HttpError(500, f"The primary's answer has more than {RESPONSE_BYTES_MAX} bytes", 50003)
        self._idle.append((url, connection))
        told = {name: value for name in (OFFSET, "Retry-After") if (value := answer.getheader(name))}
        media_type = answer.getheader("Content-Type") or "application/json"
        return Response(answer.status, body, media_type, told)

    def _kept(self, url: str) -> http.client.HTTPConnection | None:
        while self._idle:
            try:
                known, connection = self._idle.pop()
            except IndexError:  # Another thread was quicker.
                return None
            if known == url:
                return connection
            connection.close()
        return None

    def _connection(self, url: str) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        assert parts.hostname is not None
        host, port, seconds = parts.hostname, parts.port, ANSWER_SECONDS_MAX
        if parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=seconds, context=self._trusted)
        return http.client.HTTPConnection(host, port, timeout=seconds)
