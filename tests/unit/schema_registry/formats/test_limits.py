"""What nobody registers in earnest: everything ends in InvalidSchema or in a verdict, and soon."""

import json
from typing import Any

import pytest

from barnabas.schema_registry.formats import (
    SCHEMA_CHARACTERS_MAX,
    InvalidSchema,
    ResolvedReference,
    incompatibilities,
    parse,
)


def nested(start: str, middle: str, end: str, depth: int) -> str:
    return start * depth + middle + end * depth


@pytest.mark.parametrize(
    ("schema_type", "text", "message"),
    [
        ("AVRO", nested('{"type":"array","items":', '"int"', "}", 10_000), "nested deeper"),
        ("AVRO", nested('{"type":"array","items":', '"int"', "}", 80), "nested deeper"),
        ("JSON", nested('{"not":', "{}", "}", 10_000), "nested deeper"),
        ("JSON", nested('{"not":', "{}", "}", 80), "nested deeper"),
        ("JSON", "[" * 100_000, "nested deeper"),
        ("PROTOBUF", nested("message A {", "", "}", 10_000), "nested deeper"),
        ("PROTOBUF", "option x = " + nested("{a:", "1", "}", 10_000) + ";", "nested deeper"),
        ("JSON", json.dumps({"title": "x" * SCHEMA_CHARACTERS_MAX}), "over the limit"),
        ("JSON", '{"type": "string", "type": "null"}', "'type' stands twice"),
        ("JSON", '{"maximum": NaN}', "NaN is no JSON number"),
        ("JSON", '{"maximum": 1e400}', "too large"),
        ("JSON", '{"maximum": ' + "9" * 5_000 + "}", "digits"),
        ("JSON", '{"title": "\\ud800"}', "half a character"),
        ("JSON", '{"$ref": "#"}', "leads back to itself"),
        ("JSON", '{"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#"}}}', "leads back to itself"),
        ("JSON", '{"$ref": "http://example.com/x.json"}', "neither the schema nor a reference has it"),
        ("JSON", '{"enum": [' + "1," * 250_000 + "1]}", "more than 200000 values"),
        ("PROTOBUF", "\0", "line 1, column 1"),
        ("PROTOBUF", "/*" + "*" * 900_000, "unexpected"),
        ("PROTOBUF", "message A {\n  int32 a = 1\n}", "line 3, column 1: expected ';'"),
        ("PROTOBUF", "AAAA", "descriptor"),
        ("AVRO", "", "is empty"),
        ("XML", "<a/>", "unknown schema type 'XML'"),
    ],
)
def test_bad_text_is_refused_with_a_reason(schema_type: str, text: str, message: str) -> None:
    with pytest.raises(InvalidSchema, match=message.replace("(", r"\(")):
        parse(schema_type, text)


def test_names_that_lead_deep_are_refused_though_the_text_is_flat() -> None:
    records: list[Any] = [
        {"type": "record", "name": f"R{at}", "fields": [{"name": "f", "type": f"R{at + 1}"}]}
        for at in range(500)
    ]
    records.append({"type": "record", "name": "R500", "fields": []})
    with pytest.raises(InvalidSchema, match="nested deeper than 64 levels, names followed"):
        parse("AVRO", json.dumps(records))


def ring(size: int) -> str:
    """Records in one another, the innermost holding the outermost."""
    text = '"R0"'
    for at in reversed(range(size)):
        text = f'{{"type":"record","name":"R{at}","fields":[{{"name":"f","type":{text}}}]}}'
    return text


def test_rings_of_types_that_meet_late_are_given_up() -> None:
    found = incompatibilities(parse("AVRO", ring(61)), parse("AVRO", ring(59)))
    assert [each.type for each in found] == ["SCHEMA_TOO_COMPLEX"]


def test_rings_of_types_that_meet_are_compared() -> None:
    assert incompatibilities(parse("AVRO", ring(7)), parse("AVRO", ring(7))) == []


def doubling(depth: int, last: str) -> str:
    """Each definition refers to the next one twice: two to the power of depth paths."""
    definitions: dict[str, Any] = {"d0": {"type": last}}
    for at in range(1, depth):
        ref = {"$ref": f"#/definitions/d{at - 1}"}
        definitions[f"d{at}"] = {"properties": {"a": ref, "b": ref}}
    return json.dumps({"definitions": definitions, "$ref": f"#/definitions/d{depth - 1}"})


def test_exponential_references_are_compared_once_each() -> None:
    reader, writer = parse("JSON", doubling(60, "string")), parse("JSON", doubling(60, "number"))
    assert incompatibilities(reader, parse("JSON", doubling(60, "string"))) == []
    assert {each.type for each in incompatibilities(reader, writer)} == {"TYPE_CHANGED"}


def test_entangled_alternatives_are_given_up() -> None:
    def entangled(odd: str) -> str:
        names = range(40)
        definitions: dict[str, Any] = {
            f"d{at}": {"oneOf": [{"$ref": f"#/definitions/d{(at * 7 + each) % 40}"} for each in range(8)]}
            for at in names
        }
        for at in names:
            inner = {"type": "object", "properties": {f"p{at}": {"$ref": f"#/definitions/d{(at + 1) % 40}"}}}
            definitions[f"d{at}"]["oneOf"].append(inner)
        definitions["d3"] = {"type": odd}
        return json.dumps({"definitions": definitions, "$ref": "#/definitions/d0"})

    found = incompatibilities(parse("JSON", entangled("string")), parse("JSON", entangled("number")))
    assert found


def test_patterns_that_explode_are_not_tried() -> None:
    writer = parse(
        "JSON", '{"patternProperties": {"^(a+)+$": {"type": "string"}}, "additionalProperties": false}'
    )
    name = "a" * 400 + "b"
    reader = parse(
        "JSON", json.dumps({"properties": {name: {"type": "null"}}, "additionalProperties": False})
    )
    kinds = {each.type for each in incompatibilities(reader, writer)}
    assert "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL" in kinds


def test_protobuf_files_may_import_in_a_circle() -> None:
    references = [
        ResolvedReference("a", "a", 1, 'import "b"; message X { optional Y y = 1; }'),
        ResolvedReference("b", "b", 1, 'import "a"; message Y { optional X x = 1; }'),
    ]
    schema = parse("PROTOBUF", 'import "a"; message M { optional X x = 1; }', references)
    again = parse("PROTOBUF", 'import "a"; message M { optional X x = 1; optional X z = 2; }', references)
    assert incompatibilities(again, schema) == []
