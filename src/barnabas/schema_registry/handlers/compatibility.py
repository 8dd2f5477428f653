"""Whether a schema gets along with those that are registered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from barnabas.http.errors import HttpError
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.schema_registry import errors
from barnabas.schema_registry.entries import Version
from barnabas.schema_registry.handlers.reading import answer, offered, subject_of, version_number
from barnabas.schema_registry.registering import checked, incompatible_versions, populated
from barnabas.schema_registry.registry import Registry


class Compatibility:
    """The operations under `/compatibility`."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def add_to(self, routes: Routes[Handler]) -> None:
        """Adds the operations."""
        routes.add("POST", "/compatibility/subjects/{subject}/versions", self.with_all)
        routes.add("POST", "/compatibility/subjects/{subject}/versions/{version}", self.with_one)

    def with_all(self, request: Request) -> Response:
        """With the versions that the level of the subject means, as when it is registered."""
        return self._checked(request, self._registry.state.versions(subject_of(self._registry, request)))

    def with_one(self, request: Request) -> Response:
        """With one version."""
        state, subject, text = (
            self._registry.state,
            subject_of(self._registry, request),
            request.path["version"],
        )
        number = version_number(text)
        version = state.latest(subject) if number is None else state.version(subject, number)
        if version is not None and not version.deleted:
            return self._checked(request, [version])
        if number is None:
            return self._checked(request, [])
        raise errors.version_not_found(text)

    def _checked(self, request: Request, versions: Sequence[Version]) -> Response:
        registry, verbose = self._registry, request.flag("verbose")
        subject = subject_of(registry, request)
        schema = populated(registry.state, registry.parser, subject, offered(request))
        try:
            # One that can't be parsed is refused, though there be nothing to compare it with.
            checked(registry.state, registry.parser, subject, schema)
            problems = incompatible_versions(registry.state, registry.parser, subject, schema, versions)
        except HttpError as error:
            if not verbose or error.code != 42201:
                raise
            problems = [error.message]
        members: dict[str, Any] = {"is_compatible": not problems}
        if verbose:
            members["messages"] = problems
        return answer(members)
