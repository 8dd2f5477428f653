"""The proxy as a service of the HTTP stack."""

from __future__ import annotations

from collections.abc import Callable

from barnabas.http.errors import HttpError
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler, error_body
from barnabas.rest.cluster import Cluster
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

V3 = (Clusters, Topics, Partitions, Configs, Acls, Groups, Lags, Records, Consuming)
V2 = (Metadata, TopicRecords, Consumers)


class RestApplication:
    """Routes, and how errors are worded."""

    consumed = frozenset({"application/json", "application/octet-stream", *CONSUMED})

    def __init__(self, clusters: Callable[[Request], Cluster]) -> None:
        """`clusters` gives the clients that speak for whoever has made a request."""
        self.routes: Routes[Handler] = Routes()
        for part in (*V3, *V2):
            part(clusters).add_to(self.routes)

    def error(self, error: HttpError) -> Response:
        """The response that tells of an error."""
        return Response(error.status, error_body(error), headers=error.headers)

    def media_type(self, accept: str | None) -> str | None:  # noqa: ARG002
        """Handlers say the type of what they answer."""
        return None
