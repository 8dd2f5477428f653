"""The loop that answers: requests come in batches from Rust, and the answers of one turn go back together.

Always true:
  a request is answered at most once
  an exception that a handler did not mean is logged, and is the client's 500
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Set
from typing import Any, Protocol
from urllib.parse import urlsplit

from barnabas._core import HttpRequest, HttpServer
from barnabas.http.errors import HttpError
from barnabas.http.guard import Guard
from barnabas.http.promise import Promise
from barnabas.http.request import Request
from barnabas.http.response import Response, json_bytes
from barnabas.http.routes import Routes
from barnabas.http.streaming import ClientGone, News, Stream, StreamResponse, WebSocketResponse

logger = logging.getLogger("barnabas.http")

REQUESTS_MAX = 256
"""Requests taken from Rust in one turn of the loop."""
QUICK_MICROS = 1_000
"""Where the next request comes within this time after an answer, the loop waits for it awake: to be woken
takes as long."""
MAY_STAY_AWAKE = (os.cpu_count() or 1) > 1
"""Whether clients may run meanwhile."""
STOP_MS_MAX = 5_000
"""How long requests in hand may take when the server stops."""

INTERNAL_ERROR = 1011
"""RFC 6455's code for the end of a WebSocket whose service has failed."""

Answer = Response | StreamResponse | WebSocketResponse
Handler = Callable[[Request], Answer | Promise[Answer] | Awaitable[Answer]]


class Application(Protocol):
    """A service: its routes, and how it words errors."""

    @property
    def routes(self) -> Routes[Handler]:
        """Who answers what."""

    @property
    def consumed(self) -> Set[str]:
        """Types that bodies of requests may have."""

    def error(self, error: HttpError) -> Response:
        """The response that says so."""

    def media_type(self, accept: str | None) -> str | None:
        """The type of responses for a client that accepts these; None for the service's usual one."""


class Serving:
    """Answers the requests of services in an event loop."""

    def __init__(
        self, native: HttpServer, applications: dict[int, Application], guard: Guard | None = None
    ) -> None:
        """`applications` by the numbers of their services. Without a `guard` everybody may ask for anything,
        unnoticed."""
        self._native = native
        self._guard = guard or Guard()
        self._applications = applications
        self._loop = asyncio.get_running_loop()
        self._answers: list[tuple[HttpRequest, int, list[tuple[str, str]], bytes, bool]] = []
        self._in_turn = False
        self._promised = 0
        """Requests whose answers were promised."""
        self._sent_at = 0.0
        self._is_quick = False
        """Whether requests come one by one, each right after the answer to the one before."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams: set[asyncio.Task[None]] = set()
        self._news = News()
        self._loop.add_reader(native.fileno(), self._on_requests)
        self._on_requests()

    async def stop(self) -> None:
        """Lets nobody in any more, and ends the server when requests in hand have been answered. Responses in
        pieces end where they are."""
        for task in self._streams:
            task.cancel()
        await self._loop.run_in_executor(None, self._native.stop, STOP_MS_MAX)
        self._loop.remove_reader(self._native.fileno())
        for task in self._tasks:
            task.cancel()

    def _on_requests(self) -> None:
        requests = self._native.drain(REQUESTS_MAX)
        if requests:
            follows = time.monotonic() - self._sent_at < QUICK_MICROS / 1e6
            self._is_quick = MAY_STAY_AWAKE and follows and len(requests) == 1
        self._news.tell(self._native.news())
        self._in_turn = True
        try:
            for native in requests:
                self._begin(native)
        finally:
            self._in_turn = False
            self._send_all()
        if len(requests) == REQUESTS_MAX:
            self._loop.call_soon(self._on_requests)

    def _begin(self, native: HttpRequest) -> None:
        application = self._applications[native.service]
        try:
            self._guard.check(native)
            request = Request(native)
            if native.in_pieces:
                request.stream = Stream(native, self._news)
            if native.method == "OPTIONS":
                allow = application.routes.allowed(native.path)
                return self._respond(application, native, Response(204, headers={"Allow": allow}))
            found = application.routes.find(native.method, native.path)
            handler, request.path, request.operation = found
            _check_origin(native)
            native.note_operation(application.routes.numbers[request.operation])
            _check_media_type(application, native)
            response = handler(request)
            if isinstance(response, Promise):
                return self._answer_then(application, native, response)
            if not isinstance(response, Answer):
                task = self._loop.create_task(self._answer(application, native, response))
                self._tasks.add(task)
                return task.add_done_callback(self._tasks.discard)
        except Exception as error:  # The client is told, and others go on.
            response = failure(application, native, error)
        return self._respond(application, native, response)

    def _answer_then(self, application: Application, native: HttpRequest, promise: Promise[Answer]) -> None:
        self._promised += 1

        def kept(response: Answer) -> None:
            self._promised -= 1
            self._respond(application, native, response)
            self._send_with(self._promised + len(self._tasks))

        promise.tell(kept, lambda error: kept(failure(application, native, error)))

    async def _answer(self, application: Application, native: HttpRequest, answer: Awaitable[Answer]) -> None:
        try:
            response = await answer
        except Exception as error:  # As above.
            response = failure(application, native, error)
        self._respond(application, native, response)
        self._send_with(self._promised + len(self._tasks) - 1)

    def _respond(self, application: Application, native: HttpRequest, response: Answer) -> None:
        if not isinstance(response, Response):
            task = self._loop.create_task(self._stream(native, response))
            self._streams.add(task)
            return task.add_done_callback(self._streams.discard)
        self._guard.note(native, response.status)
        media_type = application.media_type(native.header("accept"))
        headers = [*response.headers.items()]
        if response.status != 204:
            headers.append(("Content-Type", media_type or response.content_type))
        # A published response has the usual type; who wants another is always answered from here.
        publish = response.publish and media_type is None and not self._guard.sees_all
        return self._answers.append((native, response.status, headers, response.body, publish))

    async def _stream(self, native: HttpRequest, response: StreamResponse | WebSocketResponse) -> None:
        try:
            if self._begun(native, response):
                await response.produce(Stream(native, self._news))
        except ClientGone:
            logger.debug("the client of %s %s has gone", native.method, native.path)
        except Exception as error:  # The response has begun: the client sees no more than that it ends.
            logger.error("%s %s failed", native.method, native.path, exc_info=error)
            native.end_with(INTERNAL_ERROR, "the service failed")
        finally:
            native.finish()
            self._guard.note(native, response.status)

    def _begun(self, native: HttpRequest, response: StreamResponse | WebSocketResponse) -> bool:
        if isinstance(response, WebSocketResponse):
            return self._native.begin_websocket(native)
        headers = [*response.headers.items(), ("Content-Type", response.content_type)]
        return self._native.begin(native, response.status, headers)

    def _send_with(self, others: int) -> None:
        """Sends an answer: at once, if no others wait for theirs, which could go with it."""
        if self._in_turn:
            return
        if not others:
            self._send_all()
        elif len(self._answers) == 1:
            self._loop.call_soon(self._send_all)

    def _send_all(self) -> None:
        answers, self._answers = self._answers, []
        if not answers:
            return
        self._native.respond(answers)
        self._sent_at = time.monotonic()
        if self._is_quick and not self._promised and len(self._tasks) <= 1:
            self._loop.call_soon(self._await_next)

    def _await_next(self) -> None:
        if self._native.await_requests(QUICK_MICROS):
            self._on_requests()


def _check_origin(native: HttpRequest) -> None:
    """Browsers let the pages of anybody open WebSockets anywhere, and say but which page it is."""
    origin = native.header("origin")
    if not native.is_websocket or origin is None:
        return
    if urlsplit(origin).netloc.lower() != (native.header("host") or "").lower():
        raise HttpError(403, f"Pages of {origin[:200]} may open no WebSocket here")


def _check_media_type(application: Application, native: HttpRequest) -> None:
    sent = native.header("content-type")
    if native.method in ("POST", "PUT", "PATCH") and sent is not None:
        named = sent.split(";")[0].strip().lower()
        if named not in application.consumed:
            raise HttpError(415, f"A body of type {named[:100]} is not read here")


def failure(application: Application, native: HttpRequest, error: Exception) -> Response:
    """What a client is told of an error."""
    if isinstance(error, HttpError):
        return application.error(error)
    request_id = native.header("x-request-id") or "-"
    logger.error("%s %s failed, request id %s", native.method, native.path, request_id, exc_info=error)
    return application.error(HttpError(500, "Internal Server Error"))


def error_body(error: HttpError) -> bytes:
    """The usual body of an error."""
    body: dict[str, Any] = {"error_code": error.code, "message": error.message}
    return json_bytes(body)
