"""What handlers of coordinated requests share: whose call it is, and answers from several shards."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from barnabas._core import ColdRequest
from barnabas.server.coordinators import Client, Then

GROUP_OPERATIONS = sum(1 << operation for operation in (3, 6, 8, 10, 11))
"""All that may be done with a group, while nobody is forbidden anything: READ, DELETE, DESCRIBE,
DESCRIBE_CONFIGS, ALTER_CONFIGS."""


def client_of(request: ColdRequest) -> Client:
    """Whose call it is."""
    host = host_of(request.client_address)
    return Client(request.api_version, request.client_id or "", host, request.connection)


@lru_cache(maxsize=1024)
def host_of(address: str) -> str:
    """'127.0.0.1:40000' as Java writes the host: '/127.0.0.1', IPv6 in full."""
    host = address.rpartition(":")[0].strip("[]")
    if ":" in host:
        groups = ip_address(host.partition("%")[0]).exploded.split(":")
        host = ":".join(group.lstrip("0") or "0" for group in groups)
    return f"/{host}"


class Gathered:
    """Answers to several calls, in the order of the calls; `done` is called with all of them."""

    def __init__(self, count: int, done: Callable[[list[Any]], None]) -> None:
        self._answers: list[Any] = [None] * count
        self._left = count
        self._done = done
        if not count:
            done([])

    def place(self, index: int) -> Then:
        """Takes the answer to one of the calls."""

        def then(answer: Any) -> None:
            self._answers[index] = answer
            self._left -= 1
            if not self._left:
                self._done(self._answers)

        return then
