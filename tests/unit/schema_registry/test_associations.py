"""What may be associated with what."""

from __future__ import annotations

from typing import Any

import pytest

from barnabas.http.errors import HttpError
from barnabas.schema_registry import records
from barnabas.schema_registry.associating import put, remove, resource_of, settle, wanted_of
from barnabas.schema_registry.association import EVERY, Filter
from barnabas.schema_registry.decision import Decision
from barnabas.schema_registry.deleting import delete_subject, delete_version
from barnabas.schema_registry.entries import Reference, Schema
from barnabas.schema_registry.handlers.reading import offered_of
from barnabas.schema_registry.parsing import Parser
from barnabas.schema_registry.registering import Offered, register
from barnabas.schema_registry.state import State

PLACE = {"resourceName": "orders", "resourceNamespace": "lkc-1", "resourceId": "id-1"}
OWN = ":.lkc-1:orders-value"


def written(state: State, decision: Decision[Any], timestamp: int | None = None) -> None:
    for record in decision.records:
        state.replay(records.decode(*records.encode(record)), timestamp)


def registered(state: State, subject: str, text: str = '"int"', *references: Reference) -> None:
    offered = Offered(Schema.of("AVRO", text, references))
    written(state, register(state, Parser(), subject, offered, normalize=False))


def associate(state: State, *wanted: dict[str, Any], create: bool = True, **place: str) -> None:
    """As the registry does it: schemas first."""
    resource = resource_of(PLACE | place, dry_run=False)
    read = [wanted_of(each, resource, offered_of, create=create) for each in wanted]
    for one in settle(state, Parser(), resource, read, lambda: "guid", context=".", create=create):
        if one.offered is not None:
            decision = register(state, Parser(), one.association.subject, one.offered, normalize=False)
            written(state, decision)
    settled = settle(state, Parser(), resource, read, lambda: "guid", context=".", create=create)
    written(state, Decision(None, put(settled)), 77)


def code_of(state: State, *wanted: dict[str, Any], create: bool = True, **place: str) -> int:
    with pytest.raises(HttpError) as error:
        associate(state, *wanted, create=create, **place)
    return error.value.code


def test_records_have_the_bytes_of_other_registries() -> None:
    state = State()
    registered(state, "shared")
    associate(state, {"subject": "shared"})
    (association,) = state.associations.of_subject("shared")
    key, value = records.encode(association.record())
    assert key == (
        b'{"keytype":"ASSOC","tenant":"default","resourceName":"orders","resourceNamespace":"lkc-1",'
        b'"resourceType":"topic","associationType":"value","subject":"shared","magic":0}'
    )
    assert value is not None
    assert value.startswith(b'{"guid":"guid","tenant":"default","resourceName":"orders"')
    assert association.told() == {
        "subject": "shared",
        "guid": "guid",
        **PLACE,
        "resourceType": "topic",
        "associationType": "value",
        "lifecycle": "WEAK",
        "frozen": False,
        "createTs": 77,
        "updateTs": 77,
    }


def test_a_schema_makes_an_association_strong_and_its_subject_the_topics_own() -> None:
    state = State()
    associate(
        state, {"schema": {"schema": '"int"'}}, {"associationType": "key", "schema": {"schema": '"long"'}}
    )
    found = state.associations.of_resource("id-1")
    assert [(each.type, each.subject, each.lifecycle, each.frozen) for each in found] == [
        ("key", ":.lkc-1:orders-key", "STRONG", True),
        ("value", OWN, "STRONG", True),
    ]
    # Once more is nothing new; with another schema it is in the way.
    associate(state, {"schema": {"schema": '"int"'}})
    assert code_of(state, {"schema": {"schema": '"string"'}}) == 40903
    assert code_of(state, {"subject": OWN}, resourceName="other", resourceId="id-2") == 40905
    with pytest.raises(HttpError) as error:
        registered(state, "referring", '"int"', Reference("x", OWN, 1))
    assert error.value.code == 42205


def test_weak_associations_share_a_subject_that_is_there() -> None:
    state = State()
    assert code_of(state, {"subject": "shared"}) == 40907
    registered(state, "shared")
    associate(state, {"subject": "shared"})
    associate(state, {"subject": "shared"}, resourceName="other", resourceId="id-2")
    assert len(state.associations.of_subject("shared")) == 2
    assert [each.resource.name for each in state.associations.of_name("lkc-1", "-")] == ["orders", "other"]
    assert state.associations.of_subject("shared", Filter(lifecycle="STRONG")) == []
    assert code_of(state, {"subject": "else"}, create=False) == 42212
    assert code_of(state, {"associationType": "key", "schema": {"schema": '"int"'}}) == 42212
    for delete in (
        lambda: delete_subject(state, "shared", permanent=False),
        lambda: delete_version(state, state.versions("shared")[0], permanent=False),
    ):
        with pytest.raises(HttpError) as error:
            delete()
        assert error.value.status == 409
    for id_ in ("id-1", "id-2"):
        written(state, remove(state, id_, EVERY, cascade=False))
    assert not state.associations.all()
    assert delete_subject(state, "shared", permanent=False).response == [1]


def test_what_is_frozen_goes_only_with_its_subject() -> None:
    state = State()
    associate(state, {"schema": {"schema": '"int"'}})
    for cascade, code in ((False, 40908), (True, None)):
        if code is None:
            written(state, remove(state, "id-1", EVERY, cascade=cascade))
            continue
        with pytest.raises(HttpError) as error:
            remove(state, "id-1", EVERY, cascade=cascade)
        assert error.value.code == code
    with pytest.raises(HttpError) as error:
        remove(state, "id-1", EVERY, cascade=True)
    assert error.value.code == 40410


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        ({"resourceName": ""}, {}),
        ({"resourceName": "a/b"}, {}),
        ({"resourceType": "table"}, {}),
        ({"resourceId": ""}, {}),
        ({}, {"associationType": "header"}),
        ({}, {"lifecycle": "FIRM"}),
        ({}, {"subject": ""}),
        ({}, {"schema": {"schema": '"int"'}, "lifecycle": "WEAK", "subject": "s"}),
        ({}, {"schema": {"schema": '"int"'}, "frozen": False}),
        ({}, {"lifecycle": "STRONG"}),
        ({}, {"subject": OWN}),
        ({}, {}),
    ],
)
def test_what_makes_no_sense_is_refused(place: dict[str, Any], wanted: dict[str, Any]) -> None:
    state = State()
    registered(state, "s")
    registered(state, OWN)
    assert code_of(state, wanted, **place) == 42212


def test_associations_live_through_a_copy_and_an_update_keeps_their_beginning() -> None:
    state = State()
    registered(state, "shared")
    associate(state, {"subject": "shared"})
    (association,) = state.associations.of_subject("shared")
    state.replay(association.record(), 99)
    (updated,) = state.copy().associations.of_subject("shared")
    assert (updated.created, updated.updated) == (77, 99)
