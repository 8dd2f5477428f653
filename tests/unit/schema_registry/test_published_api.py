"""The described API beside the published one: `published_api.json` has the facts of Confluent's OpenAPI,
paths, parameters and shapes in a few words, without its texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from barnabas.http.openapi import document
from barnabas.http.openapi_page import page
from barnabas.schema_registry.application import RegistryApplication, description
from barnabas.schema_registry.operations import OPERATIONS
from tests.support.described import facts, operation_facts

PUBLISHED = json.loads((Path(__file__).parent / "published_api.json").read_text())
ADDED = {"GET /health", "GET /metrics", *(name for name in OPERATIONS if "/dek-registry/" in name)}
"""Operations that the published API lacks. That of keys is published elsewhere."""
KEYS = {"Kek", "CreateKekRequest", "UpdateKekRequest", "Dek", "CreateDekRequest"}
"""Shapes of theirs."""
CONFIG, NOTHING = "#Config", None
BETTER: dict[str, dict[str, Any]] = {
    # The published description has the types of methods here; what is sent is this.
    "GET /": {"status": "200", "response": {"*": "string"}},
    "POST /": {"status": "200"},
    "DELETE /config": {"response": CONFIG},
    "DELETE /config/{subject}": {"response": CONFIG},
    "DELETE /associations/resources/{resourceId}": {"response": NOTHING, "status": "204"},
    "GET /schemas/ids/{id}/schema": {"response": "any"},
    "GET /subjects/{subject}/versions/{version}/schema": {"response": "any"},
    # Aliases and associations are told of here as well.
    "GET /schemas": {"response": ["#ExtendedSchema"]},
    # It says nothing of these.
    "GET /v1/metadata/id": {"response": "#ServerClusterId", "status": "200"},
    "GET /v1/metadata/version": {"response": "#SchemaRegistryServerVersion", "status": "200"},
    "GET /v1/metadata/deployment": {"response": "#SchemaRegistryDeployment", "status": "200"},
}
"""What ours says otherwise, and why."""


def described() -> dict[str, Any]:
    application = RegistryApplication(None)  # type: ignore[arg-type]
    declared = [route for route in application.routes.declared if "openapi" not in route.pattern]
    return document(declared, description())


def test_every_operation_of_the_published_api_is_there_and_no_other() -> None:
    ours = {
        f"{method.upper()} {path}" for path, methods in described()["paths"].items() for method in methods
    }
    assert ours - ADDED == set(PUBLISHED["operations"])
    assert ours == set(OPERATIONS)


@pytest.mark.parametrize("name", PUBLISHED["operations"])
def test_operations_take_and_answer_what_the_published_ones_do(name: str) -> None:
    method, path = name.split()
    ours = operation_facts(described()["paths"][path][method.lower()])
    assert ours == PUBLISHED["operations"][name] | BETTER.get(name, {})


def test_shapes_are_the_published_ones() -> None:
    ours = {name: facts(each) for name, each in described()["components"]["schemas"].items()}
    published = PUBLISHED["schemas"]
    published["ServerClusterId"]["scope"] = {"*": "any"}  # One of its members is a list.
    assert {name: each for name, each in ours.items() if name not in KEYS} == published


def test_the_page_tells_of_every_operation_and_loads_nothing() -> None:
    told = page(described())
    assert told.count("<details><summary><b>") == len(OPERATIONS)
    assert "<script" not in told
    assert "http" not in told.replace("HTTP", "")
