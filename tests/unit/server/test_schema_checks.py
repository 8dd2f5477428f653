"""What the data plane is told of records' schemas."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from barnabas.config.errors import InvalidValue
from barnabas.serde.registry import Reference, RegistryError, Schema
from barnabas.server.schema_checks import Asked, Said, SchemaChecks, registry_of, said_of, version_id
from tests.support.cluster import Cluster
from tests.support.fake_node import FakeNode

GUID = "01020304-0506-0708-090a-0b0c0d0e0f10"
ORDER = Schema("AVRO", '{"type":"record","name":"Order","namespace":"shop","fields":[]}')
FILE = Schema("PROTOBUF", 'syntax = "proto3"; package shop; message A { message B {} } message C {}')
TITLED = Schema("JSON", '{"title": "Order", "type": "object"}')


class Registry:
    """Has subjects by id, and says 404 of all others."""

    def __init__(self, subjects: Mapping[int, list[str]], schema: Schema = ORDER) -> None:
        self.subjects = subjects
        self.schema = schema
        self.asked: list[str] = []
        self.failure: RegistryError | None = None
        self.goes_on = threading.Event()
        self.goes_on.set()

    def by_id(self, id: int) -> Schema:
        return self.schema

    def closure(self, schema: Schema) -> list[tuple[Reference, Schema]]:
        return []

    def ask(self, method: str, path: str) -> Any:
        self.asked.append(path)
        assert self.goes_on.wait(60)
        if self.failure is not None:
            raise self.failure
        parts = path.split("/")
        if parts[2] == "guids":
            return [{"context": ".other", "id": 8}, {"context": ".", "id": 7}] if parts[3] == GUID else []
        if int(parts[3]) not in self.subjects:
            raise RegistryError(404, 40403, "Schema not found")
        return [{"subject": subject, "version": 1} for subject in self.subjects[int(parts[3])]]


@pytest.mark.parametrize(
    ("strategy", "is_key", "schema", "subject"),
    [
        ("TopicNameStrategy", False, ORDER, "orders-value"),
        ("TopicNameStrategy", True, ORDER, "orders-key"),
        ("RecordNameStrategy", False, ORDER, "shop.Order"),
        ("TopicRecordNameStrategy", True, ORDER, "orders-shop.Order"),
        ("RecordNameStrategy", False, TITLED, "Order"),
        ("TopicRecordNameStrategy", False, FILE, "orders-shop.A.B"),
        ("RecordNameStrategy", False, FILE, "shop.C"),
    ],
)
def test_a_schema_belongs_to_the_subject_of_the_strategy(
    strategy: str, is_key: bool, schema: Schema, subject: str
) -> None:
    registry: Any = Registry({7: ["others-value", subject], 8: [f"{subject}x"], 9: []}, schema)
    asked = Asked("orders", is_key, strategy, 7)
    assert version_id(registry, asked) == 7
    assert version_id(registry, asked._replace(schema=GUID)) == 7
    for foreign in (8, 9, 10, GUID.replace("1", "2")):
        assert version_id(registry, asked._replace(schema=foreign)) is None


def test_values_are_held_against_what_the_schema_is_made_of() -> None:
    asked = Asked("orders", False, "TopicNameStrategy", 7)
    read = asked._replace(is_read=True)
    for schema, said in (
        (ORDER, b"\x01\x01\x0d\x00\x00"),
        (TITLED, "the broker does not read values of JSON"),
    ):
        registry: Any = Registry({7: ["orders-value"]}, schema)
        assert said_of(registry, asked) is True
        assert said_of(registry, read) == said
        assert said_of(registry, read._replace(schema=8)) is False


def test_what_is_not_the_registrys_word_about_a_schema_is_no_answer() -> None:
    registry: Any = Registry({7: ["orders-value"]})
    asked = Asked("orders", False, "TopicNameStrategy", 7)
    for status, code in ((404, 404), (500, 50001), (0, 0), (401, 401), (429, 429)):
        registry.failure = RegistryError(status, code, "no")
        with pytest.raises(RegistryError):
            version_id(registry, asked)


class Told(FakeNode):
    """A node that remembers what the data plane was told."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[int, list[Said | None]] = {}
        self.native.schemas_checked = self.answers.__setitem__


def check(id: int, *schemas: int) -> Any:
    named = [(False, schema) for schema in schemas]
    strategy = "TopicNameStrategy"
    rules = {"key_strategy": strategy, "value_strategy": strategy, "reads_keys": False, "reads_values": False}
    return SimpleNamespace(id=id, topic="t", schemas=named, **rules)


async def until_told(node: Told, count: int) -> None:
    async with asyncio.timeout(60):
        while len(node.answers) < count:
            await asyncio.sleep(0.001)


def test_each_question_is_answered_and_those_that_are_the_same_ask_once() -> None:
    async def run() -> None:
        node, registry = Told(), Registry({7: ["t-value"], 8: ["u-value"]})
        checks = SchemaChecks(node)
        checks.__dict__["_registry"] = registry
        registry.goes_on.clear()
        checks.data_plane_asks(check(1, 7, 8, 9))
        checks.data_plane_asks(check(2, 8, 7))
        await asyncio.sleep(0)
        registry.goes_on.set()
        await until_told(node, 2)
        assert node.answers == {1: [True, False, False], 2: [False, True]}
        assert sorted(registry.asked) == [f"/schemas/ids/{id}/versions" for id in (7, 8, 9)]
        registry.failure = RegistryError(0, 0, "can't be reached")
        checks.data_plane_asks(check(3, 7))
        await until_told(node, 3)
        assert node.answers[3] == [None]

    asyncio.run(run())


def test_without_a_registry_nothing_is_said() -> None:
    async def run() -> None:
        node = Told()
        SchemaChecks(node).data_plane_asks(check(1, 7))
        await until_told(node, 1)
        assert node.answers == {1: [None]}

    asyncio.run(run())


def test_the_registry_is_asked_as_the_user_that_is_configured() -> None:
    url, user = "barnabas.schema.registry.url", "barnabas.schema.registry.user.info"
    settings = Cluster(1, settings={url: "http://a:1, https://b/x", user: "me:se:cr@t"}).settings
    registry = registry_of(settings, None)
    assert [each.geturl() for each in registry._urls] == [
        "http://me:se%3Acr%40t@a:1",
        "https://me:se%3Acr%40t@b/x",
    ]
    for wrong in ("a:1", "ftp://a", "http://", "http://a:x", "http://a,"):
        with pytest.raises(InvalidValue):
            Cluster(1, settings={url: wrong})
