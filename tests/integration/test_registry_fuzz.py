"""Requests that the Schema Registry's own description allows, and many that it does not: every answer is one
that the description has, and none is a failure."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barnabas.schema_registry.application import description
from barnabas.schema_registry.operations import OPERATIONS
from tests.support.fuzz import NAMES, NO_JSON, Fuzz, Service
from tests.support.registry import MEDIA_TYPE, RegistryProcess
from tests.support.server import cluster_under_test

REQUESTS = 12
"""Of each operation."""
SUBJECTS = st.sampled_from([":.ctx:a", ":.ctx:", ":*:"]) | NAMES
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


def registration() -> st.SearchStrategy[Any]:
    """Schemas to register: some of which are, and what else may stand beside them."""
    members = FUZZ.shapes["RegisterSchemaRequest"]["properties"]
    kept = ("references", "metadata", "ruleSet", "version", "id")
    rest = FUZZ.members_of({name: each for name, each in members.items() if name in kept})
    return st.builds(lambda pair, more: {"schemaType": pair[0], "schema": pair[1], **more}, SCHEMAS, rest)


FUZZ = Fuzz(
    OPERATIONS,
    description().schemas,
    names=SUBJECTS,
    places={name: st.integers(-1, 5) | st.just("latest") | SUBJECTS for name in ("id", "version")},
    special={"RegisterSchemaRequest": st.deferred(registration)},
)


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
def service(registry: RegistryProcess) -> Iterator[Service]:
    connection = http.client.HTTPConnection(urlsplit(registry.url).netloc, timeout=60)
    with contextlib.closing(connection):
        yield Service(connection, MEDIA_TYPE)


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=REQUESTS, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_operation_answers_as_it_is_described(service: Service, name: str, data: st.DataObject) -> None:
    method, path = name.split()
    service.try_it(data.draw(FUZZ.requests_of(method, path)), path)


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_bodies_that_are_no_json_are_refused(registry: RegistryProcess, body: bytes) -> None:
    reply = registry.ask("POST", "/subjects/a/versions", body)
    assert (reply.status, set(reply.body)) == (400, {"error_code", "message"})
    assert registry.ask("GET", "/schemas/types").status == 200


def alternatives(schema_type: str) -> str:
    """Many of them, each of which has to be compared with each of another schema's."""
    if schema_type == "AVRO":
        return json.dumps([{"type": "fixed", "name": f"F{at}", "size": 1} for at in range(1_000)])
    parts = [{"type": "object", "properties": {f"p{at}": {"type": "string"}}} for at in range(300)]
    return json.dumps({"oneOf": parts})


@pytest.fixture
def as_new(registry: RegistryProcess) -> None:
    """With the mode and the config of all subjects that it had before all these requests."""
    assert registry.ask("PUT", "/mode?force=true", {"mode": "READWRITE"}).status == 200
    assert registry.ask("DELETE", "/config").status == 200


@pytest.mark.usefixtures("as_new")
@pytest.mark.parametrize("schema_type", ["AVRO", "JSON"])
def test_a_comparison_that_would_take_long_is_given_up(registry: RegistryProcess, schema_type: str) -> None:
    path, text = f"/subjects/alternatives-{schema_type}/versions", alternatives(schema_type)
    assert registry.ask("POST", path, {"schemaType": schema_type, "schema": text}).status == 200
    changed = text.replace('"size": 1', '"size": 2').replace("string", "number")
    reply = registry.ask("POST", path, {"schemaType": schema_type, "schema": changed})
    assert (reply.status, reply.body["error_code"]) == (409, 40901)
    assert "SCHEMA_TOO_COMPLEX" in reply.body["message"]


@pytest.mark.usefixtures("as_new")
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
