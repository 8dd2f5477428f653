"""Schemas that have their version's number in their metadata, tags that are changed with a registration, and
names of fields that a config keeps back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from barnabas.http.errors import HttpError
from barnabas.schema_registry import configs, records
from barnabas.schema_registry.contracts import noted_number
from barnabas.schema_registry.decision import Decision
from barnabas.schema_registry.entries import Schema, Version
from barnabas.schema_registry.formats.tags import FIELD, Entity
from barnabas.schema_registry.handlers.reading import offered_of
from barnabas.schema_registry.parsing import Parser
from barnabas.schema_registry.registering import incompatible_versions, lookup, register
from barnabas.schema_registry.state import State

SUBJECT = "orders-value"
PARSER = Parser()


def record(*fields: str) -> str:
    found = [{"name": name, "type": "string", "default": ""} for name in fields]
    return json.dumps({"type": "record", "name": "Order", "fields": found}, separators=(",", ":"))


def written(state: State, decision: Decision[Any]) -> Any:
    for each in decision.records:
        state.replay(records.decode(*records.encode(each)))
    return decision.response


def registered(state: State, **body: Any) -> Version:
    version: Version = written(state, register(state, PARSER, SUBJECT, offered_of(body), normalize=False))
    return version


def refusal(state: State, **body: Any) -> HttpError:
    with pytest.raises(HttpError) as error:
        register(state, PARSER, SUBJECT, offered_of(body), normalize=False)
    return error.value


def test_a_number_that_is_asked_for_is_noted_and_goes_on() -> None:
    state = State()
    assert registered(state, schema=record("a")).schema.metadata is None
    asked = registered(state, schema=record("a", "b"), version=-1)
    assert (asked.number, noted_number(asked.schema.metadata)) == (2, "2")
    following = registered(state, schema=record("a", "b", "c"))
    assert (following.number, noted_number(following.schema.metadata)) == (3, "3")
    # The same once more is the same, whatever number it would have had.
    assert registered(state, schema=record("a", "b", "c")) == following
    assert registered(state, schema=record("a", "b"), metadata={"properties": {}}).number == 2


def test_a_look_up_finds_a_numbered_schema_by_its_text() -> None:
    state = State()
    version = registered(state, schema=record("a"), version=1)
    found = lookup(state, PARSER, SUBJECT, Schema.of("AVRO", record("a")), normalize=False, deleted=False)
    assert found == version
    other = Schema.of("AVRO", record("a"), (), {"properties": {"confluent:version": "7"}})
    assert lookup(state, PARSER, SUBJECT, other, normalize=False, deleted=False) is None


def test_tags_are_changed_with_a_registration_and_propagated_by_the_next() -> None:
    state = State()
    entity = {"entityPath": ".Order.a", "entityType": FIELD}
    registered(state, schema=record("a", "b"))
    tagged = registered(
        state, schema=record("a", "b"), schemaTagsToAdd=[{"schemaEntity": entity, "tags": ["PII", "X"]}]
    )
    assert (tagged.number, noted_number(tagged.schema.metadata)) == (2, "2")
    assert dict(PARSER.of_version(state, tagged).tagged()) == {Entity("Order.a", FIELD): ["PII", "X"]}
    less = registered(
        state,
        schema=tagged.schema.text,
        schemaTagsToRemove=[{"schemaEntity": entity, "tags": ["X"]}],
    )
    assert dict(PARSER.of_version(state, less).tagged()) == {Entity("Order.a", FIELD): ["PII"]}
    kept = registered(state, schema=record("c", "a"), propagateSchemaTags=True)
    assert dict(PARSER.of_version(state, kept).tagged()) == {Entity("Order.a", FIELD): ["PII"]}
    # What has gone has no tags that could be kept.
    assert not PARSER.of_version(
        state, registered(state, schema=record("c"), propagateSchemaTags=True)
    ).tagged()


@pytest.mark.parametrize(
    "tags",
    [
        [{"schemaEntity": {"entityPath": "Order.none", "entityType": FIELD}, "tags": ["PII"]}],
        [{"schemaEntity": {"entityPath": "Order.a", "entityType": "sr_table"}, "tags": ["PII"]}],
        [{"schemaEntity": {"entityPath": "Order.a", "entityType": FIELD}, "tags": [1]}],
        [{"schemaEntity": None}],
        ["PII"],
        7,
    ],
)
def test_tags_that_mean_nothing_are_refused(tags: Any) -> None:
    error = refusal(State(), schema=record("a"), schemaTagsToAdd=tags)
    assert (error.status, error.code) == (422, 42201)


def test_names_that_are_reserved_stay_reserved() -> None:
    state = State()
    reserves = {"properties": {"confluent:reserved": "old, gone"}}
    # Nobody looks as long as the config does not say so.
    registered(state, schema=record("a", "old"), metadata=reserves)
    written(state, configs.update(state, SUBJECT, {"validateFields": True, "compatibility": "NONE"}))
    assert refusal(state, schema=record("b", "old"), metadata=reserves).code == 40901
    assert registered(state, schema=record("b"), metadata=reserves).number == 2
    error = refusal(state, schema=record("c"), metadata={"properties": {"confluent:reserved": "old"}})
    assert error.code == 40901
    assert "'gone'" in error.message


def test_names_with_the_kept_prefix_are_refused_where_fields_are_validated() -> None:
    state = State()
    body = {"schema": '{"type":"object","properties":{"$$x":{}}}', "schemaType": "JSON"}
    written(state, configs.update(state, SUBJECT, {"validateFields": True, "validateNewSchemas": True}))
    error = refusal(state, **body)
    assert (error.code, "$$x" in error.message) == (42201, True)
    written(state, configs.update(state, SUBJECT, {"validateFields": False}))
    version = registered(state, **body)
    assert not incompatible_versions(state, PARSER, SUBJECT, version.schema, [version])
