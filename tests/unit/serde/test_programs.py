"""What the data plane lets pass as a value of a schema, against fastavro and google.protobuf."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import fastavro
import pytest
from fastavro.utils import generate_many
from google.protobuf.message import DecodeError

from barnabas import _core
from barnabas.schema_registry.formats import parse
from barnabas.schema_registry.formats.protobuf import ProtobufSchema
from barnabas.serde.contract import Contract
from barnabas.serde.programs import NoProgram, program_of
from barnabas.serde.registry import Reference, Schema
from tests.unit.schema_registry.formats.avro_schemas import random_record
from tests.unit.schema_registry.formats.proto_files import random_file, random_message
from tests.unit.schema_registry.formats.test_protobuf_generated import left_unread, message_class


class Registry:
    """Knows what schemas refer to."""

    def __init__(self, others: dict[str, Schema] | None = None) -> None:
        self.others = others or {}

    def closure(self, schema: Schema) -> list[tuple[Reference, Schema]]:
        return [(each, self.others[each.name]) for each in schema.references]


def program(schema: Schema, others: dict[str, Schema] | None = None) -> bytes:
    registry: Any = Registry(others)
    found = program_of(schema, registry)
    assert found is not None
    return found


def changed(rng: random.Random, data: bytes) -> bytes:
    """Bytes with something wrong with them, most often."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(found))
        match rng.randint(0, 3):
            case 0 if at < len(found):
                found[at] ^= 1 << rng.randint(0, 7)
            case 1:
                found.insert(at, rng.choice([0, 1, 2, 3, 4, 8, 10, 0x7F, 0x80, 0xFF]))
            case 2 if at < len(found):
                del found[at]
            case _:
                del found[at:]
    return bytes(found)


def read_avro(schema: Any, data: bytes) -> Any:
    """The value that fills the bytes; raises where there is none."""
    buffer = io.BytesIO(data)
    value = fastavro.schemaless_reader(buffer, schema, None)
    assert buffer.tell() == len(data)
    assert fastavro.validate(value, schema, raise_errors=False)
    return value


def written_avro(schema: Any, value: Any) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, schema, value)
    return buffer.getvalue()


@pytest.mark.parametrize("block", range(3))
def test_avro_passes_if_fastavro_reads_it(block: int) -> None:
    passed = refused = 0
    for seed in range(block * 50, block * 50 + 50):
        rng = random.Random(seed)
        text = json.dumps(random_record(rng, []))
        schema = fastavro.parse_schema(json.loads(text))
        random.seed(seed)
        try:
            values = list(generate_many(schema, 3))
        except RecursionError:
            continue  # A type that leads to itself may have no end, by chance or at all.
        compiled = program(Schema("AVRO", text))
        for data in [written_avro(schema, value) for value in values]:
            assert _core.misfit(compiled, data) is None, f"seed {seed}: {text} {data!r}"
            for odd in {changed(rng, data) for _ in range(10)}:
                misfit = _core.misfit(compiled, odd)
                try:
                    value = read_avro(schema, odd)
                except Exception:  # Whatever it runs into.
                    assert misfit is not None, f"seed {seed}: {text} {odd!r}"
                    refused += 1
                    continue
                passed += misfit is None
                # It is more lenient, but writes what all readers read.
                assert misfit is None or written_avro(schema, value) != odd, f"seed {seed}: {misfit} {odd!r}"
    assert passed > 100
    assert refused > 300


@pytest.mark.parametrize("block", range(2))
def test_protobuf_passes_if_all_of_it_is_read(block: int) -> None:
    passed = refused = 0
    for seed in range(block * 75, block * 75 + 75):
        rng = random.Random(seed)
        text = random_file(rng).text()
        schema = parse("PROTOBUF", text)
        assert isinstance(schema, ProtobufSchema)
        made, compiled = message_class(schema, "p.M"), program(Schema("PROTOBUF", text))
        for data in [random_message(rng, made).SerializeToString() for _ in range(3)]:
            assert _core.misfit(compiled, b"\0" + data) is None, f"seed {seed}: {text} {data!r}"
            for odd in {changed(rng, data) for _ in range(10)}:
                misfit = _core.misfit(compiled, odd, b"\0")
                try:
                    found = made.FromString(odd)
                except DecodeError:
                    assert misfit is not None, f"seed {seed}: {text} {odd!r}"
                    refused += 1
                    continue
                passed += misfit is None
                if misfit is None:
                    # Entries of maps with unknown fields are left unread, where Java's reader reads them.
                    assert "map<" in text or not left_unread(found), f"seed {seed}: {text} {odd!r}"
                elif "no field of such a number" not in misfit:  # Zero, which Java's reader refuses too.
                    again = found.SerializeToString()
                    assert left_unread(found) or again != odd, f"seed {seed}: {misfit} {odd!r}"
    assert passed > 100
    assert refused > 300


def test_required_fields_groups_and_text_are_as_their_syntax_has_them() -> None:
    two = program(
        Schema(
            "PROTOBUF",
            "message Order { required int32 id = 1; optional group Line = 2 { required string name = 3; }"
            " extensions 100 to 200; }",
        )
    )
    assert _core.misfit(two, b"\0\x08\x01") is None
    assert _core.misfit(two, b"\0") == "at byte 1: a message lacks a required field"
    assert _core.misfit(two, b"\0\x08\x01\x13\x1a\x01\xff\x14\xa2\x06\x01x") is None  # any bytes are text
    assert _core.misfit(two, b"\0\x08\x01\x13\x14") == "at byte 5: a message lacks a required field"
    edition = program(
        Schema(
            "PROTOBUF",
            'edition = "2023"; message M { string a = 1; string b = 2 [features.utf8_validation = NONE];'
            " M c = 3 [features.message_encoding = DELIMITED]; map<string, M> d = 4;"
            " int32 e = 5 [features.field_presence = LEGACY_REQUIRED]; }",
        )
    )
    e = b"\x28\x01"
    assert _core.misfit(edition, b"\0" + e) is None
    assert _core.misfit(edition, b"\0\x0a\x01\xff" + e) == "at byte 3: text is not UTF-8"
    assert _core.misfit(edition, b"\0\x12\x01\xff\x1b" + e + b"\x1c\x22\x06\x0a\x00\x12\x02" + e + e) is None


def test_what_schemas_refer_to_is_part_of_them() -> None:
    line = Schema("AVRO", '{"type": "record", "name": "Line", "fields": [{"name": "n", "type": "int"}]}')
    references = (Reference("Line", "line", 1),)
    order = Schema("AVRO", '{"type": "array", "items": ["null", "Line"]}', references)
    assert _core.misfit(program(order, {"Line": line}), b"\x04\x00\x02\x06\x00") is None
    file = Schema("PROTOBUF", 'syntax = "proto3"; package l; message Line { int32 n = 1; }')
    references = (Reference("line.proto", "line", 1),)
    text = (
        'syntax = "proto3"; import "line.proto"; import "google/protobuf/timestamp.proto";'
        "message First {} message Order {"
        " message Deep { l.Line line = 1; google.protobuf.Timestamp at = 2; } }"
    )
    compiled = program(Schema("PROTOBUF", text, references), {"line.proto": file})
    assert _core.misfit(compiled, b"\x0a\x02\x08\x01\x12\x02\x08\x01", b"\x04\x02\x00") is None
    assert _core.misfit(compiled, b"\x0a\x02\x0a\x00", b"\x04\x02\x00") is not None


def test_what_nothing_can_be_held_against_is_told() -> None:
    registry: Any = Registry()
    for odd, reason in (
        (Schema("JSON", "{}"), "the broker does not read values of JSON"),
        (Schema("AVRO", '{"type": "what"}'), "the schema can't be read: undefined name 'what'"),
    ):
        with pytest.raises(NoProgram, match=reason):
            program_of(odd, registry)
    rule = {"name": "e", "kind": "TRANSFORM", "mode": "WRITEREAD", "type": "ENCRYPT_PAYLOAD"}
    encrypted = Contract.of({"ruleSet": {"encodingRules": [rule]}})
    assert program_of(Schema("AVRO", '"int"', (), encrypted), registry) is None


def test_bytes_that_are_no_program_are_refused() -> None:
    with pytest.raises(ValueError, match="ends early"):
        _core.misfit(b"\x01\x05", b"")
