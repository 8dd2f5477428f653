"""Avro: what is read and refused, the stored text, each kind of difference, all as Avro's Java has them."""

import json
from typing import Any

import pytest

from barnabas.schema_registry.formats import InvalidSchema, ResolvedReference, incompatibilities, parse


def record(*fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": list(fields), **more}


def canonical(schema: Any, *references: ResolvedReference) -> str:
    return parse("AVRO", json.dumps(schema), references).canonical


def differences(reader: Any, writer: Any) -> list[tuple[str, str, str | None]]:
    found = incompatibilities(parse("AVRO", json.dumps(reader)), parse("AVRO", json.dumps(writer)))
    return [(each.type, each.path, each.additional) for each in found]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ('{"type": "string"}', '"string"'),
        ('{"type":"int","name":"x","size":3,"default":2}', '{"type":"int","default":2}'),
        (
            '{"fields":[],"doc":"ü\\u0001/","name":"R","namespace":"n.s","type":"record","x":1,"aliases":["n.s.Q"]}',
            '{"type":"record","name":"R","namespace":"n.s","doc":"ü\\u0001/","fields":[],"x":1,"aliases":["Q"]}',
        ),
        (
            '{"type":"record","name":"a.b.C","fields":[{"name":"x","type":"F"},'
            '{"name":"y","type":{"type":"fixed","name":"F","size":2}}]}',
            '{"type":"record","name":"C","namespace":"a.b","fields":[{"name":"x",'
            '"type":{"type":"fixed","name":"F","size":2}},{"name":"y","type":"F"}]}',
        ),
        (
            '{"type":"record","name":"R","fields":[{"default":12345678901.5,"order":"ascending",'
            '"name":"d","type":"double"},{"name":"f","type":"float","default":"1.5","order":"ignore"}]}',
            '{"type":"record","name":"R","fields":[{"name":"d","type":"double","default":1.23456789015E10},'
            '{"name":"f","type":"float","default":1.5,"order":"ignore"}]}',
        ),
        (
            '{"type":"record","name":"x","fields":[{"name":"u","type":{"type":"record","name":"q.U",'
            '"fields":[{"name":"n","type":{"type":"enum","name":"V","namespace":"","symbols":["A"]}}]}}]}',
            '{"type":"record","name":"x","fields":[{"name":"u","type":{"type":"record","name":"U",'
            '"namespace":"q","fields":[{"name":"n","type":{"type":"enum","name":"V","namespace":"",'
            '"symbols":["A"]}}]}}]}',
        ),
    ],
)
def test_stored_text_is_that_of_java(given: str, stored: str) -> None:
    assert parse("AVRO", given).canonical == stored


def test_types_of_references_are_named_and_written_out_when_resolved() -> None:
    address = ResolvedReference(
        "com.x.Address", "address", 1, json.dumps(record(name="Address", namespace="com.x"))
    )
    schema = parse("AVRO", json.dumps(record({"name": "a", "type": "com.x.Address"})), [address])
    assert schema.canonical == '{"type":"record","name":"R","fields":[{"name":"a","type":"com.x.Address"}]}'
    assert '"name":"Address","namespace":"com.x"' in schema.formatted("resolved")
    assert schema.name == "R"


def test_normalized_spellings_are_one() -> None:
    field = {"name": "d", "type": "double", "default": 1}
    one = parse("AVRO", json.dumps(record(field, doc="", b=1, a={"y": 1, "x": 2}, namespace="n")))
    other = parse("AVRO", json.dumps(record({**field, "default": 1.0}, a={"x": 2, "y": 1}, b=1, name="n.R")))
    assert one.canonical != other.canonical
    assert one.normalized().canonical == other.normalized().canonical
    assert one.normalized().canonical == (
        '{"type":"record","name":"R","namespace":"n","fields":[{"name":"d","type":"double","default":1.0}],'
        '"a":{"x":2,"y":1},"b":1}'
    )


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": {"type": "string"}}, "'type' is missing or no name"),
        (["int", "int"], "a union has int twice"),
        ([["int"], "string"], "a union stands directly in a union"),
        (record({"name": "a-b", "type": "int"}), "'a-b' is no valid name"),
        (record(namespace="x-y"), "'x-y' is no valid name"),
        (
            record({"name": "a", "type": "int", "default": "x"}),
            "the default \"x\" of field 'a' of R is no int",
        ),
        (record({"name": "a", "type": "long", "default": 2**63}), "is no long"),
        (record({"name": "a", "type": "int"}, {"name": "a", "type": "int"}), "the field 'a' twice"),
        (record({"name": "a", "type": "nope"}), "undefined name 'nope'"),
        (record({"name": "a", "type": "int", "order": "bad"}), 'order "bad"'),
        (record({"name": "a", "type": record()}), "R is defined twice"),
        ({"type": "record", "name": "R"}, "no list of 'fields'"),
        ({"type": "enum", "name": "E", "symbols": ["A", "A"]}, "a symbol twice"),
        (
            {"type": "enum", "name": "E", "symbols": ["A"], "default": "B"},
            "'B' of enum E is none of its symbols",
        ),
        ({"type": "fixed", "name": "int", "size": 1}, "named after the primitive"),
        ({"type": "fixed", "name": "F", "size": -1}, "no valid 'size'"),
        ({"type": "array"}, "an array has no 'items'"),
        (5, "a type is a name, an object or a list, not 5"),
    ],
)
def test_what_is_no_schema_is_refused(schema: Any, message: str) -> None:
    with pytest.raises(InvalidSchema, match=message):
        parse("AVRO", json.dumps(schema))


def test_each_kind_of_difference_has_javas_name_place_and_detail() -> None:
    enum, fixed = {"type": "enum", "name": "E"}, {"type": "fixed", "name": "F"}
    reader = record(
        {"name": "u", "type": ["null", "int"]},
        {"name": "e", "type": {**enum, "symbols": ["A"]}},
        {"name": "n", "type": "int"},
        {"name": "f", "type": {**fixed, "size": 1}},
        {"name": "g", "type": {"type": "array", "items": "int"}},
    )
    writer = record(
        {"name": "u", "type": ["null", "int", "string"]},
        {"name": "e", "type": {**enum, "symbols": ["A", "C", "B"]}},
        {"name": "f", "type": {**fixed, "size": 2}},
        {"name": "g", "type": {"type": "array", "items": "string"}},
        name="S",
    )
    assert differences(reader, writer) == [
        ("NAME_MISMATCH", "/name", "expected: S"),
        ("MISSING_UNION_BRANCH", "/fields/0/type/2", "reader union lacking writer type: STRING"),
        ("MISSING_ENUM_SYMBOLS", "/fields/1/type/symbols", "[B, C]"),
        ("READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/2", "n"),
        ("FIXED_SIZE_MISMATCH", "/fields/3/type/size", "expected: 2, found: 1"),
        ("TYPE_MISMATCH", "/fields/4/type/items", "reader type: INT not compatible with writer type: STRING"),
    ]


@pytest.mark.parametrize(
    ("reader", "writer", "reads"),
    [
        ("long", "int", True),
        ("float", "long", True),
        ("double", "float", True),
        ("int", "long", False),
        ("bytes", "string", True),
        ("string", "bytes", True),
        ("int", ["int"], True),
        ("int", ["int", "null"], False),
        (["null", "long"], "int", True),
        (["null", "string"], ["string", "null"], True),
        ({"type": "int", "logicalType": "date"}, "int", True),
        (
            {"type": "enum", "name": "E", "symbols": ["A"], "default": "A"},
            {"type": "enum", "name": "E", "symbols": ["B"]},
            True,
        ),
        (record(name="S", aliases=["R"]), record(), True),
        (record(name="S"), record(), False),
        (record(name="x.R"), record(name="y.R"), True),
        (record({"name": "b", "type": "int", "aliases": ["a"]}), record({"name": "a", "type": "int"}), True),
        (record({"name": "b", "type": "int", "default": 1}), record(), True),
        (record(), record({"name": "b", "type": "int"}), True),
    ],
)
def test_verdicts(reader: Any, writer: Any, reads: bool) -> None:
    assert (differences(reader, writer) == []) is reads


def test_types_that_refer_to_themselves_are_compared() -> None:
    def tree(value: str) -> dict[str, Any]:
        return record({"name": "v", "type": value}, {"name": "next", "type": ["null", "R"]})

    assert differences(tree("long"), tree("int")) == []
    narrowed = [(kind, path) for kind, path, _ in differences(tree("int"), tree("long"))]
    assert narrowed == [("TYPE_MISMATCH", "/fields/0/type")]


def test_a_verbose_answer_has_one_line_for_each_difference() -> None:
    found = incompatibilities(parse("AVRO", '"int"'), parse("AVRO", '"string"'))
    assert str(found[0]) == (
        "{errorType:'TYPE_MISMATCH', description:'the type at / is int in the reader schema, which does not"
        " read string of the writer one', additionalInfo:"
        "'reader type: INT not compatible with writer type: STRING'}"
    )
