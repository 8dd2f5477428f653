"""What the tests of the REST Proxy ask with, and how they read what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from tests.support.registry import Reply
from tests.support.rest import RestProcess

PATIENCE = 60


class Cluster(NamedTuple):
    """Where the cluster is."""

    bootstrap: str
    login: str | None = None
    """Where names and passwords are asked for."""


def until(rest: RestProcess, path: str, good: Callable[[Reply], bool], **headers: str) -> Reply:
    """The reply to a GET once it is good: brokers hear of changes a moment after they are answered."""
    deadline = time.monotonic() + PATIENCE
    while not good(reply := rest.ask("GET", path, **headers)):
        assert time.monotonic() < deadline, reply
        time.sleep(0.05)
    return reply


def until_met(condition: Callable[[], bool]) -> None:
    """Waits until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def refused(reply: Reply) -> tuple[int, int]:
    assert set(reply.body) == {"error_code", "message"}, reply
    return reply.status, reply.body["error_code"]


def link(rest: RestProcess, v3: str, path: str) -> dict[str, str]:
    return {"related": f"{rest.url}{v3}/{path}"}


def place(rest: RestProcess, v3: str, path: str, name: str) -> dict[str, str]:
    cluster = v3.rpartition("/")[2]
    return {"self": f"{rest.url}{v3}{path}", "resource_name": f"crn:///kafka={cluster}{name}"}
