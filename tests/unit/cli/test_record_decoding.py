"""`--decode`: what is shown of keys and values that name a schema, and of those that don't."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator

import pytest
from google.protobuf import timestamp_pb2

from barnabas.cli.errors import CommandFailed
from barnabas.cli.record_decoding import Decoding
from barnabas.cli.record_format import Record, json_line, text_formatter
from barnabas.cli.schemas.client import RegistryAddress
from barnabas.serde.avro import Avro
from barnabas.serde.json_schema import JsonSchema
from barnabas.serde.protobuf import Protobuf
from barnabas.serde.registry import SchemaRegistry
from barnabas.serde.schema_ids import written_id
from tests.unit.serde.fake_registry import FakeRegistry, fake_registry

BARE = Record("orders", 2, 41, None, 0, None, None, [])
USER = """{"type":"record","name":"User","fields":[
    {"name":"name","type":["null","string"]}, {"name":"day","type":{"type":"int","logicalType":"date"}}]}"""


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with fake_registry() as registry:
        yield registry


@pytest.fixture
def registry(fake: FakeRegistry) -> Iterator[SchemaRegistry]:
    client = SchemaRegistry(fake.url)
    yield client
    client.close()


def test_each_format_is_shown_as_its_own_json(registry: SchemaRegistry) -> None:
    user = {"name": "ada", "day": datetime.date(1970, 1, 3)}
    key = JsonSchema[object](registry, '{"type":"object"}', is_key=True).serialize("orders", {"id": 7})
    shown = Decoding(registry)
    record = shown(BARE._replace(key=key, value=Avro(registry, USER).serialize("orders", user)))
    assert text_formatter(keys=True)(record) == b'{"id":7}\t{"name":{"string":"ada"},"day":2}\n'
    told = json.loads(json_line(record))
    assert (told["key"], told["value"]) == ({"id": 7}, {"name": {"string": "ada"}, "day": 2})
    moment = Protobuf(registry).serialize("orders", timestamp_pb2.Timestamp(seconds=1))
    assert shown(BARE._replace(value=moment)).value == b'"1970-01-01T00:00:01Z"'


def test_a_schema_may_be_named_in_a_header(registry: SchemaRegistry) -> None:
    headers: list[tuple[str, bytes | None]] = []
    value = Avro(registry, '"string"', id_in_header=True).serialize("orders", "paid", headers)
    assert Decoding(registry)(BARE._replace(value=value, headers=headers)).value == b'"paid"'


def test_what_names_no_schema_is_shown_as_it_is(registry: SchemaRegistry, fake: FakeRegistry) -> None:
    record = BARE._replace(key=b"\x00\x01", value=b"paid")
    assert Decoding(registry)(record) == record
    assert Decoding(registry)(BARE) == BARE
    assert fake.requests == []


def test_an_unknown_schema_is_told_and_asked_for_once(
    registry: SchemaRegistry, fake: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    shown, record = Decoding(registry), BARE._replace(value=written_id(99) + b"?")
    assert shown(record) == shown(record) == record
    assert fake.requests == ["GET /schemas/ids/99"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: orders 2:41: value is not decoded: ")


def test_bytes_that_are_no_value_of_their_schema_are_shown_and_told(
    registry: SchemaRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    value = Avro(registry, USER).serialize("orders", {"name": "ada", "day": datetime.date(1970, 1, 3)})
    assert value is not None
    record = BARE._replace(value=value[:-1])
    assert Decoding(registry)(record) == record
    assert "value is not decoded" in capsys.readouterr().err


def test_half_a_character_stays_an_escape(registry: SchemaRegistry) -> None:
    value = written_id(registry.register("t", JsonSchema[object](registry, "{}").own_schema()).id)
    record = Decoding(registry)(BARE._replace(value=value + rb'{"a":"\ud800"}'))
    assert text_formatter()(record) == b'{"a":"\\ud800"}\n'
    assert json.loads(json_line(record))["value"] == {"a": "\ud800"}


def test_a_registry_that_can_not_be_asked_ends_it() -> None:
    shown = Decoding(RegistryAddress("127.0.0.1:1", None).connect())
    with pytest.raises(CommandFailed, match=r"No schema registry: http://127.0.0.1:1 can't be reached"):
        shown(BARE._replace(value=written_id(1) + b"?"))
