"""JSON Schema: what is read and refused, each kind of difference, under the names of Confluent's registry."""

import json
from typing import Any

import pytest

from barnabas.schema_registry.formats import (
    READER_AND_WRITER,
    InvalidSchema,
    Policy,
    ResolvedReference,
    incompatibilities,
    parse,
)

MODERN = "https://json-schema.org/draft/2020-12/schema"


def differences(old: Any, new: Any, policy: Policy = Policy.STRICT) -> list[str]:
    reader, writer = parse("JSON", json.dumps(new)), parse("JSON", json.dumps(old))
    found = incompatibilities(reader, writer, READER_AND_WRITER, policy)
    return [f"{each.type} {each.path}" for each in found]


def props(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def closed(**properties: Any) -> dict[str, Any]:
    return {**props(**properties), "additionalProperties": False}


TEXT, NUMBER = {"type": "string"}, {"type": "number"}


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        # types
        (TEXT, NUMBER, ["TYPE_CHANGED #/"]),
        ({"type": "integer"}, NUMBER, []),
        (NUMBER, {"type": "integer"}, ["TYPE_NARROWED #/"]),
        ({"maxLength": 3}, {"type": "string", "maxLength": 3}, ["TYPE_NARROWED #/"]),
        (TEXT, {}, []),
        (TEXT, True, []),
        (False, TEXT, []),
        ({}, TEXT, ["TYPE_CHANGED #/"]),
        ({"type": ["string"]}, {"type": ["string", "null"]}, []),
        ({"type": ["string", "null"]}, TEXT, ["TYPE_CHANGED #/"]),
        # strings and numbers
        ({**TEXT, "maxLength": 5}, {**TEXT, "maxLength": 4}, ["MAX_LENGTH_DECREASED #/maxLength"]),
        (TEXT, {**TEXT, "minLength": 1}, ["MIN_LENGTH_ADDED #/minLength"]),
        (TEXT, {**TEXT, "minLength": 0}, []),
        (TEXT, {**TEXT, "pattern": "a"}, ["PATTERN_ADDED #/pattern"]),
        ({**TEXT, "pattern": "a"}, {**TEXT, "pattern": "b"}, ["PATTERN_CHANGED #/pattern"]),
        ({**NUMBER, "minimum": 1}, {**NUMBER, "minimum": 2}, ["MINIMUM_INCREASED #/minimum"]),
        (NUMBER, {**NUMBER, "minimum": 0}, ["MINIMUM_ADDED #/minimum"]),
        (
            {**NUMBER, "exclusiveMaximum": 5},
            {**NUMBER, "exclusiveMaximum": 4},
            ["EXCLUSIVE_MAXIMUM_DECREASED #/exclusiveMaximum"],
        ),
        (
            {**NUMBER, "maximum": 5, "exclusiveMaximum": True},
            {**NUMBER, "maximum": 4, "exclusiveMaximum": True},
            ["EXCLUSIVE_MAXIMUM_DECREASED #/exclusiveMaximum"],
        ),
        ({**NUMBER, "multipleOf": 10}, {**NUMBER, "multipleOf": 5}, []),
        ({**NUMBER, "multipleOf": 0.5}, {**NUMBER, "multipleOf": 0.1}, []),
        ({**NUMBER, "multipleOf": 5}, {**NUMBER, "multipleOf": 10}, ["MULTIPLE_OF_EXPANDED #/multipleOf"]),
        ({**NUMBER, "multipleOf": 5}, {**NUMBER, "multipleOf": 7}, ["MULTIPLE_OF_CHANGED #/multipleOf"]),
        ({"enum": [1, "a"]}, {"enum": ["a", 1.0, None]}, []),
        ({"enum": [1, "a"]}, {"enum": [1]}, ["ENUM_ARRAY_NARROWED #/enum"]),
        ({"enum": [True]}, {"enum": [1]}, ["ENUM_ARRAY_CHANGED #/enum"]),
        ({"const": 1}, {"const": 2}, ["ENUM_ARRAY_CHANGED #/const"]),
        # objects
        (closed(), closed(a=TEXT), []),
        (props(), props(a=TEXT), ["OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/a"]),
        (props(), props(a={}), []),
        (
            closed(),
            {**closed(a=TEXT), "required": ["a"]},
            ["REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a"],
        ),
        (closed(), {**closed(a={**TEXT, "default": ""}), "required": ["a"]}, []),
        (props(a=TEXT), props(), []),
        (closed(a=TEXT), closed(), ["PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/a"]),
        (closed(a=False), closed(), []),
        (closed(a=TEXT), {**props(), "additionalProperties": TEXT}, []),
        (
            closed(a=NUMBER),
            {**props(), "additionalProperties": TEXT},
            [
                "TYPE_CHANGED #/properties/a",
                "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/a",
            ],
        ),
        (props(a=TEXT), {**props(a=TEXT), "required": ["a"]}, ["REQUIRED_ATTRIBUTE_ADDED #/required/a"]),
        (props(), closed(), ["ADDITIONAL_PROPERTIES_REMOVED #/additionalProperties"]),
        (
            props(),
            {**props(), "additionalProperties": TEXT},
            ["ADDITIONAL_PROPERTIES_NARROWED #/additionalProperties"],
        ),
        (
            {**props(), "patternProperties": {"^s_": TEXT}, "additionalProperties": False},
            {**props(s_a=NUMBER), "additionalProperties": False},
            [
                "TYPE_CHANGED #/properties/s_a",
                "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/s_a",
                "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/patternProperties/^s_",
            ],
        ),
        (
            props(),
            {**props(), "dependentRequired": {"a": ["b"]}},
            ["DEPENDENCY_ARRAY_ADDED #/dependencies/a"],
        ),
        (
            {**props(), "dependencies": {"a": ["b"]}},
            {**props(), "dependencies": {"a": ["b", "c"]}},
            ["DEPENDENCY_ARRAY_EXTENDED #/dependencies/a"],
        ),
        (props(), {**props(), "maxProperties": 1}, ["MAX_PROPERTIES_ADDED #/maxProperties"]),
        (props(), {**props(), "propertyNames": {"maxLength": 3}}, ["SCHEMA_ADDED #/propertyNames"]),
        # arrays
        ({"type": "array"}, {"type": "array", "items": TEXT}, ["SCHEMA_ADDED #/items"]),
        ({"type": "array"}, {"type": "array", "uniqueItems": True}, ["UNIQUE_ITEMS_ADDED #/uniqueItems"]),
        (
            {"type": "array", "items": [TEXT]},
            {"type": "array", "items": [TEXT, TEXT]},
            ["ITEM_ADDED_TO_OPEN_CONTENT_MODEL #/items/1"],
        ),
        (
            {"$schema": MODERN, "type": "array", "prefixItems": [TEXT], "items": False},
            {"$schema": MODERN, "type": "array", "prefixItems": [TEXT, TEXT], "items": False},
            [],
        ),
        (
            {"$schema": MODERN, "type": "array", "prefixItems": [TEXT, TEXT], "items": False},
            {"$schema": MODERN, "type": "array", "prefixItems": [TEXT], "items": False},
            ["ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL #/items/1"],
        ),
        ({"type": "array"}, {"type": "array", "contains": {}}, ["SCHEMA_ADDED #/contains"]),
        ({"type": "array", "contains": TEXT}, {"type": "array", "contains": {}}, []),
        # combinations
        ({"oneOf": [TEXT]}, {"oneOf": [NUMBER, TEXT]}, []),
        ({"oneOf": [NUMBER, TEXT]}, {"oneOf": [TEXT]}, ["SUM_TYPE_NARROWED #/"]),
        ({"allOf": [TEXT]}, {"allOf": [TEXT, {"maxLength": 3}]}, ["PRODUCT_TYPE_EXTENDED #/"]),
        ({"allOf": [TEXT, {"maxLength": 3}]}, {"allOf": [TEXT]}, []),
        ({"anyOf": [TEXT, NUMBER]}, {"oneOf": [TEXT]}, ["COMBINED_TYPE_CHANGED #/"]),
        ({"anyOf": [TEXT]}, {"anyOf": [NUMBER]}, ["COMBINED_TYPE_SUBSCHEMAS_CHANGED #/"]),
        (TEXT, {"anyOf": [NUMBER, TEXT]}, []),
        ({"anyOf": [{"maxLength": 2, **TEXT}, {"maxLength": 3, **TEXT}]}, TEXT, []),
        ({"not": NUMBER}, {"not": {"type": "integer"}}, []),
        ({"not": {"type": "integer"}}, {"not": NUMBER}, ["NOT_TYPE_EXTENDED #/not"]),
        # references
        ({"$ref": "#/definitions/a", "definitions": {"a": TEXT}}, TEXT, []),
        (
            props(a=TEXT),
            {**props(a={"$ref": "#/$defs/a"}), "$defs": {"a": NUMBER}},
            ["TYPE_CHANGED #/properties/a"],
        ),
        (
            {"$schema": MODERN, "$ref": "#/$defs/a", "$defs": {"a": TEXT}},
            {"$schema": MODERN, "$ref": "#/$defs/a", "maxLength": 3, "$defs": {"a": TEXT}},
            ["TYPE_CHANGED #/"],
        ),
    ],
)
def test_differences(old: Any, new: Any, found: list[str]) -> None:
    assert differences(old, new) == found


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        # properties come and go, in open content models and in closed ones
        (props(), props(a=TEXT), []),
        (closed(), closed(a=TEXT), []),
        (props(a=TEXT), props(), []),
        (closed(a=TEXT), closed(), []),
        (props(), {**props(a={**TEXT, "default": ""}), "required": ["a"]}, []),
        (
            {**props(), "additionalProperties": NUMBER},
            {**props(a=NUMBER), "additionalProperties": NUMBER},
            [],
        ),
        (props(), closed(), []),
        (props(), {**props(), "additionalProperties": TEXT}, []),
        ({"$schema": MODERN, **props()}, {"$schema": MODERN, **props(), "unevaluatedProperties": False}, []),
        # also where they are parts of something else
        ({"allOf": [props(b=TEXT), props()]}, {"allOf": [props(b=TEXT), props(a=TEXT)]}, []),
        (props(b=props()), props(b=props(a=TEXT)), []),
        ({"oneOf": [props(b=TEXT), NUMBER]}, {"oneOf": [closed(b=TEXT), NUMBER]}, []),
        # what a reader would miss, or refuses of what it knows, is no question of content models
        (
            props(),
            {**props(a=TEXT), "required": ["a"]},
            ["REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/a"],
        ),
        (
            closed(),
            {**closed(a=TEXT), "required": ["a"]},
            ["REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a"],
        ),
        (props(a=TEXT), {**props(a=TEXT), "required": ["a"]}, ["REQUIRED_ATTRIBUTE_ADDED #/required/a"]),
        (props(a=TEXT), props(a=NUMBER), ["TYPE_CHANGED #/properties/a"]),
        (
            {**props(), "additionalProperties": TEXT},
            {**props(a=NUMBER), "additionalProperties": TEXT},
            ["TYPE_CHANGED #/properties/a"],
        ),
        (
            {"type": "array", "items": [TEXT]},
            {"type": "array", "items": [TEXT, TEXT]},
            ["ITEM_ADDED_TO_OPEN_CONTENT_MODEL #/items/1"],
        ),
    ],
)
def test_the_lenient_policy_passes_over_what_an_open_content_model_could_hide(
    old: Any, new: Any, found: list[str]
) -> None:
    assert differences(old, new, Policy.LENIENT) == found


@pytest.mark.parametrize(
    "change",
    [
        {"title": "x"},
        {"description": "x"},
        {"default": 1},
        {"$id": "http://x/y"},
        {"format": "date"},
        {"x": [1]},
    ],
)
def test_what_says_nothing_of_values_may_change(change: dict[str, Any]) -> None:
    assert differences(TEXT, {**TEXT, **change}) == []


def test_recursive_schemas_are_compared() -> None:
    def tree(value: Any) -> dict[str, Any]:
        return {"type": "object", "properties": {"v": value, "next": {"$ref": "#"}}}

    assert differences(tree({"type": "integer"}), tree(NUMBER)) == []
    assert differences(tree(NUMBER), tree({"type": "integer"})) == ["TYPE_NARROWED #/properties/v"]


@pytest.mark.parametrize(
    "ref", ["address.json", "http://example.com/address", "address.json#/definitions/street"]
)
def test_references_are_found_by_name_and_by_id(ref: str) -> None:
    text = json.dumps({"$id": "http://example.com/address", "definitions": {"street": TEXT}, **TEXT})
    references = [ResolvedReference("address.json", "address", 1, text)]
    schema = parse("JSON", json.dumps(props(a={"$ref": ref})), references)
    assert incompatibilities(schema, parse("JSON", json.dumps(props(a=TEXT)))) == []
    assert incompatibilities(schema, parse("JSON", json.dumps(props(a=NUMBER)))) != []


def test_anchors_and_embedded_resources_are_found() -> None:
    schema = {
        "$schema": MODERN,
        "$id": "http://example.com/root",
        **props(a={"$ref": "#street"}, b={"$ref": "inner"}),
        "$defs": {"s": {"$anchor": "street", **TEXT}, "i": {"$id": "http://example.com/inner", **NUMBER}},
    }
    assert differences(props(a=TEXT, b=NUMBER), schema) == []
    assert differences(props(a=NUMBER, b=TEXT), schema) == [
        "TYPE_CHANGED #/properties/a",
        "TYPE_CHANGED #/properties/b",
    ]


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "text"}, '#/type: "text" is no value'),
        ({"properties": []}, "#/properties: takes an object of schemas"),
        ({"properties": {"a": 5}}, "#/properties/a: a schema is an object, true or false, not 5"),
        ({"minLength": -1}, "#/minLength: -1"),
        ({"allOf": []}, "#/allOf: takes a list of schemas that is not empty"),
        ({"required": ["a", "a"]}, "#/required"),
        ({"multipleOf": 0}, "#/multipleOf"),
        ({"$ref": "#/definitions/a"}, "there is no 'definitions'"),
        ("text", "a schema is an object"),
    ],
)
def test_what_is_no_schema_is_refused(schema: Any, message: str) -> None:
    with pytest.raises(InvalidSchema, match=message):
        parse("JSON", json.dumps(schema))


def test_text_is_kept_in_its_order_and_normalized_by_key() -> None:
    schema = parse(
        "JSON", '{ "type" : "object",\n "properties": {"b": {}, "a": {"maximum": 10.0}}, "title": "T" }'
    )
    assert schema.canonical == '{"type":"object","properties":{"b":{},"a":{"maximum":10.0}},"title":"T"}'
    assert schema.normalized().canonical == (
        '{"properties":{"a":{"maximum":10.0},"b":{}},"title":"T","type":"object"}'
    )
    assert schema.name == "T"


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema = props(enum={"$ref": "#/definitions/id"}, id=TEXT)
    schema["definitions"] = {"id": TEXT}
    assert differences(schema, schema) == []
    assert differences(props(enum=NUMBER), schema)[0] == "TYPE_CHANGED #/properties/enum"


def test_what_was_assumed_of_a_ring_is_not_taken_for_known() -> None:
    """X is compatible only if P is, which holds X and is being compared. P is not, and X is met once more."""

    def ring(value: Any, a: Any) -> dict[str, Any]:
        schema = props(a=a, b={"$ref": "#/definitions/X"})
        p, x = {"$ref": "#/definitions/P"}, {"$ref": "#/definitions/X"}
        schema["definitions"] = {"P": props(next=x, v=value), "X": props(back=p)}
        return schema

    p = {"$ref": "#/definitions/P"}
    found = differences(ring(TEXT, p), ring(NUMBER, {"anyOf": [p, {"type": "object"}]}))
    assert found == ["TYPE_CHANGED #/properties/a/properties/v"]
