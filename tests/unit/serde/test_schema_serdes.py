"""Serdes of schemas: bytes, ids, subjects and evolution, against a registry behind a real port."""

from __future__ import annotations

import datetime
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pydantic
import pytest
from google.protobuf import descriptor_pool, message_factory, timestamp_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from barnabas.schema_registry.formats import ResolvedReference
from barnabas.schema_registry.formats.protobuf import ProtobufSchema
from barnabas.serde import SerializationError
from barnabas.serde.avro import Avro
from barnabas.serde.json_schema import JsonSchema
from barnabas.serde.protobuf import Protobuf
from barnabas.serde.registry import Reference, RegistryError, Schema, SchemaRegistry
from barnabas.serde.schema_ids import VALUE_HEADER, read_id, written_guid, written_id
from barnabas.serde.subjects import record_name, topic_record_name
from tests.unit.serde.fake_registry import FakeRegistry, fake_registry


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with fake_registry() as registry:
        yield registry


@pytest.fixture
def registry(fake: FakeRegistry) -> Iterator[SchemaRegistry]:
    client = SchemaRegistry(fake.url)
    yield client
    client.close()


def user(*fields: dict[str, Any]) -> str:
    """A record `com.x.User` of a name and more."""
    parts = [{"name": "name", "type": "string"}, *fields]
    return json.dumps({"type": "record", "name": "User", "namespace": "com.x", "fields": parts})


COUNTED = user({"name": "n", "type": ["null", "long"], "default": None})
AGED = user({"name": "age", "type": "int", "default": 7})


@dataclass
class UserData:
    name: str
    n: int | None = None


class UserStruct(msgspec.Struct):
    name: str
    n: int | None = None


class UserModel(pydantic.BaseModel):
    name: str
    n: int | None = None


def test_avro_has_the_id_before_it(registry: SchemaRegistry) -> None:
    data = Avro(registry, COUNTED).serialize("users", {"name": "ada", "n": 5})
    assert data == b"\x00\x00\x00\x00\x01\x06ada\x02\n"
    assert Avro(registry).deserialize("users", data) == {"name": "ada", "n": 5}


def test_null_is_no_value_of_a_schema(registry: SchemaRegistry, fake: FakeRegistry) -> None:
    serde = Avro[Any](registry, COUNTED)
    assert serde.serialize("users", None) is None
    assert serde.deserialize("users", None) is None
    assert fake.requests == []


@pytest.mark.parametrize("model", [UserData, UserStruct, UserModel])
def test_models_are_written_and_read(registry: SchemaRegistry, model: Any) -> None:
    for serde in (Avro[Any](registry, COUNTED, model), JsonSchema[Any](registry, '{"type":"object"}', model)):
        value = model(name="ada", n=5)
        found = serde.deserialize("users", serde.serialize("users", value))
        assert found == value
        assert type(found) is model


def test_avro_is_read_into_the_readers_schema(registry: SchemaRegistry) -> None:
    data = Avro(registry, COUNTED).serialize("users", {"name": "ada", "n": 5})
    assert Avro(registry, AGED).deserialize("users", data) == {"name": "ada", "age": 7}


def test_avro_takes_logical_types_and_plain_bytes(registry: SchemaRegistry) -> None:
    schema = json.dumps(
        {
            "type": "record",
            "name": "Payment",
            "fields": [
                {"name": "day", "type": {"type": "int", "logicalType": "date"}},
                {
                    "name": "sum",
                    "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
                },
                {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
            ],
        }
    )
    value = {"day": datetime.date(2026, 11, 21), "sum": Decimal("12.50"), "id": uuid.UUID(int=7)}
    serde = Avro[Any](registry, schema)
    assert serde.deserialize("payments", serde.serialize("payments", value)) == value
    raw = Avro[Any](registry, '"bytes"')
    data = raw.serialize("raw", b"xyz")
    assert data is not None
    assert data[5:] == b"xyz"
    assert raw.deserialize("raw", data) == b"xyz"


def test_avro_that_does_not_fit_is_refused(registry: SchemaRegistry) -> None:
    with pytest.raises(SerializationError, match="does not fit the schema"):
        Avro(registry, COUNTED).serialize("users", {"name": 5})
    with pytest.raises(SerializationError, match="bytes are no value of the schema"):
        Avro(registry).deserialize("users", Avro(registry, COUNTED).serialize("users", {"name": "a"})[:7])  # type: ignore[index]
    with pytest.raises(SerializationError, match="without a schema's id"):
        Avro(registry).deserialize("users", b"hello")


def test_references_are_followed(registry: SchemaRegistry) -> None:
    registry.register("com.x.Street", Schema("AVRO", '{"type":"fixed","name":"com.x.Street","size":2}'))
    address = '{"type":"record","name":"com.x.Address","fields":[{"name":"s","type":"com.x.Street"}]}'
    street = Reference("com.x.Street", "com.x.Street", 1)
    registry.register("com.x.Address", Schema("AVRO", address, (street,)))
    serde = Avro[Any](
        registry,
        '{"type":"record","name":"P","fields":[{"name":"a","type":"com.x.Address"}]}',
        references=[Reference("com.x.Address", "com.x.Address", 1)],
    )
    value = {"a": {"s": b"ab"}}
    assert Avro(registry).deserialize("people", serde.serialize("people", value)) == value


def test_ids_go_into_headers_as_guids(registry: SchemaRegistry, fake: FakeRegistry) -> None:
    headers: list[tuple[str, bytes | None]] = [("x", b"y")]
    serde = Avro[Any](registry, COUNTED, id_in_header=True)
    data = serde.serialize("users", {"name": "ada", "n": 5}, headers)
    assert data == b"\x06ada\x02\n"
    assert headers == [("x", b"y"), (VALUE_HEADER, b"\x01" + uuid.UUID(fake.guid(1)).bytes)]
    assert Avro(registry).deserialize("users", data, headers) == {"name": "ada", "n": 5}
    with pytest.raises(SerializationError, match="which are no list"):
        serde.serialize("users", {"name": "ada", "n": 5})


@pytest.mark.parametrize(
    ("strategy", "subject"),
    [(None, "users-key"), (record_name, "com.x.User"), (topic_record_name, "users-com.x.User")],
)
def test_strategies_name_the_subject(
    registry: SchemaRegistry, fake: FakeRegistry, strategy: Any, subject: str
) -> None:
    more = {} if strategy is None else {"strategy": strategy}
    Avro(registry, COUNTED, is_key=True, **more).serialize("users", {"name": "ada"})
    assert list(fake.subjects) == [subject]


def test_a_schema_is_registered_and_asked_for_once(registry: SchemaRegistry, fake: FakeRegistry) -> None:
    serde = Avro[Any](registry, COUNTED)
    for _ in range(3):
        serde.deserialize("a/b", serde.serialize("a/b", {"name": "ada"}))
    assert fake.requests == ["POST /subjects/a%2Fb-value/versions", "GET /schemas/ids/1"]


def test_schemas_are_taken_as_they_are_registered(registry: SchemaRegistry, fake: FakeRegistry) -> None:
    with pytest.raises(RegistryError, match="Schema not found") as refused:
        Avro(registry, COUNTED, use="known").serialize("users", {"name": "ada"})
    assert (refused.value.status, refused.value.error_code) == (404, 40403)
    registry.register("users-value", Schema("AVRO", AGED))
    latest = Avro[Any](registry, use="latest").serialize("users", {"name": "ada", "age": 1})
    by_id = Avro[Any](registry, use=1).serialize("users", {"name": "ada", "age": 1})
    known = Avro[Any](registry, AGED, use="known").serialize("users", {"name": "ada", "age": 1})
    assert latest == by_id == known == b"\x00\x00\x00\x00\x01\x06ada\x02"


def test_json_is_validated_both_ways(registry: SchemaRegistry) -> None:
    schema = '{"title":"User","type":"object","properties":{"name":{"type":"string"}},"required":["name"]}'
    serde = JsonSchema[Any](registry, schema, strategy=record_name)
    assert serde.serialize("users", {"name": "é"}) == b'\x00\x00\x00\x00\x01{"name":"\xc3\xa9"}'
    with pytest.raises(SerializationError, match="does not fit the schema"):
        serde.serialize("users", {"n": 5})
    data = JsonSchema[Any](registry, schema, strategy=record_name, validate=False).serialize(
        "users", {"n": 5}
    )
    with pytest.raises(SerializationError, match="does not fit the schema"):
        serde.deserialize("users", data)


def test_json_schema_is_made_of_the_model(registry: SchemaRegistry, fake: FakeRegistry) -> None:
    serde = JsonSchema[Any](registry, model=UserModel, strategy=record_name)
    data = serde.serialize("users", UserModel(name="ada"))
    assert list(fake.subjects) == ["UserModel"]
    assert serde.deserialize("users", data) == UserModel(name="ada")


def test_json_references_are_followed(registry: SchemaRegistry) -> None:
    registry.register("name", Schema("JSON", '{"type":"string"}'))
    serde = JsonSchema[Any](
        registry,
        '{"type":"object","properties":{"name":{"$ref":"name.json"}}}',
        references=[Reference("name.json", "name", 1)],
    )
    serde.serialize("users", {"name": "ada"})
    with pytest.raises(SerializationError, match="does not fit the schema"):
        serde.serialize("users", {"name": 5})


COMMON = 'syntax = "proto3"; package c; message Common { int32 a = 1; }'
EVENT = """syntax = "proto3"; package e;
import "common.proto"; import "google/protobuf/timestamp.proto";
message First { string s = 1; }
message Event {
  map<string, int32> m = 1;
  message Deep { c.Common c = 1; google.protobuf.Timestamp t = 2; }
  Deep deep = 2;
}
"""


@pytest.fixture(scope="module")
def classes() -> Any:
    """Generated classes by name, as protoc's plugin makes them."""
    common = [ResolvedReference("common.proto", "common.proto", 1, COMMON)]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(FileDescriptorProto.FromString(timestamp_pb2.DESCRIPTOR.serialized_pb))
    pool.AddSerializedFile(ProtobufSchema.parse(COMMON, []).descriptor("common.proto"))
    pool.AddSerializedFile(ProtobufSchema.parse(EVENT, common).descriptor("event.proto"))
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def test_protobuf_registers_what_it_imports(
    registry: SchemaRegistry, fake: FakeRegistry, classes: Any
) -> None:
    event = classes("e.Event")(m={"k": 3})
    event.deep.c.a = 9
    event.deep.t.seconds = 5
    serde = Protobuf[Any](registry, classes("e.Event"))
    data = serde.serialize("events", event)
    assert data is not None
    assert data[:7] == b"\x00\x00\x00\x00\x02\x02\x02"  # id 2, one index, the second message
    assert fake.subjects == {"common.proto": [1], "events-value": [2]}
    registered = fake.described(2)
    assert registered["references"] == [{"name": "common.proto", "subject": "common.proto", "version": 1}]
    assert registered["schema"].startswith('syntax = "proto3";\npackage e;\n\nimport "common.proto";')
    assert serde.deserialize("events", data) == event


def test_protobuf_is_read_without_generated_classes(registry: SchemaRegistry, classes: Any) -> None:
    first, deep = classes("e.First")(s="x"), classes("e.Event.Deep")()
    deep.c.a = 9
    written = Protobuf[Any](registry).serialize("events", first)
    assert written is not None
    assert written[5:] == b"\x00\n\x01x"  # the first message of a file has one byte for its index
    assert Protobuf[Any](registry).deserialize("events", written).s == "x"
    found = Protobuf[Any](registry).deserialize("events", Protobuf[Any](registry).serialize("events", deep))
    assert found.DESCRIPTOR.full_name == "e.Event.Deep"
    assert found.c.a == 9


def test_another_format_is_refused(registry: SchemaRegistry) -> None:
    data = Avro(registry, COUNTED).serialize("users", {"name": "ada"})
    with pytest.raises(SerializationError, match="written with a schema of AVRO, not of JSON"):
        JsonSchema(registry).deserialize("users", data)


def test_a_registry_that_is_down_is_passed_over(fake: FakeRegistry) -> None:
    registry = SchemaRegistry(["http://127.0.0.1:1", fake.url])
    assert registry.register("s", Schema("AVRO", '"int"')).id == 1
    registry.close()
    with pytest.raises(RegistryError, match=r"http://127.0.0.1:1 can't be reached"):
        SchemaRegistry("http://user:secret@127.0.0.1:1").by_id(1)
    with pytest.raises(ValueError, match="no http or https address"):
        SchemaRegistry("localhost:8081")


@pytest.mark.parametrize("indexes", [None, (0,), (1,), (3, 0, 200)])
def test_ids_are_read_as_written(indexes: tuple[int, ...] | None) -> None:
    guid = uuid.UUID(int=2**100)
    by_id, rest = read_id(written_id(2**31, indexes) + b"rest", (), False, indexes is not None)
    assert (by_id.id, by_id.guid, by_id.indexes, rest) == (2**31, None, indexes or (), b"rest")
    headers = [(VALUE_HEADER, written_guid(guid, indexes))]
    by_guid, rest = read_id(b"rest", headers, False, indexes is not None)
    assert (by_guid.id, by_guid.guid, by_guid.indexes, rest) == (None, guid, indexes or (), b"rest")


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0", b"\x02aaaaa", b"\0\0\0\0\1\xff\xff\xff\xff\xff\xff", b"\0\0\0\0\1\x7f"]
)
def test_bytes_without_an_id_are_refused(data: bytes) -> None:
    with pytest.raises(SerializationError):
        read_id(data, (), False, True)


def test_the_example_of_the_page_runs(fake: FakeRegistry) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "schemas.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 1
    block = blocks[0].replace("http://127.0.0.1:8081", fake.url)
    exec(compile(block, "schemas.md", "exec", dont_inherit=True), {})
    assert list(fake.subjects) == ["users-value"]
