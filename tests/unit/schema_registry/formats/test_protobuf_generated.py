"""Protobuf against google.protobuf: what a reader really finds in a writer's bytes; what descriptors say."""

import random
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, unknown_fields

from barnabas.schema_registry.formats import incompatibilities, parse
from barnabas.schema_registry.formats.protobuf import ProtobufSchema
from tests.unit.schema_registry.formats.proto_files import evolve, random_file, random_message


def message_class(schema: ProtobufSchema, name: str) -> Any:
    """A class of a message of the schema, made by way of its descriptors."""
    pool = descriptor_pool.DescriptorPool()
    for data in schema.descriptors("test.proto"):
        pool.AddSerializedFile(data)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def left_unread(message: Any) -> set[int]:
    """Numbers of fields that the class has and yet did not read, those of nested messages among them."""
    known = set(message.DESCRIPTOR.fields_by_number)
    found = {each.field_number for each in unknown_fields.UnknownFieldSet(message)} & known
    for each, value in message.ListFields():
        if each.message_type is not None and not each.message_type.GetOptions().map_entry:
            for inner in value if each.is_repeated else [value]:
                found |= left_unread(inner)
    return found


def whole_numbers(message: Any, only: Any = None) -> dict[int, int]:
    """The fields that hold one whole number, of those that `only` has as such, too."""
    found = {each.number: value for each, value in message.ListFields() if type(value) is int}
    return (
        found if only is None else {each: found[each] for each in found.keys() & whole_numbers(only).keys()}
    )


@pytest.mark.parametrize("block", range(4))
def test_compatible_reader_reads_all_fields_that_it_knows(block: int) -> None:
    compatible = 0
    for seed in range(block * 100, block * 100 + 100):
        rng = random.Random(seed)
        old = random_file(rng)
        new = evolve(rng, old)
        writer, reader = parse("PROTOBUF", old.text()), parse("PROTOBUF", new.text())
        assert isinstance(writer, ProtobufSchema)
        assert isinstance(reader, ProtobufSchema)
        if incompatibilities(reader, writer):
            continue
        compatible += 1
        written, read = message_class(writer, "p.M"), message_class(reader, "p.M")
        for _ in range(3):
            message = random_message(rng, written)
            found = read.FromString(message.SerializeToString())
            assert not left_unread(found), f"seed {seed}\n{old.text()}\n{new.text()}"
            assert whole_numbers(found) == whole_numbers(message, only=found), f"seed {seed}"
    assert compatible > 20


def test_refused_readers_miss_something() -> None:
    """The other direction, which a checker that refuses everything would not pass."""
    refused = without_loss = 0
    for seed in range(200):
        rng = random.Random(seed)
        old = random_file(rng)
        new = evolve(rng, old)
        writer, reader = parse("PROTOBUF", old.text()), parse("PROTOBUF", new.text())
        reasons = {each.type for each in incompatibilities(reader, writer)}
        if not reasons & {"FIELD_SCALAR_KIND_CHANGED", "FIELD_KIND_CHANGED"}:
            continue
        refused += 1
        assert isinstance(writer, ProtobufSchema)
        assert isinstance(reader, ProtobufSchema)
        written, read = message_class(writer, "p.M"), message_class(reader, "p.M")
        without_loss += not any(_loses(rng, written, read) for _ in range(6))
    assert refused > 30
    assert without_loss < refused / 3  # numbers that are written otherwise often read as other numbers


def _loses(rng: random.Random, written: Any, read: Any) -> bool:
    message = random_message(rng, written)
    try:
        found = read.FromString(message.SerializeToString())
    except Exception:
        return True
    values = {each.number: value for each, value in found.ListFields()}
    sent = {each.number: value for each, value in message.ListFields()}
    same = all(str(values.get(number)) == str(sent[number]) for number in sent.keys() & values.keys())
    return bool(left_unread(found)) or not same


@pytest.mark.parametrize("seed", range(40))
def test_text_and_descriptor_say_the_same(seed: int) -> None:
    schema = parse("PROTOBUF", random_file(random.Random(seed)).text())
    assert parse("PROTOBUF", schema.canonical).canonical == schema.canonical
    again = parse("PROTOBUF", schema.formatted("serialized"))
    assert again.normalized().canonical == schema.normalized().canonical
    assert isinstance(again, ProtobufSchema)
    assert descriptor_pb2.FileDescriptorProto.FromString(again.descriptor("test.proto")).package == "p"


def test_descriptor_is_protocs() -> None:
    """The places where text and descriptor count differently, as protoc 35 writes them."""
    schema = parse(
        "PROTOBUF",
        'syntax = "proto3"; package p; message M { reserved 5, 7 to 9; reserved "x"; optional int32 a = 1;'
        " oneof o { string b = 2; } map<string, E> my_map = 3 [deprecated = true]; }"
        " enum E { option allow_alias = true; Z = 0; Y = 0; reserved 4 to max; }"
        " service S { rpc R (stream M) returns (M) { option idempotency_level = IDEMPOTENT; } }",
    )
    assert isinstance(schema, ProtobufSchema)
    file = descriptor_pb2.FileDescriptorProto.FromString(schema.descriptor("test.proto"))
    message, enum, method = file.message_type[0], file.enum_type[0], file.service[0].method[0]
    assert [(each.start, each.end) for each in message.reserved_range] == [(5, 6), (7, 10)]
    assert [each.name for each in message.oneof_decl] == ["o", "_a"]
    assert [(each.name, each.oneof_index, each.proto3_optional) for each in message.field] == [
        ("a", 1, True),
        ("my_map", 0, False),
        ("b", 0, False),
    ]
    assert message.field[1].type_name == ".p.M.MyMapEntry"
    assert message.field[1].options.deprecated
    assert message.nested_type[0].options.map_entry
    assert [(each.start, each.end) for each in enum.reserved_range] == [(4, 2**31 - 1)]
    assert enum.options.allow_alias
    assert (method.client_streaming, method.server_streaming, method.options.idempotency_level) == (
        True,
        False,
        2,
    )
