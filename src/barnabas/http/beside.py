"""A service beside a broker in one process, which costs next to nothing until somebody asks it.

Always true:
  the port is there from the start; modules are imported, and the service is started, with the first request
  a service that can't be started says so to everybody who asks, and is tried again with the next request
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

from barnabas.errors import BarnabasError
from barnabas.http.listeners import Listeners

if TYPE_CHECKING:
    from barnabas.http.front import Front

logger = logging.getLogger("barnabas.http")

STOP_SECONDS_MAX = 10.0
REQUESTS_MAX = 1_000
"""Requests that are told at once that there is no service."""
START_ERROR = 50001

Serve = Callable[[Listeners, int, asyncio.Event], Coroutine[None, None, None]]
"""Answers the requests of a service, by its number, until the event is set."""


class Beside:
    """A port, and a thread that waits for the first request."""

    def __init__(
        self, name: str, front: Front, port: int, serve: Serve, in_pieces: str | None = None
    ) -> None:
        """Listens. Raises AddressUnusable. `name`: the service's, for the log and for errors; `in_pieces`: as
        for `Listeners.listen`."""
        self._name = name
        self._begin = serve
        self._listeners = Listeners()
        self._service, self.port = self._listeners.listen(name, front.host, port, in_pieces, front.tls)
        self._wake_reader, self._wake_writer = os.pipe()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._stopped: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends it, when requests in hand have been answered."""
        self._stopping = True
        os.write(self._wake_writer, b"x")
        if self._loop is not None and self._stopped is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(STOP_SECONDS_MAX)
        self._listeners.native.stop(0)

    def _run(self) -> None:
        descriptor = self._listeners.native.fileno()
        while True:
            select.select([descriptor, self._wake_reader], [], [])
            if self._stopping:
                return
            try:
                asyncio.run(self._serve())
            except BarnabasError as error:
                logger.error("the %s can't be started: %s", self._name, error)
                self._refuse(str(error))

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if self._stopping:
            self._stopped.set()
        await self._begin(self._listeners, self._service, self._stopped)

    def _refuse(self, reason: str) -> None:
        from barnabas.http.errors import HttpError
        from barnabas.http.serving import error_body

        body = error_body(HttpError(500, f"The {self._name} can't be started: {reason}", START_ERROR))
        headers = [("Content-Type", "application/json")]
        requests = self._listeners.native.drain(REQUESTS_MAX)
        self._listeners.native.respond([(request, 500, headers, body, False) for request in requests])
