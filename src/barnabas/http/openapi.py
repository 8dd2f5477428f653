"""What a service answers, as OpenAPI 3.0 tells it: made from the routes that answer, so that it can't say
anything else.

An operation that nobody has declared more of is told of with its path and the first line of its handler's
text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Shape = Mapping[str, Any]
"""A schema, as OpenAPI has them."""

TEXT: Shape = {"type": "string"}
FLAG: Shape = {"type": "boolean"}
INT32: Shape = {"type": "integer", "format": "int32"}
INT64: Shape = {"type": "integer", "format": "int64"}
TEXTS: Shape = {"type": "array", "items": TEXT}
ANYTHING: Shape = {}

VERSION = "3.0.3"


def array(items: Shape) -> Shape:
    """A list of these."""
    return {"type": "array", "items": items}


def choice(*values: str) -> Shape:
    """One of these texts."""
    return {"type": "string", "enum": list(values)}


def members(**properties: Shape) -> Shape:
    """An object that may have these members."""
    return {"type": "object", "properties": properties}


def mapping(values: Shape) -> Shape:
    """An object with members of any name."""
    return {"type": "object", "additionalProperties": values}


def nullable(values: Shape) -> Shape:
    """One of these, or null."""
    return {**values, "nullable": True}


def shape(name: str) -> Shape:
    """A schema of the description, by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method of one path takes and answers."""

    id: str
    response: Shape | None = None
    """Of the body; None when there is none."""
    query: Mapping[str, Shape] = field(default_factory=dict)
    body: Shape | None = None
    path: Mapping[str, Shape] = field(default_factory=dict)
    """Parts of the path that are no texts."""
    status: int = 200
    errors: Sequence[int] = ()
    """Statuses of errors; 500 is always one."""
    summary: str = ""
    """In place of the first line of the handler's text."""
    websocket: bool = False
    """Whether it answers over a WebSocket too, with messages."""
    produced: Sequence[str] = ()
    """Types of its responses, where they are not those of the service; the usual one first."""
    refusing: Sequence[str] = ()
    """Types of its errors, where they are not among `produced`."""
    consumed: Iterable[str] = ()
    """Types of its requests, where they are not those of the service."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A route, as it was added."""

    method: str
    pattern: str
    text: str
    """What the handler says of itself."""
    operation: Operation | None


@dataclass(frozen=True, slots=True)
class Description:
    """What is said of a service as a whole."""

    title: str
    version: str
    error: Shape
    """The body of errors."""
    schemas: Mapping[str, Shape] = field(default_factory=dict)
    media_types: Sequence[str] = ("application/json",)
    """Types of responses; the usual one first."""
    consumed: Iterable[str] = ("application/json",)
    """Types of requests."""


STATUSES = {
    101: "A WebSocket opens; each message is one of what is listed else.",
    200: "Done.",
    201: "Made.",
    202: "Taken on.",
    204: "Done; there is nothing to say.",
    207: "Each has a result of its own.",
    400: "The request can't be read.",
    401: "It must be said who asks.",
    403: "Who asks may not do that.",
    404: "There is no such thing.",
    405: "The path has no such method.",
    409: "It gets in the way of what is there.",
    413: "The body is too large.",
    415: "Bodies of this type are not read.",
    422: "What is asked for can't be.",
    429: "Too many requests.",
    500: "The service failed.",
    501: "This is not built.",
    503: "The service can't do that now.",
    504: "The cluster has not answered in time.",
}


def document(declared: Iterable[Declared], description: Description) -> dict[str, Any]:
    """The description of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in declared:
        paths.setdefault(route.pattern, {})[route.method.lower()] = _operation(route, description)
    return {
        "openapi": VERSION,
        "info": {"title": description.title, "version": description.version},
        "paths": paths,
        "components": {"schemas": dict(description.schemas)},
    }


def _operation(route: Declared, description: Description) -> dict[str, Any]:
    operation = route.operation or Operation(_name(route), ANYTHING)
    first_line = route.text.strip().split("\n\n")[0]
    told: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary or " ".join(first_line.split()),
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": operation.path.get(name, TEXT)}
                for name in re.findall(r"{(\w+)}", route.pattern)
            ),
            *({"name": name, "in": "query", "schema": each} for name, each in operation.query.items()),
        ],
    }
    if operation.body is not None:
        consumed = sorted(operation.consumed or description.consumed)
        content = {media_type: {"schema": operation.body} for media_type in consumed}
        told["requestBody"] = {"required": True, "content": content}
    produced = operation.produced or description.media_types
    told["responses"] = {str(operation.status): _response(operation.status, operation.response, produced)}
    if operation.websocket:
        told["responses"]["101"] = {"description": STATUSES[101]}
    refusing = operation.refusing or [one for one in produced if "json" in one] or description.media_types
    errors = {*operation.errors, 500, *((415, 413) if route.method in ("POST", "PUT", "PATCH") else ())}
    for status in sorted({*errors, *((400,) if operation.body or operation.query else ())}):
        told["responses"][str(status)] = _response(status, description.error, refusing)
    return told


def _response(status: int, body: Shape | None, media_types: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"description": STATUSES[status]}
    if body is not None:
        told["content"] = {media_type: {"schema": body} for media_type in media_types}
    return told


def _name(route: Declared) -> str:
    """An operation's id where none is declared: `getClustersTopics`."""
    parts = re.findall(r"\w+", re.sub(r"{\w+}", "", route.pattern))
    return route.method.lower() + "".join(part[:1].upper() + part[1:] for part in parts)
