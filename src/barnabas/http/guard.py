"""What stands before the handlers of services: limits, and a line in the log for each request."""

from __future__ import annotations

import hashlib
import logging
import time
from typing import TYPE_CHECKING

from barnabas.http.limits import UNLIMITED, Limits, Rates

if TYPE_CHECKING:
    from barnabas._core import HttpRequest

logger = logging.getLogger("barnabas.http.access")

REQUEST_ID_LENGTH_MAX = 100


class Guard:
    """Lets requests in, and notes what came of them."""

    def __init__(self, rates: Rates = UNLIMITED, *, access_log: bool = False) -> None:
        limited = rates.requests is not None or rates.bytes is not None
        self._limits = Limits(rates) if limited else None
        self._logs = access_log
        self._began: dict[int, float] = {}
        """When requests have come that are not answered yet, if their lines are to be written."""

    def check(self, native: HttpRequest) -> None:
        """Takes note of a request. Raises HttpError for a client that asks too much. Clients are told apart
        by their credentials, or else by their addresses."""
        if self._logs:
            self._began[native.id] = time.monotonic()
        if self._limits is not None:
            self._limits.check(_client(native), len(native.body), time.monotonic())

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


def _client(native: HttpRequest) -> str:
    authorization = native.header("authorization")
    if authorization is not None:
        return hashlib.sha256(authorization.encode()).hexdigest()
    return native.peer.rpartition(":")[0]
