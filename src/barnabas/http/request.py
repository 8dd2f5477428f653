"""A request, as handlers see it."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from barnabas._core import flat_json
from barnabas.http.errors import HttpError

if TYPE_CHECKING:
    from barnabas._core import HttpRequest
    from barnabas.http.streaming import Stream

QUERY_FIELDS_MAX = 100
"""Parameters that a query may have."""


class Request:
    """Path, query and body of a request; read when they are asked for."""

    __slots__ = ("__dict__", "native", "path")

    def __init__(self, native: HttpRequest) -> None:
        self.native = native
        self.path: dict[str, str] = {}
        """What stands in the places that the route has in braces, with percent signs resolved."""
        self.operation = ""
        """Method and pattern of the route: `GET /subjects/{subject}`."""
        self.authorization: str | None = None
        """What the header `Authorization` says, or would say, of whoever asks, where that matters."""
        self.stream: Stream | None = None
        """Gives the body where it comes in pieces."""

    @property
    def method(self) -> str:
        return self.native.method

    @cached_property
    def query(self) -> dict[str, list[str]]:
        """The parameters behind the question mark."""
        fields: dict[str, list[str]] = {}
        if not self.native.query:
            return fields
        try:
            pairs = parse_qsl(self.native.query, keep_blank_values=True, max_num_fields=QUERY_FIELDS_MAX)
        except ValueError as error:
            raise HttpError(400, f"The query can't be read: {error}") from error
        for name, value in pairs:
            fields.setdefault(name, []).append(value)
        return fields

    def text(self, name: str, default: str = "") -> str:
        """A parameter; the first, if it is given several times."""
        return self.query.get(name, [default])[0]

    def flag(self, name: str) -> bool:
        """A parameter that says `true`; anything else is no."""
        return bool(self.native.query) and self.text(name).lower() == "true"

    def number(self, name: str, default: int) -> int:
        """A parameter that is a number of 32 bits."""
        text = self.text(name)
        if not text:
            return default
        number = parsed_number(text)
        if number is None:
            raise HttpError(404, f"Parameter {name} must be a number, not {text!r}")
        return number

    def json(self) -> Any:
        """The body, which must be JSON. Raises HttpError when it is not."""
        body = self.native.body
        value: Any = flat_json(body)
        if value is not None:
            return value
        try:
            value = json.loads(body)
            if b"\\u" in body:
                # Half of a pair of surrogates can be escaped, but is no text.
                json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise HttpError(400, f"The request's body is no JSON: {error}") from error
        return value

    def json_object(self) -> dict[str, Any]:
        """The body, which must be a JSON object."""
        value = self.json()
        if not isinstance(value, dict):
            raise HttpError(400, "The request's body must be a JSON object")
        return value


def parsed_number(text: str) -> int | None:
    """A number of 32 bits; None when `text` is none."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10):
        return None
    number = int(text)
    return number if -(2**31) <= number < 2**31 else None


def segments(path: str) -> list[str]:
    """The parts of a path between slashes, with percent signs resolved: `%2F` is part of a name."""
    if "%" not in path:
        return path.strip("/").split("/")
    try:
        return [unquote(part, errors="strict") for part in path.strip("/").split("/")]
    except UnicodeDecodeError as error:
        raise HttpError(400, "The path is no UTF-8") from error
