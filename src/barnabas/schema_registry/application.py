"""The registry as a service of the HTTP stack."""

from __future__ import annotations

from collections.abc import Callable

from barnabas.http.describing import describe
from barnabas.http.errors import HttpError
from barnabas.http.metrics import Metrics
from barnabas.http.openapi import Description, shape
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler, error_body
from barnabas.schema_registry.handlers.associations import Associations
from barnabas.schema_registry.handlers.compatibility import Compatibility
from barnabas.schema_registry.handlers.keys import Keys
from barnabas.schema_registry.handlers.reading import MEDIA_TYPE
from barnabas.schema_registry.handlers.schemas import Schemas
from barnabas.schema_registry.handlers.server import Server, release
from barnabas.schema_registry.handlers.settings import Settings
from barnabas.schema_registry.handlers.subjects import Subjects
from barnabas.schema_registry.operations import OPERATIONS
from barnabas.schema_registry.registry import Registry
from barnabas.schema_registry.shapes import SHAPES

OTHER_MEDIA_TYPES = ("application/vnd.schemaregistry+json", "application/json")
"""Types in which responses are sent to those who ask for them first."""
CONSUMED = frozenset({MEDIA_TYPE, *OTHER_MEDIA_TYPES, "application/octet-stream"})
"""Types that bodies of requests may have."""


def description() -> Description:
    """What is said of the API as a whole."""
    types = (MEDIA_TYPE, *OTHER_MEDIA_TYPES)
    return Description("Schema Registry", release(), shape("ErrorMessage"), SHAPES, types, CONSUMED)


class RegistryApplication:
    """Routes, and how errors are worded."""

    consumed = CONSUMED

    def __init__(self, registry: Registry, around: Callable[[Handler], Handler] | None = None) -> None:
        """`around` makes of each handler the one that answers."""
        self.routes: Routes[Handler] = Routes(around, OPERATIONS)
        self.keys = Keys(registry)
        parts = (
            part(registry) for part in (Schemas, Subjects, Compatibility, Settings, Associations, Server)
        )
        for part in (*parts, self.keys):
            part.add_to(self.routes)
        self.metrics = Metrics(self.routes, lambda: registry.figures())
        describe(self.routes, description())

    def error(self, error: HttpError) -> Response:
        """The response that tells of an error."""
        return Response(error.status, error_body(error), MEDIA_TYPE, error.headers)

    def media_type(self, accept: str | None) -> str | None:
        """The type of responses, when the client wants another than the usual one."""
        if accept is None:
            return None
        first = accept.split(",")[0].split(";")[0].strip().lower()
        return first if first in OTHER_MEDIA_TYPES else None
