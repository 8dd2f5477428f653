"""The paths under which every service tells what it answers: `/openapi.json`, and `/openapi` to browse it."""

from __future__ import annotations

from barnabas.http.openapi import Description, document
from barnabas.http.openapi_page import HEADERS, page
from barnabas.http.request import Request
from barnabas.http.response import Response, json_bytes
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler


def describe(routes: Routes[Handler], description: Description) -> None:
    """Adds the two paths, which tell of all that was added before."""
    declared = tuple(routes.declared)

    def as_json(_: Request) -> Response:
        """This description."""
        return Response(200, json_bytes(document(declared, description)), publish=True)

    def as_page(_: Request) -> Response:
        """This description, to browse."""
        text = page(document(declared, description))
        return Response(200, text.encode(), "text/html; charset=utf-8", dict(HEADERS), publish=True)

    routes.add("GET", "/openapi.json", as_json)
    routes.add("GET", "/openapi", as_page)
