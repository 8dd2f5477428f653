"""Schemas by id, by GUID, and all of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.schema_registry import contexts, errors, formats
from barnabas.schema_registry.association import EVERY
from barnabas.schema_registry.entries import Version
from barnabas.schema_registry.guid import RULE_LISTS
from barnabas.schema_registry.handlers.reading import (
    MEDIA_TYPE,
    answer,
    filter_of,
    formatted,
    id_of,
    page,
    tags_found,
    told,
)
from barnabas.schema_registry.registry import Registry
from barnabas.schema_registry.state import State

SCHEMAS_MAX = 1_000
"""Schemas of one response."""
SUBJECTS_MAX = 20_000
"""Subjects, or versions of subjects, of one response."""


class Schemas:
    """The operations under `/schemas`."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def add_to(self, routes: Routes[Handler]) -> None:
        """Adds the operations."""
        routes.add("GET", "/schemas", self.list)
        routes.add("GET", "/schemas/types", self.types)
        routes.add("GET", "/schemas/ids/{id}", self.by_id)
        routes.add("GET", "/schemas/ids/{id}/schema", self.text_by_id)
        routes.add("GET", "/schemas/ids/{id}/subjects", self.subjects_of_id)
        routes.add("GET", "/schemas/ids/{id}/versions", self.versions_of_id)
        routes.add("GET", "/schemas/guids/{guid}", self.by_guid)
        routes.add("GET", "/schemas/guids/{guid}/ids", self.ids_of_guid)

    def types(self, _: Request) -> Response:
        """The formats that schemas may have."""
        return answer(list(formats.SCHEMA_TYPES))

    def by_id(self, request: Request) -> Response:
        """The schema that an id stands for, deleted or not."""
        version = self._found(request)
        members = told(self._registry, version, request.text("format"), request.text("referenceFormat"))
        del members["id"]
        members |= tags_found(self._registry, version, request)
        if request.flag("fetchMaxId"):
            members["maxId"] = self._registry.state.id_max(contexts.context_of(version.subject))
            return answer(members)
        return answer(members, publish=True)

    def text_by_id(self, request: Request) -> Response:
        """Its text alone."""
        version = self._found(request)
        text = formatted(self._registry, version, request.text("format"))
        return Response(200, text.encode(), MEDIA_TYPE, publish=True)

    def subjects_of_id(self, request: Request) -> Response:
        """The subjects that it is registered under."""
        versions = self._all(request)
        return answer(page(request, dict.fromkeys(version.subject for version in versions), SUBJECTS_MAX))

    def versions_of_id(self, request: Request) -> Response:
        """The subjects, and the versions there."""
        pairs = ({"subject": version.subject, "version": version.number} for version in self._all(request))
        return answer(page(request, pairs, SUBJECTS_MAX))

    def by_guid(self, request: Request) -> Response:
        """The schema with a GUID."""
        places = self._registry.state.with_guid(_guid(request))
        if not places:
            raise errors.schema_not_found(request.path["guid"])
        version = next(self._registry.state.with_id(*places[0]))
        members = told(self._registry, version, request.text("format"))
        del members["id"], members["subject"], members["version"]
        return answer(members, publish=True)

    def ids_of_guid(self, request: Request) -> Response:
        """The ids that it has, and in which contexts."""
        places = self._registry.state.with_guid(_guid(request))
        return answer([{"context": context, "id": id_} for context, id_ in places])

    def list(self, request: Request) -> Response:
        """All schemas of subjects with a prefix."""
        versions = self._listed(
            request.text("subjectPrefix"), deleted=request.flag("deleted"), latest=request.flag("latestOnly")
        )
        if rule_type := request.text("ruleType"):
            versions = (version for version in versions if rule_type in _rule_types(version))
        wanted, associations = filter_of(request, None), self._registry.state.associations
        if wanted != EVERY:
            versions = (each for each in versions if associations.of_subject(each.subject, wanted))
        listed = [told(self._registry, version) for version in page(request, versions, SCHEMAS_MAX)]
        if request.flag("aliases"):
            aliases = _aliases(self._registry.state)
            for members in listed:
                if members["subject"] in aliases:
                    members["aliases"] = aliases[members["subject"]]
        for members in listed if wanted != EVERY else ():
            found = associations.of_subject(members["subject"], wanted)
            members["associations"] = [each.told() for each in found]
        return answer(listed)

    def _listed(self, prefix: str, *, deleted: bool, latest: bool) -> Iterator[Version]:
        state = self._registry.state
        for subject in subjects_with(state.subjects, prefix):
            versions = state.versions(subject, deleted=deleted)
            yield from versions[-1:] if latest else versions

    def _found(self, request: Request) -> Version:
        id_ = id_of(request)
        found = next(self._versions(id_, request.text("subject")), None)
        if found is None:
            raise errors.schema_not_found(id_)
        return found

    def _all(self, request: Request) -> Iterator[Version]:
        id_ = id_of(request)
        versions = list(self._versions(id_, request.text("subject")))
        if not versions:
            raise errors.schema_not_found()
        deleted = request.flag("deleted")
        return (version for version in versions if deleted or not version.deleted)

    def _versions(self, id_: int, subject: str) -> Iterator[Version]:
        """What an id stands for in the context of `subject`. If that names none, and the default context does
        not know the id, in one where such a subject has it."""
        state = self._registry.state
        context, name = contexts.split(state.aliased(contexts.normalize(subject)))
        versions = list(state.with_id(context, id_))
        if not versions and name and context == contexts.DEFAULT:
            for other in sorted(state.contexts):
                found = list(state.with_id(other, id_))
                if any(version.subject == contexts.join(other, name) for version in found):
                    return iter(found)
        return iter(versions)


def subjects_with(subjects: dict[str, Any], prefix: str) -> list[str]:
    """The subjects with a prefix, sorted: in the prefix's context, or in all behind `:*:`."""
    if prefix.startswith(contexts.WILDCARD):
        name = prefix[len(contexts.WILDCARD) :]
        return sorted(subject for subject in subjects if contexts.split(subject)[1].startswith(name))
    context, name = contexts.split(prefix)
    found = ((contexts.split(subject), subject) for subject in subjects)
    return sorted(subject for place, subject in found if place[0] == context and place[1].startswith(name))


def _rule_types(version: Version) -> set[str]:
    rule_set = version.schema.rule_set or {}
    return {rule["type"] for kind in RULE_LISTS for rule in rule_set.get(kind) or ()}


def _aliases(state: State) -> dict[str, list[str]]:
    """The names that stand for other subjects, by those subjects."""
    found: dict[str, list[str]] = {}
    for name, config in state.configs.items():
        if name is not None and config.get("alias"):
            found.setdefault(state.aliased(name), []).append(name)
    return found


def _guid(request: Request) -> bytes:
    text = request.path["guid"]
    try:
        return uuid.UUID(text).bytes
    except ValueError as error:
        raise errors.schema_not_found(text) from error
