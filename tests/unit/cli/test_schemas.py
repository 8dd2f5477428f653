"""`barnabas schemas diff`, what registries say of incompatible schemas, and where a registry is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from barnabas.cli.errors import CommandFailed
from barnabas.cli.root import outcome
from barnabas.cli.schemas.client import RegistryAddress
from barnabas.cli.schemas.messages import readable
from barnabas.serde.registry import Schema, SchemaRegistry
from tests.unit.serde.fake_registry import fake_registry


def order(*fields: str) -> str:
    named = [{"name": name, "type": "long"} for name in fields]
    return json.dumps({"type": "record", "name": "Order", "fields": named})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A registry where `orders-value` has two versions, and `first-value` one."""
    with fake_registry() as registry:
        client = SchemaRegistry(registry.url)
        for text in (order("id"), order("id", "sum")):
            client.register("orders-value", Schema("AVRO", text))
        client.register("first-value", Schema("AVRO", order("id")))
        client.close()
        yield registry.url


def test_the_last_change_is_shown_with_who_can_read_whom(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(["schemas", "diff", "orders-value", "-r", url]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == ["--- orders-value version 1", "+++ orders-value version 2"]
    assert '+      "name": "sum",' in told
    assert told[-3:] == [
        "BACKWARD: no, the new schema can't read what was written with the old one",
        "  READER_FIELD_MISSING_DEFAULT_VALUE: the field 'sum' at /fields/1 of the new schema has no default"
        " value and is missing in the old one",
        "FORWARD: yes, the old schema reads what was written with the new one",
    ]


def test_a_file_is_compared_with_the_version_that_is_named(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "order.avsc"
    file.write_text(order("id"))
    command = ["schemas", "diff", "orders-value", str(file), "--json", "-r", url]
    assert outcome([*command, "--version", "1"]) == 0
    same = json.loads(capsys.readouterr().out)
    assert (same["diff"], same["backward"], same["forward"]) == ([], [], [])
    assert outcome(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["old"], told["new"], told["backward"]) == ("orders-value version 2", str(file), [])
    assert [each["path"] for each in told["forward"]] == ["/fields/1"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["first-value"], 1, "first-value version 1 is the first"),
        (["nobodys-value"], 1, "error 40403"),
        (["orders-value", "FILE", "--to", "1"], 2, "leave out --to"),
        (["orders-value", "FILE"], 1, "FILE is no JSON"),
    ],
)
def test_what_can_not_be_compared_is_told(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    (tmp_path / "FILE").write_text("{")
    given = [str(tmp_path / "FILE") if each == "FILE" else each for each in arguments]
    assert outcome(["schemas", "diff", *given, "-r", url]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ("{errorType:'A_B', description:'it's {odd}', additionalInfo:'x'}", ["A_B: it's {odd}"]),
        ('{errorType:"A_B", description:"at \'#/x\'"}', ["A_B: at '#/x'"]),
        ("{oldSchemaVersion: 3}", ["compared with version 3"]),
        ('{oldSchema: \'{"type":"long"}\'}', []),
        ("{compatibility: 'BACKWARD'}", ["compatibility: BACKWARD"]),
        ("anything else", ["anything else"]),
    ],
)
def test_messages_of_registries_are_made_readable(message: str, lines: list[str]) -> None:
    assert list(readable(message)) == lines


@pytest.mark.parametrize("url", ["ftp://x", "http://", "127.0.0.1:99999", "http://x:0"])
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(CommandFailed, match="no http or https address"):
        RegistryAddress(url, None).connect()


def test_passwords_are_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["schemas", "list", "-r", "http://ada:secret@127.0.0.1:1"]) == 1
    said = capsys.readouterr().err
    assert "http://127.0.0.1:1 can't be reached" in said
    assert "secret" not in said
