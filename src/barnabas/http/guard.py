"""What stands before the handlers of services: limits, and a line in the log for each request."""

from __future__ import annotations

import hashlib
import logging
import time
from typing import TYPE_CHECKING

from barnabas.http.limits import UNLIMITED, Limits, Rates
from barnabas.http.logins import Logins

if TYPE_CHECKING:
    from barnabas._core import HttpRequest

logger = logging.getLogger("barnabas.http.access")

REQUEST_ID_LENGTH_MAX = 100


class Guard:
    """Lets requests in, and notes what came of them."""

    def __init__(
        self, rates: Rates = UNLIMITED, logins: Logins | None = None, *, access_log: bool = False
    ) -> None:
        """Clients are told apart by their credentials where these are asked for, or else by their
        addresses: whoever makes names up is still one client."""
        limited = rates.requests is not None or rates.bytes is not None
        self._logins = logins
        self.sees_all = limited or access_log or logins is not None
        """Whether no request may be answered past it."""
        self._limits = Limits(rates) if limited else None
        self._logs = access_log
        self._began: dict[int, float] = {}
        """When requests have come that are not answered yet, if their lines are to be written."""

    def check(self, native: HttpRequest) -> None:
        """Takes note of a request. Raises HttpError for a client that asks too much."""
        if self._logs:
            self._began[native.id] = time.monotonic()
        if self._limits is not None:
            self._limits.check(self._client(native), len(native.body), time.monotonic())

    def note(self, native: HttpRequest, status: int) -> None:
        """Writes the line of a request that was answered."""
        if not self._logs:
            return
        now = time.monotonic()
        milliseconds = (now - self._began.pop(native.id, now)) * 1000
        request_id = (native.header("x-request-id") or "-")[:REQUEST_ID_LENGTH_MAX]
        logger.info(
            "%s %s %s -> %d in %.1f ms, request id %s",
            native.peer,
            native.method,
            native.path,
            status,
            milliseconds,
            request_id,
        )

    def _client(self, native: HttpRequest) -> str:
        given = native.header("authorization") or native.subject if self._logins is not None else None
        if given is not None:
            return hashlib.sha256(given.encode()).hexdigest()
        return native.peer.rpartition(":")[0]
