"""Associations of subjects with topics."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from barnabas.http.errors import HttpError
from barnabas.http.request import Request
from barnabas.http.response import Response, json_bytes
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.schema_registry import contexts
from barnabas.schema_registry.associating import Settled, put, remove, resource_of, settle, wanted_of
from barnabas.schema_registry.association import STRONG, Association, Filter
from barnabas.schema_registry.decision import Decision
from barnabas.schema_registry.deleting import delete_subject
from barnabas.schema_registry.entries import Version
from barnabas.schema_registry.handlers.reading import (
    MEDIA_TYPE,
    answer,
    filter_of,
    offered_of,
    page,
    subject_of,
)
from barnabas.schema_registry.handlers.schemas import SCHEMAS_MAX
from barnabas.schema_registry.registering import register
from barnabas.schema_registry.registry import Registry
from barnabas.schema_registry.state import State

REQUESTS_MAX = 1_000
"""Resources of one batch."""


class Associations:
    """The operations under `/associations`."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def add_to(self, routes: Routes[Handler]) -> None:
        """Adds the operations."""
        routes.add("GET", "/associations/subjects/{subject}", self.of_subject)
        routes.add("GET", "/associations/resources/{resourceId}", self.of_resource)
        routes.add("GET", "/associations/resources/{resourceNamespace}/{resourceName}", self.of_name)
        routes.add("POST", "/associations", self.create)
        routes.add("PUT", "/associations/resources/{resourceId}", self.update)
        routes.add("DELETE", "/associations/resources/{resourceId}", self.delete)
        routes.add("POST", "/associations:batch", self.batch)

    def of_subject(self, request: Request) -> Response:
        """The associations of a subject. Serializers ask for them."""
        found = self._registry.state.associations.of_subject(
            subject_of(self._registry, request), filter_of(request)
        )
        return _listed(request, found)

    def of_resource(self, request: Request) -> Response:
        """The associations of a resource, by its id."""
        id_ = request.path["resourceId"]
        return _listed(request, self._registry.state.associations.of_resource(id_, filter_of(request)))

    def of_name(self, request: Request) -> Response:
        """The associations of a resource, by its name; `-` is any."""
        found = self._registry.state.associations.of_name(
            request.path["resourceNamespace"], request.path["resourceName"], filter_of(request)
        )
        return _listed(request, found)

    async def create(self, request: Request) -> Response:
        """Makes associations, and registers their schemas."""
        body = request.json_object()
        return answer(await self._made(body, body.get("associations"), *_how(request), create=True))

    async def update(self, request: Request) -> Response:
        """Makes associations, or changes them."""
        body, id_ = request.json_object(), request.path["resourceId"]
        if body.setdefault("resourceId", id_) != id_:
            raise HttpError(422, "The resourceId of the body is another than that of the path", 42212)
        return answer(await self._made(body, body.get("associations"), *_how(request), create=False))

    async def delete(self, request: Request) -> Response:
        """Takes associations away; with `cascadeLifecycle` frozen ones too, and their subjects."""
        await self._deleted(
            request.path["resourceId"],
            filter_of(request),
            cascade=request.flag("cascadeLifecycle"),
            dry_run=request.flag("dryRun"),
        )
        return Response(204)

    async def batch(self, request: Request) -> Response:
        """Makes, changes and takes away associations of several resources; each has its own result."""
        requests = request.json_object().get("requests")
        if not isinstance(requests, list) or not 0 < len(requests) <= REQUESTS_MAX:
            raise HttpError(422, f"requests must be a list of 1 to {REQUESTS_MAX} objects", 42212)
        context, dry_run = _how(request)
        results: list[dict[str, Any]] = []
        for body in requests:
            try:
                results.append({"result": await self._mutated(body, context, dry_run)})
            except HttpError as error:
                results.append({"error": {"error_code": error.code, "message": error.message}})
        return Response(207, json_bytes({"results": results}), MEDIA_TYPE)

    # ---- what they do

    async def _mutated(self, body: Any, context: str, dry_run: bool) -> dict[str, Any]:
        operations = body.get("associations") if isinstance(body, dict) else None
        if not isinstance(operations, list) or not operations:
            raise HttpError(422, "associations must be a list that is not empty", 42212)
        resource, schemas = resource_of(body, dry_run=dry_run), dict[str, Any]()
        for kind, run in _runs(operations):
            if kind == "DELETE":
                types = [each.get("associationType") or "value" for each in run]
                cascade = all(each.get("cascadeLifecycle") is True for each in run)
                if resource.id is not None:
                    wanted = Filter(resource.type, types)
                    await self._deleted(resource.id, wanted, cascade=cascade, dry_run=dry_run)
                continue
            made = await self._made(body, run, context, dry_run, create=kind == "CREATE")
            schemas |= {
                each["associationType"]: each["schema"] for each in made["associations"] if "schema" in each
            }
        found = [] if dry_run else self._registry.state.associations.of_resource(resource.id)
        return {**resource.told(), "associations": _briefs(found, schemas)}

    async def _made(
        self, body: Mapping[str, Any], associations: Any, context: str, dry_run: bool, *, create: bool
    ) -> dict[str, Any]:
        resource = resource_of(body, dry_run=dry_run)
        if not isinstance(associations, list) or not associations:
            raise HttpError(422, "associations must be a list that is not empty", 42212)
        wanted = [wanted_of(each, resource, offered_of, create=create) for each in associations]
        parser, guids = self._registry.parser, {each.type: str(uuid.uuid4()) for each in wanted}

        def settled(state: State) -> list[Settled]:
            each = iter(guids.values())
            return settle(state, parser, resource, wanted, lambda: next(each), context=context, create=create)

        # All of them may, before anything is written.
        checked = await self._registry.write(lambda state: Decision(settled(state)))
        if dry_run:
            return {**resource.told(), "associations": []}
        schemas = {}
        for one in checked:
            if one.offered is not None:
                schemas[one.association.type] = (await self._registered(one)).told()

        def put_all(state: State) -> Decision[list[Settled]]:
            found = settled(state)
            return Decision(found, put(found))

        written = await self._registry.write(put_all)
        briefs = _briefs([each.association for each in written if each.changes], schemas)
        return {**resource.told(), "associations": briefs}

    async def _registered(self, one: Settled) -> Version:
        offered, subject, parser = one.offered, one.association.subject, self._registry.parser
        assert offered is not None
        return await self._registry.write(
            lambda state: register(state, parser, subject, offered, normalize=one.normalize)
        )

    async def _deleted(self, id_: str, wanted: Filter, *, cascade: bool, dry_run: bool) -> None:
        def decide(state: State) -> Decision[list[Association]]:
            decision = remove(state, id_, wanted, cascade=cascade)
            return Decision(decision.response) if dry_run else decision

        removed = await self._registry.write(decide)
        for each in [] if dry_run else removed:
            subject = each.subject
            importing = self._registry.state.mode_in_scope(subject) == "IMPORT"
            if cascade and each.lifecycle == STRONG and not importing:
                for permanent in (False, True):
                    await self._registry.write(
                        lambda state, subject=subject, permanent=permanent: delete_subject(  # type: ignore[misc]
                            state, subject, permanent=permanent
                        )
                    )


def _how(request: Request) -> tuple[str, bool]:
    """The context of subjects that name none, and whether nothing is to be written."""
    context = request.text("context").strip(":") or contexts.DEFAULT
    return context if context.startswith(".") else f".{context}", request.flag("dryRun")


def _listed(request: Request, found: Sequence[Association]) -> Response:
    return answer([each.told() for each in page(request, found, SCHEMAS_MAX)])


def _briefs(found: Iterable[Association], schemas: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [each.brief() | ({"schema": schemas[each.type]} if each.type in schemas else {}) for each in found]


def _runs(operations: Sequence[Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Operations of one kind that follow one another are done as one."""
    runs: list[tuple[str, list[dict[str, Any]]]] = []
    for each in operations:
        kind = each.get("opType") if isinstance(each, dict) else None
        if kind not in ("CREATE", "UPSERT", "DELETE"):
            raise HttpError(422, "opType must be CREATE, UPSERT or DELETE", 42212)
        if runs and runs[-1][0] == kind:
            runs[-1][1].append(each)
        else:
            runs.append((kind, [each]))
    return runs
