"""Requests that the Schema Registry's own description allows, and many that it does not: every answer is one
that the description has, and none is a failure."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barnabas.schema_registry.application import description
from barnabas.schema_registry.operations import OPERATIONS
from tests.support.registry import MEDIA_TYPE, RegistryProcess
from tests.support.server import cluster_under_test

REQUESTS = 12
"""Of each operation."""
SHAPES = json.loads(json.dumps(dict(description().schemas)))
SUBJECTS = st.sampled_from(
    ["a", "b/c", ":.ctx:a", ":.ctx:", ":*:", ".", "", " ", "\u20ac", "a" * 300]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCHEMAS = st.sampled_from(
    [
        ("AVRO", '"int"'),
        ("AVRO", '{"type":"record","name":"R","fields":[]}'),
        ("AVRO", '{"type":"record","name":"R","fields":[{"name":"x","type":"R2"}]}'),
        ("JSON", '{"type":"object","properties":{"x":{"$ref":"#/y"}}}'),
        ("JSON", "true"),
        ("PROTOBUF", 'syntax = "proto3"; message M { int32 x = 1; }'),
        ("AVRO", "{"),
        ("XML", "<x/>"),
    ]
)


class Asked(NamedTuple):
    """One request."""

    method: str
    target: str
    body: str | None


def value_of(shape: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a shape."""
    if "$ref" in shape:
        name = shape["$ref"].rpartition("/")[2]
        return (
            registration() if name == "RegisterSchemaRequest" else st.deferred(lambda: value_of(SHAPES[name]))
        )
    if "enum" in shape:
        return st.sampled_from(shape["enum"])
    match shape.get("type"):
        case "array":
            return st.lists(value_of(shape["items"]), max_size=2)
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(-(2**31), 2**31 - 1) | st.integers(-1, 5)
        case "object" if "properties" in shape:
            members = {name: value_of(each) for name, each in shape["properties"].items()}
            return st.fixed_dictionaries({}, optional=members)
        case "object":
            return st.dictionaries(
                st.sampled_from(["x", "y"]), value_of(shape["additionalProperties"]), max_size=2
            )
        case _:
            return SUBJECTS


def registration() -> st.SearchStrategy[Any]:
    """Schemas to register: some of which are, and what else may stand beside them."""
    optional = {
        name: value_of(each)
        for name, each in SHAPES["RegisterSchemaRequest"]["properties"].items()
        if name in ("references", "metadata", "ruleSet", "version", "id")
    }
    rest = st.fixed_dictionaries({}, optional=optional)
    return st.builds(lambda pair, more: {"schemaType": pair[0], "schema": pair[1], **more}, SCHEMAS, rest)


def spoilt(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """Bodies: mostly as they should be."""
    nonsense = st.recursive(st.none() | st.integers() | SUBJECTS, lambda each: st.lists(each, max_size=2))
    objects = st.dictionaries(
        st.sampled_from(["schema", "mode", "references", "associations"]), nonsense, max_size=2
    )
    return st.one_of(
        values.map(json.dumps),
        values.map(json.dumps),
        nonsense.map(json.dumps),
        objects.map(json.dumps),
        st.just("{"),
    )


def requests_of(method: str, path: str) -> st.SearchStrategy[Asked]:
    """Requests of one operation."""
    operation = OPERATIONS[f"{method} {path}"]
    parts = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    numbers = st.integers(-1, 5).map(str) | st.just("latest")
    places = {part: numbers | SUBJECTS if part in ("id", "version") else SUBJECTS for part in parts}
    queries = {name: value_of(dict(each)) | SUBJECTS for name, each in operation.query.items()}
    bodies = st.none() if operation.body is None else spoilt(value_of(dict(operation.body)))

    def asked(names: dict[str, Any], query: dict[str, Any], body: str | None) -> Asked:
        target = path
        for name, value in names.items():
            target = target.replace(f"{{{name}}}", quote(value or "-", safe=""))
        told = {
            name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()
        }
        return Asked(method, f"{target}?{urlencode(told, doseq=True)}" if told else target, body)

    return st.builds(
        asked, st.fixed_dictionaries(places), st.fixed_dictionaries({}, optional=queries), bodies
    )


def strict(shape: Any) -> Any:
    """A shape whose objects have no member that it does not name."""
    if isinstance(shape, list):
        return [strict(each) for each in shape]
    if not isinstance(shape, dict):
        return shape
    made = {name: strict(each) for name, each in shape.items()}
    return {**made, "additionalProperties": False} if isinstance(shape.get("properties"), dict) else made


@cache
def validator(shape: str) -> Callable[[Any], None]:
    whole = {**strict(json.loads(shape)), "components": {"schemas": strict(SHAPES)}}
    return jsonschema_rs.validator_for(whole).validate


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryProcess]:
    with cluster_under_test("--memory", "--without", "registry") as bootstrap:
        process = RegistryProcess(bootstrap, tmp_path_factory.mktemp("registry") / "log").start()
        try:
            yield process
            assert process.stop() == 0
            assert " ERROR " not in process.log.read_text()
        finally:
            process.kill()


@pytest.fixture(scope="module")
def connection(registry: RegistryProcess) -> Iterator[http.client.HTTPConnection]:
    opened = http.client.HTTPConnection(urlsplit(registry.url).netloc, timeout=60)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def described(registry: RegistryProcess) -> Any:
    return registry.ask("GET", "/openapi.json").body["paths"]


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=REQUESTS, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_operation_answers_as_it_is_described(
    connection: http.client.HTTPConnection, described: Any, name: str, data: st.DataObject
) -> None:
    method, path = name.split()
    asked = data.draw(requests_of(method, path))
    headers = {} if asked.body is None else {"Content-Type": MEDIA_TYPE}
    sent = None if asked.body is None else asked.body.encode()
    connection.request(asked.method, asked.target, sent, headers)
    response = connection.getresponse()
    body = response.read()
    assert response.status != 500, (asked, body)
    told = described[path][method.lower()]["responses"].get(str(response.status))
    if told is None:
        # A name may be so odd that the path is another one, or none.
        assert response.status in (400, 404, 405), (asked, response.status, body)
        return
    for media_type, content in list(told.get("content", {}).items())[:1]:
        value = json.loads(body) if "json" in media_type else body.decode()
        validator(json.dumps(content["schema"]))(value)


@pytest.mark.parametrize(
    ("schema_type", "text", "status"),
    [
        ("AVRO", '"' + "x" * 10_000_000 + '"', 422),
        ("JSON", '{"description":"' + "x" * 10_000_000 + '"}', 422),
        ("AVRO", '"' + "x" * 17_000_000 + '"', 413),
        ("AVRO", '{"type":"array","items":' * 10_000 + '"int"' + "}" * 10_000, 422),
        ("JSON", '{"not":' * 10_000 + "{}" + "}" * 10_000, 422),
        ("PROTOBUF", "".join(f"message M{n} {{" for n in range(10_000)) + "}" * 10_000, 422),
        ("JSON", '{"$ref":"#/a","a":{"$ref":"#/b"},"b":{"$ref":"#/a"}}', 422),
        ("AVRO", '{"type":"record","name":"R","name":"S","fields":[]}', 422),
        ("JSON", '{"pattern":"^(a+)+$","default":"' + "a" * 60 + 'b"}', 200),
    ],
)
def test_what_would_cost_too_much_is_refused_and_others_are_served(
    registry: RegistryProcess, schema_type: str, text: str, status: int
) -> None:
    reply = registry.ask("POST", "/subjects/costly/versions", {"schemaType": schema_type, "schema": text})
    assert reply.status == status
    assert registry.ask("GET", "/schemas/types").status == 200
    registry.ask("DELETE", "/subjects/costly")
