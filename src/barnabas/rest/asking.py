"""What the handlers of all operations have in common: who asks, what for, and how errors are told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from barnabas.errors import BarnabasError
from barnabas.http.request import Request
from barnabas.http.response import Response, json_bytes
from barnabas.http.routes import Routes
from barnabas.http.serving import Answer, Handler
from barnabas.rest.behind import Behind
from barnabas.rest.cluster import Cluster
from barnabas.rest.errors import told
from barnabas.rest.places import Place, cluster_place

Operation = Callable[[Request], Awaitable[Answer]]


class Part:
    """Some operations of an API."""

    def __init__(self, clusters: Behind) -> None:
        self._clusters = clusters

    def add_to(self, routes: Routes[Handler]) -> None:
        """Adds the operations."""
        raise NotImplementedError

    async def at(self, request: Request) -> tuple[Cluster, Place]:
        """The cluster that a path of API v3 names, by its id, the proxy's name for it, or as `-`; and where
        it is."""
        cluster = await self._clusters.named(request, request.path["cluster_id"])
        return cluster, cluster_place(request, await cluster.id())


def telling(operation: Operation) -> Handler:
    """The operation, whose errors are told as the API tells them."""

    @wraps(operation)
    async def answer(request: Request) -> Answer:
        try:
            return await operation(request)
        except BarnabasError as error:
            raise told(error) from error

    return answer


def answer(value: Any, status: int = 200, **headers: str) -> Response:
    """A response with a value as its body."""
    return Response(status, json_bytes(value), headers=headers)


def created(place: str, value: Any = None) -> Response:
    """Something is there that was not."""
    return Response(201, b"" if value is None else json_bytes(value), headers={"Location": place})


def done() -> Response:
    """Something was done that there is nothing to say about."""
    return Response(204)
