"""Requests drawn from what a service says of itself, and whether its answers are as it says.

Mostly requests as they should be, of operations, parts of paths, parameters and bodies that are described,
and many that are not.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import jsonschema_rs
from hypothesis import strategies as st

from barnabas.http.openapi import Operation

NAMES = st.sampled_from(["a", "b/c", ".", "", " ", "\u20ac", "a" * 300]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=8
)
"""What may stand where a text is wanted."""
NUMBERS = st.integers(-(2**31), 2**31 - 1) | st.integers(-1, 5)
Values = st.SearchStrategy[Any]
NO_JSON = {
    "invalid UTF-8": b'{"schema":"\xff"}',
    "cut short": b'{"schema":"',
    "nested": b'{"schema":' * 10_000 + b"1" + b"}" * 10_000,
    "lists": b"[" * 1_000_000,
    "digits": b'{"version":' + b"9" * 10_000 + b"}",
}
"""Bodies that are no JSON, or none that anybody would send."""


class Asked(NamedTuple):
    """One request."""

    method: str
    target: str
    body: str | None


class Fuzz:
    """Draws requests of a service."""

    def __init__(
        self,
        operations: Mapping[str, Operation],
        shapes: Mapping[str, Any],
        *,
        names: Values = NAMES,
        places: Mapping[str, Values] | None = None,
        special: Mapping[str, Values] | None = None,
    ) -> None:
        """`operations` by method and path, `shapes` by name, as they are described. What is not drawn by its
        description: parts of paths and parameters (`places`), shapes and members of bodies (`special`)."""
        self.operations = operations
        self.shapes = json.loads(json.dumps(dict(shapes)))
        self._names = names
        self._places = places or {}
        self._special = special or {}

    def value_of(self, shape: Mapping[str, Any], name: str = "") -> Values:
        """Values of a shape, for what has this name."""
        name = shape["$ref"].rpartition("/")[2] if "$ref" in shape else name
        if name in self._special:
            return self._special[name]
        if shape.get("nullable") is True:
            return st.none() | self.value_of({**shape, "nullable": False}, name)
        if "$ref" in shape:
            return st.deferred(lambda: self.value_of(self.shapes[name]))
        if "enum" in shape:
            return st.sampled_from(shape["enum"])
        if "oneOf" in shape or "allOf" in shape:
            return st.one_of(*(self.value_of(each) for each in shape.get("oneOf") or shape["allOf"]))
        match shape.get("type"):
            case "array":
                return st.lists(self.value_of(shape["items"]), max_size=2)
            case "boolean":
                return st.booleans()
            case "integer":
                return NUMBERS
            case "object" if "properties" in shape:
                return self.members_of(shape["properties"])
            case "object":
                values = self.value_of(shape["additionalProperties"])
                return st.dictionaries(st.sampled_from(["x", "y"]), values, max_size=2)
            case "string":
                return self._names
            case _:
                return self._names | NUMBERS | st.none()

    def members_of(self, properties: Mapping[str, Any]) -> Values:
        """Objects with some of these members."""
        drawn = {name: self.value_of(each, name) for name, each in properties.items()}
        return st.fixed_dictionaries({}, optional=drawn)

    def requests_of(self, method: str, path: str) -> st.SearchStrategy[Asked]:
        """Requests of one operation."""
        operation = self.operations[f"{method} {path}"]
        parts = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        places = {part: self._place(part, operation) for part in parts}
        queries = {
            name: self._places[name] if name in self._places else self.value_of(each) | self._names
            for name, each in operation.query.items()
        }
        bodies = st.none() if operation.body is None else self._spoilt(self.value_of(operation.body))

        def asked(names: dict[str, Any], query: dict[str, Any], body: str | None) -> Asked:
            target = path
            for name, value in names.items():
                target = target.replace(f"{{{name}}}", quote(str(value) or "-", safe=""))
            told = {
                name: str(value).lower() if isinstance(value, bool) else value
                for name, value in query.items()
            }
            return Asked(method, f"{target}?{urlencode(told, doseq=True)}" if told else target, body)

        return st.builds(
            asked, st.fixed_dictionaries(places), st.fixed_dictionaries({}, optional=queries), bodies
        )

    def _place(self, part: str, operation: Operation) -> Values:
        if part in self._places:
            return self._places[part]
        number = operation.path.get(part, {}).get("type") == "integer"
        return st.integers(-1, 5) | self._names if number else self._names

    def _spoilt(self, values: Values) -> st.SearchStrategy[str]:
        """Bodies: mostly as they should be."""
        nonsense = st.recursive(
            st.none() | st.integers() | self._names, lambda each: st.lists(each, max_size=2)
        )
        named = sorted({name for shape in self.shapes.values() for name in shape.get("properties", ())})
        objects = st.dictionaries(st.sampled_from(named), nonsense, max_size=2)
        return st.one_of(
            values.map(json.dumps),
            values.map(json.dumps),
            nonsense.map(json.dumps),
            objects.map(json.dumps),
            st.just("{"),
        )


class Service:
    """A connection to a service, and its description."""

    def __init__(self, connection: http.client.HTTPConnection, media_type: str) -> None:
        """`media_type`: of bodies whose type the description does not say."""
        self._connection = connection
        self._media_type = media_type
        connection.request("GET", "/openapi.json")
        self._described = json.loads(connection.getresponse().read())

    def try_it(self, asked: Asked, path: str) -> None:
        """Asks, and holds the answer against the description of the operation at `path`."""
        told = self._described["paths"][path][asked.method.lower()]
        content = told.get("requestBody", {}).get("content", {self._media_type: {}})
        media_type = self._media_type if self._media_type in content else next(iter(content))
        headers = {} if asked.body is None else {"Content-Type": media_type}
        sent = None if asked.body is None else asked.body.encode()
        self._connection.request(asked.method, asked.target, sent, headers)
        response = self._connection.getresponse()
        body = response.read()
        assert response.status != 500, (asked, body)
        answer = told["responses"].get(str(response.status))
        if answer is None:
            # A name may be so odd that the path is another one, or none.
            assert response.status in (400, 404, 405), (asked, response.status, body)
            return
        for kind, each in list(answer.get("content", {}).items())[:1]:
            value = json.loads(body) if "json" in kind else body.decode()
            shape = json.dumps(each["schema"])
            _validator(shape, json.dumps(self._described["components"]["schemas"]))(value)


def _strict(shape: Any) -> Any:
    """A shape whose objects have no member that it does not name."""
    if isinstance(shape, list):
        return [_strict(each) for each in shape]
    if not isinstance(shape, dict):
        return shape
    made = {name: _strict(each) for name, each in shape.items()}
    if isinstance(shape.get("properties"), dict):
        made["additionalProperties"] = False
    return {"anyOf": [made, {"type": "null"}]} if made.pop("nullable", None) is True else made


@cache
def _validator(shape: str, shapes: str) -> Callable[[Any], None]:
    whole = {**_strict(json.loads(shape)), "components": {"schemas": _strict(json.loads(shapes))}}
    return jsonschema_rs.validator_for(whole).validate
