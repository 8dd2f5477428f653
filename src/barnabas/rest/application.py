"""The proxy as a service of the HTTP stack."""

from __future__ import annotations

from importlib.metadata import version

from barnabas.http.describing import describe
from barnabas.http.errors import HttpError
from barnabas.http.metrics import Metrics
from barnabas.http.openapi import TEXT, Description, Operation, members, shape
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler, error_body
from barnabas.rest.behind import Behind
from barnabas.rest.operations import OPERATIONS
from barnabas.rest.shapes import ADDED, SHAPES
from barnabas.rest.v2 import operations as v2
from barnabas.rest.v2.asking import CONSUMED
from barnabas.rest.v2.consumers import Consumers
from barnabas.rest.v2.metadata import Metadata
from barnabas.rest.v2.records import Records as TopicRecords
from barnabas.rest.v3.acls import Acls
from barnabas.rest.v3.clusters import Clusters
from barnabas.rest.v3.configs import Configs
from barnabas.rest.v3.consuming import Consuming
from barnabas.rest.v3.groups import Groups
from barnabas.rest.v3.lags import Lags
from barnabas.rest.v3.partitions import Partitions
from barnabas.rest.v3.records import Records
from barnabas.rest.v3.topics import Topics

SERVICE = {
    "GET /health": Operation("health", members()),
    "GET /metrics": Operation("metrics", TEXT, produced=("text/plain",)),
}
"""What a service has besides its API."""
V3 = (Clusters, Topics, Partitions, Configs, Acls, Groups, Lags, Records, Consuming)
CONSUMED_V3 = frozenset({"application/json", "application/octet-stream"})
V2 = (Metadata, TopicRecords, Consumers)


def description() -> Description:
    """What is said of the API as a whole."""
    shapes = {**SHAPES, **ADDED, **v2.SHAPES}
    return Description("REST Proxy", version("barnabas"), shape("Error"), shapes, consumed=CONSUMED_V3)


def health(_: Request) -> Response:
    """That it is there."""
    return Response(200, b"{}", publish=True)


class RestApplication:
    """Routes, and how errors are worded."""

    consumed = CONSUMED_V3 | CONSUMED

    def __init__(self, clusters: Behind) -> None:
        self.routes: Routes[Handler] = Routes(operations={**OPERATIONS, **v2.OPERATIONS, **SERVICE})
        for part in (*V3, *V2):
            part(clusters).add_to(self.routes)
        self.routes.add("GET", "/health", health)
        self.metrics = Metrics(self.routes, clusters.figures)
        describe(self.routes, description())

    def error(self, error: HttpError) -> Response:
        """The response that tells of an error."""
        return Response(error.status, error_body(error), headers=error.headers)

    def media_type(self, accept: str | None) -> str | None:  # noqa: ARG002
        """Handlers say the type of what they answer."""
        return None
