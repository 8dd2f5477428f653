"""Java over the Schema Registry: Confluent's own client, and Flink's formats with it. Maven Central has none
of Confluent's serializers; one of Flink's jars has the client inside."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from barnabas import Admin, Consumer, Producer
from barnabas.admin import NewTopic
from barnabas.serde.avro import Avro
from barnabas.serde.registry import SchemaRegistry
from tests.integration.rest.asking import Cluster
from tests.support import jars
from tests.support.registry import RegistryProcess
from tests.support.toolchain import run

PROGRAM = Path(__file__).parents[1] / "java" / "SchemaRegistry.java"
JARS = (
    "org.apache.flink:flink-sql-avro-confluent-registry:2.1.0",
    "org.apache.flink:flink-core:2.1.0",
    "org.slf4j:slf4j-nop:1.7.36",
)
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""What suits a program that ends at once."""
FIELDS = [
    {"name": "id", "type": "long"},
    {"name": "note", "type": ["null", "string"], "default": None},
]
ORDER = json.dumps({"type": "record", "name": "Order", "namespace": "shop", "fields": FIELDS})


@pytest.fixture
def schemas(registry: RegistryProcess) -> Iterator[SchemaRegistry]:
    with contextlib.closing(SchemaRegistry(registry.url)) as client:
        yield client


@pytest.mark.parametrize("cluster", ["barnabas"], indirect=True)
def test_java_reads_what_python_writes_and_python_what_java_writes(
    cluster: Cluster, registry: RegistryProcess, schemas: SchemaRegistry
) -> None:
    libs = jars.fetch("flink-2.1.0", JARS)
    ours, theirs = f"ours-{uuid.uuid4().hex}", f"theirs-{uuid.uuid4().hex}"
    orders: list[dict[str, Any]] = [{"id": 1, "note": "first"}, {"id": 2, "note": None}]
    with Admin({"bootstrap.servers": cluster.bootstrap}) as admin:
        admin.create_topics([NewTopic(ours, 1, 1), NewTopic(theirs, 1, 1)])
    writing: dict[str, Any] = {"value.serializer": Avro(schemas, ORDER)}
    with Producer({"bootstrap.servers": cluster.bootstrap, **writing}) as producer:
        for order in orders:
            producer.send(ours, value=order)
    java = ["java", "-Xmx256M", *QUICK, "-cp", f"{libs}/*", str(PROGRAM)]
    run([*java, cluster.bootstrap, registry.url, ours, theirs])
    found: list[Any] = []
    reading: dict[str, Any] = {"value.deserializer": Avro(schemas), "auto.offset.reset": "earliest"}
    with Consumer({"bootstrap.servers": cluster.bootstrap, **reading}) as consumer:
        consumer.assign_topic(theirs)
        while len(found) < len(orders):
            found += [record.value for record in consumer.poll(1.0)]
    assert found == [{**order, "by": "java"} for order in orders]
    assert registry.ask("GET", f"/subjects/{theirs}-value/versions").body == [1]
