"""What the operations of API v2 have in common: types of bodies, and how errors are told."""

from __future__ import annotations

from functools import wraps
from typing import Any

from barnabas import errors
from barnabas.errors import BarnabasError
from barnabas.http.errors import HttpError
from barnabas.http.request import Request
from barnabas.http.response import Response, json_bytes
from barnabas.http.serving import Answer, Handler, error_body
from barnabas.rest.asking import Operation
from barnabas.rest.errors import PARTITION_NOT_FOUND, TOPIC_NOT_FOUND, told
from barnabas.rest.values import EMBEDDED, WITH_SCHEMA

MEDIA_TYPE = "application/vnd.kafka.v2+json"
FORMATS = ("binary", "json", "avro", "jsonschema", "protobuf")
"""How keys and values stand in JSON."""
CONSUMED = frozenset({MEDIA_TYPE, *(f"application/vnd.kafka.{name}.v2+json" for name in FORMATS)})
SCHEMA_FORMATS = tuple(name.lower() for name in WITH_SCHEMA)
assert set(FORMATS) <= {name.lower() for name in EMBEDDED + WITH_SCHEMA}


def telling(operation: Operation) -> Handler:
    """The operation, whose errors are told as API v2 tells them."""

    @wraps(operation)
    async def answered(request: Request) -> Answer:
        try:
            return await operation(request)
        except HttpError as error:
            why = error
        except (errors.UnknownTopicOrPartition, errors.UnknownTopicId):
            why = topic_not_found()
        except BarnabasError as error:
            why = told(error)
        return Response(why.status, error_body(why), MEDIA_TYPE, why.headers)

    return answered


def answer(value: Any, media_type: str = MEDIA_TYPE) -> Response:
    """A response with a value as its body."""
    return Response(200, json_bytes(value), media_type)


def topic_not_found() -> HttpError:
    """A topic that there is not."""
    return HttpError(404, "Topic not found.", TOPIC_NOT_FOUND)


def partition_not_found() -> HttpError:
    """A partition that there is not."""
    return HttpError(404, "Partition not found.", PARTITION_NOT_FOUND)


def format_media_type(name: str) -> str:
    """The type of a body whose keys and values stand in a format."""
    return f"application/vnd.kafka.{name}.v2+json"


def format_sent(request: Request) -> str:
    """The format of the records in a body; binary where its type does not say."""
    sent = (request.native.header("content-type") or "").split(";")[0].strip().lower()
    return next((name for name in FORMATS if sent == format_media_type(name)), "binary")


def formats_accepted(request: Request) -> set[str] | None:
    """The formats that a client takes; None where it takes any."""
    accept = request.native.header("accept")
    if accept is None:
        return None
    named = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    if named & {"*/*", "application/*", "application/json", MEDIA_TYPE}:
        return None
    return {name for name in FORMATS if format_media_type(name) in named}


def body_or_empty(request: Request) -> dict[str, Any]:
    """A body that may be left out."""
    return request.json_object() if request.native.body.strip() else {}
