"""What several operations read in requests, and say in responses."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from barnabas.http.errors import HttpError
from barnabas.http.request import Request, parsed_number
from barnabas.http.response import Response, json_bytes
from barnabas.schema_registry import contexts, errors
from barnabas.schema_registry.association import STRONG, TOPIC, WEAK, Filter
from barnabas.schema_registry.contracts import metadata_of, rule_set_of
from barnabas.schema_registry.entries import Schema, Version
from barnabas.schema_registry.formats.tags import FIELD, RECORD, UNCHANGED, Entity, TagChange, Tagged
from barnabas.schema_registry.registering import Offered, references_of
from barnabas.schema_registry.registry import Registry
from barnabas.schema_registry.state import State

T = TypeVar("T")

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
LATEST = "latest"
PLAIN_MEMBERS = frozenset({"schema", "schemaType"})
"""Members of a request for a schema that has no more than its text."""


def answer(value: Any, *, publish: bool = False) -> Response:
    """`value` as a response."""
    return Response(200, json_bytes(value), MEDIA_TYPE, publish=publish)


def subject_of(registry: Registry, request: Request) -> str:
    """The subject in the path, as it is kept; the one that it is an alias of, if it is one."""
    return registry.state.aliased(contexts.normalize(request.path["subject"]))


def writable_subject_of(registry: Registry, request: Request) -> str:
    """The subject in the path, under which something may be registered. Raises HttpError."""
    subject = subject_of(registry, request)
    name = contexts.split(subject)[1]
    if not name or min(subject) < " " or name in ("__GLOBAL", "__EMPTY"):
        raise errors.invalid_subject(subject)
    return subject


def existing_version(state: State, subject: str, text: str, *, deleted: bool) -> Version:
    """The version that `text` names, a number or `latest`. Raises HttpError."""
    number = version_number(text)
    if not state.versions(subject, deleted=deleted):
        raise errors.subject_not_found(subject)
    found = state.latest(subject, deleted=deleted) if number is None else state.version(subject, number)
    if found is None or (found.deleted and not deleted):
        raise errors.version_not_found(text)
    return found


def version_number(text: str) -> int | None:
    """The number of a version; None for the latest. Raises HttpError."""
    if text.strip().lower() in (LATEST, "-1"):
        return None
    number = parsed_number(text.strip())
    if number is None or number < 1:
        raise errors.invalid_version(text)
    return number


def id_of(request: Request) -> int:
    """The id in the path. Raises HttpError."""
    number = parsed_number(request.path["id"])
    if number is None:
        raise HttpError(404, f"'{request.path['id'][:100]}' is no id of a schema")
    return number


def offered(request: Request) -> Offered:
    """The schema that a request offers. Raises HttpError."""
    return offered_of(request.json_object())


def offered_of(body: Mapping[str, Any]) -> Offered:
    """The schema of a request, of which it is a part. Raises HttpError."""
    text, schema_type = body.get("schema") or "", body.get("schemaType") or "AVRO"
    if not isinstance(text, str) or not isinstance(schema_type, str):
        raise errors.invalid_schema("The schema, or its type, is no text")
    if PLAIN_MEMBERS.issuperset(body):
        return Offered(Schema.of(schema_type, text))
    tags = TagChange(tags_of(body, "schemaTagsToAdd"), tags_of(body, "schemaTagsToRemove"))
    schema = Schema.of(
        schema_type,
        text,
        references_of(body.get("references")),
        metadata_of(body.get("metadata")),
        rule_set_of(body.get("ruleSet")),
    )
    # Any version but 0, -1 too, is noted in the metadata; so is that of a schema whose tags are changed.
    numbered = tags != UNCHANGED or body.get("version") not in (None, 0)
    propagates = body.get("propagateSchemaTags") is True
    return Offered(
        schema, wanted_number(body, "version"), wanted_number(body, "id"), numbered, tags, propagates
    )


def tags_of(body: Mapping[str, Any], name: str) -> Tagged:
    """Tags of parts of a schema in a request. Raises HttpError."""
    found: dict[Entity, list[str]] = {}
    value = body.get(name)
    if not value:
        return found
    try:
        for each in value:
            part, tags = each["schemaEntity"], each["tags"]
            entity = Entity(part["entityPath"].removeprefix("."), part["entityType"])
            if entity.type not in (RECORD, FIELD) or not all(isinstance(tag, str) for tag in tags):
                raise TypeError
            found[entity] = [*found.get(entity, ()), *tags]
    except (KeyError, TypeError, AttributeError) as error:
        raise errors.invalid_schema(
            f"{name} needs a schemaEntity with its entityPath and entityType ({RECORD}, {FIELD}), and tags"
        ) from error
    return found


def wanted_number(body: Mapping[str, Any], name: str) -> int | None:
    """The number of a version, or an id, that a request asks for, if it does. Raises HttpError."""
    value = body.get(name)
    if value is None or value in (-1, 0):
        return None
    if not isinstance(value, int) or not 0 < value < 2**31:
        raise errors.invalid_schema(f"'{name}' must be a positive number")
    return value


def page(request: Request, items: Iterable[T], limit_max: int) -> list[T]:
    """The part of `items` that `offset` and `limit` ask for; no more than `limit_max`."""
    offset, limit = max(request.number("offset", 0), 0), request.number("limit", -1)
    if not 0 < limit <= limit_max:
        limit = limit_max
    return list(itertools.islice(items, offset, offset + limit))


def filter_of(request: Request, resource_type: str | None = TOPIC) -> Filter:
    """Which associations a request asks for. Raises HttpError."""
    lifecycle = request.text("lifecycle") or None
    if lifecycle not in (None, STRONG, WEAK):
        raise HttpError(404, f"There is no lifecycle {lifecycle}")
    types = tuple(each for each in request.query.get("associationType", ()) if each)
    return Filter(request.text("resourceType") or resource_type, types, lifecycle)


def formatted(registry: Registry, version: Version, form: str) -> str:
    """A schema's text in the form that a request asks for; an empty one is how it is kept."""
    if not form:
        return version.schema.text
    return registry.parser.of_version(registry.state, version).formatted(form)


def told(registry: Registry, version: Version, form: str = "", reference_form: str = "") -> dict[str, Any]:
    """A version as it stands in responses. The form `qualified` names subjects of references with their
    contexts."""
    members = version.told()
    members["schema"] = formatted(registry, version, form)
    if reference_form == "qualified" and version.schema.references:
        members["references"] = [
            {**each.told(), "subject": contexts.beside(version.subject, each.subject)}
            for each in version.schema.references
        ]
    return members


def tags_found(registry: Registry, version: Version, request: Request) -> dict[str, Any]:
    """The member of a response that has the tags which a request looks for, `*` for all."""
    wanted = {tag for each in request.query.get("findTags", ()) for tag in each.split(",") if tag}
    if not wanted:
        return {}
    tagged = registry.parser.of_version(registry.state, version).tagged()
    return {
        "schemaTags": [
            {"schemaEntity": {"entityPath": entity.path, "entityType": entity.type}, "tags": list(tags)}
            for entity, tags in tagged.items()
            if "*" in wanted or not wanted.isdisjoint(tags)
        ]
    }
