"""The registry itself: its root, contexts, identity, and what is not built yet."""

from __future__ import annotations

from functools import cache

from barnabas.http.errors import HttpError
from barnabas.http.request import Request
from barnabas.http.response import Response, json_bytes
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.schema_registry import contexts, errors
from barnabas.schema_registry.decision import Decision
from barnabas.schema_registry.handlers.reading import answer, page
from barnabas.schema_registry.handlers.schemas import SUBJECTS_MAX
from barnabas.schema_registry.records import context_record
from barnabas.schema_registry.registry import Registry
from barnabas.schema_registry.state import State


class Server:
    """The operations that are about the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def add_to(self, routes: Routes[Handler]) -> None:
        """Adds the operations."""
        routes.add("GET", "/", self.root)
        routes.add("POST", "/", self.root)
        routes.add("GET", "/health", self.health)
        routes.add("GET", "/contexts", self.contexts)
        routes.add("DELETE", "/contexts/{context}", self.delete_context)
        routes.add("GET", "/v1/metadata/id", self.id)
        routes.add("GET", "/v1/metadata/version", self.version)
        routes.add("GET", "/v1/metadata/deployment", self.deployment)

    def root(self, _: Request) -> Response:
        """That it is there."""
        return answer({}, publish=True)

    def health(self, _: Request) -> Response:
        """Whether it can answer: 503 while the topic can't be read. And which instance writes."""
        problem = self._registry.problem
        members = {"status": "UP" if problem is None else "DOWN", **self._registry.leadership.told()}
        if problem is not None:
            members["problem"] = problem
        return Response(200 if problem is None else 503, json_bytes(members))

    def contexts(self, request: Request) -> Response:
        """The contexts."""
        prefix = request.text("contextPrefix")
        names = sorted({contexts.DEFAULT, *self._registry.state.contexts})
        return answer(page(request, (name for name in names if name.startswith(prefix)), SUBJECTS_MAX))

    async def delete_context(self, request: Request) -> Response:
        """Deletes a context in which there is nothing any more."""
        context = request.path["context"].strip(":")

        def decide(state: State) -> Decision[None]:
            if context not in state.contexts:
                raise HttpError(404, f"Context '{context}' not found", 40404)
            if any(contexts.context_of(subject) == context for subject in state.subjects):
                raise errors.context_not_empty(context)
            return Decision(None, [context_record(context, deleted=True)])

        await self._registry.write(decide)
        return Response(204)

    def id(self, _: Request) -> Response:
        """Of which cluster it is."""
        clusters = {"kafka-cluster": self._registry.cluster_id, "schema-registry-cluster": "schema-registry"}
        return answer({"scope": {"path": [], "clusters": clusters}})

    def version(self, _: Request) -> Response:
        """Which release it is."""
        return answer({"version": release(), "commitId": ""})

    def deployment(self, _: Request) -> Response:
        """What kind of installation it is: none of the kinds there are."""
        return answer({"attributes": []})


@cache
def release() -> str:
    """Which release of barnabas this is."""
    from importlib.metadata import version

    return version("barnabas")
