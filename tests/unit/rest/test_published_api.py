"""The described API beside the published ones. `published_v3.json` has the facts of Confluent's OpenAPI,
paths, parameters and shapes in a few words, without its texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from barnabas.http.openapi import document
from barnabas.rest.application import RestApplication, description
from barnabas.rest.behind import Behind
from barnabas.rest.operations import OPERATIONS
from barnabas.rest.shapes import SHAPES
from barnabas.rest.v2 import operations
from barnabas.rest.v2.asking import FORMATS, MEDIA_TYPE, format_media_type
from tests.support.described import facts, operation_facts

PUBLISHED = json.loads((Path(__file__).parent / "published_v3.json").read_text())
TOPIC = "/v3/clusters/{cluster_id}/topics/{topic_name}"
INSTANCE = "/consumers/{group}/instances/{instance}"
V2 = {
    "/": "GET POST",
    "/brokers": "GET",
    "/topics": "GET",
    "/topics/{topic}": "GET POST",
    "/topics/{topic}/partitions": "GET",
    "/topics/{topic}/partitions/{partition}": "GET POST",
    "/topics/{topic}/partitions/{partition}/offsets": "GET",
    "/consumers/{group}": "POST",
    INSTANCE: "DELETE",
    f"{INSTANCE}/subscription": "POST GET DELETE",
    f"{INSTANCE}/records": "GET",
    f"{INSTANCE}/offsets": "POST GET",
    f"{INSTANCE}/positions": "POST",
    f"{INSTANCE}/positions/beginning": "POST",
    f"{INSTANCE}/positions/end": "POST",
    f"{INSTANCE}/assignments": "POST GET",
}
ADDED = {f"GET {TOPIC}/records", f"GET {TOPIC}/partitions/{{partition_id}}/records"}
UNNAMED = {"GET /health", "GET /metrics"}
"""What the published API lacks: reading."""
NULLABLE = {
    *(f"{each}ConfigData.value" for each in ("Broker", "Cluster", "Topic")),
    *(f"AlterConfigBatchRequestData.data.{each}" for each in ("operation", "value")),
    *(f"BrokerData.{each}" for each in ("host", "port", "rack")),
    *("ConsumerData.instance_id", "ConsumerLagData.instance_id"),
    "ConsumerGroupLagSummaryData.max_lag_instance_id",
    *("AnyValue", "ConfigSynonymData.value", "CreateTopicRequestData.configs.value", "Error.message"),
    *(
        f"{each}.{member}"
        for each in ("ProduceRequest", "ProduceBatchRequestEntry")
        for member in ("partition_id", "timestamp")
    ),
    *("ProduceResponse.timestamp", "ProduceBatchResponseSuccessEntry.timestamp"),
    *("ProduceRequestData", "ProduceResponseData", "ProduceResponseData.type"),
    *("ProduceRequestData.schema", "ProduceRequestData.subject_name_strategy"),
    *(
        f"Produce{each}Data.{member}"
        for each in ("Request", "Response")
        for member in ("subject", "schema_id", "schema_version")
    ),
    *("ProduceRequestHeader.value", "UpdateConfigRequestData.value"),
    *("ResourceCollectionMetadata.next", "ResourceMetadata.resource_name"),
}
ADDED_SHAPES = {"RecordData", "RecordPart", "RecordDataList", "Error"}


def described() -> dict[str, Any]:
    application = RestApplication(Behind({}))
    declared = [route for route in application.routes.declared if "openapi" not in route.pattern]
    return document(declared, description())


def test_every_operation_of_the_published_apis_is_there_and_no_other() -> None:
    v2 = {f"{method} {path}" for path, methods in V2.items() for method in methods.split()}
    assert (len(PUBLISHED["operations"]), len(v2)) == (50, 23)
    ours = {
        f"{method.upper()} {path}" for path, methods in described()["paths"].items() for method in methods
    }
    assert ours == set(PUBLISHED["operations"]) | v2 | ADDED | UNNAMED
    assert set(OPERATIONS) == ours - v2 - UNNAMED
    assert set(operations.OPERATIONS) == v2


@pytest.mark.parametrize("name", PUBLISHED["operations"])
def test_operations_take_and_answer_what_the_published_ones_do(name: str) -> None:
    method, path = name.split()
    published = PUBLISHED["operations"][name]
    ours = operation_facts(described()["paths"][path][method.lower()])
    if published["id"] is None:  # Some have no name there.
        published = {**published, "id": ours["id"]}
    assert ours == published


def test_shapes_are_the_published_ones() -> None:
    ours = {name: facts(each) for name, each in described()["components"]["schemas"].items()}
    added = ADDED_SHAPES | set(operations.SHAPES)
    assert {name: one for name, one in ours.items() if name not in added} == PUBLISHED["schemas"]


def test_what_may_be_null_is_what_may_be_in_the_published_one() -> None:
    def may(shape: Any, path: str) -> Iterator[str]:
        if isinstance(shape, dict):
            if shape.get("nullable") is True:
                yield path
            for name, each in shape.items():
                yield from may(each, path if name in ("properties", "items") else f"{path}.{name}")

    found = {path for name, shape in SHAPES.items() for path in may(shape, name)}
    assert found == NULLABLE


def test_version_2_is_told_of_in_its_own_types() -> None:
    paths = described()["paths"]
    created = paths["/consumers/{group}"]["post"]
    assert list(created["requestBody"]["content"]) == [MEDIA_TYPE]
    assert list(created["responses"]["200"]["content"]) == [MEDIA_TYPE]
    read = paths[f"{INSTANCE}/records"]["get"]["responses"]["200"]["content"]
    written = paths["/topics/{topic}"]["post"]["requestBody"]["content"]
    assert set(read) == set(written) == {format_media_type(name) for name in FORMATS}
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described())))
    assert named <= set(described()["components"]["schemas"])
