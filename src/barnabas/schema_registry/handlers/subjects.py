"""Subjects and their versions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from barnabas.http.promise import Promise
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.schema_registry import contexts, errors
from barnabas.schema_registry.contracts import (
    merged_rule_set,
    metadata_of,
    names_of,
    rule_set_of,
    without_rules,
)
from barnabas.schema_registry.decision import Decision
from barnabas.schema_registry.deleting import delete_subject, delete_version
from barnabas.schema_registry.entries import Schema, Version
from barnabas.schema_registry.formats.tags import TagChange
from barnabas.schema_registry.handlers.reading import (
    MEDIA_TYPE,
    answer,
    existing_version,
    formatted,
    offered,
    page,
    subject_of,
    tags_found,
    tags_of,
    told,
    version_number,
    wanted_number,
    writable_subject_of,
)
from barnabas.schema_registry.handlers.schemas import SUBJECTS_MAX, subjects_with
from barnabas.schema_registry.registering import Offered, lookup, register, registered
from barnabas.schema_registry.registry import Registry
from barnabas.schema_registry.state import State


class Subjects:
    """The operations under `/subjects`."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def add_to(self, routes: Routes[Handler]) -> None:
        """Adds the operations."""
        routes.add("GET", "/subjects", self.list)
        routes.add("POST", "/subjects/{subject}", self.lookup)
        routes.add("DELETE", "/subjects/{subject}", self.delete)
        routes.add("GET", "/subjects/{subject}/metadata", self.with_metadata)
        routes.add("GET", "/subjects/{subject}/versions", self.versions)
        routes.add("POST", "/subjects/{subject}/versions", self.register)
        routes.add("GET", "/subjects/{subject}/versions/{version}", self.version)
        routes.add("DELETE", "/subjects/{subject}/versions/{version}", self.delete_version)
        routes.add("POST", "/subjects/{subject}/versions/{version}/tags", self.modify_tags)
        routes.add("GET", "/subjects/{subject}/versions/{version}/schema", self.version_text)
        routes.add("GET", "/subjects/{subject}/versions/{version}/referencedby", self.referenced_by)

    def list(self, request: Request) -> Response:
        """The subjects."""
        state, wanted = self._registry.state, _Wanted(request)
        subjects = subjects_with(state.subjects, request.text("subjectPrefix", contexts.WILDCARD))
        return answer(page(request, (each for each in subjects if wanted.of(state, each)), SUBJECTS_MAX))

    def versions(self, request: Request) -> Response:
        """The numbers of a subject's versions."""
        state, subject = self._registry.state, subject_of(self._registry, request)
        numbers = [version.number for version in _Wanted(request).of(state, subject)]
        if not numbers:
            raise errors.subject_not_found(subject)
        return answer(page(request, numbers, SUBJECTS_MAX))

    def version(self, request: Request) -> Response:
        """A version."""
        version, forms = self._existing(request), (request.text("format"), request.text("referenceFormat"))
        found = tags_found(self._registry, version, request)
        return answer(told(self._registry, version, *forms) | found)

    def version_text(self, request: Request) -> Response:
        """The text of a version's schema."""
        text = formatted(self._registry, self._existing(request), request.text("format"))
        return Response(200, text.encode(), MEDIA_TYPE)

    def referenced_by(self, request: Request) -> Response:
        """The ids of schemas that refer to a version."""
        version = self._existing(request)
        state, deleted = self._registry.state, request.flag("deleted")
        ids = dict.fromkeys(
            each.id for each in state.referrers(version.subject, version.number, deleted=deleted)
        )
        return answer(page(request, sorted(ids), SUBJECTS_MAX))

    def with_metadata(self, request: Request) -> Response:
        """The newest version that has these properties."""
        state, subject, deleted = (
            self._registry.state,
            subject_of(self._registry, request),
            request.flag("deleted"),
        )
        wanted = dict(zip(request.query.get("key", []), request.query.get("value", []), strict=False))
        versions = state.versions(subject, deleted=deleted)
        if not versions:
            raise errors.subject_not_found(subject)
        for version in reversed(versions):
            properties: dict[str, Any] = (version.schema.metadata or {}).get("properties") or {}
            if wanted.items() <= properties.items():
                return answer(told(self._registry, version, request.text("format")))
        raise errors.schema_not_found()

    def lookup(self, request: Request) -> Response:
        """The version under which a schema is registered."""
        state, subject, deleted = (
            self._registry.state,
            subject_of(self._registry, request),
            request.flag("deleted"),
        )
        schema = offered(request).schema
        found = lookup(
            state,
            self._registry.parser,
            subject,
            schema,
            normalize=request.flag("normalize"),
            deleted=deleted,
        )
        if found is not None:
            return answer(told(self._registry, found, request.text("format")), publish=True)
        if not state.versions(subject, deleted=deleted):
            raise errors.subject_not_found(subject)
        raise errors.schema_not_found()

    def register(self, request: Request) -> Response | Promise[Response] | Awaitable[Response]:
        """Registers a schema. One that is registered already is answered at once, later without Python."""
        subject, schema = writable_subject_of(self._registry, request), offered(request)
        parser, normalize = self._registry.parser, request.flag("normalize")
        force = request.flag("force")

        def decide(state: State) -> Decision[Version]:
            return register(state, parser, subject, schema, normalize=normalize, force=force)

        decided = self._registry.decided(decide)
        if decided is not None:
            version, landing = decided
            # Written while brokers see to the record.
            response = self._registered(request, version, publish=landing is None)
            return response if landing is None else landing.giving(response)
        if self._registry.settled:  # Another instance writes.
            known = registered(self._registry.state, parser, subject, schema, normalize=normalize)
            if known is not None:
                return self._registered(request, known, publish=True)
        return self._register(request, decide)

    async def modify_tags(self, request: Request) -> Response:
        """Registers a version that is another one with other tags, metadata or rules."""
        subject, body = writable_subject_of(self._registry, request), request.json_object()
        tags = TagChange(tags_of(body, "tagsToAdd"), tags_of(body, "tagsToRemove"))
        metadata, rule_set = metadata_of(body.get("metadata")), rule_set_of(body.get("ruleSet"))
        merge, remove = rule_set_of(body.get("rulesToMerge")), names_of(body.get("rulesToRemove"))
        number, parser, text = (
            wanted_number(body, "newVersion"),
            self._registry.parser,
            request.path["version"],
        )

        def decide(state: State) -> Decision[Version]:
            old = existing_version(state, subject, text, deleted=False).schema
            rules = rule_set
            if merge is not None or remove is not None:
                before = state.latest(subject) if number is None else state.version(subject, number - 1)
                rules = merged_rule_set(None if before is None else before.schema.rule_set, merge)
                rules = without_rules(rules, remove or ())
            schema = Schema.of(
                old.schema_type,
                old.text,
                old.references,
                old.metadata if metadata is None else metadata,
                rules,
            )
            offered = Offered(schema, number, None, numbered=True, tags=tags)
            return register(state, parser, subject, offered, normalize=False)

        return await self._register(request, decide)

    async def _register(self, request: Request, decide: Callable[[State], Decision[Version]]) -> Response:
        return self._registered(request, await self._registry.write(decide))

    def _registered(self, request: Request, version: Version, *, publish: bool = False) -> Response:
        text = formatted(self._registry, version, request.text("format"))
        members = {"id": version.id, "version": version.number, **version.schema.told(), "schema": text}
        return answer(members, publish=publish)

    async def delete(self, request: Request) -> Response:
        """Deletes a subject."""
        subject, permanent = subject_of(self._registry, request), request.flag("permanent")
        return answer(
            await self._registry.write(lambda state: delete_subject(state, subject, permanent=permanent))
        )

    async def delete_version(self, request: Request) -> Response:
        """Deletes a version."""
        subject, permanent = subject_of(self._registry, request), request.flag("permanent")
        text = request.path["version"]
        # The latest is the latest that is not deleted, and can't be deleted for good.
        deleted = version_number(text) is not None

        def decide(state: State) -> Decision[int]:
            version = existing_version(state, subject, text, deleted=deleted)
            return delete_version(state, version, permanent=permanent)

        return answer(await self._registry.write(decide))

    def _existing(self, request: Request) -> Version:
        return existing_version(
            self._registry.state,
            subject_of(self._registry, request),
            request.path["version"],
            deleted=request.flag("deleted"),
        )


class _Wanted:
    """Which versions count: those that are not deleted, all of them, or only the deleted ones."""

    def __init__(self, request: Request) -> None:
        self._only = request.flag("deletedOnly")
        self._deleted = self._only or request.flag("deleted")

    def of(self, state: State, subject: str) -> list[Version]:
        versions = state.versions(subject, deleted=self._deleted)
        if self._only:
            return [version for version in versions if version.deleted]
        return versions
