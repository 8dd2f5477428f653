"""What a service tells Prometheus: its requests, counted in Rust, and figures of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler

if TYPE_CHECKING:
    from barnabas._core import HttpServer

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Figure(NamedTuple):
    """One number."""

    name: str
    help: str
    value: int
    kind: str = "gauge"
    """`counter` for what only goes up."""


class Metrics:
    """Answers `/metrics` of a service."""

    def __init__(self, routes: Routes[Handler], figures: Callable[[], Iterable[Figure]]) -> None:
        """`figures` are asked for with each request."""
        self._routes = routes
        self._figures = figures
        self._native: Callable[[], str] = lambda: ""
        routes.add("GET", "/metrics", self.tell)

    def count(self, server: HttpServer, service: int) -> None:
        """Says whose requests they are."""
        names = list(self._routes.numbers)
        self._native = lambda: server.figures(service, names)

    def tell(self, _: Request) -> Response:
        """Figures for Prometheus."""
        return Response(200, (self._native() + text(self._figures())).encode(), MEDIA_TYPE)


def text(figures: Iterable[Figure]) -> str:
    """Figures in the text format of Prometheus."""
    return "".join(
        f"# HELP {one.name} {one.help}\n# TYPE {one.name} {one.kind}\n{one.name} {one.value}\n"
        for one in figures
    )
